"""L-BFGS: against the dense formula, and what the strong Wolfe conditions ask for."""

import copy

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, StateError
from tinygrad_relu.optim.lbfgs import learn, newton_direction
from tinygrad_relu.optim.line_search import (
    CURVATURE,
    SUFFICIENT_DECREASE,
    Point,
    cubic_minimum,
    strong_wolfe,
)


def minimise(f, start, calls=1, **settings):
    """Return where L-BFGS goes, the losses that it saw, and the optimizer."""
    params = [tg.tensor(part, requires_grad=True) for part in start]
    optimizer, losses = tg.optim.LBFGS(params, **settings), []

    def closure():
        optimizer.zero_grad()
        loss = f(*params)
        loss.backward()
        losses.append(loss.item())
        return loss

    for _ in range(calls):
        optimizer.step(closure)
    return params, losses, optimizer


def rosenbrock(x):
    return ((x[1:] - x[:-1] ** 2) ** 2 * 100).sum() + ((1 - x[:-1]) ** 2).sum()


def test_the_direction_is_that_of_the_dense_formula(rng):
    """BFGS updates of the inverse Hessian: Nocedal and Wright, equation 6.17, from 7.20 on."""
    size = 6
    hessian = rng.standard_normal((size, size))
    hessian = hessian @ hessian.T + np.eye(size)
    state, points = {"n_iter": 1}, rng.standard_normal((9, size))
    gradients = points @ hessian
    learn(state, gradients[0], 4)
    for k in range(1, len(points)):
        state.update(n_iter=k + 1, prev_flat_grad=gradients[k - 1], d=points[k] - points[k - 1], t=1.0)
        learn(state, gradients[k], 4)
    assert len(state["old_dirs"]) == len(state["ro"]) == 4
    s, y = np.diff(points, axis=0)[-4:], np.diff(gradients, axis=0)[-4:]
    inverse = np.eye(size) * (s[-1] @ y[-1]) / (y[-1] @ y[-1])
    for step, difference in zip(s, y):
        rho = 1 / (step @ difference)
        left = np.eye(size) - rho * np.outer(step, difference)
        inverse = left @ inverse @ left.T + rho * np.outer(step, step)
    found = newton_direction(state, gradients[-1])
    np.testing.assert_allclose(found, -inverse @ gradients[-1], rtol=1e-9)


def test_steps_that_teach_nothing_are_not_remembered():
    state = {"n_iter": 1}
    learn(state, np.ones(2), 3)
    for gradient in (np.ones(2), np.zeros(2)):      # no difference, and curvature downwards
        state.update(n_iter=2, prev_flat_grad=np.ones(2), d=np.ones(2), t=1.0)
        learn(state, gradient, 3)
        assert state["old_dirs"] == [] and state["H_diag"] == 1.0


@pytest.mark.parametrize("history", [2, 10])
def test_rosenbrock_is_minimised(history):
    optimize = pytest.importorskip("scipy.optimize")
    start = np.array([-1.2, 1.0, 0.5, -0.5, 2.0])
    settings = {"line_search_fn": "strong_wolfe", "history_size": history, "max_iter": 200}
    (x,), losses, _ = minimise(rosenbrock, [start], calls=3, **settings)
    np.testing.assert_allclose(x.tolist(), 1.0, atol=1e-3)
    theirs = optimize.minimize(optimize.rosen, start, jac=optimize.rosen_der, method="L-BFGS-B")
    assert losses[-1] <= theirs.fun + 1e-7 and len(losses) < 3 * theirs.nfev


def test_without_a_search_it_steps_by_the_rate():
    (x,), losses, optimizer = minimise(
        lambda x: (x * x * tg.tensor([1.0, 4.0])).sum(), [[3.0, -1.0]], lr=0.5, max_iter=2, max_eval=9
    )
    # First along the gradient (6, -8), made short by the sum of its absolute elements.
    first = np.array([3.0, -1.0]) - 0.5 * np.array([6.0, -8.0]) / 14
    difference, step = np.array([2, 8]) * first - np.array([6, -8]), first - [3, -1]
    rho, scale = 1 / (difference @ step), (difference @ step) / (difference @ difference)
    left = np.eye(2) - rho * np.outer(step, difference)
    inverse = scale * left @ left.T + rho * np.outer(step, step)
    second = first - 0.5 * inverse @ (np.array([2, 8]) * first)
    np.testing.assert_allclose(x.tolist(), second, rtol=1e-12)
    assert len(losses) == 2 == optimizer.state_dict()["state"][0]["func_evals"]


@pytest.mark.parametrize("f", [
    lambda t: (t - 3) ** 2, lambda t: np.exp(-t) + 0.01 * t, lambda t: (t - 1) ** 4 - t,
    lambda t: -t / (t * t + 2), lambda t: np.cos(3 * t) - t + 0.05 * t * t, lambda t: t**6 - t,
])
@pytest.mark.parametrize("first", [1e-3, 0.3, 1.0, 7.0, 100.0])
def test_the_search_fulfils_both_conditions(f, first):
    looks = []

    def evaluate(t):
        looks.append(t)
        slope = (f(t + 1e-6) - f(t - 1e-6)) / 2e-6
        return Point(t, f(t), slope, np.array([slope]))

    start = evaluate(0.0)
    looks.clear()
    found, count = strong_wolfe(evaluate, start, first, 1.0, 1e-12, 25)
    assert count == len(looks) <= 26
    assert found.value <= start.value + SUFFICIENT_DECREASE * found.t * start.slope
    assert abs(found.slope) <= CURVATURE * abs(start.slope)


def test_a_search_that_may_look_no_further_keeps_the_best_point():
    def evaluate(t):
        return Point(t, 5.0 - t, -1.0, None) if t < 10.05 else Point(t, 9.0, -1.0, None)

    found = [strong_wolfe(evaluate, evaluate(0.0), 1.0, 1.0, 1e-12, most) for most in (0, 1, 2)]
    assert [(point.t, looks) for point, looks in found] == [(1.0, 1), (10.0, 2), (10.0, 3)]


def test_the_cubic_is_that_through_both_points():
    def cubic(t):
        return Point(t, t**3 - 3 * t**2 + 2, 3 * t**2 - 6 * t, None)

    assert cubic_minimum(cubic(1.0), cubic(5.0)) == pytest.approx(2.0)
    assert cubic_minimum(cubic(5.0), cubic(1.0)) == pytest.approx(2.0)
    assert cubic_minimum(cubic(1.0), cubic(1.5)) == 1.5         # not outside of where it may lie
    assert cubic_minimum(cubic(1.0), cubic(1.5), 0.5, 9.0) == pytest.approx(2.0)
    assert cubic_minimum(cubic(1.0), Point(3.0, np.nan, np.nan, None)) == 2.0


@pytest.mark.parametrize("beyond", ["nan", "infinite"])
def test_where_the_function_ends_the_search_comes_back(beyond):
    def f(x):
        if beyond == "nan":
            return (x - x.log()).sum()
        return tg.where(x > 0, x + 1 / x, np.inf).sum()

    with np.errstate(all="ignore"):
        (x,), *_ = minimise(
            f, [[30.0, 0.5]], lr=100.0, max_iter=100, line_search_fn="strong_wolfe", calls=2
        )
    np.testing.assert_allclose(x.tolist(), 1.0, atol=1e-4)


def test_it_ends_when_there_is_nothing_to_do():
    _, losses, optimizer = minimise(lambda x: (x * x).sum(), [[0.0, 0.0]], calls=3)
    assert len(losses) == 3 and optimizer.state_dict()["state"][0] == {"n_iter": 0, "func_evals": 3}
    _, losses, _ = minimise(rosenbrock, [[-1.2, 1.0]], max_eval=4, max_iter=100, lr=1e-3)
    assert len(losses) == 4
    _, losses, _ = minimise(lambda x: (x * x).sum(), [[1.0]], max_iter=100, lr=0.5, tolerance_grad=0.5)
    assert losses == [1.0, 0.25, 0.0625]    # where the gradient is 0.5


def test_parameters_without_a_gradient_and_of_two_dtypes():
    a, b = np.array([2.0, 3.0], np.float32), np.ones((1, 2))
    (x, y, z), *_ = minimise(
        lambda x, y, z: ((x - 1) ** 2).sum() + ((y - x.sum()) ** 2).sum(), [a, b, [7.0]],
        line_search_fn="strong_wolfe", calls=3,
    )
    assert x.dtype == np.float32 and z.item() == 7.0
    np.testing.assert_allclose(x.tolist(), 1.0, atol=1e-3)
    np.testing.assert_allclose(y.tolist(), 2.0, atol=1e-3)


def test_a_closure_that_raises_in_a_search_leaves_the_parameters_where_they_were():
    w, calls = tg.tensor([3.0], requires_grad=True), []
    optimizer = tg.optim.LBFGS([w], line_search_fn="strong_wolfe")

    def closure():
        calls.append(w.item())
        if len(calls) == 2:
            raise KeyError("no data")
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    with pytest.raises(KeyError):
        optimizer.step(closure)
    assert calls[1] != 3.0 and w.item() == 3.0
    optimizer.step(closure)
    assert abs(w.item()) < 1e-6


def test_bad_input():
    w = tg.tensor([1.0], requires_grad=True)
    for settings in (
        {"lr": -1}, {"max_iter": 0}, {"max_iter": 2.5}, {"history_size": 0}, {"line_search_fn": "wolfe"},
        {"tolerance_grad": "x"},
    ):
        with pytest.raises(ArgumentError, match=next(iter(settings))):
            tg.optim.LBFGS([w], **settings)
    optimizer = tg.optim.LBFGS([w])
    with pytest.raises(ArgumentError, match="closure"):
        optimizer.step(None)
    with pytest.raises(ArgumentError, match="one number"):
        optimizer.step(lambda: None)


@pytest.mark.parametrize(("words", "change"), [
    ("lacks t", lambda s: s.pop("t")), ("history", lambda s: s["ro"].pop()),
    ("elements", lambda s: s.update(d=np.ones(3))), ("elements", lambda s: s["old_stps"].append([1.0])),
    ("whole number", lambda s: s.update(n_iter=0.5)),
])
def test_states_that_do_not_fit_change_nothing(words, change):
    _, _, optimizer = minimise(rosenbrock, [[-1.2, 1.0]], calls=2, max_iter=3)
    before, state = str(optimizer.state_dict()), copy.deepcopy(optimizer.state_dict())
    change(state["state"][0])
    if words == "elements" and len(state["state"][0]["old_stps"]) != len(state["state"][0]["ro"]):
        state["state"][0]["ro"].append(1.0), state["state"][0]["old_dirs"].append([1.0])
    with pytest.raises(StateError, match=words):
        optimizer.load_state_dict(state)
    assert str(optimizer.state_dict()) == before
