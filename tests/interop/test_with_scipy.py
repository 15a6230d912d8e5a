"""SciPy's solvers over trees: every method finds what is known, with the derivatives it asks for."""

import sys
from typing import NamedTuple

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import (
    ArgumentError,
    DTypeError,
    GraphError,
    MissingPackage,
    RangeError,
    ShapeError,
)
from tinygrad_relu.interop import scipy_least_squares, scipy_minimize, scipy_root, with_scipy

optimize = pytest.importorskip("scipy.optimize", reason="SciPy is not installed")

TOLERANCES = {
    "Nelder-Mead": 1e-3, "Powell": 1e-6, "CG": 1e-5, "BFGS": 1e-5, "Newton-CG": 1e-4, "L-BFGS-B": 1e-4,
    "TNC": 1e-3, "COBYLA": 0.6, "COBYQA": 1e-4, "SLSQP": 1e-3, "trust-constr": 1e-6, "dogleg": 1e-4,
    "trust-ncg": 1e-5, "trust-exact": 1e-5, "trust-krylov": 1e-3, None: 1e-5,
}


def valley(p):
    """Rosenbrock's function of two variables, with its minimum at 1, 1."""
    return (100 * (p["y"] - p["x"] ** 2) ** 2 + (1 - p["x"]) ** 2).sum()


def start():
    return {"x": tg.tensor([-1.2]), "y": np.array(1.0)}


@pytest.mark.parametrize("method", TOLERANCES)
def test_every_method_finds_the_minimum(method):
    found = scipy_minimize(valley, start(), method=method)
    np.testing.assert_allclose(found.x, [1, 1], rtol=0, atol=TOLERANCES[method])
    assert isinstance(found, optimize.OptimizeResult)
    assert [found.params["x"].item(), found.params["y"].item()] == found.x.tolist()


@pytest.mark.parametrize(
    "method", ["BFGS", "L-BFGS-B", "Newton-CG", "dogleg", "trust-exact", "trust-krylov"]
)
def test_the_path_is_that_of_scipy_with_derivatives_by_hand(method):
    derivatives = {"jac": optimize.rosen_der}
    if method in ("dogleg", "trust-exact"):
        derivatives["hess"] = optimize.rosen_hess
    elif method not in ("BFGS", "L-BFGS-B"):
        derivatives["hessp"] = optimize.rosen_hess_prod
    by_hand = optimize.minimize(optimize.rosen, [-1.2, 1.0], method=method, **derivatives)
    found = scipy_minimize(valley, start(), method=method)
    assert found.nit == by_hand.nit and found.nfev == by_hand.nfev
    np.testing.assert_allclose(found.x, by_hand.x, rtol=1e-7)


def test_second_derivatives_over_several_leaves(rng):
    def function(p, c):
        return (p["a"] @ p["b"] * c).sum() ** 2 + tg.exp(p["b"]).sum() * p["s"]

    tree = {"a": rng.normal(size=(2, 3)), "b": rng.normal(size=(3,)), "s": 0.5}
    c = tg.tensor(rng.normal(size=2))
    loss = with_scipy.Loss(with_scipy.Parameters("test", tree), function, (c,))
    x = loss.parameters.start
    hessian = loss.hessian(x)
    step = 1e-5
    by_differences = np.array([
        (loss.value_and_gradient(x + step * unit)[1] - loss.value_and_gradient(x - step * unit)[1])
        / (2 * step) for unit in np.eye(10)
    ])
    np.testing.assert_allclose(hessian, by_differences, atol=1e-6)
    v = rng.normal(size=10)
    np.testing.assert_allclose(loss.product(x, v), hessian @ v, atol=1e-12)
    np.testing.assert_allclose(
        loss.value_and_gradient(x)[1], optimize.approx_fprime(x, loss.value, 1e-7), atol=1e-4
    )


class Pair(NamedTuple):
    first: object
    second: object


def test_form_kinds_and_dtypes_come_back_and_nothing_is_changed():
    tree = Pair(
        {"t": tg.ones((2, 2), dtype=tg.float32), "a": np.ones(3, np.float16)},
        [1.0, np.float32(1), tg.nn.Parameter([1.0]), None],
    )

    def loss(p):
        leaves = [p.first["t"], p.first["a"], *p.second[:3]]
        assert all(isinstance(x, tg.Tensor) and x.dtype == np.float64 for x in leaves)
        assert [x.shape for x in leaves] == [(2, 2), (3,), (), (), (1,)]
        return sum(((x - 1 / 3) ** 2).sum() for x in leaves)

    found = scipy_minimize(loss, tree, method="BFGS").params
    assert type(found) is Pair and found.second[3] is None
    assert isinstance(found.first["t"], tg.Tensor) and found.first["t"].dtype == np.float32
    assert isinstance(found.first["a"], np.ndarray) and found.first["a"].dtype == np.float16
    assert type(found.second[0]) is float and type(found.second[1]) is np.float32
    np.testing.assert_allclose(found.second[0], 1 / 3, atol=1e-6)
    assert tree.first["t"].tolist() == [[1, 1], [1, 1]] and (tree.first["a"] == 1).all()
    assert tree.second[2].item() == 1 and tree.second[2].grad is None


def test_bounds_args_and_constraints():
    def loss(p, target):
        return ((p["a"] - target) ** 2).sum() + (p["b"] - 5) ** 2

    lower, upper = {"a": np.array([0.0, 2.0]), "b": -np.inf}, {"a": tg.tensor([1.5, 4.0]), "b": 3.0}
    tree = {"a": tg.tensor([1.0, 1.0]), "b": 0.0}
    found = scipy_minimize(loss, tree, args=(tg.tensor([9.0, 0.0]),), bounds=(lower, upper)).params
    assert found["a"].tolist() == [1.5, 2.0] and found["b"] == 3.0
    found = scipy_minimize(loss, tree, args=(tg.tensor([9.0, 0.0]),), bounds=(None, 4)).params
    np.testing.assert_allclose(found["a"], [4, 0], atol=1e-5)
    constraint = {"type": "eq", "fun": lambda vector: vector.sum() - 1}
    found = scipy_minimize(loss, tree, args=(0.0,), method="SLSQP", constraints=constraint)
    np.testing.assert_allclose(found.x, [-4 / 3, -4 / 3, 11 / 3], atol=1e-5)


@pytest.mark.parametrize(
    "bounds, error",
    [(3, ArgumentError), (({"a": 1},), ArgumentError), (({"c": 1}, None), ArgumentError),
     ((None, {"x": np.ones(2), "y": 0}), ShapeError)],
)
def test_bad_bounds(bounds, error):
    with pytest.raises(error, match="scipy_minimize: bounds"):
        scipy_minimize(valley, start(), bounds=bounds)


@pytest.mark.parametrize("method", ["BFGS", "trust-constr", "Nelder-Mead", "L-BFGS-B"])
def test_callback_sees_the_tree_and_may_stop(method):
    seen = []

    def callback(p):
        seen.append(p)
        if len(seen) == 3:
            raise StopIteration

    scipy_minimize(valley, start(), method=method, callback=callback)
    assert len(seen) == 3
    assert isinstance(seen[0]["x"], tg.Tensor) and isinstance(seen[0]["y"], np.ndarray)
    assert valley(seen[2]).item() < valley(start()).item()


@pytest.mark.parametrize("method", ["BFGS", "Nelder-Mead"])
@pytest.mark.parametrize(
    "loss, error, words",
    [
        (lambda x: x * x, GraphError, "reduce it"),
        (lambda x: tg.log(x - 5).sum(), RangeError, "the loss is nan at the start"),
        (lambda x: (1 / (x - x)).sum(), RangeError, "the loss is inf at the start"),
        (lambda x: tg.log(1.001 - x * x).sum(), RangeError, "the loss is nan at evaluation"),
    ],
)
def test_a_bad_loss(method, loss, error, words):
    with pytest.raises(error, match=f"scipy_minimize: .*{words}"):
        scipy_minimize(loss, tg.tensor([0.3, 0.4]), method=method)


def test_a_gradient_that_is_nan_is_named():
    with pytest.raises(RangeError, match=r"respect to params\['b'\] is NaN"):
        scipy_minimize(lambda p: (p["a"] ** 2 + (p["b"] * p["b"].sqrt())).sum(), {"a": 1.0, "b": 0.0})


@pytest.mark.parametrize(
    "params, error, words",
    [
        ({"n": 3}, DTypeError, r"params\['n'\] has dtype int64"),
        ([tg.arange(2)], DTypeError, r"params\[0\]"),
        ({}, ShapeError, "no elements"),
        (tg.zeros(0), ShapeError, "no elements"),
    ],
)
def test_bad_parameters(params, error, words):
    for solve in (scipy_minimize, scipy_least_squares, scipy_root):
        with pytest.raises(error, match=f"{solve.__name__}: .*{words}"):
            solve(lambda p: 0.0, params)


def test_a_missing_scipy_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(MissingPackage, match=r'pip install "tinygrad_relu\[scipy\]"') as raised:
        scipy_minimize(valley, start())
    assert "\n" not in str(raised.value) and isinstance(raised.value, ImportError)


@pytest.mark.parametrize("method", ["trf", "dogbox", "lm"])
def test_least_squares_is_that_of_scipy_with_a_jacobian_by_hand(method, rng):
    x = np.linspace(0, 2, 40)
    y = 1.5 * np.exp(-0.7 * x) + 0.01 * rng.normal(size=40)
    by_hand = optimize.least_squares(
        lambda p: p[0] * np.exp(p[1] * x) - y, [1.0, 0.0], method=method,
        jac=lambda p: np.stack([np.exp(p[1] * x), p[0] * x * np.exp(p[1] * x)], 1),
    )
    found = scipy_least_squares(
        lambda p, x, y: p["scale"] * tg.exp(p["rate"] * x) - y, {"scale": 1.0, "rate": 0.0},
        args=(tg.tensor(x), tg.tensor(y)), method=method,
    )
    assert found.nfev == by_hand.nfev
    np.testing.assert_allclose(found.x, by_hand.x, rtol=1e-8)
    np.testing.assert_allclose(found.jac, by_hand.jac, rtol=1e-7)
    assert found.params == {"scale": found.x[0], "rate": found.x[1]}


@pytest.mark.parametrize("rows", [2, 50])
def test_jacobian_by_rows_and_by_columns(rows, rng):
    a = tg.tensor(rng.normal(size=(rows, 3)))

    def residuals(p):
        return {"first": tg.sin(a @ p["x"]), "second": p["x"].sum() * p["y"] ** 2, "third": tg.ones(2)}

    equations = with_scipy.Equations(
        with_scipy.Parameters("test", {"x": rng.normal(size=3), "y": 0.5}), residuals, ()
    )
    x = equations.parameters.start
    by_differences = optimize.approx_fprime(x, equations.residuals, 1e-7)
    assert by_differences.shape == (rows + 3, 4)
    np.testing.assert_allclose(equations.jacobian(x), by_differences, atol=1e-6)


def test_least_squares_within_bounds_and_with_options():
    found = scipy_least_squares(
        lambda p: p["x"] - tg.tensor([1.0, 5.0]), {"x": np.zeros(2, np.float32)},
        bounds=({"x": -1.0}, {"x": np.full(2, 3.0)}), loss="soft_l1",
    )
    np.testing.assert_allclose(found.params["x"], [1, 3], atol=1e-5)
    assert found.params["x"].dtype == np.float32
    with pytest.raises(RangeError, match="residual 1 of 2 is NaN"):
        scipy_least_squares(lambda x: tg.log(x), tg.tensor([1.0, -1.0]))


@pytest.mark.parametrize("method", ["hybr", "lm", "broyden1", "krylov", "df-sane"])
def test_root(method):
    def equations(p):
        return [p["x"] ** 2 + p["y"] - 3, p["x"] - p["y"] + 1]

    found = scipy_root(equations, {"x": tg.tensor(1.5), "y": 1.5}, method=method)
    assert found.success
    np.testing.assert_allclose(found.x, [1, 2], atol=1e-4)
    assert found.params["x"].shape == () and found.params["y"] == found.x[1]
    if method in ("hybr", "lm"):
        assert found.njev >= 1


def test_root_wants_as_many_equations_as_parameters():
    with pytest.raises(ShapeError, match="3 elements for 2 parameters"):
        scipy_root(lambda x: tg.concat([x, x[:1]]), tg.ones(2))


def test_root_calls_back_with_the_tree():
    seen = []
    scipy_root(lambda x: x * x - 2, np.float32(1), method="krylov", callback=seen.append)
    assert seen and type(seen[-1]) is np.float32 and abs(seen[-1] - 2**0.5) < 1e-3
