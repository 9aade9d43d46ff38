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


def guard(tensors):
    """A function that says whether tensors are as these: the same types, dtypes, devices, shapes
    and strides, under no other dispatch mode, transform or tracer. It does not see whether
    gradients are recorded, nor function modes.

    None where this torch has no such function: dynamo's guards are not public.
    """
    try:
        made = torch._C._dynamo.guards.TensorGuards(
            *tensors,
            dynamic_dims_sizes=[list(tensor.shape) for tensor in tensors],
            dynamic_dims_strides=[list(tensor.stride()) for tensor in tensors],
        )
        return made.check if made.check(*tensors) is True else None
    except Exception:  # Whatever an unknown version does with these arguments, calls go on.
        return None


def _inner(name, otherwise):
    """A C function of inductor's, or one that does the same more slowly."""
    return getattr(torch._C._dynamo.guards, name, otherwise)


class TorchCuda:
    """GPUs as torch sees them; devices are torch's indices."""

    def __init__(self):
        # The C functions behind `torch.cuda`: a call costs a tenth of a microsecond.
        self.current_device = getattr(torch._C, "_cuda_getDevice", torch.cuda.current_device)
        self.current_stream = getattr(torch._C, "_cuda_getCurrentRawStream", _current_stream)
        self.empty_strided = _inner("_empty_strided_cuda", _empty_strided)
        self.is_capturing = torch.cuda.is_current_stream_capturing

    def is_gpu(self, device):
        """Whether kernels can run on tensors of this device."""
        return device.type == "cuda" and torch.version.hip is None

    def name(self, index):
        """The board, as the driver names it."""
        return torch.cuda.get_device_name(index)

    def on(self, index):
        """A context in which this device is the current one."""
        return torch.cuda.device(index)


def _current_stream(index):
    return torch.cuda.current_stream(index).cuda_stream


def _empty_strided(shape, strides, dtype):
    return torch.empty_strided(shape, strides, dtype=dtype, device="cuda")
