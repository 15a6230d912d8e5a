"""The NumPy dialect: sums, means, extrema, order statistics and counts over axes."""

import math

import numpy as np

from tinygrad_relu.engine import sharing
from tinygrad_relu.errors import ArgumentError, DTypeError, RangeError, ShapeError
from tinygrad_relu.numpy.calling import array_of, dialect, floating, over_axes, summed, tensor_of
from tinygrad_relu.ops import (
    arithmetic,
    counting,
    covariance,
    cumulative,
    exponential,
    quantiles,
    reductions,
)
from tinygrad_relu.ops.indexing import take_along_axis
from tinygrad_relu.ops.ordering import places_in_order
from tinygrad_relu.ops.shapes import broadcast_to, cast, checked_axes, checked_axis, concat, permute
from tinygrad_relu.ops.shapes import reshape as to_shape
from tinygrad_relu.ops.values import without_derivative


def floats_over(name, a, dtype, axis):
    """Return what a mean is taken of, as floats; NumPy's has no axis 0 of a tensor without axes."""
    if dtype is not None and np.dtype(dtype).kind != "f":
        raise DTypeError(f"{name}: dtype is {np.dtype(dtype)}: the result is no integer, so pass a float")
    a = floating(a, dtype)
    if axis is not None:
        checked_axes(name, axis, a.ndim)
    return a


# ------------------------------------------------------------------------------ sums and extrema


@dialect
@over_axes
def sum(a, axis=None, dtype=None, *, keepdims=False):
    """Sum over axes; 0 over no elements."""
    return summed(reductions.sum, a, dtype, axis, keepdims)


@dialect
@over_axes
def prod(a, axis=None, dtype=None, *, keepdims=False):
    """Product over axes; 1 over no elements."""
    return summed(reductions.prod, a, dtype, axis, keepdims)


@dialect
@over_axes
def all(a, axis=None, *, keepdims=False):
    """Whether all elements are true (not 0)."""
    return reductions.all(tensor_of(a), axis, keepdims)


@dialect
@over_axes
def any(a, axis=None, *, keepdims=False):
    """Whether any element is true (not 0)."""
    return reductions.any(tensor_of(a), axis, keepdims)


@dialect
@over_axes
def max(a, axis=None, *, keepdims=False):
    """Largest element over axes, without its place; ties share the gradient.

    Examples
    --------
    >>> import tinygrad_relu.numpy as tnp
    >>> tnp.max([[1.0, 5.0], [4.0, 2.0]], axis=1)
    tensor([5., 4.], dtype=float64)
    """
    return reductions.amax(tensor_of(a), axis, keepdims)


@dialect
@over_axes
def min(a, axis=None, *, keepdims=False):
    """Smallest element over axes, without its place; ties share the gradient."""
    return reductions.amin(tensor_of(a), axis, keepdims)


amax, amin = max, min


@dialect
@over_axes
def ptp(a, axis=None, *, keepdims=False):
    """Largest element less the smallest."""
    return max(a, axis, keepdims=keepdims) - min(a, axis, keepdims=keepdims)


@dialect
@over_axes
def mean(a, axis=None, dtype=None, *, keepdims=False):
    """Arithmetic mean over axes; NaN over no elements."""
    return reductions.mean(floats_over("mean", a, dtype, axis), axis, keepdims)


def correction_of(name, ddof, correction):
    """Return what is taken off the number of elements, which has two names."""
    if correction is None:
        return ddof
    if ddof:
        raise ArgumentError(f"{name}: ddof and correction are two words for one: give one of them")
    return correction


@dialect
@over_axes
def var(a, axis=None, dtype=None, *, ddof=0, correction=None, keepdims=False):
    """Variance over axes: the sum of squares is divided by ``n - ddof``, which is n by default.

    Examples
    --------
    >>> import tinygrad_relu.numpy as tnp
    >>> tnp.var([1.0, 3.0]), tnp.var([1.0, 3.0], ddof=1)
    (tensor(1., dtype=float64), tensor(2., dtype=float64))
    """
    a = floats_over("var", a, dtype, axis)
    return reductions.var(a, axis, correction_of("var", ddof, correction), keepdims)


@dialect
@over_axes
def std(a, axis=None, dtype=None, *, ddof=0, correction=None, keepdims=False):
    """Standard deviation over axes, the root of `var`."""
    a = floats_over("std", a, dtype, axis)
    return reductions.std(a, axis, correction_of("std", ddof, correction), keepdims)


@dialect
def average(a, axis=None, weights=None, returned=False, *, keepdims=False):
    """Mean with weights: of the shape of `a`, or a vector along one axis.

    With `returned`, a pair with the sum of the weights.
    """
    a = floating(a)
    if weights is None and not returned:
        return mean(a, axis, keepdims=keepdims)
    weights = tensor_of(np.ones((), a.dtype) if weights is None else weights)
    if weights.ndim and weights.shape != a.shape:
        if axis is None or weights.ndim != 1:
            raise ShapeError(f"average: weights of shape {weights.shape} for a of shape {a.shape}")
        axis = checked_axis("average", axis, a.ndim)
        if weights.numel() != a.shape[axis]:
            raise ShapeError(f"average: {weights.numel()} weights for axis {axis} of shape {a.shape}")
        weights = to_shape(weights, -1, *[1] * (a.ndim - axis - 1))
    weights = broadcast_to(weights, a.shape)
    total = sum(weights, axis, keepdims=keepdims)
    if (array_of(total) == 0).any():
        raise RangeError("average: the weights add up to 0")
    found = sum(a * weights, axis, keepdims=keepdims) / total
    return (found, total) if returned else found


# ------------------------------------------------------------------------------------ without NaN


@dialect
@over_axes
def nansum(a, axis=None, dtype=None, *, keepdims=False):
    """Sum of the elements that are not NaN."""
    return summed(reductions.nansum, a, dtype, axis, keepdims)


@dialect
@over_axes
def nanprod(a, axis=None, dtype=None, *, keepdims=False):
    """Product of the elements that are not NaN."""
    return summed(reductions.prod, present(tensor_of(a, dtype), 1), dtype, axis, keepdims)


@dialect
@over_axes
def nanmean(a, axis=None, dtype=None, *, keepdims=False):
    """Mean of the elements that are not NaN; NaN if there is none."""
    return reductions.nanmean(floating(a, dtype), axis, keepdims)


@dialect
@over_axes
def nanvar(a, axis=None, dtype=None, *, ddof=0, correction=None, keepdims=False):
    """Variance of the elements that are not NaN."""
    a = floating(a, dtype)
    there = cast(reductions.sum(a == a, axis, keepdims), a.dtype)
    # Only the elements that are missing are left out: what infinities make NaN is to be seen.
    deviations = arithmetic.where(a == a, a - reductions.nanmean(a, axis, keepdims=True), 0.0)
    total = reductions.sum(exponential.square(deviations), axis, keepdims)
    freedom = there - correction_of("nanvar", ddof, correction)
    # Where nothing is left to divide by, NaN, as in NumPy.
    return total / arithmetic.where(freedom > 0, freedom, np.nan)


@dialect
@over_axes
def nanstd(a, axis=None, dtype=None, *, ddof=0, correction=None, keepdims=False):
    """Standard deviation of the elements that are not NaN."""
    return reductions.root(nanvar(a, axis, dtype, ddof=ddof, correction=correction, keepdims=keepdims))


@dialect
@over_axes
def nanmax(a, axis=None, *, keepdims=False):
    """Largest of the elements that are not NaN; NaN if there is none."""
    return without_missing(tensor_of(a), axis, keepdims, reductions.amax, -np.inf)


@dialect
@over_axes
def nanmin(a, axis=None, *, keepdims=False):
    """Smallest of the elements that are not NaN; NaN if there is none."""
    return without_missing(tensor_of(a), axis, keepdims, reductions.amin, np.inf)


def present(a, instead):
    """Return a tensor with a number for NaN."""
    return arithmetic.where(arithmetic.isnan(a), instead, a) if a.dtype.kind == "f" else a


def without_missing(a, axis, keepdims, extremum, instead):
    """Return the extremum over axes of what is not NaN."""
    if a.dtype.kind != "f":
        return extremum(a, axis, keepdims)
    nothing = reductions.all(arithmetic.isnan(a), axis, keepdims)
    return arithmetic.where(nothing, np.nan, extremum(present(a, instead), axis, keepdims))


# ------------------------------------------------------------------------------- order statistics


def in_rows(name, a, axis):
    """Return `a` with the elements over axes in its last one, and the shape with these kept as 1."""
    axes = tuple(range(a.ndim)) if axis is None else checked_axes(name, axis, a.ndim)
    others = [k for k in range(a.ndim) if k not in axes]
    lengths = [a.shape[k] for k in others]
    length = math.prod(a.shape[k] for k in axes)
    rows = to_shape(permute(a, *others, *axes) if a.ndim else a, *lengths, length)
    if length == 0:
        raise ShapeError(f"{name}: no elements have no order: a has shape {a.shape}")
    return rows, tuple(1 if k in axes else n for k, n in enumerate(a.shape))


@dialect
def median(a, axis=None, *, keepdims=False):
    """Median over axes: of an even number of elements the mean of the two in the middle.

    Examples
    --------
    >>> import tinygrad_relu.numpy as tnp
    >>> tnp.median([4.0, 1.0, 3.0, 2.0])
    tensor(2.5, dtype=float64)
    """
    rows, kept = in_rows("median", floating(a), axis)
    values = rows.detach().numpy()
    order, last = places_in_order(values, -1, False), values.shape[-1] - 1
    spoiled = np.isnan(values).any(-1, keepdims=True)       # NaN comes last in order
    low, high = (np.where(spoiled, last, rank) for rank in (last // 2, (last + 1) // 2))
    low, high = (take_along_axis(rows, np.take_along_axis(order, k, -1), -1) for k in (low, high))
    found = low if last % 2 == 0 else (low + high) / 2
    return to_shape(found, *(kept if keepdims else rows.shape[:-1]))


def check_method(name, method):
    """Raise where NumPy has a way between two elements that there is none of here, or neither has it."""
    if method not in quantiles.INTERPOLATIONS:
        raise ArgumentError(
            f"{name}: method is {method!r}: it is one of {', '.join(quantiles.INTERPOLATIONS)}"
        )


@dialect
def quantile(a, q, axis=None, *, method="linear", keepdims=False):
    """What a fraction `q` of the elements over axes does not exceed; axes of `q` come first.

    Parameters
    ----------
    a : array_like
    q : float or array_like
        From 0 to 1.
    axis : int or tuple of int, optional
    method : {"linear", "lower", "higher", "midpoint", "nearest"}
    keepdims : bool
    """
    a = floating(a)
    check_method("quantile", method)
    rows, kept = in_rows("quantile", a, axis)
    fractions = tensor_of(q)
    found = quantiles.quantile(rows, to_shape(cast(fractions, np.dtype(float)), -1), -1, False, method)
    found = to_shape(found, *fractions.shape, *(kept if keepdims else rows.shape[:-1]))
    weak = isinstance(q, (int, float))
    return found if weak else cast(found, np.result_type(a.dtype, fractions.dtype))


@dialect
def percentile(a, q, axis=None, *, method="linear", keepdims=False):
    """`quantile` in hundredths."""
    q = q / 100 if isinstance(q, (int, float)) else tensor_of(q) / 100
    return quantile(a, q, axis, method=method, keepdims=keepdims)


@dialect
def nanquantile(a, q, axis=None, *, method="linear", keepdims=False):
    """`quantile` of the elements that are not NaN; NaN where there is none."""
    a = floating(a)
    check_method("nanquantile", method)
    rows, kept = in_rows("nanquantile", a, axis)
    fractions = tensor_of(q)
    flat = to_shape(cast(fractions, np.dtype(float)), -1)
    found = quantiles.nanquantile(rows, flat, -1, False, method)
    found = to_shape(found, *fractions.shape, *(kept if keepdims else rows.shape[:-1]))
    weak = isinstance(q, (int, float))
    return found if weak else cast(found, np.result_type(a.dtype, fractions.dtype))


@dialect
def nanpercentile(a, q, axis=None, *, method="linear", keepdims=False):
    """`nanquantile` in hundredths."""
    q = q / 100 if isinstance(q, (int, float)) else tensor_of(q) / 100
    return nanquantile(a, q, axis, method=method, keepdims=keepdims)


@dialect
def nanmedian(a, axis=None, *, keepdims=False):
    """`median` of the elements that are not NaN; NaN where there is none."""
    rows, kept = in_rows("nanmedian", floating(a), axis)
    values = rows.detach().numpy()
    order, there = places_in_order(values, -1, False), (values == values).sum(-1, keepdims=True)
    low, high = np.maximum(there - 1, 0) // 2, np.minimum(there // 2, values.shape[-1] - 1)
    low, high = (take_along_axis(rows, np.take_along_axis(order, k, -1), -1) for k in (low, high))
    # NaN comes last in order; of a single place, the mean would overflow.
    found = arithmetic.where(there % 2 == 1, low, (low + high) / 2)
    return to_shape(found, *(kept if keepdims else rows.shape[:-1]))


# ------------------------------------------------------------------------------------ along an axis


def running(a, axis):
    """Return what is summed up along which axis: all in one, if none is named; a number as a vector."""
    a = tensor_of(a)
    if axis is None:
        return to_shape(a, -1), 0
    return (to_shape(a, 1) if a.ndim == 0 else a), axis


@dialect
def nancumsum(a, axis=None, dtype=None):
    """`cumsum`, in which NaN counts as 0."""
    return cumsum(present(tensor_of(a), 0), axis, dtype)


@dialect
def nancumprod(a, axis=None, dtype=None):
    """`cumprod`, in which NaN counts as 1."""
    return cumprod(present(tensor_of(a), 1), axis, dtype)


@dialect
def cov(m, y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None):
    """Covariances of variables, which are rows; those of `y` come after those of `m`.

    Parameters
    ----------
    m, y : array_like
        One or two axes.
    rowvar : bool, default True
        Whether rows are variables, rather than columns.
    bias : bool, default False
        Whether to divide by n rather than by n - 1, unless `ddof` says by what.
    ddof : int, optional
        What is taken from n, the number of observations.
    fweights, aweights : array_like, optional
        How often each observation was made, and how much it counts.

    Examples
    --------
    >>> import tinygrad_relu.numpy as tnp
    >>> tnp.cov([0.0, 1.0, 2.0], [2.0, 1.0, 0.0])
    tensor([[ 1., -1.],
            [-1.,  1.]], dtype=float64)
    """
    parts = [variables(part, rowvar) for part in (m, y) if part is not None]
    ddof = int(not bias) if ddof is None else ddof
    found = covariance.cov(concat(parts, 0), ddof, fweights, aweights)
    return to_shape(found) if found.shape == (1, 1) else found


def variables(x, rowvar):
    """Return `x` as a matrix whose rows are variables, in float64 as NumPy."""
    x = tensor_of(x, np.float64)
    return to_shape(x, 1, -1) if x.ndim < 2 else x if rowvar or x.shape[0] == 1 else x.mT


@dialect
def corrcoef(x, y=None, rowvar=True):
    """Correlations of variables, which are rows; see `cov`."""
    found = covariance.corrcoef(concat([variables(p, rowvar) for p in (x, y) if p is not None], 0))
    return to_shape(found) if found.shape == (1, 1) else found


@dialect
def cumsum(a, axis=None, dtype=None):
    """Running sum along an axis; of the flattened tensor without it."""
    a, axis = running(a, axis)
    return summed(cumulative.cumsum, a, dtype, axis)


@dialect
def cumprod(a, axis=None, dtype=None):
    """Running product along an axis; of the flattened tensor without it."""
    a, axis = running(a, axis)
    return summed(cumulative.cumprod, a, dtype, axis)


def begun(name, running, x, axis, dtype, include_initial, first):
    """Return a running sum or product along the only axis or a named one, after its first value."""
    x = tensor_of(x)
    if axis is None and x.ndim != 1:
        raise ShapeError(f"{name}: x has shape {x.shape}: say along which axis")
    axis = 0 if axis is None else checked_axis(name, axis, x.ndim)
    found = summed(running, x, dtype, axis)
    if not include_initial:
        return found
    shape = x.shape[:axis] + (1,) + x.shape[axis + 1 :]
    return concat([sharing(np.full(shape, first, found.dtype)), found], axis)


@dialect
def cumulative_sum(x, /, *, axis=None, dtype=None, include_initial=False):
    """Running sum along an axis, which only a vector may leave out; perhaps after a 0."""
    return begun("cumulative_sum", cumulative.cumsum, x, axis, dtype, include_initial, 0)


@dialect
def cumulative_prod(x, /, *, axis=None, dtype=None, include_initial=False):
    """Running product along an axis, which only a vector may leave out; perhaps after a 1."""
    return begun("cumulative_prod", cumulative.cumprod, x, axis, dtype, include_initial, 1)


@dialect
def diff(a, n=1, axis=-1, prepend=None, append=None):
    """Differences of neighbours along an axis, `n` times; numbers may be put before and behind."""
    a = tensor_of(a)
    axis = checked_axis("diff", axis, a.ndim)
    shape = a.shape[:axis] + (1,) + a.shape[axis + 1 :]
    ends = [end if end is None else tensor_of(end) for end in (prepend, append)]
    ends = [end if end is None or end.ndim else broadcast_to(end, shape) for end in ends]
    return cumulative.diff(a, n, axis, *ends)


# ------------------------------------------------------------------------------------------ counts


@dialect
def bincount(x, /, weights=None, minlength=0):
    """How often each whole number occurs, or the sums of weights, which are recorded."""
    return counting.bincount(tensor_of(x), weights, minlength)


@dialect
def histogram(a, bins=10, range=None, density=None, weights=None):
    """How many elements fall into each bin, and the edges of the bins: a tuple, with no derivative."""
    values = array_of(a)
    bins = bins if isinstance(bins, (int, str)) else array_of(bins)
    edges = np.histogram_bin_edges(values, bins, range)

    def counts(a, weights):
        return np.histogram(a, edges, density=density, weights=weights)[0]

    counts.__name__ = "histogram"
    found = without_derivative(counts)(tensor_of(a), None if weights is None else tensor_of(weights))
    return found, sharing(edges)
