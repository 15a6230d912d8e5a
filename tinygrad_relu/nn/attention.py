"""Attention: means of values, weighted by how well keys fit queries; as a function, and as a module."""

import math

import numpy as np

from tinygrad_relu.engine import checked_call
from tinygrad_relu.errors import ArgumentError, DTypeError, ShapeError
from tinygrad_relu.nn.dropout import dropout
from tinygrad_relu.nn.init import xavier_uniform_, zeros_
from tinygrad_relu.nn.linear import Linear
from tinygrad_relu.nn.module import Module
from tinygrad_relu.nn.settings import checked_constructor, new_parameter, truth
from tinygrad_relu.ops.arithmetic import where
from tinygrad_relu.ops.linalg import linear
from tinygrad_relu.ops.neural import softmax
from tinygrad_relu.ops.operands import probability, tensor_from, whole, with_axes


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
    if is_causal and attn_mask is not None:
        raise ArgumentError(f"{name}: is_causal is a mask of its own: leave out attn_mask")
    weights = weights_of_keys(name, query, key, attn_mask, is_causal, scale)
    return dropout(weights, dropout_p, generator=generator) @ value


def weights_of_keys(name, query, key, mask, is_causal, scale=None):
    """Return how much each key counts for each query."""
    # Of the two, the query is what has fewer elements than the scores, mostly.
    scores = (query * (1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else scale)) @ key.mT
    if is_causal:
        # Every query sees the first key, so no row is left without any; and a sum is one pass.
        seen = np.tri(*scores.shape[-2:], dtype=bool)
        scores = scores + np.where(seen, 0, -np.inf).astype(scores.dtype)
    return softmax(scores, -1) if mask is None else masked_softmax(name, scores, mask)


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


class MultiheadAttention(Module):
    """Attention by several heads, each in a space of its own.

    Parameters
    ----------
    embed_dim : int
        The width of queries and results.
    num_heads : int
        A divisor of `embed_dim`.
    dropout : float
        In training, which share of the weights of keys is left out.
    bias : bool
    kdim, vdim : int, optional
        The widths of keys and values, `embed_dim` if they are not given.
    batch_first : bool
        Whether all are (batch, steps, width), rather than (steps, batch, width).
    device, dtype, generator
        As in `Linear`.

    Attributes
    ----------
    in_proj_weight : Parameter of shape (3 * embed_dim, embed_dim), or None
        For queries, keys and values, one below the other; of other widths `q_proj_weight`,
        `k_proj_weight` and `v_proj_weight` stand in its place.
    in_proj_bias : Parameter of shape (3 * embed_dim,), or None
    out_proj : Linear

    Notes
    -----
    Vaswani et al., "Attention is all you need", 2017.  A query that no key takes part for gets 0 from
    its heads, where PyTorch gives NaN.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> attention = tg.nn.MultiheadAttention(8, 2, batch_first=True)
    >>> x = tg.zeros(5, 3, 8)
    >>> y, weights = attention(x, x, x)
    >>> y.shape, weights.shape
    ((5, 3, 8), (5, 3, 3))
    """

    @checked_constructor
    def __init__(
        self, embed_dim, num_heads, dropout=0.0, bias=True, kdim=None, vdim=None, batch_first=False,
        device=None, dtype=None, generator=None,
    ):
        super().__init__()
        name = "MultiheadAttention"
        self.embed_dim = whole(name, "embed_dim", embed_dim, 1)
        self.num_heads = whole(name, "num_heads", num_heads, 1)
        if embed_dim % num_heads:
            raise ShapeError(f"{name}: embed_dim {embed_dim} does not go into {num_heads} heads")
        self.dropout = probability(name, "dropout", dropout)
        self.kdim = embed_dim if kdim is None else whole(name, "kdim", kdim, 1)
        self.vdim = embed_dim if vdim is None else whole(name, "vdim", vdim, 1)
        self.batch_first = truth(name, "batch_first", batch_first)
        new = new_parameter(name, device, dtype)
        one_width = self.kdim == self.vdim == embed_dim
        self.in_proj_weight = new(3 * embed_dim, embed_dim) if one_width else None
        self.q_proj_weight = None if one_width else new(embed_dim, embed_dim)
        self.k_proj_weight = None if one_width else new(embed_dim, self.kdim)
        self.v_proj_weight = None if one_width else new(embed_dim, self.vdim)
        self.in_proj_bias = new(3 * embed_dim) if truth(name, "bias", bias) else None
        self.out_proj = Linear(embed_dim, embed_dim, bias, dtype=dtype, generator=generator)
        self.reset_parameters(generator)

    def reset_parameters(self, generator=None):
        """Draw the weights of the heads anew, and set biases to 0."""
        for weight in (
            self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight
        ):
            if weight is not None:
                xavier_uniform_(weight, generator=generator)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                zeros_(bias)

    def forward(
        self, query, key, value, key_padding_mask=None, need_weights=True, attn_mask=None,
        average_attn_weights=True, is_causal=False,
    ):
        """Return the result, and the weights of the keys or None.

        Parameters
        ----------
        query, key, value : Tensor
            Of shape (steps, batch, width), or with the batch first, or without a batch.
        key_padding_mask : Tensor of shape (batch, keys), optional
            True for keys that take no part; or numbers that are added to the scores.
        need_weights : bool
            Whether weights are returned.
        attn_mask : Tensor of shape (queries, keys) or (batch * heads, queries, keys), optional
            True where a key takes no part; or numbers that are added to the scores.
        average_attn_weights : bool
            Whether the mean over the heads is returned, rather than the weights of each.
        is_causal : bool
            Whether query k sees the keys up to k only, where no `attn_mask` is given.
        """
        inputs, single = self.with_batches(query=query, key=key, value=value)
        batch, queries = inputs[0].shape[:2]
        keys = inputs[1].shape[1]
        q, k, v = (
            x.reshape(batch, -1, self.num_heads, self.embed_dim // self.num_heads).transpose(1, 2)
            for x in self.projected(*inputs)
        )
        causal = is_causal and attn_mask is None
        if causal and key_padding_mask is not None:
            attn_mask, causal = ~np.tri(queries, keys, dtype=bool), False
        mask = self.joined_mask(attn_mask, key_padding_mask, batch, queries, keys)
        weights = weights_of_keys("MultiheadAttention", q, k, mask, causal)
        weights = dropout(weights, self.dropout, self.training)
        y = (weights @ v).transpose(1, 2).reshape(batch, queries, self.embed_dim)
        y = self.out_proj(y if self.batch_first or single else y.transpose(0, 1))
        if not need_weights:
            return y[0] if single else y, None
        weights = weights.mean(1) if average_attn_weights else weights
        return (y[0], weights[0]) if single else (y, weights)

    def with_batches(self, **inputs):
        """Return tensors of shape (batch, steps, width), and whether there was no batch, or raise."""
        name = "MultiheadAttention"
        widths = {"query": self.embed_dim, "key": self.kdim, "value": self.vdim}
        inputs = {word: with_axes(name, word, x, 2, 3) for word, x in inputs.items()}
        for word, x in inputs.items():
            if x.ndim != inputs["query"].ndim or x.shape[-1] != widths[word]:
                raise ShapeError(
                    f"{name}: {word} has shape {x.shape}, and query {inputs['query'].shape}: they need "
                    f"as many axes, and {word} the width {widths[word]}"
                )
        single = inputs["query"].ndim == 2
        if single:
            ready = [x[None] for x in inputs.values()]
        else:
            ready = [x if self.batch_first else x.transpose(0, 1) for x in inputs.values()]
        query, key, value = ready
        if key.shape[:2] != value.shape[:2] or query.shape[0] != key.shape[0]:
            raise ShapeError(
                f"{name}: query {query.shape}, key {key.shape} and value {value.shape}, with the batch "
                "first, do not fit: they need one batch, and key and value as many steps"
            )
        return ready, single

    def projected(self, query, key, value):
        """Return queries, keys and values in the spaces of the heads."""
        width, bias = self.embed_dim, self.in_proj_bias
        if self.in_proj_weight is not None and query is key is value:
            return linear(query, self.in_proj_weight, bias).chunk(3, -1)
        if self.in_proj_weight is not None:
            weights = [self.in_proj_weight[k * width : (k + 1) * width] for k in range(3)]
        else:
            weights = [self.q_proj_weight, self.k_proj_weight, self.v_proj_weight]
        return [
            linear(x, weight, None if bias is None else bias[k * width : (k + 1) * width])
            for k, (x, weight) in enumerate(zip((query, key, value), weights))
        ]

    def joined_mask(self, attn_mask, key_padding_mask, batch, queries, keys):
        """Return all masks in one, true where a key takes part or numbers to be added, or None."""
        name = "MultiheadAttention"
        masks = []
        if attn_mask is not None:
            mask = shut(name, "attn_mask", attn_mask, (queries, keys), (
                batch * self.num_heads, queries, keys
            ))
            masks.append(
                mask if mask.ndim == 2 else mask.reshape(batch, self.num_heads, queries, keys)
            )
        if key_padding_mask is not None:
            shapes = ((batch, keys), (keys,)) if batch == 1 else ((batch, keys),)
            mask = shut(name, "key_padding_mask", key_padding_mask, *shapes)
            masks.append(mask.reshape(batch, 1, 1, keys))
        if len(masks) < 2:
            return masks[0] if masks else None
        first, second = sorted(masks, key=lambda mask: mask.dtype.kind != "b")
        if second.dtype.kind == "b":
            return first & second
        return where(first, second, -np.inf) if first.dtype.kind == "b" else first + second

    def extra_repr(self):
        return f"{self.embed_dim}, num_heads={self.num_heads}"


def shut(name, word, mask, *shapes):
    """Return a mask of PyTorch's modules, true where a key takes no part, the other way round."""
    mask = tensor_from(name, word, mask)
    if mask.shape not in shapes:
        wanted = " or ".join(map(str, shapes))
        raise ShapeError(f"{name}: {word} has shape {mask.shape}: it has to be {wanted}")
    if mask.dtype.kind not in "bf":
        raise DTypeError(f"{name}: {word} is {mask.dtype}: pass booleans, or numbers that are added")
    return ~mask if mask.dtype.kind == "b" else mask
