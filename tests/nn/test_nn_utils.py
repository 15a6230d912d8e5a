"""Limits for gradients, and parameters as one vector."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import nn
from tinygrad_relu.errors import ArgumentError, RangeError, ShapeError
from tinygrad_relu.nn import utils


def with_gradients(*gradients, dtype=np.float64):
    parameters = []
    for gradient in gradients:
        gradient = np.array(gradient, dtype)
        parameter = tg.tensor(np.zeros(gradient.shape, dtype), requires_grad=True)
        parameter.grad = tg.tensor(gradient)
        parameters.append(parameter)
    return parameters


@pytest.mark.parametrize("order", [1, 2, 3.5, 0.5, float("inf")])
def test_the_norm_is_that_of_one_vector(order, rng):
    arrays = rng.standard_normal((2, 3)), rng.standard_normal(5), rng.standard_normal(())
    parameters = [*with_gradients(*arrays), tg.ones(2, requires_grad=True)]
    whole = np.concatenate([array.ravel() for array in arrays])
    expected = np.linalg.norm(whole, order)
    assert utils.get_total_norm([p.grad for p in parameters[:3]], order).item() == pytest.approx(expected)
    assert utils.clip_grad_norm_(iter(parameters), 100, order).item() == pytest.approx(expected)
    for parameter, array in zip(parameters, arrays):
        np.testing.assert_array_equal(parameter.grad.numpy(), array)
    utils.clip_grad_norm_(parameters, expected / 4, order)
    for parameter, array in zip(parameters, arrays):
        np.testing.assert_allclose(parameter.grad.numpy(), array / 4, rtol=1e-4)
    assert parameters[3].grad is None


def test_norms_do_not_overflow_or_vanish():
    for scale in (1e200, 1e-200):
        parameters = with_gradients([3 * scale, 4 * scale])
        assert utils.clip_grad_norm_(parameters, 1.0).item() == pytest.approx(5 * scale, rel=1e-12)
    (parameter,) = with_gradients([3e30, 4e30], dtype=np.float32)
    norm = utils.clip_grad_norm_(parameter, 1.0)
    assert norm.dtype == np.float32 and norm.item() == pytest.approx(5e30, rel=1e-6)
    np.testing.assert_allclose(parameter.grad.numpy(), [0.6, 0.8], rtol=1e-6)


def test_norms_that_are_not_finite():
    for wrong in (np.nan, np.inf):
        parameters = with_gradients([1.0, wrong], [2.0])
        with pytest.raises(RangeError, match=r"^clip_grad_norm_: the norm is"):
            utils.clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)
        assert parameters[1].grad.item() == 2
        assert not np.isfinite(utils.clip_grad_norm_(parameters, 1.0).item())
    assert utils.clip_grad_norm_([], 1.0).item() == 0
    zero = with_gradients([0.0, 0.0])
    assert utils.clip_grad_norm_(zero, 1.0).item() == 0 and zero[0].grad.tolist() == [0, 0]
    none = with_gradients(np.zeros((0, 3)), [3.0])
    assert utils.clip_grad_norm_(none, 1.0).item() == 3


def test_a_norm_that_is_known():
    parameters = with_gradients([3.0], [4.0])
    utils.clip_grads_with_norm_(parameters, 1.0, tg.tensor(10.0))
    assert [p.grad.item() for p in parameters] == pytest.approx([0.3, 0.4], rel=1e-6)
    utils.clip_grads_with_norm_(parameters, 1.0, 0.5)
    assert [p.grad.item() for p in parameters] == pytest.approx([0.3, 0.4], rel=1e-6)


def test_elements_are_limited():
    parameters = [*with_gradients([3.0, -0.5], [[-7.0]]), tg.ones(2, requires_grad=True)]
    held = parameters[0].grad
    utils.clip_grad_value_(parameters, 1)
    assert parameters[0].grad is held and held.tolist() == [1, -0.5]
    assert parameters[1].grad.tolist() == [[-1]]


def test_gradients_that_are_recorded_are_limited_all_the_same():
    w = tg.tensor([3.0], requires_grad=True)
    (w**2).sum().backward(create_graph=True)
    utils.clip_grad_norm_(w, 1.0)
    assert w.grad.item() == pytest.approx(1, rel=1e-5)
    utils.clip_grad_value_(w, 0.5)
    assert w.grad.item() == 0.5
    w.grad = None


def test_parameters_as_one_vector_and_back(rng):
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    vector = utils.parameters_to_vector(model.parameters())
    expected = np.concatenate([p.detach().numpy().ravel() for p in model.parameters()])
    np.testing.assert_array_equal(vector.detach(), expected)
    (vector * tg.tensor(np.arange(13.0))).sum().backward()
    np.testing.assert_array_equal(
        np.concatenate([p.grad.numpy().ravel() for p in model.parameters()]), np.arange(13)
    )
    parameters, values = list(model.parameters()), rng.standard_normal(13)
    utils.vector_to_parameters(tg.tensor(values), model.parameters())
    assert all(p is q for p, q in zip(parameters, model.parameters()))
    np.testing.assert_array_equal(utils.parameters_to_vector(parameters).detach(), values)
    with pytest.raises(ShapeError, match="vec has 12 elements, and the parameters have 13"):
        utils.vector_to_parameters(tg.zeros(12), parameters)
    np.testing.assert_array_equal(utils.parameters_to_vector(parameters).detach(), values)


@pytest.mark.parametrize(("act", "error", "message"), [
    (lambda: utils.clip_grad_norm_(5, 1.0), ArgumentError, "^clip_grad_norm_: a int was given"),
    (lambda: utils.clip_grad_norm_([5], 1.0), ArgumentError, "^clip_grad_norm_: item 0 is a int"),
    (lambda: utils.clip_grad_norm_([], -1), RangeError, "^clip_grad_norm_: max_norm is -1"),
    (lambda: utils.clip_grad_norm_([], "x"), ArgumentError, "^clip_grad_norm_: max_norm is 'x'"),
    (lambda: utils.clip_grad_norm_([], 1, norm_type=0), RangeError, "^clip_grad_norm_: norm_type is 0"),
    (lambda: utils.clip_grad_value_([], -1), RangeError, "^clip_grad_value_: clip_value is -1"),
    (lambda: utils.parameters_to_vector([]), ArgumentError, "^parameters_to_vector: parameters is empty"),
    (lambda: utils.vector_to_parameters(tg.ones(2, 2), [tg.ones(4)]), ShapeError,
     "^vector_to_parameters: vec"),
])
def test_errors_say_what(act, error, message):
    with pytest.raises(error, match=message):
        act()
