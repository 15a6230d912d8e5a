"""Attention with several heads, and transformers' layers, against NumPy."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import nn
from tinygrad_relu.errors import ArgumentError, DTypeError, RangeError, ShapeError


def softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def by_hand(layer, query, key, value, added):
    """Return the result and the weights of each head for one element of a batch."""
    state = {name: x.numpy() for name, x in layer.state_dict().items()}
    width, heads = layer.embed_dim, layer.num_heads
    if "in_proj_weight" in state:
        matrices = np.split(state["in_proj_weight"], 3)
    else:
        matrices = [state[f"{name}_proj_weight"] for name in "qkv"]
    biases = np.split(state.get("in_proj_bias", np.zeros(3 * width)), 3)
    q, k, v = (x @ w.T + b for x, w, b in zip((query, key, value), matrices, biases))
    parts, weights = [], []
    for head in range(heads):
        own = slice(head * width // heads, (head + 1) * width // heads)
        weights.append(softmax(q[:, own] @ k[:, own].T / np.sqrt(width / heads) + added[head]))
        parts.append(weights[-1] @ v[:, own])
    y = np.concatenate(parts, -1) @ state["out_proj.weight"].T + state.get("out_proj.bias", 0)
    return y, np.array(weights)


def drawn(layer, rng):
    for parameter in layer.parameters():
        nn.init.normal_(parameter, generator=rng)
    return layer


@pytest.mark.parametrize("settings", [
    {}, {"batch_first": True}, {"bias": False}, {"kdim": 5, "vdim": 7, "batch_first": True},
])
def test_attention_is_that_of_each_head(settings, rng):
    layer = drawn(nn.MultiheadAttention(8, 2, **settings), rng)
    q, k, v = (rng.standard_normal((3, n, w)) for n, w in ((4, 8), (6, layer.kdim), (6, layer.vdim)))
    shut, padded = rng.random((4, 6)) > 0.7, rng.random((3, 6)) > 0.7
    shut[:, 0] = padded[:, 0] = False
    numbers, each, rows = (rng.standard_normal(shape) for shape in ((4, 6), (6, 4, 6), (3, 6)))
    for options, added in [
        ({}, np.zeros((3, 2, 4, 6))),
        ({"attn_mask": shut}, np.where(shut, -np.inf, 0)),
        ({"attn_mask": numbers}, numbers),
        ({"attn_mask": each}, each.reshape(3, 2, 4, 6)),
        ({"key_padding_mask": padded}, np.where(padded, -np.inf, 0)[:, None, None]),
        ({"key_padding_mask": padded, "attn_mask": shut},
         np.where(padded[:, None, None] | shut, -np.inf, 0)),
        ({"key_padding_mask": padded, "attn_mask": each},
         np.where(padded, -np.inf, 0)[:, None, None] + each.reshape(3, 2, 4, 6)),
        ({"is_causal": True}, np.where(np.tri(4, 6), 0, -np.inf)),
        ({"is_causal": True, "key_padding_mask": padded},
         np.where(padded[:, None, None] | (np.tri(4, 6) == 0), -np.inf, 0)),
        ({"is_causal": True, "attn_mask": numbers}, numbers),
        ({"key_padding_mask": padded, "attn_mask": numbers},
         np.where(padded, -np.inf, 0)[:, None, None] + numbers),
        ({"key_padding_mask": rows, "attn_mask": shut}, np.where(shut, -np.inf, rows[:, None, None])),
    ]:
        added = np.broadcast_to(added, (3, 2, 4, 6))
        inputs = [tg.tensor(x if layer.batch_first else x.transpose(1, 0, 2)) for x in (q, k, v)]
        y, mean = layer(*inputs, **options)
        _, weights = layer(*inputs, average_attn_weights=False, **options)
        y = y if layer.batch_first else y.transpose(0, 1)
        for row in range(3):
            expected, parts = by_hand(layer, q[row], k[row], v[row], added[row])
            np.testing.assert_allclose(y[row].detach(), expected, rtol=1e-9, atol=1e-11)
            np.testing.assert_allclose(weights[row].detach(), parts, rtol=1e-9, atol=1e-11)
            np.testing.assert_allclose(mean[row].detach(), parts.mean(0), rtol=1e-9, atol=1e-11)
    one, weights = layer(tg.tensor(q[0]), tg.tensor(k[0]), tg.tensor(v[0]))
    expected, parts = by_hand(layer, q[0], k[0], v[0], np.zeros((2, 4, 6)))
    np.testing.assert_allclose(one.detach(), expected, rtol=1e-9)
    np.testing.assert_allclose(weights.detach(), parts.mean(0), rtol=1e-9)
    assert layer(*inputs, need_weights=False)[1] is None


def test_masks_leave_the_dtype(rng):
    layer = nn.MultiheadAttention(4, 2, dtype=tg.float32)
    x, shut = tg.ones(3, 2, 4, dtype=tg.float32), np.zeros((2, 3), bool)
    for mask in (None, np.zeros((3, 3), bool), np.zeros((3, 3), np.float32)):
        for padding in (None, shut, shut.astype(np.float32)):
            y, weights = layer(x, x, x, attn_mask=mask, key_padding_mask=padding)
            assert y.dtype == weights.dtype == np.float32


def test_self_attention_is_in_one_product(rng):
    layer = drawn(nn.MultiheadAttention(4, 2, batch_first=True), rng)
    x = tg.tensor(rng.standard_normal((2, 3, 4)))
    np.testing.assert_allclose(layer(x, x, x)[0].detach(), layer(x, x.clone(), x)[0].detach(), rtol=1e-12)


def test_gradients_of_attention(rng):
    layer = drawn(nn.MultiheadAttention(4, 2, kdim=3), rng)
    shapes = (2, 2, 4), (3, 2, 3), (3, 2, 4)
    inputs = [tg.tensor(rng.standard_normal(shape), requires_grad=True) for shape in shapes]
    mask = tg.tensor(rng.standard_normal((2, 3)), requires_grad=True)

    def loss(*_):
        y, weights = layer(*inputs, attn_mask=mask)
        return (y * y).sum() + (weights**2).sum()

    assert tg.gradcheck(loss, [*inputs, mask, *layer.parameters()])


def test_a_query_that_sees_nothing_gets_nothing(rng):
    layer = nn.MultiheadAttention(4, 2, batch_first=True, generator=rng)
    x = tg.tensor(rng.standard_normal((1, 2, 4)), requires_grad=True)
    y, weights = layer(x, x, x, attn_mask=np.array([[True, True], [False, True]]))
    assert weights.tolist() == [[[0, 0], [1, 0]]]
    np.testing.assert_array_equal(y[0, 0].detach(), layer.out_proj.bias.detach())
    y.sum().backward()
    assert np.isfinite(x.grad.numpy()).all()


def test_dropout_is_of_the_weights_in_training(rng):
    layer = nn.MultiheadAttention(4, 2, dropout=0.5, generator=rng)
    x = tg.tensor(rng.standard_normal((10, 3, 4)))
    _, weights = layer(x, x, x, average_attn_weights=False)
    share = (weights.detach().numpy() == 0).mean()
    assert 0.35 < share < 0.65
    assert (layer.eval()(x, x, x, average_attn_weights=False)[1].detach().numpy() > 0).all()


def test_the_beginning_is_that_of_pytorch():
    layer = nn.MultiheadAttention(64, 4)
    assert not layer.in_proj_bias.detach().numpy().any()
    assert not layer.out_proj.bias.detach().numpy().any()
    bound = np.abs(layer.in_proj_weight.detach().numpy()).max()
    assert bound <= np.sqrt(6 / (64 + 192)) < bound * 1.01       # Glorot's, of all three at once
    assert list(layer.state_dict()) == [
        "in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias",
    ]
    assert list(nn.MultiheadAttention(4, 2, vdim=3, bias=False).state_dict()) == [
        "q_proj_weight", "k_proj_weight", "v_proj_weight", "out_proj.weight",
    ]


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_transformers_layer_adds_to_what_was_there(norm_first, rng):
    layer = drawn(nn.TransformerEncoderLayer(
        4, 2, dim_feedforward=6, dropout=0.0, activation="gelu" if norm_first else "relu",
        norm_first=norm_first, batch_first=True, layer_norm_eps=0.01,
    ), rng)
    x = tg.tensor(rng.standard_normal((2, 3, 4)))
    mask = np.triu(np.ones((3, 3), bool), 1)

    def attention(x):
        return layer.self_attn(x, x, x, attn_mask=mask)[0]

    def net(x):
        bend = nn.functional.gelu if norm_first else nn.functional.relu
        return layer.linear2(bend(layer.linear1(x)))

    if norm_first:
        y = x + attention(layer.norm1(x))
        y = y + net(layer.norm2(y))
    else:
        y = layer.norm1(x + attention(x))
        y = layer.norm2(y + net(y))
    np.testing.assert_allclose(layer(x, src_mask=mask).detach(), y.detach(), rtol=1e-12)
    np.testing.assert_allclose(layer(x, is_causal=True).detach(), y.detach(), rtol=1e-12)
    assert layer.norm1.eps == layer.norm2.eps == 0.01
    # What padding holds makes no difference to the other steps.
    padded = np.array([[False, False, True]] * 2)
    other = tg.tensor(np.concatenate([x.numpy()[:, :2], rng.standard_normal((2, 1, 4))], 1))
    a, b = (layer(v, src_key_padding_mask=padded).detach().numpy()[:, :2] for v in (x, other))
    np.testing.assert_allclose(a, b, rtol=1e-12)


def test_a_transformers_layer_drops_in_training(rng):
    layer = nn.TransformerEncoderLayer(4, 2, dim_feedforward=6, dropout=0.5)
    x = tg.tensor(rng.standard_normal((3, 2, 4)))
    assert not np.allclose(layer(x).detach(), layer(x).detach())
    np.testing.assert_array_equal(layer.eval()(x).detach(), layer(x).detach())
    assert {m.p for m in layer.modules() if isinstance(m, nn.Dropout)} == {0.5}
    assert layer.self_attn.dropout == 0.5


def test_an_encoder_is_copies_of_a_layer(rng):
    layer = nn.TransformerEncoderLayer(4, 2, dim_feedforward=6, dropout=0.0, bias=False)
    encoder = nn.TransformerEncoder(layer, 3, nn.LayerNorm(4))
    assert len(encoder.layers) == 3 and encoder.layers[0] is not layer
    assert "layers.2.self_attn.in_proj_weight" in encoder.state_dict()
    assert not any(name.endswith("bias") for name in layer.state_dict())
    x = tg.tensor(rng.standard_normal((3, 2, 4)))
    y = x
    for each in encoder.layers:
        y = each(y, src_mask=np.triu(np.ones((3, 3), bool), 1))
    np.testing.assert_allclose(encoder(x, is_causal=True).detach(), encoder.norm(y).detach(), rtol=1e-12)


@pytest.mark.parametrize(("act", "error", "message"), [
    (lambda: nn.MultiheadAttention(5, 2), ShapeError,
     "^MultiheadAttention: embed_dim 5 does not go into 2 heads"),
    (lambda: nn.MultiheadAttention(4, 0), RangeError, "^MultiheadAttention: num_heads is 0"),
    (lambda: nn.MultiheadAttention(4, 2, dropout=1.5), RangeError, "^MultiheadAttention: dropout is 1.5"),
    (lambda: nn.MultiheadAttention(4, 2, kdim=0), RangeError, "^MultiheadAttention: kdim is 0"),
    (lambda: nn.MultiheadAttention(4, 2)(*[tg.ones(3, 2, 5)] * 3), ShapeError, "query has shape"),
    (lambda: nn.MultiheadAttention(4, 2)(tg.ones(3, 2, 4), *[tg.ones(3, 5, 4)] * 2), ShapeError,
     "one batch"),
    (lambda: nn.MultiheadAttention(4, 2)(*[tg.ones(3, 2, 4)] * 3, attn_mask=tg.ones(2, 3) > 0),
     ShapeError, r"attn_mask has shape \(2, 3\): it has to be \(3, 3\) or \(4, 3, 3\)"),
    (lambda: nn.MultiheadAttention(4, 2)(*[tg.ones(3, 2, 4)] * 3, key_padding_mask=tg.ones(3, 2) > 0),
     ShapeError, r"key_padding_mask has shape \(3, 2\): it has to be \(2, 3\)"),
    (lambda: nn.MultiheadAttention(4, 2)(*[tg.ones(3, 2, 4)] * 3, attn_mask=np.ones((3, 3), int)),
     DTypeError, "attn_mask is int64: pass booleans"),
    (lambda: nn.TransformerEncoderLayer(4, 2, activation="tanh"), ArgumentError,
     "^TransformerEncoderLayer: activation is 'tanh': it is 'relu', 'gelu' or a function"),
    (lambda: nn.TransformerEncoder("layer", 2), ArgumentError,
     "^TransformerEncoder: encoder_layer is a str"),
    (lambda: nn.TransformerEncoder(nn.ReLU(), 0), RangeError, "^TransformerEncoder: num_layers is 0"),
])
def test_errors_say_what(act, error, message):
    with pytest.raises(error, match=message):
        act()
