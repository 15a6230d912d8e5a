"""Norms of vectors and matrices, and what compares by them: condition, direction, distance."""

import math

import numpy as np

from tinygrad_relu.engine import checked_call
from tinygrad_relu.errors import ArgumentError, ShapeError
from tinygrad_relu.ops.arithmetic import absolute, clamp_min, where
from tinygrad_relu.ops.exponential import power, sqrt, square
from tinygrad_relu.ops.indexing import index
from tinygrad_relu.ops.matrices import inv, slogdet, square_matrices, svdvals
from tinygrad_relu.ops.operands import real_tensor, with_axes
from tinygrad_relu.ops.reductions import amax, amin, sum
from tinygrad_relu.ops.shapes import cast, checked_axis, numbers_as_vectors, permute, reshape


def checked_axes(name, axis, ndim):
    """Return the axes that `axis` names, counted from the front; all for None."""
    if axis is None:
        return tuple(range(ndim))
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = tuple(checked_axis(name, k, ndim) for k in axes)
    if len(set(axes)) < len(axes):
        raise ShapeError(f"{name}: axis {axis} names one axis twice")
    return axes


def root_of(total, function):
    """Return `function` of sums that are not negative, with the derivative 0 where they are 0."""
    zero = total == 0
    return where(zero, 0.0, function(where(zero, 1.0, total)))


def order_of(name, ord):
    """Return `ord` as a number, or raise."""
    if isinstance(ord, bool) or not isinstance(ord, (int, float, np.number)):
        raise ArgumentError(f"{name}: ord is {ord!r}: it is a number")
    return float(ord)


@checked_call
@numbers_as_vectors
def vector_norm(x, ord=2, axis=None, keepdims=False, dtype=None):
    """Norm of vectors: ``sum(abs(x) ** ord) ** (1 / ord)``.

    Parameters
    ----------
    x : Tensor
    ord : float
        Also inf (the largest absolute value), -inf (the smallest) and 0 (how many are not 0).
    axis : int or tuple of int, optional
        Over which axes; over all of the flattened tensor if it is None.
    keepdims : bool
    dtype : dtype, optional
        What to compute in.

    Returns
    -------
    Tensor
        The derivative at the zero vector is 0, as in PyTorch; elements that tie share that of inf.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.linalg.vector_norm(tg.tensor([3.0, -4.0]))
    tensor(5., dtype=float64)
    """
    name = "vector_norm"
    x, ord = real_tensor(name, "x", x), order_of(name, ord)
    x = x if dtype is None else cast(x, np.dtype(dtype))
    axes = checked_axes(name, axis, x.ndim)
    if ord == 2:
        return root_of(sum(square(x), axes, keepdims), sqrt)
    if ord == 0:
        return sum(where(x != 0, 1.0, x * 0), axes, keepdims)
    if ord == 1:
        return sum(absolute(x), axes, keepdims)
    if (math.isinf(ord) or ord < 0) and any(x.shape[k] == 0 for k in axes):
        raise ShapeError(f"{name}: of order {ord} over no elements: x has shape {x.shape}")
    if math.isinf(ord):
        return (amax if ord > 0 else amin)(absolute(x), axes, keepdims)
    powers = power(absolute(x), ord)
    if ord > 0:
        # abs(x) ** ord has a derivative of 0 at 0 or an infinite one, and NaN at second order.
        zero = x == 0
        powers = where(zero, 0.0, power(where(zero, 1.0, absolute(x)), ord))
        return root_of(sum(powers, axes, keepdims), lambda total: power(total, 1 / ord))
    return power(sum(powers, axes, keepdims), 1 / ord)


@checked_call
def matrix_norm(x, ord="fro", axis=(-2, -1), keepdims=False, dtype=None):
    """Norm of matrices.

    Parameters
    ----------
    x : Tensor
    ord : {'fro', 'nuc', inf, -inf, 1, -1, 2, -2}
        Frobenius' (root of the sum of squares), the sum of singular values, the largest or smallest sum
        of absolute values of a row (inf, -inf) or column (1, -1), or singular value (2, -2).
    axis : pair of int
    keepdims : bool
    dtype : dtype, optional

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> x = tg.tensor([[3.0, 0.0], [4.0, 0.0]])
    >>> tg.linalg.matrix_norm(x), tg.linalg.matrix_norm(x, 1)
    (tensor(5., dtype=float64), tensor(7., dtype=float64))
    """
    name = "matrix_norm"
    x = with_axes(name, "x", x, 2)
    x = x if dtype is None else cast(x, np.dtype(dtype))
    axes = checked_axes(name, axis, x.ndim)
    if len(axes) != 2:
        raise ArgumentError(f"{name}: axis is {axis!r}: a matrix has two")
    if ord == "fro":
        return vector_norm(x, 2, axes, keepdims)
    if ord not in ("nuc", 1, -1, 2, -2, math.inf, -math.inf):
        raise ArgumentError(f"{name}: ord is {ord!r}: it is 'fro', 'nuc', 1, -1, 2, -2, inf or -inf")
    others = [k for k in range(x.ndim) if k not in axes]
    matrices = permute(x, *others, *axes)
    if ord in ("nuc", 2, -2):
        s = svdvals(matrices)
        y = sum(s, -1) if ord == "nuc" else (amax if ord > 0 else amin)(s, -1)
    else:
        sums = sum(absolute(matrices), -1 if math.isinf(ord) else -2)
        y = (amax if ord > 0 else amin)(sums, -1)
    return reshape(y, *[1 if k in axes else n for k, n in enumerate(x.shape)]) if keepdims else y


@checked_call
def norm(x, ord=None, axis=None, keepdims=False, dtype=None):
    """`vector_norm` or `matrix_norm`, as ``torch.linalg.norm`` chooses between them.

    Without `ord`, the 2-norm of the flattened tensor or over `axis`.  With `ord` and two axes, or a
    matrix and no axes, that of matrices; else that of vectors.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.linalg.norm(tg.tensor([[3.0, 0.0], [4.0, 0.0]]), "nuc")
    tensor(5., dtype=float64)
    """
    x = real_tensor("norm", "x", x)
    if ord is None:
        return vector_norm(x, 2, axis, keepdims, dtype)
    if axis is None:
        if x.ndim not in (1, 2):
            raise ShapeError(f"norm: with ord and no axis x has one or two axes, not shape {x.shape}")
        axis = tuple(range(x.ndim))
    if isinstance(axis, (tuple, list)) and len(axis) == 2:
        return matrix_norm(x, ord, axis, keepdims, dtype)
    return vector_norm(x, ord, axis, keepdims, dtype)


@checked_call
def cond(x, p=None):
    """Condition of matrices: how much larger a relative error may be in a solution than in the data.

    Parameters
    ----------
    x : Tensor of shape (..., m, n)
        Square, unless `p` is None, 2 or -2.
    p : as `ord` of `matrix_norm`, optional
        In which norm; 2 (the quotient of the outer singular values) if it is not given.

    Returns
    -------
    Tensor
        Of a singular matrix infinite; of 0, too, as in NumPy (in PyTorch that is NaN with 2).

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.linalg.cond(tg.tensor([[4.0, 0.0], [0.0, 2.0]]))
    tensor(2., dtype=float64)
    """
    if p in (None, 2, -2):
        s = svdvals(with_axes("cond", "x", x, 2))
        if s.shape[-1] == 0:
            raise ShapeError("cond: x has no elements")
        first, last = index(s, (Ellipsis, 0)), index(s, (Ellipsis, -1))
        quotient = last / first if p == -2 else first / last
        return where((first == 0) & (last == 0), math.inf, quotient)
    x = square_matrices("cond", "x", x)
    singular = slogdet(x.detach()).sign == 0
    regular = where(index(singular, (..., None, None)), np.eye(x.shape[-1], dtype=x.dtype), x)
    return where(singular, math.inf, matrix_norm(regular, p) * matrix_norm(inv(regular), p))


@checked_call
def normalize(input, p=2.0, axis=1, eps=1e-12):
    """`input` divided by its norm along an axis, or by `eps` where that is larger.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.functional.normalize(tg.tensor([[3.0, 4.0], [0.0, 0.0]]))
    tensor([[0.6, 0.8],
            [0. , 0. ]], dtype=float64)
    """
    x = real_tensor("normalize", "input", input)
    axes = checked_axes("normalize", axis, x.ndim or 1)
    return x / clamp_min(vector_norm(x, p, axes, True), eps)


@checked_call
def cosine_similarity(x1, x2, axis=1, eps=1e-8):
    """Cosine of the angle between vectors along an axis; the others broadcast.

    Each norm counts as `eps` at least, so that the zero vector gives 0.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.cosine_similarity(tg.tensor([[1.0, 0.0]]), tg.tensor([[3.0, 3.0]]))
    tensor([0.70710678], dtype=float64)
    """
    a, b = real_tensor("cosine_similarity", "x1", x1), real_tensor("cosine_similarity", "x2", x2)
    try:
        shape = np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        raise ShapeError(f"cosine_similarity: shapes {a.shape} and {b.shape} do not fit") from None
    ndim = len(shape) or 1
    axis = checked_axis("cosine_similarity", axis, ndim)
    a, b = (reshape(x, *[1] * (ndim - x.ndim), *x.shape) for x in (a, b))
    if a.shape[axis] != b.shape[axis]:
        raise ShapeError(f"cosine_similarity: shapes {a.shape} and {b.shape} differ along axis {axis}")
    a, b = (x / clamp_min(vector_norm(x, 2, axis, True), eps) for x in (a, b))
    return sum(a * b, axis)


@checked_call
def dist(a, b, p=2):
    """Norm of ``a - b`` of order `p`, as one vector.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.dist(tg.tensor([4.0, 5.0]), tg.tensor([1.0, 1.0]))
    tensor(5., dtype=float64)
    """
    return vector_norm(real_tensor("dist", "a", a) - real_tensor("dist", "b", b), p)


@checked_call
def cdist(x1, x2, p=2.0, compute_mode=None):
    """Distances of all rows of `x1` from all of `x2`: norms of order `p`.

    Parameters
    ----------
    x1 : Tensor of shape (..., m, features)
    x2 : Tensor of shape (..., n, features)
    p : float, default 2
    compute_mode : str, optional
        PyTorch's, which changes nothing here: differences are taken in any case.

    Returns
    -------
    Tensor of shape (..., m, n)
        Where two rows are equal the derivative is 0.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.cdist(tg.tensor([[0.0, 0.0]]), tg.tensor([[3.0, 4.0], [0.0, 1.0]]))
    tensor([[5., 1.]], dtype=float64)
    """
    a, b = with_axes("cdist", "x1", x1, 2), with_axes("cdist", "x2", x2, 2)
    if a.shape[-1] != b.shape[-1]:
        raise ShapeError(f"cdist: x1 has shape {a.shape}, x2 has shape {b.shape}: features differ")
    a, b = index(a, (..., None, slice(None))), index(b, (..., None, slice(None), slice(None)))
    return vector_norm(a - b, p, -1)


@checked_call
def pdist(x, p=2.0):
    """Distances of all pairs of rows, those of the first row first: norms of order `p`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.functional.pdist(tg.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]))
    tensor([5.        , 1.        , 4.24264069], dtype=float64)
    """
    x = with_axes("pdist", "x", x, 2, 2)
    first, second = np.triu_indices(x.shape[0], 1)
    return vector_norm(index(x, (first,)) - index(x, (second,)), p, -1)


@checked_call
def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdims=False):
    """Norm of ``x1 - x2 + eps`` along the last axis, so that equal vectors have a derivative, too.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.pairwise_distance(tg.tensor([[4.0, 5.0]]), tg.tensor([[1.0, 1.0]]), eps=0.0)
    tensor([5.], dtype=float64)
    """
    a, b = with_axes("pairwise_distance", "x1", x1, 1), with_axes("pairwise_distance", "x2", x2, 1)
    if a.shape[-1] != b.shape[-1]:
        raise ShapeError(f"pairwise_distance: x1 has shape {a.shape}, x2 has shape {b.shape}")
    return vector_norm(a - b + eps, p, -1, keepdims)
