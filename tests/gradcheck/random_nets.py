"""Correct random nets in plain NumPy, with kinks planted exactly where they are evaluated.

``python tests/gradcheck/random_nets.py 1000`` checks that many and counts false alarms.
"""

import sys
import time

import numpy as np

# ---------------------------------------------------------------- layers: forward and its derivative


def affine(x, w, b):
    """Return x @ w + b, and what leads back."""
    return x @ w + b, lambda g: (g @ w.T, x.T @ g, g.sum(axis=0))


def bent(function, slope):
    def layer(x):
        return function(x), lambda g: (g * slope(x),)

    return layer


ACTIVATIONS = {
    "relu": bent(lambda x: np.maximum(x, 0), lambda x: (x > 0).astype(x.dtype)),
    "relu from the other side": bent(lambda x: np.maximum(x, 0), lambda x: (x >= 0).astype(x.dtype)),
    "leaky": bent(
        lambda x: np.where(x > 0, x, x * x.dtype.type(0.1)),
        lambda x: np.where(x > 0, 1, 0.1).astype(x.dtype),
    ),
    "abs": bent(np.abs, np.sign),
    "tanh": bent(np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "both relus": bent(
        lambda x: np.maximum(x, 0) - np.maximum(-x, 0),
        lambda x: (x > 0).astype(x.dtype) + (x < 0).astype(x.dtype),
    ),
    "clip": bent(lambda x: np.clip(x, -1, 1), lambda x: ((x > -1) & (x < 1)).astype(x.dtype)),
}


def pairs_max(x):
    """Return the larger of neighbours; the first of a tie gets the gradient."""
    width = x.shape[1] // 2 * 2
    pairs = x[:, :width].reshape(len(x), width // 2, 2)
    first = pairs[..., 0] >= pairs[..., 1]

    def back(g):
        out = np.zeros_like(x)
        out[:, :width] = np.stack([g * first, g * ~first], -1).reshape(len(x), width)
        return (out,)

    return np.where(first, pairs[..., 0], pairs[..., 1]), back


def batch_norm(x):
    """Return x normalized over the batch."""
    if len(x) < 2:
        return x, lambda g: (g,)
    centred = x - x.mean(axis=0)
    root = np.sqrt((centred**2).mean(axis=0) + x.dtype.type(1e-3))
    y = centred / root
    return y, lambda g: ((g - g.mean(axis=0) - y * (g * y).mean(axis=0)) / root,)


# ---------------------------------------------------------------------------------------- losses


def squares(x, target):
    d = x - target
    n = max(x.size, 1)
    return (d**2).sum() / n, 2 * d / x.dtype.type(n)


def distances(x, target):
    d = x - target
    return np.abs(d).sum(), np.sign(d)


def hinge(x, target):
    margin = 1 - x * np.sign(target + x.dtype.type(0.1))
    return np.maximum(margin, 0).sum(), -np.sign(target + x.dtype.type(0.1)) * (margin > 0)


def cross_entropy(x, target):
    if not x.size:
        return x.sum(), np.zeros_like(x)
    labels = np.abs(target).argmax(axis=1)
    shifted = x - x.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    rows = np.arange(len(x))
    g = np.exp(log_p)
    g[rows, labels] -= 1
    return -log_p[rows, labels].sum(), g


LOSSES = [squares, distances, hinge, cross_entropy]


class Net:
    """A random net: its parameters, its value and gradients, as a student would write them.

    Attributes
    ----------
    inputs : list of ndarray
        The batch, then weight and bias of each layer.
    array_valued : bool
        Whether it has no loss at its end.
    """

    def __init__(self, seed):
        rng = np.random.default_rng([seed, 77])
        self.dtype = np.float32 if rng.random() < 0.3 else np.float64
        batch = int(rng.integers(0, 2)) * int(rng.integers(1, 4)) if rng.random() < 0.1 else (
            int(rng.integers(1, 7)))
        sizes = rng.integers(1, 7, rng.integers(2, 5)).tolist()
        if rng.random() < 0.05:
            sizes[rng.integers(len(sizes))] = 0
        scale = 10.0 ** rng.uniform(-8, 8) if rng.random() < 0.4 else 1.0
        self.kinds = [rng.choice(list(ACTIVATIONS)) for _ in sizes[1:]]
        self.normalized = [rng.random() < 0.15 for _ in sizes[1:]]
        self.pooled = [n >= 4 and rng.random() < 0.3 for n in sizes[1:]]
        self.array_valued = rng.random() < 0.3
        self.loss = LOSSES[rng.integers(len(LOSSES))]
        x = rng.standard_normal((batch, sizes[0]))
        self.inputs = [x]
        width = sizes[0]
        for number, size in enumerate(sizes[1:]):
            w, b = rng.standard_normal((width, size)), rng.standard_normal(size)
            self.plant(rng, w, b)
            if number == 0:
                w = w / scale
            self.inputs += [w, b]
            width = size // 2 if self.pooled[number] else size
        self.inputs[0] = self.planted_batch(rng, x) * scale
        self.inputs = [v.astype(self.dtype) for v in self.inputs]
        self.target = rng.standard_normal((batch, width)).astype(self.dtype)
        if rng.random() < 0.3 and not self.array_valued:
            self.target = self.hidden(self.inputs)[0].astype(self.dtype)    # every distance is 0

    @staticmethod
    def plant(rng, w, b):
        """Put pre-activations exactly on kinks: zero columns and biases, equal columns, zero rows."""
        if rng.random() < 0.6:
            b[:] = 0
        if w.shape[1] and rng.random() < 0.4:
            dead = rng.integers(w.shape[1])
            w[:, dead], b[dead] = 0, 0
        if w.shape[1] > 1 and rng.random() < 0.3:
            w[:, 1], b[1] = w[:, 0], b[0]
        if w.shape[1] and rng.random() < 0.1:
            b[0] = -1e3         # a unit that is never on

    @staticmethod
    def planted_batch(rng, x):
        if len(x) and rng.random() < 0.5:
            x[rng.integers(len(x))] = 0
        if x.size and rng.random() < 0.2:
            x[:] = np.round(x)
        return x

    def hidden(self, inputs):
        """Return the output before the loss, and what leads back."""
        x, *parameters = inputs
        backs = []
        for number, kind in enumerate(self.kinds):
            x, back = affine(x, *parameters[2 * number: 2 * number + 2])
            backs.append(back)
            steps = [batch_norm] * self.normalized[number] + [ACTIVATIONS[kind]]
            for step in steps + [pairs_max] * self.pooled[number]:
                x, back = step(x)
                backs.append(back)
        return x, backs

    def forward(self, *inputs):
        """Return the loss, or the output."""
        y, _ = self.hidden(inputs)
        return y if self.array_valued else self.loss(y, self.target)[0]

    def backward(self, *arguments):
        """Return the gradient of each input, as a tuple."""
        if self.array_valued:
            g, *inputs = arguments
            _, backs = self.hidden(inputs)
        else:
            inputs = arguments
            y, backs = self.hidden(inputs)
            g = self.loss(y, self.target)[1]
        found = []
        for back in reversed(backs):
            g, *own = back(g)
            found = own + found
        return (g, *found)


def main(count, first=0):
    """Check so many nets, print those that raise an alarm, and return their number.

    A net of which rounding hides everything is no alarm, but is counted, too.
    """
    import tinygrad_relu as tg

    alarms, hidden, verdicts, start = 0, 0, {}, time.perf_counter()
    for seed in range(first, first + count):
        net = Net(seed)
        report = tg.check_gradients(
            net.forward, net.inputs, backward=net.backward, fast=True if seed % 7 == 0 else None
        )
        for entry in report.inputs:
            verdicts[str(entry.verdict)] = verdicts.get(str(entry.verdict), 0) + 1
        hidden += all(entry.ok for entry in report.inputs) and not report.ok
        if not all(entry.ok for entry in report.inputs):
            alarms += 1
            print(f"net {seed} {net.dtype.__name__} {net.kinds} {net.loss.__name__}\n{report}\n")
    took = time.perf_counter() - start
    print(f"{alarms} false alarms in {count} nets, {hidden} all hidden by rounding, {took:.0f} s")
    print(f"inputs: {verdicts}")
    return alarms


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, *map(int, sys.argv[2:])) > 0)
