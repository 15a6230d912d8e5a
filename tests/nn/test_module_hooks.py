"""Hooks of modules, on the way there and on the way back."""

import copy

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import nn
from tinygrad_relu.errors import ArgumentError


class Two(nn.Module):
    def forward(self, x, y=None, scale=1.0):
        return x * scale, x + y


# --------------------------------------------------------------------------------- on the way there

def test_forward_hooks_are_called_in_order_and_replace():
    layer, calls = nn.ReLU(), []
    layer.register_forward_hook(lambda m, x, y: calls.append("a"))
    layer.register_forward_hook(lambda m, x, y: calls.append("b") or y + 1)
    first = layer.register_forward_hook(
        lambda m, x, y: calls.append((x[0].item(), y.item())), prepend=True
    )
    assert layer(tg.tensor(-2.0)).item() == 1 and calls == [(-2.0, 0.0), "a", "b"]
    first.remove()
    calls.clear()
    assert layer(tg.tensor(3.0)).item() == 4 and calls == ["a", "b"]


def test_pre_hooks_replace_arguments():
    layer = nn.ReLU()
    with layer.register_forward_pre_hook(lambda m, inputs: inputs[0] + 10):
        assert layer(tg.tensor(-2.0)).item() == 8
    assert layer(tg.tensor(-2.0)).item() == 0
    layer.register_forward_pre_hook(lambda m, inputs: (inputs[0] * 2,))
    layer.register_forward_pre_hook(lambda m, inputs: None)
    assert layer(tg.tensor(2.0)).item() == 4


def test_hooks_may_see_keywords():
    module, seen = Two(), []
    module.register_forward_pre_hook(
        lambda m, inputs, options: (inputs, {**options, "scale": 5.0}), with_kwargs=True
    )
    module.register_forward_hook(lambda m, i, options, y: seen.append(options["scale"]), with_kwargs=True)
    assert module(tg.tensor(2.0), y=1.0)[0].item() == 10 and seen == [5.0]
    module.register_forward_pre_hook(lambda m, inputs, options: inputs, with_kwargs=True)
    with pytest.raises(ArgumentError, match="return the pair"):
        module(tg.tensor(2.0), y=1.0)


def test_a_layer_with_a_hook_is_not_passed_over_by_its_sequential(rng):
    x = tg.tensor(rng.standard_normal((4, 3)))
    for position in (0, 1):
        model, seen = nn.Sequential(nn.Linear(3, 5), nn.ReLU()), []
        expected = model(x).detach().numpy()
        handle = model[position].register_forward_hook(lambda m, i, y, seen=seen: seen.append(type(m)))
        np.testing.assert_array_equal(model(x).detach().numpy(), expected)
        assert seen == [type(model[position])]
        handle.remove()
    model = nn.Sequential(nn.Linear(3, 5), nn.ReLU())
    model[1].forward = lambda x: x * 0
    assert not model(x).detach().numpy().any()


def test_hooks_are_copied_with_the_module():
    layer, seen = nn.ReLU(), []
    handle = layer.register_forward_hook(lambda m, i, y: seen.append(m))
    other = copy.deepcopy(layer)
    handle.remove()
    layer(tg.ones(1))
    assert seen == []
    other(tg.ones(1))
    assert seen == [other]


# ---------------------------------------------------------------------------------- on the way back

def test_backward_hooks_see_the_gradients_of_inputs_and_outputs(rng):
    layer, seen = nn.Linear(3, 2), []
    layer.register_full_backward_hook(lambda m, into, out: seen.append((m, into, out)))
    x = tg.tensor(rng.standard_normal((4, 3)), requires_grad=True)
    weights = rng.standard_normal((4, 2))
    (layer(x) * tg.tensor(weights)).sum().backward()
    ((module, (into,), (out,)),) = seen
    assert module is layer
    np.testing.assert_array_equal(out.numpy(), weights)
    np.testing.assert_allclose(into.numpy(), weights @ layer.weight.detach().numpy())
    np.testing.assert_array_equal(x.grad.numpy(), into.numpy())
    np.testing.assert_allclose(layer.weight.grad.numpy(), weights.T @ x.detach().numpy())


def test_backward_hooks_see_inputs_and_outputs_together_and_none_for_the_rest():
    module, seen = Two(), []
    module.register_full_backward_hook(lambda m, into, out: seen.append((into, out)))
    x, y = (tg.tensor(v, requires_grad=True) for v in (2.0, 3.0))
    a, b = module(x, y, 4.0)
    (a * 10 + b * 100).backward()
    (((gx, gy, nothing), (ga, gb)),) = seen
    assert (gx.item(), gy.item(), nothing, ga.item(), gb.item()) == (140, 100, None, 10, 100)
    assert (x.grad.item(), y.grad.item()) == (140, 100)


def test_backward_hooks_replace_gradients():
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, 3.0)
    layer.register_full_backward_pre_hook(lambda m, out: (out[0] * 2,))
    layer.register_full_backward_hook(lambda m, into, out: (into[0] * 10,))
    layer.register_full_backward_hook(lambda m, into, out: into[0] + 1)
    x = tg.tensor([[5.0]], requires_grad=True)
    layer(x).sum().backward()
    assert layer.weight.grad.item() == 10       # 2 * 5
    assert x.grad.item() == 61                  # 2 * 3 * 10 + 1


def test_backward_hooks_where_no_input_carries_a_gradient():
    layer, seen = nn.Linear(2, 1), []
    handle = layer.register_full_backward_hook(lambda m, into, out: seen.append((into, out[0].tolist())))
    layer(tg.ones(1, 2)).sum().backward()
    assert seen == [((None,), [[1.0]])]
    with tg.no_grad():
        layer(tg.ones(1, 2))
    handle.remove()
    layer(tg.ones(1, 2)).sum().backward()
    assert len(seen) == 1


def test_backward_hooks_leave_second_derivatives(rng):
    layer = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    layer.register_full_backward_hook(lambda m, into, out: None)
    x = tg.tensor(rng.standard_normal((3, 2)), requires_grad=True)
    assert tg.gradcheck(layer, x) and tg.gradgradcheck(layer, x)


def test_backward_hooks_keep_the_kind_of_the_result():
    from typing import NamedTuple

    class Pair(NamedTuple):
        a: object
        b: object

    class Module(nn.Module):
        def __init__(self, kind):
            super().__init__()
            self.kind = kind

        def forward(self, x):
            return self.kind(x)

    x = tg.tensor(1.0, requires_grad=True)
    for kind, check in ((lambda x: Pair(x, 5), lambda y: type(y) is Pair and y.b == 5),
                        (lambda x: [x, None], lambda y: type(y) is list and y[1] is None)):
        module = Module(kind)
        module.register_full_backward_hook(lambda m, into, out: None)
        assert check(module(x))
    module = Module(lambda x: {"x": x})
    module.register_full_backward_hook(lambda m, into, out: None)
    with pytest.raises(ArgumentError, match="returned a dict"):
        module(x)
    module = Module(lambda x: x * 2)
    module.register_full_backward_hook(lambda m, into, out: (None, None))
    with pytest.raises(ArgumentError, match="2 gradients in place of 1"):
        module(x).backward()
