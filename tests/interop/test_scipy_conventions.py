"""SciPy's own ways of saying things: bounds, callbacks, and what does not reach the parameters."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, GraphError, ShapeError
from tinygrad_relu.interop import scipy_least_squares, scipy_minimize, scipy_root

scipy_optimize = pytest.importorskip("scipy.optimize", reason="SciPy is not installed")
TARGET = np.array([3.0, -2.0, 5.0])
START = {"a": np.zeros(2), "b": 0.5}


def distance(p):
    return ((p["a"] - tg.tensor(TARGET[:2])) ** 2).sum() + (p["b"] - TARGET[2]) ** 2


def solution(found):
    return [*found.params["a"], found.params["b"]]


@pytest.mark.parametrize("bounds", [
    [(0, 1), (-1, None), (None, 4)],
    ((0, 1), (-1, np.inf), [np.float64(-np.inf), 4]),
    scipy_optimize.Bounds([0, -1, -np.inf], [1, np.inf, 4]),
    ({"a": np.array([0, -1.0]), "b": -np.inf}, {"a": np.array([1, np.inf]), "b": 4.0}),
])
def test_bounds_in_the_forms_of_scipy_and_ours(bounds):
    found = scipy_minimize(distance, START, bounds=bounds)
    np.testing.assert_allclose(solution(found), [1, -1, 4], atol=1e-6)


def test_bounds_of_least_squares_may_be_those_of_the_vector():
    def residuals(p):
        return {"a": p["a"] - tg.tensor(TARGET[:2]), "b": p["b"] - TARGET[2]}

    found = scipy_least_squares(residuals, START, bounds=scipy_optimize.Bounds(-1, [1, 9, 4]))
    np.testing.assert_allclose(solution(found), [1, -1, 4], atol=1e-6)


def test_bounds_that_may_mean_two_things_or_do_not_fit():
    with pytest.raises(ArgumentError, match=r"bounds may mean .*scipy\.optimize\.Bounds"):
        scipy_minimize(lambda p: p[0] ** 2 + p[1] ** 2, (1.0, 1.0), bounds=[(0, 1), (2, 3)])
    with pytest.raises(ShapeError, match="bounds has 2 pairs, and params has 3 elements"):
        scipy_minimize(distance, START, bounds=[(0, 1), (0, 1)])
    with pytest.raises(ShapeError, match="bounds do not fit the 3 elements"):
        scipy_minimize(distance, START, bounds=scipy_optimize.Bounds([0, 0], [1, 1]))


@pytest.mark.parametrize("method", ["L-BFGS-B", "BFGS", "trust-constr", "Nelder-Mead", "TNC", "SLSQP"])
def test_a_callback_of_the_intermediate_result(method):
    seen = []

    def callback(intermediate_result):
        seen.append(intermediate_result)

    scipy_minimize(distance, START, method=method, callback=callback)
    assert seen and all(isinstance(r, scipy_optimize.OptimizeResult) for r in seen)
    assert all(list(r.params) == ["a", "b"] and isinstance(r.params["b"], float) for r in seen)
    np.testing.assert_allclose(solution(seen[-1]), TARGET, atol=1e-3)
    np.testing.assert_array_equal(seen[-1].x, solution(seen[-1]))


def test_callbacks_that_stop_and_those_of_other_names():
    calls = []

    def stopping(intermediate_result):
        calls.append(intermediate_result.fun)
        raise StopIteration

    scipy_minimize(distance, START, callback=stopping)
    assert len(calls) == 1
    trees = []
    scipy_minimize(distance, START, callback=trees.append)
    scipy_minimize(distance, START, callback=lambda p: trees.append(p))
    assert trees and all(list(tree) == ["a", "b"] for tree in trees)


@pytest.mark.parametrize("solve", [
    scipy_least_squares, scipy_root, lambda *given: scipy_root(*given, method="lm"),
])
def test_residuals_that_do_not_depend_on_the_parameters_are_refused(solve):
    with pytest.raises(GraphError, match="the residuals do not depend on the parameters: is something"):
        solve(lambda p: p.detach() - tg.tensor([1.0, 2.0]), np.zeros(2))
