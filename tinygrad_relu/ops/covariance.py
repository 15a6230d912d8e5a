"""Covariances of variables, and their correlations."""

import numpy as np

from tinygrad_relu.engine import checked_call
from tinygrad_relu.errors import RangeError, ShapeError
from tinygrad_relu.ops.arithmetic import clamp
from tinygrad_relu.ops.exponential import sqrt
from tinygrad_relu.ops.operands import with_axes
from tinygrad_relu.ops.rearranging import diagonal
from tinygrad_relu.ops.reductions import sum
from tinygrad_relu.ops.shapes import reshape
from tinygrad_relu.ops.taking import array_of


def weights_of(x, fweights, aweights):
    """Return the weight of each observation as an array, or None, after checks."""
    weights = None
    for word, given, kinds in (("fweights", fweights, "iu"), ("aweights", aweights, "iuf")):
        if given is None:
            continue
        given = array_of("cov", given)
        if given.shape != x.shape[-1:] or given.dtype.kind not in kinds or (given < 0).any():
            raise ShapeError(
                f"cov: {word} has shape {given.shape} and dtype {given.dtype}: one number that is not "
                f"negative is needed for each of {x.shape[-1]} observations"
                f"{', whole ones' if kinds == 'iu' else ''}"
            )
        weights = given if weights is None else weights * given
    return weights


@checked_call
def cov(x, correction=1, fweights=None, aweights=None):
    """Covariances of variables, which are rows, from observations, which are columns.

    Parameters
    ----------
    x : Tensor
        One or two axes.
    correction : int, default 1
        What is taken from the number of observations before it divides.
    fweights : Tensor of int, optional
        How often each observation was made.
    aweights : Tensor, optional
        How much each counts.  No gradient passes to either.

    Returns
    -------
    Tensor
        A matrix; of one axis the variance.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.cov(tg.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]], dtype=float64)
    """
    x = with_axes("cov", "x", x, 0, 2)
    rows = reshape(x, -1, x.shape[-1] if x.ndim else 1)
    weights = weights_of(rows, fweights, aweights)
    if weights is None:
        total, divisor = rows.shape[1], rows.shape[1] - correction
        weighted = rows
    else:
        total = weights.sum()
        squares = total if aweights is None else (weights * array_of("cov", aweights)).sum()
        divisor = total - correction * (squares / total if total else 0)
        weights = weights.astype(x.dtype)
        weighted = rows * weights
    if weights is not None and total <= 0:
        raise RangeError("cov: the weights sum to 0")
    centered = rows - sum(weighted, 1, True) / np.asarray(total, x.dtype)
    spread = centered if weights is None else centered * weights
    product = spread @ centered.mT
    # With too few observations it is infinite or NaN, as in NumPy and PyTorch.
    found = product / np.asarray(max(divisor, 0), x.dtype)
    return found if x.ndim == 2 else reshape(found)


@checked_call
def corrcoef(x):
    """Correlations of variables, which are rows, from observations, which are columns; see `cov`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.corrcoef(tg.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]], dtype=float64)
    """
    c = cov(x)
    if c.ndim == 0:
        return c / c
    deviation = sqrt(diagonal(c))
    # Rounding may lead beyond 1.
    return clamp(c / reshape(deviation, -1, 1) / deviation, -1, 1)
