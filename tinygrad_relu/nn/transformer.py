"""Transformers' layers: attention and a net for each step, with what was there added to each."""

from copy import deepcopy

from tinygrad_relu.errors import ArgumentError
from tinygrad_relu.nn.attention import MultiheadAttention
from tinygrad_relu.nn.containers import ModuleList
from tinygrad_relu.nn.dropout import Dropout
from tinygrad_relu.nn.linear import Linear
from tinygrad_relu.nn.module import Module
from tinygrad_relu.nn.normalization import LayerNorm
from tinygrad_relu.nn.settings import checked_constructor, truth
from tinygrad_relu.ops.activations import gelu
from tinygrad_relu.ops.gates import relu
from tinygrad_relu.ops.operands import whole

ACTIVATIONS = {"relu": relu, "gelu": gelu}


class TransformerEncoderLayer(Module):
    """Attention of steps to each other, and a net of two layers for each step.

    Parameters
    ----------
    d_model : int
        The width of a step.
    nhead : int
        How many heads, a divisor of `d_model`.
    dim_feedforward : int
        How many hidden units the net has.
    dropout : float
    activation : {'relu', 'gelu'} or function
    layer_norm_eps : float
    batch_first : bool
        Whether the input is (batch, steps, width), rather than (steps, batch, width).
    norm_first : bool
        Whether normalisation comes before attention and net, rather than behind what they are added to.
    bias : bool
    device, dtype, generator
        As in `Linear`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> layer = tg.nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True)
    >>> layer(tg.zeros(5, 3, 8)).shape
    (5, 3, 8)
    """

    @checked_constructor
    def __init__(
        self, d_model, nhead, dim_feedforward=2048, dropout=0.1, activation="relu",
        layer_norm_eps=1e-5, batch_first=False, norm_first=False, bias=True, device=None, dtype=None,
        generator=None,
    ):
        super().__init__()
        name = "TransformerEncoderLayer"
        if not callable(activation) and activation not in ACTIVATIONS:
            raise ArgumentError(
                f"{name}: activation is {activation!r}: it is 'relu', 'gelu' or a function"
            )
        drawn = {"device": device, "dtype": dtype, "generator": generator}
        scaled = {"eps": layer_norm_eps, "bias": bias, "device": device, "dtype": dtype}
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout, bias, batch_first=batch_first, **drawn
        )
        self.linear1 = Linear(d_model, dim_feedforward, bias, **drawn)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, **drawn)
        self.norm1, self.norm2 = LayerNorm(d_model, **scaled), LayerNorm(d_model, **scaled)
        self.dropout1, self.dropout2 = Dropout(dropout), Dropout(dropout)
        self.norm_first = truth(name, "norm_first", norm_first)
        self.activation = ACTIVATIONS.get(activation, activation)

    def forward(self, src, src_mask=None, src_key_padding_mask=None, is_causal=False):
        """Return steps of the shape of `src`; masks as those of `MultiheadAttention`."""
        masks = src_mask, src_key_padding_mask, is_causal
        if self.norm_first:
            x = src + self.attended(self.norm1(src), *masks)
            return x + self.computed(self.norm2(x))
        x = self.norm1(src + self.attended(src, *masks))
        return self.norm2(x + self.computed(x))

    def attended(self, x, mask, key_padding_mask, is_causal):
        """Return what attention gives."""
        y, _ = self.self_attn(
            x, x, x, key_padding_mask=key_padding_mask, need_weights=False, attn_mask=mask,
            is_causal=is_causal,
        )
        return self.dropout1(y)

    def computed(self, x):
        """Return what the net gives."""
        return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))


class TransformerEncoder(Module):
    """Layers one after the other, each a copy of one to begin with.

    Parameters
    ----------
    encoder_layer : Module
    num_layers : int
    norm : Module, optional
        Comes last.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> layer = tg.nn.TransformerEncoderLayer(8, 2, dim_feedforward=16)
    >>> encoder = tg.nn.TransformerEncoder(layer, 3, norm=tg.nn.LayerNorm(8))
    >>> encoder(tg.zeros(3, 5, 8)).shape
    (3, 5, 8)
    """

    @checked_constructor
    def __init__(self, encoder_layer, num_layers, norm=None):
        super().__init__()
        name = "TransformerEncoder"
        for word, module in (("encoder_layer", encoder_layer), ("norm", norm)):
            if not isinstance(module, Module) and not (word == "norm" and module is None):
                raise ArgumentError(f"{name}: {word} is a {type(module).__name__}: pass a module")
        self.num_layers = whole(name, "num_layers", num_layers, 1)
        self.layers = ModuleList(deepcopy(encoder_layer) for _ in range(num_layers))
        self.norm = norm

    def forward(self, src, mask=None, src_key_padding_mask=None, is_causal=False):
        """Return steps of the shape of `src`; masks as those of `MultiheadAttention`."""
        for layer in self.layers:
            src = layer(
                src, src_mask=mask, src_key_padding_mask=src_key_padding_mask, is_causal=is_causal
            )
        return src if self.norm is None else self.norm(src)
