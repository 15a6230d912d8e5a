"""Other dtypes, and what PyTorch asks a tensor about itself.  There is one device: ``"cpu"``."""

import builtins

import numpy as np

from tinygrad_relu.engine import Tensor, checked_call, checked_device, is_device, sharing
from tinygrad_relu.ops import shapes


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
short = converting("short", np.int16, "The values as int16, cut off towards 0.")
half = converting("half", np.float16, "The values as float16.")
long = converting("long", np.int64, "The values as int64, cut off towards 0.")
int = converting("int", np.int32, "The values as int32, cut off towards 0.")
byte = converting("byte", np.uint8, "The values as uint8, cut off towards 0.")
char = converting("char", np.int8, "The values as int8, cut off towards 0.")
bool = converting("bool", np.bool_, "Whether each value is not 0.")


@checked_call
def type(x, dtype=None, non_blocking=False):
    """`x` in another dtype; without one, the name of its dtype.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.ones(1).type(), tg.ones(1).type(tg.int64)
    ('float64', tensor([1], dtype=int64))
    """
    return x.dtype.name if dtype is None else to(x, dtype=dtype)


@checked_call
def type_as(x, other):
    """`x` in the dtype of another tensor."""
    return to(x, dtype=other.dtype)


@checked_call
def cpu(x):
    """`x` itself: there is no other device."""
    return x


@checked_call
def pin_memory(x):
    """`x` itself: there is no other device that would copy from it."""
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


#: Properties, as NumPy and PyTorch have them.
itemsize = property(lambda x: x.dtype.itemsize, doc="int: How many bytes one element takes.")
nbytes = property(lambda x: x.numel() * x.dtype.itemsize, doc="int: How many bytes all elements take.")
is_cuda = property(lambda x: False, doc="bool: False, there is one device.")


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
def is_nonzero(x):
    """Tell whether the only element is not 0."""
    return builtins.bool(x)


@checked_call
def is_same_size(x, other):
    """Tell whether two tensors have one shape."""
    return x.shape == other.shape


@checked_call
def is_signed(x):
    """Tell whether the dtype has negative numbers."""
    return x.dtype.kind in "if"


@checked_call
def numel(x):
    """Return how many elements there are.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.numel(tg.ones(2, 3))
    6
    """
    return x.numel()


@checked_call
def clone(x):
    """A recorded copy, as ``x.clone()``."""
    return shapes.copy(x)


@checked_call
def detach(x):
    """A tensor on the same memory that is outside of the graph, as ``x.detach()``."""
    return x.detach()


@checked_call
def broadcast_shapes(*lengths):
    """Return the shape that tensors of the given ones are broadcast to.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.broadcast_shapes((2, 1), (3,))
    (2, 3)
    """
    return np.broadcast_shapes(*lengths)


@checked_call
def promote_types(type1, type2):
    """Return the dtype of a sum of arrays of two dtypes.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.promote_types(tg.int64, tg.float32)
    dtype('float64')
    """
    return np.promote_types(type1, type2)


@checked_call
def result_type(a, b):
    """Return the dtype of a sum of two operands, tensors or numbers, of which the latter are weak.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.result_type(tg.ones(2, dtype=tg.float32), 1.0)
    dtype('float32')
    """
    return np.result_type(*[x.dtype if isinstance(x, Tensor) else x for x in (a, b)])


@checked_call
def can_cast(type1, type2):
    """Tell whether values of one dtype may be written into a tensor of another one in place.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.can_cast(tg.float64, tg.float32), tg.can_cast(tg.float64, tg.int64)
    (True, False)
    """
    return np.can_cast(type1, type2, "same_kind")


def new_like(name, doc, make):
    """Return the method that makes a tensor of a shape in the dtype of another one."""

    def method(x, *shape, dtype=None, device=None, requires_grad=False):
        checked_device(name, device)
        if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
            shape = tuple(shape[0])
        return sharing(make(shape, dtype or x.dtype)).requires_grad_(requires_grad)

    method.__doc__ = doc
    method.__name__ = method.__qualname__ = name
    return checked_call(method)


new_zeros = new_like("new_zeros", "Zeros of a shape in the dtype of this tensor.", np.zeros)
new_ones = new_like("new_ones", "Ones of a shape in the dtype of this tensor.", np.ones)
new_empty = new_like(
    "new_empty", "A tensor of a shape in the dtype of this one, with arbitrary values.", np.empty
)


@checked_call
def new_full(x, shape, fill_value, dtype=None, device=None, requires_grad=False):
    """A tensor of a shape in the dtype of this one, with one number everywhere.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.zeros(3).new_full((2,), 7.0)
    tensor([7., 7.], dtype=float64)
    """
    checked_device("new_full", device)
    return sharing(np.full(shape, fill_value, dtype or x.dtype)).requires_grad_(requires_grad)


@checked_call
def new_tensor(x, data, dtype=None, device=None, requires_grad=False):
    """A copy of `data` in the dtype of this tensor."""
    checked_device("new_tensor", device)
    return Tensor(data, requires_grad, dtype or x.dtype)


@checked_call
def sum_to_size(x, *shape):
    """Sum over the axes along which a tensor of another shape would be broadcast to that of `x`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.ones(2, 3).sum_to_size(3)
    tensor([2., 2., 2.], dtype=float64)
    """
    shape = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
    return shapes.sum_to(x, shape)


@checked_call
def is_tensor(value):
    """Tell whether a value is a Tensor."""
    return isinstance(value, Tensor)
