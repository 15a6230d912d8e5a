"""Recurrent layers and cells, against loops written from the definitions."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import nn
from tinygrad_relu.errors import ArgumentError, RangeError, ShapeError


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def rnn(gates_x, gates_h, state):
    return (np.tanh(gates_x + gates_h),)


def rectified(gates_x, gates_h, state):
    return (np.maximum(gates_x + gates_h, 0),)


def gru(gates_x, gates_h, state):
    (rx, zx, nx), (rh, zh, nh) = np.split(gates_x, 3), np.split(gates_h, 3)
    r, z = sigmoid(rx + rh), sigmoid(zx + zh)
    n = np.tanh(nx + r * nh)
    return ((1 - z) * n + z * state[0],)


def lstm(gates_x, gates_h, state):
    i, f, g, o = np.split(gates_x + gates_h, 4)
    c = sigmoid(f) * state[1] + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


LAYERS = [
    (nn.RNN, rnn, {}), (nn.RNN, rectified, {"nonlinearity": "relu"}), (nn.GRU, gru, {}),
    (nn.LSTM, lstm, {}),
]


def step_by_hand(step, weights, x, state):
    """Return the next state of one cell for one row."""
    gates_x, gates_h = weights["weight_ih"] @ x, weights["weight_hh"] @ state[0]
    if "bias_ih" in weights:
        gates_x, gates_h = gates_x + weights["bias_ih"], gates_h + weights["bias_hh"]
    return step(gates_x, gates_h, state)


def by_hand(step, layer, x, states):
    """Return the outputs and last states of a layer for one sequence, by loops over all there is."""
    state_dict = {name: value.numpy() for name, value in layer.state_dict().items()}
    last, directions = [], ("", "_reverse") if layer.bidirectional else ("",)
    for number in range(layer.num_layers):
        outputs = []
        for direction in directions:
            ending = f"_l{number}{direction}"
            weights = {
                k.removesuffix(ending): v for k, v in state_dict.items() if k.endswith(ending)
            }
            state = tuple(s[len(last)] for s in states)
            found = []
            for row in x[::-1] if direction else x:
                state = step_by_hand(step, weights, row, state)
                found.append(state[0])
            outputs.append(np.array(found[::-1] if direction else found))
            last.append(state)
        x = np.concatenate(outputs, -1)
    return x, [np.array([state[k] for state in last]) for k in range(len(states))]


@pytest.mark.parametrize("settings", [
    {}, {"num_layers": 2}, {"bidirectional": True}, {"bias": False, "batch_first": True},
    {"num_layers": 2, "bidirectional": True, "batch_first": True},
])
@pytest.mark.parametrize(("kind", "step", "own"), LAYERS)
def test_layers_are_their_loops(kind, step, own, settings, rng):
    layer = kind(3, 4, generator=rng, **settings, **own)
    count = layer.num_layers * (2 if layer.bidirectional else 1)
    x = rng.standard_normal((5, 2, 3))
    begin = [rng.standard_normal((count, 2, 4)) for _ in range(2 if kind is nn.LSTM else 1)]
    given = tuple(tg.tensor(state) for state in begin) if kind is nn.LSTM else tg.tensor(begin[0])
    for hx, states in ((None, [np.zeros_like(s) for s in begin]), (given, begin)):
        y, end = layer(tg.tensor(x.transpose(1, 0, 2) if layer.batch_first else x), hx)
        y = y.transpose(0, 1) if layer.batch_first else y
        end = end if kind is nn.LSTM else (end,)
        for row in range(2):
            expected, last = by_hand(step, layer, x[:, row], [s[:, row] for s in states])
            np.testing.assert_allclose(y[:, row].detach(), expected, rtol=1e-10, atol=1e-12)
            for a, b in zip(end, last):
                np.testing.assert_allclose(a[:, row].detach(), b, rtol=1e-10, atol=1e-12)
    single, _ = layer(tg.tensor(x[:, 0]), None)
    expected, _ = by_hand(step, layer, x[:, 0], [np.zeros_like(s[:, 0]) for s in begin])
    np.testing.assert_allclose(single.detach(), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("kind", "step", "own"), LAYERS)
def test_cells_are_one_step(kind, step, own, rng):
    cell = {nn.RNN: nn.RNNCell, nn.GRU: nn.GRUCell, nn.LSTM: nn.LSTMCell}[kind](
        3, 4, generator=rng, **own
    )
    weights = {name: value.numpy() for name, value in cell.state_dict().items()}
    x = rng.standard_normal((2, 3))
    states = [rng.standard_normal((2, 4)) for _ in range(2 if kind is nn.LSTM else 1)]
    given = tuple(tg.tensor(s) for s in states) if kind is nn.LSTM else tg.tensor(states[0])
    found = cell(tg.tensor(x), given)
    found = found if kind is nn.LSTM else (found,)
    for row in range(2):
        for a, b in zip(found, step_by_hand(step, weights, x[row], [s[row] for s in states])):
            np.testing.assert_allclose(a[row].detach(), b, rtol=1e-12)
    zero = step_by_hand(step, weights, x[0], [np.zeros(4)] * len(states))[0]
    alone = cell(tg.tensor(x[0]))
    np.testing.assert_allclose((alone[0] if kind is nn.LSTM else alone).detach(), zero, rtol=1e-12)


@pytest.mark.parametrize(("kind", "own"), [
    (nn.RNN, {}), (nn.GRU, {"bidirectional": True}), (nn.LSTM, {"num_layers": 2}),
    (nn.GRU, {"bias": False}),
])
def test_gradients_through_time(kind, own, rng):
    layer = kind(2, 2, generator=rng, **own)
    count = layer.num_layers * (2 if layer.bidirectional else 1)
    x = tg.tensor(rng.standard_normal((3, 2, 2)), requires_grad=True)
    h = tg.tensor(rng.standard_normal((count, 2, 2)), requires_grad=True)
    c = tg.tensor(rng.standard_normal((count, 2, 2)), requires_grad=True)
    states = (h, c) if kind is nn.LSTM else h

    def loss(*_):
        y, end = layer(x, states)
        end = end if kind is nn.LSTM else (end,)
        return (y * y).sum() + sum((k + 2) * (state**3).sum() for k, state in enumerate(end))

    assert tg.gradcheck(loss, [x, h, *([c] if kind is nn.LSTM else []), *layer.parameters()])


def test_names_of_weights_are_those_of_pytorch():
    layer = nn.LSTM(3, 4, num_layers=2, bidirectional=True)
    shapes = {name: p.shape for name, p in layer.named_parameters()}
    assert list(shapes) == [
        f"{word}_l{k}{end}" for k in (0, 1) for end in ("", "_reverse")
        for word in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ]
    assert shapes["weight_ih_l0"] == (16, 3) and shapes["weight_ih_l1_reverse"] == (16, 8)
    assert shapes["weight_hh_l1"] == (16, 4) and shapes["bias_ih_l0"] == (16,)
    assert list(nn.GRUCell(3, 4, bias=False).state_dict()) == ["weight_ih", "weight_hh"]
    bound = max(np.abs(p.detach().numpy()).max() for p in nn.RNN(3, 16).parameters())
    assert 0.2 < bound <= 0.25      # 1 / sqrt(16)


def test_dropout_goes_between_layers(rng):
    layer = nn.RNN(3, 50, num_layers=2, dropout=1.0, generator=rng)
    x = tg.tensor(rng.standard_normal((4, 2, 3)))
    alone = nn.RNN(50, 50, generator=rng)
    alone.load_state_dict(dict(zip(alone.state_dict(), list(layer.state_dict().values())[4:])))
    np.testing.assert_allclose(layer(x)[0].detach(), alone(tg.zeros(4, 2, 50))[0].detach())
    _, (first, _) = layer(x)
    y, (same, _) = layer.eval()(x)
    np.testing.assert_array_equal(first.detach(), same.detach())        # nothing before the first layer
    assert not np.allclose(y.detach(), alone(tg.zeros(4, 2, 50))[0].detach())


def test_repr_shows_what_is_not_usual():
    assert repr(nn.LSTM(3, 4, 2, batch_first=True)) == "LSTM(3, 4, num_layers=2, batch_first=True)"
    layer = nn.RNN(3, 4, nonlinearity="relu", bias=False)
    assert repr(layer) == "RNN(3, 4, nonlinearity='relu', bias=False)"
    assert repr(nn.RNNCell(3, 4, nonlinearity="relu")) == "RNNCell(3, 4, nonlinearity='relu')"


@pytest.mark.parametrize(("act", "error", "message"), [
    (lambda: nn.LSTM(0, 4), RangeError, "^LSTM: input_size is 0"),
    (lambda: nn.GRU(3, 0), RangeError, "^GRU: hidden_size is 0"),
    (lambda: nn.RNN(3, 4, num_layers=0), RangeError, "^RNN: num_layers is 0"),
    (lambda: nn.RNN(3, 4, nonlinearity="sigmoid"), ArgumentError,
     "^RNN: nonlinearity is 'sigmoid': it is 'tanh' or 'relu'"),
    (lambda: nn.GRU(3, 4, dropout=2), RangeError, "^GRU: dropout is 2"),
    (lambda: nn.GRU(3, 4, batch_first=1), ArgumentError, "^GRU: batch_first is 1: it is True or False"),
    (lambda: nn.GRUCell(3, 4, bias="no"), ArgumentError, "^GRUCell: bias is 'no'"),
    (lambda: nn.GRU(3, 4)(tg.ones(5, 2, 4)), ShapeError,
     "^GRU: input has shape .* 4 features: the layer has 3"),
    (lambda: nn.GRU(3, 4)(tg.ones(0, 2, 3)), ShapeError, "^GRU: .*there is no step in it"),
    (lambda: nn.GRU(3, 4)(tg.ones(3)), ShapeError, "^GRU: input has shape"),
    (lambda: nn.GRU(3, 4)(tg.ones(5, 2, 3), tg.ones(1, 3, 4)), ShapeError,
     r"^GRU: hx has shape \(1, 3, 4\): .* \(1, 2, 4\)"),
    (lambda: nn.LSTM(3, 4)(tg.ones(5, 2, 3), tg.ones(1, 2, 4)), ArgumentError,
     r"^LSTM: hx is a Tensor: pass the pair"),
    (lambda: nn.LSTMCell(3, 4)(tg.ones(2, 5)), ShapeError, "^LSTMCell: .* 5 features: the cell has 3"),
])
def test_errors_say_what(act, error, message):
    with pytest.raises(error, match=message):
        act()
