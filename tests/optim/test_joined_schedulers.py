"""Schedules that multiply what is there, and several at once, against the products that they are."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, StateError
from tinygrad_relu.optim import lr_scheduler as schedules

RATES = (0.5, 0.08)


def optimizer_of(rates=RATES):
    return tg.optim.SGD([{"params": [tg.tensor([1.0], requires_grad=True)], "lr": r} for r in rates])


def followed(optimizer, scheduler, epochs=12):
    seen = []
    for _ in range(epochs):
        seen.append([group["lr"] for group in optimizer.param_groups])
        assert scheduler.get_last_lr() == seen[-1]
        optimizer.step()
        scheduler.step()
    return np.array(seen)


def test_multiplicative_rates_are_running_products():
    optimizer = optimizer_of()
    functions = [lambda epoch: 1 - epoch / 20, lambda epoch: 0.9]
    found = followed(optimizer, schedules.MultiplicativeLR(optimizer, functions))
    factors = np.array([[1, 1]] + [[1 - k / 20, 0.9] for k in range(1, 12)])
    np.testing.assert_allclose(found, RATES * np.cumprod(factors, axis=0), rtol=1e-14)
    with pytest.raises(ArgumentError, match="MultiplicativeLR: lr_lambda is a float"):
        schedules.MultiplicativeLR(optimizer, 0.5)


def chain(optimizer):
    return schedules.ChainedScheduler([
        schedules.LinearLR(optimizer, 0.25, total_iters=4),
        schedules.MultiplicativeLR(optimizer, lambda epoch: 0.9),
        schedules.StepLR(optimizer, 5, 0.5),
    ])


def products(epochs=12):
    k = np.arange(epochs)[:, None]
    return RATES * (0.25 + 0.75 * np.minimum(k, 4) / 4) * 0.9**k * 0.5 ** (k // 5)


def test_chained_rates_are_products():
    optimizer = optimizer_of()
    np.testing.assert_allclose(followed(optimizer, chain(optimizer)), products(), rtol=1e-13)


def test_a_chain_is_saved_and_resumed():
    optimizer, other = optimizer_of(), optimizer_of()
    scheduler, resumed = chain(optimizer), chain(other)
    followed(optimizer, scheduler, 5)
    resumed.load_state_dict(scheduler.state_dict())
    other.load_state_dict(optimizer.state_dict())
    np.testing.assert_allclose(followed(other, resumed, 7), products()[5:], rtol=1e-13)
    with pytest.raises(StateError, match=r"ChainedScheduler\.load_state_dict: the state is of 2 sch"):
        resumed.load_state_dict({**scheduler.state_dict(), "_schedulers": [{}, {}]})


def test_a_chain_may_come_after_another_schedule():
    optimizer = optimizer_of()
    first = schedules.ConstantLR(optimizer, 0.5, 100)
    found = followed(optimizer, schedules.SequentialLR(optimizer, [first, chain(optimizer)], [3]), 15)
    np.testing.assert_allclose(found[:3], np.tile(RATES, (3, 1)) * 0.5)
    np.testing.assert_allclose(found[3:], products(), rtol=1e-13)


def test_what_cannot_be_chained():
    optimizer, chained = optimizer_of(), schedules.ChainedScheduler
    step = schedules.StepLR(optimizer, 5)
    for wrong in ([], step, None):
        with pytest.raises(ArgumentError, match="ChainedScheduler: schedulers is a list"):
            chained(wrong)
    with pytest.raises(ArgumentError, match=r"schedulers\[1\] is one of another optimizer"):
        chained([step, schedules.StepLR(optimizer_of(), 5)])
    with pytest.raises(ArgumentError, match=r"schedulers\[1\] is a ReduceLROnPlateau"):
        chained([step, schedules.ReduceLROnPlateau(optimizer)])
    with pytest.raises(ArgumentError, match=r"schedulers\[0\] is one of another optimizer"):
        chained([step], optimizer_of())
    with pytest.raises(ArgumentError, match="optimizer is a NoneType"):
        chained([3])
