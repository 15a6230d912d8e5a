"""Batch norm and layer norm, and the root mean square."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.mutants.model import Model

# -------------------------------------------------------------------------- batch norm in training


def batch_norm(x, gamma, beta, epsilon):
    centred = x - x.mean(axis=0)
    return gamma * centred / np.sqrt(np.mean(centred**2, axis=0) + epsilon) + beta


def batch_norm_backward(dout, x, gamma, beta, epsilon):
    n = len(x)
    centred = x - x.mean(axis=0)
    scale = 1 / np.sqrt(np.mean(centred**2, axis=0) + epsilon)
    normal = centred * scale
    dbeta = dout.sum(axis=0)
    dgamma = np.sum(dout * normal, axis=0)
    dnormal = dout * gamma
    by_mean = dnormal.sum(axis=0) / n
    by_variance = normal * np.sum(dnormal * normal, axis=0) / n
    dx = scale * (dnormal - by_mean - by_variance)
    return dx, dgamma, dbeta


BATCH_NORM = Model(
    batch_norm,
    batch_norm_backward,
    points={
        "usual": lambda rng: {
            "x": 1 + 2 * rng.normal(size=(6, 3)), "gamma": 1 + rng.random(3), "beta": rng.normal(size=3),
        },
        "ill-scaled": lambda rng: {
            "x": np.array([1e-8, 1.0, 1e8]) * rng.normal(size=(6, 3)), "gamma": 1 + rng.random(3),
            "beta": rng.normal(size=3),
        },
    },
    data={
        "usual": lambda rng: {"epsilon": 1e-5},
        "ill-scaled": lambda rng: {"epsilon": 1e-20},
    },
)
BATCH_NORM.mutant(
    "x", Label.MISSING_TERM, "what x does by way of the mean is missing",
    (" - by_mean", ""),
)
BATCH_NORM.mutant(
    "x", Label.MISSING_TERM, "what x does by way of the variance is missing",
    (" - by_variance", ""),
)
BATCH_NORM.mutant(
    "x", Label.MISSING_TERM, "mean and variance are taken as constants, as in evaluation",
    (" - by_mean - by_variance", ""),
)
BATCH_NORM.mutant(
    "x", Label.EXTRA_TERM, "the way by the variance is counted twice",
    (" - by_variance", " - 2 * by_variance"),
)
BATCH_NORM.mutant(
    "x", Label.MISSING_FACTOR, "dx lacks the division by the standard deviation",
    ("dx = scale * (", "dx = ("),
)
BATCH_NORM.mutant(
    "x", Label.MISSING_FACTOR, "dx lacks the factor gamma",
    ("dnormal = dout * gamma", "dnormal = dout"),
)
BATCH_NORM.mutant(
    "gamma", Label.PRE_ACTIVATION, "gamma gets x, not the normalised x",
    ("np.sum(dout * normal, axis=0)", "np.sum(dout * x, axis=0)"),
)
BATCH_NORM.mutant(
    "gamma", Label.MISSING_FACTOR, "gamma gets the centred x, before it is divided by the deviation",
    ("np.sum(dout * normal, axis=0)", "np.sum(dout * centred, axis=0)"),
    also=[Label.PRE_ACTIVATION],
)
BATCH_NORM.mutant(
    "beta", Label.AVERAGED, "beta gets the mean over the samples",
    ("dbeta = dout.sum(axis=0)", "dbeta = dout.mean(axis=0)"),
    also=[Label.CONSTANT_FACTOR],
)
BATCH_NORM.mutant(
    "gamma beta", Label.NOT_SUMMED, "gamma and beta were broadcast, and their gradients are not summed",
    ("dbeta = dout.sum(axis=0)", "dbeta = dout.copy()"),
    ("np.sum(dout * normal, axis=0)", "dout * normal"),
    also=[Label.WRONG_SHAPE],
)
BATCH_NORM.mutant(
    "gamma", Label.MISSING_FACTOR, "gamma gets the gradient of beta",
    ("np.sum(dout * normal, axis=0)", "np.sum(dout, axis=0)"),
    also=[Label.PERMUTED],
)
BATCH_NORM.mutant(
    "x", Label.AVERAGED, "in the way by the mean, the sum is not divided by the number of samples",
    ("dnormal.sum(axis=0) / n", "dnormal.sum(axis=0)"),
)

BATCH_NORM.mutant(
    "gamma beta", Label.PERMUTED, "the gradients of gamma and beta are returned in the other order",
    ("return dx, dgamma, dbeta", "return dx, dbeta, dgamma"),
)
BATCH_NORM.mutant(
    "gamma", Label.ACCUMULATED_TWICE, "gamma's gradient is added to what the last call left there",
    ("    dnormal =", "    dgamma = state['dgamma'] = dgamma + state.get('dgamma', 0)\n    dnormal ="),
)

# -------------------------------------------------------------------------------------- layer norm


def layer_norm(x, gamma, beta):
    centred = x - x.mean(axis=1, keepdims=True)
    deviation = np.sqrt(np.mean(centred**2, axis=1, keepdims=True) + 1e-5)
    return gamma * centred / deviation + beta


def layer_norm_backward(dout, x, gamma, beta):
    centred = x - x.mean(axis=1, keepdims=True)
    deviation = np.sqrt(np.mean(centred**2, axis=1, keepdims=True) + 1e-5)
    normal = centred / deviation
    dbeta = dout.sum(axis=0)
    dgamma = (dout * normal).sum(axis=0)
    dnormal = dout * gamma
    dx = dnormal - dnormal.mean(axis=1, keepdims=True)
    dx -= normal * (dnormal * normal).mean(axis=1, keepdims=True)
    dx /= deviation
    return dx, dgamma, dbeta


LAYER_NORM = Model(
    layer_norm,
    layer_norm_backward,
    points={
        "usual": lambda rng: {
            "x": rng.normal(size=(4, 4)), "gamma": 1 + rng.random(4), "beta": rng.normal(size=4),
        },
        "no samples": lambda rng: {
            "x": np.zeros((0, 4)), "gamma": 1 + rng.random(4), "beta": rng.normal(size=4),
        },
    },
)
LAYER_NORM.mutant(
    "x", Label.SUMMED, "the means of the way back are taken over the samples, as in batch norm",
    ("dnormal - dnormal.mean(axis=1, keepdims=True)", "dnormal - dnormal.mean(axis=0)"),
    ("(dnormal * normal).mean(axis=1, keepdims=True)", "(dnormal * normal).mean(axis=0)"),
)
LAYER_NORM.mutant(
    "x", Label.AVERAGED, "the way by the mean is a sum, not a mean",
    ("dnormal - dnormal.mean(axis=1,", "dnormal - dnormal.sum(axis=1,"),
)
LAYER_NORM.mutant(
    "x", Label.MISSING_TERM, "what x does by way of the variance is missing",
    ("dx -= normal * (dnormal * normal).mean(axis=1, keepdims=True)", "pass"),
)
LAYER_NORM.mutant(
    "x", Label.MISSING_FACTOR, "dx lacks the division by the standard deviation",
    ("    dx /= deviation\n", ""),
)
LAYER_NORM.mutant(
    "x", Label.MISSING_FACTOR, "dx lacks the factor gamma",
    ("dnormal = dout * gamma", "dnormal = dout.copy()"),
)
LAYER_NORM.mutant(
    "x", Label.WRONG_FUNCTION, "division by the variance, where that by the deviation belongs",
    ("dx /= deviation", "dx /= deviation**2"),
    also=[Label.MISSING_FACTOR],
)
LAYER_NORM.mutant(
    "gamma beta", Label.SUMMED, "one sum over samples and features for every element",
    ("dout.sum(axis=0)", "dout.sum() + np.zeros_like(beta)"),
    ("(dout * normal).sum(axis=0)", "(dout * normal).sum() + np.zeros_like(gamma)"),
)
LAYER_NORM.mutant(
    "gamma beta", Label.PERMUTED, "the gradients of gamma and beta come out in reverse order of features",
    ("return dx, dgamma, dbeta", "return dx, dgamma[::-1], dbeta[::-1]"),
)
LAYER_NORM.mutant(
    "x gamma beta", Label.INPUTS_CHANGED, "dout is multiplied by gamma in place",
    ("dnormal = dout * gamma", "dnormal = dout\n    dnormal *= gamma"),
)

# ------------------------------------------------------------------------------------------- norm


def distance_to_centre(x, centre):
    return np.sum(np.sqrt(np.sum((x - centre) ** 2, axis=1)))


def distance_to_centre_backward(x, centre):
    apart = x - centre
    distance = np.sqrt(np.sum(apart**2, axis=1, keepdims=True))
    safe = np.where(distance > 0, distance, 1)
    dx = apart / safe
    dcentre = -dx.sum(axis=0)
    return dx, dcentre


DISTANCE = Model(
    distance_to_centre,
    distance_to_centre_backward,
    points={
        "usual": lambda rng: {"x": rng.normal(size=(4, 3)), "centre": rng.normal(size=3)},
        # In one dimension a distance is |x - centre|, with a kink at 0.
        "on kinks": lambda rng: {"x": np.array([[1.0], [2.0], [3.0]]), "centre": np.array([2.0])},
        "no points": lambda rng: {"x": np.zeros((0, 3)), "centre": rng.normal(size=3)},
    },
)
DISTANCE.mutant(
    "x centre", Label.MISSING_FACTOR, "the division by the distance is missing, as if it were squared",
    ("dx = apart / safe", "dx = apart"),
    also=[Label.WRONG_FUNCTION],
)
DISTANCE.mutant(
    "x centre", Label.NOT_FINITE, "0 / 0 where a point lies on the centre",
    ("dx = apart / safe", "dx = apart / distance"),
    at="on kinks",
)
DISTANCE.mutant(
    "centre", Label.CONSTANT_FACTOR, "the sign of the inner derivative is lost",
    ("-dx.sum(axis=0)", "dx.sum(axis=0)"),
)
DISTANCE.mutant(
    "centre", Label.NOT_SUMMED, "the centre was broadcast over the points, its gradient is not summed",
    ("-dx.sum(axis=0)", "-dx"),
    also=[Label.WRONG_SHAPE],
)
DISTANCE.mutant(
    "centre", Label.ZEROS, "the centre is taken for a constant",
    ("-dx.sum(axis=0)", "np.zeros_like(centre)"),
)

MODELS = [BATCH_NORM, LAYER_NORM, DISTANCE]
