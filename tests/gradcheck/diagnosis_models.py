"""Small models in plain NumPy with their backward by hand, which tests of the diagnosis make wrong.

``np`` and ``rng`` are given.  Each model is source text, so that a test can put one expression in the
place of another: `forward`, `backward`, and `inputs`, a dict.
"""

LINEAR = '''
X = rng.standard_normal((6, 4))
Y = rng.standard_normal((6, 3))
inputs = {"W": rng.standard_normal((4, 3)), "b": rng.standard_normal(3)}

def forward(W, b):
    error = X @ W + b - Y
    return np.mean(np.sum(error ** 2, axis=1)) + 0.1 * np.sum(W ** 2)

def backward(W, b):
    N = X.shape[0]
    error = X @ W + b - Y
    dz = 2 * error / N
    dW = X.T @ dz + 0.2 * W
    db = dz.sum(axis=0)
    return dW, db
'''

TWO_LAYERS = '''
X = rng.standard_normal((7, 4))
y = np.array([0, 1, 2, 1, 0, 2, 2])
inputs = {
    "W1": rng.standard_normal((4, 5)), "b1": 0.1 * rng.standard_normal(5),
    "W2": rng.standard_normal((5, 3)), "b2": 0.1 * rng.standard_normal(3),
}

def forward(W1, b1, W2, b2):
    z1 = X @ W1 + b1
    h = np.maximum(0, z1)
    scores = h @ W2 + b2
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return float(-np.log(p[np.arange(len(y)), y]).mean())

def backward(W1, b1, W2, b2):
    N = len(y)
    z1 = X @ W1 + b1
    h = np.maximum(0, z1)
    scores = h @ W2 + b2
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    dscores = p.copy()
    dscores[np.arange(N), y] -= 1
    dscores /= N
    dW2 = h.T @ dscores
    db2 = dscores.sum(axis=0)
    dh = dscores @ W2.T
    dz1 = dh * (z1 > 0)
    dW1 = X.T @ dz1
    db1 = dz1.sum(axis=0)
    return dW1, db1, dW2, db2
'''

DEEP = '''
inputs = {
    "x": rng.standard_normal((5, 4)), "A": rng.standard_normal((4, 4)), "B": rng.standard_normal((4, 4)),
    "c": rng.standard_normal(4),
}

def sigmoid(z):
    return 1 / (1 + np.exp(-z))

def forward(x, A, B, c):
    u = np.tanh(x @ A)
    v = sigmoid(u @ B + c)
    return v * u

def backward(dout, x, A, B, c):
    a = x @ A
    u = np.tanh(a)
    s = u @ B + c
    v = sigmoid(s)
    dv = dout * u
    du = dout * v
    ds = dv * v * (1 - v)
    dB = u.T @ ds
    dc = ds.sum(0)
    du = du + ds @ B.T
    da = du * (1 - u ** 2)
    dA = x.T @ da
    dx = da @ A.T
    return dx, dA, dB, dc
'''

BATCH_NORM = '''
inputs = {
    "x": rng.standard_normal((8, 3)), "gamma": 1 + 0.3 * rng.standard_normal(3),
    "beta": rng.standard_normal(3),
}

def forward(x, gamma, beta):
    mu = x.mean(axis=0)
    xc = x - mu
    var = np.mean(xc ** 2, axis=0)
    xhat = xc / np.sqrt(var + 1e-5)
    return gamma * xhat + beta

def backward(dout, x, gamma, beta):
    N = x.shape[0]
    mu = x.mean(axis=0)
    var = x.var(axis=0)
    std = np.sqrt(var + 1e-5)
    xhat = (x - mu) / std
    dgamma = np.sum(dout * xhat, axis=0)
    dbeta = np.sum(dout, axis=0)
    dxhat = dout * gamma
    dx = (dxhat - dxhat.mean(axis=0) - xhat * (dxhat * xhat).mean(axis=0)) / std
    return dx, dgamma, dbeta
'''

ATTENTION = '''
inputs = {
    "q": rng.standard_normal((5, 4)), "k": rng.standard_normal((5, 4)), "v": rng.standard_normal((5, 4)),
}

def forward(q, k, v):
    s = q @ k.T / np.sqrt(q.shape[1])
    e = np.exp(s - s.max(axis=1, keepdims=True))
    a = e / e.sum(axis=1, keepdims=True)
    return a @ v

def backward(dout, q, k, v):
    d = q.shape[1]
    s = q @ k.T / np.sqrt(d)
    e = np.exp(s - s.max(axis=1, keepdims=True))
    a = e / e.sum(axis=1, keepdims=True)
    dv = a.T @ dout
    da = dout @ v.T
    ds = a * (da - np.sum(da * a, axis=1, keepdims=True))
    ds = ds / np.sqrt(d)
    dq = ds @ k
    dk = ds.T @ q
    return dq, dk, dv
'''

RECURRENT = '''
xs = rng.standard_normal((5, 2, 3))
inputs = {
    "Wx": rng.standard_normal((3, 4)), "Wh": 0.5 * rng.standard_normal((4, 4)),
    "b": rng.standard_normal(4), "h0": rng.standard_normal((2, 4)),
}

def forward(Wx, Wh, b, h0):
    h = h0
    hs = []
    for t in range(len(xs)):
        h = np.tanh(xs[t] @ Wx + h @ Wh + b)
        hs.append(h)
    return np.stack(hs)

def backward(dout, Wx, Wh, b, h0):
    T = len(xs)
    hs = [h0]
    for t in range(T):
        hs.append(np.tanh(xs[t] @ Wx + hs[-1] @ Wh + b))
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    dnext = np.zeros_like(h0)
    for t in reversed(range(T)):
        dh = dout[t] + dnext
        da = dh * (1 - hs[t + 1] ** 2)
        dWx += xs[t].T @ da
        dWh += hs[t].T @ da
        db += da.sum(axis=0)
        dnext = da @ Wh.T
    return dWx, dWh, db, dnext
'''

CONVOLUTION = '''
inputs = {
    "x": rng.standard_normal((2, 2, 5, 5)), "w": rng.standard_normal((3, 2, 3, 3)),
    "b": rng.standard_normal(3),
}

def forward(x, w, b):
    out = np.zeros((2, 3, 3, 3))
    for i in range(3):
        for j in range(3):
            patch = x[:, :, i:i + 3, j:j + 3]
            out[:, :, i, j] = np.tensordot(patch, w, axes=([1, 2, 3], [1, 2, 3])) + b
    return out

def backward(dout, x, w, b):
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    db = dout.sum(axis=(0, 2, 3))
    for i in range(3):
        for j in range(3):
            g = dout[:, :, i, j]
            patch = x[:, :, i:i + 3, j:j + 3]
            dw += np.tensordot(g, patch, axes=([0], [0]))
            dx[:, :, i:i + 3, j:j + 3] += np.tensordot(g, w, axes=([1], [0]))
    return dx, dw, db
'''

EMBEDDING = '''
words = np.array([0, 2, 2, 4, 0, 2])
inputs = {"E": rng.standard_normal((5, 3)), "w": rng.standard_normal(3)}

def forward(E, w):
    return E[words] * w

def backward(dout, E, w):
    dE = np.zeros_like(E)
    np.add.at(dE, words, dout * w)
    dw = (dout * E[words]).sum(axis=0)
    return dE, dw
'''

RESIDUAL = '''
keep = (rng.uniform(size=(6, 4)) > 0.4) / 0.6
inputs = {
    "x": rng.standard_normal((6, 4)), "W": rng.standard_normal((4, 4)), "V": rng.standard_normal((4, 4)),
}

def forward(x, W, V):
    z = x @ W
    h = np.where(z > 0, z, 0.1 * z)
    d = h * keep
    return x + d @ V

def backward(dout, x, W, V):
    z = x @ W
    h = np.where(z > 0, z, 0.1 * z)
    d = h * keep
    dV = d.T @ dout
    dd = dout @ V.T
    dh = dd * keep
    dz = dh * np.where(z > 0, 1, 0.1)
    dW = x.T @ dz
    dx = dout + dz @ W.T
    return dx, dW, dV
'''

POOLING = '''
inputs = {"x": rng.standard_normal((2, 4, 6))}

def forward(x):
    n, h, w = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2).max(axis=(2, 4))

def backward(dout, x):
    n, h, w = x.shape
    windows = x.reshape(n, h // 2, 2, w // 2, 2)
    y = windows.max(axis=(2, 4), keepdims=True)
    mask = windows == y
    return (mask * dout[:, :, None, :, None]).reshape(x.shape)
'''

COSINE = '''
inputs = {"u": rng.standard_normal((4, 5)), "v": rng.standard_normal((4, 5))}

def forward(u, v):
    a = np.sqrt(np.sum(u * u, axis=1))
    b = np.sqrt(np.sum(v * v, axis=1))
    return np.sum(u * v, axis=1) / (a * b)

def backward(dout, u, v):
    a = np.sqrt(np.sum(u * u, axis=1))
    b = np.sqrt(np.sum(v * v, axis=1))
    c = np.sum(u * v, axis=1) / (a * b)
    g = dout[:, None]
    du = g * (v / (a * b)[:, None] - c[:, None] * u / (a ** 2)[:, None])
    dv = g * (u / (a * b)[:, None] - c[:, None] * v / (b ** 2)[:, None])
    return du, dv
'''

HINGE = '''
X = rng.standard_normal((6, 4))
y = np.array([0, 1, 2, 1, 0, 2])
inputs = {"W": rng.standard_normal((4, 3))}

def forward(W):
    scores = X @ W
    rows = np.arange(len(y))
    margins = np.maximum(0, scores - scores[rows, y][:, None] + 1)
    margins[rows, y] = 0
    return margins.sum() / len(y) + 0.5 * np.sum(W * W)

def backward(W):
    N = len(y)
    scores = X @ W
    rows = np.arange(N)
    margins = np.maximum(0, scores - scores[rows, y][:, None] + 1)
    margins[rows, y] = 0
    ds = (margins > 0).astype(float)
    ds[rows, y] -= ds.sum(axis=1)
    dW = X.T @ ds / N + W
    return dW
'''

GAUSSIAN = '''
x = rng.standard_normal(9)
inputs = {"mu": np.array(0.3), "s": np.array(-0.2)}

def forward(mu, s):
    sigma = np.exp(s)
    r = (x - mu) / sigma
    return np.sum(0.5 * r ** 2 + np.log(sigma))

def backward(mu, s):
    sigma = np.exp(s)
    r = (x - mu) / sigma
    dmu = -np.sum(r / sigma)
    dsigma = np.sum(-r ** 2 / sigma + 1 / sigma)
    ds = dsigma * sigma
    return dmu, ds
'''

LSTM = '''
inputs = {
    "x": rng.standard_normal((2, 3)), "h": rng.standard_normal((2, 4)), "c": rng.standard_normal((2, 4)),
    "W": rng.standard_normal((7, 16)),
}

def sigmoid(z):
    return 1 / (1 + np.exp(-z))

def forward(x, h, c, W):
    a = np.concatenate([x, h], axis=1) @ W
    i, f, o, g = np.split(a, 4, axis=1)
    i, f, o, g = sigmoid(i), sigmoid(f), sigmoid(o), np.tanh(g)
    cn = f * c + i * g
    return o * np.tanh(cn)

def backward(dout, x, h, c, W):
    xh = np.concatenate([x, h], axis=1)
    i, f, o, g = np.split(xh @ W, 4, axis=1)
    i, f, o, g = sigmoid(i), sigmoid(f), sigmoid(o), np.tanh(g)
    cn = f * c + i * g
    t = np.tanh(cn)
    do = dout * t
    dcn = dout * o * (1 - t ** 2)
    df, di, dg, dc = dcn * c, dcn * g, dcn * i, dcn * f
    da = np.concatenate([di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g ** 2)], axis=1)
    dW = xh.T @ da
    dxh = da @ W.T
    return dxh[:, :3], dxh[:, 3:], dc, dW
'''
