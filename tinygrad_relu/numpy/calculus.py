"""The NumPy dialect: slopes, areas, lines between points, polynomials, convolution."""

import numpy as np

from tinygrad_relu.errors import ArgumentError, ShapeError
from tinygrad_relu.numpy.calling import dialect, floating, tensor_of
from tinygrad_relu.ops import arithmetic
from tinygrad_relu.ops.cumulative import diff
from tinygrad_relu.ops.indexing import index, place
from tinygrad_relu.ops.reductions import sum
from tinygrad_relu.ops.shapes import (
    broadcast_to,
    cast,
    checked_axes,
    checked_axis,
    concat,
    part,
    reshape,
)


@dialect
def gradient(f, *varargs, axis=None, edge_order=1):
    """Slopes of values on a grid along axes: differences of the second order, at edges of the first.

    This is NumPy's function of that name, not the gradient of a graph.

    Parameters
    ----------
    f : array_like
    *varargs : float or array_like
        One distance for all axes; or for each a distance, or the coordinates along it.
    axis : int or tuple of int, optional
        All, if not given.
    edge_order : {1, 2}

    Returns
    -------
    Tensor, or a tuple of one for each of several axes

    Examples
    --------
    >>> import tinygrad_relu.numpy as tnp
    >>> tnp.gradient([1.0, 2.0, 4.0, 7.0])
    tensor([1. , 1.5, 2.5, 3. ], dtype=float64)
    """
    f = floating(f)
    axes = tuple(range(f.ndim)) if axis is None else checked_axes("gradient", axis, f.ndim)
    if edge_order not in (1, 2):
        raise ArgumentError(f"gradient: edge_order is {edge_order!r}: it is 1 or 2")
    varargs = [tensor_of(v) for v in varargs or (1.0,)]
    if len(varargs) == 1 and varargs[0].ndim == 0:
        varargs = varargs * len(axes)
    if len(varargs) != len(axes):
        raise ArgumentError(f"gradient: {len(varargs)} distances for {len(axes)} axes: give one each")
    slopes = []
    for k, given in zip(axes, varargs):
        length = f.shape[k]
        if length < edge_order + 1 or (given.ndim and given.shape != (length,)):
            raise ShapeError(
                f"gradient: axis {k} has length {length}, its coordinates have shape {given.shape}, and "
                f"edge_order {edge_order} needs {edge_order + 1} elements"
            )
        steps = diff(given) if given.ndim else broadcast_to(given, (length - 1,))
        steps = reshape(cast(steps, f.dtype), -1, *[1] * (f.ndim - k - 1))
        slopes.append(slope(f, steps, k, edge_order, given.ndim == 0))
    return slopes[0] if len(slopes) == 1 else tuple(slopes)


def slope(f, steps, axis, edge_order, even):
    """Return the derivative at each place of the parabola (or line, at edges) through its neighbours.

    The weights are those of Lagrange's interpolation, as in Fornberg (1988), "Generation of finite
    difference formulas on arbitrarily spaced grids".  On an `even` grid the value in the middle has
    the weight 0, and is left out, so that no NaN or infinity of it counts.
    """
    count = f.shape[axis]

    def at(start, stop):
        return part(f, axis, start, stop)

    def combined(start, weights, length):
        u, v, w = (at(start + k, start + k + length) * weight for k, weight in enumerate(weights))
        return u + v + w

    a, b = steps[:-1], steps[1:]
    if count < 3:
        parts = []
    elif even:
        parts = [(at(2, count) - at(0, count - 2)) / (a + b)]
    else:
        inner = (-b / (a * (a + b)), (b - a) / (a * b), a / (b * (a + b)))
        parts = [combined(0, inner, count - 2)]
    if edge_order == 1:
        first = (at(1, 2) - at(0, 1)) / steps[:1]
        last = (at(count - 1, count) - at(count - 2, count - 1)) / steps[-1:]
    else:
        a, b = steps[:1], steps[1:2]
        first = combined(0, (-(2 * a + b) / (a * (a + b)), (a + b) / (a * b), -a / (b * (a + b))), 1)
        a, b = steps[-2:-1], steps[-1:]
        last = combined(
            count - 3, (b / (a * (a + b)), -(b + a) / (a * b), (2 * b + a) / (b * (a + b))), 1
        )
    return concat([first, *parts, last], axis)


@dialect
def trapezoid(y, x=None, dx=1.0, axis=-1):
    """Area under the lines between points along an axis, at coordinates `x` or `dx` apart."""
    y = floating(y)
    axis = checked_axis("trapezoid", axis, y.ndim)
    if x is not None:
        x = tensor_of(x)
        dx = diff(x, axis=-1 if x.ndim == 1 else axis)
        dx = reshape(dx, -1, *[1] * (y.ndim - axis - 1)) if x.ndim == 1 else dx
    length = y.shape[axis]
    return sum((part(y, axis, 1, length) + part(y, axis, 0, length - 1)) / 2 * dx, axis)


@dialect
def interp(x, xp, fp, left=None, right=None):
    """The height at `x` of the lines between the points ``(xp, fp)``, level beyond the outer ones.

    At a point the derivative is that of the line to its right.
    """
    x, xp, fp = floating(x), floating(xp), floating(fp)
    if xp.ndim != 1 or xp.shape != fp.shape or xp.numel() == 0:
        raise ShapeError(f"interp: xp has shape {xp.shape}, fp has shape {fp.shape}: give vectors")
    points, at = xp.detach().numpy(), x.detach().numpy()
    if (points[1:] <= points[:-1]).any():
        raise ArgumentError("interp: xp does not rise")
    k = np.clip(np.searchsorted(points, at, "right") - 1, 0, max(len(points) - 2, 0))
    up = np.minimum(k + 1, len(points) - 1)
    low, high = index(xp, (k,)), index(xp, (up,))
    width = high - low if len(points) > 1 else 1.0
    found = index(fp, (k,)) + (x - low) / width * (index(fp, (up,)) - index(fp, (k,)))
    found = arithmetic.where(at < points[0], index(fp, (0,)) if left is None else left, found)
    return arithmetic.where(at > points[-1], index(fp, (-1,)) if right is None else right, found)


@dialect
def ediff1d(ary, to_end=None, to_begin=None):
    """Differences of neighbours in the flattened tensor, between two other ends."""
    ary = tensor_of(ary)
    first, last = (
        [] if end is None else [reshape(tensor_of(end, ary.dtype), -1)] for end in (to_begin, to_end)
    )
    return concat([*first, diff(reshape(ary, -1)), *last], 0)


@dialect
def polyval(p, x):
    """The polynomial with the coefficients `p`, the highest power first, at `x`.

    Examples
    --------
    >>> import tinygrad_relu.numpy as tnp
    >>> tnp.polyval([1.0, 0.0, -2.0], 3.0)
    tensor(7., dtype=float64)
    """
    p, x = tensor_of(p), tensor_of(x)
    y = x * 0
    for k in range(p.shape[0]):
        y = y * x + index(p, k)
    return y


@dialect
def vander(x, N=None, increasing=False):  # noqa: N803
    """Powers of the elements of a vector from 0 to N - 1 as columns, the highest first."""
    x = tensor_of(x)
    if x.ndim != 1:
        raise ShapeError(f"vander: x has shape {x.shape}: one axis is needed")
    powers = np.arange(x.shape[0] if N is None else N)
    return reshape(x, -1, 1) ** (powers if increasing else powers[::-1].copy())


@dialect
def convolve(a, v, mode="full"):
    """Sums of the products of a vector and another one that slides over it in reverse.

    Parameters
    ----------
    a, v : array_like
        One axis each.
    mode : {"full", "same", "valid"}
        All places where they overlap, the middle ones in the length of the longer, or those where the
        shorter lies within the longer.

    Examples
    --------
    >>> import tinygrad_relu.numpy as tnp
    >>> tnp.convolve([1.0, 2.0, 3.0], [1.0, 1.0], "valid")
    tensor([3., 5.], dtype=float64)
    """
    a, v = tensor_of(a), tensor_of(v)
    if a.ndim != 1 or v.ndim != 1 or not a.shape[0] or not v.shape[0]:
        raise ShapeError(f"convolve: shapes {a.shape} and {v.shape}: two vectors are needed")
    if mode not in ("full", "same", "valid"):
        raise ArgumentError(f"convolve: mode is {mode!r}: it is 'full', 'same' or 'valid'")
    if a.shape[0] < v.shape[0]:
        a, v = v, a
    length, short = a.shape[0], v.shape[0]
    places = np.add.outer(np.arange(length), np.arange(short))
    full = place(reshape(a, -1, 1) * v, (length + short - 1,), (places,))
    start = {"full": 0, "same": (short - 1) // 2, "valid": short - 1}[mode]
    return part(full, 0, start, start + {"full": length + short - 1, "same": length,
                                         "valid": length - short + 1}[mode])
