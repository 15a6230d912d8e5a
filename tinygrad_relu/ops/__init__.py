"""The op table: one declaration per op, and compositions of ops in plain Python.

Read `table` for how an op is declared, then `arithmetic`, `exponential`, `gates`, `reductions`,
`shapes`, `indexing`, `linalg`, `neural`; and, made of those, `taking`, `putting`, `joining`,
`rearranging`.
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
    joining,
    linalg,
    neural,
    putting,
    rearranging,
    reductions,
    shapes,
    taking,
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
    "argwhere": taking.argwhere,
    "astype": shapes.cast,
    "ceil": arithmetic.ceil,
    "chunk": joining.chunk,
    "clamp": arithmetic.clamp,
    "clip": arithmetic.clamp,
    "contiguous": shapes.contiguous,
    "cos": exponential.cos,
    "diag": rearranging.diag,
    "diag_embed": rearranging.diag_embed,
    "diagflat": rearranging.diagflat,
    "diagonal": rearranging.diagonal,
    "div": arithmetic.divide,
    "eq": arithmetic.equal,
    "exp": exponential.exp,
    "exp2": exponential.exp2,
    "expand": shapes.expand,
    "expand_as": shapes.expand_as,
    "expm1": exponential.expm1,
    "flatten": shapes.flatten,
    "flip": rearranging.flip,
    "fliplr": rearranging.fliplr,
    "flipud": rearranging.flipud,
    "floor": arithmetic.floor,
    "gather": taking.gather,
    "ge": arithmetic.greater_equal,
    "gt": arithmetic.greater,
    "index_add": putting.index_add,
    "index_copy": putting.index_copy,
    "index_fill": putting.index_fill,
    "index_put": putting.index_put,
    "index_select": taking.index_select,
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
    "masked_fill": putting.masked_fill,
    "masked_scatter": putting.masked_scatter,
    "masked_select": taking.masked_select,
    "matmul": linalg.matmul,
    "max": reductions.largest,
    "maximum": arithmetic.maximum,
    "mean": reductions.mean,
    "min": reductions.smallest,
    "minimum": arithmetic.minimum,
    "moveaxis": shapes.movedim,
    "movedim": shapes.movedim,
    "mul": arithmetic.multiply,
    "narrow": taking.narrow,
    "ne": arithmetic.not_equal,
    "neg": arithmetic.negative,
    "nonzero": taking.nonzero,
    "permute": shapes.permute,
    "pow": exponential.power,
    "prelu": gates.prelu,
    "prod": reductions.prod,
    "put": putting.put,
    "ravel": shapes.ravel,
    "reciprocal": exponential.reciprocal,
    "relu": gates.relu,
    "remainder": arithmetic.remainder,
    "repeat": rearranging.repeat,
    "repeat_interleave": rearranging.repeat_interleave,
    "reshape": shapes.reshape,
    "reshape_as": shapes.view_as,
    "roll": rearranging.roll,
    "rot90": rearranging.rot90,
    "round": arithmetic.rint,
    "scatter": putting.scatter,
    "scatter_add": putting.scatter_add,
    "scatter_reduce": putting.scatter_reduce,
    "select": taking.select,
    "sigmoid": exponential.sigmoid,
    "sign": arithmetic.sign,
    "sin": exponential.sin,
    "softmax": neural.softmax,
    "split": joining.split,
    "sqrt": exponential.sqrt,
    "square": exponential.square,
    "squeeze": shapes.squeeze,
    "std": reductions.std,
    "sub": arithmetic.subtract,
    "sum": reductions.sum,
    "swapaxes": shapes.swapaxes,
    "swapdims": shapes.swapaxes,
    "t": shapes.t,
    "take": taking.take,
    "take_along_dim": taking.take_along_dim,
    "tanh": exponential.tanh,
    "tensor_split": joining.tensor_split,
    "tile": rearranging.tile,
    "transpose": shapes.swapaxes,
    "tril": rearranging.tril,
    "triu": rearranging.triu,
    "unbind": joining.unbind,
    "unflatten": shapes.unflatten,
    "unsqueeze": shapes.unsqueeze,
    "var": reductions.var,
    "view": shapes.reshape,
    "view_as": shapes.view_as,
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
