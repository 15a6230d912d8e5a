"""Other dtypes, and what PyTorch asks a tensor about itself.  There is one device: ``"cpu"``."""

import numpy as np

from tinygrad_relu.engine import Tensor, checked_call
from tinygrad_relu.errors import ArgumentError
from tinygrad_relu.ops import shapes

CPU = "cpu"


def checked_device(name, device):
    """Raise unless `device` is the one that there is."""
    if str(device).split(":")[0] != CPU:
        raise ArgumentError(f"{name}: device {device!r} is not there: the only one is {CPU!r}")


def is_device(value):
    """Tell whether a value is the name of a device, rather than of a dtype."""
    return isinstance(value, str) and value.split(":")[0] in (CPU, "cuda", "mps", "xpu")


@checked_call
def to(x, *targets, dtype=None, device=None, copy=False, non_blocking=False):
    """`x` in another dtype; itself if it has that already.

    Parameters
    ----------
    x : Tensor
    *targets
        A dtype, a device, both, or a tensor whose dtype is meant.
    dtype : dtype, optional
    device : str, optional
        ``"cpu"``: there is no other.
    copy : bool, default False
        Give a copy in any case.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.tensor([1.5]).to(tg.int64)
    tensor([1], dtype=int64)
    """
    for target in targets:
        if target is True or target is False:       # PyTorch's non_blocking and copy, by position
            continue
        if isinstance(target, Tensor):
            dtype = target.dtype
        elif is_device(target):
            device = target
        else:
            dtype = target
    if device is not None:
        checked_device("to", device)
    changed = x if dtype is None or np.dtype(dtype) == x.dtype else shapes.cast(x, np.dtype(dtype))
    return shapes.copy(changed) if copy and changed is x else changed


def converting(name, dtype, doc):
    """Return the method that casts to one dtype."""

    def method(x):
        return to(x, dtype=dtype)

    method.__doc__ = doc
    method.__name__ = method.__qualname__ = name
    return checked_call(method)


double = converting("double", np.float64, "The values as float64.")
float = converting("float", np.float32, "The values as float32, which is what PyTorch calls float.")
half = converting("half", np.float16, "The values as float16.")
long = converting("long", np.int64, "The values as int64, cut off towards 0.")
int = converting("int", np.int32, "The values as int32, cut off towards 0.")
bool = converting("bool", np.bool_, "Whether each value is not 0.")


@checked_call
def type_as(x, other):
    """`x` in the dtype of another tensor."""
    return to(x, dtype=other.dtype)


@checked_call
def cpu(x):
    """`x` itself: there is no other device."""
    return x


@checked_call
def cuda(x, *arguments):
    """Raise: there is no such device."""
    checked_device("cuda", "cuda")


@checked_call
def dim(x):
    """Return how many axes there are."""
    return x.ndim


@checked_call
def element_size(x):
    """Return how many bytes one element takes."""
    return x.dtype.itemsize


@checked_call
def is_floating_point(x):
    """Tell whether the dtype is a floating one."""
    return x.dtype.kind == "f"


@checked_call
def is_contiguous(x):
    """Tell whether the elements lie in memory in row-major order, without gaps."""
    return x.detach().numpy().flags.c_contiguous


@checked_call
def stride(x, axis=None):
    """Return how many elements lie from one to the next along each axis, or along one."""
    steps = tuple(step // x.dtype.itemsize for step in x.detach().numpy().strides)
    return steps if axis is None else steps[axis]


@checked_call
def is_tensor(value):
    """Tell whether a value is a Tensor."""
    return isinstance(value, Tensor)


def device_named(name=CPU, index=0):
    """Return the name of a device, which is ``"cpu"``, or raise."""
    checked_device("device", name)
    return CPU
