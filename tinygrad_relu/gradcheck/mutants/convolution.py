"""Convolution by loops and by columns, and pooling."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.mutants.model import Model

# ---------------------------------------------------------------------------- convolution by loops


def convolution_by_loops(x, w, b):
    (n, _, height, width), (filters, _, kh, kw) = x.shape, w.shape
    y = np.zeros((n, filters, height - kh + 1, width - kw + 1), x.dtype)
    for i in range(y.shape[2]):
        for j in range(y.shape[3]):
            patch = x[:, :, i:i + kh, j:j + kw]
            y[:, :, i, j] = np.tensordot(patch, w, ((1, 2, 3), (1, 2, 3))) + b
    return y


def convolution_by_loops_backward(dout, x, w, b):
    kh, kw = w.shape[2:]
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            patch = x[:, :, i:i + kh, j:j + kw]
            at = dout[:, :, i, j]
            dw += np.tensordot(at, patch, (0, 0))
            dx[:, :, i:i + kh, j:j + kw] += np.tensordot(at, w, (1, 0))
    db = dout.sum(axis=(0, 2, 3))
    return dx, dw, db


LOOPS = Model(
    convolution_by_loops,
    convolution_by_loops_backward,
    points={
        "usual": lambda rng: {
            "x": rng.normal(size=(2, 2, 4, 4)), "w": rng.normal(size=(3, 2, 2, 2)),
            "b": rng.normal(size=3),
        },
        "no samples": lambda rng: {
            "x": np.zeros((0, 2, 4, 4)), "w": rng.normal(size=(3, 2, 2, 2)), "b": rng.normal(size=3),
        },
    },
)
LOOPS.mutant(
    "x", Label.STALE_BUFFER, "where windows overlap, the last one overwrites what was there",
    ("j:j + kw] += np.tensordot(at, w", "j:j + kw] = np.tensordot(at, w"),
    also=[Label.MISSING_TERM],
)
LOOPS.mutant(
    "w", Label.STALE_BUFFER, "dw is set by each window, not added to: only the last one counts",
    ("dw += np.tensordot", "dw = np.tensordot"),
    also=[Label.MISSING_TERM],
)
LOOPS.mutant(
    "x", Label.PERMUTED, "the kernel is turned by 180 degrees once too often",
    ("np.tensordot(at, w, (1, 0))", "np.tensordot(at, w[:, :, ::-1, ::-1], (1, 0))"),
)
LOOPS.mutant(
    "w", Label.TRANSPOSED, "height and width of the kernel are exchanged in dw",
    ("    return dx, dw, db", "    return dx, dw.transpose(0, 1, 3, 2), db"),
    also=[Label.PERMUTED],
)
LOOPS.mutant(
    "b", Label.NOT_SUMMED, "the bias is summed over the samples, and not over the positions",
    ("axis=(0, 2, 3)", "axis=0"),
    also=[Label.WRONG_SHAPE],
)
LOOPS.mutant(
    "b", Label.WRONG_SHAPE, "the bias keeps the axes that it was summed over",
    ("axis=(0, 2, 3))", "axis=(0, 2, 3), keepdims=True)"),
)
LOOPS.mutant(
    "b", Label.AVERAGED, "the bias gets the mean over positions, where the sum belongs",
    ("db = dout.sum(axis=(0, 2, 3))", "db = dout.mean(axis=(2, 3)).sum(axis=0)"),
    also=[Label.CONSTANT_FACTOR],
)
LOOPS.mutant(
    "x", Label.SHIFTED, "windows begin one column too far to the right, and wrap around",
    ("    return dx,", "    return np.roll(dx, 1, axis=3),"),
)
LOOPS.mutant(
    "w", Label.CONSTANT_FACTOR, "dw is divided by the size of the batch, which the caller does already",
    ("dw += np.tensordot(at, patch, (0, 0))", "dw += np.tensordot(at, patch, (0, 0)) / len(x)"),
    also=[Label.AVERAGED],
)
LOOPS.mutant(
    "x", Label.MISSING_TERM, "the last column of windows is left out for dx",
    ("dx[:, :, i:i + kh, j:j + kw] +=", "dx[:, :, i:i + kh, j:j + kw] += (j < dout.shape[3] - 1) *"),
)

# -------------------------------------------------------------------------- convolution by columns


def columns_of(x, size):
    windows = np.lib.stride_tricks.sliding_window_view(x, size, axis=2)
    return windows.transpose(0, 2, 1, 3).reshape(len(x) * windows.shape[2], x.shape[1] * size)


def convolution_by_columns(x, w):
    filters, channels, size = w.shape
    y = columns_of(x, size) @ w.reshape(filters, channels * size).T
    return y.reshape(len(x), -1, filters).transpose(0, 2, 1)


def convolution_by_columns_backward(dout, x, w):
    filters, channels, size = w.shape
    columns = columns_of(x, size)
    dy = dout.transpose(0, 2, 1).reshape(-1, filters)
    dw = (dy.T @ columns).reshape(w.shape)
    dcolumns = (dy @ w.reshape(filters, -1)).reshape(len(x), -1, channels, size)
    dx = np.zeros_like(x)
    for k in range(size):
        dx[:, :, k:k + dcolumns.shape[1]] += dcolumns[:, :, :, k].transpose(0, 2, 1)
    return dx, dw


COLUMNS = Model(
    convolution_by_columns,
    convolution_by_columns_backward,
    points={
        "usual": lambda rng: {"x": rng.normal(size=(2, 3, 5)), "w": rng.normal(size=(3, 3, 3))},
        "ill-scaled": lambda rng: {
            "x": 1e8 * rng.normal(size=(2, 3, 5)), "w": 1e-8 * rng.normal(size=(3, 3, 3)),
        },
    },
)
COLUMNS.mutant(
    "w", Label.PERMUTED, "dout is reshaped without a transpose: channels and positions are mixed up",
    ("dout.transpose(0, 2, 1).reshape(-1, filters)\n",
     "dout.transpose(0, 2, 1).reshape(-1, filters)\n"
     "    mixed = dout.reshape(-1, filters)\n"),
    ("dy.T @ columns", "mixed.T @ columns"),
)
COLUMNS.mutant(
    "x", Label.SHIFTED, "the columns go back one place too far to the right",
    ("    return dx, dw", "    return np.roll(dx, 1, axis=2), dw"),
)
COLUMNS.mutant(
    "x", Label.STALE_BUFFER, "overlapping columns overwrite each other where they are to be added",
    ("dcolumns.shape[1]] +=", "dcolumns.shape[1]] ="),
    also=[Label.MISSING_TERM],
)
COLUMNS.mutant(
    "w", Label.TRANSPOSED, "filters and channels of dw are exchanged",
    ("    return dx, dw", "    return dx, dw.transpose(1, 0, 2)"),
    also=[Label.PERMUTED],
)
COLUMNS.mutant(
    "w", Label.PERMUTED, "the kernel of dw comes out flipped: convolution is taken for correlation",
    ("    return dx, dw", "    return dx, dw[:, :, ::-1]"),
)
COLUMNS.mutant(
    "w", Label.WRONG_SHAPE, "the kernels of dw are left as rows of a matrix",
    ("(dy.T @ columns).reshape(w.shape)", "dy.T @ columns"),
)
COLUMNS.mutant(
    "x", Label.WRONG_DTYPE, "dx is made in single precision",
    ("dx = np.zeros_like(x)", "dx = np.zeros(x.shape, np.float32)"),
)

# ------------------------------------------------------------------------------------- max pooling


def max_pooling(x):
    n, c, height, width = x.shape
    return x.reshape(n, c, height // 2, 2, width // 2, 2).max(axis=(3, 5))


def max_pooling_backward(dout, x):
    n, c, height, width = x.shape
    blocks = x.reshape(n, c, height // 2, 2, width // 2, 2).transpose(0, 1, 2, 4, 3, 5)
    blocks = blocks.reshape(n, c, height // 2, width // 2, 4)
    winner = blocks.argmax(axis=4)[..., None]
    dblocks = np.zeros_like(blocks)
    np.put_along_axis(dblocks, winner, dout[..., None], axis=4)
    dx = dblocks.reshape(n, c, height // 2, width // 2, 2, 2).transpose(0, 1, 2, 4, 3, 5)
    return (dx.reshape(x.shape),)


MAX_POOLING = Model(
    max_pooling,
    max_pooling_backward,
    points={
        "usual": lambda rng: {"x": rng.permutation(32).reshape(2, 1, 4, 4) / 10.0},
        "on kinks": lambda rng: {"x": rng.integers(0, 2, (2, 1, 4, 4)).astype(float)},
        "no samples": lambda rng: {"x": np.zeros((0, 1, 4, 4))},
    },
)
MAX_POOLING.mutant(
    "x", Label.MASK_FORGOTTEN, "every element of a window gets the gradient, not only the largest",
    ("np.put_along_axis(dblocks, winner, dout[..., None], axis=4)", "dblocks += dout[..., None]"),
)
MAX_POOLING.mutant(
    "x", Label.WRONG_FUNCTION, "the gradient is shared evenly, as for average pooling",
    ("np.put_along_axis(dblocks, winner, dout[..., None], axis=4)", "dblocks += dout[..., None] / 4"),
    also=[Label.AVERAGED],
)
MAX_POOLING.mutant(
    "x", Label.WRONG_FUNCTION, "the smallest element gets the gradient",
    ("blocks.argmax(axis=4)", "blocks.argmin(axis=4)"),
    also=[Label.MASK_FROM_WRONG_TENSOR],
)
MAX_POOLING.mutant(
    "x", Label.PERMUTED, "the windows are put back without the transpose that took them out",
    ("width // 2, 2, 2).transpose(0, 1, 2, 4, 3, 5)", "width // 2, 2, 2)"),
)
MAX_POOLING.mutant(
    "x", Label.TRANSPOSED, "height and width are exchanged on the way back",
    ("(dx.reshape(x.shape),)", "(dx.reshape(x.shape).transpose(0, 1, 3, 2),)"),
    also=[Label.PERMUTED],
)
MAX_POOLING.mutant(
    "x", Label.SHIFTED, "each gradient lands one row below where it belongs",
    ("(dx.reshape(x.shape),)", "(np.roll(dx.reshape(x.shape), 1, axis=2),)"),
)
MAX_POOLING.mutant(
    "x", Label.STALE_BUFFER, "dout is kept at the first call, and used again in all others",
    ("dout[..., None], axis", "state.setdefault('dout', dout.copy())[..., None], axis"),
)

MAX_POOLING.mutant(
    "x", Label.MASK_NOT_STRICT, "of equal maxima each gets the whole gradient, so that it counts twice",
    ("np.put_along_axis(dblocks, winner, dout[..., None], axis=4)",
     "dblocks += (blocks >= blocks.max(axis=4, keepdims=True)) * dout[..., None]"),
    at="on kinks",
)

# --------------------------------------------------------------------------------- average pooling


def average_pooling(x):
    return x.reshape(len(x), x.shape[1] // 3, 3).mean(axis=2)


def average_pooling_backward(dout, x):
    dx = np.repeat(dout, 3, axis=1) / 3
    return (dx,)


AVERAGE_POOLING = Model(
    average_pooling,
    average_pooling_backward,
    points={
        "usual": lambda rng: {"x": rng.normal(size=(3, 6))},
        "ill-scaled": lambda rng: {"x": 10.0 ** rng.uniform(-8, 8, (3, 6))},
        "no samples": lambda rng: {"x": np.zeros((0, 6))},
    },
)
AVERAGE_POOLING.mutant(
    "x", Label.CONSTANT_FACTOR, "the division by the size of the window is missing",
    (" / 3", ""),
    also=[Label.AVERAGED],
)
AVERAGE_POOLING.mutant(
    "x", Label.PERMUTED, "windows are tiled side by side, where each element is to be repeated",
    ("np.repeat(dout, 3, axis=1)", "np.tile(dout, 3)"),
)
AVERAGE_POOLING.mutant(
    "x", Label.SUMMED, "dout is averaged over the samples on the way",
    ("np.repeat(dout, 3, axis=1)", "np.repeat(dout, 3, axis=1).mean(axis=0) + np.zeros_like(x)"),
    also=[Label.AVERAGED],
)

MODELS = [LOOPS, COLUMNS, MAX_POOLING, AVERAGE_POOLING]
