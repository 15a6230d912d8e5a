"""Arithmetic, comparison and choice, elementwise and with NumPy's broadcasting."""

import functools

import numpy as np

from tinygrad_relu.engine import checked_call, get_default_dtype
from tinygrad_relu.errors import ArgumentError, DivisionByZeroError, DTypeError
from tinygrad_relu.kernels.elementwise import Elementwise
from tinygrad_relu.kernels.gate import Limit
from tinygrad_relu.ops.domain import (
    between_multiples,
    boolean,
    elementwise,
    near_whole,
    real,
    unit,
)
from tinygrad_relu.ops.shapes import cast
from tinygrad_relu.ops.table import ZERO, op
from tinygrad_relu.ops.values import check_broadcast, tensor_of, tensors_of, without_derivative

# --------------------------------------------------------------------------------- arithmetic


@op(Elementwise(np.add), domain=elementwise(real, real), a=lambda g: g, b=lambda g: g)
def add(a, b, /):
    """Sum, ``a + b``."""


@op(Elementwise(np.subtract), domain=elementwise(real, real), a=lambda g: g, b=lambda g: -g)
def subtract(a, b, /):
    """Difference, ``a - b``."""


@op(
    Elementwise(np.multiply),
    domain=elementwise(real, real),
    a=lambda g, b: g * b,
    b=lambda g, a: g * a,
)
def multiply(a, b, /):
    """Product, ``a * b``."""


@op(
    Elementwise(np.divide),
    domain=elementwise(real, real),
    a=lambda g, b: g / b,
    b=lambda g, a, b: -g * (a / b) / b,
)
def divide(a, b, /):
    """Quotient, ``a / b``; integers give floats."""


@add.widened
def with_alpha(a, b, *, alpha=1):
    """``a + alpha * b``: `add` with PyTorch's keyword."""
    return add(a, multiply(b, alpha))


@subtract.widened
def less_alpha(a, b, *, alpha=1):
    """``a - alpha * b``: `subtract` with PyTorch's keyword."""
    return subtract(a, multiply(b, alpha))


@divide.widened
def rounded_quotient(a, b, *, rounding_mode=None):
    """``a / b``, rounded down ("floor") or towards 0 ("trunc"): `divide` with PyTorch's keyword.

    Rounded, the derivative is 0.
    """
    if rounding_mode is None:
        return divide(a, b)
    if rounding_mode == "floor":
        return floor_divide(a, b)
    if rounding_mode != "trunc":
        raise ArgumentError(f"div: rounding_mode is {rounding_mode!r}: it is 'floor', 'trunc' or None")
    a, b = tensors_of(a, b)
    if np.result_type(a.dtype, b.dtype).kind == "f":
        return trunc(divide(a, b))
    return divide_whole(a, b)


def of_whole_numbers(ufunc):
    """Return what divides integers by a ufunc of NumPy, but raises where they are divided by 0."""

    def divided(a, b):
        if not np.all(b):
            raise DivisionByZeroError(
                f"{ufunc.__name__}: integers were divided by 0: make them floats, for infinity and NaN"
            )
        return ufunc(a, b)

    return divided


@op(
    Elementwise(np.floor_divide, of_whole_numbers(np.floor_divide)),
    domain=elementwise(between_multiples, unit),
    a=ZERO,
    b=ZERO,
)
def floor_divide(a, b, /):
    """Quotient rounded down, ``a // b``; integers raise where they are divided by 0, as in PyTorch.

    The derivative is 0, also where it jumps.
    """


@op(
    Elementwise(np.remainder, of_whole_numbers(np.remainder)),
    domain=elementwise(between_multiples, unit),
    a=lambda g: g,
    b=lambda g, a, b: -g * (a // b),
)
def remainder(a, b, /):
    """Remainder with the sign of the divisor, ``a % b == a - b * (a // b)``.

    Integers raise where they are divided by 0, as in PyTorch.
    """


@op(Elementwise(np.negative), domain=elementwise(real), x=lambda g: -g)
def negative(x, /):
    """Negation, ``-x``."""


@op(Elementwise(np.absolute), domain=elementwise(real), x=lambda g, x: g * sign(x))
def absolute(x, /):
    """Absolute value, ``abs(x)``.  The derivative at 0 is 0."""


@op(Elementwise(np.sign), domain=elementwise(real), x=ZERO)
def sign(x, /):
    """Sign: -1, 0 or 1.  The derivative is 0, also at 0, where it jumps."""


@op(Elementwise(np.floor), domain=elementwise(between_multiples), x=ZERO)
def floor(x, /):
    """Round down.  The derivative is 0, also where it jumps."""


@op(Elementwise(np.ceil), domain=elementwise(between_multiples), x=ZERO)
def ceil(x, /):
    """Round up.  The derivative is 0, also where it jumps."""


@op(Elementwise(np.rint), domain=elementwise(near_whole), x=ZERO)
def rint(x, /):
    """Round to the nearest whole number, halves to the even one.  The derivative is 0."""


@functools.partial(checked_call, title="round")
def rounded(x, decimals=0):
    """Round to a number of decimals, which may be negative, halves to the even one.

    The derivative is 0.  Integers stay what they are; with decimals they have to be floats.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.round(tg.tensor([0.5, 1.26, 1.75]), decimals=1)
    tensor([0.5, 1.3, 1.8], dtype=float64)
    """
    x = tensor_of(x)
    if x.dtype.kind != "f" and decimals:
        raise DTypeError(f"round: decimals are for floats, and x is {x.dtype}: cast it first")
    if x.dtype.kind != "f":
        return positive(x)
    scale = 10.0 ** abs(decimals)
    if decimals < 0:
        return multiply(rint(divide(x, scale)), scale)
    return divide(rint(multiply(x, scale)), scale) if decimals else rint(x)


@checked_call
def positive(x):
    """``+x``: `x` itself.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.positive(tg.tensor([-1.0]))
    tensor([-1.], dtype=float64)
    """
    return tensor_of(x)


@checked_call
def trunc(x):
    """Round towards 0.  The derivative is 0, also where it jumps.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.trunc(tg.tensor([-1.5, 1.5]))
    tensor([-1.,  1.], dtype=float64)
    """
    return where(less(x, 0), ceil(x), floor(x))


@checked_call
def frac(x):
    """``x - trunc(x)``, which has the sign of `x`.  The derivative is 1.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.frac(tg.tensor([-1.5, 1.25]))
    tensor([-0.5 ,  0.25], dtype=float64)
    """
    return subtract(x, trunc(x))


@checked_call
def fmod(a, b):
    """Remainder with the sign of `a`, ``a - b * trunc(a / b)`` but exact: C's ``fmod``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.fmod(tg.tensor([-5.5, 5.5]), 2.0)
    tensor([-1.5,  1.5], dtype=float64)
    """
    a, b = tensors_of(a, b)
    dtype = np.result_type(a.dtype, b.dtype)
    if dtype.kind != "f":       # whose negative may wrap, or not be there
        return fmod_of_whole_numbers(a, b)
    a, divisor = cast(a, dtype), abs(b)
    return where(signbit(a), -remainder(-a, divisor), remainder(a, divisor))


@without_derivative
def divide_whole(a, b):
    """Quotient of integers, rounded towards 0."""
    quotient, rest = of_whole_numbers(np.divmod)(a, b)
    return quotient + ((rest != 0) & ((rest < 0) != (np.asarray(a) < 0)))


@without_derivative
def fmod_of_whole_numbers(a, b):
    """Remainder of integers with the sign of `a`."""
    return of_whole_numbers(np.fmod)(a, b)


@without_derivative
def signbit(x):
    """Whether the sign bit is set, boolean: of -0.0, too.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.signbit(tg.tensor([-0.0, 0.0, -1.0]))
    tensor([ True, False,  True], dtype=bool)
    """
    return np.signbit(x)


@without_derivative
def nextafter(a, b):
    """The next floating-point number after `a` in the direction of `b`.  It has no derivative.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nextafter(tg.tensor(1.0), tg.tensor(2.0)).item() - 1
    2.220446049250313e-16
    """
    check_broadcast("nextafter", a, b)
    return np.nextafter(a, b)


@checked_call
def copysign(a, b):
    """`a` with the sign of `b`.  The derivative where `a` is 0 is 0, as in PyTorch; `b` gets none.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.copysign(tg.tensor([1.0, -2.0]), tg.tensor([-0.0, 3.0]))
    tensor([-1.,  2.], dtype=float64)
    """
    a, b = tensors_of(a, b)
    dtype = np.result_type(a.dtype, b.dtype)
    magnitude = cast(abs(a), dtype if dtype.kind == "f" else get_default_dtype())
    return where(signbit(b), -magnitude, magnitude)


@checked_call
def lerp(start, end, weight):
    """``start + weight * (end - start)``: exactly `start` at weight 0 and `end` at weight 1.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.lerp(tg.tensor([0.0, 2.0]), tg.tensor([4.0, 4.0]), 0.25)
    tensor([1. , 2.5], dtype=float64)
    """
    start, end, weight = tensors_of(start, end, weight)
    way = end - start
    return where(abs(weight) < 0.5, start + weight * way, end - way * (1 - weight))


@checked_call
def addcmul(x, tensor1, tensor2, value=1):
    """``x + value * tensor1 * tensor2``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.addcmul(tg.tensor(1.0), tg.tensor(2.0), tg.tensor(3.0), value=0.5)
    tensor(4., dtype=float64)
    """
    return add(x, value * multiply(tensor1, tensor2))


@checked_call
def addcdiv(x, tensor1, tensor2, value=1):
    """``x + value * tensor1 / tensor2``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.addcdiv(tg.tensor(1.0), tg.tensor(6.0), tg.tensor(3.0), value=0.5)
    tensor(2., dtype=float64)
    """
    return add(x, value * divide(tensor1, tensor2))


# ------------------------------------------------------------------------------------- choice


@op(
    Elementwise(np.maximum),
    domain=elementwise(real, real),
    a=lambda g, a, b: where(a < b, 0.0, where(a == b, g / 2, g)),
    b=lambda g, a, b: where(b < a, 0.0, where(a == b, g / 2, g)),
)
def maximum(a, b, /):
    """The larger of two; NaN where either is NaN.

    Where ``a == b`` each takes half of the gradient, as in PyTorch.
    """


@op(
    Elementwise(np.minimum),
    domain=elementwise(real, real),
    a=lambda g, a, b: where(b < a, 0.0, where(a == b, g / 2, g)),
    b=lambda g, a, b: where(a < b, 0.0, where(a == b, g / 2, g)),
)
def minimum(a, b, /):
    """The smaller of two; NaN where either is NaN.

    Where ``a == b`` each takes half of the gradient, as in PyTorch.
    """


@checked_call
def fmax(a, b):
    """The larger of two; of a number and NaN the number.

    Ties share the gradient, as in `maximum`; in PyTorch `a` takes it.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.fmax(tg.tensor([1.0, float("nan")]), tg.tensor([2.0, 3.0]))
    tensor([2., 3.], dtype=float64)
    """
    return without_missing(maximum, a, b)


@checked_call
def fmin(a, b):
    """The smaller of two; of a number and NaN the number.

    Ties share the gradient, as in `minimum`; in PyTorch `a` takes it.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.fmin(tg.tensor([1.0, float("nan")]), tg.tensor([2.0, 3.0]))
    tensor([1., 3.], dtype=float64)
    """
    return without_missing(minimum, a, b)


def without_missing(better, a, b):
    """Return the better of two, but the other one of a NaN."""
    a, b = tensors_of(a, b)
    return where(a != a, b, where(b != b, a, better(a, b)))


@op(
    Elementwise(np.maximum),
    domain=elementwise(real, real),
    x=lambda g, x, low: where(x >= low, g, 0.0),
    low=lambda g, x, low: where(x < low, g, 0.0),
)
def clamp_min(x, low, /):
    """`x`, but at least `low`.  Where ``x == low`` the gradient is that of `x`, as in PyTorch."""


@op(
    Elementwise(np.minimum),
    domain=elementwise(real, real),
    x=lambda g, x, high: where(x <= high, g, 0.0),
    high=lambda g, x, high: where(x > high, g, 0.0),
)
def clamp_max(x, high, /):
    """`x`, but at most `high`.  Where ``x == high`` the gradient is that of `x`, as in PyTorch."""


@op(
    Limit(),
    domain=elementwise(real, low=-1.0, high=0.7),
    x=lambda g, x, low, high: where((x >= low) & (x <= high), g, 0.0),
)
def clamp_between(x, /, low, high):
    """`x`, but at least `low` and at most `high`, two numbers; at these the gradient passes."""


@checked_call
def clamp(x, min=None, max=None):
    """Limit `x` to between `min` and `max`, either of which may be left out.

    Parameters
    ----------
    x : Tensor
    min, max : Tensor or float, optional
        Broadcastable against `x`.  Where ``min > max``, the result is `max`.

    Returns
    -------
    Tensor
        At the limits the gradient passes to `x`; beyond them it is 0 for `x`, and passes to the
        limit, as in PyTorch.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.clamp(tg.tensor([-2.0, 0.5, 9.0]), min=-1.0, max=1.0)
    tensor([-1. ,  0.5,  1. ], dtype=float64)
    """
    if type(min) in (int, float) and type(max) in (int, float):
        return clamp_between(x, min, max)
    if min is not None:
        x = clamp_min(x, min)
    if max is not None:
        x = clamp_max(x, max)
    return tensor_of(x)


@op(
    np.where,
    domain=elementwise(boolean, real, real),
    condition=ZERO,
    a=lambda g, condition: where(condition, g, 0.0),
    b=lambda g, condition: where(condition, 0.0, g),
)
def where(condition, a, b, /):
    """`a` where `condition` is true, `b` elsewhere.

    No gradient reaches the side that was not chosen, not even as ``0 * inf``.
    """


@checked_call
def heaviside(x, values):
    """0 where `x` is negative, 1 where it is positive, `values` where it is 0, NaN where it is NaN.

    `x` gets no gradient.  PyTorch gives 0 for NaN.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.heaviside(tg.tensor([-2.0, 0.0, 2.0]), tg.tensor(0.5))
    tensor([0. , 0.5, 1. ], dtype=float64)
    """
    x, values = tensors_of(x, values)
    x = x.detach()
    return where(x == 0, values, x if x.dtype.kind == "b" else maximum(sign(x), 0))


@checked_call
def nan_to_num(x, nan=0.0, posinf=None, neginf=None):
    """`x` with numbers for NaN and the infinities; by default 0, and the largest that there are.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nan_to_num(tg.tensor([float("nan"), float("inf"), 1.0]), posinf=9.0)
    tensor([0., 9., 1.], dtype=float64)
    """
    x = tensor_of(x)
    if x.dtype.kind != "f":
        return x
    largest = float(np.finfo(x.dtype).max)
    x = where(isnan(x), 0.0 if nan is None else nan, x)
    x = where(x == np.inf, largest if posinf is None else posinf, x)
    return where(x == -np.inf, -largest if neginf is None else neginf, x)


# --------------------------------------------------------------------------------- comparison


@op(Elementwise(np.less), domain=elementwise(real, real), a=ZERO, b=ZERO)
def less(a, b, /):
    """``a < b``, boolean."""


@op(Elementwise(np.less_equal), domain=elementwise(real, real), a=ZERO, b=ZERO)
def less_equal(a, b, /):
    """``a <= b``, boolean."""


@op(Elementwise(np.equal), domain=elementwise(real, real), a=ZERO, b=ZERO)
def equal(a, b, /):
    """``a == b``, boolean and elementwise."""


@op(Elementwise(np.not_equal), domain=elementwise(real, real), a=ZERO, b=ZERO)
def not_equal(a, b, /):
    """``a != b``, boolean."""


@op(Elementwise(np.greater), domain=elementwise(real, real), a=ZERO, b=ZERO)
def greater(a, b, /):
    """``a > b``, boolean."""


@op(Elementwise(np.greater_equal), domain=elementwise(real, real), a=ZERO, b=ZERO)
def greater_equal(a, b, /):
    """``a >= b``, boolean."""


@op(Elementwise(np.isnan), domain=elementwise(real), x=ZERO)
def isnan(x, /):
    """Whether each element is NaN, boolean."""


@op(Elementwise(np.isinf), domain=elementwise(real), x=ZERO)
def isinf(x, /):
    """Whether each element is infinite, boolean."""


@op(Elementwise(np.isfinite), domain=elementwise(real), x=ZERO)
def isfinite(x, /):
    """Whether each element is neither infinite nor NaN, boolean."""


@op(Elementwise(np.bitwise_and), domain=elementwise(boolean, boolean), a=ZERO, b=ZERO)
def bitwise_and(a, b, /):
    """``a & b``, of booleans or integers."""


@op(Elementwise(np.bitwise_or), domain=elementwise(boolean, boolean), a=ZERO, b=ZERO)
def bitwise_or(a, b, /):
    """``a | b``, of booleans or integers."""


@op(Elementwise(np.bitwise_xor), domain=elementwise(boolean, boolean), a=ZERO, b=ZERO)
def bitwise_xor(a, b, /):
    """``a ^ b``, of booleans or integers."""


@op(Elementwise(np.invert), domain=elementwise(boolean), x=ZERO)
def invert(x, /):
    """``~x``, of booleans or integers."""
