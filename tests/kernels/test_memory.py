"""The pool of large buffers: used again, bounded, and never a buffer that somebody sees."""

import gc
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import kernels
from tinygrad_relu.errors import ArgumentError

LARGE = 500_000


@pytest.fixture(autouse=True)
def clean_pool():
    before = tg.memory_stats()["limit_bytes"]
    tg.empty_cache()
    yield
    tg.set_cache_limit(before)
    tg.empty_cache()


def address(array):
    return array.__array_interface__["data"][0]


def test_a_buffer_is_used_again_when_nobody_sees_it_any_more(rng):
    x = rng.standard_normal(LARGE)
    y = kernels.relu(x)
    first = address(y)
    view = y[10:20]
    kept = view.copy()
    del y
    other = kernels.relu(-x)
    assert address(other) != first          # `view` still sees it
    np.testing.assert_array_equal(view, kept)
    del view
    assert address(kernels.relu(x)) == first


def test_buffers_serve_results_of_about_their_size(rng):
    x = rng.standard_normal(LARGE)
    kernels.relu(x)
    before = tg.memory_stats()["reused"]
    kernels.relu(x[: LARGE * 9 // 10])
    assert tg.memory_stats()["reused"] == before + 1
    kernels.relu(x[: LARGE // 2])           # would waste half of it
    kernels.relu(np.concatenate([x, x]))    # does not fit
    assert tg.memory_stats()["reused"] == before + 1


def test_the_pool_is_bounded(rng):
    x = rng.standard_normal(LARGE)
    tg.set_cache_limit(3 * x.nbytes)
    results = [kernels.relu(x) for _ in range(8)]
    assert tg.memory_stats()["waiting_bytes"] == 0
    del results
    stats = tg.memory_stats()
    assert 0 < stats["waiting_bytes"] <= 3 * x.nbytes and stats["waiting_buffers"] == 2
    tg.set_cache_limit(0)
    assert tg.memory_stats()["waiting_buffers"] == 0
    kernels.relu(x)
    assert tg.memory_stats()["waiting_bytes"] == 0
    tg.set_cache_limit(1 << 30)
    many = [kernels.relu(x[:10_000]) for _ in range(300)]
    del many
    assert tg.memory_stats()["waiting_buffers"] <= 256
    tg.empty_cache()
    assert tg.memory_stats()["waiting_bytes"] == tg.memory_stats()["waiting_buffers"] == 0


def test_small_results_do_not_go_there():
    kernels.relu(np.ones(100))
    assert tg.memory_stats()["waiting_buffers"] == 0


def test_results_can_be_resized_and_outlive_their_tensors(rng):
    x = rng.standard_normal(LARGE)
    y = kernels.relu(x)
    y.resize(2 * LARGE, refcheck=False)
    np.testing.assert_array_equal(y[:LARGE], np.maximum(x, 0))
    assert not y[LARGE:].any()
    y.resize(10, refcheck=False)
    np.testing.assert_array_equal(y, np.maximum(x[:10], 0))


def test_numpys_own_arrays_are_left_alone(rng):
    kernels.relu(rng.standard_normal(LARGE))
    before = tg.memory_stats()
    array = np.zeros(LARGE) + 1
    del array
    assert tg.memory_stats() == before


def test_threads_share_the_pool(rng):
    inputs = [rng.standard_normal(LARGE // 4) + k for k in range(4)]
    wrong = []

    def work(k):
        for _ in range(50):
            y = kernels.relu(inputs[k])
            if not np.array_equal(y, np.maximum(inputs[k], 0)):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts page faults")
def test_nothing_faults_after_warming_up(rng):
    import resource

    def faults():
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

    x = rng.standard_normal(2 * LARGE)
    inputs = tg.tensor(rng.standard_normal((512, 256)))
    target = tg.tensor(rng.standard_normal((512, 256)))
    w = tg.tensor(rng.standard_normal((256, 256)) / 16, requires_grad=True)
    optimizer = tg.optim.SGD([w], lr=0.01)

    def step():
        loss = tg.mse_loss(tg.linear(tg.linear(inputs, w).relu(), w), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    for work in (lambda: kernels.relu(x), lambda: kernels.relu_backward(x, x), step):
        for _ in range(5):
            work()
        gc.collect()
        before = faults()
        for _ in range(20):
            work()
        assert faults() - before < 40       # one fresh result of `relu` alone would be 2,000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_parent_and_child_go_on_with_their_own_buffers(rng):
    x = rng.standard_normal(LARGE)
    y = kernels.relu(x)
    expected = y.copy()
    kernels.relu(x)                         # one buffer waits
    child = os.fork()
    if child == 0:
        z = kernels.relu(-x)
        y[:] = 0
        os._exit(0 if np.array_equal(z, np.maximum(-x, 0)) else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("limit", [-1, 1.5, "1", None, True])
def test_a_limit_that_is_none(limit):
    before = tg.memory_stats()
    with pytest.raises(ArgumentError, match="number of bytes"):
        tg.set_cache_limit(limit)
    assert tg.memory_stats() == before


@pytest.mark.parametrize(("value", "answer"), [("1000000", "1000000"), ("lots", "number of bytes")])
def test_the_environment_is_read(value, answer):
    program = "import tinygrad_relu as tg; print(tg.memory_stats()['limit_bytes'])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True,
        env={**os.environ, "TINYGRAD_RELU_CACHE_BYTES": value},
    )
    assert answer in done.stdout + done.stderr
