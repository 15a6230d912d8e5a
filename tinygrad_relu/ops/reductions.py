"""Reductions over one axis, several (a tuple), or all (None)."""

import math
from typing import NamedTuple

import numpy as np

from tinygrad_relu.engine import Tensor, checked_call
from tinygrad_relu.errors import ArgumentError, ShapeError
from tinygrad_relu.kernels.reduce import Reduction
from tinygrad_relu.ops.arithmetic import isfinite, maximum, minimum, where
from tinygrad_relu.ops.domain import boolean, case, distinct, real
from tinygrad_relu.ops.exponential import exp, log, sqrt, square
from tinygrad_relu.ops.indexing import take_along_axis
from tinygrad_relu.ops.shapes import broadcast_to, cast, permute, reshape
from tinygrad_relu.ops.table import ZERO, op

# Each way of naming axes, for the tables of the ops below.
AXES = [{}, {"axis": 0}, {"axis": -1, "keepdims": True}, {"axis": (0, 2)}, {"axis": 1}]


def axes_of(axis, ndim):
    """Return the axes that `axis` names as a tuple of numbers from 0 on."""
    if axis is None:
        return tuple(range(ndim))
    return np.lib.array_utils.normalize_axis_tuple(axis, ndim)


def spread(v, shape, axis, keepdims):
    """Repeat `v`, reduced over `axis` from `shape`, along the axes that it lost."""
    if axis is None or keepdims:
        return broadcast_to(v, shape)
    lost = axes_of(axis, len(shape))
    return broadcast_to(reshape(v, *[1 if k in lost else n for k, n in enumerate(shape)]), shape)


def count_along(x, axis):
    """Return how many elements of `x` one element of its reduction over `axis` is made of."""
    if axis is None:
        return x.numel()
    return math.prod(x.shape[k] for k in axes_of(axis, x.ndim))


def to_equals(g, x, y, axis, keepdims):
    """Share `g` equally among the elements of `x` that are equal to their extremum `y`."""
    equal = where(x == spread(y, x.shape, axis, keepdims), 1.0, 0.0)
    ties = sum(equal, axis, keepdims)
    return equal * spread(g / ties, x.shape, axis, keepdims)


def product_of_others(x, y, axis, keepdims):
    """Return, for each element of `x`, the product of the others along `axis`."""
    if bool((x.detach() != 0).all()):
        return spread(y, x.shape, axis, keepdims) / x
    # A quotient says nothing at a zero: leave out one factor after the other.
    lost = axes_of(axis, x.ndim)
    order = tuple(k for k in range(x.ndim) if k not in lost) + lost
    rows = reshape(permute(x, *order), *[x.shape[k] for k in order[: x.ndim - len(lost)]], -1)
    size = rows.shape[-1]
    others = where(np.eye(size, dtype=bool), 1.0, reshape(rows, *rows.shape[:-1], 1, size))
    back = tuple(int(k) for k in np.argsort(order))
    return permute(reshape(prod(others, -1), *[x.shape[k] for k in order]), *back)


@op(
    Reduction(np.add),
    domain=[case(real(2, 3, 2), **axes) for axes in AXES],
    x=lambda g, x_shape, axis, keepdims: spread(g, x_shape, axis, keepdims),
)
def sum(x, /, axis=None, keepdims=False):
    """Sum; 0 over no elements.  Booleans and small integers are summed as NumPy does.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.tensor([[1.0, 2.0], [3.0, 4.0]]).sum(axis=0)
    tensor([4., 6.], dtype=float64)
    """


@op(
    Reduction(np.multiply),
    domain=[case(real(2, 3, 2), **axes) for axes in AXES],
    x=lambda g, x, y, axis, keepdims: (
        spread(g, x.shape, axis, keepdims) * product_of_others(x, y, axis, keepdims)
    ),
)
def prod(x, /, axis=None, keepdims=False):
    """Product; 1 over no elements.  The derivative is right where elements are 0, too."""


@op(
    Reduction(np.maximum),
    domain=[case(distinct(2, 3, 2), **axes) for axes in AXES],
    x=lambda g, x, y, axis, keepdims: to_equals(g, x, y, axis, keepdims),
)
def amax(x, /, axis=None, keepdims=False):
    """Largest element; NaN if one is NaN.

    Elements that tie share the gradient equally, as in PyTorch.
    """


@op(
    Reduction(np.minimum),
    domain=[case(distinct(2, 3, 2), **axes) for axes in AXES],
    x=lambda g, x, y, axis, keepdims: to_equals(g, x, y, axis, keepdims),
)
def amin(x, /, axis=None, keepdims=False):
    """Smallest element; NaN if one is NaN.

    Elements that tie share the gradient equally, as in PyTorch.
    """


@op(
    lambda x, axis, keepdims: np.argmax(x, axis, keepdims=keepdims),
    domain=[case(distinct(2, 3), axis=1)],
    x=ZERO,
)
def argmax(x, /, axis=None, keepdims=False):
    """Index of the largest element, the first of several; into the flattened array without axis."""


@op(
    lambda x, axis, keepdims: np.argmin(x, axis, keepdims=keepdims),
    domain=[case(distinct(2, 3), axis=1)],
    x=ZERO,
)
def argmin(x, /, axis=None, keepdims=False):
    """Index of the smallest element, the first of several; into the flattened array without axis."""


@op(
    lambda x, axis, keepdims: np.all(x, axis, keepdims=keepdims),
    domain=[case(boolean(2, 3), axis=0)],
    x=ZERO,
)
def all(x, /, axis=None, keepdims=False):
    """Whether all elements are true (not zero), boolean."""


@op(
    lambda x, axis, keepdims: np.any(x, axis, keepdims=keepdims),
    domain=[case(boolean(2, 3), axis=0)],
    x=ZERO,
)
def any(x, /, axis=None, keepdims=False):
    """Whether any element is true (not zero), boolean."""


@checked_call
def mean(x, axis=None, keepdims=False):
    """Arithmetic mean over `axis`; NaN over no elements.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.tensor([1.0, 2.0, 6.0]).mean()
    tensor(3., dtype=float64)
    """
    if x.dtype == np.float16:       # a sum of which overflows soon
        return cast(mean(cast(x, np.dtype(np.float32)), axis, keepdims), np.dtype(np.float16))
    return sum(x, axis, keepdims) / count_along(x, axis)


@checked_call
def var(x, axis=None, correction=1, keepdims=False):
    """Variance over `axis`, with the sum of squares divided by ``n - correction``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.tensor([1.0, 2.0, 6.0]).var()
    tensor(7., dtype=float64)
    """
    squares = square(x - mean(x, axis, keepdims=True))
    freedom = count_along(x, axis) - correction
    total = sum(squares, axis, keepdims)
    # As in PyTorch and NumPy, no degree of freedom gives NaN (or infinity), never an exception.
    return total / (freedom if freedom > 0 else 0.0)


@checked_call
def std(x, axis=None, correction=1, keepdims=False):
    """Standard deviation: the square root of `var`.  The derivative at 0 is infinite or NaN.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.tensor([1.0, 2.0, 3.0]).std()
    tensor(1., dtype=float64)
    """
    return sqrt(var(x, axis, correction, keepdims))


@checked_call
def logsumexp(x, axis=None, keepdims=False):
    """``log(sum(exp(x)))``, without overflow; -inf where all elements are -inf.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.tensor([1000.0, 1000.0]).logsumexp(axis=0)
    tensor(1000.69314718, dtype=float64)
    """
    top = amax(x.detach(), axis, keepdims=True)
    top = where(isfinite(top), top, 0.0)
    total = log(sum(exp(x - top), axis, keepdims))
    return total + (top if keepdims else reshape(top, *total.shape))


class Extremum(NamedTuple):
    """What `largest` and `smallest` return along an axis, as PyTorch's ``max(dim)`` does."""

    values: Tensor
    indices: Tensor


@checked_call
def largest(x, axis=None, keepdims=False):
    """Largest element of all; or along one axis, with indices; or of two tensors, elementwise.

    This is PyTorch's ``max``, in its three forms.

    Parameters
    ----------
    x : Tensor
    axis : int or Tensor, optional
        An axis, or a second tensor to take the elementwise maximum with.
    keepdims : bool, default False

    Returns
    -------
    Tensor, or along an axis a pair ``(values, indices)``
        Over all elements, ties share the gradient; along an axis, the first of them takes it.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.max(tg.tensor([[1.0, 5.0], [4.0, 2.0]]), 1)
    Extremum(values=tensor([5., 4.], dtype=float64), indices=tensor([1, 0], dtype=int64))
    """
    return extremum(x, axis, keepdims, amax, argmax, maximum)


@checked_call
def smallest(x, axis=None, keepdims=False):
    """Smallest element of all; or along one axis, with indices; or of two tensors, elementwise.

    This is PyTorch's ``min``; see `largest`.
    """
    return extremum(x, axis, keepdims, amin, argmin, minimum)


def extremum(x, axis, keepdims, over_all, position, of_two):
    """Answer the three forms of PyTorch's ``max`` and ``min``."""
    if axis is None:
        return over_all(x, None, keepdims)
    if isinstance(axis, (Tensor, np.ndarray)) and (axis.ndim or axis.dtype.kind not in "iu"):
        return of_two(x, axis)
    if isinstance(axis, (Tensor, np.ndarray, np.integer)):
        axis = int(axis)
    if isinstance(axis, (tuple, list)):
        raise ArgumentError(
            "max and min along an axis return indices, so they take one axis: use amax or amin over "
            "several"
        )
    if x.size == 0:
        raise ShapeError(f"max and min of no elements are undefined: x has shape {x.shape}")
    indices = position(x, axis, True)
    values = take_along_axis(x, indices, axis)
    if not keepdims:
        shape = list(x.shape)
        del shape[axis]
        values, indices = reshape(values, *shape), reshape(indices, *shape)
    return Extremum(values, indices)
