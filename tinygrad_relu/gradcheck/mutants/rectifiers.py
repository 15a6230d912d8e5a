"""The ReLU family as layers: thresholded with learned slopes, gated, PReLU, leaky, and clipped."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.mutants.model import Model

# ------------------------------------------------------- thresholded ReLU, slopes for each channel


def thresholded_relu(x, a0, a1, t0):
    return np.where(x > t0, x * a1, x * a0)


def thresholded_relu_backward(dout, x, a0, a1, t0):
    is_open = x > t0
    dx = dout * np.where(is_open, a1, a0)
    da0 = np.sum(dout * x * ~is_open, axis=0)
    da1 = np.sum(dout * x * is_open, axis=0)
    return dx, da0, da1


def with_slopes(x):
    """Return the inputs of the thresholded ReLU with two slopes for each channel of `x`."""
    channels = np.arange(x.shape[1])
    return {"x": x, "a0": 0.1 + 0.1 * channels, "a1": 1.0 + 0.5 * channels}


THRESHOLDED = Model(
    thresholded_relu,
    thresholded_relu_backward,
    points={
        "usual": lambda rng: with_slopes(rng.normal(size=(6, 3))),
        "on kinks": lambda rng: with_slopes(rng.integers(-1, 2, (6, 3)).astype(float)),
        "no samples": lambda rng: with_slopes(np.zeros((0, 3))),
    },
    # At 0 the function has a kink; at another threshold it would jump.
    data={
        "usual": lambda rng: {"t0": 0.3},
        "on kinks": lambda rng: {"t0": 0.0},
    },
)
THRESHOLDED.mutant(
    "x", Label.MASK_FROM_WRONG_TENSOR, "the slope is chosen by the sign of x, not by the threshold",
    ("np.where(is_open, a1, a0)", "np.where(x > 0, a1, a0)"),
)
THRESHOLDED.mutant(
    "x", Label.MASK_FROM_WRONG_TENSOR, "the two slopes are exchanged",
    ("np.where(is_open, a1, a0)", "np.where(is_open, a0, a1)"),
    also=[Label.WRONG_FUNCTION],
)
THRESHOLDED.mutant(
    "x", Label.MASK_FORGOTTEN, "the open slope is used on both sides",
    ("np.where(is_open, a1, a0)", "a1"),
)
THRESHOLDED.mutant(
    "x", Label.MISSING_FACTOR, "on the open side the slope is taken as 1",
    ("np.where(is_open, a1, a0)", "np.where(is_open, 1.0, a0)"),
)
THRESHOLDED.mutant(
    "a0", Label.MASK_FORGOTTEN, "the lower slope gets the gradient of all elements",
    ("dout * x * ~is_open", "dout * x"),
)
THRESHOLDED.mutant(
    "a0", Label.MASK_FROM_WRONG_TENSOR, "the lower slope gets the gradient of the upper one",
    ("dout * x * ~is_open", "dout * x * (x > t0)"),
    also=[Label.PERMUTED],
)
THRESHOLDED.mutant(
    "a1", Label.MISSING_FACTOR, "the gradient of the upper slope lacks the factor x",
    ("dout * x * is_open", "dout * is_open"),
)
THRESHOLDED.mutant(
    "a0 a1", Label.AVERAGED, "the slopes get the mean over the samples",
    ("np.sum(dout * x * ~is_open", "np.mean(dout * x * ~is_open"),
    ("np.sum(dout * x * is_open", "np.mean(dout * x * is_open"),
    also=[Label.CONSTANT_FACTOR],
)
THRESHOLDED.mutant(
    "a0 a1", Label.SUMMED, "the slopes are summed over the channels, too",
    ("np.sum(dout * x * ~is_open, axis=0)", "np.sum(dout * x * ~is_open) * np.ones_like(a0)"),
    ("np.sum(dout * x * is_open, axis=0)", "np.sum(dout * x * is_open) * np.ones_like(a1)"),
)
THRESHOLDED.mutant(
    "a1", Label.NOT_SUMMED, "the upper slope was broadcast, and its gradient is not summed",
    ("np.sum(dout * x * is_open, axis=0)", "dout * x * is_open"),
    also=[Label.WRONG_SHAPE],
)

THRESHOLDED.mutant(
    "a0 a1", Label.PERMUTED, "the gradients of the two slopes are returned in the other order",
    ("return dx, da0, da1", "return dx, da1, da0"),
)

THRESHOLDED.mutant(
    "x", Label.CONSTANT_FACTOR, "dx has the other sign, also next to elements on the kink",
    ("return dx, da0", "return -dx, da0"),
    at="on kinks",
)

# -------------------------------------------------------------------- a gate that other values open


def gated_signal(signal, control, level):
    return np.where(control > level, signal, 0.1 * signal)


def gated_signal_backward(dout, signal, control, level):
    is_open = control > level
    dsignal = np.where(is_open, dout, 0.1 * dout)
    return (dsignal,)


GATED = Model(
    gated_signal,
    gated_signal_backward,
    points={
        "usual": lambda rng: {"signal": rng.normal(size=(5, 4))},
        "ill-scaled": lambda rng: {"signal": 10.0 ** rng.uniform(-8, 8, (5, 4))},
        "no signal": lambda rng: {"signal": np.zeros((0, 4))},
    },
    # Whole levels, so that some are exactly what decides.
    data={
        "usual": lambda rng: {"control": rng.integers(-2, 3, (5, 4)), "level": 1},
        "no signal": lambda rng: {"control": np.zeros((0, 4), int), "level": 1},
    },
)
GATED.mutant(
    "signal", Label.MASK_NOT_STRICT, "the gate is open at the level itself",
    ("control > level", "control >= level"),
)
GATED.mutant(
    "signal", Label.MASK_FORGOTTEN, "the gradient passes everywhere",
    ("np.where(is_open, dout, 0.1 * dout)", "1.0 * dout"),
)
GATED.mutant(
    "signal", Label.MASK_FROM_WRONG_TENSOR, "the signal decides about itself",
    ("control > level", "signal > 0"),
)
GATED.mutant(
    "signal", Label.WRONG_FUNCTION, "nothing comes through the shut gate, where a tenth does",
    ("0.1 * dout)", "0)"),
    also=[Label.MISSING_TERM],
)
GATED.mutant(
    "signal", Label.CONSTANT_FACTOR, "both sides have the slope of the shut gate once too often",
    ("    return (dsignal,)", "    return (0.1 * dsignal,)"),
)

# ------------------------------------------------------------------------------------------- PReLU


def prelu_layer(x, slope):
    return np.where(x > 0, x, slope * x)


def prelu_layer_backward(dout, x, slope):
    dx = np.where(x > 0, dout, slope * dout)
    dslope = np.sum(np.where(x > 0, 0, x) * dout, axis=(0, 2), keepdims=True)
    return dx, dslope


PRELU = Model(
    prelu_layer,
    prelu_layer_backward,
    points={
        "usual": lambda rng: {
            "x": rng.normal(size=(3, 2, 4)), "slope": np.array([0.25, 0.5]).reshape(1, 2, 1),
        },
        "on kinks": lambda rng: {
            "x": rng.integers(-1, 2, (3, 2, 4)).astype(float),
            "slope": np.array([0.25, 0.5]).reshape(1, 2, 1),
        },
    },
)
PRELU.mutant(
    "slope", Label.SUMMED, "one sum for all channels: the slope of each gets it",
    ("axis=(0, 2), keepdims=True)", "keepdims=True) * np.ones_like(slope)"),
)
PRELU.mutant(
    "slope", Label.NOT_SUMMED, "the sum over the samples is forgotten, that over positions is there",
    ("axis=(0, 2)", "axis=2"),
    also=[Label.WRONG_SHAPE],
)
PRELU.mutant(
    "slope", Label.WRONG_SHAPE, "the slope of a channel loses its axes",
    (", keepdims=True", ""),
)
PRELU.mutant(
    "slope", Label.MASK_FORGOTTEN, "positive elements have a part in the gradient of the slope",
    ("np.where(x > 0, 0, x)", "x"),
)
PRELU.mutant(
    "slope", Label.AVERAGED, "the slope gets the mean over samples and positions",
    ("np.sum(", "np.mean("),
    also=[Label.CONSTANT_FACTOR],
)
PRELU.mutant(
    "x", Label.ZEROS, "nothing is handed on to the layer below",
    ("np.where(x > 0, dout, slope * dout)", "np.zeros_like(x)"),
)
PRELU.mutant(
    "x", Label.WRONG_FUNCTION, "negative elements get nothing, as with plain ReLU",
    ("np.where(x > 0, dout, slope * dout)", "np.where(x > 0, dout, 0)"),
    also=[Label.MISSING_TERM],
)
PRELU.mutant(
    "slope", Label.MASK_FROM_WRONG_TENSOR, "the gradient of the slope looks at dout for its mask",
    ("np.where(x > 0, 0, x)", "np.where(dout > 0, 0, x)"),
)

PRELU.mutant(
    "x", Label.MASK_FROM_WRONG_TENSOR, "the slopes of the two sides are exchanged, also on the kink",
    ("np.where(x > 0, dout, slope * dout)", "np.where(x < 0, dout, slope * dout)"),
    also=[Label.WRONG_FUNCTION],
    at="on kinks",
)

# -------------------------------------------------------------------------------------- leaky ReLU


def leaky_layer(x, W):
    z = x @ W
    return np.where(z > 0, z, 0.2 * z)


def leaky_layer_backward(dout, x, W):
    z = x @ W
    dz = np.where(z > 0, dout, 0.2 * dout)
    return dz @ W.T, x.T @ dz


LEAKY = Model(
    leaky_layer,
    leaky_layer_backward,
    points={
        "usual": lambda rng: {"x": rng.normal(size=(4, 3)), "W": rng.normal(size=(3, 3))},
        # Each column of W but the last gives exactly 0 once.
        "on kinks": lambda rng: {
            "x": np.array([[1.0, 2.0], [3.0, 1.0]]), "W": np.array([[2.0, 1.0, 1.0], [-1.0, -3.0, 1.0]]),
        },
    },
)
LEAKY.mutant(
    "x W", Label.MASK_FORGOTTEN, "negative elements pass with slope 1",
    ("np.where(z > 0, dout, 0.2 * dout)", "dout"),
)
LEAKY.mutant(
    "x", Label.MASK_FROM_WRONG_TENSOR, "for the layer below, the mask is made of x, which has its shape",
    ("return dz @ W.T", "dh = dout @ W.T\n    return np.where(x > 0, dh, 0.2 * dh)"),
)
LEAKY.mutant(
    "x W", Label.WRONG_FUNCTION, "negative elements get nothing, as with plain ReLU",
    ("0.2 * dout)", "0)"),
    also=[Label.MISSING_TERM],
)
LEAKY.mutant(
    "x", Label.TRANSPOSED, "the gradient goes back through W, not through its transpose",
    ("dz @ W.T", "dz @ W"),
)
LEAKY.mutant(
    "W", Label.TRANSPOSED, "the gradient of W has rows for columns",
    ("x.T @ dz", "dz.T @ x"),
)
LEAKY.mutant(
    "x", Label.PRE_ACTIVATION, "dx is the gradient for the linear part, and stops there",
    ("return dz @ W.T", "return dz"),
    also=[Label.MISSING_FACTOR],
)

# --------------------------------------------------------------- clipped ReLU and absolute values


def clipped_l1(x, ceiling):
    return np.sum(np.minimum(np.maximum(x, 0), ceiling)) + np.sum(np.abs(x))


def clipped_l1_backward(x, ceiling):
    inside = (x > 0) & (x < ceiling)
    dx = inside + np.sign(x)
    return (dx,)


CLIPPED = Model(
    clipped_l1,
    clipped_l1_backward,
    points={
        "usual": lambda rng: {
            "x": np.array([-2.5, -1.2, -0.4, 0.3, 0.8, 1.5, 2.6, 3.7]) + 0.2 * rng.random(8),
        },
        "on kinks": lambda rng: {"x": np.array([-1.0, 0.0, 2.0, 1.0, 3.0])},
        "ill-scaled": lambda rng: {"x": np.array([-1e8, 1e8, 1e-8, -1e-8, 0.5])},
        "nothing": lambda rng: {"x": np.zeros(0)},
    },
    data={"usual": lambda rng: {"ceiling": 2.0}},
)
CLIPPED.mutant(
    "x", Label.MASK_FORGOTTEN, "the ceiling is forgotten: large elements have slope 1",
    ("(x > 0) & (x < ceiling)", "x > 0"),
)
CLIPPED.mutant(
    "x", Label.WRONG_FUNCTION, "abs is differentiated as the square",
    ("np.sign(x)", "2 * x"),
)
CLIPPED.mutant(
    "x", Label.MISSING_TERM, "the absolute values have no part in the gradient",
    ("inside + np.sign(x)", "inside.astype(float)"),
)
CLIPPED.mutant(
    "x", Label.WRONG_DTYPE, "the gradient is made of masks, and comes out as whole numbers",
    ("np.sign(x)", "1 * (x > 0) - 1 * (x < 0)"),
)

CLIPPED.mutant(
    "x", Label.CONSTANT_FACTOR, "the gradient is twice what it is, also next to elements on kinks",
    ("    return (dx,)", "    return (2 * dx,)"),
    at="on kinks",
)

MODELS = [THRESHOLDED, GATED, PRELU, LEAKY, CLIPPED]
