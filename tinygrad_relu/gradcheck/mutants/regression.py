"""Losses of linear predictors: squared error, ridge, logistic, hinge, and a Gaussian's likelihood."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.mutants.model import Model

# ------------------------------------------------------------------------------- linear regression


def linear_regression(W, b, X, Y):
    error = X @ W + b - Y
    return np.sum(error**2) / len(X)


def linear_regression_backward(W, b, X, Y):
    error = X @ W + b - Y
    dprediction = 2 * error / len(X)
    dW = X.T @ dprediction
    db = np.sum(dprediction, axis=0)
    return dW, db


LINEAR = Model(
    linear_regression,
    linear_regression_backward,
    points={
        "usual": lambda rng: {"W": rng.normal(size=(3, 3)), "b": rng.normal(size=3)},
        "ill-scaled": lambda rng: {"W": 1e-8 * rng.normal(size=(3, 3)), "b": 1e8 * rng.normal(size=3)},
        "no outputs": lambda rng: {"W": np.zeros((3, 0)), "b": np.zeros(0)},
    },
    data={
        "usual": lambda rng: {"X": rng.normal(size=(8, 3)), "Y": rng.normal(size=(8, 3))},
        "no outputs": lambda rng: {"X": rng.normal(size=(8, 3)), "Y": np.zeros((8, 0))},
    },
)
LINEAR.mutant(
    "W b", Label.CONSTANT_FACTOR, "the 2 of the square is missing",
    ("2 * error", "error"),
)
LINEAR.mutant(
    "W b", Label.CONSTANT_FACTOR, "the gradient points downhill: prediction and target are swapped",
    ("error = X @ W + b - Y", "error = Y - (X @ W + b)"),
)
LINEAR.mutant(
    "W b", Label.CONSTANT_FACTOR, "the loss is divided by the number of samples, the gradient is not",
    (" / len(X)", ""),
    also=[Label.AVERAGED],
)
LINEAR.mutant(
    "b", Label.AVERAGED, "the bias gets the mean over the samples, where the sum belongs",
    ("np.sum(dprediction, axis=0)", "np.mean(dprediction, axis=0)"),
    also=[Label.CONSTANT_FACTOR],
)
LINEAR.mutant(
    "W", Label.TRANSPOSED, "the factors of the product for W are in the other order",
    ("X.T @ dprediction", "dprediction.T @ X"),
)
LINEAR.mutant(
    "b", Label.SUMMED, "the bias is summed over its own axis, too",
    ("np.sum(dprediction, axis=0)", "np.sum(dprediction) + np.zeros_like(b)"),
)
LINEAR.mutant(
    "b", Label.NOT_SUMMED, "the bias was broadcast over the samples, and its gradient is not summed",
    ("np.sum(dprediction, axis=0)", "dprediction"),
    also=[Label.WRONG_SHAPE],
)
LINEAR.mutant(
    "b", Label.WRONG_SHAPE, "the sum for the bias keeps an axis that the bias does not have",
    ("axis=0)", "axis=0, keepdims=True)"),
)
LINEAR.mutant(
    "b", Label.ZEROS, "the bias was forgotten: its gradient stays as it was made",
    ("np.sum(dprediction, axis=0)", "np.zeros_like(b)"),
)
LINEAR.mutant(
    "W", Label.INPUTS_CHANGED, "backward takes the step of gradient descent itself",
    ("    return", "    W -= 0.1 * dW\n    return"),
)
LINEAR.mutant(
    "W", Label.ACCUMULATED_TWICE, "dW is added to a buffer that nobody sets to zero between calls",
    ("    dW = X.T", "    dW = state.setdefault('dW', np.zeros_like(W))\n    dW += X.T"),
)

LINEAR.mutant(
    "W", Label.UNEXPLAINED, "the samples are rounded to one decimal for dW",
    ("X.T @ dprediction", "np.round(X, 1).T @ dprediction"),
)

# --------------------------------------------------------------------------------- ridge regression


def ridge_regression(w, b, X, y, strength):
    error = X @ w + b - y
    return 0.5 * np.mean(error**2) + 0.5 * strength * np.sum(w**2)


def ridge_regression_backward(w, b, X, y, strength):
    error = X @ w + b - y
    dw = X.T @ error / len(y) + strength * w
    db = np.sum(error, keepdims=True) / len(y)
    return dw, db


RIDGE = Model(
    ridge_regression,
    ridge_regression_backward,
    points={
        "usual": lambda rng: {"w": rng.normal(size=4), "b": rng.normal(size=1)},
        "ill-scaled": lambda rng: {"w": 1e-8 * rng.normal(size=4), "b": 1e-8 * rng.normal(size=1)},
    },
    data={"usual": lambda rng: {
        "X": rng.normal(size=(7, 4)), "y": rng.normal(size=7), "strength": 0.3,
    }},
)
RIDGE.mutant(
    "w", Label.MISSING_TERM, "the penalty has no part in the gradient",
    (" + strength * w", ""),
)
RIDGE.mutant(
    "w", Label.EXTRA_TERM, "the penalty is counted twice",
    ("+ strength * w", "+ 2 * strength * w"),
)
RIDGE.mutant(
    "w", Label.WRONG_FUNCTION, "the penalty is taken off, where it is to be added",
    ("+ strength * w", "- strength * w"),
    also=[Label.EXTRA_TERM],
)
RIDGE.mutant(
    "b", Label.EXTRA_TERM, "the bias is penalised in the gradient, and is not in the loss",
    ("keepdims=True) / len(y)", "keepdims=True) / len(y) + strength * b"),
)
RIDGE.mutant(
    "w", Label.WRONG_FUNCTION, "the penalty is that of the lasso: sign(w) for w",
    ("strength * w", "strength * np.sign(w)"),
)
RIDGE.mutant(
    "w b", Label.CONSTANT_FACTOR, "the half of the loss is forgotten in all terms",
    ("strength * w", "2 * strength * w"), ("X.T @ error", "2 * X.T @ error"),
    ("np.sum(error, keep", "2 * np.sum(error, keep"),
)
RIDGE.mutant(
    "w b", Label.ZEROS, "both gradients are made, and never filled",
    ("dw = X.T @ error / len(y) + strength * w", "dw = np.zeros_like(w)"),
    ("db = np.sum(error, keepdims=True) / len(y)", "db = np.zeros_like(b)"),
)
RIDGE.mutant(
    "w", Label.WRONG_DTYPE, "the gradient of w is rounded to single precision",
    ("+ strength * w", "+ strength * w\n    dw = dw.astype(np.float32)"),
)
RIDGE.mutant(
    "w", Label.SHIFTED, "the features of the gradient are off by one",
    ("X.T @ error", "np.roll(X, 1, axis=1).T @ error"), ("strength * w", "strength * np.roll(w, 1)"),
)

RIDGE.mutant(
    "w", Label.UNEXPLAINED, "the gradient is clipped within backward",
    ("    return dw, db", "    return np.clip(dw, -0.2, 0.2), db"),
)

# ------------------------------------------------------------------------------ logistic regression


def sigmoid(z):
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e))


def logistic_regression(w, b, X, y):
    z = X @ w + b
    return np.mean(np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))) - y * z)


def logistic_regression_backward(w, b, X, y):
    z = X @ w + b
    p = sigmoid(z)
    dz = (p - y) / len(y)
    dw = X.T @ dz
    db = np.sum(dz, keepdims=True)
    return dw, db


LOGISTIC = Model(
    logistic_regression,
    logistic_regression_backward,
    points={
        "usual": lambda rng: {"w": rng.normal(size=3), "b": rng.normal(size=1)},
        # max(z, 0) and |z| have kinks there, and the loss has none.
        "on kinks": lambda rng: {"w": np.zeros(3), "b": np.zeros(1)},
        "large logits": lambda rng: {"w": 500 * (1 + rng.random(3)), "b": rng.normal(size=1)},
    },
    data={
        "usual": lambda rng: {
            "X": rng.normal(size=(6, 3)), "y": np.array([0.0, 1.0, 1.0, 0.0, 1.0, 0.0]),
        },
        "large logits": lambda rng: {
            "X": 1 + rng.random((6, 3)), "y": np.array([0.0, 1.0, 1.0, 0.0, 1.0, 0.0]),
        },
    },
)
LOGISTIC.mutant(
    "w b", Label.WRONG_FUNCTION, "the derivative of the squared error of p, not of the cross entropy",
    ("(p - y) / len(y)", "(p - y) * p * (1 - p) / len(y)"),
)
LOGISTIC.mutant(
    "w b", Label.PRE_ACTIVATION, "the sigmoid is left out: the linear part is taken for the probability",
    ("p = sigmoid(z)", "p = z"),
    also=[Label.WRONG_FUNCTION],
)
LOGISTIC.mutant(
    "w b", Label.MISSING_TERM, "the labels are missing",
    ("(p - y)", "p"),
)
LOGISTIC.mutant(
    "w b", Label.CONSTANT_FACTOR, "the sign of the gradient is that of the log-likelihood",
    ("(p - y)", "(y - p)"),
)
LOGISTIC.mutant(
    "w", Label.AVERAGED, "the mean over the samples is taken a second time",
    ("X.T @ dz", "X.T @ dz / len(y)"),
    also=[Label.CONSTANT_FACTOR],
)
LOGISTIC.mutant(
    "w", Label.PERMUTED, "the features of the gradient come in reverse order",
    ("X.T @ dz", "X[:, ::-1].T @ dz"),
)
LOGISTIC.mutant(
    "w b", Label.NOT_FINITE, "exp(z) / (1 + exp(z)) overflows for large z",
    ("p = sigmoid(z)", "p = np.exp(z) / (1 + np.exp(z))"),
    at="large logits",
)
LOGISTIC.mutant(
    "w b", Label.ACCUMULATED_TWICE, "both gradients are added to what the call before left",
    ("    return dw, db", "    dw = state['dw'] = state.get('dw', 0) + dw\n"
                          "    db = state['db'] = state.get('db', 0) + db\n    return dw, db"),
)

# -------------------------------------------------------------------------------- hinge loss (SVM)


def multiclass_hinge(W, X, labels, strength):
    scores = X @ W
    rows = np.arange(len(X))
    margins = np.maximum(scores - scores[rows, labels][:, None] + 1, 0)
    margins[rows, labels] = 0
    return np.sum(margins) / len(X) + strength * np.sum(W**2)


def multiclass_hinge_backward(W, X, labels, strength):
    scores = X @ W
    rows = np.arange(len(X))
    margins = scores - scores[rows, labels][:, None] + 1
    violated = (margins > 0).astype(W.dtype)
    violated[rows, labels] = 0
    violated[rows, labels] = -np.sum(violated, axis=1)
    dscores = violated / len(X)
    dW = X.T @ dscores + 2 * strength * W
    return (dW,)


HINGE = Model(
    multiclass_hinge,
    multiclass_hinge_backward,
    points={
        "usual": lambda rng: {"W": rng.normal(size=(4, 3))},
        "on kinks": lambda rng: {"W": rng.integers(-1, 2, (4, 3)).astype(float)},
    },
    data={
        "usual": lambda rng: {
            "X": rng.normal(size=(6, 4)), "labels": np.array([0, 1, 2, 2, 1, 0]), "strength": 0.1,
        },
        # One sample, so that margins of exactly 0 are one kink each.
        "on kinks": lambda rng: {
            "X": np.array([[1.0, 1.0, 0.0, 0.0]]), "labels": np.array([0]), "strength": 0.1,
        },
    },
)
HINGE.mutant(
    "W", Label.MISSING_TERM, "each violated margin pulls at the wrong class, and none at the true one",
    ("violated[rows, labels] = -np.sum(violated, axis=1)", "pass"),
)
HINGE.mutant(
    "W", Label.MASK_FORGOTTEN, "every margin is taken as violated",
    ("(margins > 0)", "np.ones_like(margins)"),
)
HINGE.mutant(
    "W", Label.MASK_FROM_WRONG_TENSOR, "a margin counts as violated where the score is positive",
    ("(margins > 0)", "(scores > 0)"),
)
HINGE.mutant(
    "W", Label.MISSING_TERM, "the penalty has no part in the gradient",
    (" + 2 * strength * W", ""),
)
HINGE.mutant(
    "W", Label.EXTRA_TERM, "the true class is counted among the violated ones before it is set",
    ("violated[rows, labels] = 0\n", "\n"),
)
HINGE.mutant(
    "W", Label.CONSTANT_FACTOR, "the whole gradient has the other sign",
    ("    return (dW,)", "    return (-dW,)"),
)

# ------------------------------------------------------------------------------ Gaussian likelihood


def gaussian_likelihood(mean, log_sigma, samples):
    standard = (samples - mean) / np.exp(log_sigma)
    return np.sum(log_sigma + 0.5 * standard**2 + 0.5 * np.log(2 * np.pi))


def gaussian_likelihood_backward(mean, log_sigma, samples):
    sigma = np.exp(log_sigma)
    standard = (samples - mean) / sigma
    dmean = -np.sum(standard / sigma, axis=0)
    dlog_sigma = np.sum(1 - standard**2, axis=0)
    return dmean, dlog_sigma


GAUSSIAN = Model(
    gaussian_likelihood,
    gaussian_likelihood_backward,
    points={
        "usual": lambda rng: {"mean": rng.normal(size=3), "log_sigma": 0.5 * rng.normal(size=3)},
        "ill-scaled": lambda rng: {
            "mean": 1e8 * rng.normal(size=3), "log_sigma": 18 + rng.normal(size=3),
        },
        "no samples": lambda rng: {"mean": rng.normal(size=3), "log_sigma": 0.5 * rng.normal(size=3)},
    },
    data={
        "usual": lambda rng: {"samples": 1 + rng.normal(size=(9, 3))},
        "no samples": lambda rng: {"samples": np.zeros((0, 3))},
    },
)
GAUSSIAN.mutant(
    "mean", Label.MISSING_FACTOR, "one of the two divisions by sigma is missing",
    ("np.sum(standard / sigma, axis=0)", "np.sum(standard, axis=0)"),
)
GAUSSIAN.mutant(
    "log_sigma", Label.MISSING_FACTOR, "the derivative for sigma, without the factor of its logarithm",
    ("np.sum(1 - standard**2, axis=0)", "np.sum(1 - standard**2, axis=0) / sigma"),
)
GAUSSIAN.mutant(
    "log_sigma", Label.MISSING_TERM, "the normalisation has no part in the gradient",
    ("np.sum(1 - standard**2, axis=0)", "np.sum(-standard**2, axis=0)"),
)
GAUSSIAN.mutant(
    "mean", Label.CONSTANT_FACTOR, "the sign of the inner derivative is lost",
    ("-np.sum(standard / sigma, axis=0)", "np.sum(standard / sigma, axis=0)"),
)
GAUSSIAN.mutant(
    "log_sigma", Label.CONSTANT_FACTOR, "the derivative for the logarithm of the variance",
    ("np.sum(1 - standard**2, axis=0)", "0.5 * np.sum(1 - standard**2, axis=0)"),
)
GAUSSIAN.mutant(
    "mean", Label.NOT_SUMMED, "the mean was broadcast over the samples, and its gradient is not summed",
    ("-np.sum(standard / sigma, axis=0)", "-standard / sigma"),
    also=[Label.WRONG_SHAPE],
)
GAUSSIAN.mutant(
    "mean log_sigma", Label.AVERAGED, "the mean over the samples is taken, where the loss is a sum",
    ("np.sum(standard / sigma", "np.mean(standard / sigma"), ("np.sum(1 -", "np.mean(1 -"),
    also=[Label.CONSTANT_FACTOR],
)

MODELS = [LINEAR, RIDGE, LOGISTIC, HINGE, GAUSSIAN]
