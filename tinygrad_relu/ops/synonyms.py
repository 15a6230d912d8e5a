"""Functions under further names, which their errors then begin with, and what they record has."""

from tinygrad_relu.engine import Op, checked_call
from tinygrad_relu.ops import (
    arithmetic,
    cumulative,
    exponential,
    joining,
    matrices,
    products,
    shapes,
    special,
    trigonometric,
)


def renamed(name, function):
    """Return a function of the same kind that goes by `name`."""
    if isinstance(function, Op):
        twin = function.renamed(name)
    else:
        twin = checked_call(function.__wrapped__, name)
        twin.__name__ = twin.__qualname__ = name
    twin.__module__ = __name__
    return twin


#: What each further name stands for: PyTorch's short ones, and its second ones.
SYNONYMS = {
    "abs": arithmetic.absolute,
    "arccos": trigonometric.acos,
    "arccosh": trigonometric.acosh,
    "arcsin": trigonometric.asin,
    "arcsinh": trigonometric.asinh,
    "arctan": trigonometric.atan,
    "arctan2": trigonometric.atan2,
    "arctanh": trigonometric.atanh,
    "bitwise_not": arithmetic.invert,
    "cat": shapes.concat,
    "clip": arithmetic.clamp,
    "concatenate": shapes.concat,
    "cross": products.cross_along_first_of_three,
    "div": arithmetic.divide,
    "eq": arithmetic.equal,
    "expit": exponential.sigmoid,
    "fix": arithmetic.trunc,
    "gammaln": special.lgamma,
    "ge": arithmetic.greater_equal,
    "ger": products.outer,
    "gt": arithmetic.greater,
    "inverse": matrices.inv,
    "le": arithmetic.less_equal,
    "lt": arithmetic.less,
    "moveaxis": shapes.movedim,
    "mul": arithmetic.multiply,
    "ne": arithmetic.not_equal,
    "neg": arithmetic.negative,
    "pinverse": matrices.pinv,
    "pow": exponential.power,
    "psi": special.digamma,
    "row_stack": joining.vstack,
    "sgn": arithmetic.sign,
    "sub": arithmetic.subtract,
    "swapdims": shapes.swapaxes,
    "transpose": shapes.swapaxes,
    "trapz": cumulative.trapezoid,
    "true_divide": arithmetic.divide,
    "view": shapes.reshape,
}

globals().update({name: renamed(name, function) for name, function in SYNONYMS.items()})
