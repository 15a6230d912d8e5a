"""Gradients that cross between our graph and JAX's programs."""

import sys

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, MissingPackage, MutationError
from tinygrad_relu.interop import from_jax, jax_function


@pytest.fixture
def jax():
    found = pytest.importorskip("jax", reason="JAX is not installed")
    with found.enable_x64(True):
        yield found


def layer(tanh):
    """Return a function of trees that can be written in both libraries."""

    def function(x, p, k=2):
        y = tanh(x @ p["w"] + p["b"]) ** k
        return {"n": (x > 0).sum(), "rest": [x.sum() * p["w"].sum()], "y": y}

    return function


def arrays(rng):
    return [rng.normal(size=shape) for shape in ((3, 2), (2, 4), (4,))]


def number_of(function):
    def number(x, w, b):
        result = function(x, {"w": w, "b": b}, k=3)
        return result["y"].sum() * 2 + result["rest"][0] ** 2

    return number


@pytest.mark.parametrize("make", [jax_function, from_jax])
def test_a_missing_jax_is_one_line(make, monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(MissingPackage, match=f'{make.__name__}: jax .* pip install "jax"'):
        make(lambda x: x)(tg.ones(2))
    with pytest.raises(ArgumentError, match=f"{make.__name__}: 3 is no function"):
        make(3)


def test_ours_in_jax_at_first_and_second_order(jax, rng):
    ours, theirs = number_of(jax_function(layer(tg.tanh))), number_of(layer(jax.numpy.tanh))
    given = [jax.numpy.asarray(x) for x in arrays(rng)]
    np.testing.assert_allclose(ours(*given), theirs(*given), rtol=1e-12)
    for transform in (
        lambda f: jax.grad(f, (0, 1, 2)),
        lambda f: jax.jit(jax.grad(f, (0, 1, 2))),
        lambda f: jax.jit(jax.jacrev(jax.grad(f, 2), 0)),
    ):
        found, wanted = (jax.tree.leaves(transform(f)(*given)) for f in (ours, theirs))
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-11)


def test_ours_in_jax_at_third_order_and_under_vmap(jax):
    power = jax_function(lambda x: x**4)
    assert jax.grad(jax.grad(jax.grad(power)))(2.0).item() == 48
    assert jax.vmap(jax.grad(power))(jax.numpy.array([1.0, 2.0])).tolist() == [4, 32]


def test_whole_numbers_in_jax_have_no_gradient(jax):
    taken = jax_function(lambda k, x: (k + 1, x[k] * 2))
    k, x = jax.numpy.array([0, 0, 1]), jax.numpy.ones(3)
    assert taken(k, x)[0].tolist() == [1, 1, 2]
    assert jax.grad(lambda x: taken(k, x)[1].sum())(x).tolist() == [4, 2, 0]


def test_dtypes_in_jax(jax):
    x = jax.numpy.ones(2, "float32")
    assert jax_function(lambda x: x * 2)(x).dtype == "float32"
    with jax.enable_x64(False):
        wide = jax_function(lambda x: x * tg.ones(2))
        assert wide(x).dtype == "float32"
        assert jax.grad(lambda x: wide(x).sum())(x).dtype == "float32"


def test_large_arrays_do_not_block_the_callback(jax):
    square = jax_function(lambda x: tg.relu(x @ x))
    x = jax.numpy.ones((600, 600), "float32")
    assert jax.jit(jax.grad(lambda x: square(x).sum()))(x)[0, 0] == 1200


def test_jax_in_ours_at_first_and_second_order(jax, rng):
    theirs = from_jax(layer(jax.numpy.tanh))
    given = tuple(tg.tensor(x, requires_grad=True) for x in arrays(rng))
    x, w, b = given
    found, wanted = (f(x, {"w": w, "b": b}, k=3) for f in (theirs, layer(tg.tanh)))
    assert found["y"].dtype == np.float64 and not found["n"].requires_grad
    np.testing.assert_allclose(found["y"].detach(), wanted["y"].detach(), rtol=1e-12)
    assert tg.gradcheck(number_of(theirs), given)
    assert tg.gradgradcheck(number_of(theirs), given)
    mixed = tg.func.jacrev(tg.func.grad(number_of(theirs), 2), 0)(*[x.detach() for x in given])
    by_ours = tg.func.jacrev(tg.func.grad(number_of(layer(tg.tanh)), 2), 0)(*[x.detach() for x in given])
    np.testing.assert_allclose(mixed, by_ours, atol=1e-12)


def test_jax_in_ours_keeps_float64_where_jax_does_not(jax):
    with jax.enable_x64(False):
        x = tg.tensor([1 / 3], requires_grad=True)
        y = from_jax(lambda x: x * 3)(x)
        y.backward()
        assert y.dtype == np.float64 and y.item() == 1.0 and x.grad.item() == 3
        narrow = from_jax(jax.numpy.sin)(tg.ones(2, dtype=tg.float32))
        assert narrow.dtype == np.float32


def test_whole_numbers_and_jit_in_ours(jax):
    x = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    taken = from_jax(jax.jit(lambda k, x: (k + 1, x[k] * 2)))
    following, values = taken(tg.tensor([0, 0, 1]), x)
    values.sum().backward()
    assert following.tolist() == [1, 1, 2] and x.grad.tolist() == [4, 2, 0]


def test_results_of_jax_are_tensors_like_others(jax):
    y = from_jax(lambda x: x)(tg.ones(2))
    y += 1
    assert y.tolist() == [2, 2] and not y.requires_grad


def test_ours_find_what_was_changed_since(jax):
    x = tg.ones(2, requires_grad=True) * 1
    y = from_jax(lambda x: x * x)(x).sum()
    x += 1
    with pytest.raises(MutationError, match="changed in place"):
        y.backward()


def test_what_a_function_has_to_return(jax):
    with pytest.raises(ArgumentError, match=r"returned a int: it returns .* tinygrad_relu"):
        jax_function(lambda x: 3)(jax.numpy.ones(2))
