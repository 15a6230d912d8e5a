"""Convolutions, and transposed ones, whose windows are learned; and the windows themselves."""

import math

from tinygrad_relu.errors import ArgumentError, RangeError, ShapeError
from tinygrad_relu.nn.function_module import REQUIRED, FunctionModule
from tinygrad_relu.nn.init import kaiming_uniform_, uniform_
from tinygrad_relu.nn.module import Module
from tinygrad_relu.nn.settings import checked_constructor, new_parameter, one_of
from tinygrad_relu.ops.convolution import (
    conv1d,
    conv2d,
    conv_transpose1d,
    conv_transpose2d,
    fold,
    unfold,
)
from tinygrad_relu.ops.operands import whole, whole_numbers
from tinygrad_relu.ops.rearranging import pad

PADDING_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "replicate",
                 "circular": "circular"}


class Convolution(Module):
    """What all convolutions share: settings, the weight and the bias, and how they are drawn."""

    axes = None             # over how many axes the window slides
    transposed = False

    def set_up(
        self, in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias,
        padding_mode, device, dtype, generator,
    ):
        """Check and keep the settings, and draw the parameters."""
        name, axes = type(self).__name__, self.axes
        self.in_channels = whole(name, "in_channels", in_channels, 1)
        self.out_channels = whole(name, "out_channels", out_channels, 1)
        self.kernel_size = whole_numbers(name, "kernel_size", kernel_size, axes, 1)
        self.stride = whole_numbers(name, "stride", stride, axes, 1)
        self.dilation = whole_numbers(name, "dilation", dilation, axes, 1)
        self.padding = self.checked_padding(name, padding)
        self.groups = whole(name, "groups", groups, 1)
        self.padding_mode = one_of(name, "padding_mode", padding_mode, tuple(PADDING_MODES))
        for word, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups:
                raise ShapeError(f"{name}: {word} is {channels}, which does not go into {groups} groups")
        new = new_parameter(name, device, dtype)
        first, second = (
            (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        )
        self.weight = new(first, second // groups, *self.kernel_size)
        self.bias = new(out_channels) if bias else None
        self.reset_parameters(generator)

    def checked_padding(self, name, padding):
        """Return the padding as it is kept, or raise."""
        if not isinstance(padding, str):
            return whole_numbers(name, "padding", padding, self.axes)
        one_of(name, "padding", padding, ("same", "valid"))
        if padding == "same" and any(step != 1 for step in self.stride):
            raise RangeError(f"{name}: padding 'same' keeps the size only if stride is 1")
        return padding

    def reset_parameters(self, generator=None):
        """Draw the parameters anew: evenly within the root of one over the inputs of an output."""
        kaiming_uniform_(self.weight, a=math.sqrt(5), generator=generator)
        if self.bias is not None:
            bound = 1 / math.sqrt(math.prod(self.weight.shape[1:]))
            uniform_(self.bias, -bound, bound, generator)

    def padded(self, x):
        """Return the input with what `padding_mode` puts around it, and the padding that is left."""
        if self.padding_mode == "zeros":
            return x, self.padding
        around = []
        for length, step, given in zip(
            self.kernel_size[::-1], self.dilation[::-1], self.padding_of_each_axis()[::-1]
        ):
            total = step * (length - 1)
            around += [given, given] if given is not None else [total // 2, total - total // 2]
        return pad(x, tuple(around), PADDING_MODES[self.padding_mode]), 0

    def padding_of_each_axis(self):
        """Return the padding as numbers, None for what keeps the size."""
        if isinstance(self.padding, str):
            return (None if self.padding == "same" else 0,) * self.axes
        return self.padding

    def extra_repr(self):
        words = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"]
        words.append(f"stride={self.stride}")
        usual = {"padding": 0, "output_padding": 0, "dilation": 1}
        for name, value in usual.items():
            kept = getattr(self, name, None)
            if kept is not None and kept != (value,) * self.axes:
                words.append(f"{name}={kept!r}")
        words += [f"groups={self.groups}"] * (self.groups != 1) + ["bias=False"] * (self.bias is None)
        words += [f"padding_mode={self.padding_mode!r}"] * (self.padding_mode != "zeros")
        return ", ".join(words)


class Conv1d(Convolution):
    """Convolution along one axis; see `Conv2d`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.Conv1d(2, 4, 3, dilation=2, padding="same")(tg.zeros(8, 2, 10)).shape
    (8, 4, 10)
    """

    axes = 1

    @checked_constructor
    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1,
        bias=True, padding_mode="zeros", device=None, dtype=None, generator=None,
    ):
        super().__init__()
        self.set_up(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias,
            padding_mode, device, dtype, generator,
        )

    def forward(self, x):
        x, padding = self.padded(x)
        return conv1d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv2d(Convolution):
    """Convolution over images.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size : int or pair of int
        The window.
    stride : int or pair of int
    padding : int, pair of int, 'same' or 'valid'
    dilation : int or pair of int
    groups : int
        Into how many parts, each with weights of its own, the channels go.
    bias : bool, default True
    padding_mode : {'zeros', 'reflect', 'replicate', 'circular'}
    device, dtype, generator
        As in `Linear`.

    Attributes
    ----------
    weight : Parameter of shape (out_channels, in_channels / groups, height, width)
    bias : Parameter of shape (out_channels,), or None

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.Conv2d(3, 8, 3, stride=2, padding=1)(tg.zeros(5, 3, 16, 16)).shape
    (5, 8, 8, 8)
    """

    axes = 2

    @checked_constructor
    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1,
        bias=True, padding_mode="zeros", device=None, dtype=None, generator=None,
    ):
        super().__init__()
        self.set_up(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias,
            padding_mode, device, dtype, generator,
        )

    def forward(self, x):
        x, padding = self.padded(x)
        return conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class TransposedConvolution(Convolution):
    """What the transposed convolutions share."""

    transposed = True

    def set_up_transposed(self, output_padding, padding, padding_mode, *settings):
        """Check and keep the settings, and draw the parameters."""
        name = type(self).__name__
        if padding_mode != "zeros":
            raise ArgumentError(f"{name}: padding_mode is {padding_mode!r}: it can only be 'zeros'")
        if isinstance(padding, str):
            raise ArgumentError(f"{name}: padding is {padding!r}: it is a number, or one for each axis")
        self.output_padding = whole_numbers(name, "output_padding", output_padding, self.axes)
        in_channels, out_channels, kernel_size, stride, dilation, groups, *others = settings
        self.set_up(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, others[0],
            padding_mode, *others[1:],
        )


class ConvTranspose1d(TransposedConvolution):
    """Transposed convolution along one axis; see `ConvTranspose2d`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.ConvTranspose1d(4, 2, 4, stride=2, padding=1)(tg.zeros(8, 4, 5)).shape
    (8, 2, 10)
    """

    axes = 1

    @checked_constructor
    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1,
        bias=True, dilation=1, padding_mode="zeros", device=None, dtype=None, generator=None,
    ):
        super().__init__()
        self.set_up_transposed(
            output_padding, padding, padding_mode, in_channels, out_channels, kernel_size, stride,
            dilation, groups, bias, device, dtype, generator,
        )

    def forward(self, x):
        return conv_transpose1d(
            x, self.weight, self.bias, self.stride, self.padding, self.output_padding, self.groups,
            self.dilation,
        )


class ConvTranspose2d(TransposedConvolution):
    """Transposed convolution over images: every element stamps a window.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, groups, bias, dilation
        As in `Conv2d`.
    padding : int or pair of int
        How much of the result is cut off at each side.
    output_padding : int or pair of int
        How much is added behind, less than `stride` or `dilation`.
    padding_mode : {'zeros'}
    device, dtype, generator
        As in `Linear`.

    Attributes
    ----------
    weight : Parameter of shape (in_channels, out_channels / groups, height, width)
    bias : Parameter of shape (out_channels,), or None

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.ConvTranspose2d(8, 3, 4, stride=2, padding=1)(tg.zeros(5, 8, 8, 8)).shape
    (5, 3, 16, 16)
    """

    axes = 2

    @checked_constructor
    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1,
        bias=True, dilation=1, padding_mode="zeros", device=None, dtype=None, generator=None,
    ):
        super().__init__()
        self.set_up_transposed(
            output_padding, padding, padding_mode, in_channels, out_channels, kernel_size, stride,
            dilation, groups, bias, device, dtype, generator,
        )

    def forward(self, x):
        return conv_transpose2d(
            x, self.weight, self.bias, self.stride, self.padding, self.output_padding, self.groups,
            self.dilation,
        )


class Unfold(
    FunctionModule, function=unfold, kernel_size=REQUIRED, dilation=1, padding=0, stride=1
):
    """What a sliding window sees, as columns: (batch, channels * window, places).

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.Unfold(2)(tg.zeros(5, 3, 4, 4)).shape
    (5, 12, 9)
    """

    axes = 2


class Fold(
    FunctionModule, function=fold, output_size=REQUIRED, kernel_size=REQUIRED, dilation=1, padding=0,
    stride=1,
):
    """Columns of windows added up to images.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.Fold((4, 4), 2)(tg.zeros(5, 12, 9)).shape
    (5, 3, 4, 4)
    """

    axes = 2
