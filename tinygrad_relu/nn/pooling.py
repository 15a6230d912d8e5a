"""Poolings: what a window, or each part of an image, comes to in one number."""

from tinygrad_relu.nn.function_module import REQUIRED, FunctionModule
from tinygrad_relu.ops.pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_max_pool2d,
    avg_pool1d,
    avg_pool2d,
    max_pool1d,
    max_pool2d,
)


class MaxPool1d(
    FunctionModule, function=max_pool1d,
    kernel_size=REQUIRED, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False,
):
    """Maximum of a window that slides along one axis; see `nn.functional.max_pool2d`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.MaxPool1d(2)(tg.tensor([[1.0, 5.0, 2.0, 3.0]]))
    tensor([[5., 3.]], dtype=float64)
    """

    axes = 1


class MaxPool2d(
    FunctionModule, function=max_pool2d,
    kernel_size=REQUIRED, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False,
):
    """Maximum of a window that slides over images; see `nn.functional.max_pool2d`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.MaxPool2d(2)(tg.tensor([[[1.0, 5.0], [2.0, 3.0]]]))
    tensor([[[5.]]], dtype=float64)
    """

    axes = 2


class AvgPool1d(
    FunctionModule, function=avg_pool1d,
    kernel_size=REQUIRED, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
):
    """Mean of a window that slides along one axis; see `nn.functional.avg_pool2d`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.AvgPool1d(2)(tg.tensor([[1.0, 5.0, 2.0, 3.0]]))
    tensor([[3. , 2.5]], dtype=float64)
    """

    axes = 1


class AvgPool2d(
    FunctionModule, function=avg_pool2d,
    kernel_size=REQUIRED, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
    divisor_override=None,
):
    """Mean of a window that slides over images; see `nn.functional.avg_pool2d`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.AvgPool2d(2)(tg.tensor([[[1.0, 5.0], [2.0, 4.0]]]))
    tensor([[[3.]]], dtype=float64)
    """

    axes = 2


class AdaptiveAvgPool1d(FunctionModule, function=adaptive_avg_pool1d, output_size=REQUIRED):
    """Means of so many parts of the last axis.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.AdaptiveAvgPool1d(2)(tg.tensor([[1.0, 5.0, 2.0, 4.0]]))
    tensor([[3., 3.]], dtype=float64)
    """

    axes = 1


class AdaptiveAvgPool2d(FunctionModule, function=adaptive_avg_pool2d, output_size=REQUIRED):
    """Means of so many parts of images; None keeps the length of an axis.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.AdaptiveAvgPool2d((1, None))(tg.tensor([[[1.0, 5.0], [3.0, 7.0]]]))
    tensor([[[2., 6.]]], dtype=float64)
    """

    axes = 2


class AdaptiveMaxPool2d(
    FunctionModule, function=adaptive_max_pool2d, output_size=REQUIRED, return_indices=False
):
    """Maxima of so many parts of images; None keeps the length of an axis.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.AdaptiveMaxPool2d(1)(tg.tensor([[[1.0, 5.0], [3.0, 7.0]]]))
    tensor([[[7.]]], dtype=float64)
    """

    axes = 2
