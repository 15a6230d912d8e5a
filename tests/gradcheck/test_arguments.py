"""What `check_gradients` makes of its arguments: whose gradient is checked, and what is refused."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError

DATA, TARGET = np.arange(6.0).reshape(3, 2), np.ones(3)


def error(w, b):
    return DATA @ w + b - TARGET


def loss(w, b):
    return (error(w, b) ** 2).sum()


def gradients(w, b):
    return 2 * DATA.T @ error(w, b), 2 * error(w, b).sum()


WEIGHTS = {"w": np.ones(2), "b": np.array(0.5)}


# ------------------------------------------------------- a loss and its gradients, or several results

@pytest.mark.parametrize("inputs", [list(WEIGHTS.values()), WEIGHTS])
@pytest.mark.parametrize("count", [1, 2])
def test_what_may_be_gradients_is_not_taken_for_results(inputs, count):
    def spoiled(w, b):
        return (loss(w, b), 99 * w, 99 * b)[:count + 1]

    with pytest.raises(ArgumentError, match="pass returns_gradients=True if they are its gradients"):
        tg.check_gradients(spoiled, inputs)
    assert tg.check_gradients(spoiled, inputs, returns_gradients=False).ok


def test_what_may_be_gradients_of_one_dict_is_not_taken_for_results():
    with pytest.raises(ArgumentError, match="pass returns_gradients=True"):
        tg.check_gradients(lambda p: (loss(**p), 99 * p["w"], 99 * p["b"]), WEIGHTS)


def test_gradients_behind_the_loss_are_taken_one_by_one():
    def right(w, b):
        return loss(w, b), *gradients(w, b)

    assert tg.check_gradients(right, list(WEIGHTS.values()), returns_gradients=True).ok
    report = tg.check_gradients(
        lambda w, b: (loss(w, b), 99 * w, gradients(w, b)[1]), WEIGHTS, returns_gradients=True
    )
    assert [entry.ok for entry in report.inputs] == [False, True]
    first = tg.check_gradients(
        lambda w, b: (loss(w, b), gradients(w, b)[0]), WEIGHTS, returns_gradients=True, wrt="w"
    )
    assert first.ok and [entry.name for entry in first.inputs] == ["w"]


@pytest.mark.parametrize("named", [False, True])
def test_gradients_without_doubt_are_found_out(named):
    def numpy_only(w, b):
        dw, db = gradients(w.astype(float, copy=True), b)
        found = {"dw": dw, "db": 3 * db} if named else (dw, 3 * db)
        return (loss(w, b), found) if named else (loss(w, b), *found)

    report = tg.check_gradients(numpy_only, list(WEIGHTS.values()))
    assert [entry.ok for entry in report.inputs] == [True, False]
    assert "Checked: the gradients that the function returns" in str(report)


def test_several_results_are_not_in_doubt():
    report = tg.check_gradients(lambda w, b: (loss(w, b), error(w, b)), list(WEIGHTS.values()))
    assert report.ok


def test_the_report_says_whose_gradient_was_checked():
    recorded = "Checked: the gradient that was recorded from the function."
    inputs = list(WEIGHTS.values())
    assert recorded in str(tg.check_gradients(loss, inputs))
    assert recorded in tg.check_gradients(loss, inputs).notes
    assert recorded not in str(tg.check_gradients(loss, inputs, gradients))
