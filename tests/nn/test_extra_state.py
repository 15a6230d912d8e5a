"""What modules save beside tensors, and hooks that see state dicts come and go."""

import copy

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import nn
from tinygrad_relu.errors import ArgumentError, StateError


class Counting(nn.Linear):
    """A layer that counts its calls, and saves how many there were."""

    def __init__(self):
        super().__init__(1, 1)
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x)

    def get_extra_state(self):
        return {"calls": self.calls}

    def set_extra_state(self, state):
        self.calls = state["calls"] + 0


def counted():
    model = nn.Sequential(Counting(), nn.ReLU(), Counting())
    model(tg.ones(1, 1))
    model[2](tg.ones(1, 1))
    return model


def test_the_extra_state_stands_behind_the_tensors_of_its_module():
    state = counted().state_dict()
    assert list(state) == [
        "0.weight", "0.bias", "0._extra_state", "2.weight", "2.bias", "2._extra_state",
    ]
    assert state["0._extra_state"] == {"calls": 1} and state["2._extra_state"] == {"calls": 2}
    assert list(Counting().state_dict(prefix="a.")) == ["a.weight", "a.bias", "a._extra_state"]


@pytest.mark.parametrize("assign", [False, True])
def test_loading_sets_it_when_the_values_are_there(assign):
    model = counted()
    seen = []

    class Looking(Counting):
        def set_extra_state(self, state):
            seen.append((self.weight.item(), state))

    other = nn.Sequential(Looking(), nn.ReLU(), Counting())
    other.load_state_dict(model.state_dict(), assign=assign)
    assert seen == [(model[0].weight.item(), {"calls": 1})] and other[2].calls == 2


def test_it_is_saved_to_a_file_and_resumed(tmp_path):
    model = counted()
    tg.save(model.state_dict(), tmp_path / "model.npz")
    other = nn.Sequential(Counting(), nn.ReLU(), Counting())
    other.load_state_dict(tg.load(tmp_path / "model.npz"))
    assert [layer.calls for layer in (other[0], other[2])] == [1, 2]


def test_differences_of_extra_states_are_strict():
    model = counted()
    state = model.state_dict()
    del state["2._extra_state"]
    state["1._extra_state"] = 5
    before = [x.detach().numpy().copy() for x in model.parameters()]
    state["0._extra_state"] = {"calls": 9}
    state["0.weight"] = tg.zeros(1, 1)
    with pytest.raises(StateError) as caught:
        model.load_state_dict(state)
    assert "missing: 2._extra_state\n" in str(caught.value)
    assert str(caught.value).endswith("unexpected: 1._extra_state")
    for x, value in zip(model.parameters(), before):
        np.testing.assert_array_equal(x.detach().numpy(), value)
    assert model[0].calls == 1
    found = model.load_state_dict(state, strict=False)
    assert found == (["2._extra_state"], ["1._extra_state"])
    assert model[0].calls == 9 and model[2].calls == 2 and model[0].weight.item() == 0


def test_what_is_given_but_not_taken_is_unexpected():
    class Giving(nn.Module):
        def get_extra_state(self):
            return 1

    assert Giving().state_dict() == {"_extra_state": 1}
    with pytest.raises(StateError, match="unexpected: _extra_state"):
        Giving().load_state_dict(Giving().state_dict())


def test_an_error_of_the_users_own_passes():
    class Failing(Counting):
        def set_extra_state(self, state):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        Failing().load_state_dict(Counting().state_dict())


def test_modules_without_an_extra_state_say_so():
    for call in (nn.ReLU().get_extra_state, lambda: nn.ReLU().set_extra_state(1)):
        with pytest.raises(NotImplementedError, match=r"ReLU has no [gs]et_extra_state\(\): write one"):
            call()


def test_a_child_that_writes_its_own_state_dict_is_asked():
    class Brief(nn.Linear):
        def state_dict(self, *arguments, destination=None, prefix="", keep_vars=False):
            destination[prefix + "only"] = self.weight.detach()
            return destination

    assert list(nn.Sequential(Brief(1, 1)).state_dict()) == ["0.only"]


def test_hooks_of_saving_see_prefix_and_names():
    model, seen = nn.Sequential(nn.Linear(1, 1, bias=False)), []
    before = model[0].register_state_dict_pre_hook(lambda *given: seen.append(given))
    after = model[0].register_state_dict_post_hook(
        lambda module, state, prefix, metadata: state.update({prefix + "more": tg.ones(1)})
    )
    assert list(model.state_dict(keep_vars=True)) == ["0.weight", "0.more"]
    assert seen == [(model[0], "0.", True)]
    before.remove()
    after.remove()
    assert list(model.state_dict()) == ["0.weight"] and len(seen) == 1
    model.register_state_dict_post_hook(lambda *given: {})
    with pytest.raises(ArgumentError, match="return None"):
        model.state_dict()


def test_a_hook_that_knows_older_names():
    def renamed(module, state, prefix, metadata, strict, missing, unexpected, messages):
        assert all(name.startswith(prefix) for name in state) and strict and metadata == {}
        state[prefix + "weight"] = state.pop(prefix + "gamma")

    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    model[1].register_load_state_dict_pre_hook(renamed)
    state = {"0.weight": [[3.0]], "1.gamma": [[4.0]]}
    assert model.load_state_dict(state) == ([], [])
    assert [layer.weight.item() for layer in model] == [3, 4]
    assert list(state) == ["0.weight", "1.gamma"]


def test_a_hook_may_refuse_and_nothing_changes():
    def refusing(module, state, prefix, metadata, strict, missing, unexpected, messages):
        messages.append(f"{prefix}: too old")

    model = nn.Sequential(nn.Linear(1, 1))
    before = model[0].weight.item()
    model[0].register_load_state_dict_pre_hook(refusing)
    with pytest.raises(StateError, match=r"0\.: too old"):
        model.load_state_dict({"0.weight": [[before + 1]], "0.bias": [0.0]})
    assert model[0].weight.item() == before


def test_a_hook_after_loading_sees_the_values_and_may_change_the_lists():
    model, seen = nn.Sequential(nn.Linear(1, 1)), []

    def after(module, keys):
        seen.append((type(module).__name__, model[0].weight.item()))
        keys.missing_keys.clear()

    model.register_load_state_dict_post_hook(after)
    model[0].register_load_state_dict_post_hook(after)
    assert model.load_state_dict({"0.weight": [[5.0]]}, strict=False) == ([], [])
    assert seen == [("Linear", 5.0), ("Sequential", 5.0)]


def test_hooks_belong_to_one_module_and_are_functions():
    model = nn.Linear(1, 1)
    model.register_state_dict_post_hook(lambda module, state, prefix, metadata: state.clear())
    assert model.state_dict() == {} and len(nn.Linear(1, 1).state_dict()) == 2
    assert copy.deepcopy(model).state_dict() == {}
    for kind in ("state_dict_pre", "state_dict_post", "load_state_dict_pre", "load_state_dict_post"):
        with pytest.raises(ArgumentError, match="is a int: pass a function"):
            getattr(model, f"register_{kind}_hook")(3)
