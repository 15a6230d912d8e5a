"""Training steps of larger nets, a scalar graph as in micrograd, and the memory of a step."""

import itertools
import json
import subprocess
import sys
import threading

import numpy as np

import tinygrad_relu as tg
from tinygrad_relu.nn import functional

SIZES = {
    "64-128-10, 128 rows": ((64, 128, 10), 128),
    "784-1024-1024-10, 1024 rows": ((784, 1024, 1024, 10), 1024),
}
SCALARS = 200_000
RATE = 0.01


def data(sizes, rows):
    """Return inputs, classes and parameters, float32."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, sizes[0])).astype(np.float32)
    classes = rng.integers(0, sizes[-1], rows)
    params = []
    for before, after in itertools.pairwise(sizes):
        params.append((rng.standard_normal((after, before)) / np.sqrt(before)).astype(np.float32))
        params.append(np.zeros(after, np.float32))
    return x, classes, params


def by_hand(x, classes, start):
    """Return a step as one writes it in NumPy, with cross-entropy."""
    params = [p.copy() for p in start]
    rows = np.arange(len(x))

    def step():
        weights, biases = params[::2], params[1::2]
        before, h = [], x
        for k, (w, b) in enumerate(zip(weights, biases)):
            before.append(h)
            h = h @ w.T
            h += b
            if k + 1 < len(weights):
                np.maximum(h, 0, out=h)
        h -= h.max(1, keepdims=True)
        e = np.exp(h)
        total = e.sum(1, keepdims=True)
        loss = np.mean(np.log(total[:, 0]) - h[rows, classes])
        g = e / total
        g[rows, classes] -= 1
        g /= np.float32(len(x))
        for k in reversed(range(len(weights))):
            dw, db = g.T @ before[k], g.sum(0)
            if k:
                g = g @ weights[k]
                g *= before[k] > 0
            weights[k] -= RATE * dw
            biases[k] -= RATE * db
        return float(loss)

    return step


def framework_step(library, f, x, classes, start, make_optimizer):
    """Return the same step for any framework with PyTorch's words."""
    params = [library.tensor(p, requires_grad=True) for p in start]
    x, classes, optimizer = library.tensor(x), library.tensor(classes), make_optimizer(params)

    def step():
        h = x
        for k in range(0, len(params), 2):
            h = f.linear(h, params[k], params[k + 1])
            if k + 2 < len(params):
                h = f.relu(h)
        loss = f.cross_entropy(h, classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def step_of(name, peers, sizes, rows):
    """Return the step of one contender."""
    x, classes, start = data(sizes, rows)
    if name == "NumPy by hand":
        return by_hand(x, classes, start)
    library, f = (tg, functional) if name == "ours" else (peers["torch"], peers["torch"].nn.functional)
    return framework_step(
        library, f, x, classes, start, lambda params: library.optim.SGD(params, lr=RATE)
    )


def products_alone(x, start):
    """Return the matrix products of a step alone, into memory that is there: the least that it takes."""
    weights = start[::2]
    values = [x, *(np.ones((len(x), len(w)), np.float32) for w in weights)]
    forward = [np.empty((len(x), len(w)), np.float32) for w in weights]
    backward = [(np.empty_like(w), np.empty_like(before)) for w, before in zip(weights, values)]

    def products():
        for w, before, out in zip(weights, values, forward):
            np.matmul(before, w.T, out=out)
        for k in reversed(range(len(weights))):
            np.matmul(values[k + 1].T, values[k], out=backward[k][0])
            if k:
                np.matmul(values[k + 1], weights[k], out=backward[k][1])

    return products


def contenders(peers):
    """Return the contenders at each net, after a check that all of them take the same steps."""
    names = ["ours", "NumPy by hand", *(["PyTorch"] if "torch" in peers else [])]
    work = {}
    for title, (sizes, rows) in SIZES.items():
        steps = {name: step_of(name, peers, sizes, rows) for name in names}
        for _ in range(3):
            losses = [step() for step in steps.values()]
            np.testing.assert_allclose(losses, losses[0], rtol=1e-4)
        x, _, start = data(sizes, rows)
        work[title] = steps | {"its products alone": products_alone(x, start)}
    return work


def scalar_graph(value):
    """Return a function that builds a graph of `SCALARS` ops on scalars, and walks back through it."""

    def run():
        x = value(0.5)
        y = x
        for _ in range(SCALARS // 4):
            y = (y * x + x) * 0.5 + 0.25
        y.backward()
        return x

    return run


def on_large_stack(run):
    """Return `run` in a thread with a stack that micrograd's recursive sort does not overflow."""

    def threaded():
        before = sys.getrecursionlimit(), threading.stack_size(1 << 29)
        sys.setrecursionlimit(10 * SCALARS)
        try:
            thread = threading.Thread(target=run)
            thread.start()
            thread.join()
        finally:
            sys.setrecursionlimit(before[0])
            threading.stack_size(before[1])

    return threaded


def scalar_contenders(peers):
    """Return the contenders at a graph of scalars."""
    work = {"ours": scalar_graph(lambda v: tg.tensor(v, requires_grad=True))}
    if "torch" in peers:
        torch = peers["torch"]
        work["PyTorch"] = scalar_graph(
            lambda v: torch.tensor(v, dtype=torch.float64, requires_grad=True)
        )
    if "micrograd" in peers:
        work["micrograd"] = on_large_stack(scalar_graph(peers["micrograd"].Value))
    return {f"scalar graph, {SCALARS:,} nodes": work}


# The most that a process has held is reset by Linux, where 5 is written to its clear_refs.
PEAK_PROGRAM = """
import sys
import threading
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import nets
peers = {}
if sys.argv[2] == "PyTorch":
    import torch
    torch.set_num_threads(1)
    peers["torch"] = torch
sizes, rows = nets.SIZES["784-1024-1024-10, 1024 rows"]
small = nets.step_of(sys.argv[2], peers, (8, 8, 10), 16)
small()
Path("/proc/self/clear_refs").write_text("5")

def most():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

before = most()
step = nets.step_of(sys.argv[2], peers, sizes, rows)
for _ in range(10):
    step()
print(most() - before)
"""


def peak_memory(folder, names):
    """Return how many bytes each contender's memory grows by in steps of the largest net."""
    found = {}
    for name in names:
        done = subprocess.run(
            [sys.executable, "-c", PEAK_PROGRAM, str(folder), name], capture_output=True, text=True,
        )
        if done.returncode == 0:
            found[name] = json.loads(done.stdout) * 1024
    return found
