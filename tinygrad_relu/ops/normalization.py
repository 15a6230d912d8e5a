"""Normalisation: over a batch, a layer or a group, to 0 on average and 1 in size."""

import math

import numpy as np

from tinygrad_relu.engine import Tensor, checked_call, set_recording
from tinygrad_relu.errors import ArgumentError, RangeError, ShapeError
from tinygrad_relu.kernels.rows import Standardize, StandardizeCotangent
from tinygrad_relu.ops.convolution import images_to_columns
from tinygrad_relu.ops.domain import case, real
from tinygrad_relu.ops.exponential import power, sqrt, square
from tinygrad_relu.ops.operands import whole, whole_numbers, with_axes
from tinygrad_relu.ops.reductions import mean
from tinygrad_relu.ops.shapes import reshape
from tinygrad_relu.ops.table import fused, op


def scaled(x, weight, bias):
    """Return ``x * weight + bias``, either of which may be None."""
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def standardized(x, axes, eps):
    """Return `x` less its mean and over the root of its variance, and both of these, over `axes`."""
    centre = mean(x, axes, True)
    x = x - centre
    variance = mean(square(x), axes, True)
    return x / sqrt(variance + eps), centre, variance


@fused(StandardizeCotangent())
def standardize_cotangent(g, x, eps):
    """Return the cotangent of `x` for the cotangent `g` of ``standardize(x, eps)``."""
    away = x - mean(x, -1, True)
    scale = 1.0 / sqrt(mean(square(away), -1, True) + eps)
    y = away * scale
    return (g - mean(g, -1, True) - y * mean(g * y, -1, True)) * scale


@op(
    Standardize(),
    domain=[case(real(2, 5), eps=1e-5), case(real(2, 2, 9), eps=0.5)],
    x=lambda g, x, eps: standardize_cotangent(g, x, eps),
)
def standardize(x, /, eps):
    """Each row (the last axis) less its mean, over the root of its variance plus `eps`, in one pass."""


def per_channel(name, word, value, x):
    """Return one number for each channel (axis 1) of `x` with axes to broadcast along, or None."""
    if value is None:
        return None
    value = with_axes(name, word, value, 1, 1)
    if value.shape != (x.shape[1],):
        raise ShapeError(f"{name}: {word} has shape {value.shape}, and there are {x.shape[1]} channels")
    return reshape(value, -1, *[1] * (x.ndim - 2))


def update_running(name, running, measured, momentum):
    """Move running statistics, in place, towards what was measured."""
    if not isinstance(running, Tensor):
        raise ArgumentError(f"{name}: running statistics are changed in place: pass tensors")
    before = set_recording(False)
    try:
        running *= 1 - momentum
        running += momentum * reshape(measured.detach(), *running.shape)
    finally:
        set_recording(before)


@checked_call
def batch_norm(
    input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
):
    """Each channel less its mean and over its standard deviation, in the batch or as learned.

    Parameters
    ----------
    input : Tensor of shape (batch, channels, ...)
    running_mean, running_var : Tensor of shape (channels,), or None
        Used if it is not `training`; else, if there are any, changed in place: `momentum` is the share
        of the new value, and the variance is the unbiased one, as in PyTorch.
    weight, bias : Tensor of shape (channels,), optional
    training : bool
        Whether mean and variance (the biased one) are those of this batch.
    momentum, eps : float

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> x = tg.tensor([[1.0], [3.0]])
    >>> tg.batch_norm(x, None, None, training=True, eps=0.0)
    tensor([[-1.],
            [ 1.]], dtype=float64)
    """
    name = "batch_norm"
    x = with_axes(name, "input", input, 2)
    factors = per_channel(name, "weight", weight, x), per_channel(name, "bias", bias, x)
    learned = [
        per_channel(name, word, value, x)
        for word, value in (("running_mean", running_mean), ("running_var", running_var))
    ]
    if not training:
        if None in (running_mean, running_var):
            raise ArgumentError(f"{name}: running_mean and running_var are needed if it is not training")
        return scaled((x - learned[0]) / sqrt(learned[1] + eps), *factors)
    count = math.prod(x.shape) // max(x.shape[1], 1)
    if count <= 1:
        raise ShapeError(f"{name}: input of shape {x.shape} has {count} value in a channel: 2 are needed")
    y, centre, variance = standardized(x, (0, *range(2, x.ndim)), eps)
    if running_mean is not None:
        update_running(name, running_mean, centre, momentum)
    if running_var is not None:
        update_running(name, running_var, variance * (count / (count - 1)), momentum)
    return scaled(y, *factors)


def normalized_axes(name, x, normalized_shape, **factors):
    """Return the last axes, which have `normalized_shape`, as the factors have, too."""
    if not isinstance(normalized_shape, (tuple, list)):
        normalized_shape = (normalized_shape,)
    shape = whole_numbers(name, "normalized_shape", normalized_shape, len(normalized_shape), 1)
    if not shape or x.shape[x.ndim - len(shape) :] != shape or len(shape) > x.ndim:
        raise ShapeError(f"{name}: input of shape {x.shape} does not end in {shape}")
    for word, value in factors.items():
        if value is not None and with_axes(name, word, value, 1).shape != shape:
            raise ShapeError(f"{name}: {word} has shape {np.shape(value)}, and {shape} is normalised")
    return tuple(range(x.ndim - len(shape), x.ndim))


@checked_call
def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Each row less its mean and over its standard deviation (the biased one).

    Parameters
    ----------
    input : Tensor of shape (..., *normalized_shape)
    normalized_shape : int or tuple of int
        What a row is.
    weight, bias : Tensor of shape `normalized_shape`, optional
    eps : float

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.layer_norm(tg.tensor([[1.0, 3.0], [5.0, 5.0]]), 2, eps=0.25)
    tensor([[-0.89442719,  0.89442719],
            [ 0.        ,  0.        ]], dtype=float64)
    """
    x = with_axes("layer_norm", "input", input, 1)
    axes = normalized_axes("layer_norm", x, normalized_shape, weight=weight, bias=bias)
    if len(axes) == 1:
        return scaled(standardize(x, float(eps)), weight, bias)
    rows = reshape(x, *x.shape[: axes[0]], math.prod(x.shape[axes[0] :]))
    return scaled(reshape(standardize(rows, float(eps)), *x.shape), weight, bias)


@checked_call
def rms_norm(input, normalized_shape, weight=None, eps=None):
    """Each row over the root of the mean of its squares.

    Parameters
    ----------
    input, normalized_shape, weight
        As in `layer_norm`.
    eps : float, optional
        The resolution of the dtype, if it is not given.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.functional.rms_norm(tg.tensor([[3.0, 3.0]]), 2)
    tensor([[1., 1.]], dtype=float64)
    """
    x = with_axes("rms_norm", "input", input, 1)
    axes = normalized_axes("rms_norm", x, normalized_shape, weight=weight)
    eps = float(np.finfo(x.dtype).eps) if eps is None else eps
    return scaled(x / sqrt(mean(square(x), axes, True) + eps), weight, None)


@checked_call
def group_norm(input, num_groups, weight=None, bias=None, eps=1e-5):
    """Each group of channels of each element of the batch less its mean and over its deviation.

    Parameters
    ----------
    input : Tensor of shape (batch, channels, ...)
    num_groups : int
        A divisor of the number of channels.
    weight, bias : Tensor of shape (channels,), optional
    eps : float

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.group_norm(tg.tensor([[1.0, 3.0, 2.0, 2.0]]), 2, eps=0.0).shape
    (1, 4)
    """
    name = "group_norm"
    x = with_axes(name, "input", input, 2)
    groups = whole(name, "num_groups", num_groups, 1)
    if x.shape[1] % groups:
        raise ShapeError(f"{name}: {x.shape[1]} channels do not go into {groups} groups")
    factors = per_channel(name, "weight", weight, x), per_channel(name, "bias", bias, x)
    rows = reshape(x, x.shape[0], groups, math.prod(x.shape[1:]) // groups)
    return scaled(reshape(standardize(rows, float(eps)), *x.shape), *factors)


@checked_call
def instance_norm(
    input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True,
    momentum=0.1, eps=1e-5,
):
    """Each channel of each element of the batch less its mean and over its standard deviation.

    Parameters
    ----------
    input : Tensor of shape (batch, channels, ...)
    running_mean, running_var, weight, bias, momentum, eps
        As in `batch_norm`; running statistics are means over the batch.
    use_input_stats : bool
        Whether mean and variance are those of `input`, rather than the running ones.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.instance_norm(tg.tensor([[[1.0, 3.0]]]), eps=0.0)
    tensor([[[-1.,  1.]]], dtype=float64)
    """
    name = "instance_norm"
    x = with_axes(name, "input", input, 3)
    if not use_input_stats:
        return batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    factors = per_channel(name, "weight", weight, x), per_channel(name, "bias", bias, x)
    count = math.prod(x.shape[2:])
    if count <= 1:
        raise ShapeError(f"{name}: input of shape {x.shape} has {count} value in a channel: 2 are needed")
    y, centre, variance = standardized(x, tuple(range(2, x.ndim)), eps)
    if running_mean is not None:
        update_running(name, running_mean, mean(centre, 0), momentum)
    if running_var is not None:
        update_running(name, running_var, mean(variance, 0) * (count / (count - 1)), momentum)
    return scaled(y, *factors)


@checked_call
def local_response_norm(input, size, alpha=1e-4, beta=0.75, k=1.0):
    """`input` over ``(k + alpha * mean of squares over `size` neighbouring channels) ** beta``.

    Channels beyond the first and the last count as 0.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.functional.local_response_norm(tg.tensor([[[3.0]]]), 1, alpha=1.0, beta=0.5, k=7.0)
    tensor([[[0.75]]], dtype=float64)
    """
    name = "local_response_norm"
    x = with_axes(name, "input", input, 3)
    size = whole(name, "size", size)
    if size < 1:
        raise RangeError(f"{name}: size is {size}: it is at least 1")
    squares = reshape(square(x), x.shape[0], 1, x.shape[1], math.prod(x.shape[2:]))
    layout = ((1, 1), ((size // 2, (size - 1) // 2), (0, 0)), (1, 1))
    means = mean(reshape(images_to_columns(squares, (size, 1), layout), x.shape[0], size, -1), 1)
    return x / power(k + alpha * reshape(means, *x.shape), beta)
