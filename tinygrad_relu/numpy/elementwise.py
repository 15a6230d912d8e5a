"""The NumPy dialect: elementwise functions, which are the ops under NumPy's names."""

import numpy as np

from tinygrad_relu.engine import Tensor
from tinygrad_relu.errors import ArgumentError
from tinygrad_relu.numpy.calling import (
    array_of,
    as_floats,
    dialect,
    elementwise,
    of_numpy_for_whole,
    tensor_of,
)
from tinygrad_relu.ops import arithmetic, exponential, logical, trigonometric
from tinygrad_relu.ops.shapes import cast

abs = absolute = elementwise(arithmetic.absolute, "x")
acos = arccos = elementwise(trigonometric.acos, "x")
acosh = arccosh = elementwise(trigonometric.acosh, "x")
add = elementwise(arithmetic.add, "x1", "x2")
asin = arcsin = elementwise(trigonometric.asin, "x")
asinh = arcsinh = elementwise(trigonometric.asinh, "x")
atan = arctan = elementwise(trigonometric.atan, "x")
atan2 = arctan2 = elementwise(trigonometric.atan2, "x1", "x2")
atanh = arctanh = elementwise(trigonometric.atanh, "x")
bitwise_and = elementwise(arithmetic.bitwise_and, "x1", "x2")
bitwise_invert = bitwise_not = invert = elementwise(arithmetic.invert, "x")
bitwise_left_shift = left_shift = elementwise(logical.bitwise_left_shift, "x1", "x2")
bitwise_or = elementwise(arithmetic.bitwise_or, "x1", "x2")
bitwise_right_shift = right_shift = elementwise(logical.bitwise_right_shift, "x1", "x2")
bitwise_xor = elementwise(arithmetic.bitwise_xor, "x1", "x2")
cbrt = elementwise(exponential.cbrt, "x")
ceil = elementwise(arithmetic.ceil, "x")
conj = conjugate = real = elementwise(arithmetic.positive, "x")
copysign = elementwise(as_floats(np.copysign, arithmetic.copysign), "x1", "x2")
cos = elementwise(exponential.cos, "x")
cosh = elementwise(trigonometric.cosh, "x")
deg2rad = radians = elementwise(as_floats(np.deg2rad, trigonometric.deg2rad), "x")
divide = true_divide = elementwise(arithmetic.divide, "x1", "x2")
equal = elementwise(arithmetic.equal, "x1", "x2")
fabs = elementwise(as_floats(np.fabs, arithmetic.absolute), "x")
exp = elementwise(exponential.exp, "x")
exp2 = elementwise(exponential.exp2, "x")
expm1 = elementwise(exponential.expm1, "x")
fix = trunc = elementwise(arithmetic.trunc, "x")
float_power = elementwise(exponential.float_power, "x1", "x2")
floor = elementwise(arithmetic.floor, "x")
floor_divide = elementwise(of_numpy_for_whole(np.floor_divide, arithmetic.floor_divide), "x1", "x2")
fmax = elementwise(arithmetic.fmax, "x1", "x2")
fmin = elementwise(arithmetic.fmin, "x1", "x2")
fmod = elementwise(of_numpy_for_whole(np.fmod, arithmetic.fmod), "x1", "x2")
gcd = elementwise(logical.gcd, "x1", "x2")
greater = elementwise(arithmetic.greater, "x1", "x2")
greater_equal = elementwise(arithmetic.greater_equal, "x1", "x2")
heaviside = elementwise(as_floats(np.heaviside, arithmetic.heaviside), "x1", "x2")
hypot = elementwise(trigonometric.hypot, "x1", "x2")
isfinite = elementwise(arithmetic.isfinite, "x")
isinf = elementwise(arithmetic.isinf, "x")
isnan = elementwise(arithmetic.isnan, "x")
isneginf = elementwise(logical.isneginf, "x")
isposinf = elementwise(logical.isposinf, "x")
lcm = elementwise(logical.lcm, "x1", "x2")
ldexp = elementwise(exponential.ldexp, "x1", "x2")
less = elementwise(arithmetic.less, "x1", "x2")
less_equal = elementwise(arithmetic.less_equal, "x1", "x2")
log = elementwise(exponential.log, "x")
log10 = elementwise(exponential.log10, "x")
log1p = elementwise(exponential.log1p, "x")
log2 = elementwise(exponential.log2, "x")
logaddexp = elementwise(as_floats(np.logaddexp, exponential.logaddexp), "x1", "x2")
logaddexp2 = elementwise(as_floats(np.logaddexp2, exponential.logaddexp2), "x1", "x2")
logical_and = elementwise(logical.logical_and, "x1", "x2")
logical_not = elementwise(logical.logical_not, "x")
logical_or = elementwise(logical.logical_or, "x1", "x2")
logical_xor = elementwise(logical.logical_xor, "x1", "x2")
maximum = elementwise(arithmetic.maximum, "x1", "x2")
minimum = elementwise(arithmetic.minimum, "x1", "x2")
mod = remainder = elementwise(of_numpy_for_whole(np.remainder, arithmetic.remainder), "x1", "x2")
multiply = elementwise(arithmetic.multiply, "x1", "x2")
negative = elementwise(arithmetic.negative, "x")
nextafter = elementwise(arithmetic.nextafter, "x1", "x2")
not_equal = elementwise(arithmetic.not_equal, "x1", "x2")
positive = elementwise(arithmetic.positive, "x")
pow = power = elementwise(exponential.power, "x1", "x2")
rad2deg = degrees = elementwise(as_floats(np.rad2deg, trigonometric.rad2deg), "x")
reciprocal = elementwise(of_numpy_for_whole(np.reciprocal, exponential.reciprocal), "x")
rint = elementwise(arithmetic.rint, "x")
sign = elementwise(arithmetic.sign, "x")
signbit = elementwise(arithmetic.signbit, "x")
sin = elementwise(exponential.sin, "x")
sinc = elementwise(trigonometric.sinc, "x")
sinh = elementwise(trigonometric.sinh, "x")
sqrt = elementwise(exponential.sqrt, "x")
square = elementwise(exponential.square, "x")
subtract = elementwise(arithmetic.subtract, "x1", "x2")
tan = elementwise(trigonometric.tan, "x")
tanh = elementwise(exponential.tanh, "x")


@dialect
def imag(x, /):
    """Zeros of the shape and dtype of `x`, which is real."""
    return Tensor(np.zeros_like(array_of(x)))


@dialect
def divmod(x1, x2, /):
    """`floor_divide` and `remainder`, a tuple."""
    return floor_divide(x1, x2), remainder(x1, x2)


@dialect
def round(a, decimals=0):
    """`a` to the nearest number of so many decimals, halves to the even one.  The derivative is 0."""
    a = tensor_of(a)
    a = cast(a, np.dtype(np.float16)) if a.dtype == bool else a     # as NumPy's rint has it
    if decimals == 0:
        return arithmetic.rint(a) if a.dtype.kind == "f" else a
    if a.dtype.kind != "f":
        return tensor_of(np.round(array_of(a), decimals))
    scale = 10.0 ** builtin_abs(decimals)
    if decimals < 0:
        return arithmetic.rint(a / scale) * scale
    return arithmetic.rint(a * scale) / scale


around = round


@dialect
def clip(a, a_min=None, a_max=None, /, *, min=None, max=None):
    """`a`, but at least one limit and at most another; where they cross, the latter.

    At a limit the gradient passes to `a`, beyond it to the limit.
    """
    if (a_min is not None and min is not None) or (a_max is not None and max is not None):
        raise ArgumentError("clip: a limit is given twice, by position and by name")
    low, high = min if a_min is None else a_min, max if a_max is None else a_max
    limits = [x if x is None or isinstance(x, (int, float)) else tensor_of(x) for x in (low, high)]
    return arithmetic.clamp(tensor_of(a), *limits)


@dialect
def nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None):
    """`x` with numbers for NaN and the infinities, by default 0 and the largest that there are."""
    return arithmetic.nan_to_num(tensor_of(x), nan, posinf, neginf)


@dialect
def isclose(a, b, rtol=1e-5, atol=1e-8, equal_nan=False):
    """Whether ``abs(a - b) <= atol + rtol * abs(b)``, elementwise."""
    return logical.isclose(tensor_of(a), tensor_of(b), rtol, atol, equal_nan)


@dialect
def allclose(a, b, rtol=1e-5, atol=1e-8, equal_nan=False):
    """Whether all elements are close in the sense of `isclose`, a Python bool."""
    return bool(array_of(isclose(a, b, rtol, atol, equal_nan)).all())


@dialect
def array_equal(a1, a2, equal_nan=False):
    """Whether two have one shape and the same elements, a Python bool: PyTorch's ``equal``."""
    return bool(np.array_equal(array_of(a1), array_of(a2), equal_nan))


def builtin_abs(n):
    """Return the magnitude of a Python number, whose own function has lost its name here."""
    return n if n >= 0 else -n
