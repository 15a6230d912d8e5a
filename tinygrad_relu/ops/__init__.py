"""The op table: one declaration per op, and compositions of ops in plain Python.

Read `table` for how an op is declared, then `arithmetic`, `exponential`, `gates`, `reductions`,
`shapes`, `indexing`, `linalg`, `neural`.
"""

import numpy as np

from tinygrad_relu.engine import Tensor, install
from tinygrad_relu.kernels.elementwise import Elementwise
from tinygrad_relu.ops import (
    arithmetic,
    assignment,
    conversion,
    exponential,
    gates,
    indexing,
    linalg,
    neural,
    reductions,
    shapes,
)
from tinygrad_relu.ops.table import TABLE, ZERO, op

__all__ = ["OPERATORS", "TABLE", "ZERO", "op"]

#: Which op answers which of Python's operators, and what the engine itself calls.
OPERATORS = {
    "__neg__": arithmetic.negative,
    "__abs__": arithmetic.absolute,
    "__invert__": arithmetic.invert,
    "__add__": arithmetic.add,
    "__sub__": arithmetic.subtract,
    "__mul__": arithmetic.multiply,
    "__truediv__": arithmetic.divide,
    "__floordiv__": arithmetic.floor_divide,
    "__mod__": arithmetic.remainder,
    "__pow__": exponential.power,
    "__matmul__": linalg.matmul,
    "__and__": arithmetic.bitwise_and,
    "__or__": arithmetic.bitwise_or,
    "__xor__": arithmetic.bitwise_xor,
    "__lt__": arithmetic.less,
    "__le__": arithmetic.less_equal,
    "__eq__": arithmetic.equal,
    "__ne__": arithmetic.not_equal,
    "__gt__": arithmetic.greater,
    "__ge__": arithmetic.greater_equal,
    "__getitem__": indexing.index,
    "transpose": shapes.permute,
    "swapaxes": shapes.swapaxes,
    "cast": shapes.cast,
    "sum_to": shapes.sum_to,
    "copy": shapes.copy,
    "assign": assignment.assign,
    "overwrite": assignment.overwrite,
}

#: What ``tensor.name(...)`` calls: PyTorch's names for methods.
METHODS = {
    "abs": arithmetic.absolute,
    "add": arithmetic.add,
    "all": reductions.all,
    "amax": reductions.amax,
    "amin": reductions.amin,
    "any": reductions.any,
    "argmax": reductions.argmax,
    "argmin": reductions.argmin,
    "astype": shapes.cast,
    "ceil": arithmetic.ceil,
    "clamp": arithmetic.clamp,
    "clip": arithmetic.clamp,
    "cos": exponential.cos,
    "div": arithmetic.divide,
    "eq": arithmetic.equal,
    "exp": exponential.exp,
    "exp2": exponential.exp2,
    "expand": shapes.expand,
    "expm1": exponential.expm1,
    "flatten": shapes.flatten,
    "floor": arithmetic.floor,
    "gather": indexing.gather,
    "ge": arithmetic.greater_equal,
    "gt": arithmetic.greater,
    "isfinite": arithmetic.isfinite,
    "isinf": arithmetic.isinf,
    "isnan": arithmetic.isnan,
    "le": arithmetic.less_equal,
    "log": exponential.log,
    "log10": exponential.log10,
    "log1p": exponential.log1p,
    "log2": exponential.log2,
    "log_softmax": neural.log_softmax,
    "logsumexp": reductions.logsumexp,
    "lt": arithmetic.less,
    "matmul": linalg.matmul,
    "max": reductions.largest,
    "maximum": arithmetic.maximum,
    "mean": reductions.mean,
    "min": reductions.smallest,
    "minimum": arithmetic.minimum,
    "mul": arithmetic.multiply,
    "ne": arithmetic.not_equal,
    "neg": arithmetic.negative,
    "permute": shapes.permute,
    "pow": exponential.power,
    "prelu": gates.prelu,
    "prod": reductions.prod,
    "reciprocal": exponential.reciprocal,
    "relu": gates.relu,
    "remainder": arithmetic.remainder,
    "reshape": shapes.reshape,
    "round": arithmetic.rint,
    "sigmoid": exponential.sigmoid,
    "sign": arithmetic.sign,
    "sin": exponential.sin,
    "softmax": neural.softmax,
    "sqrt": exponential.sqrt,
    "square": exponential.square,
    "squeeze": shapes.squeeze,
    "std": reductions.std,
    "sub": arithmetic.subtract,
    "sum": reductions.sum,
    "tanh": exponential.tanh,
    "transpose": shapes.swapaxes,
    "unsqueeze": shapes.unsqueeze,
    "var": reductions.var,
    "view": shapes.reshape,
}

METHODS |= {
    name: getattr(conversion, name)
    for name in (
        "bool", "cpu", "cuda", "dim", "double", "element_size", "float", "half", "int", "is_contiguous",
        "is_floating_point", "long", "stride", "to", "type_as",
    )
}
METHODS["nelement"] = Tensor.numel

#: The methods that have a form in place, whose name ends in an underscore.
CHANGING = [
    "abs", "add", "ceil", "clamp", "clip", "cos", "div", "exp", "exp2", "expm1", "floor", "log", "log10",
    "log1p", "log2", "mul", "neg", "pow", "reciprocal", "relu", "remainder", "round", "sigmoid", "sign",
    "sin", "sqrt", "square", "sub", "tanh",
]
METHODS |= {f"{name}_": assignment.changing(METHODS[name]) for name in CHANGING}
METHODS |= {"copy_": assignment.copy_, "fill_": assignment.fill_, "zero_": assignment.zero_}

#: Which op ``np.name(tensor)`` calls: the one whose kernel is that ufunc.  The first declared is meant
#: where several are, as `maximum` before `clamp_min`.
UFUNCS = {
    np.matmul: linalg.matmul,
    np.power: exponential.power,
    np.divmod: lambda a, b: (arithmetic.floor_divide(a, b), arithmetic.remainder(a, b)),
}
for entry in TABLE.values():
    if isinstance(entry.kernel, Elementwise):
        UFUNCS.setdefault(entry.kernel.ufunc, entry)

install(OPERATORS, METHODS, UFUNCS)
