"""Weights that a function of another library closes over learn like its arguments."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.interop import from_torch, torch_function


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed")


def net(torch):
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1)).double()


def gradients_by_torch(module, loss):
    for p in module.parameters():
        p.grad = None
    loss.backward()
    found = [p.grad.clone() for p in module.parameters()]
    for p in module.parameters():
        p.grad = None
    return found


def test_parameters_of_their_module_learn_from_data_without_gradient(torch, rng):
    module, x = net(torch), rng.normal(size=(4, 2))
    wanted = gradients_by_torch(module, (module(torch.tensor(x)) ** 3).sum())
    module[0].bias.requires_grad_(False)
    call = from_torch(module)
    (call(tg.tensor(x)) ** 3).sum().backward()
    assert module[0].bias.grad is None
    for k, p in enumerate(module.parameters()):
        if k != 1:
            np.testing.assert_allclose(p.grad, wanted[k], rtol=1e-12)
    (call(tg.tensor(x)) ** 3).sum().backward()
    np.testing.assert_allclose(module[2].weight.grad, 2 * wanted[2], rtol=1e-12)


def test_an_optimizer_of_theirs_trains_their_module_under_our_loss(torch, rng):
    module, x = net(torch), rng.normal(size=(30, 2))
    optimizer = torch.optim.Adam(module.parameters(), lr=0.05)
    call, losses = from_torch(module), []
    for _ in range(60):
        loss = tg.mse_loss(call(tg.tensor(x)), tg.tensor(np.sin(x[:, :1])))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


def test_closures_and_what_a_weight_was_computed_from(torch):
    w = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    half = w * w / 2
    x = tg.tensor([3.0], requires_grad=True)
    y = from_torch(lambda x: x * half + w)(x)
    y.backward(retain_graph=True)
    assert x.grad.tolist() == [2] and w.grad.tolist() == [3 * 2 + 1]
    y.backward()
    assert x.grad.tolist() == [4] and w.grad.tolist() == [14]


def test_a_weight_that_is_used_twice_or_is_the_result(torch):
    w = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    square = from_torch(lambda x: x * w * w)
    (square(tg.tensor([1.0])) + square(tg.tensor([5.0])) + from_torch(lambda: w)()).backward()
    assert w.grad.tolist() == [2 * 2 * (1 + 5) + 1]


def test_only_backward_fills_grad(torch):
    w = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    x = tg.tensor([3.0], requires_grad=True)
    call = from_torch(lambda x: x * w)
    assert tg.autograd.grad(call(x), x)[0].tolist() == [2]
    tg.autograd.backward(call(x), inputs=[x])
    assert w.grad is None
    with tg.no_grad():
        assert not call(x).requires_grad
    with torch.no_grad():
        assert not call(tg.tensor([3.0])).requires_grad


def test_a_penalty_on_the_gradient_reaches_the_weights(torch, rng):
    module, data = net(torch), rng.normal(size=(4, 2))
    x = torch.tensor(data, requires_grad=True)
    (slope,) = torch.autograd.grad(module(x).sum(), x, create_graph=True)
    wanted = gradients_by_torch(module, (slope**2).sum() + module[2].bias.sum())
    x = tg.tensor(data, requires_grad=True)
    (slope,) = tg.autograd.grad(from_torch(module)(x).sum(), x, create_graph=True)
    ((slope**2).sum() + from_torch(lambda: module[2].bias)().sum()).backward()
    for p, gradient in zip(module.parameters(), wanted):
        np.testing.assert_allclose(p.grad, gradient, rtol=1e-10, atol=1e-14)


def test_weights_of_ours_learn_within_a_loss_of_theirs(torch, rng):
    model = tg.nn.Sequential(tg.nn.Linear(2, 3), tg.nn.Tanh(), tg.nn.Linear(3, 1))
    data = rng.normal(size=(4, 2))
    (model(tg.tensor(data)) ** 3).sum().backward()
    wanted = [p.grad.numpy().copy() for p in model.parameters()]
    model.zero_grad()
    call = torch_function(model)
    for times in (1, 2):
        loss = (call(torch.tensor(data)) ** 3).sum()
        loss.backward(retain_graph=True)
        for p, gradient in zip(model.parameters(), wanted):
            np.testing.assert_allclose(p.grad.numpy(), times * gradient, rtol=1e-12)
    loss.backward()
    np.testing.assert_allclose(model[2].bias.grad.numpy(), 3 * wanted[3], rtol=1e-12)
    with torch.no_grad():
        assert not call(torch.tensor(data)).requires_grad
    with tg.no_grad():
        assert not call(torch.tensor(data)).requires_grad


def test_a_penalty_on_the_gradient_reaches_weights_of_ours(torch, rng):
    model = tg.nn.Sequential(tg.nn.Linear(2, 3), tg.nn.Tanh(), tg.nn.Linear(3, 1))
    data = rng.normal(size=(4, 2))
    x = tg.tensor(data, requires_grad=True)
    (slope,) = tg.autograd.grad(model(x).sum(), x, create_graph=True)
    (slope**2).sum().backward()
    wanted = [None if p.grad is None else p.grad.numpy().copy() for p in model.parameters()]
    model.zero_grad()
    x = torch.tensor(data, requires_grad=True)
    (slope,) = torch.autograd.grad(torch_function(model)(x).sum(), x, create_graph=True)
    (slope**2).sum().backward()
    for p, gradient in zip(model.parameters(), wanted):
        found = np.zeros(p.shape) if p.grad is None else p.grad.numpy()
        np.testing.assert_allclose(found, 0 if gradient is None else gradient, rtol=1e-10, atol=1e-14)
