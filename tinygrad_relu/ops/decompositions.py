"""What LAPACK does with a matrix, or with each of a stack of them, as ops with derivatives.

The rules are those of M. Giles, "Collected matrix derivative results for forward and reverse mode
algorithmic differentiation", 2008, and where stated of others.  An op with several results packs them
end to end into one axis, and `unpacked` takes them apart: so the engine needs no notion of several.
What a user calls stands in `matrices`.
"""

import math

import numpy as np

from tinygrad_relu.errors import ArgumentError, NotDifferentiable, ShapeError
from tinygrad_relu.ops.arithmetic import where
from tinygrad_relu.ops.domain import Draw, case, real
from tinygrad_relu.ops.indexing import index
from tinygrad_relu.ops.reductions import prod
from tinygrad_relu.ops.shapes import concat, reshape
from tinygrad_relu.ops.table import op


def well_conditioned(rng, shape):
    """Draw matrices with singular values that are apart from each other and from 0."""
    count = min(shape[-2:])
    left = np.linalg.qr(rng.standard_normal((*shape[:-2], shape[-2], count)))[0]
    right = np.linalg.qr(rng.standard_normal((*shape[:-2], shape[-1], count)))[0]
    return (left * (1 + 0.7 * np.arange(count))) @ right.swapaxes(-1, -2)


def positive_definite(rng, shape):
    """Draw symmetric matrices with eigenvalues that are apart from each other and above 0."""
    v = np.linalg.qr(rng.standard_normal(shape))[0]
    return (v * (1 + 0.7 * np.arange(shape[-1]))) @ v.swapaxes(-1, -2)


conditioned = Draw(well_conditioned)
definite = Draw(positive_definite)


def silent(function):
    """Let infinity and NaN pass without a warning, as they do through every other op."""
    return np.errstate(all="ignore")(function)


def finite(x):
    """Return an array, or raise: LAPACK's iterations for values and vectors may never end with infinities
    or NaN, and it prints what it thinks of them."""
    if not np.isfinite(x).all():
        raise ArgumentError("x has infinities or NaN: only finite matrices have such factors")
    return x


def packed(*results, batch):
    """Return arrays end to end along one axis, after the axes of a batch."""
    return np.concatenate([x.reshape(*batch, math.prod(x.shape[len(batch) :])) for x in results], -1)


def unpacked(x, *shapes):
    """Return the tensors that were packed end to end into the last axis of `x`."""
    results, start = [], 0
    for shape in shapes:
        stop = start + math.prod(shape)
        results.append(reshape(index(x, (Ellipsis, slice(start, stop))), *x.shape[:-1], *shape))
        start = stop
    return results


def symmetric(x):
    """Return the symmetric part of matrices, of arrays as of tensors."""
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ShapeError(f"x has shape {x.shape}: its last two axes need one length")
    return (x + x.mT) / 2


def column(x):
    """Return `x` with one more axis, at the end."""
    return reshape(x, *x.shape, 1)


def row(x):
    """Return `x` with one more axis, before the last."""
    return reshape(x, *x.shape[:-1], 1, x.shape[-1])


def lower(x, diagonal=0):
    """Return `x` with zeros above a diagonal."""
    return where(np.tri(*x.shape[-2:], diagonal, dtype=bool), x, 0.0)


def is_zero(x):
    """Return where a tensor is exactly 0, as an array."""
    return x.detach().numpy() == 0


def over_gaps(name, k, gaps):
    """Return ``k / gaps``, and 0 on the diagonal.

    Where a gap is 0 the vectors can be turned into each other; that does no harm if nothing depends on
    them, so that `k` is exactly 0 there, too.
    """
    same = is_zero(gaps)
    if (same & ~np.eye(same.shape[-1], dtype=bool) & ~is_zero(k)).any():
        raise NotDifferentiable(
            f"{name}: two values are equal, so that their vectors are not determined and have no "
            "derivative: use the values alone, or a matrix whose values differ"
        )
    return where(same, 0.0, k / where(same, 1.0, gaps))


# ------------------------------------------------------------------------------ systems, determinants

@op(
    silent(np.linalg.solve),
    domain=[
        case(conditioned(3, 3), real(3, 2)),
        case(conditioned(2, 2, 2), real(2, 2, 1)),
        case(conditioned(2, 2), real(3, 2, 2)),
        case(conditioned(3, 2, 2), real(2, 1)),
    ],
    a=lambda g, a, y: -(linear_solve(a.mT, g) @ y.mT),
    b=lambda g, a: linear_solve(a.mT, g),
)
def linear_solve(a, b, /):
    """The `x` for which ``a @ x == b``, matrices all of them, or stacks."""


def cofactors(a, determinant):
    """Return the derivative of the determinant, which is there for singular matrices, too."""
    if not is_zero(determinant).any():
        return reshape(determinant, *determinant.shape, 1, 1) * linear_solve(
            a, np.eye(a.shape[-1], dtype=a.dtype)
        ).mT
    # By singular values: det(u) det(v) u diag(products of the other singular values) v.
    n = a.shape[-1]
    u, s, vh = unpacked(factors_svd(a, False, True), (n, n), (n,), (n, n))
    others = prod(where(np.eye(n, dtype=bool), 1.0, row(s)), -1)
    turns = np.rint(np.linalg.det(u.detach().numpy()) * np.linalg.det(vh.detach().numpy()))
    return u * row(others * turns.astype(a.dtype)[..., None]) @ vh


@op(
    silent(np.linalg.det),
    domain=[case(conditioned(3, 3)), case(conditioned(2, 2, 2)),
            case(Draw(lambda rng, shape: np.diag([1.5, 0.0, -0.7])))],
    a=lambda g, a, y: reshape(g, *g.shape, 1, 1) * cofactors(a, y),
)
def det(a, /):
    """Determinant of a square matrix, or of each of a stack.

    The derivative is the matrix of cofactors, at a singular matrix, too.  The second derivative is there
    as long as not more than one singular value is 0.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.linalg.det(tg.tensor([[2.0, 1.0], [0.0, 3.0]]))
    tensor(6., dtype=float64)
    """


@silent
def sign_and_log(a):
    """Return the sign and the logarithm of a determinant beside each other."""
    return np.stack(np.linalg.slogdet(a), -1)


@op(
    sign_and_log,
    domain=[case(conditioned(3, 3)), case(conditioned(2, 2, 2))],
    a=lambda g, a: reshape(index(g, (Ellipsis, 1)), *g.shape[:-1], 1, 1) * linear_solve(
        a, np.eye(a.shape[-1], dtype=a.dtype)
    ).mT,
)
def sign_and_log_det(a, /):
    """The sign of a determinant, and the logarithm of its absolute value, beside each other."""


# ----------------------------------------------------------------------------------- factorizations

def cholesky_cotangent(g, y):
    """Return the cotangent of ``a`` for that of ``y = cholesky(a)``: Murray, 2016, "Differentiation of
    the Cholesky decomposition", equations 8 to 10."""
    middle = lower(y.mT @ g) * (1 - np.eye(y.shape[-1], dtype=y.dtype) / 2)
    return symmetric(linear_solve(y.mT, linear_solve(y.mT, middle).mT).mT)


@op(
    silent(lambda a: np.linalg.cholesky(symmetric(a))),
    domain=[case(definite(3, 3)), case(definite(2, 2, 2))],
    a=lambda g, y: cholesky_cotangent(g, y),
)
def factor_cholesky(a, /):
    """The lower triangular factor of the symmetric part of `a`."""


def qr_cotangent(g, a, y, complete):
    """Return the cotangent of ``a`` for those of its factors, packed.

    Wide matrices, whose columns beyond the square are ``q.T @ them``, as Walter and Lehmann, 2010,
    "Algorithmic differentiation of linear algebra functions with application in optimum experimental
    design".
    """
    m, n = a.shape[-2:]
    k = min(m, n)
    width = m if complete else k
    (gq, gr), (q, r) = (unpacked(x, (m, width), (width, n)) for x in (g, y))
    first = (Ellipsis, slice(None), slice(0, k))
    if width > k:
        if not is_zero(gq)[..., k:].all():
            raise NotDifferentiable(
                f"qr: the last {m - k} columns of q in mode 'complete' can be any that complete a basis, "
                "and have no derivative: use mode 'reduced'"
            )
        gq, q = index(gq, first), index(q, first)
        top = (Ellipsis, slice(0, k), slice(None))
        gr, r = index(gr, top), index(r, top)
    square = index(r, first)
    if is_zero(square)[..., np.arange(k), np.arange(k)].any():
        raise NotDifferentiable(
            f"qr: the first {k} columns depend on each other: q is not determined, and has no derivative"
        )
    if n == k:
        return tall_qr_cotangent(gq, gr, q, square)
    rest = (Ellipsis, slice(None), slice(k, n))
    beyond = index(gr, rest)
    gq = gq + index(a, rest) @ beyond.mT
    return concat([tall_qr_cotangent(gq, index(gr, first), q, square), q @ beyond], -1)


def tall_qr_cotangent(gq, gr, q, r):
    """Return the cotangent of a matrix with no more columns than rows for those of its factors."""
    m = r @ gr.mT - gq.mT @ q
    return linear_solve(r, (gq + q @ (lower(m) + lower(m, -1).mT)).mT).mT


@silent
def qr_by_lapack(a, complete):
    """Return the factors of `a`, packed."""
    return packed(*np.linalg.qr(finite(a), "complete" if complete else "reduced"), batch=a.shape[:-2])


@op(
    qr_by_lapack,
    domain=[
        case(conditioned(3, 3), complete=False),
        case(conditioned(2, 4, 2), complete=False),
        case(conditioned(2, 4), complete=True),
    ],
    a=qr_cotangent,
)
def factors_qr(a, /, complete):
    """The factors q and r of `a`, packed."""


def eigh_cotangent(g, y, a_shape):
    """Return the cotangent of a symmetric matrix for those of its values and vectors, packed."""
    n = a_shape[-1]
    (gw, gv), (w, v) = (unpacked(x, (n,), (n, n)) for x in (g, y))
    turned = over_gaps("eigh", v.mT @ gv, row(w) - column(w))
    return symmetric(v @ (turned + where(np.eye(n, dtype=bool), row(gw), 0.0)) @ v.mT)


@op(
    silent(lambda a: packed(*np.linalg.eigh(finite(symmetric(a))), batch=a.shape[:-2])),
    domain=[case(definite(3, 3)), case(definite(2, 2, 2))],
    a=lambda g, y, a_shape: eigh_cotangent(g, y, a_shape),
)
def factors_eigh(a, /):
    """Eigenvalues, from the smallest on, and eigenvectors of the symmetric part of `a`, packed."""


def svd_shapes(m, n, full_matrices):
    """Return the shapes of the factors of a matrix of shape (m, n)."""
    k = min(m, n)
    return ((m, m), (k,), (n, n)) if full_matrices else ((m, k), (k,), (k, n))


def svd_cotangent(g, a, y, full_matrices, vectors):
    """Return the cotangent of ``a`` for those of its singular values and vectors, packed.

    J. Townsend, "Differentiating the singular value decomposition", 2016.
    """
    m, n = a.shape[-2:]
    k = min(m, n)
    if not vectors:
        u, _, vh = unpacked(factors_svd(a, False, True), *svd_shapes(m, n, False))
        return u * row(g) @ vh
    (gu, gs, gvh), (u, s, vh) = (unpacked(x, *svd_shapes(m, n, full_matrices)) for x in (g, y))
    if full_matrices and m != n:
        if not (is_zero(gu)[..., k:].all() and is_zero(gvh)[..., k:, :].all()):
            raise NotDifferentiable(
                f"svd: vectors beyond the first {k} can be any that complete a basis, and have no "
                "derivative: use full_matrices=False"
            )
        first, top = (Ellipsis, slice(None), slice(0, k)), (Ellipsis, slice(0, k), slice(None))
        gu, u, gvh, vh = index(gu, first), index(u, first), index(gvh, top), index(vh, top)
    left, right = u.mT @ gu, vh @ gvh.mT
    gaps = (row(s) - column(s)) * (row(s) + column(s))
    middle = over_gaps("svd", left - left.mT, gaps) * row(s)
    middle = middle + column(s) * over_gaps("svd", right - right.mT, gaps)
    cotangent = u @ (middle + where(np.eye(k, dtype=bool), row(gs), 0.0)) @ vh
    # What of the vectors lies outside of the space that the others span.
    if m > k:
        cotangent = cotangent + over_values(gu - u @ left, s) @ vh
    if n > k:
        cotangent = cotangent + u @ over_values(gvh.mT - vh.mT @ right, s).mT
    return cotangent


def over_values(vectors, s):
    """Return columns divided by singular values; columns of 0 stay so."""
    zero = is_zero(s)
    if (zero & ~is_zero(vectors).all(-2)).any():
        raise NotDifferentiable(
            "svd: a singular value is 0, and its vectors are not determined and have no derivative: use "
            "the values alone, or matrices of full rank"
        )
    return where(zero[..., None, :], 0.0, vectors / where(zero[..., None, :], 1.0, row(s)))


@silent
def svd_by_lapack(a, full_matrices, vectors):
    """Return singular values, packed with their vectors if these are wanted."""
    a = finite(a)
    if not vectors:
        return np.linalg.svd(a, compute_uv=False)
    return packed(*np.linalg.svd(a, full_matrices=full_matrices), batch=a.shape[:-2])


@op(
    svd_by_lapack,
    domain=[
        case(conditioned(3, 3), full_matrices=True, vectors=True),
        case(conditioned(2, 4, 2), full_matrices=False, vectors=True),
        case(conditioned(2, 4), full_matrices=False, vectors=True),
        case(conditioned(2, 3, 2), full_matrices=False, vectors=False),
    ],
    a=svd_cotangent,
)
def factors_svd(a, /, full_matrices, vectors):
    """Left singular vectors, singular values from the largest on, right ones in rows, packed."""


def pinv_cotangent(g, a, y):
    """Return the cotangent of ``a`` for that of ``y = pinv(a)``: G. Golub and V. Pereyra, 1973, "The
    differentiation of pseudo-inverses and nonlinear least squares problems", equation 4.12."""
    beside = g.mT - a @ (y @ g.mT)
    above = g.mT - (g.mT @ y) @ a
    return beside @ y @ y.mT + y.mT @ y @ above - y.mT @ g @ y.mT


@silent
def pinv_by_svd(a, atol, rtol):
    """Return pseudo-inverses, without singular values up to the larger of the two tolerances."""
    u, s, vh = np.linalg.svd(finite(a), full_matrices=False)
    kept = s > np.maximum(atol, rtol * s[..., :1])
    scale = np.where(kept, 1 / np.where(kept, s, 1), 0).astype(a.dtype)
    return vh.mT @ (scale[..., None] * u.mT)


@op(
    pinv_by_svd,
    domain=[
        case(conditioned(3, 3), atol=0.0, rtol=1e-12),
        case(conditioned(2, 4, 2), atol=0.0, rtol=1e-12),
        case(conditioned(2, 4), atol=0.0, rtol=1e-12),
    ],
    a=pinv_cotangent,
)
def pseudo_inverse(a, /, atol, rtol):
    """The inverse of `a` on what it maps onto, and 0 elsewhere."""
