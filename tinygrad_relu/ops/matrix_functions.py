"""Functions of square matrices: whole powers, and the exponential."""

import numpy as np

from tinygrad_relu.engine import checked_call
from tinygrad_relu.errors import RangeError
from tinygrad_relu.ops.arithmetic import where
from tinygrad_relu.ops.decompositions import linear_solve
from tinygrad_relu.ops.matrices import SINGULAR, refused_by_lapack, square_matrices
from tinygrad_relu.ops.operands import tensor_from, whole


@checked_call
def matrix_power(x, n):
    """Square matrices to a whole power; a negative one is a power of the inverse.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.linalg.matrix_power(tg.tensor([[1.0, 1.0], [0.0, 1.0]]), 5)
    tensor([[1., 5.],
            [0., 1.]], dtype=float64)
    """
    n, given = whole("matrix_power", "n", n), tensor_from("matrix_power", "x", x)
    x = square_matrices("matrix_power", "x", x)
    if given.dtype.kind != "f" and n >= 0:      # exact as long as they do not overflow
        x = given
    if n < 0:
        with refused_by_lapack("matrix_power", SINGULAR):
            x, n = linear_solve(x, np.eye(x.shape[-1], dtype=x.dtype)), -n
    if n == 0:
        return where(np.ones(x.shape, dtype=bool), np.eye(x.shape[-1], dtype=x.dtype), x)
    result = None
    while True:
        if n % 2:
            result = x if result is None else result @ x
        n //= 2
        if n == 0:
            return result
        x = x @ x


# Numerator of the approximation by a quotient of polynomials of degree 13, and up to which 1-norm it is
# as exact as float64: N. Higham, "The scaling and squaring method for the matrix exponential
# revisited", 2005.
PADE = [
    64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000,
    10559470521600, 670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1,
]
PADE_NORM = 5.371920351148152


@checked_call
def matrix_exp(x):
    """Exponential of square matrices, ``1 + x + x @ x / 2 + ...``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.linalg.matrix_exp(tg.tensor([[0.0, 1.0], [0.0, 0.0]]))
    tensor([[1., 1.],
            [0., 1.]], dtype=float64)
    """
    x = square_matrices("matrix_exp", "x", x)
    if x.size == 0:
        return x * 1
    norm = float(np.abs(x.detach().numpy()).sum(-2).max())
    if not np.isfinite(norm):
        raise RangeError("matrix_exp: x has an infinity or a NaN")
    halvings = max(0, int(np.ceil(np.log2(norm / PADE_NORM)))) if norm else 0
    x = x / 2.0**halvings
    one = np.eye(x.shape[-1], dtype=x.dtype)
    x2 = x @ x
    x4 = x2 @ x2
    x6 = x2 @ x4
    c = [k / PADE[0] for k in PADE]
    odd = x6 @ (c[13] * x6 + c[11] * x4 + c[9] * x2) + c[7] * x6 + c[5] * x4 + c[3] * x2 + c[1] * one
    even = x6 @ (c[12] * x6 + c[10] * x4 + c[8] * x2) + c[6] * x6 + c[4] * x4 + c[2] * x2 + c[0] * one
    odd = x @ odd
    y = linear_solve(even - odd, even + odd)
    for _ in range(halvings):
        y = y @ y
    return y
