"""Powers, exponentials, logarithms, roots, and the functions made of them, elementwise."""

import math

import numpy as np

from tinygrad_relu.engine import Tensor, checked_call
from tinygrad_relu.kernels.elementwise import Elementwise, Power
from tinygrad_relu.kernels.sigmoid import sigmoid_kernel
from tinygrad_relu.ops.arithmetic import where
from tinygrad_relu.ops.domain import elementwise, positive, real
from tinygrad_relu.ops.operands import real_tensor
from tinygrad_relu.ops.shapes import cast
from tinygrad_relu.ops.table import op
from tinygrad_relu.ops.values import tensor_of, tensors_of

LOG_2 = math.log(2)
LOG_10 = math.log(10)

subtract_kernel = Elementwise(np.subtract)


@op(Elementwise(np.exp), domain=elementwise(real), x=lambda g, y: g * y)
def exp(x, /):
    """Exponential, e to the power of `x`."""


@op(Elementwise(np.expm1), domain=elementwise(real), x=lambda g, y: g * (y + 1))
def expm1(x, /):
    """``exp(x) - 1``, accurate near 0."""


@op(Elementwise(np.exp2), domain=elementwise(real), x=lambda g, y: g * y * LOG_2)
def exp2(x, /):
    """2 to the power of `x`."""


@op(Elementwise(np.log), domain=elementwise(positive), x=lambda g, x: g / x)
def log(x, /):
    """Natural logarithm: -inf at 0, NaN below."""


@op(Elementwise(np.log1p), domain=elementwise(positive), x=lambda g, x: g / (x + 1))
def log1p(x, /):
    """``log(1 + x)``, accurate near 0."""


@op(Elementwise(np.log2), domain=elementwise(positive), x=lambda g, x: g / (x * LOG_2))
def log2(x, /):
    """Logarithm to base 2."""


@op(Elementwise(np.log10), domain=elementwise(positive), x=lambda g, x: g / (x * LOG_10))
def log10(x, /):
    """Logarithm to base 10."""


def base_cotangent(g, a, b):
    """Return the cotangent of the base of a power: exactly 0 where the exponent is 0."""
    if isinstance(b, (int, float)):
        return g * 0 if b == 0 else g * (b * a ** (b - 1))
    return where(b == 0, 0.0, g * (b * a ** (b - 1)))


def exponent_cotangent(g, a, b, y):
    """Return the cotangent of the exponent: exactly 0 where the base is 0 and the exponent is not
    negative, although log(0) is infinite."""
    base = cast(a, y.dtype) if isinstance(a, Tensor) and a.dtype.kind != "f" else a
    return where((a == 0) & (b >= 0), 0.0, g * (y * log(base)))


@op(Power(), domain=elementwise(positive, real), a=base_cotangent, b=exponent_cotangent)
def power(a, b, /):
    """Power, ``a ** b``.

    The derivatives at the edges are PyTorch's: with respect to `a` it is 0 where ``b == 0``; with
    respect to `b` it is 0 where ``a == 0`` and ``b >= 0``, and NaN where ``a < 0``.
    """


@op(Elementwise(np.sqrt), domain=elementwise(positive), x=lambda g, y: g / (2 * y))
def sqrt(x, /):
    """Square root: NaN below 0.  The derivative at 0 is infinite, as in PyTorch."""


@op(Elementwise(np.cbrt), domain=elementwise(positive), x=lambda g, y: g / (3 * y * y))
def cbrt(x, /):
    """Cube root, of negative numbers, too.  The derivative at 0 is infinite."""


@op(Elementwise(np.square), domain=elementwise(real), x=lambda g, x: g * (2 * x))
def square(x, /):
    """Square, ``x * x``."""


@op(
    Elementwise(np.reciprocal, lambda x: np.divide(1, x)),
    domain=elementwise(real),
    x=lambda g, y: -g * (y * y),
)
def reciprocal(x, /):
    """``1 / x``; integers give floats, as in `divide`."""


@op(Elementwise(np.sin), domain=elementwise(real), x=lambda g, x: g * cos(x))
def sin(x, /):
    """Sine of an angle in radians."""


@op(Elementwise(np.cos), domain=elementwise(real), x=lambda g, x: -g * sin(x))
def cos(x, /):
    """Cosine of an angle in radians."""


@op(Elementwise(np.tanh), domain=elementwise(real), x=lambda g, y: g * (1 - y * y))
def tanh(x, /):
    """Hyperbolic tangent."""


@op(sigmoid_kernel, domain=elementwise(real), x=lambda g, y: g * (y * (1 - y)))
def sigmoid(x, /):
    """Logistic function, ``1 / (1 + exp(-x))``, without overflow and accurate in both tails."""


def sum_in_logarithms(a, b):
    """Return ``log(exp(a) + exp(b))``: NumPy's formula by whole arrays, which is six times as fast."""
    with np.errstate(all="ignore"):
        if np.result_type(a, b).kind != "f":    # whose difference may wrap, or not be there
            return np.logaddexp(a, b)
        total = np.maximum(a, b) + np.log1p(np.exp(-np.abs(np.subtract(a, b))))
        # Of two infinities the difference is NaN.
        return np.logaddexp(a, b) if np.isnan(total).any() else total


@op(
    sum_in_logarithms,
    domain=elementwise(real, real),
    a=lambda g, a, b: g * share_of_first(a, b),
    b=lambda g, a, b: g * share_of_first(b, a),
)
def logaddexp(a, b, /):
    """``log(exp(a) + exp(b))``, without overflow.

    Where both are the same infinity, the derivatives are NaN, as in PyTorch.
    """


def sigmoid_of_difference(a, b):
    """Return ``sigmoid(a - b)`` of arrays or numbers."""
    return sigmoid_kernel(np.asarray(subtract_kernel(a, b)))


@op(
    sigmoid_of_difference,
    domain=elementwise(real, real),
    a=lambda g, a, b: g * (share_of_first(a, b) * share_of_first(b, a)),
    b=lambda g, a, b: -g * (share_of_first(a, b) * share_of_first(b, a)),
)
def share_of_first(a, b, /):
    """``exp(a) / (exp(a) + exp(b))``, the sigmoid of ``a - b``.

    Its derivative is the product of both shares, neither of which is taken from 1: so it is accurate in
    both tails, and the second derivative of `logaddexp` symmetric.
    """


@checked_call
def logaddexp2(a, b):
    """``log2(2**a + 2**b)``, without overflow.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.logaddexp2(tg.tensor(10.0), tg.tensor(10.0))
    tensor(11., dtype=float64)
    """
    a, b = tensors_of(a, b)
    return logaddexp(a * LOG_2, b * LOG_2) / LOG_2


@checked_call
def rsqrt(x):
    """``1 / sqrt(x)``: inf at 0, NaN below.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.rsqrt(tg.tensor([1.0, 4.0]))
    tensor([1. , 0.5], dtype=float64)
    """
    return 1.0 / sqrt(tensor_of(x))


@checked_call
def ldexp(x, exponent):
    """``x * 2**exponent``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.ldexp(tg.tensor([1.0, 3.0]), tg.tensor([2, -1]))
    tensor([4. , 1.5], dtype=float64)
    """
    x, exponent = real_tensor("ldexp", "x", x), tensor_of(exponent)
    factor = power(2.0, exponent)
    return x * (factor if exponent.dtype.kind == "f" else cast(factor, x.dtype))


@checked_call
def float_power(a, b):
    """``a ** b`` in float64, whatever the dtypes.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.float_power(tg.tensor([2, 3]), -1)
    tensor([0.5       , 0.33333333], dtype=float64)
    """
    return power(*[cast(x, np.dtype(np.float64)) for x in (a, b)])
