"""Angles: trigonometric and hyperbolic functions with their inverses, elementwise."""

import math

import numpy as np

from tinygrad_relu.engine import checked_call
from tinygrad_relu.kernels.elementwise import Elementwise
from tinygrad_relu.ops.arithmetic import where
from tinygrad_relu.ops.domain import Draw, case, elementwise, real
from tinygrad_relu.ops.exponential import sqrt
from tinygrad_relu.ops.table import op
from tinygrad_relu.ops.values import tensor_of

inside_one = Draw(lambda rng, shape: rng.uniform(0.2, 0.8, shape) * rng.choice([-1.0, 1.0], shape))
above_one = Draw(lambda rng, shape: rng.uniform(1.3, 3.0, shape))
small_angle = Draw(lambda rng, shape: rng.uniform(0.2, 1.2, shape) * rng.choice([-1.0, 1.0], shape))
around_zero = Draw(lambda rng, shape: rng.uniform(-0.02, 0.02, shape))


@op(Elementwise(np.tan), domain=elementwise(small_angle), x=lambda g, y: g * (1 + y * y))
def tan(x, /):
    """Tangent of an angle in radians."""


@op(Elementwise(np.arcsin), domain=elementwise(inside_one), x=lambda g, x: g / sqrt((1 - x) * (1 + x)))
def asin(x, /):
    """Inverse sine, in radians: NaN beyond -1 and 1.  The derivative there is infinite."""


@op(
    Elementwise(np.arccos),
    domain=elementwise(inside_one),
    x=lambda g, x: -g / sqrt((1 - x) * (1 + x)),
)
def acos(x, /):
    """Inverse cosine, in radians: NaN beyond -1 and 1.  The derivative there is infinite."""


@op(Elementwise(np.arctan), domain=elementwise(real), x=lambda g, x: g / (1 + x * x))
def atan(x, /):
    """Inverse tangent, in radians."""


def to_leg(g, leg, y):
    """Return the cotangent of one leg of a right triangle for that of its hypotenuse `y`."""
    return g * (leg / where(y == 0, 1.0, y))


@op(
    Elementwise(np.hypot),
    domain=elementwise(real, real),
    a=lambda g, a, y: to_leg(g, a, y),
    b=lambda g, b, y: to_leg(g, b, y),
)
def hypot(a, b, /):
    """``sqrt(a ** 2 + b ** 2)``, without overflow.

    The derivatives where both are 0 are 0, as those of `norm`; PyTorch's ``hypot`` gives NaN there.
    """


@op(
    Elementwise(np.arctan2),
    domain=elementwise(real, real),
    a=lambda g, a, b: to_leg(g, b, hypot(a, b)) / where((a == 0) & (b == 0), 1.0, hypot(a, b)),
    b=lambda g, a, b: -to_leg(g, a, hypot(a, b)) / where((a == 0) & (b == 0), 1.0, hypot(a, b)),
)
def atan2(a, b, /):
    """Angle of the point with abscissa `b` and ordinate `a`, in radians from -pi to pi.

    The derivatives where both are 0 are 0, as in PyTorch.
    """


@op(Elementwise(np.sinh), domain=elementwise(real), x=lambda g, x: g * cosh(x))
def sinh(x, /):
    """Hyperbolic sine."""


@op(Elementwise(np.cosh), domain=elementwise(real), x=lambda g, x: g * sinh(x))
def cosh(x, /):
    """Hyperbolic cosine."""


@op(Elementwise(np.arcsinh), domain=elementwise(real), x=lambda g, x: g / hypot(x, 1.0))
def asinh(x, /):
    """Inverse hyperbolic sine."""


@op(
    Elementwise(np.arccosh),
    domain=elementwise(above_one),
    x=lambda g, x: g / (sqrt(x - 1) * sqrt(x + 1)),
)
def acosh(x, /):
    """Inverse hyperbolic cosine: NaN below 1.  The derivative at 1 is infinite."""


@op(Elementwise(np.arctanh), domain=elementwise(inside_one), x=lambda g, x: g / ((1 - x) * (1 + x)))
def atanh(x, /):
    """Inverse hyperbolic tangent: infinite at -1 and 1, NaN beyond."""


def derivative_of_sinc(x, order):
    """Return the derivative of some order of ``sin(pi x) / (pi x)``, in the precision of `x`.

    By the Taylor series around 0, and beyond by ``z f[n](z) = sin(z + n pi / 2) - n f[n - 1](z)``.
    """
    with np.errstate(all="ignore"):
        if order == 0:
            return np.sinc(x)
        z = np.asarray(x) * math.pi
        dtype, z = z.dtype, z.astype(np.float64)
        # Below this the recurrence would lose digits, and above it the series would.
        near = np.abs(z) <= order + 1
        small, large = np.where(near, z, 0.0), np.where(near, 1.0, z)
        series, squared, first = 0.0, small * small, (order + 1) // 2
        for k in range(first + 10 + 2 * order, first - 1, -1):
            series = series * squared + (-1) ** k / (math.factorial(2 * k - order) * (2 * k + 1))
        if order % 2:
            series = series * small
        far = np.sin(large) / large
        for k in range(1, order + 1):
            far = (np.sin(large + k * (math.pi / 2)) - k * far) / large
        return (np.where(near, series, far) * math.pi**order).astype(dtype)


@op(
    derivative_of_sinc,
    domain=[
        *elementwise(real),
        case(around_zero(2, 3)),
        case(real(2, 3), order=2),
        case(around_zero(3), order=1),
    ],
    x=lambda g, x, order: g * sinc_derivative(x, order + 1),
)
def sinc_derivative(x, /, order=0):
    """Derivative of some order of ``sin(pi x) / (pi x)``."""


@checked_call
def sinc(x):
    """``sin(pi x) / (pi x)``, and 1 at 0.  Its derivatives are accurate near 0, too.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.sinc(tg.tensor([0.0, 0.5]))
    tensor([1.        , 0.63661977], dtype=float64)
    """
    return sinc_derivative(x)


@checked_call
def deg2rad(x):
    """Degrees in radians.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.deg2rad(tg.tensor(180.0))
    tensor(3.14159265, dtype=float64)
    """
    return tensor_of(x) * (math.pi / 180)


@checked_call
def rad2deg(x):
    """Radians in degrees.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.rad2deg(tg.tensor(3.141592653589793))
    tensor(180., dtype=float64)
    """
    return tensor_of(x) * (180 / math.pi)
