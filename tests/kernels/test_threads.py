"""How many threads: set, limited, forked."""

import multiprocessing
import os
import subprocess
import sys
import time

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import kernels
from tinygrad_relu.errors import ArgumentError

LARGE = 1_000_000


def test_the_number_of_threads_is_set_and_restored():
    before = tg.get_num_threads()
    with tg.num_threads(1):
        assert tg.get_num_threads() == 1
        with pytest.raises(ZeroDivisionError), tg.num_threads(1):
            raise ZeroDivisionError
        assert tg.get_num_threads() == 1
    assert tg.get_num_threads() == before
    mode = tg.num_threads(1)
    with mode, mode:
        pass
    assert tg.get_num_threads() == before


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64])
def test_results_do_not_depend_on_the_number_of_threads(count, rng):
    x = rng.standard_normal(LARGE + 7)
    with tg.num_threads(count):
        np.testing.assert_array_equal(kernels.relu(x), np.maximum(x, 0))
        np.testing.assert_array_equal(tg.asarray(x).exp().numpy(), np.exp(x))


@pytest.mark.parametrize("count", [0, -1, 1.5, "2", None, True])
def test_a_number_that_is_none(count):
    before = tg.get_num_threads()
    with pytest.raises(ArgumentError, match="whole number"):
        tg.set_num_threads(count)
    assert tg.get_num_threads() == before


def printed(program, **environment):
    environment = {**os.environ, **environment}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=60
    )
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def test_environment_variables_are_read():
    program = "import tinygrad_relu as tg; print(tg.get_num_threads())"
    assert printed(program, OMP_NUM_THREADS="1") == "1"
    assert printed(program, TINYGRAD_RELU_NUM_THREADS="1", OMP_NUM_THREADS="4") == "1"
    assert "TINYGRAD_RELU_NUM_THREADS is 'many'" in printed(program, TINYGRAD_RELU_NUM_THREADS="many")


def test_the_environment_is_left_as_it_was():
    program = "import os, tinygrad_relu; print(os.environ.get('OMP_WAIT_POLICY'))"
    assert printed(program) == os.environ.get("OMP_WAIT_POLICY", "None")
    assert printed(program, OMP_WAIT_POLICY="active") == "active"


def test_threads_of_ours_sleep_when_there_is_nothing_to_do(rng):
    x = rng.standard_normal(LARGE)
    kernels.relu(x)
    start, spent = time.perf_counter(), time.process_time()
    for _ in range(20):
        kernels.relu(x)
        time.sleep(0.01)
    assert time.process_time() - spent < 0.5 * (time.perf_counter() - start)


def in_child(x, expected):
    return np.array_equal(kernels.relu(x), expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_computes_and_does_not_hang(rng):
    x = rng.standard_normal(LARGE)
    expected = kernels.relu(x)
    child = os.fork()
    if child == 0:
        os._exit(0 if in_child(x, expected) and in_child(x, expected) else 1)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            assert os.waitstatus_to_exitcode(status) == 0
            break
        time.sleep(0.01)
    else:
        os.kill(child, 9)
        os.waitpid(child, 0)
        pytest.fail("the child hangs")
    assert np.array_equal(kernels.relu(x), expected)      # and the parent still has its threads


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_pool_of_forked_workers(rng):
    x = rng.standard_normal(LARGE)
    expected = kernels.relu(x)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.starmap_async(in_child, [(x, expected)] * 4).get(timeout=60) == [True] * 4
