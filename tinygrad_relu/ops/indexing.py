"""Indexing: every form that NumPy reads, and its reverse."""

import numpy as np

from tinygrad_relu.engine import checked_call
from tinygrad_relu.kernels.gather import AddAlong, TakeAlong
from tinygrad_relu.kernels.view import Index
from tinygrad_relu.ops.domain import Draw, case, real
from tinygrad_relu.ops.table import ZERO, op

KEYS = [
    (0,),
    (slice(None), slice(None, None, -2)),
    (None, Ellipsis, -1),
    (np.array([1, 0, 1]),),
    (np.array([0, 1, 1]), slice(1, 3)),
    (np.array([[True, False, True], [False, True, False]]),),
]


def scattered(g, shape, key):
    """Return zeros of `shape` with `g` added at `key`, as often as an element is named."""
    x = np.zeros(shape, g.dtype)
    if is_basic(key):
        x[key] = g
    else:
        np.add.at(x, key, g)
    return x


def is_basic(key):
    """Tell whether `key` names no element twice: numbers, slices, None and ellipses."""
    parts = key if isinstance(key, tuple) else (key,)
    return all(
        part is None or part is Ellipsis or isinstance(part, (int, np.integer, slice))
        for part in parts
    )


@op(
    Index(),
    domain=[case(real(2, 3), key=key) for key in KEYS],
    x=lambda g, x_shape, key: scatter(g, x_shape, key),
)
def index(x, /, key):
    """``x[key]``, for every key that NumPy reads; basic ones (numbers, slices) give a view."""


@op(
    scattered,
    domain=[
        case(real(3), shape=(2, 3), key=(0,)),
        case(real(3, 3), shape=(2, 3), key=(np.array([1, 0, 1]),)),
    ],
    x=lambda g, key: index(g, key),
)
def scatter(x, /, shape, key):
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


@checked_call
def gather(x, axis, indices):
    """``x`` at `indices` along `axis`, with the arguments in PyTorch's order."""
    return take_along_axis(x, indices, axis)
