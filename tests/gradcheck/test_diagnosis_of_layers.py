"""The diagnosis of wrong backwards of what layers and losses are made of, which are not in the bank.

Windows with strides and margins, unit lengths, weights along axes, probabilities within closed forms,
cumulative sums, largest elements, penalties, gates in loops.
"""

import pytest
from edited_models import report_on

pytestmark = pytest.mark.usefixtures("walks_before_edits")

CASES, MODELS = [], {}


def model(name, source, *mistakes):
    MODELS[name] = source
    CASES.extend((name, *mistake) for mistake in mistakes)


model("convolution with stride", '''
def forward(x, w, b):
    s, p = 2, 1
    N, C, H, W = x.shape; F, _, k, _ = w.shape
    xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    Ho, Wo = (H + 2 * p - k) // s + 1, (W + 2 * p - k) // s + 1
    y = np.zeros((N, F, Ho, Wo))
    for i in range(Ho):
        for j in range(Wo):
            window = xp[:, :, i * s:i * s + k, j * s:j * s + k]
            y[:, :, i, j] = np.tensordot(window, w, axes=([1, 2, 3], [1, 2, 3])) + b
    return y
def backward(dout, x, w, b):
    s, p = 2, 1
    N, C, H, W = x.shape; F, _, k, _ = w.shape
    xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    dxp = np.zeros_like(xp); dw = np.zeros_like(w)
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            g = dout[:, :, i, j]
            dw += np.tensordot(g, xp[:, :, i * s:i * s + k, j * s:j * s + k], axes=(0, 0))
            dxp[:, :, i * s:i * s + k, j * s:j * s + k] += np.tensordot(g, w, axes=(1, 0))
    dx = dxp[:, :, p:p + H, p:p + W]
    return dx, dw, dout.sum(axis=(0, 2, 3))
rng = np.random.default_rng(0)
INPUTS = [rng.normal(size=(2, 2, 5, 5)), rng.normal(size=(3, 2, 3, 3)), rng.normal(size=3)]
''',
    ("x", "shifted", "dxp[:, :, i * s:i * s + k, j * s:j * s + k]", "dxp[:, :, i:i + k, j:j + k]"),
    ("x", "shifted",
     "dxp[:, :, i * s:i * s + k, j * s:j * s + k]",
     "dxp[:, :, i * s:i * s + k, j:j + k]"),
    ("w", "shifted",
     "xp[:, :, i * s:i * s + k, j * s:j * s + k], axes",
     "xp[:, :, i:i + k, j:j + k], axes"),
    ("x", "shifted", "dxp[:, :, p:p + H, p:p + W]", "dxp[:, :, :H, :W]"),
    ("b", "averaged instead of summed", "dout.sum(axis=(0, 2, 3))", "dout.mean(axis=(0, 2, 3))"),
)

model("unit vectors", '''
def forward(A, s):
    n = np.linalg.norm(A, axis=1, keepdims=True)
    return s * (A / n)
def backward(dout, A, s):
    n = np.linalg.norm(A, axis=1, keepdims=True)
    u = A / n
    g = s * dout
    return (g - u * np.sum(g * u, axis=1, keepdims=True)) / n, np.sum(dout * u, axis=0)
rng = np.random.default_rng(1)
INPUTS = [rng.normal(size=(4, 3)), rng.normal(size=3)]
''',
    ("A", "missing chain factor",
     "(g - u * np.sum(g * u, axis=1, keepdims=True)) / n",
     "g - u * np.sum(g * u, axis=1, keepdims=True)"),
    ("A", "summed over an axis", "np.sum(g * u, axis=1, keepdims=True)", "np.sum(g * u)"),
    ("A", "summed over an axis",
     "np.sum(g * u, axis=1, keepdims=True)",
     "np.sum(g * u, axis=0, keepdims=True)"),
    ("A", "missing chain factor",
     "np.sum(g * u, axis=1, keepdims=True)",
     "np.sum(g * A, axis=1, keepdims=True)"),
    ("A", "not summed over a broadcast axis", "np.sum(g * u, axis=1, keepdims=True)", "g * u"),
    ("A", "derivative of the wrong function", ") / n, ", ") / n ** 2, "),
)

model("penalties", '''
rng = np.random.default_rng(5)
X, y = rng.normal(size=(6, 3)), rng.normal(size=6)
def forward(w, b):
    r = X @ w + b - y
    return np.mean(r ** 2) + 0.3 * np.sum(w ** 2) + 0.1 * np.sum(np.abs(w))
def backward(w, b):
    r = X @ w + b - y
    dw = 2 * X.T @ r / len(y) + 0.6 * w + 0.1 * np.sign(w)
    return dw, 2 * r.mean()
INPUTS = [rng.normal(size=3), np.array(0.3)]
''',
    ("w", "summed over an axis", "0.6 * w", "0.6 * w.sum()"),
    ("w", "derivative of the wrong function", "0.6 * w", "0.6 * np.sum(w ** 2)"),
    ("w", "summed over an axis", "0.6 * w", "0.6 * w.mean()"),
)

model("weighted cross-entropy", '''
rng = np.random.default_rng(6)
X = rng.normal(size=(6, 4)); y = np.array([0, 2, 1, 2, 0, 1]); cw = np.array([.5, 1., 2.5])
sw = rng.random(6) + .4
def forward(W, b):
    z = X @ W + b
    z = z - z.max(axis=1, keepdims=True)
    logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -np.sum(sw * cw[y] * logp[np.arange(6), y]) / 6
def backward(W, b):
    z = X @ W + b
    p = np.exp(z - z.max(axis=1, keepdims=True)); p = p / p.sum(axis=1, keepdims=True)
    Y = np.eye(3)[y]
    dz = (p - Y) * (sw * cw[y])[:, None] / 6
    return X.T @ dz, dz.sum(axis=0)
INPUTS = [rng.normal(size=(4, 3)), rng.normal(size=3)]
''',
    ("W b", "missing chain factor", "(sw * cw[y])[:, None]", "sw[:, None]"),
    ("W b", "missing chain factor", "(sw * cw[y])[:, None]", "cw[y][:, None]"),
    ("W b", "derivative of the wrong function", "(sw * cw[y])[:, None]", "(sw * cw[y] ** 2)[:, None]"),
    ("W", "derivative of the wrong function", "X.T @ dz,", "X.T @ (sw[:, None] * dz),"),
    ("W b", "summed over an axis", "p = p / p.sum(axis=1, keepdims=True)", "p = p / p.sum()"),
    ("W b", "summed over an axis",
     "p = p / p.sum(axis=1, keepdims=True)",
     "p = p / p.sum(axis=0, keepdims=True)"),
    ("W b", "missing chain factor", "p = p / p.sum(axis=1, keepdims=True)", "p = p"),
)

model("product computed twice", '''
def forward(x, W, V):
    return np.where(x @ W > 0.3, x @ W, 0.3) @ V
def backward(dout, x, W, V):
    z = x @ W
    h = np.where(z > 0.3, z, 0.3)
    dz = (dout @ V.T) * (z > 0.3)
    return dz @ W.T, x.T @ dz, h.T @ dout
rng = np.random.default_rng(8)
INPUTS = [rng.normal(size=(6, 3)), rng.normal(size=(3, 5)), rng.normal(size=(5, 2))]
''',
    ("x W", "mask from the wrong tensor", "* (z > 0.3)", "* (z > 0)"),
    ("x W", "mask forgotten", "* (z > 0.3)", "* (h > 0)"),
    ("V", "gradient of the pre-activation", "h.T @ dout", "z.T @ dout"),
)

model("cumulative sum", '''
def forward(x, w):
    c = np.cumsum(x * w, axis=0)
    return np.log(1 + c ** 2)
def backward(dout, x, w):
    c = np.cumsum(x * w, axis=0)
    dc = dout * 2 * c / (1 + c ** 2)
    dp = np.cumsum(dc[::-1], axis=0)[::-1]
    return dp * w, (dp * x).sum(axis=0)
rng = np.random.default_rng(9)
INPUTS = [rng.normal(size=(5, 3)), rng.normal(size=3)]
''',
    ("x w", "derivative of the wrong function",
     "np.cumsum(dc[::-1], axis=0)[::-1]",
     "np.cumsum(dc, axis=0)"),
    ("x w", "summed over an axis",
     "np.cumsum(dc[::-1], axis=0)[::-1]",
     "np.cumsum(dc[:, ::-1], axis=1)[:, ::-1]"),
    ("x w", "missing term", "np.cumsum(dc[::-1], axis=0)[::-1]", "dc"),
    ("x w", "summed over an axis",
     "np.cumsum(dc[::-1], axis=0)[::-1]",
     "np.broadcast_to(dc.sum(axis=0), dc.shape)"),
    ("x w", "missing term",
     "np.cumsum(dc[::-1], axis=0)[::-1]",
     "np.cumsum(dc[::-1], axis=0)[::-1] - dc"),
)

model("attention", '''
def forward(x, Wq, Wk, Wv):
    Q, K, V = x @ Wq, x @ Wk, x @ Wv
    S = Q @ K.T / np.sqrt(Q.shape[1])
    E = np.exp(S - S.max(axis=1, keepdims=True))
    A = E / E.sum(axis=1, keepdims=True)
    return A @ V
def backward(dout, x, Wq, Wk, Wv):
    Q, K, V = x @ Wq, x @ Wk, x @ Wv
    S = Q @ K.T / np.sqrt(Q.shape[1])
    E = np.exp(S - S.max(axis=1, keepdims=True))
    A = E / E.sum(axis=1, keepdims=True)
    dA = dout @ V.T
    dS = A * (dA - np.sum(dA * A, axis=1, keepdims=True))
    dS = dS / np.sqrt(Q.shape[1])
    dQ, dK, dV = dS @ K, dS.T @ Q, A.T @ dout
    return dQ @ Wq.T + dK @ Wk.T + dV @ Wv.T, x.T @ dQ, x.T @ dK, x.T @ dV
rng = np.random.default_rng(11)
INPUTS = [rng.normal(size=(4, 3)), *(rng.normal(size=(3, 5)) for _ in range(3))]
''',
    ("x Wq Wk", "gradient of the pre-activation", "A * (dA -", "S * (dA -"),
    ("x Wq Wk", "gradient of the pre-activation", "dA * A", "dA * S"),
)

model("largest of blocks", '''
def forward(x, b):
    N, H, W = x.shape
    r = x.reshape(N, H // 2, 2, W // 2, 2)
    return r.max(axis=(2, 4)) + b
def backward(dout, x, b):
    N, H, W = x.shape
    r = x.reshape(N, H // 2, 2, W // 2, 2)
    m = r.max(axis=(2, 4), keepdims=True)
    dr = (r == m) * dout[:, :, None, :, None]
    return dr.reshape(x.shape), dout.sum(axis=(0, 1))
rng = np.random.default_rng(12)
INPUTS = [rng.normal(size=(2, 4, 6)), rng.normal(size=3)]
''',
    ("x", "mask from the wrong tensor", "(r == m) * dout", "(r > 0) * dout"),
    ("x", "mask from the wrong tensor", "(r == m) * dout", "(r == r.max(axis=2, keepdims=True)) * dout"),
    ("x", "mask from the wrong tensor", "(r == m) * dout", "(r == r.max()) * dout"),
)

model("standardised", '''
def forward(x, g):
    m = x.mean(axis=0)
    v = x.var(axis=0, ddof=1)
    return g * (x - m) / np.sqrt(v)
def backward(dout, x, g):
    n = x.shape[0]
    m = x.mean(axis=0)
    s = np.sqrt(x.var(axis=0, ddof=1))
    h = (x - m) / s
    d = dout * g
    dx = (d - d.mean(axis=0) - h * (d * h).sum(axis=0) / (n - 1)) / s
    return dx, (dout * h).sum(axis=0)
rng = np.random.default_rng(14)
INPUTS = [rng.normal(size=(5, 3)), rng.normal(size=3)]
''',
    ("x", "constant factor", "/ (n - 1)", "/ n"),
    ("x", "summed over an axis", "(d * h).sum(axis=0)", "(d * h).sum()"),
    ("x", "derivative of the wrong function", "(d * h).sum(axis=0)", "(d * x).sum(axis=0)"),
)

model("power and product", '''
def forward(x, p):
    return np.sum(np.maximum(x, 0.1) ** p / p) + np.prod(np.tanh(x))
def backward(x, p):
    z = np.maximum(x, 0.1)
    t = np.tanh(x)
    dx = z ** (p - 1) * (x > 0.1) + np.prod(t) / t * (1 - t ** 2)
    dp = np.sum(z ** p * np.log(z) / p - z ** p / p ** 2)
    return dx, dp
rng = np.random.default_rng(15)
INPUTS = [rng.normal(size=5), np.array(2.5)]
''',
    ("x", "missing chain factor", "np.prod(t) / t", "np.prod(t)"),
    ("x", "missing chain factor", "np.prod(t) / t * (1 - t ** 2)", "(1 - t ** 2)"),
)

model("log-sum-exp", '''
rng = np.random.default_rng(16)
def forward(x, t):
    m = np.max(x, axis=1, keepdims=True)
    return t * (np.log(np.sum(np.exp((x - m) / t), axis=1)) + m[:, 0] / t)
def backward(dout, x, t):
    m = np.max(x, axis=1, keepdims=True)
    e = np.exp((x - m) / t)
    p = e / e.sum(axis=1, keepdims=True)
    l = np.log(e.sum(axis=1)) + m[:, 0] / t
    dx = dout[:, None] * p
    dt = np.sum(dout * (l - np.sum(p * x, axis=1) / t))
    return dx, dt
INPUTS = [rng.normal(size=(4, 3)), np.array(.7)]
''',
    ("x", "missing chain factor", "dout[:, None] * p", "dout[:, None] * e"),
    ("x", "derivative of the wrong function", "dout[:, None] * p", "dout[:, None] * p * (1 - p)"),
    ("x", "derivative of the wrong function", "dout[:, None] * p", "dout[:, None] * (x == m)"),
)

model("LSTM", '''
rng = np.random.default_rng(30)
def sig(z): return 1 / (1 + np.exp(-z))
def forward(x, W, U, b):
    T, n = x.shape[0], U.shape[0]
    h, c = np.zeros(n), np.zeros(n)
    for t in range(T):
        a = x[t] @ W + h @ U + b
        i, f, o, g = sig(a[:n]), sig(a[n:2 * n]), sig(a[2 * n:3 * n]), np.tanh(a[3 * n:])
        c = f * c + i * g
        h = o * np.tanh(c)
    return np.sum(h ** 2)
def backward(x, W, U, b):
    T, n = x.shape[0], U.shape[0]
    h, c = np.zeros(n), np.zeros(n)
    saved = []
    for t in range(T):
        a = x[t] @ W + h @ U + b
        i, f, o, g = sig(a[:n]), sig(a[n:2 * n]), sig(a[2 * n:3 * n]), np.tanh(a[3 * n:])
        cn = f * c + i * g
        hn = o * np.tanh(cn)
        saved.append((h, c, i, f, o, g, cn))
        h, c = hn, cn
    dh, dc = 2 * h, np.zeros(n)
    dx, dW, dU, db = np.zeros_like(x), np.zeros_like(W), np.zeros_like(U), np.zeros_like(b)
    for t in reversed(range(T)):
        h, c, i, f, o, g, cn = saved[t]
        tc = np.tanh(cn)
        dc = dc + dh * o * (1 - tc ** 2)
        di, df = dc * g * i * (1 - i), dc * c * f * (1 - f)
        do, dg = dh * tc * o * (1 - o), dc * i * (1 - g ** 2)
        da = np.concatenate([di, df, do, dg])
        dx[t] = da @ W.T
        dW += np.outer(x[t], da)
        dU += np.outer(h, da)
        db += da
        dh = da @ U.T
        dc = dc * f
    return dx, dW, dU, db
INPUTS = [rng.normal(size=(3, 2)), rng.normal(size=(2, 8)), rng.normal(size=(2, 8)), rng.normal(size=8)]
''',
    ("U", "stale or overwritten buffer", "np.outer(h, da)", "np.outer(hn, da)"),
    ("x W U b", "extra term", "dh = da @ U.T", "dh = da @ U.T + dh"),
)

model("cosine", '''
def forward(x, y):
    nx, ny = np.sqrt((x ** 2).sum(axis=1)), np.sqrt((y ** 2).sum(axis=1))
    return (x * y).sum(axis=1) / (nx * ny)
def backward(dout, x, y):
    nx, ny = np.sqrt((x ** 2).sum(axis=1))[:, None], np.sqrt((y ** 2).sum(axis=1))[:, None]
    c = (x * y).sum(axis=1, keepdims=True) / (nx * ny)
    d = dout[:, None]
    return d * (y / (nx * ny) - c * x / nx ** 2), d * (x / (nx * ny) - c * y / ny ** 2)
rng = np.random.default_rng(33)
INPUTS = [rng.normal(size=(4, 3)), rng.normal(size=(4, 3))]
''',
    ("x", "missing chain factor", "c * x / nx ** 2", "x / nx ** 2"),
)

model("mixture", '''
def forward(x, mu, ls):
    s = np.exp(ls)
    e = -0.5 * ((x[:, None] - mu) / s) ** 2 - ls
    m = e.max(axis=1, keepdims=True)
    return -np.mean(m[:, 0] + np.log(np.exp(e - m).sum(axis=1)))
def backward(x, mu, ls):
    s = np.exp(ls)
    z = (x[:, None] - mu) / s
    e = -0.5 * z ** 2 - ls
    r = np.exp(e - e.max(axis=1, keepdims=True)); r = r / r.sum(axis=1, keepdims=True)
    g = -r / len(x)
    return (g * -z / s).sum(axis=1), (g * z / s).sum(axis=0), (g * (z ** 2 - 1)).sum(axis=0)
rng = np.random.default_rng(34)
INPUTS = [rng.normal(size=5), rng.normal(size=3), 0.3 * rng.normal(size=3)]
''',
    ("x mu ls", "summed over an axis",
     "r / r.sum(axis=1, keepdims=True)",
     "r / r.sum(axis=0, keepdims=True)"),
    ("mu", "derivative of the wrong function",
     "(g * z / s).sum(axis=0), ",
     "(g * z / s ** 2).sum(axis=0), "),
)

model("padded by hand", '''
def forward(x, w):
    k = w.shape[0]
    p = k // 2
    xp = np.zeros((x.shape[0] + 2 * p, x.shape[1]))
    xp[p:-p] = x
    return np.maximum(np.stack([np.sum(xp[i:i + k] * w) for i in range(x.shape[0])]), 0)
def backward(dout, x, w):
    k = w.shape[0]
    p = k // 2
    xp = np.zeros((x.shape[0] + 2 * p, x.shape[1]))
    xp[p:-p] = x
    z = np.array([np.sum(xp[i:i + k] * w) for i in range(x.shape[0])])
    dz = dout * (z > 0)
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    for i in range(x.shape[0]):
        dw += dz[i] * xp[i:i + k]
        dxp[i:i + k] += dz[i] * w
    return dxp[p:-p], dw
rng = np.random.default_rng(35)
INPUTS = [rng.normal(size=(6, 2)), rng.normal(size=(5, 2))]
''',
    ("x", "shifted", "dxp[p:-p], dw", "dxp[:-2 * p], dw"),
    ("x", "shifted", "dxp[p:-p], dw", "dxp[2 * p:], dw"),
)

model("gate", '''
def forward(x, W, V, a):
    s = 1 / (1 + np.exp(-a * (x @ W)))
    t = np.tanh(x @ V)
    return s * t + (1 - s) * x
def backward(dout, x, W, V, a):
    z = x @ W
    s = 1 / (1 + np.exp(-a * z))
    t = np.tanh(x @ V)
    ds = dout * (t - x)
    du = ds * s * (1 - s)
    dz = du * a
    dt = dout * s
    dv = dt * (1 - t ** 2)
    return dz @ W.T + dv @ V.T + dout * (1 - s), x.T @ dz, x.T @ dv, (du * z).sum()
rng = np.random.default_rng(36)
INPUTS = [rng.normal(size=(4, 3)), rng.normal(size=(3, 3)), rng.normal(size=(3, 3)), np.array(1.4)]
''',
    ("a", "missing chain factor", "(du * z).sum()", "(ds * z).sum()"),
)

model("triplet", '''
def forward(a, p, n):
    dp = np.sum((a - p) ** 2, axis=1)
    dn = np.sum((a - n) ** 2, axis=1)
    return np.mean(np.maximum(dp - dn + 3.0, 0))
def backward(a, p, n):
    dp = np.sum((a - p) ** 2, axis=1)
    dn = np.sum((a - n) ** 2, axis=1)
    m = (dp - dn + 3.0 > 0)[:, None] / len(a)
    return 2 * m * (n - p), -2 * m * (a - p), 2 * m * (a - n)
rng = np.random.default_rng(32)
INPUTS = [rng.normal(size=(6, 3)), rng.normal(size=(6, 3)), rng.normal(size=(6, 3))]
''',
    ("a p n", "mask from the wrong tensor", "(dp - dn + 3.0 > 0)[:, None]", "(dp - dn > 0)[:, None]"),
)

model("correlation in loops", '''
def forward(x, k, g):
    N, H, W, C = x.shape
    y = np.zeros_like(x)
    xp = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    for i in range(3):
        for j in range(3):
            y += xp[:, i:i + H, j:j + W] * k[i, j]
    return np.tanh(y).mean(axis=(1, 2)) * g
def backward(dout, x, k, g):
    N, H, W, C = x.shape
    xp = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    t = np.tanh(sum(xp[:, i:i + H, j:j + W] * k[i, j] for i in range(3) for j in range(3)))
    dp = dout * g
    dy = dp[:, None, None] / (H * W) * (1 - t ** 2)
    dxp, dk = np.zeros_like(xp), np.zeros_like(k)
    for i in range(3):
        for j in range(3):
            dxp[:, i:i + H, j:j + W] += dy * k[i, j]
            dk[i, j] = (dy * xp[:, i:i + H, j:j + W]).sum(axis=(0, 1, 2))
    return dxp[:, 1:-1, 1:-1], dk, (dout * t.mean(axis=(1, 2))).sum(axis=0)
rng = np.random.default_rng(43)
INPUTS = [rng.normal(size=(2, 3, 4, 2)), rng.normal(size=(3, 3, 2)), rng.normal(size=2)]
''',
    ("x", "permuted", "dy * k[i, j]", "dy * k[j, i]"),
    ("k", "shifted", "(dy * xp[:, i:i + H, j:j + W])", "(dy * x)"),
    ("x k", "missing chain factor", "dp = dout * g", "dp = dout"),
)

model("recurrent net", '''
def forward(x, h0, U, V, b):
    h, out = h0, []
    for t in range(4):
        h = np.tanh(x[t] @ U + h @ V + b)
        out.append(h)
    return np.stack(out)
def backward(dout, x, h0, U, V, b):
    h, kept = h0.copy(), [h0]
    for t in range(4):
        h = np.tanh(x[t] @ U + h @ V + b)
        kept.append(h)
    dh, dU, dV, db, dx = np.zeros_like(h0), np.zeros_like(U), np.zeros_like(V), np.zeros_like(b), []
    for t in reversed(range(4)):
        dz = (dout[t] + dh) * (1 - kept[t + 1] ** 2)
        dU += x[t].T @ dz
        dV += kept[t].T @ dz
        db += dz.sum(axis=0)
        dx.append(dz @ U.T)
        dh = dz @ V.T
    return np.stack(dx[::-1]), dh, dU, dV, db
rng = np.random.default_rng(51)
INPUTS = [rng.normal(size=s) for s in ((4, 2, 3), (2, 5), (3, 5), (5, 5), (5,))]
''',
    ("x h0 U V b", "stale or overwritten buffer", "h = np.tanh(", "h[:] = np.tanh("),
)

model("dropout beside ReLU", '''
keep, other = (np.random.default_rng(k).random((5, 4)) < 0.6 for k in (3, 4))
def forward(x, W, b):
    return x * keep / 0.6 + np.maximum(x @ W + b, 0)
def backward(dout, x, W, b):
    active = x @ W + b > 0
    dz = dout * active
    dx = dout * keep / 0.6 + dz @ W.T
    rows = np.empty_like(dx)
    rows[:] = dx
    return rows, x.T @ dz, dz.sum(axis=0)
rng = np.random.default_rng(52)
INPUTS = [rng.normal(size=(5, 4)), rng.normal(size=(4, 4)), rng.normal(size=4)]
''',
    ("x", "mask from the wrong tensor", "dout * keep", "dout * other"),
    ("x W b", "mask from the wrong tensor", "x @ W + b > 0", "forward(x, W, b) > 0"),
    ("x", "stale or overwritten buffer", "rows[:] = dx", "rows[:] = dx[-1]"),
    ("b", "stale or overwritten buffer", "dz.sum(axis=0)", "dz[-1]"),
    ("b", "not summed over a broadcast axis", "dz.sum(axis=0)", "dz[0]"),
)

model("known entries", '''
rng = np.random.default_rng(53)
ratings, seen = rng.normal(size=(5, 6)), rng.random((5, 6)) < 0.6
def forward(U, V):
    return 0.5 * np.sum((seen * (U @ V.T - ratings)) ** 2)
def backward(U, V):
    e = seen * (U @ V.T - ratings)
    return e @ V, e.T @ U
INPUTS = [rng.normal(size=(5, 2)), rng.normal(size=(6, 2))]
''',
    ("U V", "mask from the wrong tensor", "seen * (U", "(ratings > 0) * (U"),
)

model("sorted weights", '''
def forward(x, w):
    return np.sort(x) * w
def backward(dout, x, w):
    order = np.argsort(x)
    dx = np.empty_like(x)
    dx[order] = dout * w
    return dx, dout * x[order]
rng = np.random.default_rng(54)
INPUTS = [rng.normal(size=6), rng.normal(size=6)]
''',
    ("x", "permuted", "dx[order]", "dx[:]"),
    ("w", "permuted", "dout * x[order]", "dout * x"),
)

model("energy of charges", '''
def forward(r, q):
    d = np.sqrt(((r[:, None] - r[None]) ** 2).sum(axis=2))
    np.fill_diagonal(d, np.inf)
    return 0.5 * np.sum(q[:, None] * q[None] / d)
def backward(r, q):
    apart = r[:, None] - r[None]
    d = np.sqrt((apart ** 2).sum(axis=2))
    np.fill_diagonal(d, np.inf)
    dr = -(q[:, None] * q[None] / d ** 3)[:, :, None] * apart
    return dr.sum(axis=1), (q[None] / d).sum(axis=1)
rng = np.random.default_rng(55)
INPUTS = [rng.normal(size=(5, 3)), rng.normal(size=5)]
''',
    ("r", "missing chain factor", "d ** 3", "d ** 2"),
)

model("learned slope", '''
def forward(x, a):
    return np.maximum(x, 0) + a * np.minimum(x, 0)
def backward(dout, x, a):
    return dout * np.where(x > 0, 1, a), (dout * np.minimum(x, 0)).sum(axis=0)
rng = np.random.default_rng(56)
INPUTS = [rng.normal(size=(5, 4)), rng.random(4)]
''',
    ("a", "mask forgotten", "np.minimum(x, 0)", "x"),
)


@pytest.mark.parametrize("name", MODELS)
def test_models_are_right_as_they_are(name):
    assert report_on(MODELS[name], (), name).ok


@pytest.mark.parametrize(
    ("name", "wrong", "label", "edits"), [(c[0], c[1], c[2], c[3:]) for c in CASES],
    ids=[f"{c[0]}: {c[3]} -> {c[4]}" for c in CASES],
)
@pytest.mark.filterwarnings("ignore")
def test_the_first_label_is_the_right_one(name, wrong, label, edits):
    report = report_on(MODELS[name], edits, name)
    said = {entry.name: entry for entry in report.inputs if entry.label is not None}
    assert set(said) == set(wrong.split())
    for entry in said.values():
        assert entry.label == label, [e.claim for e in entry.explanations]
        assert entry.explanations[0].share == 1.0

