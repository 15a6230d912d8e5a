"""`CyclicLR`: rates and momenta that go up and down."""

import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, RangeError
from tinygrad_relu.optim.lr_scheduler import CyclicLR


def optimizer_of(kind=tg.optim.SGD, **settings):
    return kind([tg.tensor([1.0], requires_grad=True)], lr=7.0, **settings)


def followed(scheduler, steps):
    rates, momenta = [], []
    group = scheduler.optimizer.param_groups[0]
    for _ in range(steps):
        rates.append(group["lr"])
        momenta.append(group["betas"][0] if "betas" in group else group["momentum"])
        scheduler.optimizer.step()
        scheduler.step()
    return rates, momenta


@pytest.mark.parametrize(("mode", "expected"), [
    ("triangular", [1, 3, 5, 11 / 3, 7 / 3, 1, 3, 5, 11 / 3, 7 / 3, 1]),
    ("triangular2", [1, 3, 5, 11 / 3, 7 / 3, 1, 2, 3, 7 / 3, 5 / 3, 1]),
    ("exp_range", [1, 2, 2, 4 / 3, 13 / 12, 1, 1 + 2 / 2**6, 1 + 4 / 2**7]),
])
def test_rates_go_up_in_two_steps_and_down_in_three(mode, expected):
    scheduler = CyclicLR(optimizer_of(momentum=0.5), 1.0, 5.0, 2, 3, mode, gamma=0.5)
    rates, momenta = followed(scheduler, len(expected))
    assert rates == pytest.approx(expected)
    # The momentum is low where the rate is high.
    assert momenta == pytest.approx([0.9 - 0.1 * (rate - 1) / 4 for rate in expected])


def test_heights_by_a_function_of_the_step():
    scheduler = CyclicLR(
        optimizer_of(tg.optim.Adam), 1.0, 2.0, 1, scale_fn=lambda step: step, scale_mode="iterations"
    )
    rates, momenta = followed(scheduler, 4)
    assert rates == pytest.approx([1, 2, 1, 4])
    assert momenta == pytest.approx([0.9, 0.8, 0.9, 0.6])


def test_a_saved_schedule_goes_on_where_it_was():
    first = CyclicLR(optimizer_of(momentum=0.5), 1.0, 5.0, 2, 3)
    expected, _ = followed(first, 7)
    first = CyclicLR(optimizer_of(momentum=0.5), 1.0, 5.0, 2, 3)
    followed(first, 4)
    second = CyclicLR(optimizer_of(momentum=0.5), 1.0, 5.0, 2, 3)
    second.load_state_dict(first.state_dict())
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    assert followed(second, 3)[0] == pytest.approx(expected[4:])


@pytest.mark.parametrize(("settings", "error", "words"), [
    ({"mode": "round"}, ArgumentError, "CyclicLR: mode is 'round'"),
    ({"scale_mode": "epoch"}, ArgumentError, "scale_mode is 'epoch'"),
    ({"step_size_up": 0}, RangeError, "step_size_up is 0"),
    ({"max_lr": [1.0, 2.0]}, ArgumentError, "max_lr has 2 items"),
])
def test_bad_settings_change_nothing(settings, error, words):
    optimizer = optimizer_of(momentum=0.5)
    with pytest.raises(error, match=words):
        CyclicLR(optimizer, **{"base_lr": 0.1, "max_lr": 1.0, **settings})
    assert optimizer.param_groups[0]["lr"] == 7.0


def test_an_optimizer_without_momentum_says_what_to_switch_off():
    with pytest.raises(ArgumentError, match="cycle_momentum=False"):
        CyclicLR(optimizer_of(tg.optim.Adagrad), 0.1, 1.0)
