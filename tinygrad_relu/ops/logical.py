"""Truth and bits: what is true or close, and integers shifted or divided.  None has a derivative."""

import functools

import numpy as np

from tinygrad_relu.engine import checked_call
from tinygrad_relu.errors import DTypeError
from tinygrad_relu.ops.arithmetic import bitwise_and, bitwise_or, equal, not_equal
from tinygrad_relu.ops.domain import boolean, elementwise
from tinygrad_relu.ops.table import ZERO, op
from tinygrad_relu.ops.values import check_broadcast, tensor_of, without_derivative


@checked_call
def logical_not(x):
    """Whether each element is 0 (false), boolean.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.logical_not(tg.tensor([0.0, 2.0]))
    tensor([ True, False], dtype=bool)
    """
    return equal(x, 0)


@checked_call
def logical_and(a, b):
    """Whether both are true (not 0), boolean.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.logical_and(tg.tensor([0.0, 2.0]), tg.tensor([1, 1]))
    tensor([False,  True], dtype=bool)
    """
    return bitwise_and(not_equal(a, 0), not_equal(b, 0))


@checked_call
def logical_or(a, b):
    """Whether any of two is true (not 0), boolean.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.logical_or(tg.tensor([0.0, 2.0]), tg.tensor([0, 1]))
    tensor([False,  True], dtype=bool)
    """
    return bitwise_or(not_equal(a, 0), not_equal(b, 0))


@checked_call
def logical_xor(a, b):
    """Whether one of two is true (not 0) and the other is not, boolean.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.logical_xor(tg.tensor([0.0, 2.0]), tg.tensor([1, 1]))
    tensor([ True, False], dtype=bool)
    """
    return not_equal(not_equal(a, 0), not_equal(b, 0))


@without_derivative
def isclose(a, b, rtol=1e-5, atol=1e-8, equal_nan=False):
    """Whether ``abs(a - b) <= atol + rtol * abs(b)``, boolean; infinities are close to themselves only.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.isclose(tg.tensor([1.0, 2.0]), tg.tensor([1.0 + 1e-7, 2.1]))
    tensor([ True, False], dtype=bool)
    """
    check_broadcast("isclose", a, b)
    return np.isclose(a, b, rtol, atol, equal_nan)


@checked_call
def allclose(a, b, rtol=1e-5, atol=1e-8, equal_nan=False):
    """Whether all elements are close in the sense of `isclose`, a Python bool.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.allclose(tg.tensor([1.0, 2.0]), tg.tensor([1.0, 2.0]))
    True
    """
    return bool(isclose(a, b, rtol, atol, equal_nan).numpy().all())


@functools.partial(checked_call, title="equal")
def equal_wholes(a, b):
    """Whether two tensors have one shape and equal elements, a Python bool; `eq` compares elements.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.equal(tg.tensor([1.0, 2.0]), tg.tensor([1, 2])), tg.equal(tg.ones(2), tg.ones(1))
    (True, False)
    """
    return np.array_equal(tensor_of(a).detach().numpy(), tensor_of(b).detach().numpy())


@checked_call
def isposinf(x):
    """Whether each element is positive infinity, boolean.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.isposinf(tg.tensor([-float("inf"), 0.0, float("inf")]))
    tensor([False, False,  True], dtype=bool)
    """
    return equal(x, np.inf)


@checked_call
def isneginf(x):
    """Whether each element is negative infinity, boolean.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.isneginf(tg.tensor([-float("inf"), 0.0, float("inf")]))
    tensor([ True, False, False], dtype=bool)
    """
    return equal(x, -np.inf)


@without_derivative
def isin(elements, test_elements, assume_unique=False, invert=False):
    """Whether each of `elements` is one of `test_elements`, boolean, or with `invert` whether it is not.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.isin(tg.tensor([1, 2, 3]), tg.tensor([3, 1]))
    tensor([ True, False,  True], dtype=bool)
    """
    return np.isin(elements, test_elements, assume_unique, invert)


@without_derivative
def gcd(a, b):
    """Greatest common divisor, of integers.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.gcd(tg.tensor([12, 5]), tg.tensor([18, 0]))
    tensor([6, 5], dtype=int64)
    """
    check_integers("gcd", a=a, b=b)
    return np.gcd(a, b)


@without_derivative
def lcm(a, b):
    """Least common multiple, of integers.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.lcm(tg.tensor([4, 5]), tg.tensor([6, 0]))
    tensor([12,  0], dtype=int64)
    """
    check_integers("lcm", a=a, b=b)
    return np.lcm(a, b)


def shifted(ufunc, name):
    """Return the kernel of a shift, which is one of integers and booleans."""

    def shift(a, b):
        check_integers(name, a=a, b=b)
        return np.asarray(ufunc(a, b))

    return shift


@op(
    shifted(np.left_shift, "bitwise_left_shift"),
    domain=elementwise(boolean, boolean),
    a=ZERO,
    b=ZERO,
)
def bitwise_left_shift(a, b, /):
    """``a << b``, of integers.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.tensor([1, 3]) << tg.tensor([2, 1])
    tensor([4, 6], dtype=int64)
    """


@op(
    shifted(np.right_shift, "bitwise_right_shift"),
    domain=elementwise(boolean, boolean),
    a=ZERO,
    b=ZERO,
)
def bitwise_right_shift(a, b, /):
    """``a >> b``, of integers; the sign is kept.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.tensor([8, -8]) >> 1
    tensor([ 4, -4], dtype=int64)
    """


def check_integers(name, **operands):
    """Raise if operands are no integers, or their shapes do not fit."""
    check_broadcast(name, *operands.values())
    for word, x in operands.items():
        if np.asarray(x).dtype.kind not in "biu":
            raise DTypeError(f"{name}: {word} is {np.asarray(x).dtype}: pass integers")
