"""Activations beside the ReLU family of `gates`, made of what there is.

At kinks the derivatives are PyTorch's: 0 at the limits of what is clipped (`hardtanh`, `relu6`,
`hardsigmoid`, `hardshrink`, `softshrink`), and that of the negative side at 0 for `elu`, `selu`, `celu`.
"""

import math

from tinygrad_relu.engine import checked_call
from tinygrad_relu.errors import ArgumentError, RangeError, ShapeError
from tinygrad_relu.kernels.gate import Limit
from tinygrad_relu.kernels.special import gelu_cotangent_kernel, gelu_kernel
from tinygrad_relu.ops.arithmetic import absolute, clamp, clamp_max, sign, where
from tinygrad_relu.ops.domain import elementwise, real
from tinygrad_relu.ops.exponential import exp, expm1, logaddexp, sigmoid, tanh
from tinygrad_relu.ops.gates import gate
from tinygrad_relu.ops.neural import softmax
from tinygrad_relu.ops.shapes import checked_axis, part
from tinygrad_relu.ops.special import erfc
from tinygrad_relu.ops.table import fused, op
from tinygrad_relu.ops.values import floating, tensor_of

# The fixed point of mean 0 and variance 1: Klambauer et al., "Self-normalizing neural networks", 2017.
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
ROOT_HALF = math.sqrt(0.5)
BELL_TOP = math.sqrt(0.5 / math.pi)         # of the normal density


@op(
    Limit(),
    domain=elementwise(real, low=-1.0, high=0.7),
    x=lambda g, y, low, high: gate(gate(g, y, low, 0.0, 1.0), -y, -high, 0.0, 1.0),
)
def limit(x, /, low, high):
    """`x`, but at least `low` and at most `high`, numbers; at these and beyond, the derivative is 0."""


@checked_call
def hardtanh(x, min_val=-1.0, max_val=1.0):
    """`x` limited to between `min_val` and `max_val`; at the limits and beyond, the derivative is 0.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.functional.hardtanh(tg.tensor([-2.0, 0.5, 2.0]))
    tensor([-1. ,  0.5,  1. ], dtype=float64)
    """
    if min_val > max_val:
        raise RangeError(f"hardtanh: min_val {min_val} is larger than max_val {max_val}")
    return limit(floating("hardtanh", x), float(min_val), float(max_val))


@checked_call
def relu6(x):
    """`x` limited to between 0 and 6; at both the derivative is 0.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.functional.relu6(tg.tensor([-1.0, 3.0, 9.0]))
    tensor([0., 3., 6.], dtype=float64)
    """
    return hardtanh(floating("relu6", x), 0.0, 6.0)


@checked_call
def hardsigmoid(x):
    """``relu6(x + 3) / 6``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.functional.hardsigmoid(tg.tensor([-4.0, 0.0, 3.0]))
    tensor([0. , 0.5, 1. ], dtype=float64)
    """
    return hardtanh(floating("hardsigmoid", x) + 3.0, 0.0, 6.0) / 6.0


@checked_call
def hardswish(x):
    """``x * hardsigmoid(x)``: Howard et al., "Searching for MobileNetV3", 2019.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.functional.hardswish(tg.tensor([-1.5, 1.5, 4.0]))
    tensor([-0.375,  1.125,  4.   ], dtype=float64)
    """
    x = floating("hardswish", x)
    return x * hardsigmoid(x)


@checked_call
def elu(x, alpha=1.0):
    """`x` where it is positive, else ``alpha * expm1(x)``.  The derivative at 0 is `alpha`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.functional.elu(tg.tensor([-1.0, 2.0]))
    tensor([-0.63212056,  2.        ], dtype=float64)
    """
    x = floating("elu", x)
    return gate(x, x, 0.0, 0.0, 1.0) + alpha * expm1(clamp_max(x, 0.0))


@checked_call
def selu(x):
    """`elu` with the scales that keep mean 0 and variance 1 from layer to layer.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.selu(tg.tensor([-1.0, 1.0]))
    tensor([-1.11133074,  1.05070099], dtype=float64)
    """
    return SELU_SCALE * elu(x, SELU_ALPHA)


@checked_call
def celu(x, alpha=1.0):
    """`x` where it is positive, else ``alpha * expm1(x / alpha)``.  The derivative at 0 is 1.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.celu(tg.tensor([-2.0, 1.0]), alpha=2.0)
    tensor([-1.26424112,  1.        ], dtype=float64)
    """
    if alpha == 0:
        raise RangeError("celu: alpha is 0, and is divided by")
    x = floating("celu", x)
    return gate(x, x, 0.0, 0.0, 1.0) + alpha * expm1(clamp_max(x, 0.0) / alpha)


@fused(gelu_cotangent_kernel)
def gelu_cotangent(g, x):
    """Return the cotangent of `x` for the cotangent `g` of ``gelu(x)``."""
    return g * (0.5 * erfc(x * -ROOT_HALF) + x * (exp(x * x * -0.5) * BELL_TOP))


@op(gelu_kernel, domain=elementwise(real), x=lambda g, x: gelu_cotangent(g, x))
def exact_gelu(x, /):
    """`gelu` without an approximation, in one pass."""


@checked_call
def gelu(x, approximate="none"):
    """`x` times the normal distribution function of `x`.

    Parameters
    ----------
    x : Tensor
    approximate : {'none', 'tanh'}
        Whether that function is exact, or made of a hyperbolic tangent: Hendrycks and Gimpel,
        "Gaussian error linear units", 2016.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.functional.gelu(tg.tensor([-1.0, 0.0, 1.0]))
    tensor([-0.15865525,  0.        ,  0.84134475], dtype=float64)
    """
    x = floating("gelu", x)
    if approximate == "none":
        return exact_gelu(x)
    if approximate != "tanh":
        raise ArgumentError(f"gelu: approximate is {approximate!r}: it is 'none' or 'tanh'")
    # (1 + tanh(u)) / 2 == sigmoid(2 u), which is 0 or 1 long before the cube would overflow.
    near = clamp(x, -30.0, 30.0)
    return x * sigmoid(math.sqrt(8 / math.pi) * (near + 0.044715 * (near * near * near)))


@checked_call
def silu(x):
    """``x * sigmoid(x)``, also known as swish.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.functional.silu(tg.tensor([0.0, 1.0]))
    tensor([0.        , 0.73105858], dtype=float64)
    """
    x = floating("silu", x)
    return x * sigmoid(x)


@checked_call
def softplus(x, beta=1.0, threshold=20.0):
    """``log(1 + exp(beta * x)) / beta``, and `x` itself where ``beta * x > threshold``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.functional.softplus(tg.tensor([-800.0, 0.0, 800.0]))
    tensor([0.00000000e+00, 6.93147181e-01, 8.00000000e+02], dtype=float64)
    """
    if beta == 0:
        raise RangeError("softplus: beta is 0, and is divided by")
    x = floating("softplus", x)
    scaled = x * beta
    return where(scaled > threshold, x, logaddexp(scaled, 0.0) / beta)


@checked_call
def logsigmoid(x):
    """``log(sigmoid(x))``, without overflow.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.functional.logsigmoid(tg.tensor([-800.0, 0.0]))
    tensor([-8.00000000e+02, -6.93147181e-01], dtype=float64)
    """
    return -logaddexp(-floating("logsigmoid", x), 0.0)


@checked_call
def mish(x):
    """``x * tanh(softplus(x))``: Misra, "Mish", 2019.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.functional.mish(tg.tensor([0.0, 1.0]))
    tensor([0.        , 0.86509839], dtype=float64)
    """
    x = floating("mish", x)
    return x * tanh(softplus(x))


@checked_call
def softsign(x):
    """``x / (1 + abs(x))``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.functional.softsign(tg.tensor([-1.0, 3.0]))
    tensor([-0.5 ,  0.75], dtype=float64)
    """
    x = tensor_of(x)
    return x / (1.0 + absolute(x))


@checked_call
def tanhshrink(x):
    """``x - tanh(x)``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.functional.tanhshrink(tg.tensor([0.0, 2.0]))
    tensor([0.        , 1.03597242], dtype=float64)
    """
    x = tensor_of(x)
    return x - tanh(x)


@checked_call
def hardshrink(x, lambd=0.5):
    """`x` where ``abs(x) > lambd``, else 0, with the derivative of the latter at the limits.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.hardshrink(tg.tensor([-1.0, 0.5, 2.0]))
    tensor([-1.,  0.,  2.], dtype=float64)
    """
    x = floating("hardshrink", x)
    return gate(x, absolute(x), lambd, 0.0, 1.0)


@checked_call
def softshrink(x, lambd=0.5):
    """`x` moved towards 0 by `lambd`, and no further.  The derivative is 0 at the limits.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.functional.softshrink(tg.tensor([-1.0, 0.25, 2.0]))
    tensor([-0.5,  0. ,  1.5], dtype=float64)
    """
    if not lambd >= 0:
        raise RangeError(f"softshrink: lambd is {lambd}: it is not negative")
    x = floating("softshrink", x)
    return gate(x - sign(x) * lambd, absolute(x), lambd, 0.0, 1.0)


@checked_call
def glu(x, axis=-1):
    """The first half of `x` along `axis`, times `sigmoid` of the second half.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.functional.glu(tg.tensor([3.0, 0.0]))
    tensor([1.5], dtype=float64)
    """
    x = floating("glu", x)
    axis = checked_axis("glu", axis, x.ndim)
    length = x.shape[axis]
    if length % 2:
        raise ShapeError(f"glu: axis {axis} of x of shape {x.shape} has odd length, and is cut in halves")
    return part(x, axis, 0, length // 2) * sigmoid(part(x, axis, length // 2, length))


@checked_call
def softmin(x, axis):
    """``softmax(-x)`` along `axis`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.functional.softmin(tg.tensor([0.0, 0.0]), axis=0)
    tensor([0.5, 0.5], dtype=float64)
    """
    return softmax(-floating("softmin", x), axis)
