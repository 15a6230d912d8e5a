"""Gradients that cross between our graph and PyTorch's."""

import sys

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, DTypeError, MissingPackage, MutationError
from tinygrad_relu.interop import from_torch, torch_function


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed")


def layer(tanh):
    """Return a function of trees that can be written in both libraries."""

    def function(x, p, k=2):
        y = tanh(x @ p["w"] + p["b"]) ** k
        return {"y": y, "n": (x > 0).sum(), "rest": [x.sum() * p["w"].sum()]}

    return function


def arrays(rng):
    return [rng.normal(size=shape) for shape in ((3, 2), (2, 4), (4,))]


@pytest.mark.parametrize("name, make", [("torch", torch_function), ("torch", from_torch)])
def test_a_missing_pytorch_is_one_line(name, make, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingPackage, match=f'{make.__name__}: torch .* pip install "torch"'):
        make(lambda x: x)(tg.ones(2))


def test_only_functions_cross():
    for make in (torch_function, from_torch):
        with pytest.raises(ArgumentError, match=f"{make.__name__}: 3 is no function"):
            make(3)


def test_ours_in_pytorch_at_first_and_second_order(torch, rng):
    ours = torch_function(layer(tg.tanh))
    given = [torch.tensor(x, requires_grad=True) for x in arrays(rng)]
    x, w, b = given
    found, wanted = (f(x, {"w": w, "b": b}, k=3) for f in (ours, layer(torch.tanh)))
    assert list(found) == ["y", "n", "rest"] and isinstance(found["rest"], list)
    assert found["n"].item() == wanted["n"].item() and not found["n"].requires_grad
    assert torch.allclose(found["y"], wanted["y"], rtol=1e-12)

    def flat(x, w, b):
        result = ours(x, {"w": w, "b": b}, k=3)
        return result["y"], result["rest"][0]

    assert torch.autograd.gradcheck(flat, given)
    assert torch.autograd.gradgradcheck(flat, given)


def test_ours_in_pytorch_at_third_order(torch):
    power = torch_function(lambda x: x**4)
    value = x = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    for k, wanted in enumerate((32, 48, 48)):
        value = power(x) if k == 0 else value
        (value,) = torch.autograd.grad(value, x, create_graph=True)
        assert value.item() == wanted


def test_ours_share_the_memory_of_pytorch(torch):
    seen = []

    def function(x):
        seen.append(x.numpy() if not x.requires_grad else x.detach().numpy())
        return 2 * x

    x = torch.ones(3, dtype=torch.float32, requires_grad=True)
    y = torch_function(function)(x)
    assert seen[0].ctypes.data == x.data_ptr() and y.dtype == torch.float32
    (3 * y.sum()).backward()
    assert x.grad.tolist() == [6, 6, 6]
    z = torch.ones(2)
    same = torch_function(lambda x: x)(z)
    z += 1
    assert same.tolist() == [1, 1] and not same.requires_grad


def test_pytorch_finds_what_was_changed_since(torch):
    x = torch.ones(2, requires_grad=True)
    y = torch_function(lambda x: x * x)(x).sum()
    with torch.no_grad():
        x += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_some_of_the_gradients_and_none(torch):
    function = torch_function(lambda x, y: (x * y, x + 1, tg.flip(y, 0), tg.expand(x[:1], 2)))
    x, y = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0], requires_grad=True)
    outputs = function(x, y)
    assert [z.requires_grad for z in outputs] == [True, False, True, False]
    (outputs[0].sum() + 10 * outputs[2][0]).backward()
    assert y.grad.tolist() == [1, 12] and x.grad is None
    with torch.no_grad():
        assert not any(z.requires_grad for z in function(x, y))


def test_what_cannot_cross(torch):
    with pytest.raises(DTypeError, match="bfloat16"):
        torch_function(lambda x: x)(torch.ones(2, dtype=torch.bfloat16))
    with pytest.raises(ArgumentError, match=r"returned a int at \[1\]: it returns .* tinygrad_relu"):
        torch_function(lambda x: (x, 3))(torch.ones(2))
    with pytest.raises(ArgumentError, match=r"returned a int: it returns .* torch"):
        from_torch(lambda x: 3)(tg.ones(2))
    with pytest.raises(ArgumentError, match="on meta"):
        torch_function(lambda x: x)(torch.ones(2, device="meta"))
    with pytest.raises(DTypeError, match="no dtype"):
        from_torch(lambda x: x)(tg.asarray(np.ones(2, np.longdouble)))


def test_pytorch_in_ours_at_first_and_second_order(torch, rng):
    theirs = from_torch(layer(torch.tanh))
    given = tuple(tg.tensor(x, requires_grad=True) for x in arrays(rng))
    x, w, b = given
    found, wanted = (f(x, {"w": w, "b": b}, k=3) for f in (theirs, layer(tg.tanh)))
    assert not found["n"].requires_grad and found["n"].item() == wanted["n"].item()
    np.testing.assert_allclose(found["y"].detach(), wanted["y"].detach(), rtol=1e-12)

    def one_number(x, w, b):
        result = theirs(x, {"w": w, "b": b}, k=3)
        return result["y"].sum() * 2 + result["rest"][0] ** 2

    assert tg.gradcheck(one_number, given)
    assert tg.gradgradcheck(one_number, given)
    hessian = tg.func.hessian(lambda b: one_number(x.detach(), w.detach(), b))(b.detach())
    by_ours = tg.func.hessian(lambda b: 2 * (tg.tanh(x.detach() @ w.detach() + b) ** 3).sum())(b.detach())
    np.testing.assert_allclose(hessian, by_ours, atol=1e-12)


def test_a_module_of_pytorch(torch, rng):
    module = torch.nn.Linear(2, 3).double()
    x = tg.tensor(rng.normal(size=(4, 2)), requires_grad=True)
    from_torch(module)(x).sum().backward()
    np.testing.assert_allclose(x.grad, np.tile(module.weight.detach().sum(0), (4, 1)), rtol=1e-12)
    np.testing.assert_allclose(module.weight.grad, np.tile(x.detach().sum(0), (3, 1)), rtol=1e-12)
    assert module.bias.grad.tolist() == [4, 4, 4]
    weights = {
        name: tg.asarray(p.detach().numpy()).requires_grad_() for name, p in module.named_parameters()
    }
    call = from_torch(lambda weights, x: torch.func.functional_call(module, weights, (x,)))
    call(weights, x.detach()).sum().backward()
    np.testing.assert_allclose(weights["weight"].grad, np.tile(x.detach().numpy().sum(0), (3, 1)))
    assert weights["bias"].grad.tolist() == [4, 4, 4]


def test_ours_find_what_was_changed_since(torch):
    x = tg.ones(2, requires_grad=True) * 1
    y = from_torch(lambda x: x * x)(x).sum()
    x += 1
    with pytest.raises(MutationError, match="changed in place"):
        y.backward()


def test_backward_twice_with_retain_graph(torch):
    x = tg.tensor([3.0], requires_grad=True)
    y = from_torch(lambda x: x * x)(x)
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 12
    u = torch.tensor([3.0], requires_grad=True)
    v = torch_function(lambda x: x * x)(u)
    v.backward(retain_graph=True)
    v.backward()
    assert u.grad.item() == 12


def test_layouts_that_pytorch_lacks(torch):
    function = from_torch(lambda x: 2 * x)
    for x in (tg.arange(4.0)[::-1], tg.asarray(np.broadcast_to(1.0, (2, 2)))):
        np.testing.assert_array_equal(function(x), 2 * x.numpy())
