"""Reductions over one axis, several (a tuple), or all (None)."""

import functools
import math
from typing import NamedTuple

import numpy as np

from tinygrad_relu.engine import Tensor, checked_call
from tinygrad_relu.errors import ArgumentError, DTypeError, ShapeError
from tinygrad_relu.kernels.elementwise import Elementwise
from tinygrad_relu.kernels.reduce import Reduction, SquaredDeviations
from tinygrad_relu.ops.arithmetic import (
    absolute,
    isfinite,
    isnan,
    maximum,
    minimum,
    not_equal,
    where,
)
from tinygrad_relu.ops.domain import boolean, case, distinct, elementwise, positive, real
from tinygrad_relu.ops.exponential import exp, log, square
from tinygrad_relu.ops.indexing import take_along_axis
from tinygrad_relu.ops.operands import real_tensor
from tinygrad_relu.ops.shapes import broadcast_to, cast, permute, reshape
from tinygrad_relu.ops.table import ZERO, op
from tinygrad_relu.ops.values import floating, tensor_of

# Each way of naming axes, for the tables of the ops below.
AXES = [{}, {"axis": 0}, {"axis": -1, "keepdims": True}, {"axis": (0, 2)}, {"axis": 1}]


def axes_of(axis, ndim):
    """Return the axes that `axis` names as a tuple of numbers from 0 on."""
    if type(axis) is int and -ndim <= axis < ndim:
        return (axis % ndim,)
    if axis is None or (isinstance(axis, (tuple, list)) and not axis):      # as PyTorch has it
        return tuple(range(ndim))
    if ndim == 0 and axis in (0, -1):       # as NumPy and PyTorch have it
        return ()
    return np.lib.array_utils.normalize_axis_tuple(axis, ndim)


def spread(v, shape, axis, keepdims):
    """Repeat `v`, reduced over `axis` from `shape`, along the axes that it lost."""
    if axis is None or keepdims:
        return broadcast_to(v, shape)
    lost = axes_of(axis, len(shape))
    return broadcast_to(reshape(v, *[1 if k in lost else n for k, n in enumerate(shape)]), shape)


def in_dtype(function, x, dtype, *statics):
    """Return what a function gives for `x` cast to a dtype, in it: small integers would not stay so."""
    if dtype is None:
        return function(x, *statics)
    return cast(function(cast(x, np.dtype(dtype)), *statics), np.dtype(dtype))


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


@sum.widened
def sum_in_dtype(x, axis=None, keepdims=False, *, dtype=None):
    """`sum` of `x` cast to `dtype`, and in it: PyTorch's keyword."""
    return in_dtype(sum, x, dtype, axis, keepdims)


@op(
    Reduction(np.multiply),
    domain=[case(real(2, 3, 2), **axes) for axes in AXES],
    x=lambda g, x, y, axis, keepdims: (
        spread(g, x.shape, axis, keepdims) * product_of_others(x, y, axis, keepdims)
    ),
)
def prod(x, /, axis=None, keepdims=False):
    """Product; 1 over no elements.  The derivative is right where elements are 0, too."""


@prod.widened
def prod_in_dtype(x, axis=None, keepdims=False, *, dtype=None):
    """`prod` of `x` cast to `dtype`, and in it: PyTorch's keyword."""
    return in_dtype(prod, x, dtype, axis, keepdims)


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
    lambda x, axis, keepdims: x.argmax(axis, keepdims=keepdims),
    domain=[case(distinct(2, 3), axis=1)],
    x=ZERO,
)
def argmax(x, /, axis=None, keepdims=False):
    """Index of the largest element, the first of several; into the flattened array without axis."""


@op(
    lambda x, axis, keepdims: x.argmin(axis, keepdims=keepdims),
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
def mean(x, axis=None, keepdims=False, *, dtype=None):
    """Arithmetic mean over `axis`, of `x` cast to `dtype` if that is given; NaN over no elements.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.tensor([1.0, 2.0, 6.0]).mean()
    tensor(3., dtype=float64)
    """
    if dtype is not None:
        if np.dtype(dtype).kind != "f":
            raise DTypeError(f"mean: dtype is {np.dtype(dtype)}: a mean is no integer, so pass a float")
        x = cast(x, np.dtype(dtype))
    if x.dtype == np.float16:       # a sum of which overflows soon
        return cast(mean(cast(x, np.dtype(np.float32)), axis, keepdims), np.dtype(np.float16))
    return sum(x, axis, keepdims) / count_along(x, axis)


@op(
    SquaredDeviations(),
    domain=[case(real(2, 3, 2), **axes) for axes in AXES],
    x=lambda g, x, axis, keepdims: spread(g * 2, x.shape, axis, keepdims)
    * (x - mean(x, axis, keepdims=True)),
)
def squared_deviations(x, /, axis=None, keepdims=False):
    """The sum of the squared deviations from the mean."""


def correction_of(name, correction, unbiased):
    """Return what is taken off the number of elements, for which PyTorch has two words."""
    if unbiased is None:
        return correction
    if correction != 1:
        raise ArgumentError(f"{name}: correction and unbiased are two words for one: give one of them")
    return 1 if unbiased else 0


@checked_call
def var(x, axis=None, correction=1, keepdims=False, *, unbiased=None):
    """Variance over `axis`, with the sum of squares divided by ``n - correction``.

    PyTorch's older word for a correction of 1 or 0 is `unbiased`, True or False.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.tensor([1.0, 2.0, 6.0]).var()
    tensor(7., dtype=float64)
    """
    total = squared_deviations(x, axis, keepdims)
    freedom = count_along(x, axis) - correction_of("var", correction, unbiased)
    # As in PyTorch and NumPy, no degree of freedom gives NaN (or infinity), never an exception.
    return total / (freedom if freedom > 0 else 0.0)


@op(
    Elementwise(np.sqrt),
    domain=elementwise(positive),
    x=lambda g, y: g / where(y == 0, np.inf, 2 * y),
)
def root(x, /):
    """Square root with the derivative 0 at 0, where `sqrt` has an infinite one."""


@checked_call
def std(x, axis=None, correction=1, keepdims=False, *, unbiased=None):
    """Standard deviation: the square root of `var`.  The derivative at 0 is 0.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.tensor([1.0, 2.0, 3.0]).std()
    tensor(1., dtype=float64)
    """
    return root(var(x, axis, correction_of("std", correction, unbiased), keepdims))


@checked_call
def var_mean(x, axis=None, correction=1, keepdims=False, *, unbiased=None):
    """`var` and `mean`, a tuple.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.var_mean(tg.tensor([1.0, 2.0, 6.0]))
    (tensor(7., dtype=float64), tensor(3., dtype=float64))
    """
    x, correction = tensor_of(x), correction_of("var_mean", correction, unbiased)
    return var(x, axis, correction, keepdims), mean(x, axis, keepdims)


@checked_call
def std_mean(x, axis=None, correction=1, keepdims=False, *, unbiased=None):
    """`std` and `mean`, a tuple.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.std_mean(tg.tensor([1.0, 2.0, 3.0]))
    (tensor(1., dtype=float64), tensor(2., dtype=float64))
    """
    x, correction = tensor_of(x), correction_of("std_mean", correction, unbiased)
    return std(x, axis, correction, keepdims), mean(x, axis, keepdims)


@checked_call
def nansum(x, axis=None, keepdims=False):
    """Sum of the elements that are not NaN; the others get a gradient of 0.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nansum(tg.tensor([1.0, float("nan"), 2.0]))
    tensor(3., dtype=float64)
    """
    return sum(where(isnan(x), 0.0, x) if tensor_of(x).dtype.kind == "f" else x, axis, keepdims)


@checked_call
def nanmean(x, axis=None, keepdims=False):
    """Mean of the elements that are not NaN; NaN if there is none.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nanmean(tg.tensor([1.0, float("nan"), 2.0]))
    tensor(1.5, dtype=float64)
    """
    x = floating("nanmean", x)
    return nansum(x, axis, keepdims) / cast(sum(x == x, axis, keepdims), x.dtype)


@checked_call
def count_nonzero(x, axis=None):
    """How many elements are not 0, over `axis`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.count_nonzero(tg.tensor([0.0, 2.0, 3.0])).item()
    2
    """
    return sum(not_equal(x, 0), axis)


@checked_call
def norm(x, p="fro", axis=None, keepdims=False):
    """Norm of order `p` of the vectors along `axis`: ``sum(abs(x) ** p) ** (1 / p)``.

    Parameters
    ----------
    x : Tensor
        Of a floating dtype.
    p : float or 'fro'
        inf and -inf give the largest and the smallest magnitude, 0 the number of elements that are
        not 0; 'fro' is 2.
    axis : int or tuple of int, optional
        Over all axes if not given, also for a matrix.
    keepdims : bool, default False

    Returns
    -------
    Tensor
        The derivative at elements that are 0 is 0, as in PyTorch.  Unlike PyTorch's, the norm does
        not overflow before its result does.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.norm(tg.tensor([[3.0, 4.0], [6.0, 8.0]]), axis=1)
    tensor([ 5., 10.], dtype=float64)
    """
    x = floating("norm", x)
    p = 2.0 if p == "fro" else p
    if isinstance(p, bool) or not isinstance(p, (int, float, np.number)) or p != p:
        raise ArgumentError(f"norm: p is {p!r}: it is a number or 'fro'")
    if np.isinf(p):
        return (amax if p > 0 else amin)(absolute(x), axis, keepdims)
    if p == 0:
        return cast(sum(x != 0, axis, keepdims), x.dtype)
    if p == 1:
        return sum(absolute(x), axis, keepdims)
    total = sum_of_powers(x, p, axis, keepdims)
    settled, limits = total.detach().numpy(), np.finfo(x.dtype)
    within = (settled > limits.tiny / limits.eps) & (settled <= limits.max)
    if (within if settled.ndim == 0 else within.all()) or x.size == 0:
        return root_of(total, p)
    # Powers have left the range: take them of numbers near 1.
    top = amax(absolute(x.detach()), axis, keepdims=True)
    scale = where((top > 0) & isfinite(top), top, 1.0)
    root = root_of(sum_of_powers(x / scale, p, axis, keepdims), p)
    return root * (scale if keepdims else reshape(scale, *root.shape))


def sum_of_powers(x, p, axis, keepdims):
    """Return ``sum(abs(x) ** p)``, with a derivative of 0 at 0."""
    if p == 2:
        return sum(square(x), axis, keepdims)
    nothing = x == 0
    powers = absolute(where(nothing, 1.0, x)) ** p
    return sum(where(nothing, 0.0 if p > 0 else math.inf, powers), axis, keepdims)


def root_of(total, p):
    """Return ``total ** (1 / p)``, with a derivative of 0 at 0."""
    if p == 2:
        return root(total)
    nothing = total == 0
    return where(nothing, 0.0 if p > 0 else math.inf, where(nothing, 1.0, total) ** (1 / p))


@checked_call
def logsumexp(x, axis=None, keepdims=False):
    """``log(sum(exp(x)))``, without overflow; -inf where all elements are -inf.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.tensor([1000.0, 1000.0]).logsumexp(axis=0)
    tensor(1000.69314718, dtype=float64)
    """
    x = real_tensor("logsumexp", "x", x)
    if x.size == 0:
        return log(sum(exp(x), axis, keepdims))
    top = amax(x.detach(), axis, keepdims=True)
    top = where(isfinite(top), top, 0.0)
    total = log(sum(exp(x - top), axis, keepdims))
    return total + (top if keepdims else reshape(top, *total.shape))


class Extremum(NamedTuple):
    """What `largest` and `smallest` return along an axis, as PyTorch's ``max(dim)`` does."""

    values: Tensor
    indices: Tensor


class Extrema(NamedTuple):
    """What `aminmax` returns."""

    min: Tensor
    max: Tensor


@checked_call
def aminmax(x, axis=None, keepdims=False):
    """`amin` and `amax`, a named tuple ``(min, max)``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.aminmax(tg.tensor([2.0, 5.0, 3.0])).max
    tensor(5., dtype=float64)
    """
    return Extrema(amin(x, axis, keepdims), amax(x, axis, keepdims))


@functools.partial(checked_call, title="max")
def largest(x, axis=None, keepdims=False):
    """Largest element of all; or along one axis, with indices; or of two tensors, elementwise.

    This is PyTorch's ``max``, in its three forms.  Over a tuple of axes it is NumPy's, as `amax`.

    Parameters
    ----------
    x : Tensor
    axis : int, tuple of int or Tensor, optional
        One axis, several, or a second tensor to take the elementwise maximum with.
    keepdims : bool, default False

    Returns
    -------
    Tensor, or along one axis a pair ``(values, indices)``
        Over all elements or several axes, ties share the gradient; along one axis, the first of them
        takes it.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.max(tg.tensor([[1.0, 5.0], [4.0, 2.0]]), 1)
    Extremum(values=tensor([5., 4.], dtype=float64), indices=tensor([1, 0], dtype=int64))
    """
    return extremum(x, axis, keepdims, amax, argmax, maximum)


@functools.partial(checked_call, title="min")
def smallest(x, axis=None, keepdims=False):
    """Smallest element of all; or along one axis, with indices; or of two tensors, elementwise.

    This is PyTorch's ``min``; see `largest`.
    """
    return extremum(x, axis, keepdims, amin, argmin, minimum)


def extremum(x, axis, keepdims, over_all, position, of_two):
    """Answer the three forms of PyTorch's ``max`` and ``min``, and NumPy's with several axes."""
    if axis is None:
        return over_all(x, None, keepdims)
    if isinstance(axis, (Tensor, np.ndarray)) and (axis.ndim or axis.dtype.kind not in "iu"):
        return of_two(x, axis)
    if isinstance(axis, (Tensor, np.ndarray, np.integer)):
        axis = int(axis)
    if isinstance(axis, (tuple, list)):
        return over_all(x, tuple(axis), keepdims)  # NumPy's form: no index could name several axes
    if x.ndim == 0:
        found = extremum(reshape(x, 1), axis, False, over_all, position, of_two)
        return Extremum(*[reshape(part) for part in found])
    if x.size == 0 and (not -x.ndim <= axis < x.ndim or x.shape[axis] == 0):
        raise ShapeError(f"max and min of no elements are undefined: x has shape {x.shape}")
    indices = position(x, axis, True)
    values = take_along_axis(x, indices, axis)
    if not keepdims:
        shape = list(x.shape)
        del shape[axis]
        values, indices = reshape(values, *shape), reshape(indices, *shape)
    return Extremum(values, indices)
