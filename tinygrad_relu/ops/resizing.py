"""Signals and images in other sizes: interpolated, or with channels in place of pixels."""

import math
import numbers

import numpy as np

from tinygrad_relu.engine import checked_call
from tinygrad_relu.errors import ArgumentError, RangeError, ShapeError
from tinygrad_relu.ops.indexing import index
from tinygrad_relu.ops.operands import whole, whole_numbers, with_axes
from tinygrad_relu.ops.shapes import permute, reshape
from tinygrad_relu.ops.taking import along

#: How many axes there are beside those of rows and channels; None for any number of them.
MODES = {"nearest": None, "nearest-exact": None, "linear": 1, "bilinear": 2, "trilinear": 3}


@checked_call
def interpolate(
    input, size=None, scale_factor=None, mode="nearest", align_corners=None,
    recompute_scale_factor=None,
):
    """Signals, images or volumes in another size.

    Parameters
    ----------
    input : Tensor of shape (rows, channels, length), (..., height, width) or (..., depth, height, width)
    size : int or tuple of int, optional
        The new lengths.
    scale_factor : float or tuple of float, optional
        In place of `size`: how many times longer, rounded down.  An axis that keeps its length so is left
        as it is, as in PyTorch.
    mode : {'nearest', 'nearest-exact', 'linear', 'bilinear', 'trilinear'}
        'linear' is for one axis, 'bilinear' for two, 'trilinear' for three.  'nearest' takes the pixel at
        or before a place, as PyTorch does, 'nearest-exact' that whose centre is nearest.
    align_corners : bool, optional
        For the linear modes: whether the centres of the first and last pixels stay where they are, or
        else, and by default, the outer edges of these pixels.
    recompute_scale_factor : bool, optional
        Whether places follow from the new lengths, as they do with `size`, and not from `scale_factor`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> import tinygrad_relu.nn.functional as F
    >>> x = tg.tensor([[[1.0, 3.0]]])
    >>> F.interpolate(x, scale_factor=2)
    tensor([[[1., 1., 3., 3.]]], dtype=float64)
    >>> F.interpolate(x, 3, mode="linear", align_corners=True)
    tensor([[[1., 2., 3.]]], dtype=float64)
    """
    name = "interpolate"
    x = with_axes(name, "input", input, 3, 5)
    count = x.ndim - 2
    if mode not in MODES:
        raise ArgumentError(f"{name}: mode is {mode!r}: it is one of {', '.join(map(repr, MODES))}")
    if MODES[mode] not in (None, count):
        raise ShapeError(f"{name}: {mode!r} is for {MODES[mode] + 2} axes, and input has shape {x.shape}")
    if align_corners is not None and MODES[mode] is None:
        raise ArgumentError(f"{name}: align_corners is for the linear modes, and mode is {mode!r}")
    if 0 in x.shape[2:]:
        raise ShapeError(f"{name}: input has shape {x.shape}: nothing can be interpolated")
    lengths, steps = new_lengths(name, x.shape[2:], size, scale_factor, recompute_scale_factor)
    for axis, (length, step) in enumerate(zip(lengths, steps), 2):
        if length == x.shape[axis]:
            continue
        if MODES[mode] is None:
            x = index(x, along(axis, nearest(x.shape[axis], length, step, mode)))
        else:
            x = linearly(x, axis, length, step, align_corners)
    return x


def new_lengths(name, lengths, size, scale_factor, recompute):
    """Return new lengths, and how far each step between new pixels goes in old ones (None: evenly)."""
    count = len(lengths)
    if (size is None) == (scale_factor is None):
        raise ArgumentError(f"{name}: pass one of size and scale_factor")
    if size is not None:
        if recompute:
            raise ArgumentError(f"{name}: recompute_scale_factor is for scale_factor")
        return whole_numbers(name, "size", size, count, 1), (None,) * count
    factors = scale_factor if isinstance(scale_factor, (tuple, list)) else (scale_factor,) * count
    if len(factors) != count:
        raise ArgumentError(f"{name}: scale_factor is {scale_factor!r}: pass one number, or {count}")
    for factor in factors:
        if not isinstance(factor, numbers.Real) or not 0 < factor < math.inf:
            raise RangeError(f"{name}: scale_factor is {factor!r}: it is a positive number")
    new = tuple(math.floor(length * factor) for length, factor in zip(lengths, factors))
    if 0 in new:
        raise RangeError(f"{name}: scale_factor {scale_factor!r} leaves nothing of lengths {lengths}")
    return new, (None,) * count if recompute else tuple(1 / factor for factor in factors)


def nearest(old, new, step, mode):
    """Return which old pixel each new one is a copy of."""
    middle = 0.5 if mode == "nearest-exact" else 0.0
    # Whole numbers, whose quotient is never rounded to the wrong side.
    step, divisor = (old, new) if step is None else (step, 1)
    return np.minimum((np.arange(new) + middle) * step // divisor, old - 1).astype(np.intp)


def linearly(x, axis, length, step, align_corners):
    """Return `x` in a new length along an axis, between the two pixels on both sides of each place."""
    old, places = x.shape[axis], np.arange(length)
    if align_corners:
        places = places * ((old - 1) / (length - 1)) if length > 1 else places * 0.0
    else:
        places = np.maximum((places + 0.5) * (old / length if step is None else step) - 0.5, 0.0)
    before = np.minimum(places.astype(np.intp), old - 1)
    share = np.clip(places - before, 0.0, 1.0).astype(x.dtype).reshape(-1, *[1] * (x.ndim - axis - 1))
    first = index(x, along(axis, before))
    return first + share * (index(x, along(axis, np.minimum(before + 1, old - 1))) - first)


@checked_call
def pixel_shuffle(input, upscale_factor):
    """Blocks of pixels in place of channels: ``(..., c * r * r, h, w)`` as ``(..., c, h * r, w * r)``.

    Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel
    convolutional neural network", 2016.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.functional.pixel_shuffle(tg.arange(4.0).reshape(4, 1, 1), 2)
    tensor([[[0., 1.],
             [2., 3.]]], dtype=float64)
    """
    name = "pixel_shuffle"
    x, r = with_axes(name, "input", input, 3), whole(name, "upscale_factor", upscale_factor, 1)
    *rows, channels, height, width = x.shape
    if channels % (r * r):
        raise ShapeError(
            f"{name}: input has shape {x.shape}: its {channels} channels are no multiple of {r * r}"
        )
    k = len(rows)
    parts = reshape(x, *rows, channels // (r * r), r, r, height, width)
    parts = permute(parts, *range(k), k, k + 3, k + 1, k + 4, k + 2)
    return reshape(parts, *rows, channels // (r * r), height * r, width * r)


@checked_call
def pixel_unshuffle(input, downscale_factor):
    """Channels in place of blocks of pixels: the inverse of `pixel_shuffle`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.functional.pixel_unshuffle(tg.arange(4.0).reshape(1, 2, 2), 2).shape
    (4, 1, 1)
    """
    name = "pixel_unshuffle"
    x, r = with_axes(name, "input", input, 3), whole(name, "downscale_factor", downscale_factor, 1)
    *rows, channels, height, width = x.shape
    if height % r or width % r:
        raise ShapeError(f"{name}: input has shape {x.shape}: its last lengths are no multiples of {r}")
    k = len(rows)
    parts = reshape(x, *rows, channels, height // r, r, width // r, r)
    parts = permute(parts, *range(k), k, k + 2, k + 4, k + 1, k + 3)
    return reshape(parts, *rows, channels * r * r, height // r, width // r)
