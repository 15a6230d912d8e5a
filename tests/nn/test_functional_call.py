"""Modules called with other tensors in the places of their own."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import nn
from tinygrad_relu.errors import ArgumentError, StateError
from tinygrad_relu.func import functional_call


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Parameter([2.0])
        self.b = self.a
        self.register_buffer("shift", tg.tensor([1.0]))

    def forward(self, x, scale=1.0):
        return (x * self.a + self.b + self.shift) * scale


def test_gradients_of_weights_as_values(rng):
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1, bias=False))
    weights = {name: p.detach() for name, p in model.named_parameters()}
    x = rng.normal(size=(4, 2))

    def loss(weights):
        return (functional_call(model, weights, tg.tensor(x)) ** 2).sum()

    found = tg.func.grad(loss)(weights)
    wanted = autograd.grad(
        lambda w: anp.sum((anp.tanh(x @ w["0.weight"].T + w["0.bias"]) @ w["2.weight"].T) ** 2)
    )({name: value.numpy() for name, value in weights.items()})
    for name in weights:
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-12)
    assert all(p.grad is None for p in model.parameters())


def test_the_module_is_as_before_also_after_an_error():
    model = Tied()
    held = dict(vars(model))
    assert functional_call(model, {"a": tg.tensor([5.0])}, (tg.tensor([1.0]),), {"scale": 2}).item() == 22
    with pytest.raises(ValueError, match="shape"):
        functional_call(model, {"a": tg.ones(3), "shift": tg.ones(2)}, tg.tensor([1.0]))
    assert list(vars(model)) == list(held) and all(vars(model)[k] is held[k] for k in held)


def test_tied_weights_and_buffers():
    model, x, five = Tied(), tg.tensor([1.0]), tg.tensor([5.0])
    assert functional_call(model, {"b": five}, x).item() == 11
    assert functional_call(model, {"b": five}, x, tie_weights=False).item() == 8
    assert functional_call(model, [{"a": five}, {"shift": tg.tensor([0.0])}], x).item() == 10
    assert functional_call(model, {"a": five, "b": x}, x, tie_weights=False).item() == 7
    with pytest.raises(ArgumentError, match="b is another name of a tensor that was given"):
        functional_call(model, {"a": five, "b": x}, x)


def test_a_module_that_is_there_twice():
    layer = nn.Linear(1, 1, bias=False)
    model = nn.Sequential(layer, layer)
    assert functional_call(model, {"0.weight": tg.tensor([[3.0]])}, tg.tensor([[2.0]])).item() == 18
    assert model[0].weight is model[1].weight is layer.weight and isinstance(layer.weight, nn.Parameter)


def test_statistics_are_kept_in_the_buffers_that_were_given():
    model = nn.BatchNorm1d(1)
    mine = {"running_mean": tg.zeros(1)}
    functional_call(model, mine, tg.tensor([[1.0], [3.0]]))
    assert model.running_mean.item() == 0 and mine["running_mean"].item() == pytest.approx(0.2)


def test_names_and_values_that_do_not_fit():
    model, x = nn.Linear(1, 1), tg.ones(1, 1)
    with pytest.raises(StateError, match="not those of Linear: unexpected: other"):
        functional_call(model, {"other": x}, x)
    with pytest.raises(StateError, match="missing: bias"):
        functional_call(model, {"weight": x}, x, strict=True)
    with pytest.raises(ArgumentError, match="weight is a ndarray: pass a tensor"):
        functional_call(model, {"weight": np.ones((1, 1))}, x)
    with pytest.raises(ArgumentError, match="weight is in two of the dicts"):
        functional_call(model, ({"weight": x}, {"weight": x}), x)
    with pytest.raises(ArgumentError, match="a int was given for parameters"):
        functional_call(model, (3,), x)
