"""One training step (forward, backward, SGD) of a 2-16-16-1 ReLU net on 64 rows, float64."""

import numpy as np

import tinygrad_relu as tg
from tinygrad_relu.nn import functional

RATE = 0.01
SHAPES = [(16, 2), (16,), (16, 16), (16,), (1, 16), (1,)]


def by_hand(x, y, start):
    """Return the step as one writes it in NumPy, with the usual care: no needless temporaries."""
    params = [p.copy() for p in start]

    def step():
        w1, b1, w2, b2, w3, b3 = params
        z1 = x @ w1.T + b1
        h1 = np.maximum(z1, 0)
        z2 = h1 @ w2.T + b2
        h2 = np.maximum(z2, 0)
        difference = h2 @ w3.T + b3 - y
        loss = np.mean(difference * difference)
        dout = difference * (2 / difference.size)
        dz2 = (dout @ w3) * (z2 > 0)
        dz1 = (dz2 @ w2) * (z1 > 0)
        gradients = (
            dz1.T @ x, dz1.sum(0), dz2.T @ h1, dz2.sum(0), dout.T @ h2, dout.sum(0),
        )
        for p, g in zip(params, gradients):
            p -= RATE * g
        return float(loss)

    return step


def by_ours(x, y, start, optimizer="SGD"):
    """Return the step in this package."""
    params = [tg.tensor(p, requires_grad=True) for p in start]
    optimizer = getattr(tg.optim, optimizer)(params, lr=RATE)
    return framework_step(
        tg.asarray(x), tg.asarray(y), params, optimizer,
        functional.linear, functional.relu, functional.mse_loss,
    )


def by_torch(torch, x, y, start, optimizer="SGD"):
    """Return the step in PyTorch."""
    params = [torch.tensor(p, requires_grad=True) for p in start]
    optimizer = getattr(torch.optim, optimizer)(params, lr=RATE)
    f = torch.nn.functional
    return framework_step(
        torch.from_numpy(x), torch.from_numpy(y), params, optimizer, f.linear, f.relu, f.mse_loss
    )


def by_jax(jax, x, y, start):
    """Return the step in JAX, compiled."""
    jnp = jax.numpy

    def loss_of(params):
        w1, b1, w2, b2, w3, b3 = params
        h = jnp.maximum(x @ w1.T + b1, 0)
        h = jnp.maximum(h @ w2.T + b2, 0)
        return jnp.mean((h @ w3.T + b3 - y) ** 2)

    @jax.jit
    def stepped(params):
        loss, gradients = jax.value_and_grad(loss_of)(params)
        return loss, [p - RATE * g for p, g in zip(params, gradients)]

    params = [jnp.asarray(p) for p in start]

    def step():
        nonlocal params
        loss, params = stepped(params)
        return float(loss)

    return step


def framework_step(x, y, params, optimizer, linear, relu, mse_loss):
    """Return the same step for any framework with PyTorch's words."""
    w1, b1, w2, b2, w3, b3 = params

    def step():
        h = relu(linear(x, w1, b1))
        h = relu(linear(h, w2, b2))
        loss = mse_loss(linear(h, w3, b3), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def contenders(peers):
    """Return the contenders, after a check that all of them take the same steps."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((64, 2)), rng.standard_normal((64, 1))
    start = [rng.standard_normal(shape) * 0.3 for shape in SHAPES]
    plain = {"ours": by_ours(x, y, start), "NumPy by hand": by_hand(x, y, start)}
    adam = {"ours": by_ours(x, y, start, "Adam")}
    if "torch" in peers:
        plain["PyTorch"] = by_torch(peers["torch"], x, y, start)
        adam["PyTorch"] = by_torch(peers["torch"], x, y, start, "Adam")
    if "jax" in peers:
        plain["JAX, jit"] = by_jax(peers["jax"], x, y, start)
    for steps in (plain, adam):
        for _ in range(5):
            losses = [step() for step in steps.values()]
            np.testing.assert_allclose(losses, losses[0], rtol=1e-12)
    return {"training step, 2-16-16-1": plain, "the same with Adam": adam}
