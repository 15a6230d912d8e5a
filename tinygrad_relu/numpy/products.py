"""The NumPy dialect: products of vectors, matrices and tensors."""

import numpy as np

from tinygrad_relu.errors import ShapeError
from tinygrad_relu.numpy.calling import dialect, elementwise, summed, tensor_of
from tinygrad_relu.ops import linalg, products
from tinygrad_relu.ops.rearranging import diagonal
from tinygrad_relu.ops.reductions import sum
from tinygrad_relu.ops.shapes import checked_axis, reshape, swapaxes

inner = elementwise(products.inner, "a", "b")
kron = elementwise(products.kron, "a", "b")
matmul = elementwise(linalg.matmul, "x1", "x2")


@dialect
def dot(a, b):
    """Sum over the last axis of `a` and the last but one of `b`; of a number, the product.

    Examples
    --------
    >>> import tinygrad_relu.numpy as tnp
    >>> tnp.dot(tnp.ones((2, 3)), tnp.ones((4, 3, 5))).shape
    (2, 4, 5)
    """
    a, b = tensor_of(a), tensor_of(b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    return products.tensordot(a, b, ([-1], [-1 if b.ndim == 1 else -2]))


@dialect
def vdot(a, b, /):
    """Sum of the products of all elements, whatever the shapes."""
    return products.dot(reshape(tensor_of(a), -1), reshape(tensor_of(b), -1))


@dialect
def outer(a, b):
    """All products of an element of `a` with one of `b`, both flattened."""
    return products.outer(reshape(tensor_of(a), -1), reshape(tensor_of(b), -1))


@dialect
def tensordot(a, b, axes=2):
    """Sums of products over several axes; see `tinygrad_relu.tensordot`."""
    return products.tensordot(tensor_of(a), tensor_of(b), axes)


@dialect
def vecdot(x1, x2, /, *, axis=-1):
    """Sums of products along one axis of both, which broadcast."""
    x1, x2 = tensor_of(x1), tensor_of(x2)
    checked_axis("vecdot", axis, max(x1.ndim, x2.ndim))
    return tensor_of(products.vecdot(x1, x2, axis), np.result_type(x1.dtype, x2.dtype))


@dialect
def matvec(x1, x2, /):
    """Matrices times vectors, which broadcast."""
    x1, x2 = tensor_of(x1), tensor_of(x2)
    if x1.ndim < 2 or x2.ndim < 1:
        raise ShapeError(f"matvec: a matrix has shape {x1.shape}, a vector has shape {x2.shape}")
    y = linalg.matmul(x1, reshape(x2, *x2.shape, 1))
    return reshape(y, *y.shape[:-1])


@dialect
def vecmat(x1, x2, /):
    """Vectors times matrices, which broadcast."""
    return matvec(swapaxes(tensor_of(x2), -2, -1), x1)


@dialect
def cross(a, b, axis=-1):
    """Vector product along an axis of length 3; the others broadcast."""
    a, b = tensor_of(a), tensor_of(b)
    ndim = max(a.ndim, b.ndim)
    return products.cross(*(reshape(x, *[1] * (ndim - x.ndim), *x.shape) for x in (a, b)), axis)


@dialect
def einsum(subscripts, *operands, optimize=True):
    """Sums of products by letters; see `tinygrad_relu.einsum`, which chooses the order itself."""
    if isinstance(subscripts, str):
        return products.einsum(subscripts, *map(tensor_of, operands))
    given = [subscripts, *operands]
    given[: len(given) // 2 * 2 : 2] = map(tensor_of, given[: len(given) // 2 * 2 : 2])
    return products.einsum(*given)


@dialect
def trace(a, offset=0, axis1=0, axis2=1, dtype=None):
    """Sum over a diagonal of the matrices in two axes."""
    return summed(sum, diagonal(tensor_of(a), offset, axis1, axis2), dtype, -1)
