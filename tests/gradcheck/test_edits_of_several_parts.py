"""Edits that put in products, statements and values of other shapes, found by what a place has to be."""

import ast
import cProfile

import numpy as np
import pytest
from edited_models import defined, first_explanations, report_on

from tinygrad_relu.gradcheck import check_gradients
from tinygrad_relu.gradcheck.diagnosis import Label
from tinygrad_relu.gradcheck.diagnosis.edits import search
from tinygrad_relu.gradcheck.diagnosis.edits.derivatives import derivatives
from tinygrad_relu.gradcheck.diagnosis.edits.screen import Screen

# Two branches, a gate, and a target: what comes back by one of them is easily forgotten.
GATED = '''
y = np.array([0, 2, 1])
def forward(x, A, B):
    a, b = np.tanh(x @ A), x @ B
    z = a * b
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return -np.log(p[np.arange(3), y]).sum()
def backward(x, A, B):
    a, b = np.tanh(x @ A), x @ B
    z = a * b
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    dz = p.copy()
    dz[np.arange(3), y] -= 1
    da = dz * b
    db = dz * a
    ds = da * (1 - a ** 2)
    return ds @ A.T + db @ B.T, x.T @ ds, x.T @ db
rng = np.random.default_rng(0)
INPUTS = [rng.normal(size=(3, 3)) for _ in range(3)]
'''

# Messages along edges, weighted by a softmax over those that come into one node.
EDGES = '''
start, end = np.array([0, 1, 2, 0, 3]), np.array([1, 2, 0, 2, 0])
def turned(x, c, s):
    return np.stack([c * x[:, 0] - s * x[:, 1], s * x[:, 0] + c * x[:, 1]], axis=1)
def forward(h, score):
    e = np.exp(score)
    total = np.zeros(4)
    np.add.at(total, end, e)
    alpha = e / total[end]
    out = np.zeros((4, 2))
    np.add.at(out, end, alpha[:, None] * turned(h, 0.8, 0.6)[start])
    return out
def backward(dout, h, score):
    e = np.exp(score)
    total = np.zeros(4)
    np.add.at(total, end, e)
    alpha = e / total[end]
    t = turned(h, 0.8, 0.6)
    dt = np.zeros((4, 2))
    np.add.at(dt, start, alpha[:, None] * dout[end])
    dalpha = (dout[end] * t[start]).sum(axis=1)
    inner = np.zeros(4)
    np.add.at(inner, end, alpha * dalpha)
    return turned(dt, 0.8, -0.6), alpha * (dalpha - inner[end])
rng = np.random.default_rng(1)
INPUTS = [rng.normal(size=(4, 2)), rng.normal(size=5)]
'''

# Differences between neighbours, and sums of what came before: what one gets, the other one gives.
CHAIN = '''
def forward(x, rate):
    d = x[1:] - x[:-1]
    levels = np.cumsum(rate * x)
    return np.sum(np.log(1 + d ** 2)) + np.sum(np.sin(levels))
def backward(x, rate):
    d = x[1:] - x[:-1]
    levels = np.cumsum(rate * x)
    pull = 2 * d / (1 + d ** 2)
    dx = np.zeros_like(x)
    dx[1:] += pull
    dx[:-1] -= pull
    back = np.cumsum(np.cos(levels)[::-1])[::-1]
    return dx + back * rate, back * x
rng = np.random.default_rng(2)
INPUTS = [rng.normal(size=6), rng.normal(size=6)]
'''

# A step of descent inside of a loss: the rates come before a matrix, or behind it.
STEPS = '''
X = np.random.default_rng(3).normal(size=(5, 3))
def forward(w, rate):
    moved = w - rate * (X.T @ (X @ w)) / 5
    return 0.5 * np.sum((X @ moved - 1) ** 2)
def backward(w, rate):
    moved = w - rate * (X.T @ (X @ w)) / 5
    adj = X.T @ (X @ moved - 1)
    return adj - X.T @ (X @ (rate * adj)) / 5, -adj * (X.T @ (X @ w)) / 5
rng = np.random.default_rng(4)
INPUTS = [rng.normal(size=3), rng.normal(size=3)]
'''

# What a state was before a round and after it, by names; a filter that hears of its own output.
ROUNDS = '''
def forward(x, rate, back):
    state, out = np.zeros(3), []
    for t in range(4):
        after = np.tanh(state * rate + x[t])
        out.append(after)
        state = after
    y = np.zeros(5)
    for n in range(5):
        y[n] = x.ravel()[n] - (back[0] * y[n - 1] if n else 0.0)
    return np.concatenate([np.ravel(out), y])
def backward(dout, x, rate, back):
    state, tape = np.zeros(3), []
    for t in range(4):
        after = np.tanh(state * rate + x[t])
        tape.append((state, after))
        state = after
    dx, drate, dback, d = np.zeros_like(x), np.zeros(3), np.zeros(1), np.zeros(3)
    for t in reversed(range(4)):
        state, after = tape[t]
        da = (dout[3 * t:3 * t + 3] + d) * (1 - after ** 2)
        dx[t] = da
        drate += da * state
        d = da * rate
    y = np.zeros(5)
    for n in range(5):
        y[n] = x.ravel()[n] - (back[0] * y[n - 1] if n else 0.0)
    g = dout[12:].copy()
    for n in reversed(range(5)):
        dx.ravel()[n] += g[n]
        if n:
            dback[0] -= y[n - 1] * g[n]
            g[n - 1] -= back[0] * g[n]
    return dx, drate, dback
rng = np.random.default_rng(5)
INPUTS = [rng.normal(size=(4, 3)), rng.normal(size=3), np.array([0.4])]
'''

# Pairs of which one is graded higher.
GRADES = '''
grade = np.array([2, 0, 1, 1, 2])
def forward(s):
    loss = 0.0
    for i in range(5):
        for j in range(5):
            if grade[i] > grade[j]:
                loss = loss + np.log(1 + np.exp(s[j] - s[i]))
    return loss
def backward(s):
    ds = np.zeros_like(s)
    for i in range(5):
        for j in range(5):
            if grade[i] > grade[j]:
                share = 1 / (1 + np.exp(s[i] - s[j]))
                ds[i] -= share
                ds[j] += share
    return ds
INPUTS = [np.random.default_rng(6).normal(size=5)]
'''

# A state of two coordinates, each step of which goes by way of its middle.
ORBIT = '''
def forward(start, k):
    x, y = start
    for _ in range(3):
        mx, my = x + 0.1 * k[0] * y, y - 0.1 * k[1] * x * x
        x, y = x + 0.2 * k[0] * my, y - 0.2 * k[1] * mx * mx
    return np.stack([x, y])
def backward(dout, start, k):
    x, y = start
    path = []
    for _ in range(3):
        mx, my = x + 0.1 * k[0] * y, y - 0.1 * k[1] * x * x
        path.append((x, y, mx, my))
        x, y = x + 0.2 * k[0] * my, y - 0.2 * k[1] * mx * mx
    dk = np.zeros(2)
    def pull(step, u, v, x, y):
        dk[0] += step * u * y
        dk[1] -= step * v * x * x
        return -2 * step * v * k[1] * x, step * u * k[0]
    gx, gy = dout
    for x, y, mx, my in reversed(path):
        hx, hy = pull(0.2, gx, gy, mx, my)
        sx, sy = pull(0.1, hx, hy, x, y)
        gx, gy = gx + hx + sx, gy + hy + sy
    return np.array([gx, gy]), dk
INPUTS = [np.array([0.7, -0.4]), np.array([1.1, 0.8])]
'''

# Two layers that are each penalized, and one that is normalized by hand.
DECAY = '''
def forward(x, A, B, gain):
    z = x @ A
    centred = z - z.mean(axis=0)
    scale = 1 / np.sqrt((centred ** 2).mean(axis=0) + 0.1)
    raw = centred * scale
    return np.sum(np.tanh(raw * gain) @ B) / 4 + 0.3 * np.sum(A ** 2) + 0.3 * np.sum(B ** 2)
def backward(x, A, B, gain):
    z = x @ A
    centred = z - z.mean(axis=0)
    scale = 1 / np.sqrt((centred ** 2).mean(axis=0) + 0.1)
    raw = centred * scale
    t = np.tanh(raw * gain)
    d = np.ones((4, 2)) @ B.T / 4 * (1 - t * t)
    dgain = (d * raw).sum(axis=0)
    draw = d * gain
    dz = scale * (draw - draw.mean(axis=0) - raw * (draw * raw).mean(axis=0))
    dA = x.T @ dz + 0.6 * A
    dB = t.T @ np.ones((4, 2)) / 4 + 0.6 * B
    return dz @ A.T, dA, dB, dgain
rng = np.random.default_rng(7)
INPUTS = [rng.normal(size=(4, 3)), rng.normal(size=(3, 3)), rng.normal(size=(3, 2)), rng.normal(size=3)]
'''

# Two gates, words that follow each other, and samples of which some are not counted.
SENTENCES = '''
words = np.array([[0, 1, 2, 0, 3], [2, 2, 1, 3, 0]])
counted = np.array([1, 0, 1, 1, 0, 1, 1])
def forward(table, rate, u):
    before, after = words[:, :-1], words[:, 1:]
    r, q = 1 / (1 + np.exp(-rate)), 1 / (1 + np.exp(-2 * rate))
    picked = table[before] * r + table[after] * q
    pins = np.where(u > 0, u * r[0], -0.5 * u).mean()
    return np.sum(np.sin(picked)) + pins + counted.sum() * rate[1] + np.sum(u * u * r[2] - rate[0])
def backward(table, rate, u):
    before, after = words[:, :-1], words[:, 1:]
    r, q = 1 / (1 + np.exp(-rate)), 1 / (1 + np.exp(-2 * rate))
    picked = table[before] * r + table[after] * q
    d = np.cos(picked)
    dtable = np.zeros_like(table)
    np.add.at(dtable, before, d * r)
    np.add.at(dtable, after, d * q)
    one, other = np.zeros(3), np.zeros(3)
    one += (d * table[before]).sum((0, 1))
    other += (d * table[after]).sum((0, 1))
    one[0] += np.sum(np.where(u > 0, u, 0)) / u.size
    one[2] += np.sum(u * u)
    drate = one * r * (1 - r) + 2 * other * q * (1 - q)
    drate[0] -= u.size
    drate[1] += counted.sum()
    return dtable, drate, np.where(u > 0, r[0], -0.5) / u.size + 2 * u * r[2]
rng = np.random.default_rng(8)
INPUTS = [rng.normal(size=(4, 3)), rng.normal(size=3), rng.normal(size=(6, 3))]
'''

# For each class that comes too near, the right one is pushed away as well.
NEAR = '''
X, y = np.random.default_rng(9).normal(size=(5, 3)), [0, 2, 1, 1, 3]
def forward(W):
    loss = 0.0
    for i in range(5):
        scores = X[i] @ W
        for j in range(4):
            if j != y[i] and scores[j] - scores[y[i]] > -1:
                loss = loss + scores[j] - scores[y[i]] + 1
    return loss
def backward(W):
    dW = np.zeros_like(W)
    for i in range(5):
        scores = X[i] @ W
        for j in range(4):
            if j != y[i] and scores[j] - scores[y[i]] > -1:
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    return dW
INPUTS = [0.4 * np.random.default_rng(10).normal(size=(3, 4))]
'''

# Cases, words that were drawn twice, powers below a fraction, halves, means of groups, what is cut off.
BRANCHES = '''
y, drawn, group = [0, 2, 1, 2], [[0, 1, 1], [2, 2, 0], [1, 0, 3], [3, 3, 1]], np.array([0, 1, 1, 0, 1, 1])
k = 2
def forward(b, u, V, W, s, t, m, c):
    loss = 0.0
    for i in range(4):
        p = np.exp(b) / np.exp(b).sum()
        loss = loss - np.log(p[y[i]])
        for j in drawn[i]:
            loss = loss + np.tanh(u) @ V[j] + 0.1 * np.tanh(u) @ W[j]
    loss = loss + np.sum(1 / np.exp(s) ** 2) + np.sum(t[:k] * t[k:])
    means = np.array([m[group == g].mean() for g in range(2)])
    e = np.tril(np.exp(c))
    return loss + np.sum(np.array([2.0, 3.0]) * means ** 2) + np.sum(np.log(e.sum(axis=1)))
def backward(b, u, V, W, s, t, m, c):
    db, du, dV, dW = (np.zeros_like(x) for x in (b, u, V, W))
    slope = 1 - np.tanh(u) ** 2
    for i in range(4):
        p = np.exp(b) / np.exp(b).sum()
        for j in range(3):
            if j == y[i]:
                db[j] += p[j] - 1
            else:
                db[j] += p[j]
        for j in drawn[i]:
            du += (V[j] + 0.1 * W[j]) * slope
            dV[j] += np.tanh(u)
            dW[j] += 0.1 * np.tanh(u)
    tail = t.copy()
    dt = np.concatenate([tail[k:], t[:k]])
    sizes = np.bincount(group)
    means = np.array([m[group == g].mean() for g in range(2)])
    total = np.array([4.0, 6.0]) * means
    dm = (total / sizes)[group]
    e = np.exp(c)
    e = np.tril(e)
    return db, du, dV, dW, -2 / np.exp(s) ** 3 * np.exp(s), dt, dm, e / e.sum(axis=1, keepdims=True)
rng = np.random.default_rng(11)
INPUTS = [rng.normal(size=n) for n in (3, 3, (4, 3), (4, 3), 3, 4, 6, (3, 3))]
'''

# A filter with two lags of its own output, whose result goes through a gate of what is normalized.
FILTER = '''
def forward(x, a, u):
    y = np.zeros(6)
    for n in range(6):
        y[n] = x[n] - (a[0] * y[n - 1] if n > 0 else 0.0) - (a[1] * y[n - 2] if n > 1 else 0.0)
    v = u / np.sqrt(np.mean(u ** 2) + 0.1)
    return np.sum(y * v / (1 + np.exp(-v)))
def backward(x, a, u):
    y = np.zeros(6)
    for n in range(6):
        y[n] = x[n] - (a[0] * y[n - 1] if n > 0 else 0.0) - (a[1] * y[n - 2] if n > 1 else 0.0)
    length = np.sqrt(np.mean(u ** 2) + 0.1)
    v = u / length
    gate = 1 / (1 + np.exp(-v))
    swish = v * gate
    dy = np.ones(6) * swish
    dv = y * (gate + swish * (1 - gate))
    du = dv / length - u * np.mean(dv * u) / length ** 3
    da = np.zeros(2)
    for n in range(5, -1, -1):
        if n > 0:
            da[0] -= dy[n] * y[n - 1]
            dy[n - 1] -= dy[n] * a[0]
        if n > 1:
            da[1] -= dy[n] * y[n - 2]
            dy[n - 2] -= dy[n] * a[1]
    return dy, da, du
rng = np.random.default_rng(12)
INPUTS = [rng.normal(size=6), np.array([0.4, -0.3]), rng.normal(size=6)]
'''

# Ratings between 0 and 5, and a bias that hears of what is let through.
RATINGS = '''
def forward(u, z, b):
    s = 1 / (1 + np.exp(-u))
    ratings = 5 * s
    return np.sum((ratings - 2.0) ** 2) + sum(max(z[i] + b[0], 0.0) * (i + 1) for i in range(6))
def backward(u, z, b):
    s = 1 / (1 + np.exp(-u))
    ratings = 5 * s
    du = 2 * (ratings - 2.0) * 5 * s * (1 - s)
    dz, db = np.zeros(6), np.zeros(1)
    for i in range(6):
        d = i + 1.0
        g = d if z[i] + b[0] > 0 else 0.0
        dz[i] += g
        db[0] += g
    return du, dz, db
rng = np.random.default_rng(13)
INPUTS = [rng.normal(size=6), rng.normal(size=6), np.array([0.1])]
'''

# Model, what is right and what is written, the wrong inputs, what is wrong, and what the report says.
CASES = [
    (GATED, ["    dz[np.arange(3), y] -= 1\n", ""], "x A B", Label.MISSING_TERM,
     "dz[np.arange(3), y] -= 1 behind"),
    (GATED, [" + db @ B.T", ""], "x", Label.MISSING_TERM, "ds @ A.T + db @ B.T in the place of"),
    (GATED, ["dz * b", "dz"], "x A", Label.MISSING_FACTOR, "dz * b in the place of dz"),
    (GATED, ["dz * b\n    db = dz * a\n    ds = da * (1 - a ** 2)", "dz\n    db = dz * a\n    ds = da"],
     "x A", Label.MISSING_FACTOR, "(1 - a ** 2)"),
    (GATED, ["1 - a ** 2", "a * (1 - a)"], "x A", Label.WRONG_FUNCTION, "1 - a ** 2 in the place of"),
    (GATED, ["x @ B\n    z", "x @ A\n    z"], "x A B", Label.WRONG_FUNCTION, "x @ B) in the place of"),
    (EDGES, ["inner[end]", "np.sum(alpha * dalpha)"], "score", Label.SUMMED, "inner[end] in the place"),
    (EDGES, ["turned(dt, 0.8, -0.6)", "turned(dt, 0.8, 0.6)"], "h", Label.WRONG_FUNCTION,
     "turned(dt, 0.8, -0.6) in the place of"),
    (CHAIN, ["    dx[:-1] -= pull\n", ""], "x", Label.MISSING_TERM, "dx[:-1] -= pull behind"),
    (CHAIN, ["np.cumsum(np.cos(levels)[::-1])[::-1]", "np.cumsum(np.cos(levels))"], "x rate",
     Label.WRONG_FUNCTION, "[::-1])[::-1] in the place of"),
    (STEPS, ["X.T @ (X @ (rate * adj))", "rate * (X.T @ (X @ adj))"], "w", Label.WRONG_FUNCTION,
     "rate * adj"),
    (ROUNDS, ["da * state", "da * after"], "rate", Label.STALE_BUFFER, "da * state in the place"),
    (ROUNDS, ["y[n - 1] * g[n]", "x.ravel()[n - 1] * g[n]"], "back", Label.WRONG_FUNCTION, "y[n - 1]"),
    (ORBIT, ["pull(0.2, gx, gy, mx, my)", "pull(0.2, gx, gy, x, y)"], "start k", Label.WRONG_FUNCTION,
     "pull(0.2, gx, gy, mx, my) in the place of"),
    (ORBIT, ["gx + hx + sx, gy + hy + sy", "gx + sx, gy + sy"], "start k", Label.MISSING_TERM, "hx"),
    (DECAY, ["d * raw).sum", "d * centred).sum"], "gain", Label.MISSING_FACTOR,
     "raw in the place of centred"),
    (DECAY, ["0.6 * A\n", "0.3 * A\n", "0.6 * B\n", "0.3 * B\n"], "A B", Label.MISSING_FACTOR, "0.6"),
    (DECAY, ["d * gain\n    dz = scale * (draw - draw.mean(axis=0) - raw * (draw * raw).mean(axis=0))",
             "d * gain\n    dz = scale * (d - d.mean(axis=0) - raw * (d * raw).mean(axis=0))"],
     "x A", Label.MISSING_FACTOR, "draw"),
    (SENTENCES, ["np.add.at(dtable, after, d * q)", "np.add.at(dtable, before, d * q)"], "table",
     Label.SHIFTED, "after"),
    (SENTENCES, ["q * (1 - q)", "r * (1 - r)"], "rate", Label.WRONG_FUNCTION, "q * (1 - q)"),
    (SENTENCES, ["other += (d * table[after])", "other += (d * table[before])"], "rate",
     Label.WRONG_FUNCTION, "after in the place of before"),
    (SENTENCES, ["one += (d * table[before])", "one += (d * table[after])",
                 "other += (d * table[after])", "other += (d * table[before])"], "rate",
     Label.WRONG_FUNCTION, "in the place of"),
    (SENTENCES, ["drate[1] += counted.sum()", "drate[1] += len(counted)"], "rate",
     Label.MASK_FORGOTTEN, "in the place of len(counted)"),
    (SENTENCES, ["-0.5) / u.size", "-0.5) / len(u)"], "u", Label.AVERAGED, ""),
    (NEAR, ["                dW[:, y[i]] -= X[i]\n", "        dW[:, y[i]] -= X[i]\n"], "W",
     Label.MISSING_TERM, "dW[:, y[i]] -= X[i]"),
    (BRANCHES, ["                db[j] += p[j]\n", "                pass\n"], "b", Label.MISSING_TERM,
     "db[j] += p[j] in the other case"),
    (BRANCHES, ["for j in drawn[i]", "for j in set(drawn[i])"], "u V W", Label.MISSING_TERM,
     "drawn[i] in the place of set(drawn[i])"),
    (BRANCHES, ["(V[j] + 0.1 * W[j]) * slope", "V[j] * slope + 0.1 * W[j]"], "u",
     Label.MISSING_FACTOR, "(V[j] + 0.1 * W[j]) * slope in the place of"),
    (BRANCHES, ["np.exp(s) ** 3", "np.exp(s) ** 2"], "s", Label.MISSING_FACTOR, "** 3 in the place of"),
    (BRANCHES, ["tail[k:]", "tail[:k]"], "t", Label.PERMUTED, "tail[k:] in the place of tail[:k]"),
    (BRANCHES, ["total / sizes", "total"], "m", Label.AVERAGED, "/ sizes"),
    (BRANCHES, ["np.tril(e)", "e"], "c", Label.MASK_FORGOTTEN, "np.tril"),
    (FILTER, ["y[n - 1]\n            dy", "x[n - 1]\n            dy", "y[n - 2]\n            dy",
              "x[n - 2]\n            dy"], "a", Label.WRONG_FUNCTION,
     "y[n - 2] in the place of x[n - 2]"),
    (RATINGS, ["5 * s * (1 - s)", "5 * ratings * (1 - ratings)"], "u", Label.WRONG_FUNCTION, "1 - s"),
    (RATINGS, ["db[0] += g", "db[0] += d"], "b", Label.MASK_FORGOTTEN, "g in the place of d"),
    (FILTER, ["np.ones(6) * swish", "np.ones(6) * v"], "x a", Label.PRE_ACTIVATION, "swish"),
    (SENTENCES, ["r * (1 - r) + 2 * other * q * (1 - q)", "q * (1 - q) + 2 * other * r * (1 - r)"],
     "rate", Label.WRONG_FUNCTION, "in the place of"),
    (GRADES, ["if grade[i] > grade[j]", "if grade[i] >= grade[j]"], "s", Label.MASK_NOT_STRICT,
     "grade[i] > grade[j] in the place of"),
    (GRADES, ["if grade[i] > grade[j]", "if grade[i] < grade[j]"], "s", Label.MASK_FROM_WRONG_TENSOR,
     "grade[i] > grade[j] in the place of"),
]


@pytest.mark.parametrize(("source", "edits", "wrong", "label", "words"), CASES)
def test_the_report_says_what_to_write(monkeypatch, source, edits, wrong, label, words):
    report = without_rules(monkeypatch, source, edits)
    for first in first_explanations(report, wrong):
        assert first.label is label and words in first.claim, first


def without_rules(monkeypatch, source, edits):
    """Return a report by the text alone, as of a function whose steps cannot be recorded."""
    from tinygrad_relu.gradcheck import diagnosis

    def by_text(case, evidence, broken, candidates):
        return search.edits(case, evidence), []

    monkeypatch.setitem(diagnosis.diagnose.__globals__, "with_synthesis", by_text)
    return report_on(source, edits, "model")


@pytest.mark.parametrize(
    "source",
    [GATED, EDGES, CHAIN, STEPS, ROUNDS, GRADES, ORBIT, DECAY, SENTENCES, NEAR, BRANCHES, FILTER,
     RATINGS],
)
def test_right_models_are_right(source):
    report = report_on(source, [], "model")
    assert report.ok, report


def test_most_edits_need_not_be_run(monkeypatch):
    answers, may_be_right = [], Screen.may_be_right

    def noted(self, new):
        answers.append(may_be_right(self, new))
        return answers[-1]

    monkeypatch.setattr(search, "apart", lambda work: list(work()))  # here, to see it
    monkeypatch.setattr(Screen, "may_be_right", noted)
    report = without_rules(monkeypatch, GATED, [" + db @ B.T", ""])
    assert report["x"].explanations[0].label is Label.MISSING_TERM
    assert answers.count(False) > answers.count(True) > 0


def test_a_backward_that_raises_at_other_numbers_is_looked_at_all_the_same(monkeypatch):
    guards = "    assert (p <= 1).all() and abs(z).max() < 1e3\n    dz = p.copy()\n"
    report = without_rules(monkeypatch, GATED, ["    dz = p.copy()\n", guards, " + db @ B.T", ""])
    first = report["x"].explanations[0]
    assert first.label is Label.MISSING_TERM and "db @ B.T in the place of" in first.claim


def test_derivatives_are_those_by_differences():
    functions = "abs log log1p sqrt sin cos tanh exp expm1 arctan square"
    texts = [f"np.{function}(x)" for function in functions.split()]
    texts += ["x ** 2", "x ** 3", "np.maximum(x, 0.5)", "np.minimum(x, 0.5)", "np.clip(x, 0.2, 0.6)"]
    x, step = np.array([0.1, 0.3, 0.55, 0.9]), 1e-6
    for text in texts:
        node = ast.parse(text, mode="eval").body
        first = next(derivatives([node]))

        def at(point, text=text):
            return eval(text, {"np": np, "x": point})

        slopes = eval(ast.unparse(first), {"np": np, "x": x})
        np.testing.assert_allclose(
            np.broadcast_to(slopes, x.shape), (at(x + step) - at(x - step)) / (2 * step), rtol=1e-6,
            atol=1e-8, err_msg=text,
        )


def test_derivatives_of_choices_are_those_by_differences():
    x, step = np.array([-0.9, -0.2, 0.3, 0.8]), 1e-6
    for text in (
        "np.where(x > 0, x, 0.1 * x)", "np.where(x > 0, x + 1, np.exp(x))",
        "np.where(x < 0.5, 2 * x - 3, -x)",
        "np.where(x > 0, x, 1.7 * (np.exp(x) - 1))", "np.where(x > 0, 1, np.sin(2 * x))",
    ):
        node = ast.parse(text, mode="eval").body
        *_, last = derivatives([node])
        slopes = eval(ast.unparse(last), {"np": np, "x": x})
        there, back = (eval(text, {"np": np, "x": x + by}) for by in (step, -step))
        found = (there - back) / (2 * step)
        np.testing.assert_allclose(slopes, found, rtol=1e-6, atol=1e-8, err_msg=text)


def test_a_profiler_goes_on_and_disturbs_nothing():
    names = defined(GATED, ["1 - a ** 2", "1 + a ** 2"], "profiled.py", {"np": np})
    profile = cProfile.Profile()
    profile.enable()
    try:
        report = check_gradients(names["forward"], names["INPUTS"], backward=names["backward"])
    finally:
        profile.disable()
    assert "1 - a ** 2 in the place of" in report["A"].explanations[0].claim
    assert any(entry.code == check_gradients.__code__ or "examined" in str(entry.code)
               for entry in profile.getstats())
