"""What people who do not know the checker pass to it: arrays where tensors are meant, and the like."""

import itertools

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError
from tinygrad_relu.gradcheck import Verdict

W = np.array([1.0, 2.0])


@pytest.mark.parametrize("factor", [1, 1.001])
def test_a_loss_and_its_gradients_are_known_whatever_they_do_with_tensors(factor):
    def with_reduction(params):     # max of a tensor along an axis is a pair
        z = params["W"] * np.ones((2, 1))
        z = z - z.max(axis=1, keepdims=True)
        return (z**2).sum(), {"W": factor * np.array([-4.0, 4.0])}

    def with_conversion(w):
        w = np.asarray(w)
        return 0.5 * (w @ w), {"w": factor * w}

    assert tg.check_gradients(with_reduction, [{"W": W}]).ok == (factor == 1)
    assert tg.check_gradients(with_conversion, {"w": W}).ok == (factor == 1)


def test_a_gradient_is_not_taken_for_a_second_result():
    def loss(w):
        return 0.5 * (w**2).sum(), 3 * w

    with pytest.raises(ArgumentError, match="returns_gradients=True"):
        tg.check_gradients(loss, [W])
    assert not tg.check_gradients(loss, [W], returns_gradients=True).ok
    assert tg.check_gradients(loss, [W], returns_gradients=False).ok
    # Results of ops are tensors: there is nothing to doubt.
    assert tg.check_gradients(lambda w: (tg.exp(w).sum(), tg.exp(w)), [W]).ok


def test_functions_for_arrays_without_gradients_are_told_what_to_pass():
    with pytest.raises(ArgumentError, match="backward="):
        tg.check_gradients(lambda w: np.asarray(w).sum(), [W])


@pytest.mark.parametrize("given", [[1.0, 2.0], np.array([1.0, 2.0], object)])
def test_what_is_no_array_of_floats_is_told_how_to_become_one(given):
    with pytest.raises(ArgumentError, match=r"np\.asarray\(w, float\)"):
        tg.check_gradients(lambda w: np.sum(w), [given], backward=lambda w: np.ones(2))


def test_a_function_of_ones_own_has_the_names_of_its_forward():
    class Double(tg.autograd.Function):
        @staticmethod
        def forward(ctx, signal):
            return signal * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    class Scaled:
        def __call__(self, signal):
            return signal * 2

        def method(self, signal):
            return signal * 3

    for f in (Double.apply, Scaled().method):
        assert [entry.name for entry in tg.check_gradients(f, [W]).inputs] == ["signal"]
    assert tg.check_gradients(Scaled(), [W]).ok


def test_one_tensor_given_twice_is_two_inputs():
    t = tg.tensor(W, requires_grad=True)
    report = tg.check_gradients(lambda a, b: (a * b).sum(), [t, t])
    assert report.ok and report.taylor_order == pytest.approx(2, abs=0.05)
    assert (t.detach().numpy() == W).all() and t.grad is None


def test_long_doubles_are_compared_as_finely_as_their_results():
    x = np.array([0.0, 0.5], np.longdouble)
    report = tg.check_gradients(lambda x: np.sum(x**2), [x], backward=lambda x: 2 * x)
    assert report["x"].verdict is Verdict.RIGHT and not report["x"].kinks


def test_a_fault_of_right_numbers_is_all_that_is_told():
    def backward(x):
        x *= 2
        return x

    report = tg.check_gradients(lambda x: np.sum(x**2), [W], backward=backward)
    assert [str(one.label) for one in report["x"].explanations] == ["inputs changed by backward"]


def test_several_inputs_of_one_mistake_are_told_briefly():
    def loss(a, b, c):
        return np.sum(np.tanh(a @ b + c))

    def backward(a, b, c):
        g = 2 * (1 - np.tanh(a @ b + c) ** 2)
        return g @ b.T, a.T @ g, g.sum(0)

    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal(shape) for shape in ((3, 3), (3, 3), (3,))]
    report = tg.check_gradients(loss, inputs, backward=backward)
    text = str(report)
    assert len(text.splitlines()) <= 40
    for name in "abc":
        assert text.count(f"{name}[") == (3 if name == "a" else 1)
        assert len(report[name].worst) >= 3
    assert report._repr_html_().count("<pre>") == 1


def test_calls_are_counted():
    called = itertools.count()      # nothing that could be put back

    def loss(x):
        next(called)
        return np.sum(x**2)

    def backward(x):
        next(called)
        return 2 * x

    report = tg.check_gradients(loss, [W], backward=backward)
    assert 10 < report.calls <= next(called)
    assert report.to_dict()["calls"] == report.calls


def test_few_elements_are_looked_at_where_directions_disagree():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(5000)
    report = tg.check_gradients(
        lambda x: np.sum(np.tanh(x)), [x], backward=lambda x: 1.001 * (1 - np.tanh(x) ** 2)
    )
    assert report.fast and not report.ok and str(report["x"].label) == "constant factor"
    assert report["x"].explanations[0].details["factor"] == pytest.approx(1.001)
    assert report["x"].compared == 3


def test_what_objects_keep_of_a_wrong_backward_is_plain():
    class Layer:
        def forward(self, x):
            self.h = np.tanh(x)
            return self.h

        def backward(self, dout, x):
            self.kept.append(dout * self.h)
            return dout * (1 - self.h)

    layer = Layer()
    layer.kept = []
    assert not tg.check_gradients(layer.forward, [W], backward=layer.backward).ok
    assert type(layer.h) is np.ndarray
    for kept in layer.kept:
        assert type(2 * kept) is type(kept[:1]) is type(kept.copy()) is type(np.tanh(kept)) is np.ndarray
        assert isinstance(kept.sum(), float) and isinstance(kept.item(0), float)
        np.multiply(2.0, 3.0, out=kept)
        assert kept.tolist() == [6.0, 6.0] and repr(kept) == "array([6., 6.])"


@pytest.mark.parametrize(("function", "inputs", "backward"), [
    (lambda x, y: 1e8 * np.sum(x**2) + np.sum(np.maximum(y - 1, 0)), [W, 0.2 * W],
     lambda x, y: (2e8 * x, np.ones(2))),
    (lambda x: x[0] ** 2, [W], lambda x: np.array([2 * x[0], 1e-8])),
    (lambda x, y: np.sum(x**2) + 0 * y.sum(), [W, W], lambda x, y: (2 * x, 1e-7 * y)),
])
def test_a_gradient_is_not_excused_by_a_far_larger_one(function, inputs, backward):
    report = tg.check_gradients(function, inputs, backward=backward)
    assert [entry.ok for entry in report.inputs] == [True, False][-len(inputs):]


def test_a_dead_element_beside_one_on_the_kink_can_be_told():
    x = np.array([0.0, 1.0])
    report = tg.check_gradients(lambda x: np.maximum(x - 1, 0), [x], backward=lambda d, x: d * (x > 1))
    assert report.ok and report["x"].verdict is Verdict.ON_KINK
    assert not tg.check_gradients(
        lambda x: np.maximum(x - 1, 0), [x], backward=lambda d, x: d * (2.0 * (x >= 1))
    ).ok


def test_what_is_off_by_little_is_not_called_a_kink_or_rounding_without_one():
    x = np.array([0.0, -30.0, -20.0])
    wrong = np.array([1.0, 3.0, 1.0])
    report = tg.check_gradients(lambda x: np.sum(np.exp(x)), [x], backward=lambda x: np.exp(x) * wrong)
    labels = {str(one.label) for one in report["x"].explanations}
    assert not report.ok and not labels & {">= for >", "wrong dtype"}


def test_what_an_earlier_check_left_behind_is_data_for_the_next_one():
    kept = []

    def forward(x):
        kept.append(np.sin(x))
        return np.sum(np.tanh(x))

    assert not tg.check_gradients(forward, [W], backward=lambda x: 1 - np.tanh(x)).ok
    left = next(x for x in kept if type(x) is not np.ndarray)
    right = tg.check_gradients(
        lambda x: np.sum(left * x**2), [W], backward=lambda x: 2 * np.asarray(left) * x
    )
    wrong = tg.check_gradients(lambda x: np.sum(left * x**2), [W], backward=lambda x: 2 * x)
    assert right.ok and str(wrong["x"].label) == "missing chain factor"
