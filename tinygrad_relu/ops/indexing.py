"""Indexing: every form that NumPy reads, its reverse, and what all functions of indices check.

The functions that are made of these are in `taking` and in `putting`.
"""

import numpy as np

from tinygrad_relu.engine import Tensor
from tinygrad_relu.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from tinygrad_relu.kernels.gather import AddAlong, TakeAlong, add_rows
from tinygrad_relu.kernels.view import Index
from tinygrad_relu.ops.domain import Draw, case, real
from tinygrad_relu.ops.table import ZERO, op

KEYS = [
    (0,),
    (slice(None), slice(None, None, -2)),
    (None, Ellipsis, -1),
    (np.array([1, 0, 1]),),
    (slice(None), np.array([2, 0, -1, 0])),
    (np.array([0, 1, 1]), slice(1, 3)),
    (np.array([[True, False, True], [False, True, False]]),),
]


def placed(g, shape, key):
    """Return zeros of `shape` with `g` added at `key`, as often as an element is named."""
    x = np.zeros(shape, g.dtype)
    if names_each_once(key):
        x[key] = g
    else:
        add_at(x, key, g)
    return x


def add_at(x, key, g):
    """Add `g` to an array at `key`, as often as an element is named."""
    axis = lone_list(key)
    if names_each_once(key):
        x[key] += g
    elif axis is not None and g.shape == (*x.shape[:axis], *key[axis].shape, *x.shape[axis + 1 :]):
        add_rows(x, key[axis], g, axis)
    else:
        np.add.at(x, key, g)


def cotangent_of_whole(g, x_shape, key, spare_sum):
    """Return what `g` at `key` is to the whole, added to `spare_sum` if that is there.

    So the cotangents of many parts of one tensor cost one array of its size, and not one for each.
    """
    if spare_sum is None:
        return place(g, x_shape, key)
    add_at(spare_sum.numpy(), key, g.numpy())
    return spare_sum


def lone_list(key):
    """Return the axis that `key` has numbers for, if it says nothing of the others, else None."""
    if not isinstance(key, tuple) or not key or any(
        not isinstance(part, slice) or part != slice(None) for part in key[:-1]
    ):
        return None
    last = key[-1]
    is_list = isinstance(last, np.ndarray) and last.dtype.kind in "iu"
    return len(key) - 1 if is_list else None


def names_each_once(key):
    """Tell whether `key` names no element twice: it has numbers, slices, None, ellipses and masks.

    Masks beside each other do not either, but a mask beside an array of numbers may.
    """
    parts = key if isinstance(key, tuple) else (key,)
    arrays = [part for part in parts if isinstance(part, np.ndarray)]
    return all(part.dtype == bool for part in arrays) and all(
        part is None or part is Ellipsis or isinstance(part, (int, np.integer, slice, np.ndarray))
        for part in parts
    )


@op(
    Index(),
    domain=[case(real(2, 3), key=key) for key in KEYS],
    x=cotangent_of_whole,
)
def index(x, /, key):
    """``x[key]``, for every key that NumPy reads; basic ones (numbers, slices) give a view."""


@op(
    placed,
    domain=[
        case(real(3), shape=(2, 3), key=(0,)),
        case(real(3, 3), shape=(2, 3), key=(np.array([1, 0, 1]),)),
        case(real(2, 4), shape=(2, 3), key=(slice(None), np.array([-1, 0, 2, -1]))),
        case(real(2, 1, 3), shape=(4, 3), key=(np.array([[1], [1]]),)),
        case(real(1, 3), shape=(2, 3), key=(np.array([1, 0, 1]),)),
        case(real(2), shape=(3,), key=(np.array([True, False, True]),)),
    ],
    x=lambda g, key: index(g, key),
)
def place(x, /, shape, key):
    """Zeros of `shape` with `x` added at `key`: the reverse of `index`."""


indices_of_three = Draw(lambda rng, shape: rng.integers(0, 3, shape))


@op(
    TakeAlong(),
    domain=[
        case(real(2, 3), indices_of_three(2, 4), axis=1),
        case(real(3, 2), indices_of_three(1, 2), axis=0),
    ],
    x=lambda g, x_shape, indices, axis: add_along_axis(g, indices, x_shape, axis),
    indices=ZERO,
)
def take_along_axis(x, indices, /, axis):
    """``x`` at `indices` along `axis`: PyTorch's ``gather``.

    `indices` has as many axes as `x`, and is no longer than it along the others.  They count from 0;
    a negative index raises, as in PyTorch and unlike in NumPy.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.gather(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), 1, tg.tensor([[1], [0]]))
    tensor([[2.],
            [3.]], dtype=float64)
    """


@op(
    AddAlong(),
    domain=[case(real(2, 4), indices_of_three(2, 4), shape=(2, 3), axis=1)],
    x=lambda g, indices, axis: take_along_axis(g, indices, axis),
    indices=ZERO,
)
def add_along_axis(x, indices, /, shape, axis):
    """Zeros of `shape` with `x` added at `indices` along `axis`: the reverse of taking."""


def tensor_of(name, x):
    """Return `x`, or a tensor of its own if it is an array, a sequence or a number."""
    if isinstance(x, Tensor):
        return x
    try:
        return Tensor(x)
    except ValueError as error:
        raise ShapeError(f"{name}: {error}") from error


def whole_numbers(name, indices, length=None, negative=False):
    """Return indices as an array that nobody else can change, or raise.

    Parameters
    ----------
    name : str
        Of the function that was called.
    indices : Tensor or array_like of int
    length : int, optional
        Of the axis that they lie in.
    negative : bool, default False
        Whether they may count from the end: those that do are counted from the front in the result.
    """
    try:
        array = np.array(indices.detach().numpy() if isinstance(indices, Tensor) else indices)
    except ValueError as error:
        raise ShapeError(f"{name}: {error}") from error
    if array.size == 0 and isinstance(indices, (list, tuple)):
        array = array.astype(np.intp)
    if array.dtype.kind not in "iu":
        raise DTypeError(f"{name}: the index has dtype {array.dtype}: pass whole numbers")
    if length is None or array.size == 0:
        return array.astype(np.intp)
    for found in (int(array.min()), int(array.max())):
        if not (-length if negative else 0) <= found < length:
            raise IndexingError(
                f"{name}: index {found} is out of bounds for an axis of length {length}"
                f"{'' if negative or found >= 0 else ': it counts from 0, not from the end'}"
            )
    array = array.astype(np.intp)
    return np.where(array < 0, array + length, array)


def number_of(name, word, value):
    """Return `value` as a whole number, or raise."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ArgumentError(f"{name}: {word} is {value!r}: it is a whole number")
    return value.__index__()
