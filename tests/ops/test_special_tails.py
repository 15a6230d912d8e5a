"""Special functions made of ops: values and two derivatives in both tails, against mpmath."""

import math

import mpmath
import numpy as np
import pytest

import tinygrad_relu as tg

S = tg.special
AROUND = [0.0, 1e-9, 0.3, -0.3, 5.0, 19.9, -20.0, 20.1, 50.0, 300.0, -700.0]
NORMAL = [-1e4, -100.0, -38.0, -5.0, -1.01, -1.0, -0.99, 0.0, 1.0, 3.0, 8.0, 20.0, 37.0]


@pytest.fixture(autouse=True)
def digits():
    with mpmath.workdps(60):
        yield


def density(x):
    return mpmath.exp(-x * x / 2) / mpmath.sqrt(2 * mpmath.pi)


def tail(x):
    """Return the distribution function: mpmath's own has no digits far below."""
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


def log_tail(x):
    return mpmath.log(tail(x)) if x < 0 else mpmath.log1p(-tail(-x))


def quantile(p):
    if p > 0.5:
        return -quantile(1 - p)
    start = -mpmath.sqrt(-2 * mpmath.log(p)) * mpmath.mpf("0.95")
    return mpmath.findroot(lambda x: mpmath.log(tail(x)) - mpmath.log(p), start)


def scaled(order, x):
    return mpmath.besseli(order, x) * mpmath.exp(-abs(x))


def i1_over(x):
    return mpmath.besseli(1, x) / x if x else mpmath.mpf(0.5)


def erfcx(x):
    return mpmath.exp(x * x) * mpmath.erfc(x)


#: Each with its derivative, the one after that or None, points, and how many digits the derivatives keep.
FUNCTIONS = {
    "i0": (lambda x: mpmath.besseli(0, x), lambda x: mpmath.besseli(1, x),
           lambda x: mpmath.besseli(0, x) - i1_over(x), AROUND, 1e-14),
    "i1": (lambda x: mpmath.besseli(1, x), lambda x: mpmath.besseli(0, x) - i1_over(x), None,
           AROUND, 1e-14),
    "i0e": (lambda x: scaled(0, x), lambda x: scaled(1, x) - mpmath.sign(x) * scaled(0, x), None,
            [*AROUND, 1e5], 1e-13),
    "i1e": (lambda x: scaled(1, x),
            lambda x: (scaled(0, x) - i1_over(x) * mpmath.exp(-abs(x)) - mpmath.sign(x) * scaled(1, x)),
            None, [*AROUND, 1e5], 1e-12),
    "erfcx": (erfcx, lambda x: 2 * x * erfcx(x) - 2 / mpmath.sqrt(mpmath.pi),
              lambda x: (2 + 4 * x * x) * erfcx(x) - 4 * x / mpmath.sqrt(mpmath.pi),
              [-20.0, -5.0, -1.0, -0.1, 0.0, 0.1, 1.0, 3.0, 5.0, 10.0, 30.0, 1e3, 1e6], 1e-12),
    "log_ndtr": (log_tail, lambda x: density(x) / tail(x), None, NORMAL, 1e-12),
    "ndtr": (tail, density, lambda x: -x * density(x), [-37.0, *NORMAL[3:]], 1e-12),
    "ndtri": (quantile, lambda p: 1 / density(quantile(p)),
              lambda p: quantile(p) / density(quantile(p)) ** 2,
              [1e-150, 1e-20, 1e-5, 0.01, 0.2499, 0.25, 0.3, 0.49, 0.51, 0.75, 0.76, 0.99, 1 - 1e-15],
              1e-13),
    "entr": (lambda x: -x * mpmath.log(x), lambda x: -mpmath.log(x) - 1, lambda x: -1 / x,
             [1e-300, 0.1, 0.5, 1.0, 3.0, 1e10], 1e-14),
}


def assert_close(found, exact, points, tolerance):
    for value, x in zip(found.detach().numpy(), points):
        wanted = exact(mpmath.mpf(x))
        assert abs(mpmath.mpf(float(value)) - wanted) <= tolerance * abs(wanted), x


@pytest.mark.parametrize("name", FUNCTIONS)
def test_value_and_derivatives(name):
    value, slope, curvature, points, tolerance = FUNCTIONS[name]
    x = tg.tensor(points, requires_grad=True)
    y = getattr(S, name)(x)
    assert_close(y, value, points, 2e-13 if name in ("ndtr", "log_ndtr") else 1e-14)
    (g,) = tg.autograd.grad(y.sum(), x, create_graph=True)
    assert_close(g, slope, points, tolerance)
    if curvature is not None:
        (h,) = tg.autograd.grad(g.sum(), x)
        assert_close(h, curvature, points, tolerance)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_floats(name):
    points = [p for p in FUNCTIONS[name][3] if 1e-30 < abs(p) < 80 or p == 0]
    if name in ("ndtri", "ndtr", "log_ndtr"):
        points = [p for p in points if -8 < p < 0.999]
    points = np.array(points, np.float32)
    found = getattr(S, name)(tg.tensor(points))
    assert found.dtype == np.float32
    exact = getattr(S, name)(tg.tensor(points.astype(float))).numpy()
    within = abs(exact) < 3e38
    np.testing.assert_allclose(found.numpy()[within], exact[within], rtol=3e-6)


def test_edges():
    x = tg.tensor([math.inf, -math.inf, math.nan])
    for name, wanted in {
        "i0": [math.inf, math.inf], "i0e": [0.0, 0.0], "i1": [math.inf, -math.inf], "i1e": [0.0, 0.0],
        "erfcx": [0.0, math.inf], "log_ndtr": [0.0, -math.inf], "ndtr": [1.0, 0.0],
        "ndtri": [math.nan, math.nan], "entr": [-math.inf, -math.inf],
    }.items():
        np.testing.assert_array_equal(getattr(S, name)(x).numpy(), [*wanted, math.nan])


def test_the_slopes_of_the_quantile_at_its_ends():
    p = tg.tensor([0.0, 1.0, -0.5, 1.5], requires_grad=True)
    x = S.ndtri(p)
    x.sum().backward()
    np.testing.assert_array_equal(x.detach().numpy(), [-math.inf, math.inf, math.nan, math.nan])
    np.testing.assert_array_equal(p.grad.numpy()[:2], [math.inf, math.inf])


def test_no_sooner_than_the_result_does_the_exponential_overflow():
    assert math.isclose(S.i0(tg.tensor(712.0)).item(), float(mpmath.besseli(0, 712)), rel_tol=1e-13)
    assert math.isclose(S.i1(tg.tensor(-712.0)).item(), -float(mpmath.besseli(1, 712)), rel_tol=1e-13)


def test_against_scipy():
    special = pytest.importorskip("scipy.special")
    x = np.linspace(-9.0, 9.0, 91)
    for name in ("i0", "i0e", "i1", "i1e", "erfcx", "ndtr", "log_ndtr", "entr"):
        found = getattr(S, name)(tg.tensor(x)).numpy()
        np.testing.assert_allclose(found, getattr(special, name)(x), rtol=4e-14, atol=1e-300)
    p = np.linspace(0.0, 1.0, 101)
    np.testing.assert_allclose(S.ndtri(tg.tensor(p)).numpy(), special.ndtri(p), rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_integers_are_taken(name):
    assert getattr(S, name)(tg.tensor([1, 2])).dtype == np.float64
