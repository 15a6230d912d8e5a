"""Memory shared with other libraries: DLPack, and NumPy's array interface.  NumPy makes the capsules."""

import numpy as np
from numpy.lib.array_utils import byte_bounds

from tinygrad_relu.engine import checked_call, checked_device, sharing
from tinygrad_relu.errors import ArgumentError, GraphError


def leaving(x, title):
    """Return the array of a tensor that another library is going to see, or raise."""
    if x.requires_grad:
        raise GraphError(
            f"{title}: a tensor that requires a gradient was about to be shared with another library, "
            "and its gradient would be lost: share tensor.detach() if that is meant"
        )
    return x.numpy()


def dlpack(x, /, *, stream=None, max_version=None, dl_device=None, copy=None):
    """Return a DLPack capsule on the memory of this tensor, which other libraries take over.

    It is what their ``from_dlpack(tensor)`` asks for, with the arguments of the array API standard.

    Raises
    ------
    GraphError
        The tensor requires a gradient.
    BufferError
        As the standard demands: DLPack has no such dtype, device or byte order, or the memory is
        read-only and the other side too old (`max_version`) to be told so.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_relu as tg
    >>> t = tg.zeros(2)
    >>> shared = np.from_dlpack(t)
    >>> t += 1
    >>> shared
    array([1., 1.])
    """
    return leaving(x, "__dlpack__").__dlpack__(
        stream=stream, max_version=max_version, dl_device=dl_device, copy=copy
    )


def dlpack_device(x, /):
    """Return where the memory is, in DLPack's numbers: ``(1, 0)`` is the processor's.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.zeros(2).__dlpack_device__()
    (1, 0)
    """
    kind, number = x.detach().numpy().__dlpack_device__()
    return int(kind), number


@checked_call
def from_dlpack(x, /, *, device=None, copy=None):
    """Return a tensor on the memory of an array of another library.

    Parameters
    ----------
    x : object with ``__dlpack__``
        Such as an array of PyTorch, JAX, CuPy or NumPy, in memory of the processor.
    device : str, optional
        ``"cpu"``, there is no other.
    copy : bool, optional
        True for memory of its own, False to raise where sharing is not possible.

    Returns
    -------
    Tensor
        Read-only where the other library says so, as JAX does.  As with `asarray`, a change on one
        side is seen on the other, but not by the engine.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_relu as tg
    >>> x = np.array([1.0, 2.0, 3.0])
    >>> t = tg.from_dlpack(x[::-1])
    >>> x[0] = 7
    >>> t
    tensor([3., 2., 7.], dtype=float64)
    """
    if not hasattr(x, "__dlpack__"):
        raise ArgumentError(
            f"from_dlpack: a {type(x).__name__} has no __dlpack__: pass an array of a library that has, "
            "or use tensor() or asarray()"
        )
    checked_device("from_dlpack", device)
    try:
        # NumPy 2.0 knows no device and copy.
        chosen = {"copy": copy} if copy is not None else {}
        return sharing(np.from_dlpack(x, **chosen))
    except (BufferError, RuntimeError) as error:
        if isinstance(error, GraphError):
            raise
        raise ArgumentError(
            f"from_dlpack: the {type(x).__module__}.{type(x).__name__} was not handed over: {error}"
        ) from error


class Span:
    """The bytes from the first to the last element of an array, whatever lies between them."""

    def __init__(self, array):
        self.array = array                      # keeps the memory alive
        low, high = byte_bounds(array)
        self.__array_interface__ = {
            "shape": (high - low,), "typestr": "|u1", "data": (low, not array.flags.writeable),
            "version": 3,
        }


@property
def array_interface(x):
    """dict: The memory of a tensor outside of the graph, in the words of NumPy's array interface.

    Whoever takes it holds the memory, and not the tensor: that may be given other memory later, such
    as by assigning to its ``.data``.
    """
    array = leaving(x, "__array_interface__")
    if array.flags.c_contiguous:
        return {"shape": array.shape, "typestr": array.dtype.str, "data": array, "version": 3}
    interface = array.__array_interface__
    address, _ = interface["data"]
    span = np.asarray(Span(array))
    interface["data"] = span
    interface["offset"] = address - span.__array_interface__["data"][0]
    return interface


#: What Tensor is given by these names.
METHODS = {
    "__array_interface__": array_interface,
    "__dlpack__": dlpack,
    "__dlpack_device__": dlpack_device,
}
