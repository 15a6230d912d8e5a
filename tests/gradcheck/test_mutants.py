"""The bank: correct backwards are correct, and each wrong one is wrong just where it says."""

import inspect
import traceback
from collections import Counter

import numpy as np
import pytest

from tinygrad_relu.errors import DeclarationError
from tinygrad_relu.gradcheck.diagnosis import Label
from tinygrad_relu.gradcheck.mutants import (
    MODELS,
    MUTANTS,
    OF_BEHAVIOUR,
    correct_exercises,
    wrong_exercises,
)
from tinygrad_relu.gradcheck.mutants.model import Model

CORRECT = {exercise.title: exercise for exercise in correct_exercises()}


def dout_for(exercise, seed=1):
    y = exercise.forward(*exercise.inputs.values())
    return np.random.default_rng(100 + seed).standard_normal(np.shape(y)).astype(np.result_type(y))


def called(exercise, dout, inputs=None):
    """Return the gradients as they come, from copies of everything."""
    inputs = [x.copy() for x in exercise.inputs.values()] if inputs is None else inputs
    with np.errstate(all="ignore"):
        found = exercise.backward(*inputs) if exercise.is_scalar else exercise.backward(dout, *inputs)
    assert isinstance(found, tuple) and len(found) == len(inputs)
    return [np.asarray(g) for g in found]


def one_sided(value, here, x, index, scale):
    """Return the slopes on both sides, and how far each may be off; exact for parabolas."""
    at = x[index]
    found = []
    for sign in (-1, 1):
        steps = [sign * scale * 2.0**-k for k in (12, 13, 14)]
        quotients = []
        for step in steps:
            x[index] = at + step
            quotients.append(np.sum(value() - here) / (x[index] - at))
        a, b, c = quotients
        noise = np.finfo(np.longdouble).eps * np.abs(here).sum() / abs(steps[-1])
        found.append(((8 * c - 6 * b + a) / 3, abs(a - 3 * b + 2 * c) + 16 * noise))
    x[index] = at
    return found


def slopes(exercise, dout):
    """Return for each input the lower and the upper slope, and how far these may be off.

    Differences to one side in NumPy's longest floats, with the better one of two steps.
    """
    inputs = [x.astype(np.longdouble) for x in exercise.inputs.values()]
    weights = np.longdouble(1) if exercise.is_scalar else dout.astype(np.longdouble)
    value = lambda: weights * exercise.forward(*inputs)
    here, results = value(), []
    for x in inputs:
        low, high, error = (np.zeros(x.shape) for _ in range(3))
        for index in np.ndindex(x.shape):
            tries = [one_sided(value, here, x, index, scale) for scale in {abs(x[index]) or 1, 1}]
            below, above = min(tries, key=lambda found: found[0][1] + found[1][1])
            low[index], high[index] = sorted((below[0], above[0]))
            error[index] = max(below[1], above[1])
        results.append((low, high, error))
    return results


# --------------------------------------------------------------------------------------- the bank

def test_the_bank_is_large_and_has_every_label():
    assert len(MODELS) >= 25 and len(MUTANTS) >= 200
    assert len({model.name for model in MODELS}) == len(MODELS)
    assert {mutant.label for mutant in MUTANTS} == set(Label)
    assert len({(m.model.name, m.name) for m in MUTANTS}) == len(MUTANTS)
    assert all(len(model.mutants) >= 3 for model in MODELS)
    assert min(Counter(mutant.label for mutant in MUTANTS).values()) >= 2
    points = {at for model in MODELS for at in model.points}
    assert {"usual", "on kinks", "ill-scaled", "no samples"} <= points


@pytest.mark.parametrize("title", CORRECT)
def test_a_correct_backward_is_within_both_slopes(title):
    exercise = CORRECT[title]
    if "where kinks meet" in title:
        return check_next_to_kinks(exercise)
    dout = dout_for(exercise)
    single = title.endswith("float32")
    for x, g, (low, high, error) in zip(
        exercise.inputs.values(), called(exercise, dout), slopes(exercise, dout)
    ):
        assert g.shape == x.shape and g.dtype == x.dtype
        scale = np.abs(high).max(initial=0.0) + np.abs(low).max(initial=0.0)
        allowed = error + scale * (1e-4 if single else 1e-6) + 1e-300
        assert (g >= low - allowed).all() and (g <= high + allowed).all()


def check_next_to_kinks(exercise):
    """Check that the gradient is what it is where all units that are at 0 are shut by a little."""
    here = called(exercise, None)
    inputs = [x.copy() for x in exercise.inputs.values()]
    b1 = inputs[list(exercise.inputs).index("b1")]
    b1[[1, 3]] = -1e-6
    assert (called(exercise, None, inputs)[0] != 0).any()
    for a, b in zip(here, called(exercise, None, inputs)):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    b1[[1, 3]] = 1e-6
    assert differs(called(exercise, None, inputs)[0], here[0])


def test_points_on_kinks_are_on_kinks():
    found = 0
    for exercise in CORRECT.values():
        if "on kinks, float64" in exercise.name:
            bent = [
                (high - low > 1e-3).sum() for low, high, _ in slopes(exercise, dout_for(exercise))
            ]
            found += sum(bent) > 0
    # The others have kinks in what they are made of, and none in what comes out.
    assert found >= 10


def test_what_is_correct_leaves_everything_as_it_was():
    for exercise in CORRECT.values():
        inputs = [x.copy() for x in exercise.inputs.values()]
        dout = dout_for(exercise)
        before = [x.copy() for x in (*inputs, dout)]
        first = called(exercise, dout, inputs)
        kept = [g.copy() for g in first]
        second = called(exercise, 2 * dout, inputs)
        for a, b in zip((*inputs, dout), before):
            np.testing.assert_array_equal(a, b)
        for a, b, c in zip(first, kept, second):
            np.testing.assert_array_equal(a, b)
            if exercise.is_scalar:
                np.testing.assert_array_equal(a, c)


# ------------------------------------------------------------------------------------ the mutants

def pairs(seed=0):
    for mutant, exercise in zip(MUTANTS, wrong_exercises(seed)):
        yield mutant, exercise, mutant.model.exercise(mutant.at, seed=seed)


def differs(a, b):
    """Tell whether a gradient is another one, beyond what rounding and differences can blur."""
    with np.errstate(all="ignore"):
        return a.shape != b.shape or not np.all(np.abs(a - b) <= 1e-4 * np.abs(b).max(initial=0.0))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_wrong_gradients_are_those_that_a_mutant_names_and_no_others(seed):
    for mutant, exercise, right in pairs(seed):
        if mutant.label in OF_BEHAVIOUR:
            continue
        dout = dout_for(exercise)
        wrong = [
            name for name, a, b in zip(exercise.inputs, called(exercise, dout), called(right, dout))
            if differs(a, b) or a.dtype != b.dtype
        ]
        assert set(wrong) == set(mutant.wrong), exercise.title
        assert not set(mutant.wrong) - set(exercise.inputs)


def test_wrong_gradients_on_kinks_are_no_subgradients():
    found = 0
    for mutant, exercise, _ in pairs():
        if mutant.at != "on kinks" or mutant.label is Label.NOT_FINITE:
            continue
        found += 1
        dout = dout_for(exercise)
        if mutant.model.name == "max pooling":
            # Each element is between both slopes; all together, along ones, they are not.
            assert abs(called(exercise, dout)[0].sum() - dout.sum()) > 0.1
            continue
        outside = {
            name for name, g, (low, high, error) in zip(
                exercise.inputs, called(exercise, dout), slopes(exercise, dout)
            )
            if ((g < low - error - 1e-6) | (g > high + error + 1e-6)).any()
        }
        assert outside == set(mutant.wrong), exercise.title
    assert found >= 7


def test_forward_is_what_it_was():
    for _, exercise, right in pairs():
        values = exercise.inputs.values()
        np.testing.assert_array_equal(exercise.forward(*values), right.forward(*values))


def misbehaviour(exercise, right):
    """Return what two calls, with other cotangents, show: changed arguments, and wrong gradients."""
    arguments = [x.copy() for x in exercise.inputs.values()]
    douts = [dout_for(exercise, seed) for seed in (1, 2)]
    first = called(exercise, douts[0], arguments)
    kept = [g.copy() for g in first]
    changed = {
        name for name, a, b in zip(exercise.inputs, arguments, exercise.inputs.values())
        if (a != b).any()
    }
    if (douts[0] != dout_for(exercise, 1)).any():
        changed.add("dout")
    second = called(exercise, douts[1].copy())
    douts = [dout_for(exercise, seed) for seed in (1, 2)]
    expected = [called(right, dout) for dout in douts]
    wrong = {
        name for k, name in enumerate(exercise.inputs)
        if differs(kept[k], expected[0][k]) or differs(first[k], expected[0][k])
        or differs(second[k], expected[1][k])
    }
    return changed, wrong


def test_what_is_wrong_with_the_behaviour_shows_in_two_calls():
    counted = Counter()
    for mutant, exercise, right in pairs():
        if mutant.label not in OF_BEHAVIOUR:
            continue
        changed, wrong = misbehaviour(exercise, right)
        counted[mutant.label] += 1
        if mutant.label is Label.INPUTS_CHANGED:
            assert changed, exercise.title
            expected = exercise.inputs if "dout" in changed else changed
            assert set(mutant.wrong) == set(expected), exercise.title
        else:
            assert not changed and wrong == set(mutant.wrong), exercise.title
    assert set(counted) == OF_BEHAVIOUR and min(counted.values()) >= 5


def is_one_factor(a, b):
    if a.shape != b.shape:
        return False
    factor = np.vdot(a, b) / np.vdot(b, b)
    return not np.isclose(factor, 1) and np.allclose(a, factor * b, rtol=1e-9, atol=1e-12)


def test_what_is_returned_in_another_order():
    swapped = 0
    for mutant, exercise, right in pairs():
        if "returned in the other order" in mutant.name:
            dout = dout_for(exercise)
            wrong = dict(zip(exercise.inputs, called(exercise, dout)))
            expected = dict(zip(right.inputs, called(right, dout)))
            one, other = mutant.wrong
            np.testing.assert_array_equal(wrong[one], expected[other])
            np.testing.assert_array_equal(wrong[other], expected[one])
            swapped += 1
    assert swapped >= 4


# What can be seen in the numbers alone, from the wrong gradient and the right one.
VISIBLE = {
    Label.CONSTANT_FACTOR: is_one_factor,
    Label.WRONG_SHAPE: lambda a, b: a.shape != b.shape,
    Label.WRONG_DTYPE: lambda a, b: a.dtype != b.dtype and a.shape == b.shape and not differs(a, b),
    Label.ZEROS: lambda a, b: not a.any() and b.any(),
    Label.NOT_FINITE: lambda a, b: not np.isfinite(a).all() and np.isfinite(b).all(),
    Label.NOT_SUMMED: lambda a, b: a.size > b.size and any(
        not differs(a.sum(axis=axes).reshape(b.shape), b)
        for axes in (0, 1, (0, 2), (1, 2), (0, 1)) if a.ndim > np.max(axes)
        and a.sum(axis=axes).size == b.size
    ),
    Label.SHIFTED: lambda a, b: any(
        not differs(np.roll(a, shift, axis), b) for axis in range(a.ndim) for shift in (1, -1)
    ),
}


def test_labels_say_what_the_numbers_show():
    seen = Counter()
    for mutant, exercise, right in pairs():
        dout = dout_for(exercise)
        for name, a, b in zip(exercise.inputs, called(exercise, dout), called(right, dout)):
            for label in (mutant.label, *mutant.also):
                if name in mutant.wrong and label in VISIBLE:
                    assert VISIBLE[label](a, b), f"{exercise.title}: {label} of {name}"
                    seen[label] += 1
    assert set(seen) == set(VISIBLE)


def test_one_factor_in_all_elements_is_labelled_as_one():
    for mutant, exercise, right in pairs():
        if mutant.label in OF_BEHAVIOUR or {Label.CONSTANT_FACTOR, Label.ZEROS} & {
            mutant.label, *mutant.also
        }:
            continue
        found = zip(exercise.inputs, called(exercise, dout_for(exercise)), called(right, dout_for(right)))
        for name, a, b in found:
            if name in mutant.wrong and a.size > 1 and a.shape == b.shape and a.dtype == b.dtype:
                assert not is_one_factor(a, b), exercise.title


# ------------------------------------------------------------------------------------- the making

def test_a_replacement_that_does_not_fit_once_is_refused():
    model = Model(MODELS[0].forward, MODELS[0].backward, MODELS[0].points, MODELS[0].data)
    for old in ("no such text", "error"):
        model.mutant("W", Label.ZEROS, "nonsense", (old, "0"))
        with pytest.raises(DeclarationError, match="times in the source"):
            model.mutants[-1].exercise()
    with pytest.raises(DeclarationError, match="no point 'usual' has inputs 'X'"):
        model.mutant("X", Label.ZEROS, "of the data", ("error", "0"))


def test_tracebacks_show_the_wrong_line_where_it_stands():
    model = Model(MODELS[0].forward, MODELS[0].backward, MODELS[0].points, MODELS[0].data)
    model.mutant("W", Label.WRONG_SHAPE, "the product does not fit", ("X.T @ dprediction", "X @ X"))
    exercise = model.mutants[0].exercise()
    with pytest.raises(ValueError) as caught:
        exercise.backward(*exercise.inputs.values())
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    lines, first = inspect.getsourcelines(model.backward)
    assert lines[last.lineno - first].strip() == "dW = X.T @ dprediction"
    assert last.line == "dW = X @ X" and "regression.py" in last.filename


def test_each_exercise_has_a_memory_of_its_own():
    (mutant,) = [m for m in MODELS[0].mutants if m.label is Label.ACCUMULATED_TWICE]
    one, other = mutant.exercise(), mutant.exercise()
    first = one.backward(*one.inputs.values())[0].copy()
    np.testing.assert_allclose(one.backward(*one.inputs.values())[0], 2 * first)
    np.testing.assert_array_equal(other.backward(*other.inputs.values())[0], first)


def test_seeds_give_other_points_and_the_same_ones_again():
    for model in MODELS:
        a, b, c = model.exercise(), model.exercise(), model.exercise(seed=1)
        assert all(np.array_equal(a.inputs[name], b.inputs[name]) for name in a.inputs)
        assert any(not np.array_equal(a.inputs[name], c.inputs[name]) for name in a.inputs)
