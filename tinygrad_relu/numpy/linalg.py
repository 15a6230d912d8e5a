"""The NumPy dialect of linear algebra: the names of ``numpy.linalg``.

>>> import tinygrad_relu.numpy as tnp
>>> tnp.linalg.solve([[2.0, 0.0], [0.0, 4.0]], [1.0, 1.0])
tensor([0.5 , 0.25], dtype=float64)
"""

from tinygrad_relu.errors import ArgumentError, ShapeError
from tinygrad_relu.numpy.calling import dialect, floating, summed, tensor_of, tensors_of
from tinygrad_relu.numpy.products import cross, matmul, tensordot, vecdot
from tinygrad_relu.ops import matrices, matrix_functions, norms, products, rearranging, reductions
from tinygrad_relu.ops.shapes import checked_axes, reshape, swapaxes

__all__ = [
    "cholesky", "cond", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv", "lstsq", "matmul",
    "matrix_norm", "matrix_power", "matrix_rank", "matrix_transpose", "multi_dot", "norm", "outer",
    "pinv", "qr", "slogdet", "solve", "svd", "svdvals", "tensordot", "trace", "vecdot", "vector_norm",
]


def __dir__():
    return sorted(__all__)


def symmetric(name, a, lower):
    """Return the symmetric matrices of which `a` holds one triangle, as LAPACK reads them."""
    a = floating(a)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ShapeError(f"{name}: a has shape {a.shape}: square matrices are needed")
    half = rearranging.tril(a) if lower else rearranging.triu(a)
    rest = rearranging.tril(a, -1) if lower else rearranging.triu(a, 1)
    return half + swapaxes(rest, -2, -1)


def lower_meant(name, triangle):
    """Tell whether LAPACK's letter for a triangle is that of the lower one."""
    if triangle not in ("L", "U"):
        raise ArgumentError(f"{name}: UPLO is {triangle!r}: it is 'L' or 'U'")
    return triangle == "L"


@dialect
def cholesky(a, /, *, upper=False):
    """Triangular factor of positive definite matrices, of which one triangle is read."""
    return matrices.cholesky(symmetric("cholesky", a, not upper), upper)


@dialect
def eigh(a, UPLO="L"):  # noqa: N803
    """Eigenvalues and eigenvectors of symmetric matrices, of which one triangle is read.

    Examples
    --------
    >>> import tinygrad_relu.numpy as tnp
    >>> tnp.linalg.eigh([[2.0, 99.0], [0.0, 1.0]]).eigenvalues
    tensor([1., 2.], dtype=float64)
    """
    return matrices.eigh(symmetric("eigh", a, lower_meant("eigh", UPLO)))


@dialect
def eigvalsh(a, UPLO="L"):  # noqa: N803
    """Eigenvalues of symmetric matrices, of which one triangle is read."""
    return matrices.eigvalsh(symmetric("eigvalsh", a, lower_meant("eigvalsh", UPLO)))


@dialect
def cond(x, p=None):
    """Condition of matrices; see `tinygrad_relu.linalg.cond`."""
    return norms.cond(tensor_of(x), p)


@dialect
def det(a):
    """Determinant."""
    return matrices.det(tensor_of(a))


@dialect
def slogdet(a):
    """Sign of the determinant and logarithm of its magnitude."""
    return matrices.slogdet(tensor_of(a))


@dialect
def inv(a):
    """Inverse."""
    return matrices.inv(tensor_of(a))


@dialect
def pinv(a, rcond=None, *, rtol=None):
    """Pseudo-inverse; singular values up to ``rtol`` times the largest count as 0, by default 1e-15.

    That is NumPy's; the array API standard and PyTorch begin with the precision times the longer side.
    """
    if rcond is not None and rtol is not None:
        raise ArgumentError("pinv: rcond and rtol are two words for one: give one of them")
    share = rcond if rtol is None else rtol
    return matrices.pinv(tensor_of(a), rtol=1e-15 if share is None else share)


@dialect
def matrix_rank(A, tol=None, *, rtol=None):  # noqa: N803
    """How many singular values are larger than `tol`, or `rtol` times the largest."""
    A = tensor_of(A)
    return matrices.matrix_rank(A, atol=tol, rtol=0.0 if tol is not None and rtol is None else rtol)


@dialect
def matrix_power(a, n):
    """Product of `n` times the matrix; of its inverse, if `n` is negative."""
    return matrix_functions.matrix_power(tensor_of(a), n)


@dialect
def solve(a, b):
    """The `x` for which ``a @ x == b``; `b` is a vector only if it has one axis, as in NumPy 2."""
    a, b = floating(a), floating(b)
    if b.ndim == 1:
        x = matrices.solve(a, reshape(b, -1, 1))
        return reshape(x, *x.shape[:-1])
    if b.ndim >= 2 and a.ndim > b.ndim:         # so that nobody takes rows for a stack of vectors
        b = reshape(b, *[1] * (a.ndim - b.ndim), *b.shape)
    return matrices.solve(a, b)


@dialect
def lstsq(a, b, rcond=None):
    """The shortest `x` for which ``a @ x`` is nearest to `b`, residuals, rank, singular values."""
    a, b = floating(a), floating(b)
    fit = matrices.lstsq(a, reshape(b, *b.shape, 1) if b.ndim == 1 else b, rcond)
    solution = reshape(fit.solution, -1) if b.ndim == 1 else fit.solution
    return solution, *fit[1:]


@dialect
def qr(a, mode="reduced"):
    """Orthogonal and triangular factor; the latter alone with ``mode="r"``."""
    factors = matrices.qr(tensor_of(a), mode)
    return factors.R if mode == "r" else factors


@dialect
def svd(a, full_matrices=True, compute_uv=True):
    """Singular values and vectors, ``(U, S, Vh)``; the values alone without `compute_uv`."""
    return matrices.svd(tensor_of(a), full_matrices) if compute_uv else svdvals(a)


@dialect
def svdvals(x, /):
    """Singular values, from the largest on."""
    return matrices.svdvals(tensor_of(x))


def axes_in(name, axis, ndim):
    """Return the axes that `axis` names, which are there, or None for all of them."""
    return axis if axis is None else checked_axes(name, axis, ndim)


@dialect
def norm(x, ord=None, axis=None, keepdims=False):
    """Norm of vectors or matrices, as ``numpy.linalg.norm`` chooses between them."""
    x = floating(x)
    if ord in ("fro", "nuc") or (ord is not None and axis is None and x.ndim == 2):
        return norms.matrix_norm(x, ord, (-2, -1) if axis is None else axis, keepdims)
    return norms.norm(x, ord, axes_in("norm", axis, x.ndim), keepdims)


@dialect
def vector_norm(x, /, *, axis=None, keepdims=False, ord=2):
    """Norm of vectors, of all elements or over axes."""
    x = tensor_of(x)
    return norms.vector_norm(x, ord, axes_in("vector_norm", axis, x.ndim), keepdims)


@dialect
def matrix_norm(x, /, *, keepdims=False, ord="fro"):
    """Norm of the matrices in the last two axes."""
    return norms.matrix_norm(tensor_of(x), ord, (-2, -1), keepdims)


@dialect
def multi_dot(arrays):
    """Product of several matrices in the cheapest order."""
    return products.multi_dot(tensors_of(arrays))


@dialect
def outer(x1, x2, /):
    """All products of an element of one vector with one of another."""
    return products.outer(tensor_of(x1), tensor_of(x2))


@dialect
def matrix_transpose(x, /):
    """The last two axes swapped."""
    return swapaxes(tensor_of(x), -2, -1)


@dialect
def diagonal(x, /, *, offset=0):
    """A diagonal of the matrices in the last two axes."""
    return rearranging.diagonal(tensor_of(x), offset, -2, -1)


@dialect
def trace(x, /, *, offset=0, dtype=None):
    """Sum over a diagonal of the matrices in the last two axes."""
    return summed(reductions.sum, diagonal(x, offset=offset), dtype, -1)
