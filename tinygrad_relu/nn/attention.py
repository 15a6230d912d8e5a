"""Attention: means of values, weighted by how well keys fit queries."""

import math

import numpy as np

from tinygrad_relu.engine import checked_call
from tinygrad_relu.errors import ArgumentError, ShapeError
from tinygrad_relu.nn.dropout import dropout
from tinygrad_relu.ops.arithmetic import where
from tinygrad_relu.ops.neural import softmax
from tinygrad_relu.ops.operands import tensor_from, with_axes


@checked_call
def scaled_dot_product_attention(
    query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, generator=None
):
    """``softmax(query @ key.mT * scale) @ value``.

    Parameters
    ----------
    query : Tensor of shape (..., queries, width)
    key : Tensor of shape (..., keys, width)
    value : Tensor of shape (..., keys, columns)
    attn_mask : Tensor, optional
        Broadcastable to (..., queries, keys): booleans, true where a key takes part, or numbers that
        are added to the scores.
    dropout_p : float
        With which probability a weight is left out; always, for there is no `training` here.
    is_causal : bool
        Whether query k sees the keys up to k only; then there is no mask.
    scale : float, optional
        ``1 / sqrt(width)`` if it is not given.
    generator : numpy.random.Generator, optional

    Returns
    -------
    Tensor of shape (..., queries, columns)
        0 for a query that no key takes part for, as in PyTorch.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> x = tg.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> tg.nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True)[0]
    tensor([1., 0.], dtype=float64)
    """
    name = "scaled_dot_product_attention"
    query, key, value = (
        with_axes(name, word, x, 2) for word, x in (("query", query), ("key", key), ("value", value))
    )
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise ShapeError(
            f"{name}: query {query.shape}, key {key.shape} and value {value.shape} do not fit: the last "
            "axes of query and key need one length, and key and value as many rows"
        )
    # Of the two, the query is what has fewer elements than the scores, mostly.
    scores = (query * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)) @ key.mT
    if is_causal:
        if attn_mask is not None:
            raise ArgumentError(f"{name}: is_causal is a mask of its own: leave out attn_mask")
        # Every query sees the first key, so no row is left without any; and a sum is one pass.
        scores = scores + np.where(np.tri(*scores.shape[-2:], dtype=bool), 0, -np.inf).astype(scores.dtype)
    weights = softmax(scores, -1) if attn_mask is None else masked_softmax(name, scores, attn_mask)
    return dropout(weights, dropout_p, generator=generator) @ value


def masked_softmax(name, scores, mask):
    """Return the softmax of what a mask lets through; 0 where it lets nothing through."""
    mask = tensor_from(name, "attn_mask", mask)
    if mask.dtype.kind == "b":
        open_ = mask.numpy()
    else:
        open_ = mask.detach().numpy() != -np.inf
        mask = where(open_, mask, 0.0)
    try:
        if np.broadcast_shapes(open_.shape, scores.shape) != scores.shape:
            raise ValueError
    except ValueError:
        raise ShapeError(
            f"{name}: attn_mask has shape {open_.shape}, the scores have shape {scores.shape}"
        ) from None
    if mask.dtype.kind != "b":
        scores = scores + mask
    # A row of -inf alone would give NaN, and NaN to what is behind it.
    some = open_.any(-1, keepdims=True)
    weights = softmax(where(open_ | ~some, scores, -np.inf), -1)
    return weights if some.all() else where(some, weights, 0.0)
