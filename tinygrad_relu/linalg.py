"""Linear algebra under the names of ``torch.linalg``; what each does stands in `ops`.

>>> import tinygrad_relu as tg
>>> tg.linalg.solve(tg.tensor([[2.0, 0.0], [0.0, 4.0]]), tg.tensor([1.0, 1.0]))
tensor([0.5 , 0.25], dtype=float64)
"""

from tinygrad_relu.ops.linalg import matmul
from tinygrad_relu.ops.matrices import (
    cholesky,
    det,
    eigh,
    eigvalsh,
    inv,
    lstsq,
    matrix_rank,
    pinv,
    qr,
    slogdet,
    solve,
    solve_triangular,
    svd,
    svdvals,
)
from tinygrad_relu.ops.matrix_functions import matrix_exp, matrix_power
from tinygrad_relu.ops.norms import cond, matrix_norm, norm, vector_norm
from tinygrad_relu.ops.products import cross, multi_dot, vecdot

__all__ = [
    "cholesky",
    "cond",
    "cross",
    "det",
    "eigh",
    "eigvalsh",
    "inv",
    "lstsq",
    "matmul",
    "matrix_exp",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "multi_dot",
    "norm",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_triangular",
    "svd",
    "svdvals",
    "vecdot",
    "vector_norm",
]
