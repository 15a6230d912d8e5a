"""Functional transforms: against HIPS autograd, closed forms and each other; trees; wrong use."""

from collections import OrderedDict, namedtuple

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import func, transforms
from tinygrad_relu.autograd import functional
from tinygrad_relu.errors import ArgumentError, DTypeError, GraphError, ShapeError, TensorError
from tinygrad_relu.trees import leaves, leaves_in_step, regrown


def scalar(x, y):
    return tg.exp(tg.sin(x) * y).sum() / 3


def scalar_by_hips(x, y):
    return anp.sum(anp.exp(anp.sin(x) * y)) / 3


def vector(x, y):
    return tg.sin(x) @ y * y[0]


def vector_by_hips(x, y):
    return anp.dot(anp.sin(x), y) * y[0]


@pytest.fixture
def at(rng):
    return rng.standard_normal((2, 3)), rng.standard_normal(3)


def close(ours, theirs):
    assert not ours.requires_grad
    assert ours.shape == np.shape(theirs)
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-12, atol=1e-13)


# --------------------------------------------------------------------------- against HIPS autograd


@pytest.mark.parametrize("argnum", [0, 1, -1])
def test_gradients_of_each_argument(argnum, at):
    expected = autograd.grad(scalar_by_hips, argnum % 2)(*at)
    close(func.grad(scalar, argnum)(*at), expected)
    gradient, value = func.grad_and_value(scalar, argnum)(*at)
    close(gradient, expected)
    close(value, scalar_by_hips(*at))
    value, gradient = transforms.value_and_grad(scalar, argnum)(*at)
    close(gradient, expected)
    close(value, scalar_by_hips(*at))


def test_gradients_of_several_arguments_at_once(at):
    both = func.grad(scalar, argnums=(1, 0))(*at)
    close(both[0], autograd.grad(scalar_by_hips, 1)(*at))
    close(both[1], autograd.grad(scalar_by_hips, 0)(*at))


def test_vjp_and_jvp_are_products_with_the_jacobian(at, rng):
    rows = [autograd.jacobian(vector_by_hips, k)(*at) for k in (0, 1)]
    weight, moves = rng.standard_normal(2), [rng.standard_normal(x.shape) for x in at]
    value, pull = func.vjp(vector, *at)
    close(value, vector_by_hips(*at))
    for _ in range(2):
        for pulled, row in zip(pull(weight), rows):
            close(pulled, np.tensordot(weight, row, 1))
    value, pushed = func.jvp(vector, at, moves)
    close(value, vector_by_hips(*at))
    close(pushed, sum(np.tensordot(row, v, v.ndim) for row, v in zip(rows, moves)))


def test_jacobians(at):
    rows = [autograd.jacobian(vector_by_hips, k)(*at) for k in (0, 1)]
    close(func.jacrev(vector)(*at), rows[0])
    for ours, row in zip(transforms.jacobian(vector, (0, 1))(*at), rows):
        close(ours, row)
    for ours, row in zip(functional.jacobian(vector, tuple(map(tg.tensor, at))), rows):
        close(ours, row)
    twice = functional.jacobian(lambda x: (vector(x, at[1]), x.sum()), tg.tensor(at[0]))
    close(twice[0], rows[0])
    close(twice[1], np.ones((2, 3)))


def test_hessians_and_products_with_them(at, rng):
    x, y = at
    hessian = autograd.hessian(lambda x: scalar_by_hips(x, y))(x)
    mixed = autograd.jacobian(autograd.grad(scalar_by_hips, 1), 0)(x, y)
    last = autograd.hessian(lambda y: scalar_by_hips(x, y))(y)
    close(func.hessian(scalar)(x, y), hessian)
    blocks = func.hessian(scalar, (0, 1))(x, y)
    for block, expected in zip((blocks[0][0], blocks[1][0], blocks[1][1]), (hessian, mixed, last)):
        close(block, expected)
    blocks = functional.hessian(scalar, (tg.tensor(x), tg.tensor(y)))
    close(blocks[1][0], mixed)
    close(functional.hessian(lambda x: scalar(x, y), tg.tensor(x)), hessian)
    v, w = rng.standard_normal(x.shape), rng.standard_normal(y.shape)
    expected = (
        np.tensordot(hessian, v, 2) + np.tensordot(w, mixed, 1), np.tensordot(mixed, v, 2) + last @ w
    )
    for product in (transforms.hvp, transforms.vhp, functional.hvp, functional.vhp):
        value, found = product(scalar, (tg.tensor(x), tg.tensor(y)), (tg.tensor(v), tg.tensor(w)))
        close(value, scalar_by_hips(x, y))
        close(found[0], expected[0])
        close(found[1], expected[1])


def test_functionals_take_one_tensor_without_a_tuple(at, rng):
    x, v = tg.tensor(at[0]), tg.tensor(rng.standard_normal((2, 3)))
    slope = np.cos(at[0])
    value, product = functional.vjp(tg.sin, x, v)
    close(value, np.sin(at[0]))
    close(product, slope * v.numpy())
    close(functional.jvp(tg.sin, x, v)[1], slope * v.numpy())
    close(functional.vjp(lambda x: tg.sin(x).sum(), x)[1], slope)
    close(functional.jvp(tg.sin, tg.tensor(2.0))[1], np.cos(2.0))
    close(functional.vhp(lambda x: tg.sin(x).sum(), x, v)[1], -np.sin(at[0]) * v.numpy())


# ------------------------------------------------------------------------------ nested, closed over


def test_transforms_of_transforms_have_closed_forms():
    def cube(x):
        return x**3

    third = func.grad(func.grad(func.grad(cube)))(2.0)
    close(third, 6.0)
    close(func.jvp(func.grad(cube), (2.0,), (5.0,))[1], 60.0)
    close(func.grad(lambda x: func.jvp(cube, (x,), (x,))[1])(2.0), 36.0)         # (3 x^3)'
    close(func.grad(lambda v: func.jvp(cube, (2.0,), (v * v,))[1])(3.0), 72.0)   # (12 v^2)'
    close(func.grad(lambda v: func.vjp(cube, 2.0)[1](v * v)[0])(3.0), 72.0)
    close(func.jacrev(func.jacrev(lambda x: x**3))(np.array([1.0, 2.0]))[1, 1, 1], 12.0)
    close(transforms.vhp(func.grad(cube), (2.0,), (1.0,))[1][0], 6.0)


def test_a_variable_of_an_outer_transform_is_seen_by_an_inner_one():
    # d/dy (d/dx x y)^2 = 2 y, with x fixed inside
    close(func.grad(lambda y: func.grad(lambda x: x * y)(1.5) ** 2)(3.0), 6.0)
    # the inner x is not the outer one
    close(func.grad(lambda x: x * func.grad(lambda x: x * x)(1.0))(3.0), 2.0)
    close(func.grad(lambda y: transforms.vhp(lambda x: x**2 * y**2, (1.0,), (1.0,))[1][0])(3.0), 12.0)
    close(func.grad(lambda y: func.jacrev(lambda x: x * y)(np.ones(2)).sum())(3.0), 2.0)


def test_the_graph_outside_is_continued_and_nothing_is_left_in_it():
    w = tg.tensor(3.0, requires_grad=True)
    gradient = func.grad(lambda x: w * x * x)(2.0)
    gradient.backward()
    assert gradient.item() == 12.0 and w.grad.item() == 4.0
    x = tg.tensor(2.0, requires_grad=True)
    gradient, value = func.grad_and_value(lambda x: x**3)(x)
    gradient.backward(retain_graph=True)
    assert x.grad.item() == 12.0
    value.backward()
    assert x.grad.item() == 24.0
    with tg.no_grad():
        plain = func.grad(lambda x: w * x * x)(x)
    assert plain.item() == 12.0 and not plain.requires_grad
    assert not func.grad(lambda x: x * x)(2.0).requires_grad
    y = tg.tensor(2.0)
    func.grad(lambda y: y * y)(y)
    assert not y.requires_grad and y.grad is None


def test_functionals_record_only_if_asked(at):
    inputs = tuple(tg.tensor(x, requires_grad=True) for x in at)
    v = tuple(tg.ones_like(x) for x in inputs)
    calls = [
        lambda **how: functional.vjp(scalar, inputs, **how)[1][0],
        lambda **how: functional.jvp(scalar, inputs, v, **how)[1],
        lambda **how: functional.jacobian(scalar, inputs, **how)[0],
        lambda **how: functional.hessian(scalar, inputs, **how)[0][1],
        lambda **how: functional.vhp(scalar, inputs, v, **how)[1][0],
        lambda **how: functional.hvp(scalar, inputs, v, **how)[1][1],
    ]
    for call in calls:
        assert not call().requires_grad
        recorded = call(create_graph=True)
        np.testing.assert_array_equal(recorded.detach().numpy(), call().numpy())
        (again,) = tg.autograd.grad(recorded.sum(), inputs[0])
        assert np.abs(again.numpy()).max() > 0.01
    assert inputs[0].grad is None
    assert not functional.vjp(lambda x: x, inputs[0], inputs[0])[1].requires_grad


def test_strict_raises_where_nothing_depends():
    x, y = tg.tensor([1.0, 2.0]), tg.tensor(3.0)

    def first(x, y):
        return (x * x).sum()

    for call in (
        lambda strict: functional.vjp(first, (x, y), strict=strict)[1][1],
        lambda strict: functional.jvp(first, (x, y), (x * 0, y), strict=strict)[1],
        lambda strict: functional.jacobian(first, (x, y), strict=strict)[1].sum(),
        lambda strict: functional.hessian(first, (x, y), strict=strict)[1][0].sum(),
        lambda strict: functional.vhp(first, (x, y), (x, y), strict=strict)[1][1],
    ):
        assert call(False).item() == 0
        with pytest.raises(GraphError, match="depend"):
            call(True)
    with pytest.raises(GraphError, match=r"vhp: the gradient does not depend on inputs\[0\]"):
        functional.vhp(lambda x: x.sum(), x, x, strict=True)


# ----------------------------------------------------------------------------------------- trees

Line = namedtuple("Line", "slope intercept")


def test_arguments_and_values_are_trees():
    line = Line(np.array([2.0, 3.0]), {"b": [0.5, None], "a": (np.float64(1.0),)})

    def f(line, x):
        return (line.slope * x).sum() * line.intercept["a"][0] + line.intercept["b"][0] ** 2

    gradient = func.grad(f)(line, 2.0)
    assert type(gradient) is Line and list(gradient.intercept) == ["b", "a"]
    close(gradient.slope, [2.0, 2.0])
    close(gradient.intercept["b"][0], 1.0)
    close(gradient.intercept["a"][0], 10.0)
    assert gradient.intercept["b"][1] is None
    rows = func.jacrev(lambda p: {"y": p["x"] * p["c"]})(OrderedDict(x=np.array([1.0, 2.0]), c=3.0))
    assert type(rows["y"]) is OrderedDict
    close(rows["y"]["x"], np.diag([3.0, 3.0]))
    close(rows["y"]["c"], [1.0, 2.0])
    value, pull = func.vjp(lambda p: [p["a"] * 2, {"k": p["b"]}], {"a": 1.0, "b": 2.0})
    assert value[1]["k"].item() == 2.0
    (pulled,) = pull((10.0, {"k": 5.0}))
    assert (pulled["a"].item(), pulled["b"].item()) == (20.0, 5.0)
    _, (product,) = transforms.vhp(
        lambda p: p["a"] ** 2 * p["b"], ({"a": 1.0, "b": 2.0},), ({"b": 1.0, "a": 0.0},)
    )
    assert (product["a"].item(), product["b"].item()) == (2.0, 0.0)


def test_trees_are_taken_apart_and_grown_again():
    tree = {"a": [1, (2, None)], "b": Line(3, {})}
    assert leaves(tree) == [("['a'][0]", 1), ("['a'][1][0]", 2), ("['b'].slope", 3)]
    assert regrown(tree, "xyz") == {"a": ["x", ("y", None)], "b": Line("z", {})}
    assert leaves(5.0) == [("", 5.0)] and regrown(None, "") is None
    assert leaves_in_step({"a": 1, "b": [2]}, {"b": (4,), "a": 3}, "it") == [3, 4]
    for other in (
        3, {"a": 1}, {"a": 1, "c": [2]}, {"a": 1, "b": 2}, {"a": [1], "b": [2]}, {"a": None, "b": [2]}
    ):
        with pytest.raises(ArgumentError, match=r"it.* has to be of the form"):
            leaves_in_step({"a": 1, "b": [2]}, other, "it")


def test_aux_is_passed_on_outside_of_the_graph():
    def f(x):
        return (x * x).sum(), {"twice": 2 * x, "name": "f"}

    x = np.array([1.0, 2.0])
    for gradient, aux in (
        func.grad(f, has_aux=True)(x),
        (lambda pair: (pair[0], pair[1][1]))(func.grad_and_value(f, has_aux=True)(x)),
        (lambda pair: (pair[1], pair[0][1]))(transforms.value_and_grad(f, has_aux=True)(x)),
        func.jacrev(f, has_aux=True)(x),
        (lambda three: (three[1](1.0)[0], three[2]))(func.vjp(f, x, has_aux=True)),
    ):
        close(gradient, [2.0, 4.0])
        close(aux["twice"], [2.0, 4.0])
        assert aux["name"] == "f"
    _, pushed, aux = func.jvp(f, (x,), (x,), has_aux=True)
    close(pushed, 10.0)
    close(aux["twice"], [2.0, 4.0])


def test_what_nothing_depends_on_has_derivative_zero():
    x, y = np.array([1.0, 2.0]), np.float32(3.0)
    gradients = func.grad(lambda x, y: x.sum(), (0, 1))(x, y)
    assert gradients[1].dtype == np.float32
    close(gradients[1], 0.0)
    close(func.grad(lambda x: tg.tensor(1.0))(x), [0.0, 0.0])
    close(func.jacrev(lambda x: tg.tensor([1.0]))(x), [[0.0, 0.0]])
    close(func.jvp(lambda x: tg.tensor([1.0]), (x,), (x,))[1], [0.0])
    close(func.jvp(lambda x: x, (x,), (x,))[1], x)
    close(func.jacrev(lambda x: x[:0])(x), np.zeros((0, 2)))
    close(func.hessian(lambda x: x.sum())(x), np.zeros((2, 2)))


def test_keywords_are_passed_on_and_names_kept():
    def scaled(x, *, by):
        """Scaled."""
        return x * by

    gradient = func.grad(scaled)
    assert gradient(1.0, by=4.0).item() == 4.0
    assert gradient.__name__ == "scaled" and gradient.__doc__ == "Scaled."


# ------------------------------------------------------------------------------- autograd.grad etc.


def test_backward_of_several_tensors_is_one_pass(rng):
    x, y = (tg.tensor(rng.standard_normal((2, 3)), requires_grad=True) for _ in range(2))
    weight = rng.standard_normal((2, 3))
    shared = x * y
    tg.autograd.backward([shared, (shared * x).sum()], [tg.tensor(weight), None])
    a, b = x.detach().numpy(), y.detach().numpy()
    np.testing.assert_allclose(x.grad.numpy(), weight * b + 2 * a * b)
    np.testing.assert_allclose(y.grad.numpy(), weight * a + a**2)
    with pytest.raises(GraphError, match="freed"):
        tg.autograd.backward(shared, weight)
    before = x.grad.numpy().copy()
    tg.autograd.backward((x.sum(), x.detach() @ y.T), (None, np.zeros((2, 2))), retain_graph=True)
    np.testing.assert_allclose(x.grad.numpy(), before + 1)


def test_backward_to_chosen_inputs_alone():
    x, y = tg.tensor(2.0, requires_grad=True), tg.tensor(3.0, requires_grad=True)
    z = x * y
    loss = z * z
    tg.autograd.backward(loss, inputs=[y, z, y], retain_graph=True)
    assert x.grad is None and y.grad.item() == 24.0 and z.grad.item() == 12.0
    tg.autograd.backward(loss, inputs=y, create_graph=True)
    assert y.grad.item() == 48.0 and y.grad.requires_grad
    y.grad = None
    other = tg.tensor(1.0, requires_grad=True)
    tg.autograd.backward(x * 2, inputs=[other, x])
    assert other.grad is None and x.grad.item() == 2.0


def test_grad_gives_zeros_for_unused_inputs_if_asked():
    x, y = tg.tensor([1.0, 2.0], requires_grad=True), tg.tensor(np.float32(3.0), requires_grad=True)
    found = tg.autograd.grad(x.sum(), (x, y), materialize_grads=True)
    close(found[1], 0.0)
    assert found[1].dtype == np.float32
    assert tg.autograd.grad(x.sum(), (x, y), allow_unused=True)[1] is None
    assert tg.autograd.grad(x * x, [x], np.array([1.0, 10.0]))[0].tolist() == [2.0, 40.0]


def test_errors_of_grad_and_backward():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    for kind, message, call in (
        (GraphError, r"no output depends on inputs\[1\]", lambda: tg.autograd.grad(
            x.sum(), [x, tg.tensor(1.0, requires_grad=True)])),
        (ArgumentError, "materialize_grads", lambda: tg.autograd.grad(
            x.sum(), x, allow_unused=False, materialize_grads=True)),
        (ArgumentError, r"grad: outputs\[0\] is a float", lambda: tg.autograd.grad(1.0, x)),
        (ArgumentError, r"grad: inputs\[1\] is a list", lambda: tg.autograd.grad(x.sum(), [x, [x]])),
        (ArgumentError, "2 grad_outputs were given", lambda: tg.autograd.grad(x * 2, x, [x, x])),
        (GraphError, r"backward: outputs\[1\] has shape \(2,\)", lambda: tg.autograd.backward(
            [x.sum(), x * 2])),
        (ShapeError, r"grad_tensors\[0\] has shape \(\)", lambda: tg.autograd.backward(x * 2, 1.0)),
        (GraphError, "nothing was recorded", lambda: tg.autograd.backward(tg.tensor(1.0))),
        (ArgumentError, "inputs is empty", lambda: tg.autograd.backward(x.sum(), inputs=[])),
    ):
        with pytest.raises(TensorError, match=message) as caught:
            call()
        assert caught.type is kind
    assert x.grad is None


# -------------------------------------------------------------------------------------- wrong use

V = np.array([1.0, 2.0])
WRONG = {
    "grad: argument 0 has dtype int64": (DTypeError, lambda: func.grad(tg.sum)(np.array([1, 2]))),
    r"grad: argument 0\['n'\] is int 3": (
        DTypeError, lambda: func.grad(lambda p: p["x"])({"x": 1.0, "n": 3})
    ),
    "grad: argument 1 is str 'a'": (DTypeError, lambda: func.grad(lambda x, s: x, 1)(1.0, "a")),
    r"grad: the function returned shape \(2,\)": (GraphError, lambda: func.grad(tg.sin)(V)),
    "grad: the function returned several": (GraphError, lambda: func.grad(lambda x: (x, x))(1.0)),
    "grad: the function returned a float": (ArgumentError, lambda: func.grad(lambda x: 1.0)(V)),
    r"jacobian: the function returned a int at \['a'\]": (
        ArgumentError, lambda: func.jacrev(lambda x: {"a": 1})(V)
    ),
    "grad: the function returned dtype int64": (
        DTypeError, lambda: func.grad(lambda x: (x > 0).sum())(V)
    ),
    "grad: argnums names argument 2": (ArgumentError, lambda: func.grad(scalar, 2)(V, V)),
    "grad: argnums .* twice": (ArgumentError, lambda: func.grad(scalar, (0, -2))(V, V)),
    "grad: argnums is 'x'": (ArgumentError, lambda: func.grad(scalar, "x")(V, V)),
    "grad: 3 is no function": (ArgumentError, lambda: func.grad(3)),
    "vjp: 3 is no function": (ArgumentError, lambda: func.vjp(3, V)),
    "vjp: v is a tuple": (
        ArgumentError, lambda: functional.vjp(lambda x: (x, x), tg.tensor(V), tg.tensor(V))
    ),
    "value_and_grad: with has_aux": (
        ArgumentError, lambda: transforms.value_and_grad(tg.sum, has_aux=True)(V)
    ),
    r"jvp: tangents is a tuple\(\[0\]\)": (ArgumentError, lambda: func.jvp(scalar, (V, V), (V,))),
    r"jvp: tangents has shape \(1,\)": (ShapeError, lambda: func.jvp(tg.sin, (V,), (V[:1],))),
    "jvp: primals is a ndarray": (ArgumentError, lambda: func.jvp(tg.sin, V, V)),
    "vjp: the cotangent is a tuple": (ArgumentError, lambda: func.vjp(tg.sin, V)[1]((V, V))),
    r"vjp: the cotangent has shape \(1,\)": (ShapeError, lambda: func.vjp(tg.sin, V)[1](V[:1])),
    "vjp: v is missing": (ArgumentError, lambda: functional.vjp(tg.sin, tg.tensor(V))),
    "jacobian: inputs is a tensor or": (ArgumentError, lambda: functional.jacobian(tg.sin, V)),
    "jacobian: the function returns a tensor or": (
        ArgumentError, lambda: functional.jacobian(lambda x: {"a": x}, tg.tensor(V))
    ),
    "hessian: the function returned shapes": (
        GraphError, lambda: functional.hessian(tg.sin, tg.tensor(V))
    ),
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_use_raises_with_a_reason(message):
    kind, call = WRONG[message]
    with pytest.raises(TensorError, match=message) as caught:
        call()
    assert caught.type is kind
