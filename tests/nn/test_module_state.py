"""State dicts: what is in them, and that loading one is all or nothing."""

import copy

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import nn
from tinygrad_relu.errors import ArgumentError, StateError


def net():
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 1, bias=False))


def values(model):
    return {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}


def assert_unchanged(model, before):
    for name, value in values(model).items():
        np.testing.assert_array_equal(value, before[name])


def test_names_and_order_are_those_of_pytorch():
    assert list(net().state_dict()) == [
        "0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var",
        "1.num_batches_tracked", "3.weight",
    ]
    state = net().state_dict(prefix="body.")
    assert next(iter(state)) == "body.0.weight"
    mine = {"x": 1}
    assert net().state_dict(destination=mine) is mine and len(mine) == 9


def test_state_shares_memory_outside_of_the_graph():
    model = nn.Linear(2, 1)
    state = model.state_dict()
    assert not state["weight"].requires_grad and type(state["weight"]) is tg.Tensor
    with tg.no_grad():
        model.weight[...] = 5
    assert state["weight"].tolist() == [[5, 5]]
    assert model.state_dict(keep_vars=True)["weight"] is model.weight


def test_buffers_that_are_not_persistent_are_left_out():
    model = nn.Module()
    model.register_buffer("kept", tg.zeros(1))
    model.register_buffer("left", tg.zeros(1), persistent=False)
    assert list(model.state_dict()) == ["kept"] and len(list(model.buffers())) == 2


@pytest.mark.parametrize("form", [
    lambda state: state,
    lambda state: {name: value.numpy() for name, value in state.items()},
    lambda state: {name: value.tolist() for name, value in state.items()},
    lambda state: {name: value.double() for name, value in state.items()},
])
def test_values_come_in_whatever_they_are(form):
    model, other = net().float(), net().float()
    other(tg.ones(4, 2, dtype=tg.float32))
    parameters = list(model.parameters())
    found = model.load_state_dict(form(copy.deepcopy(other.state_dict())))
    assert found == ([], []) and found.missing_keys == [] and found.unexpected_keys == []
    assert all(p is q for p, q in zip(parameters, model.parameters()))
    assert model[0].weight.dtype == np.float32 and model[1].num_batches_tracked.item() == 1
    assert_unchanged(model, values(other))


def test_all_that_does_not_fit_is_listed_and_nothing_changes():
    model = net()
    before = values(model)
    state = dict(net().state_dict())
    del state["0.bias"], state["1.running_var"]
    state |= {"4.weight": tg.ones(1), "more": tg.ones(1)}
    state["0.weight"] = tg.ones(3, 3)
    state["3.weight"] = np.array([[1j, 1, 1]])
    state["1.bias"] = ["a", "b", "c"]
    state["1.weight"] = [[1.0], [1.0, 2.0], []]
    with pytest.raises(StateError) as caught:
        model.load_state_dict(state)
    text = str(caught.value)
    assert text.startswith("Sequential.load_state_dict: nothing was loaded:")
    for line in (
        "missing: 0.bias, 1.running_var", "unexpected: 4.weight, more",
        "0.weight: shape (3, 3) was given, and the module has shape (3, 2)",
        "3.weight: dtype complex128", "1.bias: dtype <U1", "1.weight: a list that is no array",
    ):
        assert line in text
    assert_unchanged(model, before)
    with pytest.raises(RuntimeError, match="shape"):
        model.load_state_dict({"0.weight": tg.ones(3, 3), "0.bias": tg.ones(3)}, strict=False)
    assert_unchanged(model, before)
    found = model.load_state_dict({"0.bias": tg.ones(3), "x": 1}, strict=False)
    assert found.unexpected_keys == ["x"] and len(found.missing_keys) == 7
    assert model[0].bias.tolist() == [1, 1, 1]


@pytest.mark.parametrize("wrong", [None, [("0.weight", 1)], 5])
def test_what_is_no_dict_is_refused(wrong):
    with pytest.raises(ArgumentError, match="pass a dict of tensors"):
        net().load_state_dict(wrong)


def test_a_memory_that_cannot_be_written_is_found_before():
    array = np.zeros(2)
    array.flags.writeable = False
    model = nn.Linear(2, 1)
    model.register_buffer("fixed", tg.asarray(array))
    before = values(model)
    with pytest.raises(StateError, match="fixed: its memory in the module cannot be written"):
        model.load_state_dict({name: np.ones(x.shape) for name, x in model.state_dict().items()})
    assert_unchanged(model, before)


def test_values_may_lie_in_the_module_itself():
    model = nn.ParameterList([tg.ones(2), tg.zeros(2)])
    state = model.state_dict()
    model.load_state_dict({"0": state["1"], "1": state["0"]})
    assert model[0].tolist() == [0, 0] and model[1].tolist() == [1, 1]


def test_loading_counts_as_a_change():
    model = nn.Linear(2, 1)
    loss = model(tg.ones(1, 2)).square().sum()
    model.load_state_dict(nn.Linear(2, 1).state_dict())
    x = tg.ones(1, 2, requires_grad=True)
    y = model(x).sum()
    model.load_state_dict(nn.Linear(2, 1).state_dict())
    with pytest.raises(RuntimeError, match="changed in place"):
        y.backward()
    loss.detach()


def test_assigned_values_keep_their_dtype_and_tensors_that_are_tied_stay_so():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(2, 2, bias=False), nn.BatchNorm1d(2)
            self.c = nn.Parameter([1.0])
            self.c.requires_grad = False
            self.again = self.a.weight

    model = Tied()
    state = {name: x.float() if x.dtype.kind == "f" else x for name, x in Tied().state_dict().items()}
    model.load_state_dict(state, assign=True)
    assert {p.dtype for p in model.parameters()} == {np.dtype(np.float32)}
    assert model.again is model.a.weight and type(model.again) is nn.Parameter
    assert model.again.requires_grad and not model.c.requires_grad
    assert next(name for name, _ in model.named_buffers()) == "b.running_mean"
    assert model.b.running_mean.dtype == np.float32
    with tg.no_grad():
        model.c += 1
    assert state["c"].item() == 1
    with pytest.raises(StateError, match="only floating dtypes"):
        model.load_state_dict({"again": [[1, 2], [3, 4]]}, strict=False, assign=True)
