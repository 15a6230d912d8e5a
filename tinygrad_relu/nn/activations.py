"""Activations: modules of the functions that make a net more than a matrix."""

import math

import numpy as np

from tinygrad_relu.errors import ArgumentError
from tinygrad_relu.kernels.mask import unpacked_mask
from tinygrad_relu.nn.function_module import REQUIRED, FunctionModule
from tinygrad_relu.nn.init import constant_
from tinygrad_relu.nn.module import Module
from tinygrad_relu.nn.settings import checked_constructor, new_parameter, number, truth
from tinygrad_relu.ops.activations import (
    celu,
    elu,
    gelu,
    glu,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    logsigmoid,
    mish,
    relu6,
    selu,
    silu,
    softmin,
    softplus,
    softshrink,
    softsign,
    tanhshrink,
)
from tinygrad_relu.ops.exponential import sigmoid, tanh
from tinygrad_relu.ops.gates import (
    leaky_relu,
    prelu,
    relu,
    relu_with_mask,
    threshold,
    thresholded_relu,
)
from tinygrad_relu.ops.neural import log_softmax, softmax
from tinygrad_relu.ops.operands import whole, with_axes

# ------------------------------------------------------------------------------------ the ReLU family


class ReLU(Module):
    """`relu` as a module.

    Parameters
    ----------
    inplace : bool, default False
        Accepted as in PyTorch, and without effect: memory of large results is used again anyway.
    mask : bool, default False
        Keep one bit for each element instead of the output (see `relu_with_mask`), also for
        `alive_share` and `dead_units`.  NaN passes the gate, and so counts as alive.

    Attributes
    ----------
    mask : ndarray of uint8, or None
        Of the last call, if masks are kept.
    mask_shape : tuple of int

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> layer = tg.nn.ReLU(mask=True)
    >>> y = layer(tg.tensor([[-1.0, 2.0, 0.0], [-3.0, -4.0, 5.0]]))
    >>> layer.alive_share()
    array([0. , 0.5, 0.5])
    >>> layer.dead_units()
    array([ True, False, False])
    """

    @checked_constructor
    def __init__(self, inplace=False, mask=False):
        super().__init__()
        truth("ReLU", "inplace", inplace)
        self.keeps_mask = truth("ReLU", "mask", mask)
        self.mask, self.mask_shape = None, None

    def forward(self, x):
        if not self.keeps_mask:
            return relu(x)
        y, mask = relu_with_mask(x)
        # To look at only: backward needs it.
        self.mask, self.mask_shape = mask.numpy().view(), y.shape
        self.mask.flags.writeable = False
        return y

    def alive_share(self, axis=0):
        """Return in which share of the last batch, along `axis`, each unit let its input pass."""
        if self.mask is None:
            raise ArgumentError(
                "ReLU: there is no mask: make the layer with mask=True, and call it first"
            )
        try:
            alive = np.count_nonzero(unpacked_mask(self.mask, self.mask_shape), axis=axis)
        except (IndexError, TypeError) as error:
            raise ArgumentError(
                f"ReLU: axis is {axis!r}, and the last batch has shape {self.mask_shape}: {error}"
            ) from error
        samples = math.prod(self.mask_shape) // max(np.size(alive), 1)
        return alive / samples if samples else np.full(np.shape(alive), np.nan)

    def dead_units(self, axis=0):
        """Return which units let nothing pass in the last batch, along `axis`."""
        return self.alive_share(axis) == 0

    def extra_repr(self):
        return "mask=True" if self.keeps_mask else ""


class LeakyReLU(FunctionModule, function=leaky_relu, negative_slope=0.01, inplace=False):
    """`x` where it is positive, else ``x * negative_slope``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.LeakyReLU(0.5)(tg.tensor([-2.0, 2.0]))
    tensor([-1.,  2.], dtype=float64)
    """


class PReLU(Module):
    """Leaky ReLU whose slope is learned, one for all or one for each channel (axis 1).

    Parameters
    ----------
    num_parameters : int
        1, or the number of channels.
    init : float
        The slope to begin with.
    device, dtype
        As in `Linear`.

    Attributes
    ----------
    weight : Parameter of shape (num_parameters,)

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.PReLU()(tg.tensor([-2.0, 2.0])).tolist()
    [-0.5, 2.0]
    """

    @checked_constructor
    def __init__(self, num_parameters=1, init=0.25, device=None, dtype=None):
        super().__init__()
        self.num_parameters = whole("PReLU", "num_parameters", num_parameters, 1)
        self.init = number("PReLU", "init", init)
        self.weight = new_parameter("PReLU", device, dtype)(num_parameters)
        self.reset_parameters()

    def reset_parameters(self):
        """Give the slopes the values that they began with."""
        constant_(self.weight, self.init)

    def forward(self, x):
        return prelu(x, self.weight)

    def extra_repr(self):
        return f"num_parameters={self.num_parameters}"


class ThresholdedReLU(FunctionModule, function=thresholded_relu, t0=REQUIRED, a0=0.0, a1=1.0):
    """``x * a1`` where ``x > t0``, else ``x * a0``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.ThresholdedReLU(1.0, a1=2.0)(tg.tensor([0.5, 2.0]))
    tensor([0., 4.], dtype=float64)
    """


class Threshold(FunctionModule, function=threshold, threshold=REQUIRED, value=REQUIRED, inplace=False):
    """`x` where ``x > threshold``, else `value`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.Threshold(1.0, 9.0)(tg.tensor([0.5, 2.0]))
    tensor([9., 2.], dtype=float64)
    """


class ReLU6(FunctionModule, function=relu6, inplace=False):
    """`x` limited to between 0 and 6.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.ReLU6()(tg.tensor([-2.0, 2.0, 8.0]))
    tensor([0., 2., 6.], dtype=float64)
    """


# --------------------------------------------------------------------------------------------- smooth

class ELU(FunctionModule, function=elu, alpha=1.0, inplace=False):
    """`x` where it is positive, else ``alpha * expm1(x)``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.ELU(2.0)(tg.tensor([0.0, 2.0]))
    tensor([0., 2.], dtype=float64)
    """


class SELU(FunctionModule, function=selu, inplace=False):
    """`ELU` with the scales that keep mean 0 and variance 1 from layer to layer.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.SELU()(tg.tensor([0.0, 1.0]))
    tensor([0.        , 1.05070099], dtype=float64)
    """


class CELU(FunctionModule, function=celu, alpha=1.0, inplace=False):
    """`x` where it is positive, else ``alpha * expm1(x / alpha)``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.CELU(2.0)(tg.tensor([0.0, 2.0]))
    tensor([0., 2.], dtype=float64)
    """


class GELU(FunctionModule, function=gelu, approximate="none"):
    """`x` times the normal distribution function of `x`; with "tanh", an approximation of it.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.GELU()(tg.tensor([0.0, 1.0]))
    tensor([0.        , 0.84134475], dtype=float64)
    """


class SiLU(FunctionModule, function=silu, inplace=False):
    """``x * sigmoid(x)``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.SiLU()(tg.tensor([0.0, 1.0]))
    tensor([0.        , 0.73105858], dtype=float64)
    """


class Mish(FunctionModule, function=mish, inplace=False):
    """``x * tanh(softplus(x))``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.Mish()(tg.tensor([0.0, 1.0]))
    tensor([0.        , 0.86509839], dtype=float64)
    """


class Softplus(FunctionModule, function=softplus, beta=1.0, threshold=20.0):
    """``log(1 + exp(beta * x)) / beta``, and `x` itself where ``beta * x > threshold``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.Softplus()(tg.tensor([0.0, 30.0]))
    tensor([ 0.69314718, 30.        ], dtype=float64)
    """


class Softsign(FunctionModule, function=softsign):
    """``x / (1 + abs(x))``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.Softsign()(tg.tensor([-1.0, 3.0]))
    tensor([-0.5 ,  0.75], dtype=float64)
    """


class Sigmoid(FunctionModule, function=sigmoid):
    """``1 / (1 + exp(-x))``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.Sigmoid()(tg.tensor([0.0, 800.0]))
    tensor([0.5, 1. ], dtype=float64)
    """


class LogSigmoid(FunctionModule, function=logsigmoid):
    """``log(sigmoid(x))``, without overflow.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.LogSigmoid()(tg.tensor([0.0, -800.0]))
    tensor([-6.93147181e-01, -8.00000000e+02], dtype=float64)
    """


class Tanh(FunctionModule, function=tanh):
    """``tanh(x)``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.Tanh()(tg.tensor([0.0, 1.0]))
    tensor([0.        , 0.76159416], dtype=float64)
    """


class Tanhshrink(FunctionModule, function=tanhshrink):
    """``x - tanh(x)``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.Tanhshrink()(tg.tensor([0.0, 1.0]))
    tensor([0.        , 0.23840584], dtype=float64)
    """


# --------------------------------------------------------------------------------- of straight pieces

class Hardtanh(FunctionModule, function=hardtanh, min_val=-1.0, max_val=1.0, inplace=False):
    """`x` limited to between `min_val` and `max_val`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.Hardtanh(-2, 2)(tg.tensor([-3.0, 1.0, 3.0]))
    tensor([-2.,  1.,  2.], dtype=float64)
    """


class Hardsigmoid(FunctionModule, function=hardsigmoid, inplace=False):
    """``relu6(x + 3) / 6``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.Hardsigmoid()(tg.tensor([-4.0, 0.0, 1.5]))
    tensor([0.  , 0.5 , 0.75], dtype=float64)
    """


class Hardswish(FunctionModule, function=hardswish, inplace=False):
    """``x * hardsigmoid(x)``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.Hardswish()(tg.tensor([-4.0, 3.0]))
    tensor([-0.,  3.], dtype=float64)
    """


class Hardshrink(FunctionModule, function=hardshrink, lambd=0.5):
    """`x` where ``abs(x) > lambd``, else 0.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.Hardshrink()(tg.tensor([-1.0, 0.25]))
    tensor([-1.,  0.], dtype=float64)
    """


class Softshrink(FunctionModule, function=softshrink, lambd=0.5):
    """`x` moved towards 0 by `lambd`, and no further.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.Softshrink()(tg.tensor([-1.0, 0.25]))
    tensor([-0.5,  0. ], dtype=float64)
    """


# -------------------------------------------------------------------------------------- along an axis

class GLU(FunctionModule, function=glu, axis=-1):
    """The first half of `x` along `axis`, times `sigmoid` of the second half.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.GLU()(tg.tensor([4.0, 0.0]))
    tensor([2.], dtype=float64)
    """


class Softmax(FunctionModule, function=softmax, axis=REQUIRED):
    """``exp(x) / sum(exp(x))`` along `axis`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.Softmax(0)(tg.tensor([0.0, 0.0]))
    tensor([0.5, 0.5], dtype=float64)
    """


class LogSoftmax(FunctionModule, function=log_softmax, axis=REQUIRED):
    """``log(softmax(x))`` along `axis`, accurate where the softmax is near 0.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.LogSoftmax(0)(tg.tensor([0.0, 1000.0]))
    tensor([-1000.,     0.], dtype=float64)
    """


class Softmin(FunctionModule, function=softmin, axis=REQUIRED):
    """``softmax(-x)`` along `axis`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.Softmin(0)(tg.tensor([1.0, 1.0]))
    tensor([0.5, 0.5], dtype=float64)
    """


class Softmax2d(Module):
    """Softmax over the channels of images: (batch, channels, height, width), or one of a batch.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.Softmax2d()(tg.zeros(4, 1, 1)).flatten()
    tensor([0.25, 0.25, 0.25, 0.25], dtype=float64)
    """

    def forward(self, x):
        return softmax(with_axes("Softmax2d", "input", x, 3, 4), -3)
