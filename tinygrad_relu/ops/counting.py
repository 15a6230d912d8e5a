"""Counts: how often a whole number occurs, and how many elements fall into each bin."""

from operator import index as whole
from typing import NamedTuple

import numpy as np

from tinygrad_relu.engine import Tensor, checked_call, sharing
from tinygrad_relu.errors import ArgumentError, DTypeError, RangeError, ShapeError
from tinygrad_relu.ops.indexing import add_along_axis
from tinygrad_relu.ops.shapes import cast
from tinygrad_relu.ops.values import floating, tensor_of, without_derivative


@checked_call
def bincount(x, weights=None, minlength=0):
    """How often each whole number from 0 to the largest occurs; or the sums of their weights.

    Parameters
    ----------
    x : Tensor
        Integers from 0 on, along one axis.
    weights : Tensor, optional
        Of the shape of `x`; differentiable, unlike in PyTorch.
    minlength : int, default 0
        How many counts there are at least.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.bincount(tg.tensor([0, 2, 2]))
    tensor([1, 0, 2], dtype=int64)
    """
    x = tensor_of(x)
    if x.dtype.kind not in "iu":
        raise DTypeError(f"bincount: x is {x.dtype}: integers are counted")
    if x.ndim != 1:
        raise ShapeError(f"bincount: x has shape {x.shape}: one axis is needed")
    values = x.numpy()
    if x.size and values.min() < 0:
        raise RangeError(f"bincount: x holds {values.min()}: integers from 0 on are counted")
    if minlength < 0:
        raise RangeError(f"bincount: minlength is {minlength}: it is not negative")
    if weights is None:
        return sharing(np.bincount(values, minlength=minlength))
    weights = tensor_of(weights)
    if weights.shape != x.shape:
        raise ShapeError(f"bincount: weights have shape {weights.shape}, and x has shape {x.shape}")
    if weights.dtype.kind != "f":
        weights = cast(weights, np.dtype(np.float64))
    length = max(minlength, int(values.max()) + 1 if x.size else 0)
    return add_along_axis(weights, values.astype(np.int64), (length,), 0)


class Histogram(NamedTuple):
    """What `histogram` returns."""

    hist: Tensor
    bin_edges: Tensor


@checked_call
def histogram(x, bins=100, range=None, weight=None, density=False):
    """How many elements fall into each bin; it has no derivative.

    Parameters
    ----------
    x : Tensor
        Of a floating dtype.
    bins : int or Tensor, default 100
        How many bins of one width, or their edges, in order.
    range : tuple of two floats, optional
        The edges of the first and the last bin; those of the data, if not given.
    weight : Tensor, optional
        What each element counts, of the shape of `x`.
    density : bool, default False
        Divide, so that the sum over bins, times their widths, is 1.

    Returns
    -------
    Histogram
        A pair ``(hist, bin_edges)`` of the dtype of `x`.  The last bin includes its upper edge; what is
        outside of all counts nowhere.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.histogram(tg.tensor([0.0, 0.5, 2.0]), 2).hist
    tensor([2., 1.], dtype=float64)
    """
    x = floating("histogram", x)
    if weight is not None and tensor_of(weight).shape != x.shape:
        raise ShapeError(
            f"histogram: weight has shape {tensor_of(weight).shape}, and x has shape {x.shape}"
        )
    if np.ndim(bins.detach() if isinstance(bins, Tensor) else bins) == 0:
        bins = edges_of("histogram", x, bins, range)
    hist = counts_in_bins("histogram", x, bins, weight, density)
    return Histogram(hist, cast(tensor_of(bins).detach(), x.dtype))


@checked_call
def histc(x, bins=100, min=0, max=0):
    """How many elements fall into each of `bins` bins of one width from `min` to `max`.

    Where both are 0, as by default, they are the smallest and largest element.  What is outside counts
    nowhere.  It has no derivative.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.histc(tg.tensor([0.0, 0.5, 2.0]), bins=4, min=0, max=2)
    tensor([1., 1., 0., 1.], dtype=float64)
    """
    x = floating("histc", x)
    return counts_in_bins("histc", x, edges_of("histc", x, bins, (min, max) if min or max else None))


def edges_of(name, x, bins, limits):
    """Return the edges of `bins` bins of one width between limits, or those of the data."""
    try:
        bins = whole(bins)
    except TypeError:
        raise ArgumentError(f"{name}: bins is {bins!r}: it is a whole number") from None
    if bins < 1:
        raise RangeError(f"{name}: bins is {bins}: at least one is needed")
    values = x.detach().numpy()
    if limits is None:
        limits = (values.min(), values.max()) if values.size else (0, 0)
    low, high = (float(limit) for limit in limits)
    if not (np.isfinite(low) and np.isfinite(high)):
        raise RangeError(f"{name}: bins from {low} to {high} have no width: give finite limits")
    if low > high:
        raise RangeError(f"{name}: the bins begin at {low} and end before, at {high}")
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, bins + 1)


def counts_in_bins(name, x, edges, weight=None, density=False):
    """Return what falls between `edges`, in the dtype of `x`."""

    def counts(x, edges, weight):
        return np.histogram(x, edges, weights=weight, density=density)[0].astype(x.dtype)

    counts.__name__ = name
    return without_derivative(counts)(x, edges, weight)
