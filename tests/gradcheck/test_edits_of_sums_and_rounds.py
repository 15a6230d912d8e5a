"""Terms that a sum lacks, what one round leaves to the next, and what belongs to one case alone."""

import pytest
from edited_models import report_on

from tinygrad_relu.gradcheck.diagnosis import Label

# What goes back to the state before comes by three ways.
GRU = '''
def sigmoid(z):
    return 1 / (1 + np.exp(-z))
def forward(x, h, Wz, Uz, W, U):
    for x_t in x:
        z = sigmoid(x_t @ Wz + h @ Uz)
        c = np.tanh(x_t @ W + h @ U)
        h = z * h + (1 - z) * c
    return h
def backward(dout, x, h, Wz, Uz, W, U):
    tape = []
    for x_t in x:
        z = sigmoid(x_t @ Wz + h @ Uz)
        c = np.tanh(x_t @ W + h @ U)
        tape.append((x_t, h, z, c))
        h = z * h + (1 - z) * c
    dWz, dUz, dW, dU = [np.zeros_like(one) for one in (Wz, Uz, W, U)]
    dx, dh = [], dout
    while tape:
        x_t, h, z, c = tape.pop()
        da = dh * (h - c) * z * (1 - z)
        db = dh * (1 - z) * (1 - c ** 2)
        dWz += np.outer(x_t, da); dUz += np.outer(h, da)
        dW += np.outer(x_t, db); dU += np.outer(h, db)
        dx.insert(0, da @ Wz.T + db @ W.T)
        dh = dh * z + da @ Uz.T + db @ U.T
    return np.stack(dx), dh, dWz, dUz, dW, dU
rng = np.random.default_rng(0)
INPUTS = [rng.normal(size=(4, 3)), rng.normal(size=3), *(rng.normal(size=(3, 3)) for _ in range(4))]
'''

# Groups of channels, each with a mean of its own, and a penalty on all that the layer gives.
GROUPS = '''
def forward(x, W):
    h = np.tanh(np.einsum("ngcs,gck->ngks", x - x.mean(axis=(2, 3), keepdims=True), W))
    return np.sum(h ** 3) + 0.1 * np.sum(h.mean(axis=(0, 3)) ** 4)
def backward(x, W):
    d = x - x.mean(axis=(2, 3), keepdims=True)
    h = np.tanh(np.einsum("ngcs,gck->ngks", d, W))
    dh = 3 * h ** 2
    dh += 0.4 * (h.mean(axis=(0, 3)) ** 3)[None, :, :, None] / (h.shape[0] * h.shape[3])
    da = dh * (1 - h ** 2)
    dd = np.einsum("ngks,gck->ngcs", da, W)
    return dd - dd.mean(axis=(2, 3), keepdims=True), np.einsum("ngks,ngcs->gck", da, d)
rng = np.random.default_rng(1)
INPUTS = [rng.normal(size=(2, 2, 3, 4)), rng.normal(size=(2, 3, 2))]
'''

# Some have been seen to the end, of others it is only known that they lasted.
LIFETIMES = '''
rng = np.random.default_rng(2)
X, t, seen = rng.normal(size=(7, 2)), rng.random(7) + 0.5, np.array([1.0, 0, 1, 1, 0, 0, 1])
weight = rng.random(7) + 0.5
INPUTS = [rng.normal(size=2), rng.normal(size=1)]
def forward(beta, log_shape):
    z = np.exp(log_shape) * (np.log(t) - X @ beta)
    return np.sum(weight * (np.exp(z) - seen * (z + log_shape)))
def backward(beta, log_shape):
    shape = np.exp(log_shape)
    z = shape * (np.log(t) - X @ beta)
    hazard = np.exp(z)
    dz = weight * (hazard - seen)
    return -X.T @ dz * shape, np.sum(dz * z - weight * seen).reshape(1)
'''

# Words in windows that move along sentences, of which each is kept where it is largest.
SENTENCES = '''
sentences = [np.array([0, 2, 1, 4, 3]), np.array([3, 0, 4, 1])]
def forward(E, K):
    total = 0.0
    for s in sentences:
        f = np.stack([E[s[t:t + 2]].ravel() @ K for t in range(len(s) - 1)])
        total += np.sum(f.max(axis=0) ** 2)
    return total
def backward(E, K):
    dE, dK, d = np.zeros_like(E), np.zeros_like(K), E.shape[1]
    for s in sentences:
        f = np.stack([E[s[t:t + 2]].ravel() @ K for t in range(len(s) - 1)])
        for j, t in enumerate(f.argmax(axis=0)):
            g = 2 * f[t, j]
            dK[:, j] += g * E[s[t:t + 2]].ravel()
            for i in range(2):
                dE[s[t + i]] += g * K[i * d:(i + 1) * d, j]
    return dE, dK
rng = np.random.default_rng(3)
INPUTS = [rng.normal(size=(5, 3)), rng.normal(size=(6, 2))]
'''

# Model, what is right and what is written, in turns, the wrong inputs, what is wrong, and what to write.
CASES = [
    (GRU, [" + db @ U.T", ""], "x h Wz Uz W U", Label.MISSING_TERM, "+ db @ U.T"),
    (GRU, ["da @ Wz.T + db @ W.T", "db @ W.T"], "x", Label.MISSING_TERM, "+ da @ Wz.T"),
    (GROUPS, ["dd.mean(axis=(2, 3)", "dd.mean(axis=(1, 2, 3)"], "x", Label.SUMMED, "(2, 3)"),
    (GROUPS, ["(h.shape[0] * h.shape[3])", "h.shape[0]"], "x W", Label.AVERAGED, ""),
    (GROUPS, ['''    dh += 0.4 * (h.mean(axis=(0, 3)) ** 3)[None, :, :, None] / (h.shape[0] * h.shape[3])
    da = dh * (1 - h ** 2)
''', '''    da = dh * (1 - h ** 2)
    da += 0.4 * (h.mean(axis=(0, 3)) ** 3)[None, :, :, None] / (h.shape[0] * h.shape[3])
'''], "x W", Label.PRE_ACTIVATION, "dh += 0.4"),
    (LIFETIMES, ["hazard - seen", "hazard - 1"], "beta log_shape", Label.MASK_FORGOTTEN, "seen"),
    (SENTENCES, ["dE[s[t + i]]", "dE[s[i]]"], "E", Label.SHIFTED, "s[i + t]"),
]


@pytest.mark.parametrize(("source", "edits", "wrong", "label", "words"), CASES)
def test_the_report_says_what_to_write(source, edits, wrong, label, words):
    report = report_on(source, edits, "model")
    assert [entry.name for entry in report.inputs if not entry.ok] == wrong.split()
    for name in wrong.split():
        first = report[name].explanations[0]
        assert first.label is label, report[name].explanations
        assert "in the backward" in first.claim and words in first.claim, first.claim


@pytest.mark.parametrize("source", [GRU, GROUPS, LIFETIMES, SENTENCES])
def test_right_models_are_right(source):
    assert report_on(source, [], "model").ok
