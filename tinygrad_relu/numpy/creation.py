"""The NumPy dialect: making tensors, and their dtypes."""

import numpy as np

from tinygrad_relu import creation
from tinygrad_relu.engine import Tensor, sharing
from tinygrad_relu.errors import RangeError
from tinygrad_relu.numpy.calling import array_of, dialect, holds_tensors, on_cpu, tensor_of, whole
from tinygrad_relu.ops import exchange, shapes


@dialect
def asarray(a, dtype=None, *, device=None, copy=None):
    """`a` as a tensor, which shares the memory of an array or is the tensor itself where it can.

    Nested sequences may hold tensors, which are recorded.  With `copy` the memory is its own in any
    case, or, if that is False, in none.

    Examples
    --------
    >>> import tinygrad_relu.numpy as tnp
    >>> x = tnp.asarray(2.0)
    >>> x.requires_grad = True
    >>> tnp.asarray([x, x * x]).sum().backward()
    >>> x.grad
    tensor(5., dtype=float64)
    """
    on_cpu("asarray", device)
    if holds_tensors(a):
        made = tensor_of(a, dtype)
        if copy is False and made is not a:
            raise RangeError("asarray: copy=False, and the values are not there in one memory yet")
        return shapes.copy(made) if copy and made is a else made
    dtype = creation.dtype_of_floats(a) if dtype is None else dtype
    return sharing(np.array(a, dtype=dtype, copy=copy))


@dialect
def array(object, dtype=None, *, copy=True, ndmin=0):
    """A tensor of its own memory from anything that NumPy reads; see `asarray`."""
    made = asarray(object, dtype, copy=True if copy else copy)
    return shapes.reshape(made, *[1] * (ndmin - made.ndim), *made.shape) if made.ndim < ndmin else made


@dialect
def copy(a):
    """The same values in memory of their own."""
    return array(a)


@dialect
def from_dlpack(x, /, *, device=None, copy=None):
    """A tensor on the memory of what another library holds; a Tensor as it is."""
    on_cpu("from_dlpack", device)
    if isinstance(x, Tensor):
        return asarray(x, copy=copy)
    return exchange.from_dlpack(x, copy=copy)


@dialect
def zeros(shape, dtype=None, *, device=None):
    """Zeros of a shape, which is a number or one tuple."""
    on_cpu("zeros", device)
    return creation.zeros(whole(shape), dtype=dtype)


@dialect
def ones(shape, dtype=None, *, device=None):
    """Ones of a shape, which is a number or one tuple."""
    on_cpu("ones", device)
    return creation.ones(whole(shape), dtype=dtype)


@dialect
def empty(shape, dtype=None, *, device=None):
    """A tensor of a shape with whatever is in its memory."""
    on_cpu("empty", device)
    return creation.empty(whole(shape), dtype=dtype)


@dialect
def full(shape, fill_value, dtype=None, *, device=None):
    """A tensor of a shape that holds `fill_value`, which may be a tensor and is broadcast."""
    on_cpu("full", device)
    if isinstance(fill_value, (bool, int, float)):
        return creation.full(whole(shape), fill_value, dtype=dtype)
    return shapes.broadcast_to(tensor_of(fill_value, dtype), whole(shape))


@dialect
def zeros_like(a, dtype=None, *, shape=None, device=None):
    """Zeros of the shape and dtype of `a`."""
    a = tensor_of(a)
    return zeros(a.shape if shape is None else shape, dtype or a.dtype, device=device)


@dialect
def ones_like(a, dtype=None, *, shape=None, device=None):
    """Ones of the shape and dtype of `a`."""
    a = tensor_of(a)
    return ones(a.shape if shape is None else shape, dtype or a.dtype, device=device)


@dialect
def empty_like(a, dtype=None, *, shape=None, device=None):
    """A tensor of the shape and dtype of `a` with whatever is in its memory."""
    a = tensor_of(a)
    return empty(a.shape if shape is None else shape, dtype or a.dtype, device=device)


@dialect
def full_like(a, fill_value, dtype=None, *, shape=None, device=None):
    """A tensor of the shape and dtype of `a` that holds `fill_value`."""
    a = tensor_of(a)
    return full(a.shape if shape is None else shape, fill_value, dtype or a.dtype, device=device)


@dialect
def arange(start, /, stop=None, step=1, dtype=None, *, device=None):
    """Numbers from `start` to before `stop`; up to before `start` if that is all that is given."""
    on_cpu("arange", device)
    limits = (0, start) if stop is None else (start, stop)
    return creation.arange(*limits, step, dtype=dtype)


@dialect
def linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0, *, device=None):
    """`num` evenly spaced numbers from `start` to `stop`, which is left out without `endpoint`.

    Ends that are tensors are recorded; the new axis is the first, or `axis`.  With `retstep`, a pair with
    the distance of the numbers.

    Examples
    --------
    >>> import tinygrad_relu.numpy as tnp
    >>> tnp.linspace(0, 1, 4, endpoint=False)
    tensor([0.  , 0.25, 0.5 , 0.75], dtype=float64)
    """
    on_cpu("linspace", device)
    if not holds_tensors(start) and not holds_tensors(stop):
        values, step = np.linspace(start, stop, num, endpoint, True, axis=axis)
        values = asarray(values, dtype or creation.get_default_dtype())
        return (values, asarray(step)) if retstep else values
    start, stop = tensor_of(start), tensor_of(stop)
    share = np.linspace(0, 1, num, endpoint).reshape(-1, *[1] * max(start.ndim, stop.ndim))
    share = share.astype(np.result_type(start.dtype, stop.dtype, np.float32))
    values = shapes.movedim(tensor_of(start * (1 - share) + stop * share, dtype), 0, axis)
    return (values, (stop - start) / max(num - bool(endpoint), 1)) if retstep else values


@dialect
def logspace(start, stop, num=50, endpoint=True, base=10.0, dtype=None):
    """`num` numbers from ``base**start`` to ``base**stop``, evenly spaced in their logarithm."""
    return tensor_of(base ** linspace(start, stop, num, endpoint), dtype)


@dialect
def eye(N, M=None, k=0, dtype=None, *, device=None):  # noqa: N803
    """A matrix of `N` rows and `M` columns with ones on its diagonal `k`."""
    on_cpu("eye", device)
    return sharing(np.eye(N, M, k, dtype or creation.get_default_dtype()))


@dialect
def identity(n, dtype=None):
    """A square matrix with ones on its diagonal."""
    return eye(n, dtype=dtype)


@dialect
def tri(N, M=None, k=0, dtype=None):  # noqa: N803
    """A matrix with ones on and below its diagonal `k`."""
    return sharing(np.tri(N, M, k, dtype or creation.get_default_dtype()))


@dialect
def meshgrid(*xi, indexing="xy", sparse=False, copy=True):
    """The coordinates of a grid, a tuple: unlike with `tinygrad_relu.meshgrid`, its columns first."""
    if sparse:
        raise RangeError("meshgrid: sparse=True: the NumPy dialect makes whole grids only")
    return shapes.meshgrid(*[shapes.ravel(tensor_of(x)) for x in xi], indexing=indexing) if xi else ()


# --------------------------------------------------------------------------------------- dtypes


def kind_of(x):
    """Return the dtype of a tensor, or what else was given."""
    return x.dtype if isinstance(x, Tensor) else x


@dialect
def astype(x, dtype, /, *, copy=True, device=None):
    """The values in another dtype, in memory of their own unless `copy` is False."""
    on_cpu("astype", device)
    x = tensor_of(x)
    changed = tensor_of(x, dtype)
    return shapes.copy(x) if copy and changed is x else changed


@dialect
def can_cast(from_, to, casting="safe"):
    """Whether values of one dtype, or of a tensor, can be cast to another."""
    return np.can_cast(kind_of(from_), kind_of(to), casting)


@dialect
def finfo(type, /):
    """The limits of a floating dtype, or of that of a tensor, as `numpy.finfo`."""
    return np.finfo(kind_of(type))


@dialect
def iinfo(type, /):
    """The limits of an integer dtype, or of that of a tensor, as `numpy.iinfo`."""
    return np.iinfo(kind_of(type))


@dialect
def isdtype(dtype, kind):
    """Whether a dtype is of a kind, such as ``"real floating"``."""
    return np.isdtype(np.dtype(dtype), kind)


@dialect
def result_type(*arrays_and_dtypes):
    """The dtype that tensors, dtypes and numbers are promoted to together."""
    return np.result_type(*map(kind_of, arrays_and_dtypes))


@dialect
def geomspace(start, stop, num=50, endpoint=True, dtype=None):
    """`num` numbers from `start` to `stop`, of which each is the same multiple of the one before."""
    dtype = dtype or creation.get_default_dtype()
    return sharing(np.geomspace(array_of(start), array_of(stop), num, endpoint, dtype))


@dialect
def tril_indices(n, k=0, m=None):
    """The places on and below diagonal `k` of a matrix, as a tuple of two tensors."""
    return tuple(sharing(part) for part in np.tril_indices(n, k, m))


@dialect
def triu_indices(n, k=0, m=None):
    """The places on and above diagonal `k` of a matrix, as a tuple of two tensors."""
    return tuple(sharing(part) for part in np.triu_indices(n, k, m))


@dialect
def broadcast_shapes(*args):
    """The shape that arrays of several shapes are broadcast to."""
    return np.broadcast_shapes(*args)
