"""What `check_gradients` makes of its arguments: whose gradient is checked, and what is refused."""

import copy
import warnings
from collections import namedtuple
from dataclasses import dataclass

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError
from tinygrad_relu.gradcheck.diagnosis import Label

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


# ----------------------------------------------------------------------------------- what is refused

@dataclass
class Weights:
    w: np.ndarray


def masked():
    return np.ma.masked_array([1.0, 2.0], mask=[False, True])


@pytest.mark.parametrize(
    ("inputs", "keywords", "words"),
    [
        ([masked()], {}, "x is a MaskedArray, which computes in another way"),
        ({"x": masked()}, {}, "x is a MaskedArray"),
        ([{"x": masked()}], {}, "x is a MaskedArray"),
        ([np.ones((2, 2)).view(np.matrix)], {}, "x is a matrix"),
        ([np.ones(2)], {"wrt": 0}, "wrt is 0: pass the name of an input"),
        ([np.ones(2)], {"names": 3}, r"names is \[3\], 1 entries for 1 inputs"),
        ([np.ones(2)] * 2, {"names": ["a", "a"]}, "names has 'a' twice"),
        ([np.ones(2)], {"seed": None}, "seed is None: pass a whole number"),
        ([np.ones(2)], {"seed": "a"}, "seed is 'a'"),
        ([np.ones(2)], {"seed": -1}, "seed is -1"),
        ([Weights(np.ones(2))], {}, "x is a Weights: pass the arrays that it is made of"),
        ({"x": [np.ones(2), np.ones(3)]}, {}, "x is a list: pass the arrays that it is made of"),
        ([np.array([1, 2]), 3], {}, r"no input is an array of floats \(.*int64, .*int\)"),
        ([[1.0, 2.0]], {}, r"x is a list: pass an array of floats, such as np.asarray\(x, float\)"),
    ],
)
def test_bad_arguments_get_a_clear_sentence(inputs, keywords, words):
    with pytest.raises(ArgumentError, match=words):
        tg.check_gradients(lambda x: x.sum(), inputs, lambda x: x, **keywords)


@pytest.mark.parametrize(
    ("backward", "words"),
    [
        (lambda x: 1 - np.tanh(x) ** 2, r"<lambda>\(x\) cannot be called with \(dout, x\).*arrives from"),
        (lambda: 1, r"<lambda>\(\) cannot be called with \(dout, x\)"),
        (lambda dout, x: [[1.0, 2.0], [3.0]], r"rows of several lengths.*shape of the input, \(2, 2\)"),
    ],
)
def test_a_backward_of_another_form_is_told_how_it_is_called(backward, words):
    with pytest.raises(ArgumentError, match=words):
        tg.check_gradients(np.tanh, {"x": np.ones((2, 2))}, backward)


def test_an_error_of_type_inside_of_a_function_stays_what_it_is():
    with pytest.raises(TypeError, match="unsupported operand") as caught:
        tg.check_gradients(np.tanh, [np.ones(2)], lambda dout, x: dout * (None + x.sum()))
    assert not isinstance(caught.value, ArgumentError)


@pytest.mark.parametrize("given", ["2 * x", ([[1.0, 2.0], [3.0]],)])
def test_what_is_no_array_of_numbers_is_called_so(given):
    report = tg.check_gradients(np.tanh, [np.ones((2, 2))], lambda dout, x: given)
    assert report.inputs[0].label is Label.WRONG_DTYPE


# ------------------------------------------------------------------------------ structures of arrays

Pair = namedtuple("Pair", "a b")


@pytest.mark.parametrize("kind", [list, tuple, lambda pair: Pair(*pair)])
def test_a_list_of_arrays_as_the_only_argument_is_taken_apart(kind):
    inputs = [kind([np.array([0.3, -1.0]), np.array([2.0, 0.5])])]

    def product(pair):
        return (pair[0] * pair[1]).sum()

    assert tg.check_gradients(product, inputs).ok
    assert tg.check_gradients(product, inputs, lambda pair: [pair[1], pair[0]]).ok
    report = tg.check_gradients(product, inputs, lambda pair: ([pair[1], 2 * pair[0]],))
    assert [entry.ok for entry in report.inputs] == [True, False]


def test_lists_of_arrays_beside_an_array_are_data():
    data = [np.ones(2), np.array([1.0, 2.0])]
    report = tg.check_gradients(lambda w, data: (w * data[0] * data[1]).sum(), [np.ones(2), data])
    assert [entry.name for entry in report.inputs] == ["w"]


# ----------------------------------------------------------------------- what a check leaves alone

@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_nothing_warns(dtype):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x = np.array([200.0, 100.0], dtype)     # squares nearby are beyond float16
        assert not tg.check_gradients(lambda x: x * x, [x], lambda dout, x: 3 * x * dout).ok


@pytest.mark.parametrize("fast", [False, True])
def test_a_complex_gradient_is_wrong_and_does_not_warn(fast):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = tg.check_gradients(
            np.sin, [np.ones(3)], lambda dout, x: dout * np.cos(x) + 1j, fast=fast
        )
    assert "the gradient has dtype complex128" in str(report)


def test_reports_can_be_compared():
    right, wrong = (
        tg.check_gradients(np.sin, [np.ones(3)], lambda dout, x, k=k: k * dout * np.cos(x))
        for k in (1, 2)
    )
    assert right == copy.deepcopy(right) and wrong == copy.deepcopy(wrong) and right != wrong
    assert wrong.inputs == copy.deepcopy(wrong).inputs and right != 3
