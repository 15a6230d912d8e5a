"""Special functions: the error function's family, log-gamma and its derivatives, logarithms with care."""

import functools
import math
from operator import index

import numpy as np

from tinygrad_relu.engine import checked_call
from tinygrad_relu.errors import ArgumentError, RangeError
from tinygrad_relu.kernels.loops.baseline import TAIL
from tinygrad_relu.kernels.special import (
    digamma_kernel,
    erf_kernel,
    erfc_kernel,
    erfinv_kernel,
    lgamma_kernel,
    polygamma_kernel,
)
from tinygrad_relu.ops.arithmetic import clamp, where
from tinygrad_relu.ops.domain import Draw, case, elementwise, positive, real
from tinygrad_relu.ops.exponential import exp, log, log1p, sqrt, square
from tinygrad_relu.ops.operands import real_tensor
from tinygrad_relu.ops.reductions import sum
from tinygrad_relu.ops.shapes import reshape
from tinygrad_relu.ops.table import op
from tinygrad_relu.ops.trigonometric import atanh, inside_one
from tinygrad_relu.ops.values import floating, tensor_of, tensors_of

TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)
between_poles = Draw(lambda rng, shape: -rng.integers(1, 4, shape) + rng.uniform(0.3, 0.7, shape))


@op(erf_kernel, domain=elementwise(real), x=lambda g, x: g * (exp(-x * x) * TWO_OVER_ROOT_PI))
def erf(x, /):
    """Error function.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.erf(tg.tensor([0.0, 1.0]))
    tensor([0.        , 0.84270079], dtype=float64)
    """


@op(erfc_kernel, domain=elementwise(real), x=lambda g, x: g * (exp(-x * x) * -TWO_OVER_ROOT_PI))
def erfc(x, /):
    """``1 - erf(x)``, accurate where that is near 0."""


@op(
    erfinv_kernel,
    domain=elementwise(inside_one),
    x=lambda g, y: g * (exp(y * y) * (1 / TWO_OVER_ROOT_PI)),
)
def erfinv(x, /):
    """Inverse of `erf`: infinite at -1 and 1, as its derivative, and NaN beyond."""


@checked_call
def ndtr(x):
    """Distribution function of the standard normal distribution, accurate in both tails.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.special.ndtr(tg.tensor([-1.0, 0.0]))
    tensor([0.15865525, 0.5       ], dtype=float64)
    """
    return erfc(real_tensor("ndtr", "x", x) * -math.sqrt(0.5)) / 2


@checked_call
def erfcx(x):
    """``exp(x * x) * erfc(x)``, which does not underflow: about ``0.56 / x`` for large `x`.

    For ``x >= 0`` it is a polynomial in ``(x - 3) / (x + 3)`` over ``1 + 2 * x``, that of `erfc`
    (`kernels/loops/error_function.pxi`), so that derivatives keep their digits.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.special.erfcx(tg.tensor([0.0, 100.0]))
    tensor([1.        , 0.00564161], dtype=float64)
    """
    x = real_tensor("erfcx", "x", x)
    negative = x < 0
    found = upper_erfcx(where(negative, -x, x))
    return where(negative, 2 * exp(square(where(negative, x, 0.0))) - found, found)


def upper_erfcx(x):
    """Return `erfcx` of what is not negative."""
    t = 1 - 6 / (x + 3)
    total = TAIL[-1]
    for coefficient in TAIL[-2::-1]:
        total = t * total + coefficient
    return total / (1 + 2 * x)


@checked_call
def log_ndtr(x):
    """Logarithm of `ndtr`, which keeps its digits where that underflows, and where it is nearly 1.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.special.log_ndtr(tg.tensor([-40.0, -1.0]))
    tensor([-804.60844201,   -1.84102165], dtype=float64)
    """
    x = real_tensor("log_ndtr", "x", x)
    low = x < -1
    lower = where(low, x, -1.0)
    upper = log1p(erfc(where(low, 0.0, x) * math.sqrt(0.5)) / -2)
    return where(low, log(upper_erfcx(lower * -math.sqrt(0.5)) / 2) - square(lower) / 2, upper)


@checked_call
def ndtri(p):
    """Inverse of `ndtr`, accurate down to the least `p`; infinite at 0 and 1, NaN beyond.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.special.ndtri(tg.tensor([1e-300, 0.5]))
    tensor([-37.0470963,   0.       ], dtype=float64)
    """
    p = real_tensor("ndtri", "p", p)
    small = where(p < 0.5, p, 1 - p)
    tail = (small > 0) & (small < 0.25)
    middle = math.sqrt(2) * erfinv(where(tail, 0.5, p) * 2 - 1)
    outer = lower_quantile(where(tail, small, 0.1))
    return where(tail, where(p < 0.5, outer, -outer), middle)


def lower_quantile(p):
    """Return x < 0 with ``ndtr(x) == p``, by Newton's method for ``log_ndtr(x) == log(p)``.

    That function is concave, so all steps go one way.  The last steps are on record: each doubles the
    orders of derivatives that are right, so that those up to the seventh are.
    """
    target = log(p)
    x = -sqrt(-2 * target.detach())
    for step in range(8):
        scaled = upper_erfcx(x * -math.sqrt(0.5))
        excess = log(scaled / 2) - square(x) / 2 - (target.detach() if step < 5 else target)
        x = x - excess * scaled * math.sqrt(math.pi / 2)
    return x


@checked_call
def multigammaln(x, p):
    """Logarithm of the gamma function of `p` dimensions, for ``x > (p - 1) / 2``.

    It is a sum of `lgamma`: Muirhead (1982), "Aspects of Multivariate Statistical Theory", 2.1.12.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.special.multigammaln(tg.tensor([2.0]), 2)
    tensor([0.45158271], dtype=float64)
    """
    if isinstance(p, bool) or not isinstance(p, int) or p < 1:
        raise RangeError(f"multigammaln: p is {p!r}: it is a whole number from 1 on")
    x = floating("multigammaln", x)
    constant = p * (p - 1) / 4 * math.log(math.pi)
    return sum(lgamma(reshape(x, *x.shape, 1) - np.arange(p) / 2), -1) + constant


def gamma_family(x, order):
    """Return the derivative of some order of log-gamma."""
    if isinstance(order, bool) or not isinstance(order, int):
        raise ArgumentError(f"log_gamma: order is {order!r}: it is a whole number")
    if not 0 <= order <= 171:
        raise RangeError(f"log_gamma: order is {order}: those from 0 to 171 can be computed")
    x = np.asarray(x)
    if order == 0:
        return lgamma_kernel(x)
    return digamma_kernel(x) if order == 1 else polygamma_kernel(float(order - 1), x)


@op(
    gamma_family,
    domain=[
        *elementwise(positive),
        case(between_poles(2, 3)),
        case(positive(2, 3), order=1),
        case(between_poles(3), order=2),
        case(positive(3), order=4),
    ],
    x=lambda g, x, order: g * log_gamma(x, order + 1),
)
def log_gamma(x, /, order=0):
    """Logarithm of the absolute value of the gamma function, or its derivative of some order."""


@checked_call
def lgamma(x):
    """Logarithm of the absolute value of the gamma function: inf at its poles.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.lgamma(tg.tensor([1.0, 5.0]))
    tensor([0.        , 3.17805383], dtype=float64)
    """
    return log_gamma(x)


@checked_call
def digamma(x):
    """Derivative of `lgamma`: -inf at 0, NaN at the other poles, as in PyTorch.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.digamma(tg.tensor([1.0, 2.0]))
    tensor([-0.57721566,  0.42278434], dtype=float64)
    """
    return log_gamma(x, 1)


@checked_call
def polygamma(n, x):
    """Derivative of order `n` of `digamma`, for `n` up to 169.

    At poles, it is inf where `n` is odd; where `n` is even, it jumps, and is NaN but at 0, of whose
    sign it takes the side.  (PyTorch gives -inf.)

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.polygamma(1, tg.tensor([1.0]))
    tensor([1.64493407], dtype=float64)
    """
    try:
        n = index(n)
    except TypeError:
        raise ArgumentError(f"polygamma: n is {n!r}: it is a whole number, and comes first") from None
    if not 0 <= n < 170:
        raise RangeError(f"polygamma: n is {n}: orders from 0 to 169 can be computed")
    return log_gamma(x, n + 1)


@functools.partial(checked_call, title="polygamma")
def polygamma_of(x, n):
    """Derivative of order `n` of `digamma`: the method of `polygamma`."""
    return polygamma(n, x)


@checked_call
def logit(x, eps=None):
    """``log(x / (1 - x))``, the inverse of `sigmoid`: NaN beyond 0 and 1.

    Parameters
    ----------
    x : Tensor
    eps : float, optional
        If given, `x` is limited to between `eps` and ``1 - eps`` first.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.logit(tg.tensor([0.5, 0.9]))
    tensor([0.        , 2.19722458], dtype=float64)
    """
    x = tensor_of(x)
    if eps is not None:
        x = clamp(x, eps, 1 - eps)
    # Of the two forms each is accurate where it is taken: the first near 0, the other elsewhere.
    near = x < 0.25
    low, high = where(near, x, 0.2), where(near, 0.5, x)
    found = where(near, log(low) - log1p(-low), 2 * atanh(2 * high - 1))
    # atanh has a formula for its slope beyond its domain, but no values that this were the slope of.
    beyond = (x < 0) | (x > 1)
    return where(beyond, where(beyond, x, 0.0) * math.nan, found)


def product_with_log(x, y, logarithm, pole):
    """Return ``x * logarithm(y)``, and 0 where `x` is 0 and the logarithm infinite or undefined."""
    x, y = (real_tensor(logarithm.name, "x or y", part) for part in tensors_of(x, y))
    nothing = (x == 0) & ((y <= pole) | (y == math.inf))
    return where(nothing, 0.0, x * logarithm(where(nothing, pole + 1.0, y)))


@checked_call
def xlogy(x, y):
    """``x * log(y)``, and 0 where `x` is 0, unless `y` is NaN.

    Where `x` is 0 and the logarithm is not finite, both derivatives are 0; PyTorch gives NaN for that of
    `y` at ``x == y == 0``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.xlogy(tg.tensor([0.0, 2.0]), tg.tensor([0.0, 1.0]))
    tensor([0., 0.], dtype=float64)
    """
    return product_with_log(x, y, log, 0)


@checked_call
def xlog1py(x, y):
    """``x * log1p(y)``, and 0 where `x` is 0, unless `y` is NaN; see `xlogy`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.special.xlog1py(tg.tensor([0.0, 2.0]), tg.tensor([-1.0, 0.0]))
    tensor([0., 0.], dtype=float64)
    """
    return product_with_log(x, y, log1p, -1)


@checked_call
def entr(x):
    """``-x * log(x)``, the terms of an entropy: 0 at 0, where the derivative is inf, and -inf below.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.special.entr(tg.tensor([0.0, 0.5]))
    tensor([0.        , 0.34657359], dtype=float64)
    """
    x = real_tensor("entr", "x", x)
    value = -x * log(where(x > 0, x, 1.0))
    # At 0, the square root has the value and the derivative that are wanted; of -0.0, it has not.
    return where(x == 0, sqrt(x + 0.0), where(x < 0, -math.inf, value))
