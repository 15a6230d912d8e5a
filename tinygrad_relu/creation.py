"""Making tensors: from data, filled, counted, drawn."""

import numpy as np

from tinygrad_relu.engine import Tensor, checked_call, own_errors, sharing
from tinygrad_relu.errors import ArgumentError, DTypeError

# The generator is made when it is first asked for: NumPy loads its random module only then.
_settings = {"dtype": np.dtype(np.float64), "generator": None}


@own_errors
def set_default_dtype(dtype):
    """Set the dtype of tensors that are made without one, such as by `zeros` and `randn`.

    Unlike PyTorch's it is float64 to begin with, as in NumPy, because gradients are to be checked.
    Data keeps the dtype that it comes with.
    """
    dtype = np.dtype(dtype)
    if dtype.kind != "f":
        raise DTypeError(f"set_default_dtype: {dtype} is no floating dtype")
    _settings["dtype"] = dtype


def get_default_dtype():
    """Return the dtype of tensors that are made without one."""
    return _settings["dtype"]


@own_errors
def manual_seed(seed):
    """Seed the generator that is used where none is given, and return it.

    Parameters
    ----------
    seed : int

    Returns
    -------
    numpy.random.Generator
    """
    _settings["generator"] = np.random.default_rng(seed)
    return _settings["generator"]


def default_generator():
    """Return the generator that is used where none is given."""
    if _settings["generator"] is None:
        _settings["generator"] = np.random.default_rng()
    return _settings["generator"]


@checked_call
@own_errors
def tensor(data, requires_grad=False, dtype=None):
    """Make a tensor of its own memory from numbers, nested sequences or an array.

    Parameters
    ----------
    data : array_like
        Copied.  Python floats become float64, arrays keep their dtype.
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
    return Tensor(data, requires_grad, dtype)


@checked_call
@own_errors
def asarray(data, requires_grad=False, dtype=None):
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
    if isinstance(data, Tensor):
        if dtype is not None and np.dtype(dtype) != data.dtype:
            data = data.astype(np.dtype(dtype))
        if requires_grad:
            data.requires_grad = True
        return data
    result = sharing(np.asarray(data, dtype=dtype))
    result.requires_grad = requires_grad
    return result


@checked_call
@own_errors
def from_numpy(array):
    """Return a tensor that shares memory with `array`; see `asarray`."""
    if not isinstance(array, np.ndarray):
        raise ArgumentError(
            f"from_numpy: a {type(array).__name__} was given: pass a NumPy array, or use tensor() or "
            "asarray()"
        )
    return asarray(array)


def _filled(name, fill, shape, requires_grad, dtype):
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = shape[0]
    if not all(isinstance(n, (int, np.integer)) for n in shape):
        raise ArgumentError(f"{name}: a shape is whole numbers, {shape} was given")
    return asarray(fill(tuple(shape), dtype or get_default_dtype()), requires_grad)


@checked_call
@own_errors
def zeros(*shape, requires_grad=False, dtype=None):
    """Return zeros of a shape, given as numbers or as one tuple."""
    return _filled("zeros", np.zeros, shape, requires_grad, dtype)


@checked_call
@own_errors
def ones(*shape, requires_grad=False, dtype=None):
    """Return ones of a shape, given as numbers or as one tuple."""
    return _filled("ones", np.ones, shape, requires_grad, dtype)


@checked_call
@own_errors
def full(shape, fill_value, requires_grad=False, dtype=None):
    """Return a tensor of a shape, filled with one number."""
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return asarray(np.full(shape, fill_value, dtype), requires_grad)


@checked_call
@own_errors
def zeros_like(x, requires_grad=False, dtype=None):
    """Return zeros of the shape and dtype of `x`."""
    return zeros(x.shape, requires_grad=requires_grad, dtype=dtype or x.dtype)


@checked_call
@own_errors
def ones_like(x, requires_grad=False, dtype=None):
    """Return ones of the shape and dtype of `x`."""
    return ones(x.shape, requires_grad=requires_grad, dtype=dtype or x.dtype)


@checked_call
@own_errors
def arange(*limits, requires_grad=False, dtype=None):
    """Return evenly spaced numbers: ``arange(stop)`` or ``arange(start, stop[, step])``."""
    return asarray(np.arange(*limits, dtype=dtype), requires_grad)


@checked_call
@own_errors
def linspace(start, stop, steps=50, requires_grad=False, dtype=None):
    """Return `steps` evenly spaced numbers from `start` to `stop`, both included."""
    return asarray(np.linspace(start, stop, steps, dtype=dtype or get_default_dtype()), requires_grad)


@checked_call
@own_errors
def eye(rows, columns=None, requires_grad=False, dtype=None):
    """Return a matrix with ones on its diagonal."""
    return asarray(np.eye(rows, columns, dtype=dtype or get_default_dtype()), requires_grad)


@checked_call
@own_errors
def rand(*shape, generator=None, requires_grad=False, dtype=None):
    """Return numbers drawn evenly from 0 (included) to 1.

    Parameters
    ----------
    *shape : int or tuple of int
    generator : numpy.random.Generator, optional
        The one that `manual_seed` seeds, if none is given.
    """
    draw = (generator or default_generator()).random
    return _filled("rand", lambda n, kind: draw(n).astype(kind), shape, requires_grad, dtype)


@checked_call
@own_errors
def randn(*shape, generator=None, requires_grad=False, dtype=None):
    """Return numbers drawn from the standard normal distribution; see `rand`."""
    draw = (generator or default_generator()).standard_normal
    return _filled("randn", lambda n, kind: np.asarray(draw(n)).astype(kind), shape, requires_grad, dtype)


@checked_call
@own_errors
def randint(low, high, shape, generator=None):
    """Return whole numbers drawn evenly from `low` to before `high`."""
    return asarray((generator or default_generator()).integers(low, high, shape))


@checked_call
@own_errors
def randperm(count, generator=None):
    """Return the numbers from 0 to before `count` in random order."""
    return asarray((generator or default_generator()).permutation(count))
