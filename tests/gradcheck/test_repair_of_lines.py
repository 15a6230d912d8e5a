"""Mistakes in several steps of a backward: of a line, of two lines, of data, of all rounds of a loop."""

import numpy as np
import pytest
from edited_models import report_on

from tinygrad_relu.gradcheck import check_gradients
from tinygrad_relu.gradcheck.diagnosis import Label

pytestmark = pytest.mark.usefixtures("without_edits")

TABLE = '''
def forward(heights, x):
    cell = np.floor(x).astype(int)
    s = x - cell
    return heights[cell] * (1 - s) + heights[cell + 1] * s
def backward(dout, heights, x):
    cell = np.floor(x).astype(int)
    s = x - cell
    dheights = np.zeros_like(heights)
    np.add.at(dheights, cell, dout * (1 - s))
    np.add.at(dheights, cell + 1, dout * s)
    return dheights, dout * (heights[cell + 1] - heights[cell])
rng = np.random.default_rng(0)
INPUTS = [rng.normal(size=6), np.array([0.3, 0.6, 2.2, 3.8, 2.7])]
'''

DROPPED = '''
kept = np.array([[1, 0, 1], [1, 1, 0], [0, 1, 1], [1, 1, 1.0]])
X = np.random.default_rng(1).normal(size=(4, 3))
INPUTS = [np.random.default_rng(2).normal(size=(3, 2))]
def forward(W):
    return np.sum(np.tanh(X * kept @ W) ** 2)
def backward(W):
    h = np.tanh(X * kept @ W)
    return (X * kept).T @ (2 * h * (1 - h ** 2))
'''

ARM = '''
def forward(angles, lengths):
    heading = np.cumsum(angles)
    return np.stack([np.sum(lengths * np.cos(heading)), np.sum(lengths * np.sin(heading))])
def backward(dout, angles, lengths):
    heading = np.cumsum(angles)
    dlengths = dout[0] * np.cos(heading) + dout[1] * np.sin(heading)
    dheading = lengths * (dout[1] * np.cos(heading) - dout[0] * np.sin(heading))
    return np.cumsum(dheading[::-1])[::-1], dlengths
rng = np.random.default_rng(3)
INPUTS = [rng.normal(size=4), 1 + rng.random(4)]
'''

GATED = '''
def forward(x, V, W):
    return np.sum(np.tanh(x @ V) / (1 + np.exp(-x @ W)))
def backward(x, V, W):
    t, s = np.tanh(x @ V), 1 / (1 + np.exp(-x @ W))
    da, db = s * (1 - t ** 2), t * s * (1 - s)
    return da @ V.T + db @ W.T, x.T @ da, x.T @ db
rng = np.random.default_rng(4)
INPUTS = [rng.normal(size=(5, 3)), rng.normal(size=(3, 3)), rng.normal(size=(3, 3))]
'''

PULLED = '''
def forward(x, W):
    s = np.zeros(3)
    for t in range(4):
        s = np.tanh(x[t] + s @ W)
    return np.sum(s ** 3)
def backward(x, W):
    states = [np.zeros(3)]
    for t in range(4):
        states.append(np.tanh(x[t] + states[t] @ W))
    dx, dW, ds = np.zeros_like(x), np.zeros_like(W), 3 * states[-1] ** 2
    for t in range(3, -1, -1):
        dz = ds * (1 - states[t + 1] ** 2)
        dx[t], dW = dz, dW + np.outer(states[t], dz)
        ds = dz @ W.T
    return dx, dW
rng = np.random.default_rng(5)
INPUTS = [rng.normal(size=(4, 3)), rng.normal(size=(3, 3))]
'''

# Model, what is right and what is written, the wrong inputs, what is wrong, and a word of the sentence.
CASES = [
    (TABLE, ["cell, dout * (1 - s)", "cell, dout * s",
             "cell + 1, dout * s)", "cell + 1, dout * (1 - s))"],
     "heights", Label.PERMUTED, "exchanged"),
    (TABLE, ["np.add.at(dheights, cell, dout * (1 - s))", "dheights[cell] += dout * (1 - s)",
             "np.add.at(dheights, cell + 1, dout * s)", "dheights[cell + 1] += dout * s"],
     "heights", Label.MISSING_TERM, "np.add.at"),
    (DROPPED, ["(X * kept).T @", "X.T @"], "W", Label.MASK_FORGOTTEN, "kept"),
    (ARM, ["np.cos(heading) + dout[1] * np.sin(heading)", "np.cos(angles) + dout[1] * np.sin(angles)"],
     "lengths", Label.WRONG_FUNCTION, "np.cumsum"),
    (ARM, ["dout[0] * np.cos(heading) + dout[1] * np.sin(heading)",
           "dout[0] * np.sin(heading) + dout[1] * np.cos(heading)"],
     "lengths", Label.PERMUTED, "other"),
    (GATED, ["da @ V.T + db @ W.T", "db @ V.T + da @ W.T"], "x", Label.WRONG_FUNCTION, "other"),
    (PULLED, ["dz = ds * (1 - states[t + 1] ** 2)", "dz = ds = ds * (1 - states[t + 1] ** 2)",
              "dx[t], dW = dz, dW + np.outer(states[t], dz)\n        ds = dz @ W.T",
              "dW = dW + np.outer(states[t], dz)\n        ds = ds @ W.T\n        dx[t] = ds"],
     "x", Label.STALE_BUFFER, "before it was changed"),
]


@pytest.mark.parametrize(("source", "edits", "wrong", "label", "word"), CASES)
def test_mistakes_of_several_steps_are_named(source, edits, wrong, label, word):
    report = report_on(source, edits, "model")
    assert [entry.name for entry in report.inputs if not entry.ok] == wrong.split()
    for name in wrong.split():
        first = report[name].explanations[0]
        assert first.label is label and word in first.claim, report[name].explanations


def test_a_direction_that_the_user_drew_hides_nothing():
    # The gradient of a function of directions is 0 along its input, which is drawn as ours once were.
    u, v = (np.random.default_rng(seed).normal(size=(4, 3)) for seed in (0, 1))

    def forward(u, v):
        un, vn = (x / np.sqrt(np.sum(x ** 2, axis=1, keepdims=True)) for x in (u, v))
        return np.sum(np.exp(un @ vn.T))

    def backward(u, v):
        lengths = [np.sqrt(np.sum(x ** 2, axis=1, keepdims=True)) for x in (u, v)]
        un, vn = u / lengths[0], v / lengths[1]
        d = np.exp(un @ vn.T)
        du, dv = d @ v, d.T @ un        # and not d @ vn
        return tuple(
            (g - n * np.sum(g * n, axis=1, keepdims=True)) / s
            for g, n, s in zip((du, dv), (un, vn), lengths)
        )

    report = check_gradients(forward, {"u": u, "v": v}, backward=backward)
    assert report["v"].ok and report["u"].label in (Label.MISSING_FACTOR, Label.PRE_ACTIVATION)


def test_one_mistake_at_three_places_is_one_explanation():
    def forward(w, a, b, c):
        return np.sum(np.tanh(a @ w) * np.tanh(b @ w) * np.tanh(c @ w))

    def backward(w, a, b, c):
        fa, fb, fc = np.tanh(a @ w), np.tanh(b @ w), np.tanh(c @ w)
        da, db, dc = fb * fc * (1 - fa), fa * fc * (1 - fb), fa * fb * (1 - fc)
        return a.T @ da + b.T @ db + c.T @ dc, da @ w.T, db @ w.T, dc @ w.T

    rng = np.random.default_rng(6)
    inputs = [rng.normal(size=(3, 2)), *(rng.normal(size=(4, 3)) for _ in range(3))]
    report = check_gradients(forward, inputs, backward=backward)
    assert {entry.label for entry in report.inputs} == {Label.WRONG_FUNCTION}
    assert "here and in 2 more places" in report.inputs[0].explanations[0].claim


def test_what_is_kept_from_the_first_call_is_wrong_and_a_gradient_computed_beforehand_is_not():
    x, w, first = np.array([0.5, -1.5, 2.0]), np.array([1.0, 2.0, -0.5]), {}

    def loss(x, w):
        return np.sum((x * w) ** 2)

    def keeping(x, w):
        return 2 * x * w**2, first.setdefault("dw", 2 * x**2 * w)

    report = check_gradients(loss, {"x": x, "w": w}, backward=keeping)
    assert report["x"].ok and report["w"].label is Label.STALE_BUFFER
    assert "first" in report["w"].explanations[0].claim
    known = 2 * x * w**2, 2 * x**2 * w
    assert check_gradients(loss, {"x": x, "w": w}, backward=lambda x, w: known).ok


def test_a_gradient_of_the_wrong_shape_on_a_kink_is_reported():
    x = np.array([[0.0, 1.0], [0.0, -2.0]])
    report = check_gradients(
        lambda x, b: np.maximum(x + b, 0), {"x": x, "b": np.zeros(2)},
        backward=lambda d, x, b: (d * (x + b > 0), d * (x + b > 0)),
    )
    assert report["b"].label is Label.WRONG_SHAPE and "(2, 2)" in str(report)
