"""Activations against their definitions, at kinks, far out, and at second order."""

import math

import mpmath
import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, DTypeError, RangeError, ShapeError

F = tg.nn.functional
NORMAL = lambda x: (1 + mpmath.erf(x / mpmath.sqrt(2))) / 2
SIGMOID = lambda x: 1 / (1 + mpmath.exp(-x))
SOFTPLUS = lambda x: mpmath.log(1 + mpmath.exp(x))
CLIP = lambda x, low, high: max(low, min(high, x))
SCALE = mpmath.mpf("1.0507009873554804934193349852946")
ALPHA = mpmath.mpf("1.6732632423543772848170429916717")

# Each with its definition, and the derivatives at its kinks.
ACTIVATIONS = {
    "relu6": (F.relu6, lambda x: CLIP(x, 0, 6), {0: 0, 6: 0}),
    "hardtanh": (F.hardtanh, lambda x: CLIP(x, -1, 1), {-1: 0, 1: 0}),
    "hardtanh between": (lambda x: F.hardtanh(x, -2, 0.5), lambda x: CLIP(x, -2, 0.5), {-2: 0, 0.5: 0}),
    "hardsigmoid": (F.hardsigmoid, lambda x: CLIP(x + 3, 0, 6) / 6, {-3: 0, 3: 0, 0: 1 / 6}),
    "hardswish": (F.hardswish, lambda x: x * CLIP(x + 3, 0, 6) / 6, {-3: 0, 3: 1, 0: 0.5}),
    "elu": (F.elu, lambda x: x if x > 0 else mpmath.expm1(x), {0: 1}),
    "elu 1.7": (lambda x: F.elu(x, 1.7), lambda x: x if x > 0 else 1.7 * mpmath.expm1(x), {0: 1.7}),
    "selu": (
        tg.selu, lambda x: SCALE * (x if x > 0 else ALPHA * mpmath.expm1(x)), {0: float(SCALE * ALPHA)}
    ),
    "celu": (lambda x: tg.celu(x, 2.0), lambda x: x if x > 0 else 2 * mpmath.expm1(x / 2), {0: 1}),
    "gelu": (F.gelu, lambda x: x * NORMAL(x), {0: 0.5}),
    "gelu tanh": (
        lambda x: F.gelu(x, "tanh"),
        lambda x: x / 2 * (1 + mpmath.tanh(
            mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf("0.044715") * x**3)
        )),
        {0: 0.5},
    ),
    "silu": (F.silu, lambda x: x * SIGMOID(x), {0: 0.5}),
    "mish": (F.mish, lambda x: x * mpmath.tanh(SOFTPLUS(x)), {0: 0.6}),
    "softplus": (lambda x: F.softplus(x, threshold=1e9), SOFTPLUS, {0: 0.5}),
    "softplus 2": (lambda x: F.softplus(x, 2.0, 1e9), lambda x: SOFTPLUS(2 * x) / 2, {0: 0.5}),
    "logsigmoid": (F.logsigmoid, lambda x: -SOFTPLUS(-x), {0: 0.5}),
    "softsign": (F.softsign, lambda x: x / (1 + abs(x)), {0: 1}),
    "tanhshrink": (F.tanhshrink, lambda x: x - mpmath.tanh(x), {0: 0}),
    "hardshrink": (tg.hardshrink, lambda x: x if abs(x) > 0.5 else 0, {-0.5: 0, 0.5: 0, 0: 0}),
    "softshrink": (
        F.softshrink, lambda x: mpmath.sign(x) * max(abs(x) - mpmath.mpf(0.5), 0), {-0.5: 0, 0.5: 0}
    ),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_values_are_those_of_the_definition(name, rng):
    f, definition, _ = ACTIVATIONS[name]
    x = np.concatenate([rng.normal(0, 3, 60), [-30.0, -12.0, 12.0, 30.0]])
    with mpmath.workdps(60):
        exact = np.array([float(definition(mpmath.mpf(float(v)))) for v in x])
    # x - tanh(x) is a difference near 0, as it says.
    atol = 1e-15 if name == "tanhshrink" else 1e-30
    np.testing.assert_allclose(f(tg.tensor(x)).numpy(), exact, rtol=2e-12, atol=atol)
    single = f(tg.tensor(x.astype(np.float32)))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single.numpy(), exact, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_first_and_second_derivatives(name):
    f = ACTIVATIONS[name][0]
    x = tg.tensor([-7.1, -3.3, -1.6, -0.7, -0.2, 0.3, 0.8, 1.4, 2.7, 3.4, 6.6], requires_grad=True)
    assert tg.gradcheck(f, x)
    assert tg.gradgradcheck(f, x, atol=2e-6)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivatives_at_kinks_are_pytorchs(name):
    f, _, kinks = ACTIVATIONS[name]
    x = tg.tensor([float(k) for k in kinks], requires_grad=True)
    f(x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), list(kinks.values()), rtol=1e-14)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_far_out_nothing_overflows(name, dtype):
    f, definition, _ = ACTIVATIONS[name]
    large = np.array([-1e30, -1e4, -800.0, -90.0, 90.0, 800.0, 1e4, 1e30], dtype)
    x = tg.tensor(large, requires_grad=True)
    y = f(x)
    with mpmath.workdps(40):
        exact = [float(definition(mpmath.mpf(float(v)))) if abs(v) < 900 else None for v in large]
    for found, expected in zip(y.detach().numpy(), exact):
        assert np.isfinite(found)
        assert expected is None or found == pytest.approx(expected, rel=1e-5, abs=1e-30)
    (g,) = tg.autograd.grad(y.sum(), [x], create_graph=True)
    assert np.isfinite(g.detach().numpy()).all()
    if g.requires_grad:
        (second,) = tg.autograd.grad(g.sum(), [x])
        assert np.isfinite(second.numpy()).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_nan_stays_nan(name):
    assert math.isnan(ACTIVATIONS[name][0](tg.tensor([math.nan])).item())


def test_softplus_is_the_identity_beyond_its_threshold():
    x = tg.tensor([1.0, 1.6], requires_grad=True)
    y = F.softplus(x, beta=2.0, threshold=3.0)
    y.sum().backward()
    assert y.detach().tolist() == [math.log1p(math.exp(2)) / 2, 1.6]
    assert x.grad.tolist()[1] == 1 and x.grad.tolist()[0] < 0.9


def test_glu_takes_halves_along_an_axis(rng):
    at = rng.standard_normal((4, 6))
    for axis in (0, 1):
        a, b = np.split(at, 2, axis)
        np.testing.assert_allclose(F.glu(tg.tensor(at), axis).numpy(), a / (1 + np.exp(-b)), rtol=1e-14)
    assert tg.gradgradcheck(F.glu, tg.tensor(at, requires_grad=True))
    with pytest.raises(ShapeError, match="odd length"):
        F.glu(tg.ones(3))


def test_softmin_prefers_the_smallest():
    np.testing.assert_allclose(F.softmin(tg.tensor([0.0, math.log(3)]), dim=0).numpy(), [0.75, 0.25])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: F.gelu(x, "quick"), ArgumentError, "gelu: approximate is 'quick'"),
        (lambda x: F.softshrink(x, -1.0), RangeError, "softshrink: lambd"),
        (lambda x: F.hardtanh(x, 1.0, 0.0), RangeError, "hardtanh: min_val"),
        (lambda x: F.softplus(x, 0), RangeError, "softplus: beta"),
        (lambda x: tg.celu(x, 0), RangeError, "celu: alpha"),
        (lambda x: F.elu(x.astype(np.int64)), DTypeError, "elu: a floating dtype"),
        (lambda x: F.glu(x, 2), ShapeError, "glu: axis 2"),
    ],
)
def test_bad_arguments_raise(call, error, message):
    with pytest.raises(error, match=message):
        call(tg.ones(2))
