"""Optimizers against their published formulas, written out in NumPy."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, DTypeError, GraphError


def trajectory(make, dtype, steps=50):
    """Minimise a fixed function and return where the parameters went."""
    rng = np.random.default_rng(7)
    params = [
        tg.tensor(rng.standard_normal(shape).astype(dtype), requires_grad=True)
        for shape in ((3, 4), (5,))
    ]
    optimizer = make(params)
    seen = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = ((params[0] - 1) ** 4).sum() + (params[1].sin() * 2).sum()
        loss.backward()
        optimizer.step()
        seen.append([p.detach().numpy().copy() for p in params])
    return seen


def by_formula(update, dtype, steps=50):
    """Do the same with hand-written gradients, and `update(p, g, memory, step)` in NumPy."""
    rng = np.random.default_rng(7)
    params = [rng.standard_normal(shape).astype(dtype) for shape in ((3, 4), (5,))]
    memories = [{}, {}]
    seen = []
    for step in range(1, steps + 1):
        gradients = [4 * (params[0] - 1) ** 3, 2 * np.cos(params[1])]
        params = [update(p, g, m, step).astype(dtype) for p, g, m in zip(params, gradients, memories)]
        seen.append(params)
    return seen


def sgd_formula(lr, momentum=0.0, decay=0.0, nesterov=False):
    def update(p, g, memory, step):
        g = g + decay * p
        if momentum:
            memory["v"] = momentum * memory.get("v", 0.0) + g
            g = g + momentum * memory["v"] if nesterov else memory["v"]
        return p - lr * g

    return update


def adam_formula(lr, b1=0.9, b2=0.999, eps=1e-8, decay=0.0):
    def update(p, g, memory, step):
        g = g + decay * p
        memory["m"] = b1 * memory.get("m", 0.0) + (1 - b1) * g
        memory["v"] = b2 * memory.get("v", 0.0) + (1 - b2) * g * g
        m, v = memory["m"] / (1 - b1**step), memory["v"] / (1 - b2**step)
        return p - lr * m / (np.sqrt(v) + eps)

    return update


def adamw_formula(lr, decay):
    step_without_decay = adam_formula(lr)

    def update(p, g, memory, step):
        return step_without_decay(p * (1 - lr * decay), g, memory, step)

    return update


def test_gradients_are_forgotten_or_set_to_zero():
    p = tg.tensor([1.0, 2.0], requires_grad=True)
    optimizer = tg.optim.SGD([p], lr=0.1)
    optimizer.zero_grad(set_to_none=False)
    assert p.grad is None
    p.sum().backward()
    kept = p.grad
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0, 0] and kept.tolist() == [1, 1]
    optimizer.zero_grad()
    assert p.grad is None


CASES = {
    "adamw": (lambda p: tg.optim.AdamW(p, lr=0.1), adamw_formula(0.1, 0.01)),
    "adamw with decay": (
        lambda p: tg.optim.AdamW(p, lr=0.01, weight_decay=0.5), adamw_formula(0.01, 0.5)
    ),
    "sgd": (lambda p: tg.optim.SGD(p, lr=0.01), sgd_formula(0.01)),
    "decay": (lambda p: tg.optim.SGD(p, lr=0.01, weight_decay=0.1), sgd_formula(0.01, decay=0.1)),
    "momentum": (
        lambda p: tg.optim.SGD(p, lr=0.01, momentum=0.9, weight_decay=0.1), sgd_formula(0.01, 0.9, 0.1),
    ),
    "nesterov": (
        lambda p: tg.optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True),
        sgd_formula(0.01, 0.9, nesterov=True),
    ),
    "adam": (lambda p: tg.optim.Adam(p, lr=0.1), adam_formula(0.1)),
    "adam with decay": (
        lambda p: tg.optim.Adam(p, lr=0.1, betas=(0.8, 0.9), eps=1e-4, weight_decay=0.1),
        adam_formula(0.1, 0.8, 0.9, 1e-4, 0.1),
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 2e-4)])
def test_trajectories_are_those_of_the_formula(name, dtype, rtol):
    make, update = CASES[name]
    for ours, theirs in zip(trajectory(make, dtype), by_formula(update, dtype)):
        for p, q in zip(ours, theirs):
            assert p.dtype == dtype
            np.testing.assert_allclose(p, q, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("kind", [tg.optim.SGD, tg.optim.Adam])
def test_parameters_without_a_gradient_stay(kind):
    a, b = (tg.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    optimizer = kind([a, b], lr=0.1)
    (a * a).sum().backward()
    optimizer.step()
    assert a.tolist() != [1, 2] and b.tolist() == [1, 2]
    optimizer.zero_grad()
    assert a.grad is None


def test_gradients_of_another_layout_are_taken():
    w = tg.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    w.grad = tg.tensor(np.ones((3, 2))).T
    tg.optim.SGD([w], lr=1.0).step()
    assert w.tolist() == (np.arange(6.0).reshape(2, 3) - 1).tolist()


def test_bad_input():
    w = tg.tensor([1.0], requires_grad=True)
    for params, words in [(w, r"\[w\]"), ([], "empty"), ([w, w], "twice"), ([np.ones(2)], "ndarray")]:
        with pytest.raises(ArgumentError, match=words):
            tg.optim.SGD(params)
    for params in ([w * 2], [tg.tensor([1.0])]):
        with pytest.raises(GraphError, match=r"params\[0\]"):
            tg.optim.Adam(params)
    with pytest.raises(DTypeError, match="float16"):
        tg.optim.SGD([tg.tensor(np.ones(2, np.float16), requires_grad=True)])
    for make in (
        lambda: tg.optim.SGD([w], lr=-1), lambda: tg.optim.SGD([w], momentum=-0.1),
        lambda: tg.optim.Adam([w], betas=(1.0, 0.9)), lambda: tg.optim.SGD([w], lr=float("nan")),
        lambda: tg.optim.SGD([w], nesterov=True),
    ):
        with pytest.raises(ArgumentError):
            make()
    strided = tg.asarray(np.arange(6.0)[::2], requires_grad=True)
    strided.sum().backward()
    with pytest.raises(ArgumentError, match=r"params\[0\] cannot be updated in place"):
        tg.optim.SGD([strided])
    with pytest.raises(ArgumentError, match="Linear"):
        tg.optim.SGD(tg.nn.Linear(1, 1))
    with pytest.raises(ArgumentError, match="NoneType"):
        tg.optim.SGD(None)


def test_a_step_that_cannot_be_taken_changes_no_parameter():
    a, b = (tg.tensor([1.0, 2.0, 3.0], requires_grad=True) for _ in range(2))
    for kind in (tg.optim.SGD, tg.optim.Adam):
        optimizer = kind([a, b], lr=0.1)
        (a + b).sum().backward()
        b.detach().numpy().setflags(write=False)
        with pytest.raises(DTypeError, match=r"parameter 1 .* as tensor\(\) makes them"):
            optimizer.step()
        assert a.tolist() == [1, 2, 3]
        b.detach().numpy().setflags(write=True)
        optimizer.zero_grad()


def test_adam_counts_the_steps_of_each_parameter():
    a, b = (tg.tensor([1.0], requires_grad=True) for _ in range(2))
    optimizer = tg.optim.Adam([a, b], lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        a.sum().backward()
        optimizer.step()
    optimizer.zero_grad()
    b.sum().backward()
    optimizer.step()
    assert b.item() == pytest.approx(0.9)      # its first step is as long as the rate


def test_a_small_net_learns_xor():
    rng = np.random.default_rng(0)
    x, y = tg.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]]), tg.tensor([[0.0], [1], [1], [0]])
    model = tg.nn.Sequential(
        tg.nn.Linear(2, 16, generator=rng), tg.nn.ReLU(), tg.nn.Linear(16, 1, generator=rng)
    )
    optimizer = tg.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        loss = tg.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
    assert loss.item() < 1e-3
