"""Running sums, products and extrema along an axis, areas, and the differences that undo a sum."""

import math
from operator import index as whole
from typing import NamedTuple

import numpy as np

from tinygrad_relu.engine import Tensor, checked_call, sharing
from tinygrad_relu.errors import ArgumentError, RangeError, ShapeError
from tinygrad_relu.kernels import recurrence
from tinygrad_relu.ops.arithmetic import not_equal, subtract, where
from tinygrad_relu.ops.domain import case, real
from tinygrad_relu.ops.exponential import exp, log
from tinygrad_relu.ops.indexing import index, place, take_along_axis
from tinygrad_relu.ops.reductions import sum
from tinygrad_relu.ops.shapes import (
    broadcast_to,
    checked_axis,
    concat,
    numbers_as_vectors,
    part,
    reshape,
)
from tinygrad_relu.ops.table import op
from tinygrad_relu.ops.values import floating, tensor_of


def along(axis, ndim, chosen):
    """Return the index that means `chosen` along `axis`, and everything along the others."""
    return (slice(None),) * (axis % ndim) + (chosen,)


def reverse(x, axis):
    """Return `x` in reverse order along `axis`."""
    return index(x, along(axis, x.ndim, slice(None, None, -1)))


def delayed(x, axis):
    """Return `x` one place later along `axis`, with 0 in the first place."""
    earlier = index(x, along(axis, x.ndim, slice(None, -1)))
    return place(earlier, x.shape, along(axis, x.ndim, slice(1, None)))


@op(
    recurrence.running_sum,
    domain=[case(real(4), axis=0), case(real(2, 3, 2), axis=1), case(real(2, 3), axis=1)],
    x=lambda g, axis: reverse(running_sum(reverse(g, axis), axis), axis),
)
def running_sum(x, /, axis):
    """Sums of all elements up to each one along `axis`, counted from 0; see `cumsum`."""


@op(
    recurrence.linear_recurrence,
    domain=[
        case(real(4), real(4), axis=0),
        case(real(2, 3, 2), real(2, 3, 2), axis=1),
        case(real(3), real(2, 3), axis=1),
    ],
    # The walk back is a recurrence from the other end, with the factor of the step that follows.
    g=lambda g, a, axis: reverse(
        linear_recurrence(
            delayed(reverse(broadcast_to(a, g.shape), axis), axis), reverse(g, axis), axis
        ),
        axis,
    ),
    a=lambda g, y, axis: g * delayed(y, axis),
    b=lambda g: g,
)
def linear_recurrence(a, b, /, axis):
    """``y[k] = a[k] * y[k - 1] + b[k]`` along `axis`, counted from 0, beginning with ``y[0] = b[0]``."""


@checked_call
@numbers_as_vectors
def cumsum(x, axis):
    """Sums of all elements up to each one, itself included, along `axis`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.cumsum(tg.tensor([1.0, 2.0, 3.0]), 0)
    tensor([1., 3., 6.], dtype=float64)
    """
    x = tensor_of(x)
    return running_sum(x, checked_axis("cumsum", axis, x.ndim))


@checked_call
@numbers_as_vectors
def cumprod(x, axis):
    """Products of all elements up to each one, itself included, along `axis`.

    The derivatives are right where elements are 0, too, at every order.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.cumprod(tg.tensor([1.0, 2.0, 3.0]), 0)
    tensor([1., 2., 6.], dtype=float64)
    """
    x = tensor_of(x)
    axis = checked_axis("cumprod", axis, x.ndim)
    if x.dtype.kind != "f":
        return sharing(np.cumprod(x.numpy(), axis))
    first = np.arange(x.shape[axis]).reshape(-1, *[1] * (x.ndim - axis - 1)) == 0
    return linear_recurrence(x, where(first, x, 0.0), axis)


@checked_call
@numbers_as_vectors
def logcumsumexp(x, axis):
    """``log(cumsum(exp(x)))`` along `axis`, without overflow or underflow.

    Where all elements so far are -inf, so is the result, and the derivative is 0 (in PyTorch, NaN).

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.logcumsumexp(tg.tensor([0.0, 0.0, 1000.0]), 0)
    tensor([0.00000000e+00, 6.93147181e-01, 1.00000000e+03], dtype=float64)
    """
    x = floating("logcumsumexp", x)
    axis = checked_axis("logcumsumexp", axis, x.ndim)
    # A running sum of exp(x - top), which is rescaled where the top rises.  The result does not depend
    # on the tops, so that nothing is lost if the graph does not know where they come from.
    top = np.maximum.accumulate(x.detach().numpy(), axis)
    safe = np.where(np.isfinite(top), top, 0).astype(x.dtype)
    fall = np.zeros_like(safe)
    later, earlier = along(axis, x.ndim, slice(1, None)), along(axis, x.ndim, slice(None, -1))
    with np.errstate(all="ignore"):
        fall[later] = np.where(top[earlier] == -np.inf, 0, np.exp(safe[earlier] - safe[later]))
    total = linear_recurrence(fall, exp(x - safe), axis)
    nothing = total == 0
    return where(nothing, -math.inf, log(where(nothing, 1.0, total)) + safe)


class RunningExtremum(NamedTuple):
    """What `cummax` and `cummin` return."""

    values: Tensor
    indices: Tensor


@checked_call
@numbers_as_vectors
def cummax(x, axis):
    """Largest element up to each one along `axis`, and where it stands, the last of several.

    From a NaN on the result is NaN.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.cummax(tg.tensor([1.0, 3.0, 2.0]), 0).values
    tensor([1., 3., 3.], dtype=float64)
    """
    return running_extremum("cummax", np.maximum, x, axis)


@checked_call
@numbers_as_vectors
def cummin(x, axis):
    """Smallest element up to each one along `axis`, and where it stands, the last of several.

    From a NaN on the result is NaN.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.cummin(tg.tensor([2.0, 3.0, 1.0]), 0).indices
    tensor([0, 0, 2], dtype=int64)
    """
    return running_extremum("cummin", np.minimum, x, axis)


def running_extremum(name, better, x, axis):
    """Return the running extremum of `x` under the ufunc `better`, with its places."""
    x = tensor_of(x)
    axis = checked_axis(name, axis, x.ndim)
    values = x.detach().numpy()
    renewed = (values == better.accumulate(values, axis)) | (values != values)
    places = np.arange(x.shape[axis]).reshape(-1, *[1] * (x.ndim - axis - 1))
    places = np.maximum.accumulate(np.where(renewed, places, 0), axis)
    return RunningExtremum(take_along_axis(x, places, axis), sharing(places))


def heights_times_steps(name, y, x, dx, axis):
    """Return the areas of the trapezoids between neighbours along an axis, and that axis."""
    y = tensor_of(y)
    axis = checked_axis(name, axis, y.ndim)
    if x is not None and dx is not None:
        raise ArgumentError(f"{name}: pass one of x and dx")
    if x is not None:
        x = tensor_of(x)
        steps = diff(x, axis=-1 if x.ndim == 1 else axis)
        steps = reshape(steps, -1, *[1] * (y.ndim - axis - 1)) if x.ndim == 1 else steps
    else:
        steps = 1.0 if dx is None else dx
    length = y.shape[axis]
    both = part(y, axis, 1, length) + part(y, axis, 0, length - 1) if length else y
    return both * steps / 2, axis


@checked_call
def trapezoid(y, x=None, dx=None, axis=-1):
    """Area under the lines between points along an axis, at coordinates `x`, or `dx` (or 1) apart.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.trapezoid(tg.tensor([1.0, 3.0, 5.0]), dx=2.0)
    tensor(12., dtype=float64)
    """
    areas, axis = heights_times_steps("trapezoid", y, x, dx, axis)
    return sum(areas, axis)


@checked_call
def cumulative_trapezoid(y, x=None, dx=None, axis=-1):
    """Areas of `trapezoid` up to each point but the first.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.cumulative_trapezoid(tg.tensor([1.0, 3.0, 5.0]))
    tensor([2., 6.], dtype=float64)
    """
    areas, axis = heights_times_steps("cumulative_trapezoid", y, x, dx, axis)
    return cumsum(areas, axis)


@checked_call
def diff(x, n=1, axis=-1, prepend=None, append=None):
    """Differences of neighbours along `axis`, `n` times; of booleans, whether they differ.

    Parameters
    ----------
    x : Tensor
    n : int, default 1
        With 0, `x` itself is returned, and nothing is joined to it.
    axis : int, default -1
    prepend, append : Tensor, optional
        What is joined to `x` first, before it and after it.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.diff(tg.tensor([1.0, 4.0, 9.0]))
    tensor([3., 5.], dtype=float64)
    """
    x = tensor_of(x)
    axis = checked_axis("diff", axis, x.ndim)
    try:
        n = whole(n)
    except TypeError:
        raise ArgumentError(f"diff: n is {n!r}: it is a whole number") from None
    if n < 0:
        raise RangeError(f"diff: n is {n}: it is not negative")
    if n == 0:
        return x
    ends = [tensor_of(end) if end is not None else None for end in (prepend, append)]
    for end in ends:
        if end is not None and end.ndim != x.ndim:
            raise ShapeError(f"diff: shape {end.shape} was given to join to x of shape {x.shape}")
    parts = [t for t in (ends[0], x, ends[1]) if t is not None]
    x = concat(parts, axis) if len(parts) > 1 else x
    change = not_equal if x.dtype == bool else subtract
    for _ in range(min(n, x.shape[axis])):
        x = change(part(x, axis, 1, x.shape[axis]), part(x, axis, 0, x.shape[axis] - 1))
    return x
