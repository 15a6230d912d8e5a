"""Axes that are put back, parts that are moved, masks of two kinds, and what belongs to no sum."""

import pytest
from edited_models import assert_told, report_on

from tinygrad_relu.gradcheck.diagnosis import Label

# Heads of attention behind two bent functions.
HEADS = '''
def sigmoid(z):
    return 1 / (1 + np.exp(-z))
def forward(x, W, V):
    z = np.einsum("td,hdk->htk", x, W)
    q = np.where(z > 0, z + 1, np.exp(z))
    s = np.einsum("htk,hsk->hts", q, q)
    p = np.exp(s) / np.exp(s).sum(axis=2, keepdims=True)
    u = p @ V
    return np.sum(u * sigmoid(u)) / len(V)
def backward(x, W, V):
    z = np.einsum("td,hdk->htk", x, W)
    q = np.where(z > 0, z + 1, np.exp(z))
    s = np.einsum("htk,hsk->hts", q, q)
    p = np.exp(s) / np.exp(s).sum(axis=2, keepdims=True)
    u = p @ V
    g = sigmoid(u)
    du = g * (1 + u * (1 - g)) / len(V)
    dp = du @ V.transpose(0, 2, 1)
    ds = p * (dp - np.einsum("hts,hts->ht", p, dp)[:, :, None])
    dq = np.einsum("hts,hsk->htk", ds, q) + np.einsum("hts,htk->hsk", ds, q)
    dz = dq * np.where(z > 0, 1, np.exp(z))
    dx = np.einsum("htk,hdk->td", dz, W)
    return dx, np.einsum("td,htk->hdk", x, dz), p.transpose(0, 2, 1) @ du
rng = np.random.default_rng(0)
INPUTS = [rng.normal(size=(4, 3)), rng.normal(size=(2, 3, 3)) / 2, rng.normal(size=(2, 4, 3))]
'''

# Samples that come later hear of earlier ones, and a kernel that is put together tap by tap.
TAPS = '''
def forward(x, W, V, k):
    h = np.zeros_like(x)
    for tap in range(3):
        h[tap:] += np.tanh(x)[:6 - tap] @ W[tap]
        h[tap:] += x[:6 - tap] @ V[tap]
    blur = np.zeros_like(x)
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            blur += k[i + 1, j + 1] * np.roll(h, (i, j), axis=(0, 1))
    return np.sum(blur ** 3)
def backward(x, W, V, k):
    t = np.tanh(x)
    h = np.zeros_like(x)
    for tap in range(3):
        h[tap:] += t[:6 - tap] @ W[tap]
        h[tap:] += x[:6 - tap] @ V[tap]
    blur = np.zeros_like(x)
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            blur += k[i + 1, j + 1] * np.roll(h, (i, j), axis=(0, 1))
    d = 3 * blur ** 2
    dh, dk = np.zeros_like(h), np.zeros_like(k)
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            dk[i + 1, j + 1] = np.sum(d * np.roll(h, (i, j), axis=(0, 1)))
            dh += k[i + 1, j + 1] * np.roll(d, (-i, -j), axis=(0, 1))
    dt, dx = np.zeros_like(x), np.zeros_like(x)
    dW, dV = np.zeros_like(W), np.zeros_like(V)
    for tap in range(3):
        dW[tap] = t[:6 - tap].T @ dh[tap:]
        dV[tap] = x[:6 - tap].T @ dh[tap:]
        dt[:6 - tap] += dh[tap:] @ W[tap].T
        dx[:6 - tap] += dh[tap:] @ V[tap].T
    return dx + dt * (1 - t ** 2), dW, dV, dk
rng = np.random.default_rng(1)
W, V = (rng.normal(size=(3, 3, 3)) / 2 for _ in range(2))
INPUTS = [rng.normal(size=(6, 3)), W, V, rng.normal(size=(3, 3))]
'''

# What is better in a list is to be scored higher; those who left early count in sums of the others.
RANKS = '''
grades, left = [0, 2, 1, 0, 2], np.array([False, True, True, False, True])
def forward(s, w):
    total = 0.0
    for i in range(5):
        for j in range(5):
            if grades[i] > grades[j]:
                total += np.log1p(np.exp(s[j] - s[i]))
    for i in np.flatnonzero(left):
        later = s >= s[i] - 3
        total += np.log(np.sum(np.exp(w)[later])) - w[i]
    return total
def backward(s, w):
    ds, dw, e = np.zeros(5), np.zeros(5), np.exp(w)
    for i in range(5):
        for j in range(5):
            if grades[i] > grades[j]:
                g = 1 / (1 + np.exp(s[i] - s[j]))
                ds[i] -= g
                ds[j] += g
    for i in range(5):
        if left[i]:
            later = s >= s[i] - 3
            dw[later] += e[later] / e[later].sum()
            dw[i] -= 1
    return ds, dw
INPUTS = [np.array([1.0, -2.5, 3.0, 0.2, -1.0]), np.random.default_rng(2).normal(size=5)]
'''

# The covariances of two views, but not their variances, are driven to 0.
VIEWS = '''
def forward(a, b):
    total = 0.0
    for x in (a, b):
        c = x.T @ x / len(x)
        total = total + np.sum((c - np.diag(np.diag(c))) ** 2)
    return total + np.sum(np.cos(2.5 * a)) / len(a) + np.sum((a[:4] - b) ** 2) / len(b)
def backward(a, b):
    found = []
    for x in (a, b):
        c = x.T @ x / len(x)
        off = c - np.diag(np.diag(c))
        found.append(4 * x @ off / len(x))
    apart = 2 * (a[:4] - b) / len(b)
    found[0][:4] += apart
    omega = 2.5
    found[0] -= omega * np.sin(omega * a) / len(a)
    return found[0], found[1] - apart
rng = np.random.default_rng(3)
INPUTS = [rng.normal(size=(7, 3)), rng.normal(size=(4, 3))]
'''

# Grades that are ordered, with cuts put together by an index, under masks, in rounds that are kept.
GRADES = '''
y = np.array([0, 2, 1, 3, 1, 2, 0])
seen = np.array([1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0])
def forward(b, X, L):
    cut = np.r_[b[0], b[0] + np.cumsum(np.exp(b[1:]))]
    z = np.tanh(X) @ np.ones(2)
    F = np.c_[np.zeros(7), 1 / (1 + np.exp(z[:, None] - cut)), np.ones(7)]
    rows = np.arange(7)
    loss = -np.sum(seen * np.log(F[rows, y + 1] - F[rows, y])) + 0.1 * np.sum(z) ** 2
    e = np.exp(z)
    share = e * seen / np.sum(e * seen)
    return loss + 0.1 * np.sum(e) + share @ z ** 2 + np.sum(np.log(np.diag(L @ L.T)))
def backward(b, X, L):
    steps = np.exp(b[1:])
    cut = np.r_[b[0], b[0] + np.cumsum(steps)]
    t = np.tanh(X)
    z = t @ np.ones(2)
    F = np.c_[np.zeros(7), 1 / (1 + np.exp(z[:, None] - cut)), np.ones(7)]
    rows = np.arange(7)
    f = F * (1 - F)
    apart = seen / (F[rows, y + 1] - F[rows, y])
    upper, lower = f[rows, y + 1] * apart, f[rows, y] * apart
    dcut = np.zeros(5)
    np.add.at(dcut, y + 1, -upper)
    np.add.at(dcut, y, lower)
    e = np.exp(z)
    share = e * seen / np.sum(e * seen)
    dz = upper - lower + 0.2 * np.sum(z) + 0.1 * e
    dz += share * 2 * z + share * (z ** 2 - share @ z ** 2)
    db = np.r_[dcut[1:4].sum(), np.cumsum(dcut[2:4][::-1])[::-1] * steps]
    dL = 2 * L / np.diag(L @ L.T)[:, None]
    return db, dz[:, None] * (1 - t ** 2), dL
rng = np.random.default_rng(5)
INPUTS = [rng.normal(size=3) / 2, rng.normal(size=(7, 2)), rng.normal(size=(4, 4))]
'''

# A flow whose halves are exchanged in each round, and kept for the way back.
FLOW = '''
def forward(x, S, T):
    u, v = x[:, :2], x[:, 2:]
    for k in range(3):
        u, v = v * np.exp(np.tanh(u @ S[k])) + u @ T[k], u
    return 0.5 * np.sum(u ** 2) + np.sum(u * v) / len(x)
def backward(x, S, T):
    u, v = x[:, :2], x[:, 2:]
    tape = []
    for k in range(3):
        s = np.tanh(u @ S[k])
        tape.append((u, v, s))
        u, v = v * np.exp(s) + u @ T[k], u
    du, dv = u + v / len(x), u / len(x)
    dS, dT = np.zeros_like(S), np.zeros_like(T)
    for k in (2, 1, 0):
        u_in, v_in, s = tape[k]
        dz = du * v_in * np.exp(s) * (1 - s ** 2)
        dS[k] = u_in.T @ dz
        dT[k] = u_in.T @ du
        du, dv = dv + du @ T[k].T + dz @ S[k].T, du * np.exp(s)
    return np.hstack([du, dv]), dS, dT
rng = np.random.default_rng(6)
INPUTS = [rng.normal(size=(5, 4)), rng.normal(size=(3, 2, 2)), rng.normal(size=(3, 2, 2))]
'''

# Model, what is right and what is written, in turns, the wrong inputs, what is wrong, and what to write.
CASES = [
    (HEADS, ['"hts,hts->ht", p, dp)[:, :, None]', '"hts,hts->hs", p, dp)[:, None, :]'],
     "x W", Label.SUMMED, "'hts,hts->ht', p, dp)[:, :, None]"),
    (HEADS, ["np.where(z > 0, 1, np.exp(z))", "(z > 0)"], "x W", Label.WRONG_FUNCTION, "np.exp(z)"),
    (HEADS, ["u * (1 - g)", "u * g * (1 - g)"], "x W V", Label.WRONG_FUNCTION, ""),
    (TAPS, ["dt[:6 - tap] += dh[tap:] @", "dt[tap:] += dh[:6 - tap] @",
            "dx[:6 - tap] += dh[tap:] @", "dx[tap:] += dh[:6 - tap] @"],
     "x", Label.SHIFTED, "dx[:6 - tap]"),
    (TAPS, ["dk[i + 1, j + 1]", "dk[i, j]"], "k", Label.SHIFTED, "(i + 1, j + 1)"),
    (RANKS, ["grades[i] > grades[j]", "s[i] > s[j]"], "s", Label.MASK_FROM_WRONG_TENSOR, "grades"),
    (RANKS, ["        if left[i]:\n", "        if True:\n"], "w", Label.MASK_FORGOTTEN, "left[i]"),
    (RANKS, ["e[later] / e[later].sum()", "e[later] / e.sum()"],
     "w", Label.MASK_FORGOTTEN, "e[later].sum()"),
    (VIEWS, ["off = c - np.diag(np.diag(c))", "off = c"], "a b", Label.EXTRA_TERM, "np.diag(np.diag("),
    (VIEWS, ["(a[:4] - b) / len(b)", "(a[:4] - b) / len(a)"], "a b", Label.AVERAGED, "len("),
    (GRADES, ["f[rows, y + 1] * apart, f[rows, y] * apart", "f[rows, y] * apart, f[rows, y - 1] * apart"],
     "b X", Label.SHIFTED, "y + 1"),
    (GRADES, ["share = e * seen / np.sum(e * seen)", "share = e / np.sum(e)"],
     "X", Label.MASK_FORGOTTEN, "e * seen"),
    (GRADES, ["apart = seen /", "apart = (1 - seen) /"], "b X", Label.MASK_FROM_WRONG_TENSOR, "seen"),
    (GRADES, ["0.2 * np.sum(z)", "0.2 * np.sum(z ** 2)"], "X", Label.WRONG_FUNCTION, "z ** 1"),
    (GRADES, ["np.diag(L @ L.T)[:, None]", "np.sum(L @ L.T, axis=1)[:, None]"],
     "L", Label.SUMMED, "np.diag(L @ L.T)"),
    (FLOW, ["dT[k] = u_in.T @ du", "dT[k] = u.T @ du"], "T", Label.STALE_BUFFER, "u_in"),
    (VIEWS, ["np.sin(omega * a)", "np.sin(a)"], "a", Label.WRONG_FUNCTION, "np.sin(a * "),
]


@pytest.mark.parametrize(("source", "edits", "wrong", "label", "words"), CASES)
def test_the_report_says_what_to_write(source, edits, wrong, label, words):
    assert_told(report_on(source, edits, "model"), wrong, label, words)


@pytest.mark.parametrize("source", [HEADS, TAPS, RANKS, VIEWS, GRADES, FLOW])
def test_right_models_are_right(source):
    assert report_on(source, [], "model").ok
