"""Terms that a sum lacks, what one round leaves to the next, and what belongs to one case alone."""

import pytest
from edited_models import assert_told, report_on

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

# A step has three stages, each of which goes back by itself.
STAGES = '''
def rates(s, force):
    return np.stack([s[1], force - np.sin(s[0]) * s[1]])
def pull(s, d):
    return np.stack([-np.cos(s[0]) * s[1] * d[1], d[0] - np.sin(s[0]) * d[1]]), d[1]
def forward(state, forces):
    s = state
    for force in forces:
        k1 = rates(s, force)
        k2 = rates(s + 0.1 * k1, force)
        k3 = rates(s + 0.2 * k2, force)
        s = s + (k1 + k2 + k3) / 15
    return s
def backward(dout, state, forces):
    s, tape = state, []
    for force in forces:
        s1 = s
        s2 = s + 0.1 * rates(s1, force)
        s3 = s + 0.2 * rates(s2, force)
        tape.append((s1, s2, s3))
        s = s + (rates(s1, force) + rates(s2, force) + rates(s3, force)) / 15
    d, dforces = dout, np.zeros_like(forces)
    for t in reversed(range(len(forces))):
        s1, s2, s3 = tape[t]
        d3, f3 = pull(s3, d / 15)
        d2, f2 = pull(s2, d / 15 + 0.2 * d3)
        d1, f1 = pull(s1, d / 15 + 0.1 * d2)
        dforces[t] = f1 + f2 + f3
        d = d + d1 + d2 + d3
    return d, dforces
rng = np.random.default_rng(4)
INPUTS = [rng.normal(size=2), rng.normal(size=4)]
'''

# Neighbours on a ring, two sums that go back by turns, and an order that is undone.
RING = '''
order = np.array([2, 4, 0, 1, 3])
def forward(u, c):
    v = np.sin(u) + np.roll(u, 1) ** 2 - np.roll(u, -1) ** 3
    a, b = np.zeros(5), np.zeros(5)
    for k in range(5):
        a, b = c[k] + 2 * v * a - b, a
    return np.sum((a - v * b)[order] * np.arange(5))
def backward(u, c):
    v = np.sin(u) + np.roll(u, 1) ** 2 - np.roll(u, -1) ** 3
    a, b, tape = np.zeros(5), np.zeros(5), []
    for k in range(5):
        tape.append(a)
        a, b = c[k] + 2 * v * a - b, a
    da = np.arange(5.0)[np.argsort(order)]
    db, dv, dc = -v * da, -b * da, np.zeros(5)
    for k in reversed(range(5)):
        dc[k] = da.sum()
        dv += 2 * da * tape[k]
        da, db = db + 2 * v * da, -da
    left = 2 * dv * np.roll(u, 1)
    right = 3 * dv * np.roll(u, -1) ** 2
    return dv * np.cos(u) + np.roll(left, -1) - np.roll(right, 1), dc
rng = np.random.default_rng(5)
INPUTS = [rng.normal(size=5), rng.normal(size=5)]
'''

# Atoms attract and repel each other, as long as they are near; each has its share of what comes to it.
ATOMS = '''
def forward(pos, weight):
    total = 0.0
    for i in range(4):
        share = 0.0
        for j in range(4):
            r = np.sqrt(np.sum((pos[i] - pos[j]) ** 2) + 0.1)
            if r < 1.6 and i != j:
                total += r ** -4 - r ** -2
                share += weight[j] * r
        total += share ** 2
    return total
def backward(pos, weight):
    dpos, dweight = np.zeros_like(pos), np.zeros_like(weight)
    for i in range(4):
        share, near = 0.0, []
        for j in range(4):
            apart = pos[i] - pos[j]
            r = np.sqrt(np.sum(apart ** 2) + 0.1)
            if r < 1.6 and i != j:
                near.append((j, apart, r))
                share += weight[j] * r
        for j, apart, r in near:
            dr = 2 * r ** -3 - 4 * r ** -5 + 2 * share * weight[j]
            dweight[j] += 2 * share * r
            dpos[i] += dr * apart / r
            dpos[j] -= dr * apart / r
    return dpos, dweight
rng = np.random.default_rng(6)
INPUTS = [rng.normal(size=(4, 2)), rng.normal(size=4)]
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
    (STAGES, ["pull(s3, d / 15)", "pull(s1, d / 15)", "pull(s2, d", "pull(s1, d"],
     "state forces", Label.STALE_BUFFER, "pull(s3, d / 15)"),
    (STAGES, ["f1 + f2 + f3", "f1"], "forces", Label.MISSING_TERM, "f1 + f2 + f3"),
    (RING, ["np.roll(left, -1) - np.roll(right, 1)", "np.roll(left, 1) - np.roll(right, -1)"],
     "u", Label.SHIFTED, "np.roll(left, -1)"),
    (RING, ["da, db = db + 2 * v * da, -da", "da = db + 2 * v * da\n        db = -da"],
     "u c", Label.STALE_BUFFER, "da, db = (db + 2 * v * da, -da)"),
    (RING, ["[np.argsort(order)]", "[order]"], "u c", Label.PERMUTED, "np.argsort(order)"),
    (ATOMS, ["dweight = np.zeros_like(pos), np.zeros_like(weight)",
             "dweight, share = np.zeros_like(pos), np.zeros_like(weight), 0.0",
             "share, near = 0.0, []", "near = []"],
     "pos weight", Label.STALE_BUFFER, "share = 0 * share first in each round"),
    (ATOMS, ["2 * r ** -3 - 4 * r ** -5", "4 * r ** -3 - 2 * r ** -5"],
     "pos", Label.WRONG_FUNCTION, "2 * r ** (-3)"),
    (ATOMS, ["if r < 1.6 and i != j", "if i != j"],
     "pos weight", Label.MASK_FROM_WRONG_TENSOR, "r < 1.6"),
    (SENTENCES, ["dE[s[t + i]]", "dE[s[i]]"], "E", Label.SHIFTED, "s[i + t]"),
]


@pytest.mark.parametrize(("source", "edits", "wrong", "label", "words"), CASES)
def test_the_report_says_what_to_write(source, edits, wrong, label, words):
    assert_told(report_on(source, edits, "model"), wrong, label, words)


@pytest.mark.parametrize("source", [GRU, GROUPS, LIFETIMES, SENTENCES, STAGES, RING, ATOMS])
def test_right_models_are_right(source):
    assert report_on(source, [], "model").ok
