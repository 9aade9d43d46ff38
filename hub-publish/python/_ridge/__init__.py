"""What every repository published by Ridge shares: reads `kernel.json`, picks an entry, launches it.

Standard library and torch only. Nothing here imports torch before a kernel is made.
"""


def cuda_kernel(folder, package):
    """The kernel of a variant with artifacts; needs torch.

    folder: the variant's folder; package: its name in `sys.modules`.
    """
    from .kernel import CudaKernel

    return CudaKernel(folder, package)


def universal_kernel(folder, package):
    """The kernel of a variant that is mathematics in torch only; needs torch when it is called."""
    from .universal import UniversalKernel

    return UniversalKernel(folder, package)
