"""Optimizers against their published formulas, written out in NumPy."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, DTypeError, GraphError

STEPS = 200


def start_and_gradients(dtype):
    """Return where parameters begin, and what their gradients are at each step, whatever they are.

    With gradients that depend on the parameters, Adam and RMSprop with a short memory jump to and fro
    around a minimum, and make much of each rounding.
    """
    rng = np.random.default_rng(7)
    shapes = (3, 4), (5,)
    start = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    gradients = [
        [(rng.standard_normal(shape) * 10.0 ** rng.uniform(-2, 1)).astype(dtype) for shape in shapes]
        for _ in range(STEPS)
    ]
    return start, gradients


def trajectory(make, dtype):
    """Take the steps, and return where the parameters went."""
    start, gradients = start_and_gradients(dtype)
    params = [tg.tensor(p, requires_grad=True) for p in start]
    optimizer = make(params)
    seen = []
    for now in gradients:
        for p, g in zip(params, now):
            p.grad = tg.tensor(g)
        assert optimizer.step() is None
        seen.append([p.detach().numpy().copy() for p in params])
    return seen


def by_formula(update, dtype):
    """Do the same with `update(p, g, memory, step)` in NumPy."""
    params, gradients = start_and_gradients(dtype)
    memories = [{}, {}]
    seen = []
    for step, now in enumerate(gradients, 1):
        params = [update(p, g, m, step).astype(dtype) for p, g, m in zip(params, now, memories)]
        seen.append(params)
    return seen


# The formulas are those of PyTorch's documentation of each optimizer, and of the papers that it names.


def sgd_formula(lr, momentum=0.0, decay=0.0, nesterov=False, dampening=0.0, sign=1):
    def update(p, g, memory, step):
        g = sign * g + decay * p
        if momentum:
            memory["v"] = g if step == 1 else momentum * memory["v"] + (1 - dampening) * g
            g = g + momentum * memory["v"] if nesterov else memory["v"]
        return p - lr * g

    return update


def adam_formula(lr, b1=0.9, b2=0.999, eps=1e-8, decay=0.0, amsgrad=False, sign=1):
    def update(p, g, memory, step):
        g = sign * g + decay * p
        memory["m"] = b1 * memory.get("m", 0.0) + (1 - b1) * g
        memory["v"] = b2 * memory.get("v", 0.0) + (1 - b2) * g * g
        memory["largest"] = np.maximum(memory.get("largest", 0.0), memory["v"])
        m = memory["m"] / (1 - b1**step)
        v = memory["largest" if amsgrad else "v"] / (1 - b2**step)
        return p - lr * m / (np.sqrt(v) + eps)

    return update


def adamw_formula(lr, decay):
    step_without_decay = adam_formula(lr)

    def update(p, g, memory, step):
        return step_without_decay(p * (1 - lr * decay), g, memory, step)

    return update


def rmsprop_formula(lr, alpha=0.99, eps=1e-8, decay=0.0, momentum=0.0, centered=False, sign=1):
    def update(p, g, memory, step):
        g = sign * g + decay * p
        memory["v"] = alpha * memory.get("v", 0.0) + (1 - alpha) * g * g
        memory["m"] = alpha * memory.get("m", 0.0) + (1 - alpha) * g
        spread = memory["v"] - memory["m"] ** 2 if centered else memory["v"]
        memory["b"] = momentum * memory.get("b", 0.0) + g / (np.sqrt(spread) + eps)
        return p - lr * memory["b"]

    return update


def adagrad_formula(lr, lr_decay=0.0, decay=0.0, begin=0.0, eps=1e-10, sign=1):
    def update(p, g, memory, step):
        g = sign * g + decay * p
        memory["sum"] = memory.get("sum", begin) + g * g
        return p - lr / (1 + (step - 1) * lr_decay) * g / (np.sqrt(memory["sum"]) + eps)

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


F = tg.optim
CASES = {
    "adamw": (lambda p: F.AdamW(p, lr=0.1), adamw_formula(0.1, 0.01)),
    "adamw with decay": (lambda p: F.AdamW(p, lr=0.01, weight_decay=0.5), adamw_formula(0.01, 0.5)),
    "adam that decays as adamw": (
        lambda p: F.Adam(p, lr=0.01, weight_decay=0.5, decoupled_weight_decay=True),
        adamw_formula(0.01, 0.5),
    ),
    "sgd": (lambda p: F.SGD(p, lr=0.01), sgd_formula(0.01)),
    "sgd, decay": (lambda p: F.SGD(p, lr=0.01, weight_decay=0.1), sgd_formula(0.01, decay=0.1)),
    "sgd, uphill": (lambda p: F.SGD(p, lr=1e-4, maximize=True), sgd_formula(1e-4, sign=-1)),
    "sgd, uphill, decay": (
        lambda p: F.SGD(p, lr=1e-4, maximize=True, weight_decay=0.1),
        sgd_formula(1e-4, decay=0.1, sign=-1),
    ),
    "sgd, momentum": (
        lambda p: F.SGD(p, lr=0.01, momentum=0.9, weight_decay=0.1), sgd_formula(0.01, 0.9, 0.1),
    ),
    "sgd, dampening": (
        lambda p: F.SGD(p, lr=0.01, momentum=0.9, dampening=0.3), sgd_formula(0.01, 0.9, dampening=0.3),
    ),
    "sgd, nesterov": (
        lambda p: F.SGD(p, lr=0.01, momentum=0.9, nesterov=True), sgd_formula(0.01, 0.9, nesterov=True),
    ),
    "adam": (lambda p: F.Adam(p, lr=0.1), adam_formula(0.1)),
    "adam, all settings": (
        lambda p: F.Adam(p, lr=0.1, betas=(0.8, 0.9), eps=1e-4, weight_decay=0.1),
        adam_formula(0.1, 0.8, 0.9, 1e-4, 0.1),
    ),
    "adam, uphill": (lambda p: F.Adam(p, lr=0.01, maximize=True), adam_formula(0.01, sign=-1)),
    "amsgrad": (
        lambda p: F.Adam(p, lr=0.1, betas=(0.5, 0.7), amsgrad=True),
        adam_formula(0.1, 0.5, 0.7, amsgrad=True),
    ),
    "rmsprop": (lambda p: F.RMSprop(p, lr=0.01), rmsprop_formula(0.01)),
    "rmsprop, settings": (
        lambda p: F.RMSprop(p, lr=0.02, alpha=0.9, eps=1e-3, weight_decay=0.1),
        rmsprop_formula(0.02, 0.9, 1e-3, 0.1),
    ),
    "rmsprop, momentum": (
        lambda p: F.RMSprop(p, lr=0.01, momentum=0.8), rmsprop_formula(0.01, momentum=0.8)
    ),
    "rmsprop, centered": (
        lambda p: F.RMSprop(p, lr=0.01, eps=0.1, centered=True),
        rmsprop_formula(0.01, eps=0.1, centered=True),
    ),
    "rmsprop, centered with momentum, uphill": (
        lambda p: F.RMSprop(p, lr=1e-3, eps=0.1, centered=True, momentum=0.5, maximize=True),
        rmsprop_formula(1e-3, eps=0.1, centered=True, momentum=0.5, sign=-1),
    ),
    "adagrad": (lambda p: F.Adagrad(p, lr=0.1), adagrad_formula(0.1)),
    "adagrad, all settings": (
        lambda p: F.Adagrad(p, lr=0.1, lr_decay=0.1, weight_decay=0.2, initial_accumulator_value=0.5,
                            eps=0.01),
        adagrad_formula(0.1, 0.1, 0.2, 0.5, 0.01),
    ),
    "adagrad, uphill": (lambda p: F.Adagrad(p, lr=0.01, maximize=True), adagrad_formula(0.01, sign=-1)),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 1e-4)])
def test_trajectories_are_those_of_the_formula(name, dtype, rtol):
    make, update = CASES[name]
    for ours, theirs in zip(trajectory(make, dtype), by_formula(update, dtype)):
        for p, q in zip(ours, theirs):
            assert p.dtype == dtype
            np.testing.assert_allclose(p, q, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("kind", [F.SGD, F.Adam, F.RMSprop, F.Adagrad])
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
        lambda: F.SGD([w], nesterov=True), lambda: F.SGD([w], nesterov=1, momentum=0.9),
        lambda: F.SGD([w], momentum=0.9, dampening=0.1, nesterov=True), lambda: F.Adam([w], betas=0.9),
        lambda: F.RMSprop([w], alpha=-1), lambda: F.RMSprop([w], centered=None),
        lambda: F.Adagrad([w], lr_decay=-1), lambda: F.Adagrad([w], lr=True),
        lambda: F.SGD([w], lr=tg.tensor(0.1)), lambda: F.SGD([w], momentun=0.9),
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
    for kind in (F.SGD, F.Adam, F.RMSprop, F.Adagrad):
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
