"""Schedules against the formulas of PyTorch's documentation, and of the papers that it names."""

import copy
import math

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, GraphError, RangeError, StateError
from tinygrad_relu.optim import lr_scheduler as schedules

RATES = (0.5, 0.08)
EPOCHS = 50


def optimizer_of(rates=RATES, kind=tg.optim.SGD, **settings):
    groups = [{"params": [tg.tensor([1.0], requires_grad=True)], "lr": rate} for rate in rates]
    return kind(groups, **settings)


def rates_of(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


def followed(optimizer, *schedulers, epochs=EPOCHS):
    """Return the rates at each epoch."""
    seen = []
    for _ in range(epochs):
        seen.append(rates_of(optimizer))
        assert schedulers[-1].get_last_lr() == rates_of(optimizer)
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return np.array(seen)


def cosine(epoch, length, low=0.0):
    return lambda base: low + (base - low) * (1 + math.cos(math.pi * epoch / length)) / 2


def restarts(epoch, first, times, low):
    length = first
    while epoch >= length:
        epoch, length = epoch - length, length * times
    return cosine(epoch, length, low)


S = schedules
CASES = {
    "step": (lambda o: S.StepLR(o, 7, 0.3), lambda k: lambda base: base * 0.3 ** (k // 7)),
    "multi step": (
        lambda o: S.MultiStepLR(o, [40, 3, 10, 10], 0.5),
        lambda k: lambda base: base * 0.5 ** sum(k >= m for m in (3, 10, 10, 40)),
    ),
    "exponential": (lambda o: S.ExponentialLR(o, 0.9), lambda k: lambda base: base * 0.9**k),
    "constant": (
        lambda o: S.ConstantLR(o, 0.3, 9), lambda k: lambda base: base * (0.3 if k < 9 else 1),
    ),
    "linear": (
        lambda o: S.LinearLR(o, 0.2, 0.8, 11), lambda k: lambda base: base * (0.2 + 0.6 * min(k / 11, 1)),
    ),
    "linear to nothing": (
        lambda o: S.LinearLR(o, 1.0, 0.0, 8), lambda k: lambda base: base * (1 - min(k / 8, 1)),
    ),
    "polynomial": (
        lambda o: S.PolynomialLR(o, 30, 1.7), lambda k: lambda base: base * (1 - min(k, 30) / 30) ** 1.7,
    ),
    "cosine": (lambda o: S.CosineAnnealingLR(o, 10, 0.001), lambda k: cosine(k, 10, 0.001)),
    "cosine, one epoch": (lambda o: S.CosineAnnealingLR(o, 1), lambda k: cosine(k, 1)),
    "restarts": (
        lambda o: S.CosineAnnealingWarmRestarts(o, 5, 2, 0.01), lambda k: restarts(k, 5, 2, 0.01),
    ),
    "restarts of one length": (
        lambda o: S.CosineAnnealingWarmRestarts(o, 7), lambda k: restarts(k, 7, 1, 0.0),
    ),
    "lambda": (lambda o: S.LambdaLR(o, lambda k: 1 / (1 + k)), lambda k: lambda base: base / (1 + k)),
}


@pytest.mark.parametrize("name", CASES)
def test_rates_are_those_of_the_formula(name):
    make, formula = CASES[name]
    optimizer = optimizer_of()
    seen = followed(optimizer, make(optimizer))
    expected = [[formula(k)(base) for base in RATES] for k in range(EPOCHS)]
    np.testing.assert_allclose(seen, expected, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("name", CASES)
def test_a_loaded_state_goes_on(name):
    make, _ = CASES[name]
    optimizer = optimizer_of()
    scheduler = make(optimizer)
    followed(optimizer, scheduler, epochs=6)
    saved = copy.deepcopy([optimizer.state_dict(), scheduler.state_dict()])
    expected = followed(optimizer, scheduler, epochs=9)
    other = optimizer_of((9.0, 9.0))
    resumed = make(other)
    other.load_state_dict(saved[0])
    resumed.load_state_dict(saved[1])
    assert (followed(other, resumed, epochs=9) == expected).all()


def test_several_schedules_multiply():
    optimizer = optimizer_of()
    both = S.LinearLR(optimizer, 0.5, total_iters=4), S.ExponentialLR(optimizer, 0.9)
    expected = [[base * (0.5 + min(k, 4) / 8) * 0.9**k for base in RATES] for k in range(EPOCHS)]
    np.testing.assert_allclose(followed(optimizer, *both), expected, rtol=1e-12)


def test_a_rate_set_by_hand_is_gone_on_from():
    optimizer = optimizer_of((1.0,))
    scheduler = S.StepLR(optimizer, 2, 0.5)
    scheduler.step()
    optimizer.param_groups[0]["lr"] = 0.8
    scheduler.step()
    assert followed(optimizer, scheduler, epochs=4).ravel().tolist() == [0.4, 0.4, 0.2, 0.2]


def test_restarts_at_fractions_of_epochs():
    optimizer = optimizer_of()
    scheduler = S.CosineAnnealingWarmRestarts(optimizer, 3, 2, 0.01)
    for epoch in np.arange(0, 25, 0.3).tolist():
        scheduler.step(epoch)
        expected = [restarts(epoch, 3, 2, 0.01)(base) for base in RATES]
        np.testing.assert_allclose(rates_of(optimizer), expected, rtol=1e-10)
    scheduler.step(8)
    scheduler.step()
    assert scheduler.last_epoch == 9
    np.testing.assert_allclose(rates_of(optimizer), RATES, rtol=1e-10)      # 3 + 6: begins anew


def one_cycle(k, total, start, high, low, first, last, three, shape):
    """Smith and Topin's cycle, in PyTorch's form: up, down (and, in three phases, out)."""
    up = start * total - 1
    if three:
        ends = [(0, up, first, high), (up, 2 * start * total - 2, high, first)]
        ends.append((2 * start * total - 2, total - 1, first, last))
    else:
        ends = [(0, up, first, high), (up, total - 1, high, last)]
    begin, end, a, b = next(phase for phase in ends if k <= phase[1])
    share = (k - begin) / (end - begin)
    return a + (b - a) * share if shape == "linear" else b + (a - b) * (1 + math.cos(math.pi * share)) / 2


@pytest.mark.parametrize("kind", [tg.optim.SGD, tg.optim.Adam, tg.optim.RMSprop])
@pytest.mark.parametrize(("three", "shape"), [(False, "cos"), (True, "linear")])
def test_one_cycle(kind, three, shape):
    optimizer = optimizer_of(kind=kind, **({"momentum": 0.5} if kind is tg.optim.SGD else {}))
    scheduler = S.OneCycleLR(
        optimizer, [1.0, 0.2], epochs=4, steps_per_epoch=5, pct_start=0.25, anneal_strategy=shape,
        three_phase=three, div_factor=10, final_div_factor=100, base_momentum=0.8, max_momentum=0.9,
    )
    for k in range(20):
        rates = [one_cycle(k, 20, 0.25, m, m, m / 10, m / 1000, three, shape) for m in (1.0, 0.2)]
        np.testing.assert_allclose(rates_of(optimizer), rates, rtol=1e-10)
        momentum = one_cycle(k, 20, 0.25, 0.8, 0.9, 0.9, 0.9, three, shape)
        for group in optimizer.param_groups:
            found = group["betas"][0] if "betas" in group else group["momentum"]
            assert found == pytest.approx(momentum, rel=1e-10)
        optimizer.step()
        scheduler.step()
    np.testing.assert_allclose(rates_of(optimizer), [0.001, 0.0002])    # the last one is kept
    before = scheduler.state_dict(), copy.deepcopy(optimizer.state_dict())
    with pytest.raises(RangeError, match="20 steps were announced"):
        scheduler.step()
    assert (scheduler.state_dict(), optimizer.state_dict()) == before


def test_one_cycle_without_momentum():
    optimizer = optimizer_of(kind=tg.optim.Adagrad)
    with pytest.raises(ArgumentError, match="cycle_momentum=False"):
        S.OneCycleLR(optimizer, 1.0, total_steps=5)
    assert rates_of(optimizer) == list(RATES) and "max_lr" not in optimizer.param_groups[0]
    S.OneCycleLR(optimizer, 1.0, total_steps=5, cycle_momentum=False)
    assert rates_of(optimizer) == pytest.approx([0.04, 0.04])
    optimizer = optimizer_of(kind=tg.optim.Adam)
    followed(optimizer, S.OneCycleLR(optimizer, 1.0, total_steps=1), epochs=1)


def test_one_schedule_after_the_other():
    optimizer = optimizer_of()
    scheduler = S.SequentialLR(optimizer, [
        S.LinearLR(optimizer, 0.1, total_iters=5), S.CosineAnnealingLR(optimizer, 20, 0.001),
        S.LambdaLR(optimizer, lambda k: 0.8**k), S.CosineAnnealingWarmRestarts(optimizer, 3, 2),
    ], [5, 25, 40])

    def formula(k):
        if k < 5:
            return lambda base: base * (0.1 + 0.9 * k / 5)
        if k < 25:
            return cosine(k - 5, 20, 0.001)
        return (lambda base: base * 0.8 ** (k - 25)) if k < 40 else restarts(k - 40, 3, 2, 0.0)

    expected = [[formula(k)(base) for base in RATES] for k in range(EPOCHS)]
    np.testing.assert_allclose(followed(optimizer, scheduler), expected, rtol=1e-10)


def test_sequences_hold_sequences_and_load():
    def make(optimizer):
        inner = S.SequentialLR(
            optimizer, [S.ConstantLR(optimizer, 0.5, 100), S.ExponentialLR(optimizer, 0.9)], [3]
        )
        return S.SequentialLR(optimizer, [inner, S.StepLR(optimizer, 2, 0.5)], [8])

    optimizer = optimizer_of((1.0,))
    scheduler = make(optimizer)
    expected = [0.5] * 3 + [0.9**k for k in range(5)] + [0.5 ** (k // 2) for k in range(6)]
    seen = followed(optimizer, scheduler, epochs=6).ravel().tolist()
    saved = copy.deepcopy([optimizer.state_dict(), scheduler.state_dict()])
    other = optimizer_of((9.0,))
    resumed = make(other)
    other.load_state_dict(saved[0])
    resumed.load_state_dict(saved[1])
    seen += followed(other, resumed, epochs=8).ravel().tolist()
    np.testing.assert_allclose(seen, expected, rtol=1e-12)
    before = str(resumed.state_dict())
    del saved[1]["_schedulers"][1]["gamma"]
    with pytest.raises(StateError, match="gamma is missing"):
        resumed.load_state_dict(saved[1])
    assert str(resumed.state_dict()) == before


PLATEAU = {     # settings, measures, and after which of them the rate is lowered, by hand
    "less is better": ({"patience": 1}, [3, 2, 2, 2, 1, 2, 2, 2, 2, 2], [3, 6, 8]),
    "more is better": ({"patience": 0, "mode": "max"}, [1, 2, 1, 3, 3], [2, 4]),
    "too little of a share": ({"patience": 0, "threshold": 0.1}, [1.0, 0.95, 0.89, 0.5], [1]),
    "too little": (
        {"patience": 0, "threshold": 0.1, "threshold_mode": "abs"}, [1.0, 0.95, 0.89, 0.85], [1, 3],
    ),
    "a pause": ({"patience": 0, "cooldown": 2}, [1, 1, 1, 1, 1, 1, 1], [1, 4]),
    "NaN": ({"patience": 1}, [1, math.nan, math.nan, 0.5], [2]),
    "not less than the least": ({"patience": 0, "min_lr": [0.25, 0.25]}, [1, 1, 1, 1], [1, 2]),
    "too small a change": ({"patience": 0, "eps": 0.3}, [1, 1, 1, 1], [1]),
}


@pytest.mark.parametrize("name", PLATEAU)
def test_the_rate_is_lowered_when_nothing_gets_better(name):
    settings, measures, lowered = PLATEAU[name]
    optimizer = optimizer_of((1.0, 1.0))
    scheduler, rate = S.ReduceLROnPlateau(optimizer, factor=0.5, **settings), 1.0
    for k, measure in enumerate(measures):
        scheduler.step(tg.tensor(float(measure)))
        rate *= 0.5 if k in lowered else 1
        assert scheduler.get_last_lr() == rates_of(optimizer) == [rate, rate], k
    other = S.ReduceLROnPlateau(optimizer)
    other.load_state_dict(scheduler.state_dict())
    assert other.state_dict() == scheduler.state_dict()


def test_functions_of_a_lambda_schedule_are_saved_only_as_attributes():
    class Warm:
        def __init__(self, length):
            self.length = length

        def __call__(self, epoch):
            return min(1.0, (epoch + 1) / self.length)

    optimizer = optimizer_of((1.0, 1.0))
    scheduler = S.LambdaLR(optimizer, [Warm(4), lambda k: 0.5])
    assert rates_of(optimizer) == [0.25, 0.5]
    state = scheduler.state_dict()
    assert state["lr_lambdas"] == [{"length": 4}, None]
    other = S.LambdaLR(optimizer_of((1.0, 1.0)), [Warm(7), lambda k: 0.5])
    other.load_state_dict(state)
    other.step()
    assert other.get_last_lr() == [0.5, 0.5]


def test_a_function_that_raises_changes_nothing():
    optimizer = optimizer_of((1.0,))
    scheduler = S.LambdaLR(optimizer, lambda k: [1.0, 0.5][k])
    scheduler.step()
    before = scheduler.state_dict()
    with pytest.raises(IndexError):
        scheduler.step()
    assert scheduler.state_dict() == before


def test_a_schedule_made_in_the_middle():
    optimizer = optimizer_of((1.0,))
    with pytest.raises(ArgumentError, match="initial_lr"):
        S.ExponentialLR(optimizer, 0.5, last_epoch=3)
    optimizer.param_groups[0].update(initial_lr=1.0, lr=0.125)
    scheduler = S.ExponentialLR(optimizer, 0.5, last_epoch=2)
    assert scheduler.last_epoch == 3 and scheduler.get_last_lr() == [0.125]
    scheduler.step()
    assert scheduler.get_last_lr() == [0.0625]


def test_a_group_that_was_added_needs_a_new_schedule():
    optimizer = optimizer_of((1.0,))
    many = [S.StepLR(optimizer, 1), S.LambdaLR(optimizer, lambda k: 1.0)]
    plateau = S.ReduceLROnPlateau(optimizer)
    optimizer.add_param_group({"params": [tg.tensor([1.0], requires_grad=True)]})
    with pytest.raises(GraphError, match="make a new one"):
        many[1].step()
    with pytest.raises(ArgumentError, match="make a new one"):
        plateau.step(1.0)


BAD = {
    "optimizer": lambda o: S.StepLR(None, 3), "step_size is 0": lambda o: S.StepLR(o, 0),
    "step_size is 1.5": lambda o: S.StepLR(o, 1.5), "gamma is 'x'": lambda o: S.StepLR(o, 3, "x"),
    "gamma is -1": lambda o: S.ExponentialLR(o, -1), "milestones is a int": lambda o: S.MultiStepLR(o, 3),
    r"milestones\[1\] is 'b'": lambda o: S.MultiStepLR(o, [1, "b"]),
    "start_factor is 0": lambda o: S.LinearLR(o, 0), "end_factor is 2": lambda o: S.LinearLR(o, 0.5, 2),
    "factor is 0": lambda o: S.ConstantLR(o, 0), "T_max is 0": lambda o: S.CosineAnnealingLR(o, 0),
    "T_mult is 0": lambda o: S.CosineAnnealingWarmRestarts(o, 3, 0),
    "function of the epoch": lambda o: S.LambdaLR(o, 0.5), "2 groups": lambda o: S.LambdaLR(o, [abs] * 3),
    "total_iters is 0": lambda o: S.PolynomialLR(o, 0), "total_steps, or": lambda o: S.OneCycleLR(o, 1.0),
    "pct_start": lambda o: S.OneCycleLR(o, 1.0, total_steps=3, pct_start=2),
    "anneal_strategy": lambda o: S.OneCycleLR(o, 1.0, total_steps=3, anneal_strategy="sin"),
    "max_lr has 1": lambda o: S.OneCycleLR(o, [1.0], total_steps=3),
    "less than 1": lambda o: S.ReduceLROnPlateau(o, factor=1.0),
    "mode is 'up'": lambda o: S.ReduceLROnPlateau(o, "up"),
    "one number": lambda o: S.ReduceLROnPlateau(o).step([1, 2]),
    "one scheduler more": lambda o: S.SequentialLR(o, [S.StepLR(o, 1)], [3]),
    "needs no argument": lambda o: S.SequentialLR(o, [S.ReduceLROnPlateau(o)], []),
    "another optimizer": lambda o: S.SequentialLR(o, [S.StepLR(optimizer_of(), 1)], []),
    "epoch is -1": lambda o: S.CosineAnnealingWarmRestarts(o, 3).step(-1),
    "kind of scheduler": lambda o: S.StepLR(o, 1).load_state_dict(S.LinearLR(o).state_dict()),
    "returned": lambda o: S.StepLR(o, 1).load_state_dict([]),
    "of 2 groups": lambda o: S.StepLR(optimizer_of((1.0,)), 1).load_state_dict(
        S.StepLR(o, 1).state_dict()
    ),
    "gamma is 'x', and": lambda o: S.StepLR(o, 1).load_state_dict(
        S.StepLR(o, 1).state_dict() | {"gamma": "x"}
    ),
}


@pytest.mark.parametrize("words", BAD)
def test_bad_input(words):
    with pytest.raises((ArgumentError, RangeError, StateError), match=words):
        BAD[words](optimizer_of(momentum=0.9))


def test_a_schedule_of_ones_own():
    class Inverse(S.LRScheduler):
        def get_lr(self):
            return [base / (1 + self.last_epoch) for base in self.base_lrs]

    optimizer = optimizer_of()
    expected = [[base / (1 + k) for base in RATES] for k in range(EPOCHS)]
    assert (followed(optimizer, Inverse(optimizer)) == expected).all()
