"""Mistakes that nobody listed, in models of all kinds: the text, written otherwise, shows them."""

import numpy as np
import pytest
from edited_models import first_explanations, report_on

from tinygrad_relu.gradcheck import check_gradients
from tinygrad_relu.gradcheck.diagnosis import Label

FACTORISED = '''
def forward(A, B, C):
    return np.sum(np.sin(np.einsum("ir,jr,kr->ijk", A, B, C)))
def backward(A, B, C):
    d = np.cos(np.einsum("ir,jr,kr->ijk", A, B, C))
    dA = np.einsum("ijk,jr,kr->ir", d, B, C)
    dB = np.einsum("ijk,ir,kr->jr", d, A, C)
    dC = np.einsum("ijk,ir,jr->kr", d, A, B)
    return dA, dB, dC
rng = np.random.default_rng(0)
INPUTS = [rng.normal(size=(n, 2)) for n in (3, 4, 5)]
'''

PENALISED = '''
def forward(T, U):
    z = np.tanh(X @ T[:, 1:].T + T[:, 0]) @ U[:, 1:].T + U[:, 0]
    return np.sum(z ** 2) / 6 + 0.5 * (np.sum(T[:, 1:] ** 2) + np.sum(U[:, 1:] ** 2))
def backward(T, U):
    h = np.tanh(X @ T[:, 1:].T + T[:, 0])
    one, two = np.hstack([np.ones((6, 1)), X]), np.hstack([np.ones((6, 1)), h])
    dz = 2 * (two @ U.T) / 6
    dh = dz @ U[:, 1:] * (1 - h ** 2)
    dT, dU = dh.T @ one, dz.T @ two
    dT[:, 1:] += T[:, 1:]
    dU[:, 1:] += U[:, 1:]
    return dT, dU
rng = np.random.default_rng(1)
X = rng.normal(size=(6, 3))
INPUTS = [rng.normal(size=(4, 4)), rng.normal(size=(2, 5))]
'''

MIXTURE = '''
def forward(logits, means):
    joint = logits - logits.max() - np.log(np.sum(np.exp(logits - logits.max())))
    joint = joint - 0.5 * (X[:, None] - means) ** 2
    return -np.sum(np.logaddexp.reduce(joint, axis=1))
def backward(logits, means):
    weights = np.exp(logits) / np.exp(logits).sum()
    shares = weights * np.exp(-0.5 * (X[:, None] - means) ** 2)
    shares = shares / shares.sum(axis=1, keepdims=True)
    return len(X) * weights - shares.sum(axis=0), -np.sum(shares * (X[:, None] - means), axis=0)
rng = np.random.default_rng(2)
X = rng.normal(size=7)
INPUTS = [rng.normal(size=3), rng.normal(size=3)]
'''

WINDOWS = '''
def forward(x, W):
    padded = np.concatenate([np.zeros((2, 3)), x])
    return np.stack([np.tanh(padded[t:t + 3].ravel() @ W) for t in range(len(x))])
def backward(dout, x, W):
    padded = np.concatenate([np.zeros((2, 3)), x])
    dpadded, dW = np.zeros_like(padded), np.zeros_like(W)
    for t in range(len(x)):
        window = padded[t:t + 3].ravel()
        dz = dout[t] * (1 - np.tanh(window @ W) ** 2)
        dW += np.outer(window, dz)
        dpadded[t:t + 3] += (W @ dz).reshape(3, 3)
    return dpadded[2:], dW
rng = np.random.default_rng(3)
INPUTS = [rng.normal(size=(6, 3)), rng.normal(size=(9, 2))]
'''

RANKED = '''
rng = np.random.default_rng(4)
X, grades = rng.normal(size=(6, 3)), np.array([1, 2, 2, 3, 1, 2])
better = grades[:, None] > grades[None, :]
INPUTS = [rng.normal(size=3)]
def forward(w):
    s = X @ w
    return np.sum(better * np.log1p(np.exp(s[None, :] - s[:, None])))
def backward(w):
    s = X @ w
    g = 1 / (1 + np.exp(s[:, None] - s[None, :]))
    d = g * (grades[:, None] > grades[None, :])
    return X.T @ (d.sum(axis=0) - d.sum(axis=1))
'''

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

OSCILLATOR = '''
def forward(x0, v0, stiffness, damping):
    x, v, path = x0, v0, []
    for _ in range(4):
        v = v - 0.3 * (stiffness * np.sin(x) + damping * v)
        x = x + 0.3 * v
        path.append(x)
    return np.stack(path)
def backward(dout, x0, v0, stiffness, damping):
    x, v, tape = x0, v0, []
    for _ in range(4):
        tape.append((x, v))
        v = v - 0.3 * (stiffness * np.sin(x) + damping * v)
        x = x + 0.3 * v
    dx, dv = np.zeros_like(x0), np.zeros_like(v0)
    dk, dc = np.zeros_like(stiffness), np.zeros_like(damping)
    for t in reversed(range(4)):
        x, v = tape[t]
        dx = dx + dout[t]
        dv = dv + 0.3 * dx
        dforce = -0.3 * dv
        dk += dforce * np.sin(x)
        dc += dforce * v
        dx = dx + dforce * stiffness * np.cos(x)
        dv = dv + dforce * damping
    return dx, dv, dk, dc
rng = np.random.default_rng(0)
INPUTS = [rng.normal(size=3), rng.normal(size=3), 1 + rng.random(3), rng.random(3)]
'''

COUPLING = '''
def forward(x, S):
    a, b = x[:, :2], x[:, 2:]
    for k in range(3):
        a, b = b * np.exp(np.tanh(a @ S[k])), a
    return np.mean((a ** 2).sum(1) + (b ** 2).sum(1))
def backward(x, S):
    a, b, tape = x[:, :2], x[:, 2:], []
    for k in range(3):
        s = np.tanh(a @ S[k])
        tape.append((a, b, s))
        a, b = b * np.exp(s), a
    da, db, dS = 2 * a / len(x), 2 * b / len(x), np.zeros_like(S)
    for k in reversed(range(3)):
        a, b, s = tape[k]
        da, db = db, da
        dz = db * b * np.exp(s) * (1 - s ** 2)
        dS[k] = a.T @ dz
        da = da + dz @ S[k].T
        db = db * np.exp(s)
    return np.hstack([da, db]), dS
rng = np.random.default_rng(1)
INPUTS = [rng.normal(size=(5, 4)), rng.normal(size=(3, 2, 2))]
'''

ATTENTION = '''
def forward(h, W, u, s):
    scores = np.tanh(h @ W + u) @ s
    e = np.exp(scores - scores.max())
    return (e / e.sum()) @ h
def backward(dout, h, W, u, s):
    t = np.tanh(h @ W + u)
    e = np.exp(t @ s - (t @ s).max())
    a = e / e.sum()
    da = h @ dout
    dscores = a * (da - a @ da)
    dz = np.outer(dscores, s) * (1 - t ** 2)
    return np.outer(a, dout) + dz @ W.T, h.T @ dz, dz.sum(0), t.T @ dscores
rng = np.random.default_rng(2)
INPUTS = [rng.normal(size=(5, 3)), rng.normal(size=(3, 4)), rng.normal(size=4), rng.normal(size=4)]
'''

POLICY = '''
action = np.array([0, 2, 1, 1, 0, 2])
gain = np.array([1.0, -0.7, 0.8, -1.2, 0.6, 1.4])
def forward(logits):
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    ratio = np.exp(log_p[np.arange(6), action] + 0.7)
    clipped = np.minimum(ratio * gain, np.clip(ratio, 0.8, 1.2) * gain)
    return -np.mean(clipped) + 0.1 * np.mean(np.sum(np.exp(log_p) * log_p, axis=1))
def backward(logits):
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    p, taken = np.exp(log_p), np.eye(3)[action]
    ratio = np.exp(log_p[np.arange(6), action] + 0.7)
    free = np.where(gain > 0, ratio < 1.2, ratio > 0.8)
    dratio = -(free * gain * ratio)[:, None] / 6
    entropy = -np.sum(p * log_p, axis=1, keepdims=True)
    return dratio * (taken - p) + 0.1 * p * (log_p + entropy) / 6
INPUTS = [np.random.default_rng(3).normal(size=(6, 3))]
'''

PINBALL = '''
levels = np.array([0.1, 0.5, 0.8])
X, y = np.random.default_rng(4).normal(size=(7, 2)), np.random.default_rng(5).normal(size=7)
def forward(W):
    error = y[:, None] - X @ W
    return np.mean(np.maximum(levels * error, (levels - 1) * error))
def backward(W):
    error = y[:, None] - X @ W
    return -X.T @ np.where(error > 0, levels, levels - 1) / error.size
INPUTS = [np.random.default_rng(6).normal(size=(2, 3))]
'''

CROSS = '''
def forward(x0, w):
    x = x0
    for k in range(3):
        x = x0 * (x @ w[k])[:, None] + x
    return x
def backward(dout, x0, w):
    xs = [x0]
    for k in range(3):
        xs.append(x0 * (xs[k] @ w[k])[:, None] + xs[k])
    dx0, dw, d = np.zeros_like(x0), np.zeros_like(w), dout
    for k in reversed(range(3)):
        ds = np.sum(d * x0, axis=1)
        dw[k] = xs[k].T @ ds
        dx0 += d * (xs[k] @ w[k])[:, None]
        d = d + np.outer(ds, w[k])
    dx0 += d
    return dx0, dw
rng = np.random.default_rng(7)
INPUTS = [rng.normal(size=(4, 3)), rng.normal(size=(3, 3))]
'''

TOPICS = '''
X = np.random.default_rng(8).normal(size=(6, 2))
def soft(z, axis):
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)
def forward(means, logits):
    joint = logits - 0.5 * np.sum((X[:, None] - means) ** 2, axis=2)
    return -np.sum(np.log(np.exp(joint).sum(1))) + 6 * np.log(np.exp(logits).sum())
def backward(means, logits):
    r = soft(logits - 0.5 * np.sum((X[:, None] - means) ** 2, axis=2), 1)
    dmeans = -np.einsum("nk,nkd->kd", r, X[:, None] - means)
    return dmeans, 6 * soft(logits, 0) - r.sum(0)
rng = np.random.default_rng(9)
INPUTS = [rng.normal(size=(3, 2)), rng.normal(size=3)]
'''

# Model, what is right and what is written, in turns, the wrong inputs, and what is wrong.
CASES = [
    (FACTORISED, ['"ijk,ir,kr->jr", d, A, C', '"ijk,ir->jr", d, A'], "B", Label.MISSING_FACTOR),
    (FACTORISED, ['"ijk,ir,jr->kr"', '"ijk,is,jr->kr"'], "C", Label.SUMMED),
    (PENALISED, ["dT[:, 1:] += T[:, 1:]", "dT += T"], "T", Label.EXTRA_TERM),
    (MIXTURE, [
        "= shares / shares.sum(axis=1, keepdims=True)",
        "= 2 * shares",
    ], "logits means", Label.MISSING_FACTOR),
    (WINDOWS, ["return dpadded[2:], dW", "return dpadded[:-2], dW"], "x", Label.SHIFTED),
    (RANKED, ["grades[:, None] > grades", "grades[:, None] >= grades"], "w", Label.MASK_NOT_STRICT),
    (TABLE, [
        "np.add.at(dheights, cell, dout * (1 - s))",
        "dheights[cell] += dout * (1 - s)",
        "np.add.at(dheights, cell + 1, dout * s)",
        "dheights[cell + 1] += dout * s",
    ], "heights", Label.MISSING_TERM),
    (DROPPED, ["(X * kept).T @", "X.T @"], "W", Label.MASK_FORGOTTEN),
    (ARM, [
        "dout[0] * np.cos(heading) + dout[1] * np.sin(heading)",
        "dout[0] * np.sin(heading) + dout[1] * np.cos(heading)",
    ], "lengths", Label.WRONG_FUNCTION),
    (GATED, ["da @ V.T + db @ W.T", "db @ V.T + da @ W.T"], "x", Label.WRONG_FUNCTION),
    (PULLED, [
        "dz = ds * (1 - states[t + 1] ** 2)",
        "dz = ds = ds * (1 - states[t + 1] ** 2)",
        "dx[t], dW = dz, dW + np.outer(states[t], dz)\n"
        "        ds = dz @ W.T",
        "dW = dW + np.outer(states[t], dz)\n"
        "        ds = ds @ W.T\n"
        "        dx[t] = ds",
    ], "x", Label.MISSING_FACTOR),
    (OSCILLATOR, [
        "        tape.append((x, v))\n"
        "        v = v - 0.3 * (stiffness * np.sin(x) + damping * v)\n"
        "        x = x + 0.3 * v\n",
        "        v = v - 0.3 * (stiffness * np.sin(x) + damping * v)\n"
        "        x = x + 0.3 * v\n"
        "        tape.append((x, v))\n",
    ], "x0 v0 stiffness damping", Label.STALE_BUFFER),
    (OSCILLATOR, [
        "        dv = dv + 0.3 * dx\n"
        "        dforce = -0.3 * dv\n",
        "        dforce = -0.3 * dv\n"
        "        dv = dv + 0.3 * dx\n",
    ], "x0 v0 stiffness damping", Label.STALE_BUFFER),
    (COUPLING, ["        da, db = db, da\n", ""], "x S", Label.PERMUTED),
    (CROSS, ["    dx0 += d\n", ""], "x0", Label.MISSING_TERM),
    (ATTENTION, [" * (1 - t ** 2)", ""], "h W u", Label.MISSING_FACTOR),
    (POLICY, ["(taken - p)", "taken"], "logits", Label.MISSING_TERM),
    (POLICY, ["(log_p + entropy)", "log_p"], "logits", Label.MISSING_TERM),
    (POLICY, [
        "np.where(gain > 0, ratio < 1.2, ratio > 0.8)",
        "(ratio < 1.2) & (ratio > 0.8)",
    ], "logits", Label.MASK_FROM_WRONG_TENSOR),
    (TOPICS, ["axis=2), 1)", "axis=2), 0)"], "means logits", Label.SUMMED),
    (TOPICS, ["soft(logits - 0.5", "soft(-0.5"], "means logits", Label.MISSING_TERM),
]


@pytest.mark.parametrize(("source", "edits", "wrong", "label"), CASES)
def test_mistakes_that_nobody_listed_are_named(source, edits, wrong, label):
    report = report_on(source, edits, "model")
    for first in first_explanations(report, wrong):
        assert first.label is label, first
        assert "in the backward" in first.claim or label is Label.MISSING_FACTOR, first.claim


def test_two_places_with_one_mistake_are_found_together():
    source = '''
def forward(x, low, high):
    return np.sum(np.where(x > high, 2 * (x - high), 0) + np.where(x < low, 3 * (x - low), 0) + x ** 3)
def backward(x, low, high):
    above, below = x > high, x < low
    return 2.0 * above + 3.0 * below + 3 * x ** 2, -3.0 * below.sum(0), -2.0 * above.sum(0)
x = np.random.default_rng(5).normal(size=(9, 3))
INPUTS = [x, np.array([-0.4, -0.5, -0.6]), np.array([0.5, 0.4, 0.7])]
'''
    report = report_on(source, ["x > high, x < low", "x > 0, x < 0"], "model")
    assert all("mask" in str(entry.label) and entry.explanations[0].share == 1 for entry in report.inputs)
    assert "and" in report["x"].explanations[0].claim


def test_exchanged_indices_and_rows_that_data_name_are_found():
    rng = np.random.default_rng(7)
    source, target, kept = np.array([0, 1, 2, 3, 0]), np.array([1, 2, 3, 4, 3]), np.array([0, 2, 3])

    def forward(h):
        sent = np.zeros_like(h)
        np.add.at(sent, target, np.tanh(h)[source])
        return np.sum((h + sent)[kept] ** 3)

    def backward_by(send):
        def backward(h):
            sent = np.zeros_like(h)
            np.add.at(sent, target, np.tanh(h)[source])
            return send(h, 3 * (h + sent) ** 2)

        return backward

    def exchanged(h, g):
        d, dt = np.zeros_like(h), np.zeros_like(h)
        d[kept] = g[kept]
        np.add.at(dt, target, d[source])
        return d + dt * (1 - np.tanh(h) ** 2)

    def of_all(h, g):
        d, dt = np.zeros_like(h), np.zeros_like(h)
        d[:] = g
        np.add.at(dt, source, d[target])
        return d + dt * (1 - np.tanh(h) ** 2)

    h = rng.normal(size=(5, 2))
    for send, label in ((exchanged, Label.PERMUTED), (of_all, Label.MASK_FORGOTTEN)):
        first = check_gradients(forward, [h], backward=backward_by(send)).inputs[0].explanations[0]
        assert first.label is label, first.claim


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


def test_what_is_wrong_by_a_number_in_one_term_alone_is_no_constant_factor():
    source = '''
X = np.random.default_rng(0).normal(size=(7, 3))
def forward(w):
    return np.sum((X @ w) ** 2) / 7 + np.sum(w ** 4)
def backward(w):
    return 2 * X.T @ (X @ w) / 7 + 4 * w ** 3
INPUTS = [np.random.default_rng(1).normal(size=3)]
'''
    report = report_on(source, ["(X @ w) / 7", "(X @ w)"], "model")
    assert report["w"].explanations[0].label is Label.AVERAGED
