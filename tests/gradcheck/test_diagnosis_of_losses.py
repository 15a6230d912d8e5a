"""The diagnosis of wrong backwards of losses, gates and norms that are not in the bank."""

import math

import numpy as np
import pytest

from tinygrad_relu.gradcheck import check_gradients
from tinygrad_relu.gradcheck.diagnosis import Label
from tinygrad_relu.gradcheck.diagnosis.functions import slope_of_gelu, slope_of_gelu_by_tanh

pytestmark = pytest.mark.usefixtures("walks_before_edits")

rng = np.random.default_rng(23)
X, y, B = rng.normal(size=(7, 3)), rng.normal(size=7), rng.normal(size=(5, 4))
counts = np.array([0.0, 1, 2, 0, 3, 1, 4])
classes = np.array([0, 2, 1, 2, 0, 1, 1])
seen = np.array([[1.0, 1, 0, 1], [0, 1, 1, 1], [1, 1, 1, 0], [1, 0, 1, 1], [1, 1, 0, 1]])


def draw(**shapes):
    source = np.random.default_rng(4)
    return {name: source.normal(size=shape) for name, shape in shapes.items()}


def first_label(forward, wrong, inputs, name):
    """Return the first explanation of the one gradient that is wrong."""
    report = check_gradients(forward, inputs, backward=wrong)
    assert [entry.name for entry in report.inputs if not entry.ok] == [name], str(report)
    first = report[name].explanations[0]
    assert first.share == 1.0
    return first


def probabilities(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


# ------------------------------------------------------------------------------------------ losses


def squared(w, b):
    return np.mean((X @ w + b - y) ** 2)


def squared_without_data(w, b):
    r = 2 * (X @ w + b - y) / 7
    return np.full(3, r.sum()), r.sum()


def huber(w):
    r = X @ w - 3 * y
    a = np.abs(r)
    return np.where(a <= 0.7, 0.5 * r * r, 0.7 * (a - 0.35)).sum()


def huber_without_size(w):
    r = X @ w - 3 * y
    return X.T @ np.where(r <= 0.7, r, 0.7 * np.sign(r))


def poisson(w):
    z = X @ w
    return np.mean(np.exp(z) - counts * z)


def poisson_by_mean(w):
    return X.T @ (1 - counts / np.exp(X @ w)) / 7


def hinge(s):
    m = np.maximum(0, s - s[np.arange(7), classes][:, None] + 1)
    m[np.arange(7), classes] = 0
    return m.sum()


def hinge_that_counts_once(s):
    found = 1.0 * (s - s[np.arange(7), classes][:, None] + 1 > 0)
    found[np.arange(7), classes] = 0
    found[np.arange(7), classes] = -1.0 * found.any(1)
    return found


def factors(u, v, b):
    e = seen * (u @ v.T + b - B)
    return 0.5 * np.sum(e * e)


def factors_by_means(u, v, b):
    e = seen * (u @ v.T + b - B)
    return e @ v, e.T @ u, e.sum(0) / seen.sum(0)


LOSSES = [
    (squared, squared_without_data, draw(w=3, b=()), "w", Label.WRONG_FUNCTION, "r @ X"),
    (huber, huber_without_size, draw(w=3), "w", Label.MASK_FROM_WRONG_TENSOR, "np.abs(r)"),
    (poisson, poisson_by_mean, draw(w=3), "w", Label.MISSING_FACTOR, "np.exp(X @ w)"),
    (hinge, hinge_that_counts_once, draw(s=(7, 3)), "s", Label.MISSING_FACTOR, "counted once"),
    (factors, factors_by_means, draw(u=(5, 2), v=(4, 2), b=4), "b", Label.AVERAGED, "that seen lets"),
]


@pytest.mark.parametrize(
    ("forward", "wrong", "inputs", "name", "label", "word"), LOSSES, ids=[m[1].__name__ for m in LOSSES]
)
def test_a_wrong_gradient_of_a_loss_is_named(forward, wrong, inputs, name, label, word):
    first = first_label(forward, wrong, inputs, name)
    assert first.label is label and word in first.claim, first.claim


@pytest.mark.parametrize("penalty", ["w ** 2", "w * w", "abs(w)"])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_term_with_the_wrong_sign_is_named_or_lacks_its_minus(penalty, sign):
    def forward(w):
        of_w = {"w ** 2": w**2, "w * w": w * w, "abs(w)": np.abs(w)}[penalty]
        loss = 0.5 * np.sum((X @ w - y) ** 2)
        return loss + 0.3 * np.sum(of_w) if sign > 0 else loss - 0.3 * np.sum(of_w)

    def wrong(w):
        return X.T @ (X @ w - y) - sign * 0.3 * (np.sign(w) if penalty == "abs(w)" else 2 * w)

    first = first_label(forward, wrong, draw(w=3), "w")
    assert first.label is Label.WRONG_FUNCTION and first.claim.count("minus") == (sign < 0), first.claim


# ------------------------------------------------------------------------------------------- gates


@pytest.mark.parametrize("mask", [lambda x: x > 0, lambda x: np.abs(x) > 0.5], ids=["zero", "size"])
def test_a_threshold_that_is_another_one_is_a_mask_from_elsewhere(mask):
    inputs = draw(x=(6, 5))
    first = first_label(lambda x: np.where(x > 0.5, x, 0), lambda d, x: d * mask(x), inputs, "x")
    assert first.label is Label.MASK_FROM_WRONG_TENSOR, first.claim


def test_a_leaky_gate_that_passes_everything_has_forgotten_its_mask():
    def forward(z):
        return np.where(2 * z > 0, 2 * z, 0.1 * (2 * z))

    first = first_label(forward, lambda d, z: 2 * d, draw(z=(5, 4)), "z")
    assert first.label is Label.MASK_FORGOTTEN, first.claim


def test_a_residual_way_with_a_factor_too_much_is_a_wrong_function():
    def forward(x, g):
        return x + g * np.tanh(x)

    def wrong(d, x, g):
        return d * g + d * g * (1 - np.tanh(x) ** 2), np.sum(d * np.tanh(x), axis=0)

    first = first_label(forward, wrong, draw(x=(5, 4), g=4), "x")
    assert first.label is Label.WRONG_FUNCTION, first.claim


# --------------------------------------------------------------------------------- functions, norms


def test_the_slopes_of_both_kinds_of_gelu_are_those_of_differences():
    v, h = np.linspace(-4, 4, 33), 1e-5
    by_erf = np.vectorize(lambda x: 0.5 * x * (1 + math.erf(x / math.sqrt(2))))
    by_tanh = lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    for f, slope in ((by_erf, slope_of_gelu), (by_tanh, slope_of_gelu_by_tanh)):
        np.testing.assert_allclose(slope(v), (f(v + h) - f(v - h)) / (2 * h), atol=2e-10)


def test_the_derivative_of_the_other_gelu_is_named():
    def forward(x):
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))

    first = first_label(forward, lambda d, x: d * slope_of_gelu(x), draw(x=(5, 4)), "x")
    assert first.label is Label.WRONG_FUNCTION and "exact GELU" in first.claim


NORMS = [
    # what stands for the two means and the scale, label
    (lambda d, n, s: (d - d.mean(0) - (d * n).mean(0)) / s, Label.MISSING_FACTOR),
    (lambda d, n, s: (d - d.mean(0) - n * d.mean(0)) / s, Label.MISSING_FACTOR),
    (lambda d, n, s: (d - d.mean(0) - n * d * n) / s, Label.NOT_SUMMED),
    (lambda d, n, s: (d - d.mean(0) - n * (d * n).sum(0)) / s, Label.AVERAGED),
    (lambda d, n, s: (d - d.sum(0) - n * (d * n).mean(0)) / s, Label.AVERAGED),
    (lambda d, n, s: (d - d.mean(0) - n * (d * n).mean(0)) * s, Label.WRONG_FUNCTION),
]


@pytest.mark.parametrize(("rule", "label"), NORMS)
def test_the_terms_of_a_norm_are_told_apart(rule, label):
    def forward(x):
        return (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3)

    def wrong(d, x):
        s = np.sqrt(x.var(0) + 1e-3)
        return rule(d, (x - x.mean(0)) / s, s)

    first = first_label(forward, wrong, {"x": 2 * draw(x=(6, 3))["x"] + 1}, "x")
    assert first.label is label, first.claim


def test_the_result_is_not_the_factor_that_a_scale_was_multiplied_by():
    def forward(x, g):
        return g * np.tanh(x) + x

    def wrong(d, x, g):
        return d * g * (1 - np.tanh(x) ** 2) + d, np.sum(d * forward(x, g), axis=0)

    first = first_label(forward, wrong, draw(x=(5, 4), g=4), "g")
    assert first.label is Label.WRONG_FUNCTION, first.claim
