"""`Sequential`, `ModuleList`, `ModuleDict`, `ParameterList`, `ParameterDict`."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import nn
from tinygrad_relu.errors import ArgumentError, IndexingError


def kinds(row):
    return [type(module).__name__ for module in row]


def names(module):
    return [name for name, _ in module.named_children()]


def test_sequential_is_the_composition(rng):
    model = nn.Sequential(
        nn.Linear(3, 4), nn.ReLU(), nn.ReLU(), nn.Linear(4, 4), nn.Linear(4, 2), nn.ReLU()
    )
    x = tg.tensor(rng.standard_normal((5, 3)))
    y = x
    for module in model:
        y = module(y)
    np.testing.assert_allclose(model(x).detach(), y.detach(), rtol=1e-14)
    assert nn.Sequential()(x) is x


def test_sequential_changes_like_a_list():
    model = nn.Sequential(nn.Linear(1, 1), nn.ReLU())
    assert model.append(nn.Tanh()) is model and model.insert(1, nn.Sigmoid()) is model
    assert kinds(model) == ["Linear", "Sigmoid", "ReLU", "Tanh"] and names(model) == ["0", "1", "2", "3"]
    model[1] = nn.GELU()
    model[-1] = nn.Identity()
    assert kinds(model) == ["Linear", "GELU", "ReLU", "Identity"]
    del model[1]
    assert kinds(model) == ["Linear", "ReLU", "Identity"] and names(model) == ["0", "1", "2"]
    assert isinstance(model.pop(), nn.Identity) and len(model) == 2
    model.extend([nn.Tanh(), nn.Tanh()])
    del model[1:3]
    assert kinds(model) == ["Linear", "Tanh"] and names(model) == ["0", "1"]
    model.insert(-1, nn.SiLU())
    assert kinds(model) == ["Linear", "SiLU", "Tanh"]
    assert kinds(model + nn.Sequential(nn.ReLU())) == ["Linear", "SiLU", "Tanh", "ReLU"]
    assert model.training and model.eval().training is False


def test_sequential_slices_share_their_modules_and_keep_names():
    model = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1))
    part = model[1:]
    assert type(part) is nn.Sequential and part[1] is model[2] and names(part) == ["1", "2"]
    assert model[-1] is model[2] and model[np.int64(1)] is model[1] and len(model[:0]) == 0
    one = nn.ReLU()
    twice = nn.Sequential(one, one)
    assert len(twice) == 2 and len(twice[1:]) == 1 and names(twice) == ["0"]


def test_sequential_of_names():
    model = nn.Sequential({"body": nn.Linear(2, 3), "bend": nn.ReLU(), "head": nn.Linear(3, 1)})
    assert list(model.state_dict()) == ["body.weight", "body.bias", "head.weight", "head.bias"]
    assert model.head is model[2] and model(tg.zeros(4, 2)).shape == (4, 1)
    del model.bend
    model[1] = nn.Tanh()
    assert names(model) == ["body", "head"] and isinstance(model.head, nn.Tanh)
    assert names(model.append(nn.ReLU())) == ["body", "head", "2"]
    part = nn.Sequential(nn.ReLU(), nn.Tanh(), nn.Sigmoid())[1:]
    assert names(part.append(nn.ReLU())) == ["0", "1", "2"]      # "2" was taken
    assert kinds(part) == ["Tanh", "Sigmoid", "ReLU"]


def test_a_list_of_modules():
    layers = nn.ModuleList([nn.Linear(2, 2)])
    layers += [nn.ReLU()]
    assert layers.append(nn.Linear(2, 1)) is layers and kinds(layers) == ["Linear", "ReLU", "Linear"]
    assert kinds(layers[1:]) == ["ReLU", "Linear"] and names(layers[1:]) == ["0", "1"]
    assert type(layers[:1]) is nn.ModuleList and type(layers + [nn.ReLU()]) is nn.ModuleList
    assert len(nn.ModuleList()) == 0 and len(list(layers.parameters())) == 4
    with pytest.raises(NotImplementedError, match="ModuleList has no forward"):
        layers(tg.ones(2))


def test_a_list_of_equal_modules_is_shown_once():
    text = repr(nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Tanh(), nn.ReLU()]))
    assert text.splitlines()[1:-1] == ["  (0-1): 2 x ReLU()", "  (2): Tanh()", "  (3): ReLU()"]


def test_modules_by_names():
    heads = nn.ModuleDict({"a": nn.Linear(1, 1), "b": nn.ReLU()})
    heads["c"] = nn.Tanh()
    assert list(heads) == list(heads.keys()) == ["a", "b", "c"] and len(heads) == 3 and "b" in heads
    assert [type(m) for m in heads.values()] == [nn.Linear, nn.ReLU, nn.Tanh]
    assert heads.get("x") is None and dict(heads.items())["a"] is heads["a"]
    heads.update([("b", nn.Sigmoid())])
    assert list(heads) == ["a", "b", "c"] and isinstance(heads.pop("b"), nn.Sigmoid)
    del heads["c"]
    assert list(heads) == ["a"] and list(heads.state_dict()) == ["a.weight", "a.bias"]
    heads["kind"] = nn.ReLU()
    heads.clear()
    assert len(heads) == 0 and list(heads.parameters()) == []


def test_parameters_in_lists_and_by_names():
    weights = nn.ParameterList([nn.Parameter([1.0]), tg.ones(2), np.zeros(3)])
    weights.append([4.0])
    assert [p.shape for p in weights] == [(1,), (2,), (3,), (1,)]
    assert all(type(p) is nn.Parameter and p.requires_grad for p in weights)
    weights[0] = tg.ones(5)
    assert weights[0].shape == (5,) and len(weights[1:]) == 3
    assert list(weights.state_dict()) == ["0", "1", "2", "3"]
    named = nn.ParameterDict({"w": tg.ones(2)})
    named["b"] = 0.5
    assert list(named.state_dict()) == ["w", "b"] and named["b"].shape == ()
    assert "(b): Parameter of shape (), float64" in repr(named)


@pytest.mark.parametrize(("act", "error", "message"), [
    (lambda: nn.Sequential(nn.ReLU(), 5), ArgumentError, "Sequential: item 1 is a int: pass modules"),
    (lambda: nn.Sequential({"a": 5}), ArgumentError, "Sequential: item 'a' is a int"),
    (lambda: nn.Sequential({"append": nn.ReLU()}), ArgumentError, "Sequential.append is an attribute"),
    (lambda: nn.Sequential({"a.b": nn.ReLU()}), ArgumentError, "no dot"),
    (lambda: nn.Sequential(nn.ReLU())[1], IndexingError, "index 1, and there are 1 items"),
    (lambda: nn.Sequential()[0], IndexingError, "there are 0 items"),
    (lambda: nn.Sequential(nn.ReLU())["0"], ArgumentError, "the index is a str"),
    (lambda: nn.Sequential().append(5), ArgumentError, "item 0 is a int"),
    (lambda: nn.Sequential(nn.ReLU()).insert(5, nn.ReLU()), IndexingError, "index 5"),
    (lambda: nn.ModuleList(nn.ReLU()), ArgumentError, "a ReLU was given: pass a list"),
    (lambda: nn.ModuleList([None]), ArgumentError, "item 0 is a NoneType"),
    (lambda: nn.ParameterList(tg.ones(3)), ArgumentError, "pass a list"),
    (lambda: nn.ParameterList([[1, 2]]), ArgumentError, "item 0 is a list that cannot be trained"),
    (lambda: nn.ModuleDict({"keys": nn.ReLU()}), ArgumentError, "ModuleDict.keys is an attribute"),
    (lambda: nn.ModuleDict({"train": nn.ReLU()}), ArgumentError, "choose another name"),
    (lambda: nn.ModuleDict({5: nn.ReLU()}), ArgumentError, "it is a string"),
    (lambda: nn.ModuleDict({"a": 5}), ArgumentError, "'a' is a int: pass modules"),
    (lambda: nn.ModuleDict(5), ArgumentError, "pass a dict, or pairs"),
    (lambda: nn.ModuleDict({"a": nn.ReLU()})["b"], IndexingError, "there is no 'b': there is a"),
    (lambda: nn.ParameterDict({"a": "x"}), ArgumentError, "item 'a' is a str that cannot be trained"),
])
def test_errors_say_what(act, error, message):
    with pytest.raises(error, match=message):
        act()


def test_a_failed_change_changes_nothing():
    row, table = nn.Sequential(nn.ReLU()), nn.ModuleDict({"a": nn.ReLU()})
    for act in (
        lambda: row.extend([nn.Tanh(), 5]), lambda: row.insert(0, 5), lambda: row.pop(3),
        lambda: table.update({"b": nn.Tanh(), "c": 5}),
        lambda: table.update({"b": nn.Tanh(), "pop": nn.Tanh()}),
    ):
        with pytest.raises((ArgumentError, IndexingError)):
            act()
    assert kinds(row) == ["ReLU"] and list(table) == ["a"]
