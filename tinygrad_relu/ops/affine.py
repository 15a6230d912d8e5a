"""Products added to a tensor: ``beta * x + alpha * (a @ b)``, under the names that BLAS made known."""

import numpy as np

from tinygrad_relu.engine import checked_call
from tinygrad_relu.errors import ShapeError
from tinygrad_relu.ops.operands import tensor_from
from tinygrad_relu.ops.products import bmm, mm, mv, outer
from tinygrad_relu.ops.reductions import sum


def combined(name, x, product, beta, alpha):
    """Return ``beta * x + alpha * product``; a beta of 0 leaves out `x`, and NaN in it, too."""
    x = tensor_from(name, "x", x)
    try:
        fits = np.broadcast_shapes(x.shape, product.shape) == product.shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(f"{name}: x has shape {x.shape}, and the product has shape {product.shape}")
    if alpha != 1:
        product = product * alpha
    if beta == 0:
        return product
    return (x if beta == 1 else x * beta) + product


@checked_call
def addmm(x, mat1, mat2, beta=1, alpha=1):
    """``beta * x + alpha * (mat1 @ mat2)`` of two matrices.

    Parameters
    ----------
    x : Tensor
        Broadcast to the shape of the product.
    mat1, mat2 : Tensor
    beta, alpha : float, default 1
        With a `beta` of 0, `x` is left out, whatever it holds.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.addmm(tg.tensor([0.5, 1.0]), tg.tensor([[1.0, 2.0]]), tg.tensor([[3.0, 0.0], [4.0, 1.0]]))
    tensor([[11.5,  3. ]], dtype=float64)
    """
    return combined("addmm", x, mm(mat1, mat2), beta, alpha)


@checked_call
def addmv(x, mat, vec, beta=1, alpha=1):
    """``beta * x + alpha * (mat @ vec)`` of a matrix and a vector; see `addmm`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.addmv(tg.tensor([1.0]), tg.tensor([[1.0, 2.0]]), tg.tensor([3.0, 4.0]), alpha=2)
    tensor([23.], dtype=float64)
    """
    return combined("addmv", x, mv(mat, vec), beta, alpha)


@checked_call
def addr(x, vec1, vec2, beta=1, alpha=1):
    """``beta * x + alpha * outer(vec1, vec2)``; see `addmm`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.addr(tg.zeros(2, 2), tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0]))
    tensor([[3., 4.],
            [6., 8.]], dtype=float64)
    """
    return combined("addr", x, outer(vec1, vec2), beta, alpha)


@checked_call
def baddbmm(x, batch1, batch2, beta=1, alpha=1):
    """``beta * x + alpha * (batch1 @ batch2)`` of two stacks of matrices; see `addmm`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.baddbmm(tg.tensor(1.0), tg.ones(2, 1, 3), tg.ones(2, 3, 1)).reshape(-1)
    tensor([4., 4.], dtype=float64)
    """
    return combined("baddbmm", x, bmm(batch1, batch2), beta, alpha)


@checked_call
def addbmm(x, batch1, batch2, beta=1, alpha=1):
    """``beta * x + alpha * sum(batch1 @ batch2)``, summed over the stack; see `addmm`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.addbmm(tg.tensor([[1.0]]), tg.ones(2, 1, 3), tg.ones(2, 3, 1))
    tensor([[7.]], dtype=float64)
    """
    return combined("addbmm", x, sum(bmm(batch1, batch2), 0), beta, alpha)
