"""Integers: kept exactly where nothing is divided, and never divided by 0 in silence."""

import numpy as np
import pytest

import tinygrad_relu as tg
import tinygrad_relu.numpy as tnp
from tinygrad_relu.errors import DivisionByZeroError, DTypeError, RangeError

F = tg.nn.functional
LARGE = 2**60 + 1       # a float64 holds every 256th number there


@pytest.mark.parametrize(
    "call, expected",
    [
        (lambda x: F.max_pool1d(x[None], 2), [[[LARGE, LARGE + 2]]]),
        (lambda x: F.max_pool2d(x[None], (1, 2)), [[[LARGE, LARGE + 2]]]),
        (lambda x: F.adaptive_max_pool2d(x[None], (1, 2)), [[[LARGE, LARGE + 2]]]),
        (lambda x: tg.linalg.matrix_power(x.reshape(2, 2), 1), [[LARGE, LARGE - 1], [LARGE + 1, LARGE + 2]]),
        (lambda x: tg.linalg.matrix_power(x.reshape(2, 2), 0), [[1, 0], [0, 1]]),
        (lambda x: tg.trace(x.reshape(2, 2)), 2 * LARGE + 2),
        (lambda x: tg.round(x), [[LARGE, LARGE - 1, LARGE + 1, LARGE + 2]]),
    ],
)
def test_integers_are_kept_exactly(call, expected):
    y = call(tg.tensor([[LARGE, LARGE - 1, LARGE + 1, LARGE + 2]]))
    assert y.dtype == np.int64 and y.tolist() == expected


def test_powers_of_integer_matrices():
    x = np.array([[1, 2], [3, 4]])
    assert tg.linalg.matrix_power(tg.tensor(x), 5).tolist() == np.linalg.matrix_power(x, 5).tolist()
    inverse = tg.linalg.matrix_power(tg.tensor(x), -2)
    np.testing.assert_allclose(inverse.numpy(), np.linalg.matrix_power(x, -2))


@pytest.mark.parametrize("zero", [0, tg.tensor([1, 0]), tg.tensor(False), np.array([0, 3])])
@pytest.mark.parametrize(
    "divide",
    [
        lambda a, b: a // b, lambda a, b: a % b, tg.floor_divide, tg.remainder, tg.fmod, divmod,
        lambda a, b: tg.div(a, b, rounding_mode="trunc"), lambda a, b: tg.div(a, b, rounding_mode="floor"),
        lambda a, b: a.floor_divide_(b), lambda a, b: a.remainder_(b),
    ],
)
def test_integers_are_not_divided_by_zero(divide, zero):
    a = tg.tensor([7, -7])
    for kind in (ZeroDivisionError, RangeError, DivisionByZeroError):
        with pytest.raises(kind, match=r"divided by 0"):
            divide(a, zero)
    assert a.tolist() == [7, -7]


def test_numbers_divided_by_integers_that_are_zero():
    with pytest.raises(DivisionByZeroError):
        5 // tg.tensor([0])
    assert (tg.tensor([7.0]) // tg.tensor([0])).tolist() == [np.inf]
    assert np.isnan((tg.tensor([7]) % 0.0).numpy()).all()
    assert (tg.tensor([7, -7]) // tg.tensor([2, 2])).tolist() == [3, -4]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_numpy_dialect_divides_as_numpy():
    a, b = np.array([7, -7, 5]), np.array([0, 2, 0])
    for name in ("floor_divide", "remainder", "mod", "fmod"):
        expected = getattr(np, name)(a, b)
        for found in (getattr(tnp, name)(a, b), getattr(np, name)(tg.tensor(a), b)):
            assert found.tolist() == expected.tolist() and found.dtype == expected.dtype
    assert [x.tolist() for x in np.divmod(tg.tensor(a), b)] == [x.tolist() for x in np.divmod(a, b)]
    assert np.reciprocal(tg.tensor([2, 1])).tolist() == np.reciprocal([2, 1]).tolist()
    x = tg.tensor([7.5, -7.5], requires_grad=True)
    np.remainder(x, 2.0).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_the_reciprocal_of_integers_is_a_float():
    assert tg.reciprocal(tg.tensor([2, -4])).tolist() == [0.5, -0.25]
    assert tg.tensor([2, 0]).reciprocal().tolist() == [0.5, np.inf]


def test_shifts_have_operators():
    x = tg.tensor([6, -6, 1])
    a = x.numpy().copy()
    assert (x << 2).tolist() == (a << 2).tolist()
    assert (x >> 1).tolist() == (a >> 1).tolist()
    assert (1 << tg.tensor([3, 0])).tolist() == [8, 1]
    assert (64 >> tg.tensor([3, 0])).tolist() == [8, 64]
    assert (np.array([3]) << tg.tensor([2])).tolist() == [12]
    y, version = x, x._version
    y <<= 1
    y >>= tg.tensor([0, 1, 0])
    assert y is x and x.tolist() == [12, -6, 2] and x._version > version
    with pytest.raises(DTypeError, match="bitwise_left_shift: a is float64"):
        tg.ones(2) << 1
