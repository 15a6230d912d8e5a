"""Which gradients depend on the slope of relu at 0."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import nn


def net_with_a_dead_unit():
    model = nn.Sequential(
        nn.Linear(3, 4, generator=np.random.default_rng(0)), nn.ReLU(),
        nn.Linear(4, 2, generator=np.random.default_rng(1)),
    )
    with tg.no_grad():
        model[0].weight[1] = 0.0
        model[0].bias[1] = 0.0
    return model


def test_a_net_with_one_unit_at_zero():
    model = net_with_a_dead_unit()
    x = tg.tensor(np.random.default_rng(2).standard_normal((5, 3)))
    found = tg.kink_sensitivity(lambda: model(x).square().mean(), model)
    assert not found.ok
    assert [p.name for p in found.parameters] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert [p.elements for p in found.parameters] == [3, 1, 0, 0]
    (kink,) = found.kinks
    assert (kink.zeros, kink.size) == (5, 20) and "test_sensitivity.py" in kink.place
    for slope, k in ((0, 0), (0.5, 1), (1, 2)):
        model.zero_grad()
        with tg.kink_slope(slope):
            model(x).square().mean().backward()
        np.testing.assert_array_equal(found.parameters[1].gradients[k], model[0].bias.grad.numpy())
    change = np.abs(found.parameters[1].gradients[2] - found.parameters[1].gradients[0]).max()
    assert found.parameters[1].largest == change > 0
    assert found.parameters[1].through == [(0, change)]
    text = str(found)
    assert "2 of 4 gradients depend" in text and "0.weight" in text and "2.weight" not in text
    assert "5 of 20 inputs are 0" in text and "model(x)" in text


def test_away_from_kinks_nothing_depends():
    w = tg.tensor([1.0, -2.0], requires_grad=True)
    found = tg.kink_sensitivity(lambda w: tg.relu(w).sum(), [w])
    assert found.ok and not found.kinks and "no gradient depends" in str(found)


def test_a_kink_that_the_loss_does_not_feel():
    w = tg.zeros(2, requires_grad=True)
    found = tg.kink_sensitivity(lambda: (tg.relu(w) * 0).sum() + w.sum(), {"w": w})
    assert found.ok and len(found.kinks) == 1 and "0 of 1 gradients depend" in str(found)


def test_kinks_in_a_row_are_seen_although_both_ends_agree():
    w = tg.zeros(1, requires_grad=True)
    found = tg.kink_sensitivity(lambda: (tg.relu(tg.relu(w)) - tg.relu(w)).sum())
    (only,) = found.parameters
    np.testing.assert_array_equal(np.stack(only.gradients)[:, 0], [0, -0.25, 0])
    assert only.largest == 0.25 and {k for k, _ in only.through} == {0, 1, 2}


def test_explicit_slopes_and_leaves_are_found_without_params():
    a, b = tg.zeros(2, requires_grad=True), tg.ones(2, requires_grad=True)
    found = tg.kink_sensitivity(lambda: (tg.relu(a, slope_at_kink=0.5) * b + b).sum())
    assert sorted(p.elements for p in found.parameters) == [0, 2]
    assert a.grad is None and b.grad is None


def test_what_cannot_be_looked_at():
    w = tg.zeros(2, requires_grad=True)
    with pytest.raises(tg.errors.ArgumentError, match="pass a function"):
        tg.kink_sensitivity(w.sum(), [w])
    with pytest.raises(tg.errors.ArgumentError, match="one element"):
        tg.kink_sensitivity(lambda: w * 2, [w])
    with pytest.raises(tg.errors.ArgumentError, match="one element that is not recorded"):
        tg.kink_sensitivity(lambda: tg.tensor(3.0))
    with pytest.raises(tg.errors.ArgumentError, match="requires_grad=True"):
        tg.kink_sensitivity(lambda: w.sum(), [tg.zeros(2)])
    shifts = iter(range(100))
    with pytest.raises(tg.errors.GradientError, match="other kinks"):
        tg.kink_sensitivity(lambda: tg.relu(w + next(shifts)).sum(), [w])
    assert tg.relu.diversion is None


def test_the_text_fits():
    w = tg.tensor([0.0, 1.0], requires_grad=True)
    name = "parameter_of_a_layer_whose_name_is_long_" * 3
    found = tg.kink_sensitivity(
        lambda w: tg.relu(w).sum() + tg.relu(w).sum() + sum(tg.relu(k * w).sum() for k in range(1, 40)),
        {name: w},
    )
    lines = str(found).splitlines()
    assert max(map(len, lines)) <= 100 and lines[-1] == "  and 17 more"
    assert "inputs are 0)" in lines[-3] and "tg.relu(k * w)" in lines[-2] and "37 others" in str(found)
