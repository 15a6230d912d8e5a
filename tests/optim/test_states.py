"""Groups of parameters, what optimizers remember, hooks and closures."""

import copy
import pickle

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import optim
from tinygrad_relu.errors import ArgumentError, TensorError

KINDS = {
    "sgd": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.5),
    "adam": lambda p: optim.Adam(p, lr=0.1, amsgrad=True),
    "adamw": lambda p: optim.AdamW(p, lr=0.1),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.1, momentum=0.5, centered=True),
    "adagrad": lambda p: optim.Adagrad(p, lr=0.1, lr_decay=0.1),
    "lbfgs": lambda p: optim.LBFGS(p, lr=0.1, max_iter=3, history_size=2),
}


def two_params():
    return [tg.tensor([1.0, -2.0, 3.0], requires_grad=True), tg.tensor([[0.5]], requires_grad=True)]


def descend(optimizer, params, steps):
    def closure():
        optimizer.zero_grad()
        loss = (params[0] ** 2).sum() + ((params[0].sum() - params[1]) ** 2).sum()
        loss.backward()
        return loss

    for _ in range(steps):
        optimizer.step(closure)
    return [p.tolist() for p in params]


def test_groups_have_settings_of_their_own():
    a, b, c = (tg.tensor([1.0], requires_grad=True) for _ in range(3))
    optimizer = optim.SGD([{"params": a, "lr": 0.5}, {"params": [b]}], lr=0.1, momentum=0.0)
    optimizer.add_param_group({"params": [c], "lr": 0.25, "maximize": True, "name": "last"})
    optimizer.param_groups[1]["lr"] = 0.2
    (a + b + c).sum().backward()
    optimizer.step()
    assert [p.item() for p in (a, b, c)] == [0.5, 0.8, 1.25]
    assert optimizer.param_groups[2]["name"] == "last" and optimizer.param_groups[2]["momentum"] == 0
    assert "group 2: 1 parameters" in repr(optimizer) and "lr: 0.25" in repr(optimizer)


def test_groups_that_cannot_be_are_refused_and_change_nothing():
    a, b = two_params()
    optimizer = optim.SGD([a], lr=0.1)
    for group, words in [
        ({"params": [a]}, "twice"), ({"params": [b], "lr": -1}, "lr is -1"), ([b], "'params'"),
        ({"params": {a, b}}, "set"), ({"params": [("b", b)]}, "name all or none"),
        ({"params": {"b": b}}, "dict"), ({"params": 3}, "int"),
    ]:
        with pytest.raises(ArgumentError, match=words):
            optimizer.add_param_group(group)
        assert len(optimizer.param_groups) == 1
    with pytest.raises(ArgumentError, match="others are groups"):
        optim.SGD([a, {"params": [b]}])
    with pytest.raises(ArgumentError, match="has no name"):
        optim.SGD([("a", a), b])
    with pytest.raises(ArgumentError, match="one group"):
        optim.LBFGS([{"params": [a]}, {"params": [b]}])


def test_frozen_parameters_are_passed_over():
    a, b = two_params()
    b.requires_grad = False
    optimizer = optim.Adam([a, b], lr=0.1)
    (a * a).sum().backward()
    optimizer.step()
    assert b.item() == 0.5 and a[0].item() == pytest.approx(0.9)


def test_a_setting_that_is_no_number_stops_the_step_of_all_groups():
    for kind in (optim.SGD, optim.Adam, optim.RMSprop, optim.Adagrad):
        a, b = two_params()
        optimizer = kind([{"params": [a]}, {"params": [b]}], lr=0.1)
        before = str(optimizer.state_dict()["state"])
        (a.sum() + b.sum()).backward()
        optimizer.param_groups[1]["lr"] = "fast"
        with pytest.raises(ArgumentError, match="no number"):
            optimizer.step()
        assert a.tolist() == [1, -2, 3] and str(optimizer.state_dict()["state"]) == before


def test_a_state_that_does_not_fit_stops_the_step():
    for wrong in (np.zeros(2), np.zeros(3, np.float32), np.zeros(6)[::2], [0, 0, 0]):
        a, b = two_params()
        optimizer = optim.Adam([b, a], lr=0.1)
        descend(optimizer, [a, b], 1)
        before = [a.tolist(), b.tolist(), optimizer.state[b]["step"]]
        optimizer.state[a]["exp_avg"] = wrong
        with pytest.raises(TensorError, match="'exp_avg' of parameter 1"):
            optimizer.step()
        assert before == [a.tolist(), b.tolist(), optimizer.state[b]["step"]]


def test_a_centered_variance_is_never_negative():
    w = tg.tensor([0.0], requires_grad=True)
    optimizer, negative = optim.RMSprop([w], lr=1e-6, alpha=0.3, centered=True), 0
    for _ in range(200):
        w.grad = tg.tensor([0.7])
        optimizer.step()
        memory = optimizer.state[w]
        negative += (memory["square_avg"] - memory["grad_avg"] ** 2).item() < 0
        assert np.isfinite(w.item())
    assert negative > 100


def test_nan_goes_on_to_the_largest_square():
    w = tg.tensor([0.0, 0.0], requires_grad=True)
    optimizer = optim.Adam([w], amsgrad=True)
    for gradient in ([1.0, 1.0], [np.nan, 1.0]):
        w.grad = tg.tensor(gradient)
        optimizer.step()
    assert np.isnan(optimizer.state[w]["max_exp_avg_sq"]).tolist() == [True, False]


@pytest.mark.parametrize("name", KINDS)
def test_a_loaded_state_goes_on_bit_for_bit(name):
    make = KINDS[name]
    params = two_params()
    optimizer = make(params)
    descend(optimizer, params, 3)
    state = copy.deepcopy(optimizer.state_dict())
    others = [p.detach().clone().requires_grad_() for p in params]
    expected = descend(optimizer, params, 3)
    resumed = make(others)
    resumed.load_state_dict(state)
    state["param_groups"][0]["lr"] = 99.0       # what was loaded is a copy
    for memory in state["state"].values():
        for value in memory.values():
            if isinstance(value, tg.Tensor):
                value.zero_()
    assert descend(resumed, others, 3) == expected


@pytest.mark.parametrize("name", KINDS)
def test_optimizers_are_copied_and_pickled_with_their_parameters(name):
    params = two_params()
    optimizer = KINDS[name](params)
    optimizer.register_step_pre_hook(lambda *_: None)
    descend(optimizer, params, 2)
    copies = [copy.deepcopy((params, optimizer)), pickle.loads(pickle.dumps((params, optimizer)))]
    expected = descend(optimizer, params, 2)
    for others, other in copies:
        assert other.param_groups[0]["params"][0] is others[0]
        assert descend(other, others, 2) == expected


def test_the_form_of_a_state_dict():
    params = two_params()
    optimizer = optim.Adam([("first", params[0]), ("second", params[1])], lr=0.1)
    assert optimizer.state_dict()["state"] == {}
    params[1].sum().backward()
    optimizer.step()
    state = optimizer.state_dict()
    group, = state["param_groups"]
    assert group["params"] == [0, 1] and group["param_names"] == ["first", "second"]
    assert group["betas"] == (0.9, 0.999) and group["lr"] == 0.1 and group["amsgrad"] is False
    assert list(state["state"]) == [1] and list(state["state"][1]) == ["step", "exp_avg", "exp_avg_sq"]
    assert state["state"][1]["step"] == 1 and isinstance(state["state"][1]["exp_avg"], tg.Tensor)
    names = {
        "sgd": {"momentum_buffer"}, "adam": {"step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"},
        "rmsprop": {"step", "square_avg", "grad_avg", "momentum_buffer"}, "adagrad": {"step", "sum"},
    }
    for name, expected in names.items():
        params = two_params()
        optimizer = KINDS[name](params)
        descend(optimizer, params, 1)
        assert optimizer.state_dict()["state"][0].keys() == expected
    optimizer = optim.Adagrad(two_params(), initial_accumulator_value=2.0)
    assert optimizer.state_dict()["state"][1]["sum"].item() == 2


def test_states_of_other_libraries_are_taken():
    a, b = two_params()
    optimizer = optim.Adam([a, b])
    # Counts are arrays there, settings are more, and what there is not is None.
    memory = {
        "step": np.array(3.0, np.float32), "exp_avg": np.ones(3, np.float32),
        "exp_avg_sq": np.ones(3), "max_exp_avg_sq": None,
    }
    group = {"lr": 0.5, "betas": (0.8, 0.9), "foreach": None, "capturable": False, "params": [0, 1]}
    optimizer.load_state_dict({"state": {0: memory, 1: {}}, "param_groups": [group]})
    assert optimizer.state[a]["step"] == 3 and optimizer.state[a]["exp_avg"].dtype == np.float64
    assert optimizer.param_groups[0]["betas"] == (0.8, 0.9) and optimizer.param_groups[0]["eps"] == 1e-8
    descend(optimizer, [a, b], 1)
    assert optimizer.state[a]["step"] == 4


def broken(change):
    params = two_params()
    optimizer = optim.Adam([("a", params[0]), ("b", params[1])], lr=0.1)
    descend(optimizer, params, 1)
    state = copy.deepcopy(optimizer.state_dict())
    optimizer.state_dict_before = str(state)
    return optimizer, change(state) or state


BROKEN = {
    "'state' and 'param_groups'": lambda s: {"state": {}},
    "1 groups": lambda s: s["param_groups"].append({"params": []}),
    "2 parameters here, and 1": lambda s: s["param_groups"][0].update(params=[0]),
    "no dict with numbers": lambda s: s.update(param_groups=[3]),
    "with numbers of parameters": lambda s: s["param_groups"][0].update(params=[[0], 1]),
    "have one number": lambda s: s["param_groups"][0].update(params=[1, 1]),
    "no group": lambda s: s["state"].update({7: {}}),
    "lacks 'exp_avg'": lambda s: s["state"].update({1: {"step": 1}}),
    "shape": lambda s: s["state"][1].update(exp_avg=np.ones(2)),
    "dtype": lambda s: s["state"][1].update(exp_avg=np.ones((1, 1), complex)),
    "whole number": lambda s: s["state"][1].update(step=1.5),
    "not negative": lambda s: s["state"][1].update(step=-1),
    "is a dict": lambda s: s["state"].update({1: 3}),
    "was 'c' when": lambda s: s["param_groups"][0].update(param_names=["a", "c"]),
    "lies from": lambda s: s["param_groups"][0].update(lr=-1.0),
    "True or False": lambda s: s["param_groups"][0].update(amsgrad="no"),
    "lacks 'max_exp_avg_sq'": lambda s: s["param_groups"][0].update(amsgrad=True),
}


@pytest.mark.parametrize("words", BROKEN)
def test_states_that_do_not_fit_change_nothing(words):
    optimizer, state = broken(BROKEN[words])
    with pytest.raises(TensorError, match=words):
        optimizer.load_state_dict(state)
    assert str(optimizer.state_dict()) == optimizer.state_dict_before


def test_hooks_are_called_around_each_step():
    w = tg.tensor([1.0], requires_grad=True)
    optimizer, seen = optim.SGD([w], lr=0.5), []
    before = optimizer.register_step_pre_hook(lambda o, args, kwargs: seen.append(("before", w.item())))
    optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append(("after", w.item())))
    w.grad = tg.tensor([1.0])
    optimizer.step()
    before.remove()
    optimizer.step()
    assert seen == [("before", 1.0), ("after", 0.5), ("after", 0.0)]


def test_a_closure_records_and_its_loss_is_returned():
    w = tg.tensor([2.0], requires_grad=True)
    optimizer = optim.SGD([w], lr=0.25)

    def closure():
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    with tg.no_grad():
        assert optimizer.step(closure).item() == 4 and w.item() == 1


def test_an_optimizer_of_ones_own():
    class Signs(optim.Optimizer):
        def __init__(self, params, lr=0.5):
            super().__init__(params, {"lr": lr})

        @tg.no_grad()
        def step(self):
            for group in self.param_groups:
                for p in group["params"]:
                    self.state[p]["count"] = self.state[p].get("count", 0) + 1
                    p -= group["lr"] * p.grad.sign()

    w = tg.tensor([1.0, -1.0], requires_grad=True)
    optimizer = Signs([w])
    (w * w).sum().backward()
    optimizer.step()
    assert w.tolist() == [0.5, -0.5] and optimizer.state_dict()["state"] == {0: {"count": 1}}
    again = Signs([w], lr=0.1)
    again.load_state_dict(optimizer.state_dict())
    assert again.state[w] == {"count": 1} and again.param_groups[0]["lr"] == 0.5
    with pytest.raises(NotImplementedError, match=r"step\(\)"):
        optim.Optimizer([w], {}).step()
