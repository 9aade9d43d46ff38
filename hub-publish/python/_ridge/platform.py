"""What the kernels ask of torch beyond tensors: its GPUs, and who watches a call."""

import torch


def _watcher(name):
    """The C function `torch._C.<name>`; where a torch lacks it, one that always says yes."""
    return getattr(torch._C, name, None) or (lambda: 1)


# Each is cheap and true where a call must go through the dispatcher: modes, transforms, tracing.
dispatch_modes = _watcher("_len_torch_dispatch_stack")
function_modes = _watcher("_len_torch_function_stack")
is_tracing = _watcher("_is_tracing")
interpreter = getattr(torch._C._functorch, "peek_interpreter_stack", lambda: True)


def is_plain(tensor):
    """Whether a tensor is no subclass: its data can be taken by address."""
    return type(tensor) is torch.Tensor or type(tensor) is torch.nn.Parameter


def is_watched():
    """Whether a mode, a transform or a tracer must see this call."""
    watched = dispatch_modes() or function_modes() or is_tracing()
    return bool(watched) or interpreter() is not None


class TorchCuda:
    """GPUs as torch sees them; devices are torch's indices."""

    def __init__(self):
        module = torch._C
        slow_stream = lambda index: torch.cuda.current_stream(index).cuda_stream
        # The C functions behind `torch.cuda`: a call costs a tenth of a microsecond.
        self.current_device = getattr(module, "_cuda_getDevice", torch.cuda.current_device)
        self.current_stream = getattr(module, "_cuda_getCurrentRawStream", slow_stream)

    def is_gpu(self, device):
        """Whether kernels can run on tensors of this device."""
        return device.type == "cuda" and torch.version.hip is None

    def name(self, index):
        """The board, as the driver names it."""
        return torch.cuda.get_device_name(index)

    def guard(self, index):
        """A context in which this device is the current one."""
        return torch.cuda.device(index)
