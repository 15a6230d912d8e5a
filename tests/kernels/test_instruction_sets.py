"""All builds of the loops give the same bits, and the one that is wanted is the one that runs."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tinygrad_relu.kernels.loops.instruction_set import INSTRUCTION_SET, of_processor

import tinygrad_relu as tg

SETS = [
    name
    for name in of_processor()
    if importlib.util.find_spec(f"tinygrad_relu.kernels.loops.{name}") is not None
]

# Prints the instruction set, and a digest of what every loop of ours gives.
PROGRAM = """
import hashlib
import numpy as np
import tinygrad_relu as tg
from tinygrad_relu import kernels
from tinygrad_relu.kernels import update

digest = hashlib.sha256()

def take(*results):
    for result in results:
        digest.update(np.ascontiguousarray(result.detach() if isinstance(result, tg.Tensor) else result))

rng = np.random.default_rng(5)
edges = [np.nan, -0.0, 0.0, np.inf, -np.inf, 5e-324, -5e-324, 1e-40, -1e-40, 1e300, 0.5, 0.1]
np.seterr(all="ignore")
for dtype in (np.float32, np.float64):
    for size in (*range(68), 511, 512, 513, 1023, 1024, 1025, 2100, 800_001, 1_600_003, 5_000_011):
        base = rng.standard_normal(size + 9).astype(dtype)
        base[::5] = rng.choice(np.array(edges, dtype), base[::5].size)
        for offset in (0, 1, 3, 7) if size < 3000 else (1,):
            x, d = base[offset : offset + size], base[::-1][9 - offset : 9 - offset + size]
            take(kernels.relu(x), kernels.relu(d), kernels.relu_backward(d, x))
            take(kernels.thresholded_relu(x, 0.1, 0.3, 2.0), kernels.thresholded_relu(x, 0.5, 0.0, 2.0))
            take(kernels.thresholded_relu(d, x, x, d), kernels.relu(x.copy(), out=x.copy()))
            take(kernels.relu_with_mask(x)[0], kernels.relu_with_mask(x)[1])
            take(kernels.apply_mask(d, kernels.relu_with_mask(x)[1]))
        finite = rng.standard_normal(size).astype(dtype)
        take(tg.sigmoid(tg.asarray(finite)), tg.mse_loss(tg.asarray(finite), finite[::-1]))
    for rows, width in ((1, 1), (3, 7), (64, 16), (33, 1025), (5, 5000), (3000, 200)):
        x = tg.tensor(rng.standard_normal((rows, width)).astype(dtype), requires_grad=True)
        w = tg.tensor(rng.standard_normal((5, width)).astype(dtype), requires_grad=True)
        b = tg.tensor(rng.standard_normal(5).astype(dtype), requires_grad=True)
        target = rng.integers(0, width, rows)
        take(tg.softmax(x, -1), tg.log_softmax(x, -1), tg.nn.functional.linear_relu(x, w, b))
        loss = tg.cross_entropy(x, target) + tg.linear(x, w, b).sum()
        loss.backward()
        take(loss, x.grad, w.grad, b.grad, x.sum(), x.sum(0))
        y = tg.nn.functional.gelu(tg.layer_norm(x, width)) * tg.softmax(x, -1)
        y.backward(tg.tensor(rng.standard_normal((rows, width)).astype(dtype)))
        take(y, x.grad, x.var(1))
    for make, settings in (
        (tg.optim.SGD, {"momentum": 0.9}), (tg.optim.SGD, {"momentum": 0.9, "dampening": 0.1}),
        (tg.optim.Adam, {}), (tg.optim.AdamW, {}), (tg.optim.Adam, {"amsgrad": True}),
        (tg.optim.RMSprop, {}), (tg.optim.RMSprop, {"momentum": 0.9, "centered": True}),
        (tg.optim.Adagrad, {"lr_decay": 0.1}),
    ):
        p = tg.tensor(rng.standard_normal(1001).astype(dtype), requires_grad=True)
        optimizer = make([p], lr=0.1, weight_decay=0.1, **settings)
        for _ in range(2):
            p.grad = tg.asarray(rng.standard_normal(1001).astype(dtype))
            optimizer.step()
        take(p)
print(tg.show_config(mode="dicts")["instruction set"], digest.hexdigest())
"""


def printed(program, **environment):
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300,
        env={**os.environ, **environment},
    )
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def test_the_best_set_of_the_processor_is_taken():
    if "TINYGRAD_RELU_INSTRUCTION_SET" not in os.environ:
        assert SETS[0] == INSTRUCTION_SET
    assert SETS[-1] == "baseline"


def test_all_sets_and_numbers_of_threads_give_the_same_bits():
    answers = [
        printed(
            PROGRAM, TINYGRAD_RELU_INSTRUCTION_SET=name, TINYGRAD_RELU_NUM_THREADS=str(threads),
            OMP_NUM_THREADS="64", OPENBLAS_NUM_THREADS="1",
        ).split()
        for name, threads in [*((name, 1) for name in SETS), (SETS[0], 2), (SETS[0], 64)]
    ]
    assert [name for name, _ in answers] == [*SETS, SETS[0], SETS[0]]
    assert len({digest for _, digest in answers}) == 1


@pytest.mark.parametrize("name", [name for name in SETS if name != INSTRUCTION_SET])
def test_the_truth_table_holds_on_every_set(name):
    tests = Path(__file__).with_name("test_gate.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", str(tests)],
        capture_output=True, text=True, timeout=300,
        env={**os.environ, "TINYGRAD_RELU_INSTRUCTION_SET": name},
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_a_set_that_is_not_there_is_refused():
    answer = printed("import tinygrad_relu", TINYGRAD_RELU_INSTRUCTION_SET="neon9")
    assert "ArgumentError" in answer and "'neon9'" in answer and "baseline" in answer


def test_the_configuration_is_shown(capsys):
    tg.show_config()
    shown = capsys.readouterr().out
    assert INSTRUCTION_SET in shown and "OpenMP" in shown and "BLAS" in shown
    assert tg.show_config(mode="dicts")["threads"] == tg.get_num_threads()
    with pytest.raises(tg.errors.ArgumentError, match="mode"):
        tg.show_config(mode="json")
