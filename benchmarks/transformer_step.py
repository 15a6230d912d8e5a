"""One training step of a small character transformer: 4 layers, 128 wide, 64 characters, 32 rows."""

import numpy as np

import tinygrad_relu as tg
from tinygrad_relu.nn import functional

LAYERS, WIDTH, HEADS, CONTEXT, ROWS, CHARACTERS = 4, 128, 4, 64, 32, 65


def initial(rng):
    """Return the parameters as float32 arrays, by name."""
    def weight(*shape):
        return (rng.standard_normal(shape) * 0.02).astype(np.float32)

    def ones():
        return np.ones(WIDTH, np.float32)

    def zeros(width=WIDTH):
        return np.zeros(width, np.float32)

    params = {"characters": weight(CHARACTERS, WIDTH), "places": weight(CONTEXT, WIDTH)}
    for k in range(LAYERS):
        params |= {
            f"{k}.norm1.weight": ones(), f"{k}.norm1.bias": zeros(),
            f"{k}.attention.weight": weight(3 * WIDTH, WIDTH), f"{k}.attention.bias": zeros(3 * WIDTH),
            f"{k}.output.weight": weight(WIDTH, WIDTH), f"{k}.output.bias": zeros(),
            f"{k}.norm2.weight": ones(), f"{k}.norm2.bias": zeros(),
            f"{k}.up.weight": weight(4 * WIDTH, WIDTH), f"{k}.up.bias": zeros(4 * WIDTH),
            f"{k}.down.weight": weight(WIDTH, 4 * WIDTH), f"{k}.down.bias": zeros(),
        }
    return params | {
        "norm.weight": ones(), "norm.bias": zeros(), "head.weight": weight(CHARACTERS, WIDTH)
    }


def framework_step(library, f, params, characters, following, activation):
    """Return the step for any framework with PyTorch's words."""
    optimizer = library.optim.AdamW(list(params.values()), lr=1e-3)
    places = library.arange(CONTEXT)

    def norm(x, name):
        return f.layer_norm(x, (WIDTH,), params[f"{name}.weight"], params[f"{name}.bias"])

    def linear(x, name):
        return f.linear(x, params[f"{name}.weight"], params[f"{name}.bias"])

    def heads(x):
        return x.view(ROWS, CONTEXT, HEADS, WIDTH // HEADS).transpose(1, 2)

    def step():
        x = f.embedding(characters, params["characters"]) + f.embedding(places, params["places"])
        for k in range(LAYERS):
            query, key, value = linear(norm(x, f"{k}.norm1"), f"{k}.attention").split(WIDTH, dim=2)
            mixed = f.scaled_dot_product_attention(
                heads(query), heads(key), heads(value), is_causal=True
            )
            x = x + linear(mixed.transpose(1, 2).reshape(ROWS, CONTEXT, WIDTH), f"{k}.output")
            x = x + linear(activation(linear(norm(x, f"{k}.norm2"), f"{k}.up")), f"{k}.down")
        scores = f.linear(norm(x, "norm"), params["head.weight"])
        loss = f.cross_entropy(scores.view(-1, CHARACTERS), following.view(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def contenders(peers):
    """Return the contenders for each activation, after a check that all of them take the same steps."""
    rng = np.random.default_rng(0)
    text = rng.integers(0, CHARACTERS, (ROWS, CONTEXT + 1))
    start = initial(rng)
    libraries = {"ours": (tg, functional)}
    if "torch" in peers:
        libraries["PyTorch"] = peers["torch"], peers["torch"].nn.functional
    work = {}
    for activation in ("relu", "gelu"):
        steps = {}
        for name, (library, f) in libraries.items():
            steps[name] = framework_step(
                library, f, {k: library.tensor(v, requires_grad=True) for k, v in start.items()},
                library.tensor(text[:, :-1]), library.tensor(text[:, 1:]), getattr(f, activation),
            )
        for _ in range(3):
            losses = [step() for step in steps.values()]
            np.testing.assert_allclose(losses, losses[0], rtol=1e-4)
        work[f"character transformer, {activation}"] = steps
    return work
