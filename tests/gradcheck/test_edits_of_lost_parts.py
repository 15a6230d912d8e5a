"""What is lost in two terms at once, in all rows, in all rounds, or of what was kept."""

import pytest
from edited_models import assert_told, report_on

from tinygrad_relu.gradcheck.diagnosis import Label

# Three samples of one layer.
TRIPLET = '''
def forward(A, P, N, W):
    a, p, n = A @ W, P @ W, N @ W
    near, far = np.sum((a - p) ** 2, axis=1), np.sum((a - n) ** 2, axis=1)
    return np.maximum(near - far + 2.0, 0).sum() / len(A)
def backward(A, P, N, W):
    a, p, n = A @ W, P @ W, N @ W
    near, far = np.sum((a - p) ** 2, axis=1), np.sum((a - n) ** 2, axis=1)
    g = 1.0 * (near - far + 2.0 > 0)[:, None] / len(A)
    da, dp, dn = 2 * (n - p) * g, -2 * (a - p) * g, 2 * (a - n) * g
    dW = A.T @ da
    dW += P.T @ dp
    dW += N.T @ dn
    return da @ W.T, dp @ W.T, dn @ W.T, dW
rng = np.random.default_rng(0)
INPUTS = [*(rng.normal(size=(5, 3)) for _ in range(3)), rng.normal(size=(3, 2))]
'''

# Gates side by side, and a dict of what each round kept.
GATES = '''
def sigmoid(x):
    return 1 / (1 + np.exp(-x))
def forward(x, w, r):
    h = np.zeros(2)
    for step in x:
        pre = step @ w + h @ r
        h = sigmoid(pre[2:]) * (h + np.tanh(pre[:2]))
    return h.sum()
def backward(x, w, r):
    h, kept = np.zeros(2), []
    for step in x:
        pre = step @ w + h @ r
        c, o = np.tanh(pre[:2]), sigmoid(pre[2:])
        kept.append({"h": h, "c": c, "o": o})
        h = o * (h + c)
    dx, dw, dr, dh = np.zeros_like(x), np.zeros_like(w), np.zeros_like(r), np.ones(2)
    for t in range(len(x) - 1, -1, -1):
        s = kept[t]
        zc = dh * s["o"] * (1 - s["c"] ** 2)
        zo = dh * (s["h"] + s["c"]) * s["o"] * (1 - s["o"])
        dpre = np.concatenate([zc, zo])
        dback = np.concatenate([zc, zo])
        dx[t] = w @ dpre
        dw += np.outer(x[t], dpre)
        dr += np.outer(s["h"], dback)
        dh = dh * s["o"] + r @ dback
    return dx, dw, dr
rng = np.random.default_rng(1)
INPUTS = [rng.normal(size=(4, 3)), rng.normal(size=(3, 4)), rng.normal(size=(2, 4))]
'''

# A state that moves on, and is kept before; elements of two lists.
WALK = '''
def forward(q, k):
    for _ in range(3):
        u = q * k
        q = q + 0.1 * np.sin(u)
    return np.sum(q ** 3)
def backward(q, k):
    steps, us, qs = [], [], []
    for _ in range(3):
        old, u = q, q * k
        q = q + 0.1 * np.sin(u)
        steps.append((old, q))
        us.append(u)
        qs.append(old)
    dq, dk = 3 * q ** 2, np.zeros_like(k)
    for t in range(len(us) - 1, -1, -1):
        du = dq * 0.1 * np.cos(us[t])
        dk += du * qs[t]
        before, after = steps.pop()
        dq = dq * (1 + 0.1 * k * np.cos(before * k))
    return dq, dk
INPUTS = [np.array([0.4, -0.9, 1.2]), np.array([1.1, 0.7, -1.3])]
'''

# A filter, whose feedback sees what later samples add, and the samples before.
FILTER = '''
def forward(x, a, b):
    y = np.zeros(6)
    for n in range(6):
        y[n] = x[n] + sum(a[k - 1] * y[n - k] for k in (1, 2) if n >= k)
        y[n] += sum(b[k - 1] * x[n - k] for k in (1, 2) if n >= k)
    return y
def backward(dout, x, a, b):
    y, lam, dx = np.zeros(6), np.zeros(8), np.zeros_like(x)
    da, db = np.zeros_like(a), np.zeros_like(b)
    for n in range(6):
        y[n] = x[n] + sum(a[k - 1] * y[n - k] for k in (1, 2) if n >= k)
        y[n] += sum(b[k - 1] * x[n - k] for k in (1, 2) if n >= k)
    for n in range(5, -1, -1):
        lam[n] = dout[n] + a[0] * lam[n + 1] + a[1] * lam[n + 2]
        dx[n] += lam[n]
    for k in range(1, 3):
        for n in range(k, 6):
            da[k - 1] += lam[n] * y[n - k]
        for m in range(k, 6):
            db[k - 1] += lam[m] * x[m - k]
            dx[m - k] += lam[m] * b[k - 1]
    return dx, da, db
INPUTS = [np.cos(np.arange(6.0)), np.array([0.4, -0.3]), np.array([0.2, 0.7])]
'''

# Couplings without those of a spin to itself, and shares, over whose equal axes nothing complains.
SQUARE = '''
def forward(J, L):
    C = 0.5 * (J + J.T)
    C = C - np.diag(np.diag(C))
    P = np.exp(L) / np.exp(L).sum(axis=1, keepdims=True)
    return np.sum(np.arange(9.0).reshape(3, 3) * C ** 3) + np.sum(P ** 2)
def backward(J, L):
    C = 0.5 * (J + J.T)
    C = C - np.diag(np.diag(C))
    dC = 3 * np.arange(9.0).reshape(3, 3) * C ** 2
    dJ = 0.5 * (dC + dC.T)
    P = np.exp(L) / np.exp(L).sum(axis=1, keepdims=True)
    dP = 2 * P
    dL = P * (dP - (P * dP).sum(1)[:, None])
    return dJ, dL
rng = np.random.default_rng(2)
INPUTS = [rng.normal(size=(3, 3)), rng.normal(size=(4, 4))]
'''

# Messages along a graph, scores of which some are padded, and a factor before and behind a root.
PADDED = '''
pad = np.array([[0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
S = np.array([[0.2, 0.5, 0.3], [0.1, 0.9, 0.4], [0.7, 0.0, 0.6]])
def forward(E, V):
    e = E - 1e9 * pad
    a = np.exp(e - e.max(1, keepdims=True))
    a /= a.sum(-1, keepdims=True)
    return np.sum(np.sin(a)) + np.sum(np.einsum("ij,gjk->gik", S, V) ** 2)
def backward(E, V):
    e = E - 1e9 * pad
    a = np.exp(e - e.max(1, keepdims=True))
    a /= a.sum(-1, keepdims=True)
    da = np.cos(a)
    dE = a * (da - (a * da).sum(-1, keepdims=True))
    dH = 2 * np.einsum("ij,gjk->gik", S, V)
    dV = np.einsum("ij,gik->gjk", S, dH)
    return dE, dV
rng = np.random.default_rng(3)
INPUTS = [rng.normal(size=(2, 4)), rng.normal(size=(2, 3, 2))]
'''

# A step on one set of samples, and the loss on another; a camera with two focal lengths.
VIEWS = '''
Xs, Xq = np.arange(12.0).reshape(4, 3) / 9, np.cos(np.arange(12.0)).reshape(4, 3)
ys, yq = np.arange(4.0), np.ones(4)
def forward(w, p, f):
    fast = w - 0.1 * Xs.T @ (Xs @ w - ys) / len(ys)
    return np.sum((Xq @ fast - yq) ** 2) + np.sum(np.sin(f * p[:, :2] / p[:, 2:]))
def backward(w, p, f):
    fast = w - 0.1 * Xs.T @ (Xs @ w - ys) / len(ys)
    dfast = 2 * Xq.T @ (Xq @ fast - yq)
    dw = dfast - 0.1 * Xs.T @ (Xs @ dfast) / len(ys)
    xy, depth = p[:, :2], p[:, 2:]
    g = np.cos(f * xy / depth)
    df = (g * xy / depth).sum(axis=0)
    dp = np.hstack([g * f / depth, -np.sum(g * f * xy, axis=1, keepdims=True) / depth ** 2])
    return dw, dp, df
rng = np.random.default_rng(4)
INPUTS = [rng.normal(size=3), rng.normal(size=(5, 3)) + [0, 0, 4], np.array([0.7, 1.3])]
'''

# Scores of pairs that come before, of which some weigh less; gates of a state that is kept in part.
SOFTMAX = '''
D = np.linspace(0.1, 4.0, 16).reshape(4, 4)
def forward(S, h, z):
    T = np.where(np.tri(4, dtype=bool), S, -1e9)
    p = np.exp(T - T.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    w = np.minimum(1.0, D / 2)
    for k in range(3):
        h = h * (1 - z) + z * np.sin(k)
    return np.sum(np.arange(16.0).reshape(4, 4) * p) + np.sum(h ** 2) + np.sum(w * S ** 2)
def backward(S, h, z):
    T = np.where(np.tri(4, dtype=bool), S, -1e9)
    p = np.exp(T - T.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    dS = p * np.arange(16.0).reshape(4, 4)
    dS -= p * dS.sum(1, keepdims=True)
    w = np.minimum(1.0, D / 2)
    dS += 2 * w * S
    hs = [h]
    for k in range(3):
        hs.append(hs[-1] * (1 - z) + z * np.sin(k))
    dh, dz = 2 * hs[-1], np.zeros_like(z)
    for k in (2, 1, 0):
        dz += dh * (np.sin(k) - hs[k])
        dh = dh * (1 - z)
    return dS, dh, dz
rng = np.random.default_rng(5)
INPUTS = [2 * rng.normal(size=(4, 4)), rng.normal(size=3), rng.random(3)]
'''

# Rotations in turns, of a state and of what comes back; charges of pairs; four numbers in a row.
TURNS = '''
def turn(t):
    return np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])
def forward(theta, charge, quad):
    psi = np.array([1.0, 0.5])
    for t in theta:
        psi = turn(t) @ psi
    energy = 0.0
    for i in range(3):
        for j in range(i):
            energy += np.exp(-(i - j)) * charge[i] * charge[j]
    w, x, y, z = np.array([1.0, 2.0, 0.5, 1.5]) * quad
    return psi[0] ** 3 + energy + w * x ** 2 + np.sin(y) * z
def backward(theta, charge, quad):
    psi = np.array([1.0, 0.5])
    for t in theta:
        psi = turn(t) @ psi
    lam, dtheta = np.array([3 * psi[0] ** 2, 0.0]), np.zeros_like(theta)
    for k in range(len(theta) - 1, -1, -1):
        gate = turn(theta[k])
        psi = gate.T @ psi
        slope = np.array([[-gate[1, 0], -gate[0, 0]], [gate[0, 0], -gate[1, 0]]])
        dtheta[k] = lam @ (slope @ psi)
        lam = gate.T @ lam
    dcharge = np.zeros_like(charge)
    for i in range(3):
        for j in range(i):
            falloff = np.exp(-(i - j))
            dcharge[i] += falloff * charge[j]
            dcharge[j] += falloff * charge[i]
    w, x, y, z = np.array([1.0, 2.0, 0.5, 1.5]) * quad
    gw, gx, gy, gz = x ** 2, 2 * w * x, np.cos(y) * z, np.sin(y)
    dquad = np.array([gw, gx, gy, gz]) * np.array([1.0, 2.0, 0.5, 1.5])
    return dtheta, dcharge, dquad
INPUTS = [np.array([0.3, -0.8, 1.1]), np.array([0.7, -1.2, 0.4]), np.array([0.6, 1.4, -0.3, 0.9])]
'''

# Model, what is right and what is written, in turns, the wrong inputs, what is wrong, and what to write.
CASES = [
    (TRIPLET, ["    dW += P.T @ dp\n", "", "    dW += N.T @ dn\n", ""],
     "W", Label.MISSING_TERM, "A.T @ da + P.T @ dp + N.T @ dn"),
    (TRIPLET, ["dW += P.T @ dp", "dW = P.T @ dp", "dW += N.T @ dn", "dW = N.T @ dn"],
     "W", Label.STALE_BUFFER, "dW += P.T @ dp; dW += N.T @ dn"),
    (GATES, ["dpre = np.concatenate([zc, zo])", "dpre = np.concatenate([zo, zc])",
             "dback = np.concatenate([zc, zo])", "dback = np.concatenate([zo, zc])"],
     "x w r", Label.PERMUTED, "zc"),
    (GATES, ['np.outer(s["h"], dback)', "np.outer(h, dback)"], "r", Label.STALE_BUFFER, "s['h']"),
    (WALK, ["steps.append((old, q))", "steps.append((q, q))"], "q k", Label.STALE_BUFFER, "(old, q)"),
    (WALK, ["np.cos(us[t])", "np.cos(qs[t])"], "k", Label.WRONG_FUNCTION, "us[t]"),
    (FILTER, ["for m in range(k, 6)", "for m in range(k - 1, 6)"],
     "x b", Label.EXTRA_TERM, "range(k, 6)"),
    (FILTER, ["da[k - 1] += lam[n]", "da[k - 1] += dout[n]"], "a", Label.MISSING_TERM, "lam[n]"),
    (SQUARE, ["dJ = 0.5 * (dC + dC.T)", "dJ = dC"], "J", Label.MISSING_TERM, "0.5 * (dC + dC.T)"),
    (SQUARE, ["(P * dP).sum(1)[:, None]", "(P * dP).sum(1)"], "L", Label.TRANSPOSED, "[:, None]"),
    (PADDED, ["(a * da).sum(-1, keep", "(a * da).sum(-2, keep"], "E", Label.SUMMED, "keepdims=True"),
    (PADDED, ["e = E - 1e9 * pad", "e = E"], "E", Label.MASK_FORGOTTEN, "pad"),
    (PADDED, ['np.einsum("ij,gik->gjk", S, dH)', "dH"], "V", Label.MISSING_FACTOR, "S.T @"),
    (VIEWS, ["Xs.T @ (Xs @ dfast) / len(ys)", "Xq.T @ (Xq @ dfast) / len(yq)"],
     "w", Label.WRONG_FUNCTION, "Xs @ dfast"),
    (VIEWS, ["g * f / depth", "g / depth", "np.sum(g * f * xy", "np.sum(g * xy"],
     "p", Label.MISSING_FACTOR, "g * f"),
    (SOFTMAX, ["dS -= p * dS.sum", "dS -= dS.sum"], "S", Label.MISSING_FACTOR, "p * dS.sum("),
    (SOFTMAX, ["np.tri(4, dtype=bool)", "np.tri(4, k=-1, dtype=bool)"],
     "S", Label.MASK_NOT_STRICT, "np.tri(4"),
    (SOFTMAX, ["w = np.minimum(1.0, D / 2)", "w = D / 2"], "S", Label.MASK_FORGOTTEN, "np.minimum("),
    (SOFTMAX, ["dh = dh * (1 - z)", "dh = dh * z"], "h z", Label.WRONG_FUNCTION, "dh"),
    (TURNS, ["        psi = gate.T @ psi\n", ""],
     "theta", Label.STALE_BUFFER, "psi = gate.T @ psi behind gate = turn(theta[k]) it"),
    (TURNS, ["falloff * charge[j]", "charge[j]", "falloff * charge[i]", "charge[i]"],
     "charge", Label.MISSING_FACTOR, "falloff"),
    (TURNS, ["np.array([gw, gx, gy, gz])", "np.array([gx, gy, gz, gw])"],
     "quad", Label.PERMUTED, "gw"),
]
MODELS = [TRIPLET, GATES, WALK, FILTER, SQUARE, PADDED, VIEWS, SOFTMAX, TURNS]


@pytest.mark.parametrize("source", MODELS)
def test_the_models_are_right(source):
    assert report_on(source, [], "model").ok


@pytest.mark.parametrize(("source", "edits", "wrong", "label", "words"), CASES)
def test_the_report_says_what_to_write(source, edits, wrong, label, words):
    assert_told(report_on(source, edits, "model"), wrong, label, words)
