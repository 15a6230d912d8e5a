"""Derivatives of elementwise functions, and what is written in their place by mistake."""

import numpy as np

from tinygrad_relu.engine import Tensor
from tinygrad_relu.ops.special import erf

#: What a person writes for the derivative of an activation, of its output or of its input.
DERIVATIVES = {
    "{v}": lambda v: v,
    "1 - {v}": lambda v: 1 - v,
    "1 + {v}": lambda v: 1 + v,
    "{v} * (1 - {v}), the derivative of the sigmoid": lambda v: v * (1 - v),
    "{v} * (1 + {v})": lambda v: v * (1 + v),
    "{v} * (1 - {v})**2": lambda v: v * (1 - v) ** 2,
    "{v}**2 * (1 - {v})": lambda v: v**2 * (1 - v),
    "1 - {v}**2, the derivative of tanh": lambda v: 1 - v**2,
    "1 + {v}**2": lambda v: 1 + v**2,
    "(1 - {v})**2": lambda v: (1 - v) ** 2,
    "{v}**2": lambda v: v**2,
    "{v}**3": lambda v: v**3,
    "1 / {v}": lambda v: 1 / v,
    "1 / {v}**2": lambda v: 1 / v**2,
    "1 / sqrt({v})": lambda v: 1 / np.sqrt(v),
    "sqrt({v})": lambda v: np.sqrt(v),
    "0.5 / sqrt({v}), the derivative of the root": lambda v: 0.5 / np.sqrt(v),
    "exp({v})": np.exp,
    "exp(-{v})": lambda v: np.exp(-v),
    "log({v})": np.log,
    "sin({v})": np.sin,
    "cos({v})": np.cos,
    "tanh({v})": np.tanh,
    "1 / (1 + {v}**2)": lambda v: 1 / (1 + v**2),
    "sqrt(1 - {v}**2)": lambda v: np.sqrt(1 - v**2),
    "sigmoid({v})": lambda v: sigmoid(v),
    "sigmoid(-{v})": lambda v: sigmoid(-v),
    "sigmoid({v}) * (1 - sigmoid({v})), the derivative of the sigmoid": lambda v: (
        sigmoid(v) * (1 - sigmoid(v))
    ),
    "1 - tanh({v})**2, the derivative of tanh": lambda v: 1 - np.tanh(v) ** 2,
    "1 - tanh({v})": lambda v: 1 - np.tanh(v),
    "({v} > 0), the derivative of ReLU": lambda v: v > 0,
    "({v} >= 0)": lambda v: v >= 0,
    "sign({v})": np.sign,
    "abs({v})": np.abs,
    "Phi({v}) + {v} * phi({v}), the derivative of the exact GELU": lambda v: slope_of_gelu(v),
    "the derivative of the GELU by tanh at {v}": lambda v: slope_of_gelu_by_tanh(v),
    "0.5": lambda v: np.full_like(v, 0.5),
}


def sigmoid(v):
    """The logistic function."""
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(v)))


def softmax(v, axis=-1):
    """The softmax over an axis; over all of them if it is None."""
    e = np.exp(v - v.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def normal(v):
    """The distribution function of the normal distribution, `Phi`."""
    return 0.5 * (1 + erf(Tensor(np.asarray(v, np.float64) / np.sqrt(2))).numpy())


def slope_of_gelu(v):
    """The derivative of ``v * Phi(v)``."""
    return normal(v) + v * np.exp(-0.5 * v * v) / np.sqrt(2 * np.pi)


def slope_of_gelu_by_tanh(v):
    """The derivative of the approximation of GELU (Hendrycks and Gimpel 2016, section 2)."""
    scale = np.sqrt(2 / np.pi)
    t = np.tanh(scale * (v + 0.044715 * v**3))
    return 0.5 * (1 + t) + 0.5 * v * (1 - t * t) * scale * (1 + 3 * 0.044715 * v * v)


#: How functions are recognised that are written out in several steps.
KNOWN = {
    "ReLU": lambda z: np.maximum(z, 0),
    "the sigmoid": sigmoid,
    "tanh": np.tanh,
    "exp": np.exp,
    "softplus": lambda z: np.logaddexp(z, 0),
    "softplus of the opposite": lambda z: np.logaddexp(-z, 0),
    "the logarithm of the sigmoid": lambda z: -np.logaddexp(-z, 0),
    "SiLU": lambda z: z * sigmoid(z),
    "GELU": lambda z: z * normal(z),
    "GELU by tanh": lambda z: z * (0.5 + 0.5 * np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))),
    "abs": np.abs,
    "the square": np.square,
    "sqrt": np.sqrt,
    "log": np.log,
    "sin": np.sin,
    "cos": np.cos,
}

#: Those of them that stand between the layers of a net.
ACTIVATIONS = {"ReLU", "the sigmoid", "tanh", "softplus", "SiLU", "GELU", "GELU by tanh"}

#: Functions that let one operand or another through.
GATES = {np.where, np.maximum, np.minimum, np.clip}


def name_of(z, y):
    """Return the name of the function that gives `y` of `z`, or None."""
    if z.shape != y.shape or z.size < 2:
        return None
    with np.errstate(all="ignore"):
        for name, function in KNOWN.items():
            if np.allclose(function(z), y, rtol=1e-9, atol=1e-12):
                return name
    return None


def derivative(name, v):
    """Return one of the table at `v`; what is not finite there says that it is not what was written."""
    with np.errstate(all="ignore"):
        found = np.asarray(DERIVATIVES[name](v), np.float64)
    if name.startswith(("({v} >", "sign")) and found.size and found.flat[0] and not np.ptp(found):
        return None  # nobody writes a mask that lets everything pass
    return found if np.isfinite(found).all() else None


def two_values(slopes):
    """Return the slopes on both sides of a kink, the lower one first, or None if it has not just two."""
    found = np.unique(slopes)
    if len(found) == 2 or (len(found) > 2 and np.ptp(found[:-1]) < 1e-12 * abs(found[-1])):
        return found[0], found[-1]
    return None


def proportional(found, slopes):
    """Tell whether a derivative is the right one but for a number: that is a mistake of another kind."""
    a, b = (np.concatenate([np.ravel(x) for x in part]) for part in (found, slopes))
    size = float(a @ a)
    apart = np.abs(a * (float(a @ b) / size) - b).max(initial=0) if size else 0.0
    return bool(apart <= 1e-9 * np.abs(b).max(initial=0))


def is_right_but_for_zeros(wrong, right):
    """Tell whether a derivative is right where that is not 0, and there are zeros."""
    return bool((right == 0).any() and np.allclose(wrong[right != 0], right[right != 0], 1e-7))
