"""LSTMs that project what they give out, against the formulas in NumPy."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

import tinygrad_relu as tg
from tinygrad_relu import nn
from tinygrad_relu.errors import ArgumentError, RangeError, ShapeError


def sigmoid(x):
    return 1 / (1 + anp.exp(-x))


def by_formula(weights, x, ending, h, c):
    outputs = []
    for step in x:
        gates = step @ weights[f"weight_ih{ending}"].T + weights[f"bias_ih{ending}"]
        gates = gates + h @ weights[f"weight_hh{ending}"].T + weights[f"bias_hh{ending}"]
        enter, forget, cell, leave = (gates[:, k * 4:(k + 1) * 4] for k in range(4))
        c = sigmoid(forget) * c + sigmoid(enter) * anp.tanh(cell)
        h = (sigmoid(leave) * anp.tanh(c)) @ weights[f"weight_hr{ending}"].T
        outputs.append(h)
    return outputs, h, c


def two_layers_both_ways(weights, x, h, c):
    ends = []
    for layer in range(2):
        there, *end = by_formula(weights, x, f"_l{layer}", h[2 * layer], c[2 * layer])
        ends.append(end)
        other = 2 * layer + 1
        back, *end = by_formula(weights, x[::-1], f"_l{layer}_reverse", h[other], c[other])
        ends.append(end)
        x = [anp.concatenate(pair, axis=1) for pair in zip(there, back[::-1])]
    return anp.array(x), anp.array([e[0] for e in ends]), anp.array([e[1] for e in ends])


def test_values_and_gradients(rng):
    layer = nn.LSTM(3, 4, 2, bidirectional=True, proj_size=2)
    weights = {name: p.detach().numpy().copy() for name, p in layer.named_parameters()}
    x, h, c = (rng.normal(size=shape) for shape in ((5, 3, 3), (4, 3, 2), (4, 3, 4)))
    y, (h_end, c_end) = layer(tg.tensor(x), (tg.tensor(h), tg.tensor(c)))
    wanted = two_layers_both_ways(weights, x, h, c)
    for found, value in zip((y, h_end, c_end), wanted):
        assert found.shape == value.shape
        np.testing.assert_allclose(found.detach(), value, rtol=1e-12, atol=1e-14)
    ((y**2).sum() + (h_end**3).sum() + (c_end**3).sum()).backward()

    def loss(weights):
        y, h_end, c_end = two_layers_both_ways(weights, x, h, c)
        return anp.sum(y**2) + anp.sum(h_end**3) + anp.sum(c_end**3)

    slopes = grad(loss)(weights)
    for name, p in layer.named_parameters():
        np.testing.assert_allclose(p.grad, slopes[name], rtol=1e-10, atol=1e-13)


def test_names_shapes_and_words_are_those_of_pytorch():
    layer = nn.LSTM(3, 4, proj_size=2, batch_first=True)
    assert [(name, p.shape) for name, p in layer.named_parameters()] == [
        ("weight_ih_l0", (16, 3)), ("weight_hh_l0", (16, 2)), ("bias_ih_l0", (16,)),
        ("bias_hh_l0", (16,)), ("weight_hr_l0", (2, 4)),
    ]
    assert repr(layer) == "LSTM(3, 4, batch_first=True, proj_size=2)"
    y, (h, c) = layer(tg.zeros(7, 3))
    assert (y.shape, h.shape, c.shape) == ((7, 2), (1, 2), (1, 4))
    assert [name for name, _ in nn.LSTM(3, 4).named_parameters()][-1] == "bias_hh_l0"
    with pytest.raises(ShapeError, match=r"hx has shape \(1, 4\): it has to be \(1, 2\)"):
        layer(tg.zeros(7, 3), (tg.zeros(1, 4), tg.zeros(1, 4)))


def test_sizes_that_make_no_sense():
    for size in (4, 5):
        with pytest.raises(RangeError, match=f"proj_size is {size}: .* hidden_size, which is 4"):
            nn.LSTM(3, 4, proj_size=size)
    with pytest.raises(ArgumentError, match="proj_size"):
        nn.LSTM(3, 4, proj_size=1.5)
    with pytest.raises(ArgumentError, match="proj_size"):
        nn.GRU(3, 4, proj_size=2)
