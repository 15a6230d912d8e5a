"""Nets of a few layers: two with ReLU, three smooth ones, a residual block, and one with dropout."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.mutants.model import Model

# ------------------------------------------------------- two layers, loss and gradients as dicts


def two_layer_net(params, X, labels, strength):
    W1, b1, W2, b2 = params["W1"], params["b1"], params["W2"], params["b2"]
    n = len(X)
    z = X @ W1 + b1
    h = np.maximum(z, 0)
    scores = h @ W2 + b2
    shifted = scores - scores.max(axis=1, keepdims=True)
    p = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    loss = -np.mean(np.log(p[np.arange(n), labels]))
    loss += 0.5 * strength * (np.sum(W1**2) + np.sum(W2**2))

    dscores = p.copy()
    dscores[np.arange(n), labels] -= 1
    dscores /= n
    dW2 = h.T @ dscores + strength * W2
    db2 = dscores.sum(axis=0)
    dh = dscores @ W2.T
    dz = dh * (z > 0)
    dW1 = X.T @ dz + strength * W1
    db1 = dz.sum(axis=0)
    return loss, {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


def two_layer_params(rng):
    """Draw the parameters of a net with 4 inputs, 5 hidden units and 3 classes."""
    return {
        "W1": rng.normal(size=(4, 5)), "b1": 0.5 * rng.normal(size=5),
        "W2": rng.normal(size=(5, 3)), "b2": 0.5 * rng.normal(size=3),
    }


def two_layer_params_on_kinks(rng):
    """Draw parameters with two hidden units that get exactly 0 from every sample."""
    params = two_layer_params(rng)
    params["W1"][:, [1, 3]] = 0
    params["b1"][[1, 3]] = 0
    return params


TWO_LAYER = Model(
    None,
    two_layer_net,
    points={
        "usual": two_layer_params,
        "on kinks": two_layer_params_on_kinks,
        "where kinks meet": two_layer_params_on_kinks,
        "ill-scaled": lambda rng: {
            "W1": 1e-4 * rng.normal(size=(4, 5)), "b1": 1e-4 * rng.normal(size=5),
            "W2": 1e4 * rng.normal(size=(5, 3)), "b2": 1e-8 * rng.normal(size=3),
        },
    },
    data={
        "usual": lambda rng: {
            "X": rng.normal(size=(6, 4)), "labels": np.array([0, 2, 1, 1, 0, 2]), "strength": 0.1,
        },
        # All positive, so that each parameter has one kink; with both signs several of them meet, and the
        # slopes that are right for each give none that is right for the sum.
        "on kinks": lambda rng: {
            "X": rng.random((6, 4)), "labels": np.array([0, 2, 1, 1, 0, 2]), "strength": 0.1,
        },
        "ill-scaled": lambda rng: {
            "X": rng.normal(size=(6, 4)), "labels": np.array([0, 2, 1, 1, 0, 2]), "strength": 1e-10,
        },
    },
)
TWO_LAYER.mutant(
    "W1 b1", Label.MASK_FORGOTTEN, "the ReLU is passed on the way back as if it were not there",
    ("dh * (z > 0)", "dh"),
)
TWO_LAYER.mutant(
    "W1 b1", Label.MASK_FORGOTTEN, "h >= 0 is true everywhere: the mask does nothing",
    ("(z > 0)", "(h >= 0)"),
    also=[Label.MASK_NOT_STRICT],
)
TWO_LAYER.mutant(
    "W1 b1", Label.MASK_FROM_WRONG_TENSOR, "the mask is made of the gradient that comes in",
    ("(z > 0)", "(dh > 0)"),
)
TWO_LAYER.mutant(
    "W1 b1", Label.MASK_FROM_WRONG_TENSOR, "the mask is open where the ReLU is shut",
    ("(z > 0)", "(z < 0)"),
    also=[Label.WRONG_FUNCTION],
)
TWO_LAYER.mutant(
    "W1 W2", Label.MISSING_TERM, "the penalty has no part in the gradients",
    ("h.T @ dscores + strength * W2", "h.T @ dscores"), ("X.T @ dz + strength * W1", "X.T @ dz"),
)
TWO_LAYER.mutant(
    "W1", Label.EXTRA_TERM, "the penalty of W1 is counted twice",
    ("+ strength * W1", "+ 2 * strength * W1"),
)
TWO_LAYER.mutant(
    "b1", Label.AVERAGED, "the bias of the hidden layer gets the mean over the samples",
    ("db1 = dz.sum(axis=0)", "db1 = dz.mean(axis=0)"),
    also=[Label.CONSTANT_FACTOR],
)
TWO_LAYER.mutant(
    "b1 b2", Label.CONSTANT_FACTOR, "the biases are averaged in the two layers, after dscores was",
    ("db1 = dz.sum(axis=0)", "db1 = dz.sum(axis=0) / n"),
    ("db2 = dscores.sum(axis=0)", "db2 = dscores.sum(axis=0) / n"),
    also=[Label.AVERAGED],
)
TWO_LAYER.mutant(
    "W2", Label.PRE_ACTIVATION, "the second layer is given what the hidden layer had before its ReLU",
    ("h.T @ dscores", "z.T @ dscores"),
)
TWO_LAYER.mutant(
    "W2", Label.STALE_BUFFER, "dh is written into the memory of h, which W2 still needs",
    ("    dW2 =", "    dh = np.matmul(dscores, W2.T, out=h)\n    dW2 ="),
    ("    dh = dscores @ W2.T\n", ""),
)
TWO_LAYER.mutant(
    "b2", Label.ZEROS, "the gradient of the last bias is made, and never filled",
    ("db2 = dscores.sum(axis=0)", "db2 = np.zeros_like(b2)"),
)
TWO_LAYER.mutant(
    "W1", Label.INPUTS_CHANGED, "the weights decay within backward",
    ("    return loss", "    W1 *= 1 - 1e-3 * strength\n    return loss"),
)
TWO_LAYER.mutant(
    "W2", Label.ACCUMULATED_TWICE, "the gradient of W2 is added to a buffer that is never set to zero",
    ("    db2 =", "    state['dW2'] = dW2 = state.get('dW2', 0) + dW2\n    db2 ="),
)

TWO_LAYER.mutant(
    "W1 b1", Label.MASK_FROM_WRONG_TENSOR, "the mask is open where the ReLU is shut, and units are at 0",
    ("(z > 0)", "(z <= 0)"),
    also=[Label.WRONG_FUNCTION],
    at="on kinks",
)

# ----------------------------------------------------------------------- three layers, all smooth


def logistic(z):
    return 1 / (1 + np.exp(-z))


def three_layer_net(W1, b1, W2, b2, w3, X, y):
    h1 = np.tanh(X @ W1 + b1)
    h2 = logistic(h1 @ W2 + b2)
    error = h2 @ w3 - y
    return 0.5 * np.sum(error**2)


def three_layer_net_backward(W1, b1, W2, b2, w3, X, y):
    z1 = X @ W1 + b1
    h1 = np.tanh(z1)
    z2 = h1 @ W2 + b2
    h2 = logistic(z2)
    error = h2 @ w3 - y
    dw3 = h2.T @ error
    dh2 = np.outer(error, w3)
    dz2 = dh2 * h2 * (1 - h2)
    dW2 = h1.T @ dz2
    db2 = dz2.sum(axis=0)
    dh1 = dz2 @ W2.T
    dz1 = dh1 * (1 - h1**2)
    dW1 = X.T @ dz1
    db1 = dz1.sum(axis=0)
    return dW1, db1, dW2, db2, dw3


THREE_LAYER = Model(
    three_layer_net,
    three_layer_net_backward,
    points={
        "usual": lambda rng: {
            "W1": rng.normal(size=(3, 4)), "b1": rng.normal(size=4), "W2": rng.normal(size=(4, 4)),
            "b2": rng.normal(size=4), "w3": rng.normal(size=4),
        },
        "saturated": lambda rng: {
            "W1": 10 * rng.normal(size=(3, 4)), "b1": rng.normal(size=4), "W2": rng.normal(size=(4, 4)),
            "b2": rng.normal(size=4), "w3": 1e4 * rng.normal(size=4),
        },
    },
    data={"usual": lambda rng: {"X": rng.normal(size=(5, 3)), "y": rng.normal(size=5)}},
)
THREE_LAYER.mutant(
    "W1 b1", Label.WRONG_FUNCTION, "1 - tanh instead of 1 - tanh squared",
    ("(1 - h1**2)", "(1 - h1)"),
)
THREE_LAYER.mutant(
    "W1 b1", Label.WRONG_FUNCTION, "the derivative of tanh is taken at its result, not at its argument",
    ("(1 - h1**2)", "(1 - np.tanh(h1) ** 2)"),
)
THREE_LAYER.mutant(
    "W1 b1", Label.WRONG_FUNCTION, "the hidden layer is tanh, and has the derivative of a sigmoid",
    ("(1 - h1**2)", "h1 * (1 - h1)"),
)
THREE_LAYER.mutant(
    "W1 b1 W2 b2", Label.WRONG_FUNCTION, "the sigmoid has the derivative of tanh",
    ("h2 * (1 - h2)", "(1 - h2**2)"),
)
THREE_LAYER.mutant(
    "W1 b1", Label.MISSING_FACTOR, "the derivative of tanh is missing",
    ("dh1 * (1 - h1**2)", "dh1"),
    also=[Label.PRE_ACTIVATION],
)
THREE_LAYER.mutant(
    "W1 b1 W2 b2", Label.MISSING_FACTOR, "of h (1 - h), the first factor is missing",
    ("dh2 * h2 * (1 - h2)", "dh2 * (1 - h2)"),
)
THREE_LAYER.mutant(
    "W1 b1", Label.TRANSPOSED, "the gradient goes back through W2, not through its transpose",
    ("dz2 @ W2.T", "dz2 @ W2"),
)
THREE_LAYER.mutant(
    "W2", Label.TRANSPOSED, "the gradient of W2 has rows for columns",
    ("h1.T @ dz2", "dz2.T @ h1"),
)
THREE_LAYER.mutant(
    "W2", Label.PRE_ACTIVATION, "the second layer is given what the first had before tanh",
    ("h1.T @ dz2", "z1.T @ dz2"),
)
THREE_LAYER.mutant(
    "w3", Label.PRE_ACTIVATION, "the last layer is given what the second had before the sigmoid",
    ("h2.T @ error", "z2.T @ error"),
)
THREE_LAYER.mutant(
    "b1", Label.SUMMED, "the first bias is summed over its units, too",
    ("db1 = dz1.sum(axis=0)", "db1 = dz1.sum() * np.ones_like(b1)"),
)
THREE_LAYER.mutant(
    "b2", Label.PRE_ACTIVATION, "the second bias gets the gradient behind the sigmoid",
    ("dz2.sum(axis=0)", "dh2.sum(axis=0)"),
    also=[Label.MISSING_FACTOR],
)
THREE_LAYER.mutant(
    "b1", Label.WRONG_SHAPE, "the first bias gets a row for each sample",
    ("db1 = dz1.sum(axis=0)", "db1 = dz1"),
    also=[Label.NOT_SUMMED],
)
THREE_LAYER.mutant(
    "W1 b1 W2 b2", Label.STALE_BUFFER, "w3 is taken a step before the gradient goes back through it",
    ("dh2 = np.outer(error, w3)", "w3 = w3 - 0.5 * dw3\n    dh2 = np.outer(error, w3)"),
)

# --------------------------------------------------------------------------------- residual block


def residual_block(x, W1, W2):
    return x + np.maximum(x @ W1, 0) @ W2


def residual_block_backward(dout, x, W1, W2):
    z = x @ W1
    h = np.maximum(z, 0)
    dW2 = h.T @ dout
    dh = dout @ W2.T
    dz = dh * (z > 0)
    dW1 = x.T @ dz
    dx = dout + dz @ W1.T
    return dx, dW1, dW2


RESIDUAL = Model(
    residual_block,
    residual_block_backward,
    points={
        "usual": lambda rng: {
            "x": rng.normal(size=(3, 4)), "W1": rng.normal(size=(4, 5)), "W2": rng.normal(size=(5, 4)),
        },
        "on kinks": lambda rng: {
            "x": np.array([[1.0, 1.0], [2.0, 3.0]]), "W1": np.array([[1.0, 1.0, 2.0], [-1.0, 0.0, 1.0]]),
            "W2": rng.normal(size=(3, 2)),
        },
        "no samples": lambda rng: {
            "x": np.zeros((0, 4)), "W1": rng.normal(size=(4, 5)), "W2": rng.normal(size=(5, 4)),
        },
    },
)
RESIDUAL.mutant(
    "x", Label.MISSING_TERM, "what comes by the skip connection is missing",
    ("dout + dz @ W1.T", "dz @ W1.T"),
)
RESIDUAL.mutant(
    "x", Label.MISSING_TERM, "only the skip connection brings a gradient",
    ("dout + dz @ W1.T", "dout.copy()"),
)
RESIDUAL.mutant(
    "x", Label.EXTRA_TERM, "the skip connection is counted twice",
    ("dx = dout + dz", "dx = dout + dout + dz"),
)
RESIDUAL.mutant(
    "x W1", Label.MASK_FORGOTTEN, "the ReLU is passed on the way back as if it were not there",
    ("dh * (z > 0)", "dh"),
)
RESIDUAL.mutant(
    "x W1", Label.MASK_FROM_WRONG_TENSOR, "the mask is made of the gradient that comes in",
    ("(z > 0)", "(dh > 0)"),
)
RESIDUAL.mutant(
    "W2", Label.PRE_ACTIVATION, "the second product is given what its input was before the ReLU",
    ("h.T @ dout", "z.T @ dout"),
)
RESIDUAL.mutant(
    "x W1 W2", Label.INPUTS_CHANGED, "dx is the caller's dout, and the rest is added to it in place",
    ("dx = dout + dz @ W1.T", "dx = dout\n    dx += dz @ W1.T"),
)
RESIDUAL.mutant(
    "W1", Label.STALE_BUFFER, "all calls write dW1 into one buffer, and hand it out",
    ("dW1 = x.T @ dz", "dW1 = np.matmul(x.T, dz, out=state.setdefault('dW1', np.empty_like(W1)))"),
)

RESIDUAL.mutant(
    "W1", Label.CONSTANT_FACTOR, "dW1 is halved, and some of what its ReLU is given is 0",
    ("dW1 = x.T @ dz", "dW1 = 0.5 * x.T @ dz"),
    at="on kinks",
)

# ---------------------------------------------------------------------- dropout, the mask is given


def dropout_net(W1, W2, X, chance, keep):
    h = np.maximum(X @ W1, 0)
    dropped = h * (chance > 1 - keep) / keep
    return dropped @ W2


def dropout_net_backward(dout, W1, W2, X, chance, keep):
    z = X @ W1
    kept = chance > 1 - keep
    dropped = np.maximum(z, 0) * kept / keep
    dW2 = dropped.T @ dout
    dh = dout @ W2.T * kept / keep
    dz = dh * (z > 0)
    dW1 = X.T @ dz
    return dW1, dW2


DROPOUT = Model(
    dropout_net,
    dropout_net_backward,
    points={
        "usual": lambda rng: {"W1": rng.normal(size=(3, 6)), "W2": rng.normal(size=(6, 2))},
        "on kinks": lambda rng: {
            "W1": np.array([[1.0, 0.0, -1.0, 2.0, 0.0, 0.0]] * 3), "W2": rng.normal(size=(6, 2)),
        },
    },
    data={
        # Chances in quarters, so that some are exactly what decides.
        "usual": lambda rng: {
            "X": rng.normal(size=(5, 3)), "chance": rng.integers(0, 4, (5, 6)) / 4, "keep": 0.5,
        },
        "on kinks": lambda rng: {
            "X": np.eye(3), "chance": rng.integers(0, 4, (3, 6)) / 4, "keep": 0.5,
        },
    },
)
DROPOUT.mutant(
    "W1", Label.MASK_FORGOTTEN, "the gradient goes back to units that were dropped",
    ("dh = dout @ W2.T * kept / keep", "dh = dout @ W2.T / keep"),
)
DROPOUT.mutant(
    "W1", Label.CONSTANT_FACTOR, "what is kept was scaled up, its gradient is not",
    ("W2.T * kept / keep", "W2.T * kept"),
)
DROPOUT.mutant(
    "W1 W2", Label.MASK_NOT_STRICT, "units whose chance is exactly the limit are taken as kept",
    ("chance > 1 - keep", "chance >= 1 - keep"),
)
DROPOUT.mutant(
    "W1", Label.MASK_FORGOTTEN, "dropout has its mask on the way back, the ReLU has none",
    ("dh * (z > 0)", "dh"),
)
DROPOUT.mutant(
    "W1", Label.MASK_FROM_WRONG_TENSOR, "the units that were dropped get the gradient, the others none",
    ("W2.T * kept / keep", "W2.T * ~kept / keep"),
)
DROPOUT.mutant(
    "W2", Label.PRE_ACTIVATION, "the last layer is given what the hidden one had before its ReLU",
    ("np.maximum(z, 0) * kept", "z * kept"),
)
DROPOUT.mutant(
    "W2", Label.MASK_FORGOTTEN, "the last layer is given the hidden one as it was before dropout",
    ("np.maximum(z, 0) * kept / keep", "np.maximum(z, 0) / keep"),
)

MODELS = [TWO_LAYER, THREE_LAYER, RESIDUAL, DROPOUT]
