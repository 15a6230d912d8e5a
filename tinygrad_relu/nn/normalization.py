"""Normalisations, with statistics and scales that are kept."""

import numpy as np

from tinygrad_relu.engine import Tensor
from tinygrad_relu.errors import RangeError, ShapeError
from tinygrad_relu.nn.function_module import REQUIRED, FunctionModule
from tinygrad_relu.nn.init import ones_, zeros_
from tinygrad_relu.nn.module import Module
from tinygrad_relu.nn.settings import checked_constructor, new_parameter, number, truth
from tinygrad_relu.ops.normalization import (
    batch_norm,
    group_norm,
    instance_norm,
    layer_norm,
    local_response_norm,
    rms_norm,
)
from tinygrad_relu.ops.operands import whole, whole_numbers, with_axes


class ChannelNorm(Module):
    """What batch and instance normalisation share: scales, and running statistics, of channels."""

    least = most = None     # how many axes the input has

    def set_up(self, num_features, eps, momentum, affine, track_running_stats, device, dtype):
        """Check and keep the settings, and make parameters and buffers."""
        name = type(self).__name__
        self.num_features = whole(name, "num_features", num_features, 1)
        self.eps = number(name, "eps", eps, 0)
        self.momentum = momentum if momentum is None else number(name, "momentum", momentum)
        self.affine = truth(name, "affine", affine)
        self.track_running_stats = truth(name, "track_running_stats", track_running_stats)
        new = new_parameter(name, device, dtype)
        self.weight = new(num_features) if affine else None
        self.bias = new(num_features) if affine else None
        one = new(num_features).detach() if track_running_stats else None
        self.register_buffer("running_mean", one)
        self.register_buffer("running_var", None if one is None else one.clone())
        self.register_buffer(
            "num_batches_tracked", None if one is None else Tensor(np.zeros((), np.int64))
        )
        self.reset_parameters()

    def reset_running_stats(self):
        """Forget what batches have been seen."""
        if self.running_mean is not None:
            zeros_(self.running_mean)
            ones_(self.running_var)
            self.num_batches_tracked.zero_()

    def reset_parameters(self):
        """Set scales to 1 and the rest to 0, and forget what batches have been seen."""
        self.reset_running_stats()
        if self.weight is not None:
            ones_(self.weight)
            zeros_(self.bias)

    def checked_input(self, x, channels_at):
        """Return the input, or raise where it has other axes or channels."""
        name = type(self).__name__
        x = with_axes(name, "input", x, self.least, self.most)
        if x.shape[channels_at] != self.num_features:
            raise ShapeError(
                f"{name}: input has shape {x.shape}, with {x.shape[channels_at]} channels: the layer has "
                f"{self.num_features}"
            )
        return x

    def extra_repr(self):
        words = [f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"]
        return ", ".join([
            *words, f"affine={self.affine}", f"track_running_stats={self.track_running_stats}"
        ])


class BatchNorm(ChannelNorm):
    """What batch normalisation does, over whatever axes."""

    @checked_constructor
    def __init__(
        self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True, device=None,
        dtype=None,
    ):
        super().__init__()
        self.set_up(num_features, eps, momentum, affine, track_running_stats, device, dtype)

    def forward(self, x):
        x = self.checked_input(x, 1)
        counts = self.training and self.track_running_stats and self.num_batches_tracked is not None
        share = 0.0 if self.momentum is None else self.momentum
        if counts and self.momentum is None:
            share = 1 / (self.num_batches_tracked.item() + 1)       # the mean of all batches
        measured = self.training or self.running_mean is None
        known = not self.training or self.track_running_stats
        y = batch_norm(
            x, self.running_mean if known else None, self.running_var if known else None,
            self.weight, self.bias, measured, share, self.eps,
        )
        if counts:
            self.num_batches_tracked += 1
        return y


class BatchNorm1d(BatchNorm):
    """Batch normalisation of (batch, channels) or (batch, channels, length); see `BatchNorm2d`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> layer = tg.nn.BatchNorm1d(1, eps=0.0)
    >>> layer(tg.tensor([[1.0], [3.0]]))
    tensor([[-1.],
            [ 1.]], dtype=float64, grad_fn=<add>)
    """

    least, most = 2, 3


class BatchNorm2d(BatchNorm):
    """Batch normalisation of images: each channel less its mean and over its standard deviation.

    In training both are those of the batch, and move the running ones; else they are the running ones.

    Parameters
    ----------
    num_features : int
        The number of channels.
    eps : float
    momentum : float or None
        The share of the new value in the running one; None for the mean of all batches.
    affine : bool
        Whether there are scales that are learned.
    track_running_stats : bool
        Whether there are running statistics; else those of the batch are used always.
    device, dtype
        As in `Linear`.

    Attributes
    ----------
    weight, bias : Parameter of shape (num_features,), or None
    running_mean, running_var : Tensor of shape (num_features,), or None
        Buffers; the variance is the unbiased one.
    num_batches_tracked : Tensor of int64, or None

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> layer = tg.nn.BatchNorm2d(3).eval()
    >>> layer(tg.ones(5, 3, 4, 4)).shape
    (5, 3, 4, 4)
    """

    least, most = 4, 4


class InstanceNorm(ChannelNorm):
    """What instance normalisation does, over whatever axes."""

    @checked_constructor
    def __init__(
        self, num_features, eps=1e-5, momentum=0.1, affine=False, track_running_stats=False,
        device=None, dtype=None,
    ):
        super().__init__()
        self.set_up(num_features, eps, momentum, affine, track_running_stats, device, dtype)

    def forward(self, x):
        single = getattr(x, "ndim", None) == self.least
        x = self.checked_input(x, 0 if single else 1)
        measured = self.training or not self.track_running_stats
        y = instance_norm(
            x[None] if single else x, self.running_mean, self.running_var, self.weight, self.bias,
            measured, 0.0 if self.momentum is None else self.momentum, self.eps,
        )
        return y[0] if single else y


class InstanceNorm1d(InstanceNorm):
    """Instance normalisation of (batch, channels, length), or one of a batch; see `InstanceNorm2d`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.InstanceNorm1d(1, eps=0.0)(tg.tensor([[[1.0, 3.0]]]))
    tensor([[[-1.,  1.]]], dtype=float64)
    """

    least, most = 2, 3


class InstanceNorm2d(InstanceNorm):
    """Each channel of each image less its mean and over its standard deviation.

    Parameters
    ----------
    num_features, eps, momentum, affine, track_running_stats, device, dtype
        As in `BatchNorm2d`; there are neither scales nor running statistics unless they are asked for.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.InstanceNorm2d(3)(tg.ones(5, 3, 4, 4)).shape
    (5, 3, 4, 4)
    """

    least, most = 3, 4


class GroupNorm(Module):
    """Each group of channels of each element of the batch less its mean and over its deviation.

    Parameters
    ----------
    num_groups : int
        A divisor of the number of channels.
    num_channels : int
    eps : float
    affine : bool
        Whether there are scales that are learned.
    device, dtype
        As in `Linear`.

    Attributes
    ----------
    weight, bias : Parameter of shape (num_channels,), or None

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.GroupNorm(2, 4)(tg.ones(5, 4, 3)).shape
    (5, 4, 3)
    """

    @checked_constructor
    def __init__(
        self, num_groups, num_channels, eps=1e-5, affine=True, device=None, dtype=None
    ):
        super().__init__()
        name = "GroupNorm"
        self.num_groups = whole(name, "num_groups", num_groups, 1)
        self.num_channels = whole(name, "num_channels", num_channels, 1)
        if num_channels % num_groups:
            raise ShapeError(f"{name}: {num_channels} channels do not go into {num_groups} groups")
        self.eps = number(name, "eps", eps, 0)
        self.affine = truth(name, "affine", affine)
        new = new_parameter(name, device, dtype)
        self.weight = new(num_channels) if affine else None
        self.bias = new(num_channels) if affine else None
        self.reset_parameters()

    def reset_parameters(self):
        """Set scales to 1 and shifts to 0."""
        if self.weight is not None:
            ones_(self.weight)
            zeros_(self.bias)

    def forward(self, x):
        x = with_axes("GroupNorm", "input", x, 2)
        if x.shape[1] != self.num_channels:
            raise ShapeError(
                f"GroupNorm: input has shape {x.shape}, with {x.shape[1]} channels: the layer has "
                f"{self.num_channels}"
            )
        return group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self):
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"


def row_shape(name, normalized_shape):
    """Return the shape of what is normalised as a tuple, or raise."""
    count = len(normalized_shape) if isinstance(normalized_shape, (tuple, list)) else 1
    if count == 0:
        raise RangeError(f"{name}: normalized_shape is empty: it needs one length or more")
    return whole_numbers(name, "normalized_shape", normalized_shape, count, 1)


class LayerNorm(Module):
    """Each row less its mean and over its standard deviation.

    Parameters
    ----------
    normalized_shape : int or tuple of int
        What a row is: the last lengths of the input.
    eps : float
    elementwise_affine : bool
        Whether there are scales that are learned.
    bias : bool
        Whether there are shifts beside the scales.
    device, dtype
        As in `Linear`.

    Attributes
    ----------
    weight, bias : Parameter of shape `normalized_shape`, or None

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.LayerNorm(2, eps=0.25, bias=False)(tg.tensor([[1.0, 3.0]])).tolist()
    [[-0.8944271909999159, 0.8944271909999159]]
    """

    @checked_constructor
    def __init__(
        self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True, device=None, dtype=None
    ):
        super().__init__()
        self.normalized_shape = row_shape("LayerNorm", normalized_shape)
        self.eps = number("LayerNorm", "eps", eps, 0)
        self.elementwise_affine = truth("LayerNorm", "elementwise_affine", elementwise_affine)
        new = new_parameter("LayerNorm", device, dtype)
        self.weight = new(*self.normalized_shape) if elementwise_affine else None
        self.bias = new(*self.normalized_shape) if elementwise_affine and bias else None
        self.reset_parameters()

    def reset_parameters(self):
        """Set scales to 1 and shifts to 0."""
        if self.weight is not None:
            ones_(self.weight)
        if self.bias is not None:
            zeros_(self.bias)

    def forward(self, x):
        return layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self):
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class RMSNorm(Module):
    """Each row over the root of the mean of its squares.

    Parameters
    ----------
    normalized_shape : int or tuple of int
        What a row is: the last lengths of the input.
    eps : float, optional
        The resolution of the dtype of the input, if it is not given.
    elementwise_affine : bool
        Whether there are scales that are learned.
    device, dtype
        As in `Linear`.

    Attributes
    ----------
    weight : Parameter of shape `normalized_shape`, or None

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.RMSNorm(2, eps=0.0)(tg.tensor([[3.0, 3.0]])).tolist()
    [[1.0, 1.0]]
    """

    @checked_constructor
    def __init__(
        self, normalized_shape, eps=None, elementwise_affine=True, device=None, dtype=None
    ):
        super().__init__()
        self.normalized_shape = row_shape("RMSNorm", normalized_shape)
        self.eps = eps if eps is None else number("RMSNorm", "eps", eps, 0)
        self.elementwise_affine = truth("RMSNorm", "elementwise_affine", elementwise_affine)
        new = new_parameter("RMSNorm", device, dtype)
        self.weight = new(*self.normalized_shape) if elementwise_affine else None
        self.reset_parameters()

    def reset_parameters(self):
        """Set scales to 1."""
        if self.weight is not None:
            ones_(self.weight)

    def forward(self, x):
        return rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self):
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class LocalResponseNorm(
    FunctionModule, function=local_response_norm, size=REQUIRED, alpha=1e-4, beta=0.75, k=1.0
):
    """The input over a power of the squares in neighbouring channels; see `local_response_norm`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.LocalResponseNorm(1, alpha=1.0, beta=0.5, k=7.0)(tg.tensor([[[3.0]]]))
    tensor([[[0.75]]], dtype=float64)
    """
