"""Making tensors: from data, filled, counted."""

import numpy as np

from tinygrad_relu.engine import (
    Tensor,
    check_detached,
    checked_call,
    checked_device,
    get_default_dtype,
    keep_default_dtype,
    sharing,
)
from tinygrad_relu.errors import ArgumentError, DTypeError, RangeError


@checked_call
def set_default_dtype(dtype):
    """Set the dtype of tensors that are made without one, such as by `zeros` and `randn`.

    Unlike PyTorch's it is float64 to begin with, as in NumPy, because gradients are to be checked.
    Python floats get it where a tensor is made of them, and integers in division, means and functions
    such as `exp`; arrays keep the dtype that they come with.  (While it is float64, floats of integers
    are as NumPy makes them: float64, too, but of bytes and booleans float16, and of int16 float32.)

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.set_default_dtype(tg.float32)
    >>> tg.tensor([1.0, 2.0])
    tensor([1., 2.], dtype=float32)
    >>> tg.set_default_dtype(tg.float64)
    """
    dtype = np.dtype(dtype)
    if dtype.kind != "f":
        raise DTypeError(f"set_default_dtype: {dtype} is no floating dtype")
    keep_default_dtype(dtype)


def dtype_of_floats(data):
    """Return the default dtype for Python floats or nothing, and None for data that has a dtype."""
    default = get_default_dtype()
    if default == np.float64:           # which NumPy makes of them anyway
        return None
    kinds = kinds_of_numbers(data)
    return default if kinds <= {float, int, bool} and (float in kinds or not kinds) else None


def kinds_of_numbers(data):
    """Return the types of what stands in nested sequences."""
    if isinstance(data, (list, tuple)):
        return set().union(*map(kinds_of_numbers, data))
    return {type(data)}


@checked_call
def tensor(data, requires_grad=False, dtype=None, device=None):
    """Make a tensor of its own memory from numbers, nested sequences or an array.

    Parameters
    ----------
    data : array_like
        Copied.  Python floats get the default dtype, arrays keep their own.
    requires_grad : bool, default False
        Whether gradients with respect to it are wanted.  Only floating dtypes can carry one.
    dtype : dtype, optional

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.tensor([1, 2.5], requires_grad=True)
    tensor([1. , 2.5], dtype=float64, requires_grad=True)
    """
    checked_device("tensor", device)
    try:
        return Tensor(data, requires_grad, dtype_of_floats(data) if dtype is None else dtype)
    except RuntimeError as error:
        check_detached("tensor", error)
        raise


@checked_call
def asarray(data, requires_grad=False, dtype=None, device=None):
    """Return a tensor that shares memory with an array where it can; a Tensor is returned as it is.

    A later change to the array is a change to the tensor that the engine does not see: do not
    change an array between the forward and the backward pass.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_relu as tg
    >>> x = np.zeros(2)
    >>> t = tg.asarray(x)
    >>> x[0] = 1
    >>> t
    tensor([1., 0.], dtype=float64)
    """
    checked_device("asarray", device)
    if isinstance(data, Tensor):
        if dtype is not None and np.dtype(dtype) != data.dtype:
            data = data.astype(np.dtype(dtype))
        if requires_grad:
            data.requires_grad = True
        return data
    if dtype is not None:
        check_real("asarray", data=data)
    with np.errstate(all="ignore"):
        chosen = dtype_of_floats(data) if dtype is None else dtype
        try:
            values = np.asarray(data, dtype=chosen)
        except RuntimeError as error:
            check_detached("asarray", error)
            raise
    return on_memory(values, requires_grad)


@checked_call
def from_numpy(array):
    """Return a tensor that shares memory with `array`; see `asarray`."""
    if not isinstance(array, np.ndarray):
        raise ArgumentError(
            f"from_numpy: a {type(array).__name__} was given: pass a NumPy array, or use tensor() or "
            "asarray()"
        )
    return asarray(array)


def of_shape(name, fill, shape, requires_grad, dtype, device):
    """Return what `fill` makes of a shape, given as numbers or as one tuple, and of a dtype."""
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = shape[0]
    checked_device(name, device)
    if not all(isinstance(n, (int, np.integer)) for n in shape):
        raise ArgumentError(f"{name}: a shape is whole numbers, {shape} was given")
    return on_memory(fill(tuple(shape), np.dtype(dtype or get_default_dtype())), requires_grad)


def on_memory(values, requires_grad):
    """Return a tensor that takes over an array, or a number that was drawn."""
    made = sharing(np.asarray(values))
    made.requires_grad = requires_grad
    return made


def check_real(name, **arguments):
    """Raise where an argument is complex: its imaginary part would be lost."""
    for word, value in arguments.items():
        if np.iscomplexobj(value):
            raise DTypeError(f"{name}: {word} is complex: pass real numbers")


def shape_and_dtype(x, dtype):
    """Return the shape of a tensor or array, and its dtype if no other is given."""
    x = x if isinstance(x, Tensor) else np.asarray(x)
    return x.shape, dtype or x.dtype


@checked_call
def zeros(*shape, size=(), requires_grad=False, dtype=None, device=None):
    """Return zeros of a shape, given as numbers or as one tuple."""
    return of_shape("zeros", np.zeros, shape or size, requires_grad, dtype, device)


@checked_call
def ones(*shape, size=(), requires_grad=False, dtype=None, device=None):
    """Return ones of a shape, given as numbers or as one tuple."""
    return of_shape("ones", np.ones, shape or size, requires_grad, dtype, device)


@checked_call
def empty(*shape, size=(), requires_grad=False, dtype=None, device=None):
    """Return a tensor of a shape, given as numbers or as one tuple, with whatever is in its memory."""
    return of_shape("empty", np.empty, shape or size, requires_grad, dtype, device)


@checked_call
def full(shape, fill_value, requires_grad=False, dtype=None, device=None):
    """Return a tensor of a shape, filled with one number.

    Without `dtype`, a Python float takes the default one, and any other number keeps its own.
    """
    if dtype is None and type(fill_value) is float:
        dtype = get_default_dtype()
    check_real("full", fill_value=fill_value)
    shape = (shape,) if isinstance(shape, (int, np.integer)) else shape

    def fill(n, _):
        return np.full(n, fill_value, dtype)

    return of_shape("full", fill, (tuple(shape),), requires_grad, dtype, device)


@checked_call
def zeros_like(x, requires_grad=False, dtype=None, device=None):
    """Return zeros of the shape and dtype of `x`."""
    shape, dtype = shape_and_dtype(x, dtype)
    return of_shape("zeros_like", np.zeros, shape, requires_grad, dtype, device)


@checked_call
def ones_like(x, requires_grad=False, dtype=None, device=None):
    """Return ones of the shape and dtype of `x`."""
    shape, dtype = shape_and_dtype(x, dtype)
    return of_shape("ones_like", np.ones, shape, requires_grad, dtype, device)


@checked_call
def empty_like(x, requires_grad=False, dtype=None, device=None):
    """Return a tensor of the shape and dtype of `x`, with whatever is in its memory."""
    shape, dtype = shape_and_dtype(x, dtype)
    return of_shape("empty_like", np.empty, shape, requires_grad, dtype, device)


@checked_call
def full_like(x, fill_value, requires_grad=False, dtype=None, device=None):
    """Return a tensor of the shape and dtype of `x`, filled with one number."""
    shape, dtype = shape_and_dtype(x, dtype)
    return full(shape, fill_value, requires_grad, dtype, device)


@checked_call
def arange(start=None, end=None, step=1, *, requires_grad=False, dtype=None, device=None):
    """Return evenly spaced numbers: ``arange(end)`` or ``arange(start, end[, step])``.

    Whole ones are int64, and others have the default dtype.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.arange(3), tg.arange(0, 6, step=2)
    (tensor([0, 1, 2], dtype=int64), tensor([0, 2, 4], dtype=int64))
    """
    if end is None:
        start, end = None, start
    if end is None:
        raise ArgumentError("arange: end is missing: the forms are arange(end) and arange(start, end)")
    values = np.arange(0 if start is None else start, end, step, dtype=dtype)
    if dtype is None and values.dtype == np.float64:
        values = values.astype(get_default_dtype(), copy=False)
    checked_device("arange", device)
    return on_memory(values, requires_grad)


@checked_call
def linspace(start, stop, steps=50, requires_grad=False, dtype=None, device=None):
    """Return `steps` evenly spaced numbers from `start` to `stop`, both included."""
    check_real("linspace", start=start, stop=stop)
    with np.errstate(all="ignore"):
        values = np.linspace(start, stop, steps, dtype=dtype or get_default_dtype())
    return asarray(values, requires_grad, device=device)


@checked_call
def logspace(start, stop, steps=50, base=10.0, requires_grad=False, dtype=None, device=None):
    """Return `steps` numbers from ``base**start`` to ``base**stop``, evenly spaced in their logarithm.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.logspace(0, 2, 3)
    tensor([  1.,  10., 100.], dtype=float64)
    """
    check_real("logspace", start=start, stop=stop, base=base)
    with np.errstate(all="ignore"):
        values = np.logspace(start, stop, steps, base=base, dtype=dtype or get_default_dtype())
    return asarray(values, requires_grad, device=device)


@checked_call
def tril_indices(row, col, offset=0, dtype=None, device=None):
    """Return the rows and columns of the elements on and below a diagonal, as two rows.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.tril_indices(2, 2)
    tensor([[0, 1, 1],
            [0, 0, 1]], dtype=int64)
    """
    return named_by("tril_indices", np.tril_indices, row, col, offset, dtype, device)


@checked_call
def triu_indices(row, col, offset=0, dtype=None, device=None):
    """Return the rows and columns of the elements on and above a diagonal, as two rows."""
    return named_by("triu_indices", np.triu_indices, row, col, offset, dtype, device)


def named_by(name, indices, row, col, offset, dtype, device):
    """Return the indices of a triangle of a matrix as two rows."""
    if row < 0 or col < 0:
        raise RangeError(f"{name}: {row} rows and {col} columns: each is at least 0")
    return asarray(np.stack(indices(row, offset, col)), False, dtype, device)


@checked_call
def eye(rows, columns=None, requires_grad=False, dtype=None, device=None):
    """Return a matrix with ones on its diagonal."""
    values = np.eye(rows, columns, dtype=dtype or get_default_dtype())
    return asarray(values, requires_grad, device=device)
