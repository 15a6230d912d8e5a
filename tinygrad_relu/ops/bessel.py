"""Modified Bessel functions of the first kind, of order 0 and 1, by two series made of ops.

So derivatives of every order are there.  Up to `FAR` it is the power series (NIST DLMF 10.25.2), in which
nothing cancels, and from there on the asymptotic one (10.40.1), whose terms are below rounding there
before they grow.
"""

import math

from tinygrad_relu.engine import checked_call
from tinygrad_relu.ops.arithmetic import absolute, sign, where
from tinygrad_relu.ops.exponential import exp, reciprocal, sqrt, square
from tinygrad_relu.ops.operands import real_tensor

FAR = 20.0


def nested(ratios, t):
    """Return ``1 + r1 t (1 + r2 t (1 + ...))``: a series by the ratios of its terms, less ``t``."""
    total = 1.0
    for ratio in reversed(ratios):
        total = t * ratio * total + 1.0
    return total


def series(x, order):
    """Return I(x) where `x` is near 0, ``exp(-abs(x)) * I(x)`` elsewhere, and where it is near."""
    near = absolute(x) < FAR
    half = where(near, x, 0.0) / 2
    powers = nested([1 / (k * (k + order)) for k in range(1, 46)], square(half))
    far = ~near & (absolute(x) != math.inf)
    t = reciprocal(where(far, absolute(x), FAR))
    tail = nested([((2 * k - 1) ** 2 - 4 * order**2) / (8 * k) for k in range(1, 27)], t)
    tail = where(absolute(x) == math.inf, 0.0, tail * sqrt(t / (2 * math.pi)))
    return where(near, powers * half, tail * sign(x)) if order else where(near, powers, tail), near


def bessel(x, order):
    """Return I(x); the exponential comes in two halves, which overflow no sooner than the result."""
    found, near = series(x, order)
    infinite = absolute(x) == math.inf
    growth = exp(where(near | infinite, 0.0, absolute(x)) / 2)
    beyond = where(infinite, x if order else absolute(x), 1.0) * math.inf
    return where(infinite, beyond, growth * (growth * found))


def damped(x, order):
    """Return ``exp(-abs(x)) * I(x)``."""
    found, near = series(x, order)
    return found * exp(where(near, -absolute(x), 0.0))


@checked_call
def i0(x):
    """Modified Bessel function of the first kind of order 0.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.special.i0(tg.tensor([0.0, 1.0]))
    tensor([1.        , 1.26606588], dtype=float64)
    """
    return bessel(real_tensor("i0", "x", x), 0)


@checked_call
def i0e(x):
    """``exp(-abs(x)) * i0(x)``, which does not overflow.  The derivative at 0 is 0, as in PyTorch.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.special.i0e(tg.tensor([0.0, 1000.0]))
    tensor([1.        , 0.01261724], dtype=float64)
    """
    return damped(real_tensor("i0e", "x", x), 0)


@checked_call
def i1(x):
    """Modified Bessel function of the first kind of order 1, the derivative of `i0`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.special.i1(tg.tensor([0.0, 1.0]))
    tensor([0.       , 0.5651591], dtype=float64)
    """
    return bessel(real_tensor("i1", "x", x), 1)


@checked_call
def i1e(x):
    """``exp(-abs(x)) * i1(x)``, which does not overflow.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.special.i1e(tg.tensor([0.0, -1000.0]))
    tensor([ 0.        , -0.01261093], dtype=float64)
    """
    return damped(real_tensor("i1e", "x", x), 1)
