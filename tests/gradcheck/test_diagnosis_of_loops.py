"""Wrong backwards of models that are not in the bank: loops, norms, masks, indices, pieces.

Each model is source text; a case is an expression of its backward and what is written in its place, the
inputs whose gradients are wrong then, and the words for it that are true.
"""

import numpy as np
import pytest
from edited_models import defined

from tinygrad_relu.gradcheck import check_gradients

pytestmark = pytest.mark.usefixtures("walks_before_edits")

CASES, MODELS = [], {}


def drawn(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape)


def model(name, source, inputs, *mistakes):
    MODELS[name] = source, inputs
    CASES.extend((name, *mistake) for mistake in mistakes)


def checked(name, *edits):
    source, inputs = MODELS[name]
    names = defined(source, edits, f"{name}.py", {"np": np})
    return check_gradients(
        names["forward"], list(inputs.values()), backward=names["backward"], names=list(inputs)
    )


model("gru", '''
def sig(z): return 1/(1+np.exp(-z))
def forward(x, h, W, U):
    zr = x @ W[:, :6] + h @ U[:, :6]
    z, r = sig(zr[:, :3]), sig(zr[:, 3:6])
    n = np.tanh(x @ W[:, 6:] + (r * h) @ U[:, 6:])
    return (1 - z) * n + z * h
def backward(dout, x, h, W, U):
    zr = x @ W[:, :6] + h @ U[:, :6]
    z, r = sig(zr[:, :3]), sig(zr[:, 3:6])
    n = np.tanh(x @ W[:, 6:] + (r * h) @ U[:, 6:])
    dn = dout * (1 - z); dz = dout * (h - n); dh = dout * z
    da = dn * (1 - n**2)
    drh = da @ U[:, 6:].T
    dr = drh * h; dh = dh + drh * r
    dzr = np.hstack([dz * z * (1 - z), dr * r * (1 - r)])
    dW = np.hstack([x.T @ dzr, x.T @ da])
    dU = np.hstack([h.T @ dzr, (r * h).T @ da])
    dx = dzr @ W[:, :6].T + da @ W[:, 6:].T
    dh = dh + dzr @ U[:, :6].T
    return dx, dh, dW, dU
''', {"x": drawn(3,2), "h": drawn(3,3), "W": drawn(2,9), "U": drawn(3,9)},
 ("x h W U", "permuted", "[dz * z * (1 - z), dr * r * (1 - r)]", "[dr * r * (1 - r), dz * z * (1 - z)]"),
 ("U", "mask forgotten|missing chain factor|gradient of the pre-activation",
  "(r * h).T @ da", "h.T @ da"),
 ("h", "missing term", "dh = dh + drh * r", "pass"),
 ("x h W U", "missing term", "dz = dout * (h - n)", "dz = -dout * n"),
 ("h", "missing chain factor", "drh * r", "drh"),
)
model("bptt mean loss", '''
def forward(x, Wh, Wx):
    h = np.zeros((2, 3)); total = 0.0
    for t in range(5):
        h = np.tanh(h @ Wh + x[:, t] @ Wx)
        total = total + np.sum(h**2)
    return total
def backward(x, Wh, Wx):
    hs = [np.zeros((2, 3))]
    for t in range(5): hs.append(np.tanh(hs[-1] @ Wh + x[:, t] @ Wx))
    dx, dWh, dWx = np.zeros_like(x), np.zeros_like(Wh), np.zeros_like(Wx)
    dnext = 0
    for t in reversed(range(5)):
        dh = dnext + 2 * hs[t+1]
        da = dh * (1 - hs[t+1]**2)
        dWh += hs[t].T @ da
        dWx += x[:, t].T @ da
        dx[:, t] = da @ Wx.T
        dnext = da @ Wh.T
    return dx, dWh, dWx
''', {"x": drawn(2,5,4), "Wh": drawn(3,3), "Wx": drawn(4,3)},
 ("Wx", "missing term", "dWx += x[:, t].T @ da", "dWx += (t < 4) * x[:, t].T @ da"),
 ("Wx", "missing term|stale or overwritten buffer", "dWx += x[:, t].T @ da", "dWx = x[:, t].T @ da"),
 ("Wx", "shifted|derivative of the wrong function|stale or overwritten buffer",
  "x[:, t].T @ da", "x[:, min(t + 1, 4)].T @ da"),
 ("x", "shifted", "return dx,", "return np.roll(dx, 1, axis=1),"),
 ("x", "missing term", "dx[:, t] = da @ Wx.T", "dx[:, t] = (t > 0) * (da @ Wx.T)"),
)
model("instance norm", '''
def forward(x, g, b):
    mu = x.mean(axis=(2, 3), keepdims=True)
    var = x.var(axis=(2, 3), keepdims=True)
    xhat = (x - mu) / np.sqrt(var + 1e-3)
    return g[None, :, None, None] * xhat + b[None, :, None, None]
def backward(dout, x, g, b):
    ax = (2, 3)
    mu = x.mean(axis=(2, 3), keepdims=True)
    std = np.sqrt(x.var(axis=(2, 3), keepdims=True) + 1e-3)
    xhat = (x - mu) / std
    dg = np.sum(dout * xhat, axis=(0, 2, 3)); db = dout.sum(axis=(0, 2, 3))
    d = dout * g[None, :, None, None]
    dx = (d - d.mean(axis=ax, keepdims=True) - xhat * (d * xhat).mean(axis=ax, keepdims=True)) / std
    return dx, dg, db
''', {"x": drawn(2,3,3,4), "g": drawn(3), "b": drawn(3)},
 ("x", "summed over an axis", "ax = (2, 3)", "ax = (0, 2, 3)"),
 ("x", "missing term",
  "dx = (d - d.mean(axis=ax, keepdims=True) - xhat * (d * xhat).mean(axis=ax, keepdims=True)) / std",
  "dx = d / std"),
 ("x", "averaged instead of summed", "d.mean(axis=ax", "d.sum(axis=ax"),
 ("x", "missing chain factor", "d = dout * g[None, :, None, None]", "d = dout"),
 ("x", "missing chain factor|gradient of the pre-activation",
  "- xhat * (d * xhat)", "- (x - mu) * (d * xhat)"),
 ("x", "extra term", "- xhat * (d", "- 2 * xhat * (d"),
 ("g", "gradient of the pre-activation|missing chain factor",
  "np.sum(dout * xhat", "np.sum(dout * (x - mu)"),
)
model("rms norm", '''
def forward(x, g):
    return g * x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + 1e-6)
def backward(dout, x, g):
    r = 1 / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + 1e-6)
    n = x * r
    dg = np.sum(dout * n, axis=0)
    d = dout * g
    dx = r * (d - n * np.mean(d * n, axis=-1, keepdims=True))
    return dx, dg
''', {"x": drawn(4,5), "g": drawn(5)},
 ("x", "missing term", " - n * np.mean(d * n, axis=-1, keepdims=True)", ""),
 ("x", "averaged instead of summed", "np.mean(d * n, axis=-1", "np.sum(d * n, axis=-1"),
 ("x", "summed over an axis", "np.mean(d * n, axis=-1", "np.mean(d * n, axis=0"),
 ("g", "gradient of the pre-activation|missing chain factor", "dout * n, axis=0", "dout * x, axis=0"),
 ("x", "missing chain factor", "d = dout * g", "d = dout"),
)
model("masked attention", '''
keep = np.array([[1,1,1,0],[1,1,0,0],[1,1,1,1]], bool)
def forward(q, k, v):
    s = np.einsum("bd,btd->bt", q, k) / 2.0
    s = np.where(keep, s, -1e9)
    e = np.exp(s - s.max(axis=1, keepdims=True)); p = e / e.sum(axis=1, keepdims=True)
    return np.einsum("bt,btd->bd", p, v)
def backward(dout, q, k, v):
    mask = keep
    s = np.einsum("bd,btd->bt", q, k) / 2.0
    s = np.where(mask, s, -1e9)
    e = np.exp(s - s.max(axis=1, keepdims=True)); p = e / e.sum(axis=1, keepdims=True)
    dv = np.einsum("bt,bd->btd", p, dout)
    dp = np.einsum("bd,btd->bt", dout, v)
    ds = p * (dp - (dp * p).sum(axis=1, keepdims=True)) / 2.0
    dq = np.einsum("bt,btd->bd", ds, k); dk = np.einsum("bt,bd->btd", ds, q)
    return dq, dk, dv
''', {"q": drawn(3,5), "k": drawn(3,4,5), "v": drawn(3,4,5)},
 ("q k v", "mask forgotten", "s = np.where(mask, s, -1e9)\n    e", "e"),
 ("q k v", ">= for >", "mask = keep", "mask = np.arange(4) <= np.array([[3], [2], [4]])"),
 ("q k v", "mask from the wrong tensor|shifted|permuted", "mask = keep", "mask = keep[:, ::-1]"),
 ("q k v", "mask from the wrong tensor|derivative of the wrong function", "mask = keep", "mask = ~keep"),
 ("q k", "constant factor", "keepdims=True)) / 2.0\n    dq", "keepdims=True))\n    dq"),
)
model("pooled graph", '''
src = np.array([0,0,1,3,2,4,4]); dst = np.array([1,2,1,0,3,3,2])
def forward(X, E, W):
    m = np.tanh(X[src] @ W) * E[:, None]
    out = np.zeros((5, 3))
    for i in range(len(src)):
        out[dst[i]] += m[i]
    return out
def backward(dout, X, E, W):
    h = np.tanh(X[src] @ W)
    dm = dout[dst]
    dE = np.sum(dm * h, axis=1)
    dz = dm * E[:, None] * (1 - h**2)
    dW = X[src].T @ dz
    dX = np.zeros_like(X)
    np.add.at(dX, src, dz @ W.T)
    return dX, E * 0 + dE, dW
''', {"X": drawn(5,3), "E": drawn(7), "W": drawn(3,3)},
 ("X", "missing term", "np.add.at(dX, src, dz @ W.T)", "dX[src] += dz @ W.T"),
 ("X", "missing term|stale or overwritten buffer",
  "np.add.at(dX, src, dz @ W.T)", "for i in reversed(range(7)): dX[src[i]] = (dz @ W.T)[i]"),
 ("X", "permuted|derivative of the wrong function", "np.add.at(dX, src", "np.add.at(dX, dst"),
 ("X W", "missing chain factor", "dm * E[:, None] *", "dm *"),
)
model("conv2d im2col", '''
def forward(x, w):
    win = np.lib.stride_tricks.sliding_window_view(x, (2, 3), axis=(2, 3))
    return np.einsum("nchwij,fcij->nfhw", win, w)
def backward(dout, x, w):
    win = np.lib.stride_tricks.sliding_window_view(x, (2, 3), axis=(2, 3))
    dw = np.einsum("nchwij,nfhw->fcij", win, dout)
    dx = np.zeros_like(x)
    H, V = dout.shape[2:]
    for i in range(2):
        for j in range(3):
            dx[:, :, i:i+H, j:j+V] += np.einsum("nfhw,fc->nchw", dout, w[:, :, i, j])
    return dx, dw
''', {"x": drawn(2,2,4,5), "w": drawn(3,2,2,3)},
 ("x", "missing term|stale or overwritten buffer", "j:j+V] +=", "j:j+V] ="),
 ("x", "missing term", "range(3)", "range(2)"),
 ("x", "permuted", "w[:, :, i, j]", "w[:, :, 1 - i, 2 - j]"),
 ("w", "permuted", "return dx, dw", "return dx, dw[..., ::-1]"),
)
model("patch embed", '''
def forward(x, W, c):
    p = x.reshape(2, 2, 2, 3, 2).transpose(0, 1, 3, 2, 4).reshape(2, 6, 4)
    z = np.concatenate([np.broadcast_to(c, (2, 1, 3)), np.tanh(p @ W)], axis=1)
    return z
def backward(dout, x, W, c):
    p = x.reshape(2, 2, 2, 3, 2).transpose(0, 1, 3, 2, 4).reshape(2, 6, 4)
    y = np.tanh(p @ W)
    dc = dout[:, 0].sum(axis=0)
    dz = dout[:, 1:] * (1 - y**2)
    dW = np.einsum("bti,btj->ij", p, dz)
    dp = dz @ W.T
    dx = dp.reshape(2, 2, 3, 2, 2).transpose(0, 1, 3, 2, 4).reshape(x.shape)
    return dx, dW, dc
''', {"x": drawn(2,4,6), "W": drawn(4,3), "c": drawn(3)},
 ("x", "permuted",
  ".reshape(2, 2, 3, 2, 2).transpose(0, 1, 3, 2, 4).reshape(x.shape)", ".reshape(x.shape)"),
 ("c", "not summed over a broadcast axis", "dout[:, 0].sum(axis=0)", "dout[0, 0]"),
 ("c", "averaged instead of summed|constant factor", "dout[:, 0].sum(axis=0)", "dout[:, 0].mean(axis=0)"),
 ("x W", "shifted", "dout[:, 1:] *", "dout[:, :-1] *"),
)

model("midpoint", '''
def forward(y, k, a):
    for _ in range(2):
        mid = y + 0.15 * (-k * y + a)
        y = y + 0.3 * (-k * mid + a)
    return np.sum(y ** 2)
def backward(y, k, a):
    ys, mids = [], []
    for _ in range(2):
        mid = y + 0.15 * (-k * y + a)
        ys.append(y); mids.append(mid)
        y = y + 0.3 * (-k * mid + a)
    dy, dk, da = 2 * y, np.zeros_like(k), np.zeros_like(a)
    for y, mid in zip(ys[::-1], mids[::-1]):
        df2 = 0.3 * dy
        dmid = -k * df2
        df1 = 0.15 * dmid
        dk += -mid * df2 - y * df1
        da += df2 + df1
        dy = dy + dmid - k * df1
    return dy, dk, da
''', {"y": drawn(4), "k": 1 + drawn(4)**2, "a": drawn(2,2).ravel()},
 ("k", "stale or overwritten buffer", "- y * df1", "- mid * df1"),
 ("y k a", "constant factor", "df1 = 0.15", "df1 = 0.3"),
)

model("upsampling", '''
def forward(x, s):
    u = x.repeat(2, axis=0).repeat(3, axis=1)
    return np.tanh(u * s)
def backward(dout, x, s):
    u = x.repeat(2, axis=0).repeat(3, axis=1)
    da = dout * (1 - np.tanh(u * s) ** 2)
    du = da * s
    return du.reshape(2, 2, 2, 3).sum(axis=(1, 3)), (da * u).sum(axis=0)
''', {"x": drawn(2,2), "s": drawn(6)},
)

model("softmax layer", '''
def forward(x, W):
    e = np.exp(x @ W)
    return e / e.sum(axis=1, keepdims=True)
def backward(dout, x, W):
    e = np.exp(x @ W)
    p = e / e.sum(axis=1, keepdims=True)
    dz = p * (dout - (dout * p).sum(axis=1, keepdims=True))
    return dz @ W.T, x.T @ dz
''', {"x": drawn(3,4), "W": drawn(4,5)},
 ("x W", "derivative of the wrong function",
  "p * (dout - (dout * p).sum(axis=1, keepdims=True))", "p - dout"),
)

model("distances", '''
def forward(X, C):
    diff = X[:, None, :] - C[None, :, :]
    return np.sum(np.exp(-np.sqrt(np.sum(diff ** 2, axis=2))))
def backward(X, C):
    diff = X[:, None, :] - C[None, :, :]
    D = np.sqrt(np.sum(diff ** 2, axis=2))
    d = -np.exp(-D)[:, :, None] * diff / D[:, :, None]
    return d.sum(axis=1), -d.sum(axis=0)
''', {"X": drawn(4,2), "C": drawn(3,2)},
 ("X C", "missing chain factor", "diff / D[:, :, None]", "diff"),
)

model("batches of products", '''
def forward(A, B):
    return np.tanh(A @ B)
def backward(dout, A, B):
    dz = dout * (1 - np.tanh(A @ B) ** 2)
    return dz @ B.transpose(0, 2, 1), A.transpose(0, 2, 1) @ dz
''', {"A": 0.6 * drawn(2,3,4), "B": 0.6 * drawn(2,4,3)},
 ("A", "averaged instead of summed",
  "dz @ B.transpose(0, 2, 1)", "dz @ B.transpose(0, 2, 1).mean(axis=0)"),
 ("B", "permuted", "A.transpose(0, 2, 1) @", "A.reshape(2, 4, 3) @"),
)

model("tied embedding", '''
IDS = np.array([1, 3, 1, 0])
def forward(E, A):
    return np.tanh(E[IDS] @ A) @ E.T
def backward(dout, E, A):
    h = np.tanh(E[IDS] @ A)
    dE = dout.T @ h
    dz = (dout @ E) * (1 - h ** 2)
    np.add.at(dE, IDS, dz @ A.T)
    return dE, E[IDS].T @ dz
''', {"E": drawn(4,3), "A": drawn(3,3)},
 ("E", "stale or overwritten buffer", "np.add.at(dE, IDS, dz @ A.T)", "dE[IDS] = dz @ A.T"),
 ("E A", "derivative of the wrong function", "(1 - h ** 2)", "(1 - h) ** 2"),
)

model("segments", '''
SEGMENT = np.array([0, 1, 0, 2, 1, 0])
def forward(x, w):
    total = np.zeros((3, 2))
    np.add.at(total, SEGMENT, x * w)
    return np.sum(np.exp(-total ** 2))
def backward(x, w):
    total = np.zeros((3, 2))
    np.add.at(total, SEGMENT, x * w)
    d = (-2 * total * np.exp(-total ** 2))[SEGMENT]
    return d * w, (d * x).sum(axis=0)
''', {"x": drawn(6,2), "w": drawn(2)},
 ("x w", "permuted", "[SEGMENT]", "[np.sort(SEGMENT)]"),
)

model("three steps", '''
def forward(x, W, U):
    h = np.zeros((2, 4))
    for t in range(3):
        h = np.tanh(x[t] @ W + h @ U)
    return h
def backward(dout, x, W, U):
    hs = [np.zeros((2, 4))]
    for t in range(3):
        hs.append(np.tanh(x[t] @ W + hs[-1] @ U))
    dx, dW, dU, dh = np.zeros_like(x), np.zeros_like(W), np.zeros_like(U), dout
    for t in reversed(range(3)):
        dz = dh * (1 - hs[t + 1] ** 2)
        dW += x[t].T @ dz
        dU += hs[t].T @ dz
        dx[t] = dz @ W.T
        dh = dz @ U.T
    return dx, dW, dU
''', {"x": drawn(3,2,3), "W": 0.6 * drawn(3,4), "U": 0.5 * drawn(4,4)},
 ("W", "stale or overwritten buffer|shifted", "x[t].T", "x[t - 1].T"),
)

model("concatenated", '''
def forward(x, V):
    return np.concatenate([np.sin(x), np.tanh(x)], axis=1) @ V
def backward(dout, x, V):
    a, b = np.sin(x), np.tanh(x)
    d = dout @ V.T
    dV = np.concatenate([a, b], axis=1).T @ dout
    return d[:, :3] * np.cos(x) + d[:, 3:] * (1 - b ** 2), dV
''', {"x": drawn(4,3), "V": drawn(6,2)},
 ("V", "permuted", "[a, b]", "[b, a]"),
)

model("scaled", '''
def forward(x, g):
    centred = x - x.mean(axis=1, keepdims=True)
    size = np.sqrt((centred ** 2).mean(axis=1, keepdims=True) + 1e-5)
    return g * (centred / size)
def backward(dout, x, g):
    n = x.shape[1]
    c = x - x.mean(axis=1, keepdims=True)
    s = np.sqrt((c ** 2).mean(axis=1, keepdims=True) + 1e-5)
    d = dout * g
    dvar = np.sum(d * c * -0.5 / s ** 3, axis=1, keepdims=True)
    dmean = -np.sum(d / s, axis=1, keepdims=True)
    return d / s + 2 * dvar * c / n + dmean / n, (dout * (c / s)).sum(axis=0)
''', {"x": drawn(3,4), "g": drawn(4)},
 ("x", "missing chain factor", "return d / s +", "return d +"),
 ("g", "missing chain factor", "(dout * (c / s))", "(dout * c)"),
)


@pytest.mark.parametrize("name", MODELS)
def test_models_are_right_as_they_are(name):
    assert checked(name).ok


@pytest.mark.parametrize(
    ("name", "wrong", "labels", "edits"), [(c[0], c[1], c[2], c[3:]) for c in CASES],
    ids=[f"{c[0]}: {c[3]} -> {c[4]}" for c in CASES],
)
@pytest.mark.filterwarnings("ignore")
def test_the_first_label_is_the_right_one(name, wrong, labels, edits):
    report = checked(name, *edits)
    said = {entry.name: entry for entry in report.inputs if entry.label is not None}
    assert set(said) == set(wrong.split())
    for entry in said.values():
        assert str(entry.label) in labels.split("|"), [e.claim for e in entry.explanations]
        assert entry.explanations[0].share == 1.0
