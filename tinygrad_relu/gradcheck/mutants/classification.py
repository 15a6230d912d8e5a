"""Softmax, alone and under the cross entropy."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.mutants.model import Model

# ---------------------------------------------------------------------------- softmax cross entropy


def softmax_cross_entropy(logits, labels):
    shifted = logits - np.max(logits, axis=1, keepdims=True)
    log_p = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    return -np.mean(log_p[np.arange(len(labels)), labels])


def softmax_cross_entropy_backward(logits, labels):
    shifted = logits - np.max(logits, axis=1, keepdims=True)
    e = np.exp(shifted)
    dlogits = e / np.sum(e, axis=1, keepdims=True)
    dlogits[np.arange(len(labels)), labels] -= 1
    return (dlogits / len(labels),)


CROSS_ENTROPY = Model(
    softmax_cross_entropy,
    softmax_cross_entropy_backward,
    points={
        "usual": lambda rng: {"logits": rng.normal(size=(5, 4))},
        # The shift by the maximum has a kink at ties, and the loss has none.
        "on kinks": lambda rng: {"logits": np.zeros((5, 4))},
        "ill-scaled": lambda rng: {"logits": 1e-8 * rng.normal(size=(5, 4))},
        "large logits": lambda rng: {"logits": 800 + rng.normal(size=(5, 4))},
    },
    data={"usual": lambda rng: {"labels": np.array([0, 3, 1, 1, 2])}},
)
CROSS_ENTROPY.mutant(
    "logits", Label.MISSING_TERM, "1 is not taken off at the true class",
    ("dlogits[np.arange(len(labels)), labels] -= 1", "pass"),
)
CROSS_ENTROPY.mutant(
    "logits", Label.CONSTANT_FACTOR, "the mean over the samples is forgotten",
    (" / len(labels)", ""),
    also=[Label.AVERAGED],
)
CROSS_ENTROPY.mutant(
    "logits", Label.AVERAGED, "the mean is taken over classes as well as samples",
    ("dlogits / len(labels)", "dlogits / dlogits.size"),
    also=[Label.CONSTANT_FACTOR],
)
CROSS_ENTROPY.mutant(
    "logits", Label.EXTRA_TERM, "1 is taken off at every class of the samples",
    ("dlogits[np.arange(len(labels)), labels] -= 1", "dlogits[np.arange(len(labels))] -= 1"),
)
CROSS_ENTROPY.mutant(
    "logits", Label.CONSTANT_FACTOR, "the gradient of the log-likelihood, which points the other way",
    ("return (dlogits /", "return (-dlogits /"),
)
CROSS_ENTROPY.mutant(
    "logits", Label.NOT_FINITE, "the exponential is taken before the maximum is subtracted",
    ("np.exp(shifted)", "np.exp(logits)"),
    at="large logits",
)
CROSS_ENTROPY.mutant(
    "logits", Label.WRONG_DTYPE, "the gradient is cast to the dtype of the labels' one-hot matrix",
    ("(dlogits / len(labels),)", "((dlogits / len(labels)).astype(np.float32),)"),
)
CROSS_ENTROPY.mutant(
    "logits", Label.SHIFTED, "the classes are counted from one in the whole gradient",
    ("(dlogits / len(labels),)", "(np.roll(dlogits, 1, axis=1) / len(labels),)"),
)

# ------------------------------------------------------------------------------------ softmax layer


def softmax_layer(x):
    e = np.exp(x - np.max(x, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


def softmax_layer_backward(dout, x):
    y = softmax_layer(x)
    inner = np.sum(dout * y, axis=1, keepdims=True)
    dx = y * (dout - inner)
    return (dx,)


SOFTMAX = Model(
    softmax_layer,
    softmax_layer_backward,
    points={
        "usual": lambda rng: {"x": rng.normal(size=(4, 4))},
        "on kinks": lambda rng: {"x": np.ones((3, 3))},
        "no samples": lambda rng: {"x": np.zeros((0, 3))},
    },
)
SOFTMAX.mutant(
    "x", Label.MISSING_TERM, "what every class loses to the others is missing",
    ("(dout - inner)", "dout"),
)
SOFTMAX.mutant(
    "x", Label.WRONG_FUNCTION, "y (1 - y), the diagonal of the Jacobian, as for a sigmoid",
    ("dx = y * (dout - inner)", "dx = dout * y * (1 - y)"),
)
SOFTMAX.mutant(
    "x", Label.MISSING_FACTOR, "the factor y is missing",
    ("dx = y * (dout - inner)", "dx = dout - inner"),
)
SOFTMAX.mutant(
    "x", Label.STALE_BUFFER, "the inner products are computed at the first call, and kept from then on",
    ("inner = np.sum(dout * y, axis=1, keepdims=True)",
     "inner = state.setdefault('inner', np.sum(dout * y, axis=1, keepdims=True))"),
)
SOFTMAX.mutant(
    "x", Label.INPUTS_CHANGED, "the inner product is taken off from the caller's dout in place",
    ("dx = y * (dout - inner)", "dout -= inner\n    dx = y * dout"),
)
SOFTMAX.mutant(
    "x", Label.TRANSPOSED, "the result is handed back with samples and classes exchanged",
    ("    return (dx,)", "    return (dx.T,)"),
)

SOFTMAX.mutant(
    "x", Label.WRONG_SHAPE, "the result comes as one long row",
    ("    return (dx,)", "    return (dx.ravel(),)"),
)

MODELS = [CROSS_ENTROPY, SOFTMAX]
