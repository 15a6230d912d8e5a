"""Ops of the table on arrays of a million elements against the same formula in NumPy, one thread."""

import numpy as np
from measure import medians

import tinygrad_relu as tg
from tinygrad_relu.nn import functional as F

AXES = {"": None, ", axis 0": 0, ", axis 1": 1}


def row_shifted(x):
    """Return exponentials of `x` less the largest of each row."""
    return np.exp(x - x.max(1, keepdims=True))


def pairs(x, y):
    """Return (ours, NumPy's) for each piece of work on two arrays of shape (1000, 1000)."""
    a, b = tg.asarray(x), tg.asarray(y)
    number = x.dtype.type(2.5)
    work = {
        "a + b": (lambda: a + b, lambda: x + y),
        "a * 2.5": (lambda: a * 2.5, lambda: x * number),
        "a / b": (lambda: a / b, lambda: x / y),
        "a ** b": (lambda: a**b, lambda: x**y),
        "a < b": (lambda: a < b, lambda: x < y),
        "maximum": (lambda: tg.maximum(a, b), lambda: np.maximum(x, y)),
        "where": (lambda: tg.where(a > 1, a, b), lambda: np.where(x > 1, x, y)),
        "clamp": (lambda: a.clamp(0.5, 1.5), lambda: np.clip(x, 0.5, 1.5)),
        "sigmoid": (lambda: a.sigmoid(), lambda: 1 / (1 + np.exp(-x))),
        "softmax": (lambda: a.softmax(1), lambda: row_shifted(x) / row_shifted(x).sum(1, keepdims=True)),
        "logsumexp": (
            lambda: a.logsumexp(1), lambda: np.log(row_shifted(x).sum(1)) + x.max(1),
        ),
        "layer_norm": (
            lambda: F.layer_norm(a, (1000,)),
            lambda: (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5),
        ),
        "cat": (lambda: tg.cat([a, b]), lambda: np.concatenate([x, y])),
        "rows by index": (lambda: a[[5, 3, 2] * 300], lambda: x[[5, 3, 2] * 300]),
        "mask": (lambda: a[a > 1], lambda: x[x > 1]),
        "transposed copy": (lambda: a.mT.clone(), lambda: x.T.copy()),
        "roll": (lambda: tg.roll(a, 3, 0), lambda: np.roll(x, 3, 0)),
        "tril": (lambda: tg.tril(a), lambda: np.tril(x)),
        "sort": (lambda: tg.sort(a, 1), lambda: np.take_along_axis(
            x, np.argsort(x, 1, kind="stable"), 1
        )),
        "matmul": (lambda: a[:300] @ b[:, :300], lambda: x[:300] @ y[:, :300]),
        "einsum": (lambda: tg.einsum("ij,kj->ik", a[:300], b[:300]), lambda: x[:300] @ y[:300].T),
        "solve": (
            lambda: tg.linalg.solve(a[:100, :100], b[:100]),
            lambda: np.linalg.solve(x[:100, :100], y[:100]),
        ),
    }
    for name in ("exp", "log", "sqrt", "tanh", "sin", "abs"):
        work[name] = getattr(a, name), lambda name=name: getattr(np, name)(x)
    for name in ("sum", "mean", "prod", "argmax"):
        for suffix, axis in AXES.items():
            work[f"{name}{suffix}"] = (
                lambda name=name, axis=axis: getattr(a, name)(axis),
                lambda name=name, axis=axis: getattr(x, name)(axis),
            )
    for suffix, axis in AXES.items():
        work[f"var{suffix}"] = lambda axis=axis: a.var(axis), lambda axis=axis: x.var(axis, ddof=1)
        work[f"amax{suffix}"] = lambda axis=axis: a.amax(axis), lambda axis=axis: x.max(axis)
        if axis is not None:
            work[f"cumsum{suffix}"] = (
                lambda axis=axis: a.cumsum(axis), lambda axis=axis: x.cumsum(axis),
            )
    return work


def ratios():
    """Return our time over NumPy's, by work and dtype."""
    rng = np.random.default_rng(0)
    found = {}
    with tg.num_threads(1):
        for dtype in ("float32", "float64"):
            x, y = (rng.uniform(0.3, 2.0, (1000, 1000)).astype(dtype) for _ in range(2))
            for name, (ours, numpys) in pairs(x, y).items():
                times = medians(
                    {"ours": ours, "NumPy": numpys}, rounds=7, seconds=0.01, label=f"{name}, {dtype}"
                )
                found[f"{name}, {dtype}"] = times["ours"] / times["NumPy"]
    return found


def convolution_ratio(torch):
    """Return our time over PyTorch's for a 3 x 3 convolution of 32 images in float32, or None."""
    if torch is None:
        return None
    rng = np.random.default_rng(0)
    x = rng.standard_normal((32, 16, 28, 28)).astype(np.float32)
    w = rng.standard_normal((16, 16, 3, 3)).astype(np.float32)
    images, kernels = torch.from_numpy(x), torch.from_numpy(w)
    ours = tg.asarray(x), tg.asarray(w)
    with tg.num_threads(1):
        times = medians({
            "ours": lambda: F.conv2d(*ours, padding=1),
            "PyTorch": lambda: torch.nn.functional.conv2d(images, kernels, padding=1),
        }, label="conv2d")
    return times["ours"] / times["PyTorch"]
