"""Mistakes in loops whose later rounds start from wrong numbers, and what only the text can tell."""

import pytest
from edited_models import report_on

from tinygrad_relu.gradcheck.diagnosis import Label

pytestmark = pytest.mark.usefixtures("without_edits")

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

MIXTURE = '''
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

# Model, what is right and what is written, the wrong inputs, what is wrong, and a word of the sentence.
CASES = [
    (OSCILLATOR, ["        tape.append((x, v))\n"
                  "        v = v - 0.3 * (stiffness * np.sin(x) + damping * v)\n"
                  "        x = x + 0.3 * v\n",
                  "        v = v - 0.3 * (stiffness * np.sin(x) + damping * v)\n"
                  "        x = x + 0.3 * v\n        tape.append((x, v))\n"],
     "x0 v0 stiffness damping", Label.STALE_BUFFER, "round before"),
    (OSCILLATOR, ["        dv = dv + 0.3 * dx\n        dforce = -0.3 * dv\n",
                  "        dforce = -0.3 * dv\n        dv = dv + 0.3 * dx\n"],
     "x0 v0 stiffness damping", Label.STALE_BUFFER, "behind"),
    (COUPLING, ["        da, db = db, da\n", ""], "x S", Label.PERMUTED, "exchanged"),
    (COUPLING, ["        da, db = db, da\n", "        da, db = db, da * np.exp(s)\n",
                "        db = db * np.exp(s)\n", ""], "x S", Label.STALE_BUFFER, "before it is changed"),
    (CROSS, ["    dx0 += d\n", ""], "x0", Label.MISSING_TERM, "starts with"),
    (ATTENTION, [" * (1 - t ** 2)", ""], "h W u", Label.MISSING_FACTOR, "tanh"),
    (POLICY, ["(taken - p)", "taken"], "logits", Label.MISSING_TERM, "does not go on"),
    (POLICY, ["(log_p + entropy)", "log_p"], "logits", Label.MISSING_TERM, "does not go on"),
    (POLICY, ["np.where(gain > 0, ratio < 1.2, ratio > 0.8)", "(ratio < 1.2) & (ratio > 0.8)"],
     "logits", Label.MASK_FROM_WRONG_TENSOR, ""),
    (PINBALL, ["np.where(error > 0, levels, levels - 1)", "np.where(error < 9, levels, levels - 1)"],
     "W", Label.MASK_FORGOTTEN, "operand 1"),
    (MIXTURE, ["axis=2), 1)", "axis=2), 0)"], "means logits", Label.SUMMED, "axis"),
    (MIXTURE, ["soft(logits - 0.5", "soft(-0.5"], "means logits", Label.MISSING_TERM, "logits added"),
]


@pytest.mark.parametrize(("source", "edits", "wrong", "label", "word"), CASES)
def test_mistakes_in_loops_and_in_shares_are_named(source, edits, wrong, label, word):
    report = report_on(source, edits, "model")
    assert [entry.name for entry in report.inputs if not entry.ok] == wrong.split()
    for name in wrong.split():
        first = report[name].explanations[0]
        assert first.label is label and word in first.claim, report[name].explanations


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
