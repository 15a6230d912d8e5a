"""Elementwise compositions against NumPy, and their conventions at edges."""

import math

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import DTypeError, NotDifferentiable, ShapeError

INF, NAN = math.inf, math.nan
A = np.array([-7.5, -2.0, -0.5, -0.0, 0.0, 0.25, 1.5, 3.0, INF, -INF, NAN])
B = np.array([2.0, -3.0, 0.75, 1.0, -0.0, -1.0, 1.5, -0.5, 2.0, -1.0, 1.0])


@pytest.mark.parametrize(
    ("ours", "numpys"),
    [
        (tg.trunc, np.trunc), (tg.fix, np.trunc), (tg.signbit, np.signbit), (tg.positive, np.positive),
        (tg.logical_not, np.logical_not), (tg.deg2rad, np.deg2rad), (tg.rad2deg, np.rad2deg),
        (tg.nan_to_num, np.nan_to_num),
        (lambda x: tg.nan_to_num(x, 1, 2, 3), lambda x: np.nan_to_num(x, nan=1, posinf=2, neginf=3)),
    ],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_functions_of_one_are_numpys(ours, numpys, dtype):
    x = A.astype(dtype)
    found, expected = ours(tg.tensor(x)).numpy(), numpys(x)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=3e-7 if dtype == np.float32 else 3e-16)
    np.testing.assert_array_equal(np.signbit(found)[:-1], np.signbit(expected)[:-1])


@pytest.mark.parametrize(
    "name",
    ["fmod", "copysign", "heaviside", "nextafter", "logaddexp", "logaddexp2", "hypot", "arctan2",
     "logical_and", "logical_or", "logical_xor", "float_power", "isclose"],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_functions_of_two_are_numpys(name, dtype):
    a, b = A.astype(dtype)[:, None], B.astype(dtype)
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(a, b)
    found = getattr(tg, name)(tg.tensor(a), tg.tensor(b)).numpy()
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-6 if dtype == np.float32 else 1e-14)


def test_ufuncs_answer_for_tensors():
    x, y = tg.tensor([-1.5, 2.5], requires_grad=True), tg.tensor([2.0, 2.0])
    for ufunc in (np.trunc, np.signbit, np.logical_not, np.deg2rad, np.tan, np.arcsinh, np.positive):
        np.testing.assert_allclose(ufunc(x).detach().numpy(), ufunc(x.detach().numpy()))
    for ufunc in (np.fmod, np.copysign, np.logaddexp, np.logaddexp2, np.hypot, np.heaviside):
        np.testing.assert_allclose(ufunc(x, y).detach().numpy(), ufunc(x.detach().numpy(), y.numpy()))
    assert np.fmod(x, y).requires_grad
    assert np.left_shift(tg.tensor([1]), tg.tensor([3])).item() == 8


@pytest.mark.parametrize(
    "f",
    [
        tg.fmod, tg.logaddexp2, lambda a, b: tg.copysign(a, b.detach()), lambda a, b: tg.lerp(a, b, 0.3),
        lambda a, b: tg.lerp(a, b, 0.8), lambda a, b: tg.addcmul(a, a, b, value=0.5),
        lambda a, b: tg.addcdiv(a, a, b, value=0.5), lambda a, b: tg.lerp(1.0, a, b),
        lambda a, b: tg.frac(a) * tg.rsqrt(b * b), lambda a, b: tg.float_power(b * b, a),
        lambda a, b: tg.deg2rad(a * a) + tg.rad2deg(b),
    ],
)
def test_compositions_are_differentiable_twice(f):
    a = tg.tensor([-3.7, 0.6, 2.2], requires_grad=True)
    b = tg.tensor([[1.3, -0.8, 0.45]], requires_grad=True)
    assert tg.gradcheck(f, [a, b])
    assert tg.gradgradcheck(f, [a, b])


def gradients_at(f, *values):
    inputs = [tg.tensor(v, requires_grad=True) for v in values]
    f(*inputs).sum().backward()
    return [x.grad.numpy() for x in inputs]


def test_gradients_at_the_origin_of_a_plane_are_zero():
    for f in (tg.hypot, tg.atan2):
        for g in gradients_at(f, [0.0, 3.0], [0.0, 4.0]):
            assert g[0] == 0 and g[1] != 0


def test_gradients_do_not_overflow_before_they_must():
    np.testing.assert_allclose(gradients_at(tg.hypot, [3e200], [4e200]), [[0.6], [0.8]])
    np.testing.assert_allclose(gradients_at(tg.atan2, [3e200], [4e200]), [[1.6e-201], [-1.2e-201]])
    np.testing.assert_allclose(gradients_at(tg.asinh, [1e200]), [[1e-200]])
    np.testing.assert_allclose(gradients_at(tg.acosh, [1e200]), [[1e-200]])
    np.testing.assert_allclose(gradients_at(tg.logaddexp, [1000.0], [-1000.0]), [[1], [0]])


def test_gradients_at_the_ends_of_inverse_functions_are_infinite():
    assert gradients_at(tg.asin, [1.0, -1.0])[0].tolist() == [INF, INF]
    assert gradients_at(tg.acos, [1.0, -1.0])[0].tolist() == [-INF, -INF]
    assert gradients_at(tg.acosh, [1.0])[0].tolist() == [INF]
    # 1 - x * x would have lost half of its digits here.
    (g,) = gradients_at(tg.atanh, [1 - 1e-9])
    assert g[0] == pytest.approx(1 / (1e-9 * (2 - 1e-9)), rel=1e-6)


def test_what_is_flat_or_one_to_one_has_that_derivative():
    assert gradients_at(tg.frac, [1.5, -1.5])[0].tolist() == [1, 1]
    assert gradients_at(lambda x: tg.trunc(x) + 0 * x, [1.5])[0].tolist() == [0]
    assert gradients_at(lambda x: tg.copysign(x, -1.0), [0.0, 2.0, -2.0])[0].tolist() == [0, -1, 1]
    assert gradients_at(tg.fmod, [0.0, 5.5], [2.0, 2.0])[0].tolist() == [1, 1]
    step = lambda v: tg.heaviside(tg.tensor([0.0, 1.0]), v)
    assert gradients_at(step, [0.5, 0.5])[0].tolist() == [1, 0]
    assert gradients_at(lambda x: tg.nan_to_num(x), [NAN, INF, 2.0])[0].tolist() == [0, 0, 1]


def test_logaddexp_of_equal_infinities():
    a = tg.tensor([INF, -INF, INF, 0.0])
    assert tg.logaddexp(a, tg.tensor([INF, -INF, -INF, -INF])).tolist() == [INF, -INF, INF, 0]
    assert tg.logaddexp(a[:2], a[:2]).tolist() == [INF, -INF]


def test_lerp_is_exact_at_both_ends():
    a, b = tg.tensor([0.1, 1e30]), tg.tensor([0.7, -3.0])
    np.testing.assert_array_equal(tg.lerp(a, b, 1.0).numpy(), b.numpy())
    np.testing.assert_array_equal(tg.lerp(a, b, 0.0).numpy(), a.numpy())


def test_numbers_do_not_widen_float32():
    x = tg.tensor(np.array([0.3, 0.6], np.float32))
    for y in (
        tg.lerp(x, 1.0, 0.3), tg.copysign(1.0, x), tg.logaddexp2(x, 1.0), tg.deg2rad(x), tg.fmod(2.0, x),
        tg.hypot(x, 1.0), tg.heaviside(x, 1), tg.addcmul(x, x, x, value=0.5), tg.rsqrt(x), tg.trunc(x),
    ):
        assert y.dtype == np.float32


def test_integers_stay_integers_where_they_can():
    x = tg.tensor([-5, 5, 7])
    assert tg.fmod(x, 3).tolist() == [-2, 2, 1]
    for y in (tg.trunc(x), tg.frac(x), tg.fmod(x, 3), tg.nan_to_num(x)):
        assert y.dtype == np.int64
    assert tg.bitwise_left_shift(x, 1).tolist() == [-10, 10, 14]
    assert tg.bitwise_right_shift(x, tg.tensor([1, 1, 2])).tolist() == [-3, 2, 1]


def test_only_integers_are_shifted():
    with pytest.raises(DTypeError, match="bitwise_left_shift: a is float64"):
        tg.bitwise_left_shift(tg.ones(2), 1)
    with pytest.raises(DTypeError, match="bitwise_right_shift: b is float64"):
        tg.bitwise_right_shift(tg.tensor([1]), 1.5)


def test_closeness_of_infinities_and_nan():
    a, b = tg.tensor([INF, INF, NAN, 1.0]), tg.tensor([INF, -INF, NAN, 1.0 + 1e-9])
    assert tg.isclose(a, b).tolist() == [True, False, False, True]
    assert tg.isclose(a, b, equal_nan=True).tolist() == [True, False, True, True]
    assert tg.allclose(a, a, equal_nan=True) is True and tg.allclose(a, a) is False


def test_misfitting_shapes_raise_with_the_name():
    for f in (tg.isclose, tg.allclose, tg.nextafter):
        with pytest.raises(ShapeError, match="a has shape"):
            f(tg.ones(2), tg.ones(3))


def test_a_gradient_is_not_lost_without_a_word():
    x = tg.ones(2, requires_grad=True)
    with pytest.raises(NotDifferentiable, match="nextafter"):
        tg.nextafter(x, 2.0)
    with tg.no_grad():
        assert tg.nextafter(x, 2.0).shape == (2,)
    assert tg.signbit(x).dtype == bool
