"""Inverses, systems, determinants and factors of matrices, in the words of ``torch.linalg``.

Each takes a matrix or a stack of them.  A singular matrix raises where PyTorch's raises; a symmetric one
is meant where a function says so, and then its symmetric part is taken, so that rounding does no harm and
the derivative is symmetric.
"""

import numbers
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from tinygrad_relu.engine import Tensor, checked_call
from tinygrad_relu.errors import ArgumentError, RangeError, ShapeError
from tinygrad_relu.ops.arithmetic import where
from tinygrad_relu.ops.decompositions import (
    column,
    factor_cholesky,
    factors_eigh,
    factors_qr,
    factors_svd,
    linear_solve,
    lower,
    pseudo_inverse,
    sign_and_log_det,
    svd_shapes,
    unpacked,
)
from tinygrad_relu.ops.decompositions import det as determinant
from tinygrad_relu.ops.indexing import index
from tinygrad_relu.ops.operands import tensor_from, whole, with_axes
from tinygrad_relu.ops.reductions import sum
from tinygrad_relu.ops.shapes import reshape


def square_matrices(name, word, value):
    """Return `value` as square matrices of a floating dtype."""
    x = with_axes(name, word, value, 2)
    if x.shape[-1] != x.shape[-2]:
        raise ShapeError(f"{name}: {word} has shape {x.shape}: its last two axes need one length")
    return x


@contextmanager
def refused_by_lapack(name, reason):
    """Say of which function a matrix is none that LAPACK can work on."""
    try:
        yield
    except RangeError as error:
        if isinstance(error.__cause__, np.linalg.LinAlgError):
            raise ArgumentError(f"{name}: {reason} ({error.__cause__})") from error
        raise


SINGULAR = "the matrix is singular: use pinv or lstsq if that is to be expected"


class SignAndLog(NamedTuple):
    """What `slogdet` returns."""

    sign: Tensor
    logabsdet: Tensor


class OrthogonalAndTriangular(NamedTuple):
    """What `qr` returns."""

    Q: Tensor
    R: Tensor


class ValuesAndVectors(NamedTuple):
    """What `eigh` returns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


class SingularValues(NamedTuple):
    """What `svd` returns."""

    U: Tensor
    S: Tensor
    Vh: Tensor


class LeastSquares(NamedTuple):
    """What `lstsq` returns."""

    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


# --------------------------------------------------------------------------- systems, determinants

@checked_call
def inv(x):
    """Inverse of square matrices.

    Raises
    ------
    ArgumentError
        A matrix is singular.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.linalg.inv(tg.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5 , 0.  ],
            [0.  , 0.25]], dtype=float64)
    """
    x = square_matrices("inv", "x", x)
    with refused_by_lapack("inv", SINGULAR):
        return linear_solve(x, np.eye(x.shape[-1], dtype=x.dtype))


def check_rows(name, a, b):
    """Raise where matrices on both sides of a system do not fit."""
    if b.shape[-2] != a.shape[-2]:
        raise ShapeError(f"{name}: a has {a.shape[-2]} rows, b of shape {b.shape} has {b.shape[-2]}")
    try:
        np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise ShapeError(f"{name}: a stack of {a.shape} does not fit one of {b.shape}") from None


@checked_call
def solve(a, b, left=True):
    """The `x` for which ``a @ x == b``, or ``x @ a == b`` if it is not `left`.

    Parameters
    ----------
    a : Tensor of shape (..., n, n)
    b : Tensor of shape (..., n, columns), or (..., n)
        Vectors if it has one axis, or the shape of `a` less the last one, as in PyTorch.
    left : bool

    Raises
    ------
    ArgumentError
        A matrix is singular.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.linalg.solve(tg.tensor([[2.0, 0.0], [0.0, 4.0]]), tg.tensor([1.0, 1.0]))
    tensor([0.5 , 0.25], dtype=float64)
    """
    return solved("solve", square_matrices("solve", "a", a), b, left)


def solved(name, a, b, left):
    """Answer `solve`, for others as well."""
    if not left:
        b = with_axes(name, "b", b, 2)
        return solved(name, a.mT, b.mT, True).mT
    b = with_axes(name, "b", b, 1)
    vectors = b.ndim == 1 or (b.ndim == a.ndim - 1 and b.shape == a.shape[:-1])
    b = column(b) if vectors else b
    check_rows(name, a, b)
    with refused_by_lapack(name, SINGULAR):
        x = linear_solve(a, b)
    return reshape(x, *x.shape[:-1]) if vectors else x


@checked_call
def solve_triangular(a, b, *, upper, left=True, unitriangular=False):
    """As `solve`, for a triangular matrix: the other triangle is not looked at.

    It takes as long as `solve`, because NumPy does not reach LAPACK's own, but no row is exchanged.
    Unlike PyTorch's, it raises for a 0 on the diagonal, where that divides by 0.

    Parameters
    ----------
    a : Tensor of shape (..., n, n)
    b : Tensor of shape (..., n, columns)
    upper : bool
        Which triangle is meant.
    left : bool
    unitriangular : bool
        Whether the diagonal is taken for ones.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> a = tg.tensor([[2.0, 5.0], [0.0, 4.0]])
    >>> tg.linalg.solve_triangular(a, tg.tensor([[7.0], [4.0]]), upper=True)
    tensor([[1.],
            [1.]], dtype=float64)
    """
    name = "solve_triangular"
    a, b = square_matrices(name, "a", a), with_axes(name, "b", b, 2)
    if not left:
        a, b, upper = a.mT, b.mT, not upper
    check_rows(name, a, b)
    sound = np.isfinite(b.detach().numpy())
    if not sound.all():
        # Elimination multiplies by zeros, which makes NaN of what no other row depends on.
        order = slice(None, None, -1) if upper else slice(None)
        reached = np.logical_or.accumulate(~sound[..., order, :], -2)[..., order, :]
        clear = triangular_solution(name, a, where(sound, b, 0.0), upper, unitriangular)
        x = where(reached, triangular_solution(name, a, b, upper, unitriangular), clear)
    else:
        x = triangular_solution(name, a, b, upper, unitriangular)
    return x if left else x.mT


def triangular_solution(name, a, b, upper, unitriangular):
    """Answer `solve_triangular` for a matrix on the left."""
    a = lower(a.mT).mT if upper else lower(a)
    if unitriangular:
        a = where(np.eye(a.shape[-1], dtype=bool), 1.0, a)
    back = (Ellipsis, slice(None, None, -1), slice(None, None, -1))
    rows = (Ellipsis, slice(None, None, -1), slice(None))
    with refused_by_lapack(name, "there is a 0 on the diagonal"):
        # An upper triangle needs no elimination, so that pivoting cannot spoil it: turn the other round.
        return linear_solve(a, b) if upper else index(linear_solve(index(a, back), index(b, rows)), rows)


@checked_call
def det(x):
    """Determinant of square matrices.

    The derivative is the matrix of cofactors, at a singular matrix, too, where PyTorch's may be 0; the
    second derivative is there as long as not more than one singular value is 0.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.linalg.det(tg.tensor([[2.0, 1.0], [0.0, 3.0]]))
    tensor(6., dtype=float64)
    """
    return determinant(square_matrices("det", "x", x))


@checked_call
def slogdet(x):
    """Sign of the determinant, and logarithm of its absolute value: no overflow.

    Returns
    -------
    pair ``(sign, logabsdet)`` of Tensor
        0 and -inf for a singular matrix, at which there is no derivative.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> sign, logarithm = tg.linalg.slogdet(tg.tensor([[0.0, 1.0], [1.0, 0.0]]))
    >>> sign, logarithm
    (tensor(-1., dtype=float64), tensor(0., dtype=float64))
    """
    both = sign_and_log_det(square_matrices("slogdet", "x", x))
    return SignAndLog(index(both, (Ellipsis, 0)).detach(), index(both, (Ellipsis, 1)))


@checked_call
def logdet(x):
    """Logarithm of the determinant: -inf where it is 0, NaN where it is negative.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.logdet(tg.tensor([[2.0, 0.0], [0.0, 0.5]]))
    tensor(0., dtype=float64)
    """
    sign, logarithm = slogdet(square_matrices("logdet", "x", x))
    return where(sign < 0, np.nan, logarithm)


@checked_call
def trace(x):
    """Sum of the diagonal of one matrix.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.trace(tg.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(5., dtype=float64)
    """
    x = tensor_from("trace", "x", x)
    if x.ndim != 2:
        raise ShapeError(f"trace: x has shape {x.shape}: one matrix, which has 2 axes, is needed")
    numbers = np.arange(min(x.shape))
    return sum(index(x, (numbers, numbers)))


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


# ------------------------------------------------------------------------------------ factorizations

@checked_call
def cholesky(x, upper=False):
    """The triangular `l` for which ``l @ l.mT`` is the symmetric, positive definite `x`.

    The symmetric part of `x` is taken, and the derivative is symmetric.  PyTorch reads one triangle.

    Parameters
    ----------
    x : Tensor of shape (..., n, n)
    upper : bool
        Whether the transposed factor is wanted.

    Raises
    ------
    ArgumentError
        A matrix is not positive definite.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.linalg.cholesky(tg.tensor([[4.0, 2.0], [2.0, 10.0]]))
    tensor([[2., 0.],
            [1., 3.]], dtype=float64)
    """
    x = square_matrices("cholesky", "x", x)
    with refused_by_lapack("cholesky", "the matrix is not positive definite"):
        factor = factor_cholesky(x)
    return factor.mT if upper else factor


@checked_call
def qr(x, mode="reduced"):
    """Orthogonal and triangular factor of a matrix, with the signs that LAPACK gives them.

    Parameters
    ----------
    x : Tensor of shape (..., m, n)
    mode : {'reduced', 'complete', 'r'}
        'complete' makes `Q` square; 'r' gives `Q` no elements.

    Returns
    -------
    pair ``(Q, R)`` of Tensor
        There are derivatives if the first ``min(m, n)`` columns are independent of each other; none
        of the columns that 'complete' adds to `Q`, which raise NotDifferentiable in the walk back.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> q, r = tg.linalg.qr(tg.tensor([[3.0, 1.0], [4.0, 2.0]]))
    >>> (q @ r).detach()
    tensor([[3., 1.],
            [4., 2.]], dtype=float64)
    """
    x = with_axes("qr", "x", x, 2)
    if mode not in ("reduced", "complete", "r"):
        raise ArgumentError(f"qr: mode is {mode!r}: it is 'reduced', 'complete' or 'r'")
    m, n = x.shape[-2:]
    width = m if mode == "complete" else min(m, n)
    q, r = unpacked(factors_qr(x, mode == "complete"), (m, width), (width, n))
    return OrthogonalAndTriangular(Tensor(np.zeros(0, x.dtype)) if mode == "r" else q, r)


@checked_call
def eigh(x):
    """Eigenvalues, from the smallest on, and eigenvectors (columns) of symmetric matrices.

    The symmetric part of `x` is taken, and the derivative is symmetric.  PyTorch reads one triangle.

    Returns
    -------
    pair ``(eigenvalues, eigenvectors)`` of Tensor
        A vector has a gradient only where eigenvalues are distinct and the loss does not depend on its
        sign, which is whatever LAPACK makes it.  Where eigenvalues are equal and the loss depends on
        their vectors, the walk back raises NotDifferentiable.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.linalg.eigh(tg.tensor([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    tensor([1., 2.], dtype=float64)
    """
    x = square_matrices("eigh", "x", x)
    n = x.shape[-1]
    with refused_by_lapack("eigh", "LAPACK found no eigenvalues: are all elements finite?"):
        return ValuesAndVectors(*unpacked(factors_eigh(x), (n,), (n, n)))


@checked_call
def eigvalsh(x):
    """Eigenvalues of symmetric matrices, from the smallest on; see `eigh`.

    Where some are equal, each has the derivative along its vector that LAPACK chose.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.linalg.eigvalsh(tg.tensor([[0.0, 1.0], [1.0, 0.0]]))
    tensor([-1.,  1.], dtype=float64)
    """
    return eigh(square_matrices("eigvalsh", "x", x)).eigenvalues


@checked_call
def svd(x, full_matrices=True):
    """Singular values, from the largest on, and vectors: ``x == U @ diag(S) @ Vh``.

    Parameters
    ----------
    x : Tensor of shape (..., m, n)
    full_matrices : bool
        Whether `U` and `Vh` are square, rather than of the shapes (m, k) and (k, n), k being the
        smaller of m and n.

    Returns
    -------
    triple ``(U, S, Vh)`` of Tensor
        Vectors have gradients only where singular values are distinct, and not 0 unless `x` is square,
        and the loss does not depend on the sign that LAPACK gives to a pair of them.  Else, and for
        vectors that only complete a basis, the walk back raises NotDifferentiable.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.linalg.svd(tg.tensor([[3.0, 0.0], [0.0, -4.0]])).S
    tensor([4., 3.], dtype=float64)
    """
    x = with_axes("svd", "x", x, 2)
    with refused_by_lapack("svd", "LAPACK found no singular values: are all elements finite?"):
        factors = factors_svd(x, full_matrices, True)
    return SingularValues(*unpacked(factors, *svd_shapes(*x.shape[-2:], full_matrices)))


@checked_call
def svdvals(x):
    """Singular values, from the largest on.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.linalg.svdvals(tg.tensor([[3.0, 0.0], [0.0, -4.0]]))
    tensor([4., 3.], dtype=float64)
    """
    x = with_axes("svdvals", "x", x, 2)
    with refused_by_lapack("svdvals", "LAPACK found no singular values: are all elements finite?"):
        return factors_svd(x, False, False)


def tolerances(x, atol, rtol):
    """Return what singular values count from; the usual share is as large as rounding makes them."""
    for word, number in (("atol", atol), ("rtol", rtol)):
        if number is not None and not isinstance(number, numbers.Real):
            raise ArgumentError(f"pinv: {word} is {number!r}: it is a number")
    if rtol is None:
        rtol = 0.0 if atol is not None and atol > 0 else max(x.shape[-2:]) * float(np.finfo(x.dtype).eps)
    return float(atol or 0.0), float(rtol)


@checked_call
def pinv(x, atol=None, rtol=None):
    """Pseudo-inverse (Moore and Penrose's) of matrices, by singular values.

    Parameters
    ----------
    x : Tensor of shape (..., m, n)
    atol, rtol : float, optional
        Singular values up to the larger of `atol` and `rtol` times the largest count as 0.

    Returns
    -------
    Tensor of shape (..., n, m)
        Differentiable as long as the rank stays; where it jumps, so does the function.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.linalg.pinv(tg.tensor([[2.0, 0.0], [0.0, 0.0]]))
    tensor([[0.5, 0. ],
            [0. , 0. ]], dtype=float64)
    """
    x = with_axes("pinv", "x", x, 2)
    with refused_by_lapack("pinv", "LAPACK found no singular values: are all elements finite?"):
        return pseudo_inverse(x, *tolerances(x, atol, rtol))


@checked_call
def matrix_rank(x, atol=None, rtol=None):
    """How many singular values are larger than both tolerances; see `pinv`.  An integer.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.linalg.matrix_rank(tg.tensor([[1.0, 2.0], [2.0, 4.0]]))
    tensor(1, dtype=int64)
    """
    x = with_axes("matrix_rank", "x", x, 2).detach()
    atol, rtol = tolerances(x, atol, rtol)
    s = svdvals(x)
    top = index(s, (Ellipsis, slice(0, 1))).numpy()
    return sum(s > np.maximum(atol, rtol * top), -1)


@checked_call
def lstsq(a, b, rcond=None):
    """The shortest of all `x` for which ``a @ x`` is nearest to `b`.

    Parameters
    ----------
    a : Tensor of shape (..., m, n)
        Of any rank.
    b : Tensor of shape (..., m, columns)
    rcond : float, optional
        Singular values up to `rcond` times the largest count as 0.

    Returns
    -------
    quadruple ``(solution, residuals, rank, singular_values)`` of Tensor
        `residuals` are sums of squares over columns, and have no elements unless ``m > n`` and the
        rank is n.  Rank and singular values have no derivative here.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> a, b = tg.tensor([[1.0], [1.0]]), tg.tensor([[1.0], [3.0]])
    >>> fit = tg.linalg.lstsq(a, b)
    >>> fit.solution, fit.residuals
    (tensor([[2.]], dtype=float64), tensor([2.], dtype=float64))
    """
    a, b = with_axes("lstsq", "a", a, 2), with_axes("lstsq", "b", b, 2)
    check_rows("lstsq", a, b)
    solution = pinv(a, rtol=rcond) @ b
    rank = matrix_rank(a, rtol=rcond)
    m, n = a.shape[-2:]
    residuals = Tensor(np.zeros(0, a.dtype))
    if m > n and bool((rank == n).all()):
        difference = a @ solution - b
        residuals = sum(difference * difference, -2)
    return LeastSquares(solution, residuals, rank, svdvals(a.detach()))
