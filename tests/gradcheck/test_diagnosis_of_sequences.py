"""The diagnosis of wrong backwards of sequences, gates and products, which are not in the bank."""

import pytest
from edited_models import report_on

pytestmark = pytest.mark.usefixtures("walks_before_edits")

CASES, MODELS = [], {}


def model(name, source, *mistakes):
    MODELS[name] = source
    CASES.extend((name, *mistake) for mistake in mistakes)


model("pendulum", '''
dt, steps = 0.1, 6
def forward(q, p, g):
    for _ in range(steps):
        q, p = q + dt * p, p - dt * g * np.sin(q)
    return 0.5 * np.sum(p ** 2) + np.sum(q ** 2)
def backward(q, p, g):
    kept = []
    for _ in range(steps):
        kept.append(q)
        q, p = q + dt * p, p - dt * g * np.sin(q)
    aq, ap, dg = 2 * q, p, np.zeros_like(g)
    for q in reversed(kept):
        dg -= dt * np.sin(q) * ap
        aq, ap = aq - dt * g * np.cos(q) * ap, ap + dt * aq
    return aq, ap, dg
rng = np.random.default_rng(61)
INPUTS = [rng.normal(size=4), rng.normal(size=4), rng.random(4) + 1]
''',
    ("q p g", "stale or overwritten buffer", "reversed(kept)", "kept"),
)

model("discounted rewards", '''
def forward(r):
    y, total = np.zeros_like(r), np.zeros(r.shape[1])
    for t in reversed(range(len(r))):
        total = r[t] + 0.9 * total
        y[t] = total
    return y
def backward(dout, r):
    dr, total = np.zeros_like(r), np.zeros(r.shape[1])
    for t in range(len(r)):
        total = dout[t] + 0.9 * total
        dr[t] = total
    return (dr,)
rng = np.random.default_rng(62)
INPUTS = [rng.normal(size=(6, 2))]
''',
    ("r", "stale or overwritten buffer", "range(len(r))", "reversed(range(len(r)))"),
)

model("gated unit", '''
def forward(x, A, B):
    return (x @ A) / (1 + np.exp(-(x @ B)))
def backward(dout, x, A, B):
    a, z = x @ A, x @ B
    g = 1 / (1 + np.exp(-z))
    da = dout * g
    dz = dout * a * g * (1 - g)
    return da @ A.T + dz @ B.T, x.T @ da, x.T @ dz
rng = np.random.default_rng(63)
INPUTS = [rng.normal(size=(4, 3)), rng.normal(size=(3, 5)), rng.normal(size=(3, 5))]
''',
    ("x A", "gradient of the pre-activation", "dout * g\n", "dout * z\n"),
    ("x B", "missing chain factor", "dout * a * g * (1 - g)", "dout * g * (1 - g)"),
    ("x B", "missing chain factor", "dout * a * g * (1 - g)", "dout * a"),
    ("B", "permuted", "x.T @ dz", "x.T @ np.sort(dz, axis=1)"),
    ("x", "stale or overwritten buffer", "dz @ B.T", "dz @ (x.T @ dz).T"),
)

model("mixture", '''
def forward(h, n, z):
    g = 1 / (1 + np.exp(-z))
    return (1 - g) * n + g * h
def backward(dout, h, n, z):
    g = 1 / (1 + np.exp(-z))
    dh = dout * g
    dn = dout * (1 - g)
    return dh, dn, (dout * (h - n) * g * (1 - g)).sum(axis=0)
rng = np.random.default_rng(64)
INPUTS = [rng.normal(size=(5, 4)), rng.normal(size=(5, 4)), rng.normal(size=4)]
''',
    ("h n", "stale or overwritten buffer", "dn = dout * (1 - g)", "dn = dh; dn *= 1 - g"),
    ("z", "missing term", ".sum(axis=0)", "[:-1].sum(axis=0)"),
)

model("dropout", '''
keep = np.random.default_rng(65).random((5, 6)) < 0.6
def forward(x, W):
    return (x * keep / 0.6) @ W
def backward(dout, x, W):
    mask = keep
    return dout @ W.T * mask / 0.6, (x * keep / 0.6).T @ dout
rng = np.random.default_rng(66)
INPUTS = [rng.normal(size=(5, 6)), rng.normal(size=(6, 3))]
''',
    ("x", "mask from the wrong tensor", "mask = keep",
     "mask = np.random.default_rng(67).random((5, 6)) < 0.6"),
)

model("product", '''
def forward(x, p):
    return x ** 2 * np.sin(3 * x) + x ** p
def backward(dout, x, p):
    s, c = np.sin(3 * x), 3 * np.cos(3 * x)
    return dout * (2 * x * s + x ** 2 * c + p * x ** (p - 1)), dout * x ** p * np.log(x)
rng = np.random.default_rng(68)
INPUTS = [rng.random(7) + 0.5, rng.normal(size=7)]
''',
    ("x", "derivative of the wrong function", "c = np.sin(3 * x), 3", "c = np.sin(3 * x), -3"),
    ("x", "missing chain factor", "3 * np.cos(3 * x)", "np.cos(3 * x)"),
    ("p", "missing chain factor", " * np.log(x)", ""),
)

model("two heads", '''
def forward(x, A, B, M):
    y = np.concatenate([x @ A, np.tanh(x @ B)], axis=1)
    return np.sum(y * y) + np.sum(M @ M)
def backward(x, A, B, M):
    h = np.tanh(x @ B)
    dy = 2 * np.concatenate([x @ A, h], axis=1)
    n, one = A.shape[1], np.ones(M.shape)
    db = dy[:, n:] * (1 - h ** 2)
    dM = one @ M.T + M.T @ one
    return dy[:, :n] @ A.T + db @ B.T, x.T @ dy[:, :n], x.T @ db, dM
rng = np.random.default_rng(69)
INPUTS = [rng.normal(size=s) for s in ((4, 3), (3, 2), (3, 2), (3, 3))]
''',
    ("M", "missing term", "dM = one @ M.T + M.T @ one", "dM = np.diag(np.diag(one @ M.T + M.T @ one))"),
)

model("counts", '''
k = np.array([2.0, 0.0, 1.0, 4.0, 1.0, 3.0, 0.0])
def forward(X, w):
    eta = X @ w
    return np.mean(np.exp(eta) - k * eta)
def backward(X, w):
    eta = X @ w
    rate = np.exp(eta)
    d = (rate - k) / 7
    return d[:, None] * w, X.T @ d
rng = np.random.default_rng(70)
INPUTS = [rng.normal(size=(7, 3)), rng.normal(size=3)]
''',
    ("X w", "gradient of the pre-activation", "(rate - k)", "(eta - k)"),
)

model("best time", '''
X = np.random.default_rng(71).normal(size=(3, 6, 4))
X[:, 4] = X[:, 1]
def forward(W):
    return (X @ W).max(axis=1)
def backward(dout, W):
    best = (X @ W).argmax(axis=1)
    mask = np.arange(6)[None, :, None] == best[:, None, :]
    return (np.einsum("ntd,ntf->df", X, mask * dout[:, None, :]),)
rng = np.random.default_rng(72)
INPUTS = [rng.normal(size=(4, 5))]
''',
    ("W", "mask from the wrong tensor", "argmax", "argmin"),
    ("W", "shifted", "argmax(axis=1)", "argmax(axis=1) + 1"),
)


@pytest.mark.parametrize("name", MODELS)
def test_models_are_right_as_they_are(name):
    assert report_on(MODELS[name], (), name).ok


@pytest.mark.parametrize(
    ("name", "wrong", "label", "edits"), [(c[0], c[1], c[2], c[3:]) for c in CASES],
    ids=[f"{c[0]}: {c[3]} -> {c[4]}" for c in CASES],
)
def test_the_first_label_is_the_right_one(name, wrong, label, edits):
    said = {e.name: e for e in report_on(MODELS[name], edits, name).inputs if e.label is not None}
    assert set(said) == set(wrong.split())
    for entry in said.values():
        assert entry.label == label, [e.claim for e in entry.explanations]
