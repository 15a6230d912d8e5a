"""Layers with parameters: against formulas in NumPy, and finite differences."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import nn
from tinygrad_relu.errors import (
    ArgumentError,
    DTypeError,
    IndexingError,
    RangeError,
    ShapeError,
)


def drawn(layer, rng):
    """Return a layer whose parameters are all something else than they begin with."""
    for parameter in layer.parameters():
        nn.init.normal_(parameter, generator=rng)
    return layer


def arrays(layer):
    return {name: value.numpy() for name, value in layer.state_dict().items()}


def assert_gradients(layer, *inputs):
    """Check the derivatives of a layer in its inputs and parameters."""
    inputs = [x if isinstance(x, tg.Tensor) else tg.tensor(x, requires_grad=True) for x in inputs]
    weights = tg.tensor(np.random.default_rng(1).standard_normal(layer(*inputs).shape))

    def loss(*_):
        return (layer(*inputs) * weights).sum()

    assert tg.gradcheck(loss, [x for x in (*inputs, *layer.parameters()) if x.requires_grad])


# ------------------------------------------------------------------------------------- linear ones

@pytest.mark.parametrize("bias", [True, False])
def test_bilinear_is_a_form_for_each_output(bias, rng):
    layer = drawn(nn.Bilinear(3, 4, 2, bias=bias), rng)
    x, y = rng.standard_normal((5, 3)), rng.standard_normal((5, 4))
    state = arrays(layer)
    expected = np.stack([[a @ w @ b for w in state["weight"]] for a, b in zip(x, y)])
    np.testing.assert_allclose(layer(x, y).detach(), expected + state.get("bias", 0), rtol=1e-12)
    assert_gradients(layer, x, y)


def test_identity_is_its_input():
    x = tg.ones(2)
    assert nn.Identity(1, 2, three=3)(x) is x


def test_embedding_is_a_table(rng):
    layer = nn.Embedding(7, 3, padding_idx=-2, generator=rng)
    assert layer.padding_idx == 5 and not layer.weight.detach().numpy()[5].any()
    drawn(layer, rng)
    numbers = np.array([[0, 5, 6], [0, 0, 1]])
    np.testing.assert_array_equal(layer(numbers).detach(), arrays(layer)["weight"][numbers])
    weights = rng.standard_normal((2, 3, 3))
    (layer(numbers) * tg.tensor(weights)).sum().backward()
    expected = np.zeros((7, 3))
    np.add.at(expected, numbers, weights)
    expected[5] = 0
    np.testing.assert_allclose(layer.weight.grad.numpy(), expected)
    assert repr(layer) == "Embedding(7, 3, padding_idx=5)"


def test_embedding_of_given_values():
    table = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    layer = nn.Embedding.from_pretrained(table)
    table[:] = 0
    assert layer(tg.tensor([1])).tolist() == [[3, 4]] and layer.weight.dtype == np.float32
    assert not layer.weight.requires_grad
    kept = nn.Embedding.from_pretrained([[1.0, 2.0]], freeze=False, padding_idx=0)
    assert kept.weight.requires_grad and kept.weight.tolist() == [[1, 2]] and kept.padding_idx == 0


# ------------------------------------------------------------------------------------- convolutions

def correlation(x, weight, bias, stride, dilation, groups):
    """Return the convolution of images by loops."""
    outputs, inputs, height, width = weight.shape
    (sh, sw), (dh, dw) = stride, dilation
    rows = (x.shape[2] - dh * (height - 1) - 1) // sh + 1
    columns = (x.shape[3] - dw * (width - 1) - 1) // sw + 1
    y = np.zeros((len(x), outputs, rows, columns))
    for k in range(outputs):
        first = k // (outputs // groups) * inputs
        for i in range(rows):
            for j in range(columns):
                seen = x[:, first : first + inputs, i * sh :, j * sw :]
                seen = seen[:, :, : dh * (height - 1) + 1 : dh, : dw * (width - 1) + 1 : dw]
                y[:, k, i, j] = (seen * weight[k]).sum((1, 2, 3)) + (0 if bias is None else bias[k])
    return y


MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("padding", [(1, 2), "same", "valid"])
def test_convolution_is_the_sum_over_windows(mode, padding, rng):
    layer = drawn(
        nn.Conv2d(4, 6, (3, 2), padding=padding, dilation=(1, 2), groups=2, padding_mode=mode), rng
    )
    x = rng.standard_normal((2, 4, 6, 5))
    around = {"same": ((1, 1), (1, 1)), "valid": ((0, 0), (0, 0))}.get(padding, ((1, 1), (2, 2)))
    padded = np.pad(x, ((0, 0), (0, 0), *around), mode=MODES[mode])
    state = arrays(layer)
    expected = correlation(padded, state["weight"], state["bias"], (1, 1), (1, 2), 2)
    found = layer(tg.tensor(x))
    np.testing.assert_allclose(found.detach(), expected, rtol=1e-10, atol=1e-12)
    if padding == "same":
        assert found.shape[2:] == x.shape[2:]
    if padding == (1, 2):
        assert_gradients(layer, x[:1])


@pytest.mark.parametrize("mode", MODES)
def test_same_padding_of_an_odd_width_pads_more_behind(mode, rng):
    layer = drawn(nn.Conv1d(2, 3, 4, padding="same", padding_mode=mode), rng)
    x = rng.standard_normal((2, 2, 7))
    padded = np.pad(x, ((0, 0), (0, 0), (1, 2)), mode=MODES[mode])[:, :, None]
    state = arrays(layer)
    expected = correlation(padded, state["weight"][:, :, None], state["bias"], (1, 1), (1, 1), 1)
    np.testing.assert_allclose(layer(tg.tensor(x)).detach(), expected[:, :, 0], rtol=1e-10)
    np.testing.assert_allclose(layer(tg.tensor(x[0])).detach(), expected[0, :, 0], rtol=1e-10)


def test_strides_of_convolutions(rng):
    layer = drawn(nn.Conv2d(2, 3, 2, stride=(2, 3), bias=False), rng)
    x = rng.standard_normal((2, 2, 5, 6))
    expected = correlation(x, arrays(layer)["weight"], None, (2, 3), (1, 1), 1)
    np.testing.assert_allclose(layer(tg.tensor(x)).detach(), expected, rtol=1e-10)
    assert repr(layer) == "Conv2d(2, 3, kernel_size=(2, 2), stride=(2, 3), bias=False)"
    assert repr(nn.Conv1d(2, 2, 3, padding=1, groups=2, padding_mode="circular")) == (
        "Conv1d(2, 2, kernel_size=(3,), stride=(1,), padding=(1,), groups=2, padding_mode='circular')"
    )


@pytest.mark.parametrize("axes", [1, 2])
def test_transposed_convolution_is_the_adjoint(axes, rng):
    kind, back = ((nn.ConvTranspose1d, nn.Conv1d), (nn.ConvTranspose2d, nn.Conv2d))[axes - 1]
    settings = {"stride": 2, "padding": 1, "groups": 2}
    layer = drawn(kind(4, 6, 3, output_padding=1, **settings), rng)
    x = rng.standard_normal((2, 4, *(4, 5)[:axes]))
    y = layer(tg.tensor(x)).detach()
    assert y.shape == (2, 6, *(8, 10)[:axes])
    forward = back(6, 4, 3, bias=False, **settings)
    forward.load_state_dict({"weight": layer.weight})
    other = rng.standard_normal(y.shape)
    through = y.numpy() - arrays(layer)["bias"].reshape(-1, *[1] * axes)
    np.testing.assert_allclose(
        (through * other).sum(), (forward(tg.tensor(other)).detach().numpy() * x).sum()
    )
    assert_gradients(layer, x[:1])
    assert "output_padding" in repr(layer)


# ------------------------------------------------------------------------------------ normalisations

def scaled(y, state, axes):
    shape = (1, -1, *[1] * (y.ndim - 2)) if axes == "channels" else state["weight"].shape
    return y * state["weight"].reshape(shape) + state["bias"].reshape(shape)


@pytest.mark.parametrize(("kind", "shape"), [
    (nn.BatchNorm1d, (5, 3)), (nn.BatchNorm1d, (5, 3, 4)), (nn.BatchNorm2d, (5, 3, 4, 2)),
])
def test_batch_norm_in_training_and_after(kind, shape, rng):
    layer = drawn(kind(3, eps=0.01, momentum=0.3), rng)
    axes = (0, *range(2, len(shape)))
    mean, variance = np.zeros(3), np.ones(3)
    for _ in range(3):
        x = rng.standard_normal(shape) * 2 + 1
        centred = x - x.mean(axes, keepdims=True)
        expected = scaled(centred / np.sqrt(x.var(axes, keepdims=True) + 0.01), arrays(layer), "channels")
        np.testing.assert_allclose(layer(tg.tensor(x)).detach(), expected, rtol=1e-10)
        mean = 0.7 * mean + 0.3 * x.mean(axes)
        variance = 0.7 * variance + 0.3 * x.var(axes, ddof=1)
    np.testing.assert_allclose(layer.running_mean, mean)
    np.testing.assert_allclose(layer.running_var, variance)
    assert layer.num_batches_tracked.item() == 3
    layer.eval()
    along = (1, -1, *[1] * (len(shape) - 2))
    expected = scaled(
        (x - mean.reshape(along)) / np.sqrt(variance.reshape(along) + 0.01), arrays(layer), "channels"
    )
    np.testing.assert_allclose(layer(tg.tensor(x)).detach(), expected, rtol=1e-10)
    assert layer.num_batches_tracked.item() == 3
    assert_gradients(layer, x)
    assert_gradients(layer.train(), x)
    layer.reset_running_stats()
    assert layer.running_var.tolist() == [1, 1, 1] and layer.num_batches_tracked.item() == 0


def test_batch_norm_by_the_mean_of_all_batches(rng):
    layer = nn.BatchNorm1d(2, momentum=None)
    batches = rng.standard_normal((4, 5, 2))
    for x in batches:
        layer(tg.tensor(x))
    np.testing.assert_allclose(layer.running_mean, batches.mean((0, 1)))
    np.testing.assert_allclose(layer.running_var, batches.var(1, ddof=1).mean(0))
    with pytest.raises(ShapeError, match="2 are needed"):
        layer(tg.ones(1, 2))
    assert layer.num_batches_tracked.item() == 4


def test_batch_norm_without_scales_or_statistics(rng):
    layer = nn.BatchNorm1d(2, affine=False, track_running_stats=False, eps=0.0)
    x = rng.standard_normal((5, 2))
    for mode in (True, False):
        y = layer.train(mode)(tg.tensor(x))
        np.testing.assert_allclose(y.detach(), (x - x.mean(0)) / x.std(0))
    assert list(layer.state_dict()) == [] and layer.weight is None and layer.running_mean is None


def test_batch_norm_that_tracks_no_more(rng):
    layer = nn.BatchNorm1d(2)
    layer(tg.tensor(rng.standard_normal((5, 2))))
    before = {name: value.copy() for name, value in arrays(layer).items()}
    layer.track_running_stats = False
    layer(tg.tensor(rng.standard_normal((5, 2))))
    for name, value in arrays(layer).items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.parametrize(("kind", "shape"), [
    (nn.InstanceNorm1d, (5, 3, 4)), (nn.InstanceNorm2d, (2, 3, 4, 5)),
])
def test_instance_norm(kind, shape, rng):
    x = rng.standard_normal(shape) * 2 + 1
    axes = tuple(range(2, len(shape)))
    layer = drawn(kind(3, eps=0.01, affine=True, track_running_stats=True, momentum=0.3), rng)
    y = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 0.01)
    expected = scaled(y, arrays(layer), "channels")
    np.testing.assert_allclose(layer(tg.tensor(x)).detach(), expected, rtol=1e-10)
    np.testing.assert_allclose(layer.running_mean, 0.3 * x.mean((0, *axes)))
    np.testing.assert_allclose(layer.running_var, 0.7 + 0.3 * x.var(axes, ddof=1).mean(0))
    assert_gradients(layer, x[:1])
    layer.eval()
    along = (1, -1, *[1] * len(axes))
    expected = scaled(
        (x - layer.running_mean.numpy().reshape(along))
        / np.sqrt(layer.running_var.numpy().reshape(along) + 0.01), arrays(layer), "channels",
    )
    np.testing.assert_allclose(layer(tg.tensor(x)).detach(), expected, rtol=1e-10)
    np.testing.assert_allclose(layer(tg.tensor(x[0])).detach(), expected[0], rtol=1e-10)
    plain = kind(3, eps=0.01)
    assert list(plain.state_dict()) == []
    np.testing.assert_allclose(plain.eval()(tg.tensor(x)).detach(), y, rtol=1e-10)
    np.testing.assert_allclose(plain(tg.tensor(x[0])).detach(), y[0], rtol=1e-10)


def test_group_norm(rng):
    layer = drawn(nn.GroupNorm(2, 6, eps=0.01), rng)
    x = rng.standard_normal((3, 6, 4))
    groups = x.reshape(3, 2, 12)
    y = (groups - groups.mean(-1, keepdims=True)) / np.sqrt(groups.var(-1, keepdims=True) + 0.01)
    expected = scaled(y.reshape(x.shape), arrays(layer), "channels")
    np.testing.assert_allclose(layer(tg.tensor(x)).detach(), expected, rtol=1e-10)
    assert_gradients(layer, x)
    assert list(nn.GroupNorm(2, 6, affine=False).state_dict()) == []


def test_layer_norm_and_rms_norm(rng):
    x = rng.standard_normal((3, 4, 5))
    layer = drawn(nn.LayerNorm((4, 5), eps=0.01), rng)
    y = (x - x.mean((1, 2), keepdims=True)) / np.sqrt(x.var((1, 2), keepdims=True) + 0.01)
    np.testing.assert_allclose(layer(tg.tensor(x)).detach(), scaled(y, arrays(layer), "rows"), rtol=1e-10)
    assert_gradients(layer, x[:1])
    assert list(nn.LayerNorm(5, bias=False).state_dict()) == ["weight"]
    assert list(nn.LayerNorm(5, elementwise_affine=False).state_dict()) == []
    layer = drawn(nn.RMSNorm(5, eps=0.01), rng)
    expected = x / np.sqrt((x * x).mean(-1, keepdims=True) + 0.01) * arrays(layer)["weight"]
    np.testing.assert_allclose(layer(tg.tensor(x)).detach(), expected, rtol=1e-10)
    assert_gradients(layer, x[:1])
    small = nn.RMSNorm(1)(tg.tensor([1e-20])).item()      # the resolution, 2.2e-16, is added
    assert small == pytest.approx(1e-20 / np.sqrt(np.finfo(float).eps))


# -------------------------------------------------------------------------------- what they share

MAKERS = {
    "Linear": lambda **k: nn.Linear(3, 4, **k), "Bilinear": lambda **k: nn.Bilinear(3, 4, 2, **k),
    "Conv1d": lambda **k: nn.Conv1d(3, 4, 2, **k), "Conv2d": lambda **k: nn.Conv2d(3, 4, 2, **k),
    "ConvTranspose1d": lambda **k: nn.ConvTranspose1d(3, 4, 2, **k),
    "ConvTranspose2d": lambda **k: nn.ConvTranspose2d(3, 4, 2, **k),
    "Embedding": lambda **k: nn.Embedding(3, 4, **k), "LSTM": lambda **k: nn.LSTM(3, 4, **k),
    "GRU": lambda **k: nn.GRU(3, 4, **k), "RNN": lambda **k: nn.RNN(3, 4, **k),
    "GRUCell": lambda **k: nn.GRUCell(3, 4, **k), "RNNCell": lambda **k: nn.RNNCell(3, 4, **k),
    "MultiheadAttention": lambda **k: nn.MultiheadAttention(4, 2, **k),
    "TransformerEncoderLayer": lambda **k: nn.TransformerEncoderLayer(4, 2, 8, **k),
}
FIXED = {
    "BatchNorm1d": lambda **k: nn.BatchNorm1d(3, **k), "GroupNorm": lambda **k: nn.GroupNorm(3, 6, **k),
    "InstanceNorm2d": lambda **k: nn.InstanceNorm2d(3, affine=True, **k),
    "LayerNorm": lambda **k: nn.LayerNorm(3, **k), "RMSNorm": lambda **k: nn.RMSNorm(3, **k),
    "PReLU": lambda **k: nn.PReLU(3, **k),
}


@pytest.mark.parametrize(("layer", "bound"), [
    (lambda g: nn.Linear(16, 500, generator=g), 1 / 4),
    (lambda g: nn.Bilinear(16, 3, 500, generator=g), 1 / 4),
    (lambda g: nn.Conv1d(8, 500, 3, generator=g), 1 / np.sqrt(24)),
    (lambda g: nn.Conv2d(8, 500, 3, groups=2, generator=g), 1 / np.sqrt(36)),
    (lambda g: nn.ConvTranspose2d(500, 8, 2, generator=g), 1 / np.sqrt(32)),
    (lambda g: nn.GRUCell(3, 16, generator=g), 1 / 4),
])
def test_the_beginning_is_that_of_pytorch(layer, bound):
    # Each number evenly within one over the root of how many inputs an output has.
    for name, value in arrays(layer(np.random.default_rng(5))).items():
        if value.size > 40:
            assert 0.9 * bound < np.abs(value).max() <= bound, name
        assert np.abs(value).max() <= bound and value.std() == pytest.approx(bound / np.sqrt(3), rel=0.3)


def test_an_embedding_begins_normally():
    values = arrays(nn.Embedding(300, 30, generator=np.random.default_rng(5)))["weight"]
    assert values.std() == pytest.approx(1, rel=0.03) and 3 < np.abs(values).max() < 6


@pytest.mark.parametrize("name", MAKERS)
def test_layers_follow_the_generator_and_are_drawn_anew(name):
    make = MAKERS[name]
    first, same, other = (arrays(make(generator=np.random.default_rng(s))) for s in (3, 3, 4))
    assert all((first[k] == same[k]).all() for k in first)
    assert any((first[k] != other[k]).any() for k in first)
    ours = make(generator=tg.Generator(3))
    assert all((first[k] == v).all() for k, v in arrays(ours).items())
    if name != "TransformerEncoderLayer":
        ours.reset_parameters(tg.Generator(9))
        assert any((first[k] != v).any() for k, v in arrays(ours).items())
    with pytest.raises(ArgumentError, match=f"^{name}: generator is a int"):
        make(generator=5)


@pytest.mark.parametrize("name", [*MAKERS, *FIXED])
def test_layers_have_the_dtype_that_is_asked_for(name):
    make = (MAKERS | FIXED)[name]
    assert {p.dtype for p in make(dtype=tg.float32, device="cpu").parameters()} == {np.dtype(np.float32)}
    assert {p.dtype for p in make().parameters()} == {np.dtype(np.float64)}
    tg.set_default_dtype(tg.float32)
    try:
        assert {p.dtype for p in make().parameters()} == {np.dtype(np.float32)}
    finally:
        tg.set_default_dtype(tg.float64)
    for dtype, message in (("foo", "dtype is 'foo'"), (tg.int64, "of a floating dtype")):
        with pytest.raises(DTypeError, match=f"^{name}: .*{message}"):
            make(dtype=dtype)
    with pytest.raises(ArgumentError, match=f"^{name}: device 'cuda' is not there"):
        make(device="cuda")


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: nn.Linear(0, 2), RangeError, "^Linear: in_features is 0: it is at least 1"),
    (lambda: nn.Linear(2, True), ArgumentError, "^Linear: out_features is True: it is a whole number"),
    (lambda: nn.Linear(2), ArgumentError, "^Linear: missing .* 'out_features': the signature is Linear"),
    (lambda: nn.Bilinear(2, 0, 2), RangeError, "^Bilinear: in2_features is 0"),
    (lambda: nn.Embedding(0, 2), RangeError, "^Embedding: num_embeddings is 0"),
    (lambda: nn.Embedding(3, 2, padding_idx=3), IndexingError,
     "^Embedding: padding_idx is 3, and .* 3 rows"),
    (lambda: nn.Conv1d(4, 6, 3, groups=4), ShapeError,
     "^Conv1d: out_channels is 6, which does not go into 4"),
    (lambda: nn.Conv2d(3, 6, 3, groups=2), ShapeError, "^Conv2d: in_channels is 3"),
    (lambda: nn.Conv2d(3, 6, 3, groups=0), RangeError, "^Conv2d: groups is 0"),
    (lambda: nn.Conv2d(3, 6, 0), RangeError, "^Conv2d: kernel_size is 0"),
    (lambda: nn.Conv2d(3, 6, 3, padding=-1), RangeError, "^Conv2d: padding is -1"),
    (lambda: nn.Conv2d(3, 6, 3, padding="full"), ArgumentError, "^Conv2d: padding is 'full'"),
    (lambda: nn.Conv2d(3, 6, 3, stride=2, padding="same"), RangeError, "^Conv2d: padding 'same'"),
    (lambda: nn.Conv2d(3, 6, 3, padding_mode="zero"), ArgumentError, "^Conv2d: padding_mode is 'zero'"),
    (lambda: nn.ConvTranspose2d(3, 6, 3, padding="same"), ArgumentError,
     "^ConvTranspose2d: padding is 'same'"),
    (lambda: nn.ConvTranspose1d(3, 6, 3, padding_mode="reflect"), ArgumentError, "can only be 'zeros'"),
    (lambda: nn.BatchNorm1d(0), RangeError, "^BatchNorm1d: num_features is 0"),
    (lambda: nn.BatchNorm2d(2, momentum="x"), ArgumentError, "^BatchNorm2d: momentum is 'x'"),
    (lambda: nn.BatchNorm2d(2, eps=-1), RangeError, "^BatchNorm2d: eps is -1"),
    (lambda: nn.GroupNorm(4, 6), ShapeError, "^GroupNorm: 6 channels do not go into 4 groups"),
    (lambda: nn.LayerNorm(()), RangeError, "^LayerNorm: normalized_shape is empty"),
    (lambda: nn.RMSNorm((2, 0)), RangeError, "^RMSNorm: normalized_shape is 0"),
    (lambda: nn.BatchNorm1d(3)(tg.ones(2, 4)), ShapeError,
     "^BatchNorm1d: input .* 4 channels: the layer has 3"),
    (lambda: nn.BatchNorm1d(3)(tg.ones(2, 3, 4, 5)), ShapeError, "^BatchNorm1d: input has shape"),
    (lambda: nn.BatchNorm2d(3)(tg.ones(2, 3)), ShapeError, "^BatchNorm2d: input has shape"),
    (lambda: nn.InstanceNorm1d(3)(tg.ones(2, 4, 5)), ShapeError, "^InstanceNorm1d: .* 4 channels"),
    (lambda: nn.GroupNorm(2, 4)(tg.ones(2, 6)), ShapeError, "^GroupNorm: .* 6 channels: the layer has 4"),
])
def test_what_is_wrong_is_said_with_the_name_of_the_layer(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_subclass_is_named_in_errors_of_its_constructor():
    class Mine(nn.Conv2d):
        pass

    with pytest.raises(RangeError, match=r"^Mine: kernel_size is 0"):
        Mine(1, 1, 0)
