"""Special functions against mpmath, and their derivatives against differences and definitions."""

import math

import mpmath
import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, RangeError
from tinygrad_relu.ops.trigonometric import sinc_derivative

INF, NAN = math.inf, math.nan


def worst_error(found, exact, points):
    """Return the largest error in units of the last place of the result's dtype."""
    found = np.asarray(found)
    with mpmath.workdps(40):
        errors = [
            abs(mpmath.mpf(float(y)) - exact(mpmath.mpf(float(x))))
            / mpmath.mpf(float(np.spacing(np.abs(found.dtype.type(exact(mpmath.mpf(float(x))))))))
            for x, y in zip(points, found)
        ]
    return float(max(errors))


def inverse_of_erf(y):
    x = mpmath.mpf(tg.erfinv(tg.tensor(float(y))).item())
    for _ in range(3):      # Newton's steps, from a start that is close
        rest = mpmath.erf(x) - y if abs(y) < 0.5 else mpmath.sign(x) * (1 - abs(y) - mpmath.erfc(abs(x)))
        x -= rest * mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(x * x)
    return x


def spread_out(low, high, rng, count=60):
    """Return numbers of all magnitudes between two."""
    return np.exp(rng.uniform(math.log(low), math.log(high), count))


def draws(name, rng):
    near_root = 1.4616321449683622 + np.array([-0.4, -1e-3, -1e-9, 0, 2e-16, 1e-6, 0.3])
    return {
        "erf": np.concatenate([rng.uniform(-6, 6, 80), spread_out(1e-300, 1, rng)]),
        "erfc": rng.uniform(-6, 26, 120),
        "erfinv": np.concatenate([
            rng.uniform(-1, 1, 60), 1 - spread_out(2e-16, 0.5, rng), spread_out(1e-300, 1, rng)
        ]),
        "lgamma": np.concatenate([rng.uniform(0.01, 30, 60), spread_out(1e-10, 1e10, rng)]),
        "digamma": np.concatenate([
            rng.uniform(0.01, 4, 80), spread_out(1e-10, 1e10, rng), near_root
        ]),
    }[name]


EXACT = {
    "erf": mpmath.erf, "erfc": mpmath.erfc, "erfinv": inverse_of_erf, "lgamma": mpmath.loggamma,
    "digamma": mpmath.digamma,
}


@pytest.mark.parametrize("name", EXACT)
def test_functions_are_right_to_few_units_of_the_last_place(name, rng):
    x = draws(name, rng)
    assert worst_error(getattr(tg, name)(tg.tensor(x)).numpy(), EXACT[name], x) < 5


@pytest.mark.parametrize("name", ["erf", "erfc", "lgamma", "digamma"])
def test_functions_are_right_in_float32(name, rng):
    x = draws(name, rng).astype(np.float32)
    x = x[(np.abs(x) > 1e-30) & (x < 9)]
    y = getattr(tg, name)(tg.tensor(x)).numpy()
    assert y.dtype == np.float32
    assert worst_error(y, EXACT[name], x) < 2


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 20, 60, 169])
def test_polygamma_is_right_where_it_is_large_and_where_it_is_small(n, rng):
    x = np.concatenate([rng.uniform(0.05, 4, 20), spread_out(0.05, 50, rng, 20), [300.0, 2e4]])
    assert worst_error(tg.polygamma(n, tg.tensor(x)).numpy(), lambda v: mpmath.polygamma(n, v), x) < 12


@pytest.mark.parametrize("n", range(6))
def test_polygamma_is_right_between_its_poles(n, rng):
    x = np.concatenate([rng.uniform(-8, -0.01, 40), [-0.5, -1e5 - 0.25, -1e-5]])
    with mpmath.workdps(40):
        exact = [float(mpmath.polygamma(n, mpmath.mpf(float(v)))) for v in x]
    y = tg.polygamma(n, tg.tensor(x)).numpy()
    # Between its poles it has roots, around which only the error of its parts can be asked for.
    scale = math.factorial(n) * 2.0 ** n
    np.testing.assert_allclose(y, exact, rtol=5e-15, atol=2e-14 * scale)


@pytest.mark.parametrize(
    ("name", "x", "y"),
    [
        ("erf", [INF, -INF, NAN, -0.0], [1, -1, NAN, -0.0]),
        ("erfc", [INF, -INF, NAN, 0], [0, 2, NAN, 1]),
        ("erfinv", [1, -1, 1.5, NAN, -0.0], [INF, -INF, NAN, NAN, -0.0]),
        ("lgamma", [0, -1, INF, 1, 2], [INF, INF, INF, 0, 0]),
        ("digamma", [0.0, -0.0, -1, INF, NAN], [-INF, INF, NAN, INF, NAN]),
        ("sinc", [0, 1e-200, 0.5, NAN], [1, 1, 2 / math.pi, NAN]),
        ("logit", [0, 1, 0.5, -0.1, 1.1], [-INF, INF, 0, NAN, NAN]),
    ],
)
def test_edges_are_pytorchs(name, x, y):
    found = getattr(tg, name)(tg.tensor(np.array(x, float))).numpy()
    np.testing.assert_array_equal(found, y)
    np.testing.assert_array_equal(np.signbit(found), np.signbit(np.where(np.isnan(y), found, y)))


def test_polygamma_at_poles_takes_the_side_of_zero():
    x = tg.tensor([0.0, -0.0, -1.0, INF, -INF])
    np.testing.assert_array_equal(tg.polygamma(1, x).numpy(), [INF, INF, INF, 0, NAN])
    np.testing.assert_array_equal(tg.polygamma(2, x).numpy(), [-INF, INF, NAN, 0, NAN])


def test_polygamma_refuses_what_is_no_order():
    x = tg.ones(2)
    for n in (-1, 170):
        with pytest.raises(RangeError, match="polygamma: n is"):
            tg.polygamma(n, x)
    for n in (1.5, x):
        with pytest.raises(ArgumentError, match="comes first"):
            tg.polygamma(n, x)


def test_log_gamma_is_differentiated_four_times():
    x = tg.tensor([0.7, 1.4616321449683622, 6.5, -1.3], requires_grad=True)
    y = tg.lgamma(x)
    for n in range(4):
        (y,) = tg.autograd.grad(y.sum(), [x], create_graph=True)
        exact = [float(mpmath.polygamma(n, float(v))) for v in x.detach().numpy()]
        np.testing.assert_allclose(y.detach().numpy(), exact, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("order", range(6))
def test_derivatives_of_sinc_are_right_near_zero_and_far_from_it(order, rng):
    switch = (order + 1) / math.pi * np.array([0.999, 1.001])
    x = np.concatenate([[0.0, 1e-12, 1e-5, -1e-3], rng.uniform(-4, 4, 30), switch])
    found = sinc_derivative(tg.tensor(x), order).numpy()
    with mpmath.workdps(60):
        exact = [float(mpmath.quad(
            lambda t, v=v: (mpmath.pi * t) ** order * mpmath.cos(
                mpmath.pi * t * mpmath.mpf(float(v)) + order * mpmath.pi / 2
            ), [0, 1],
        )) for v in x]
    np.testing.assert_allclose(found, exact, rtol=1e-12, atol=3e-15 * (math.pi * 1.5) ** order)


def test_logit_keeps_its_digits_near_one_half_and_near_the_ends():
    x = np.array([0.5 + 1e-10, 0.5 - 1e-10, 1e-300, 1e-5, 0.2499999, 0.4493, 0.25, 1 - 1e-12, 0.75])
    exact = lambda v: mpmath.log(v / (1 - v))
    assert worst_error(tg.logit(tg.tensor(x)).numpy(), exact, x) < 5
    z = tg.tensor(x, requires_grad=True)
    tg.logit(z).sum().backward()
    assert worst_error(z.grad.numpy(), lambda v: 1 / (v * (1 - v)), x) < 5


def test_logit_limited_has_no_gradient_beyond_its_limits():
    x = tg.tensor([0.0, 0.05, 0.5, 0.99], requires_grad=True)
    y = tg.logit(x, eps=0.1)
    y.sum().backward()
    np.testing.assert_allclose(y.detach().numpy(), [-math.log(9), -math.log(9), 0, math.log(9)])
    np.testing.assert_array_equal(x.grad.numpy(), [0, 0, 4, 0])


@pytest.mark.parametrize(
    ("f", "logarithm", "pole"), [(tg.xlogy, np.log, 0), (tg.special.xlog1py, np.log1p, -1)]
)
def test_products_with_logarithms_are_zero_where_the_factor_is(f, logarithm, pole):
    at = np.array([0.0, 0.0, 0.0, 0.0, 2.0, 0.0])
    y = np.array([pole, pole + 3.0, pole - 1.0, INF, pole + 3.0, NAN])
    a, b = tg.tensor(at, requires_grad=True), tg.tensor(y, requires_grad=True)
    z = f(a, b)
    np.testing.assert_allclose(z.detach().numpy(), [0, 0, 0, 0, 2 * logarithm(y[1]), NAN])
    z.sum().backward()
    np.testing.assert_allclose(a.grad.numpy()[:5], [0, logarithm(y[1]), 0, 0, logarithm(y[1])])
    np.testing.assert_allclose(b.grad.numpy()[:5], [0, 0, 0, 0, 2 / 3])
    assert tg.gradgradcheck(f, [tg.tensor(1.7, requires_grad=True), tg.tensor(0.8, requires_grad=True)])


def test_entropy_terms_and_their_derivatives():
    x = tg.tensor([0.0, -0.0, 0.5, -1.0, NAN], requires_grad=True)
    y = tg.special.entr(x)
    np.testing.assert_allclose(y.detach().numpy(), [0, 0, math.log(2) / 2, -INF, NAN])
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy()[:3], [INF, INF, math.log(2) - 1])


def test_numbers_do_not_widen_float32():
    x = tg.tensor(np.array([0.3, 0.6], np.float32))
    for y in (tg.xlogy(x, 2.0), tg.xlogy(2.0, x), tg.logit(x, 0.01), tg.sinc(x), tg.polygamma(2, x)):
        assert y.dtype == np.float32


def test_the_namespace_holds_what_it_names():
    for name in tg.special.__all__:
        assert callable(getattr(tg.special, name)), name
    assert tg.special.psi(2.0) == tg.digamma(2.0) and tg.special.gammaln(2.5) == tg.lgamma(2.5)
    assert tg.special.expit(2.0) == tg.sigmoid(2.0)
