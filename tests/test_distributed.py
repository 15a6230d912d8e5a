"""Several processes on this machine, and what there is with one."""

import os
import shutil
import subprocess
import sys
import time
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import distributed_program
import numpy as np
import pytest

import tinygrad_relu as tg
import tinygrad_relu.distributed as dist
from tinygrad_relu import nn
from tinygrad_relu.distributed.buckets import gathered
from tinygrad_relu.errors import ArgumentError, GroupError, MissingPackage, RangeError

HERE = Path(__file__).parent
PROGRAM = HERE / "distributed_program.py"
EXAMPLE = HERE.parent / "examples" / "digits_mpi.py"
OPTIONS = ["--epochs", "2", "--batch", "64"]
PYTHONPATH = os.pathsep.join([str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
BIN = str(Path(sys.executable).parent)
MPIEXEC = shutil.which("mpiexec", path=os.pathsep.join([BIN, os.environ["PATH"]]))

needs_mpi = pytest.mark.skipif(
    find_spec("mpi4py") is None or MPIEXEC is None, reason="mpi4py or mpiexec is not installed"
)

# Open MPI refuses to run for root, or more processes than processors, unless told that it is meant.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1", "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe", "PYTHONWARNINGS": "error",
}


def run(count, *arguments):
    """Run a program in several processes, and return what became of it."""
    return subprocess.run(
        [MPIEXEC, "-n", str(count), sys.executable, *map(str, arguments)], capture_output=True, text=True,
        timeout=100, env=os.environ | ENVIRONMENT | {"PYTHONPATH": PYTHONPATH},
    )


@pytest.fixture
def alone(monkeypatch):
    """A group of this process alone, as where mpi4py is not installed."""
    monkeypatch.setattr("tinygrad_relu.distributed.process_group.loaded_mpi", lambda backend: None)
    dist.init_process_group()
    yield
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def example_alone(tmp_path_factory):
    """What came of the example as one process, as where mpi4py is not installed, and its folder."""
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    folder = tmp_path_factory.mktemp("alone")
    arguments = [*OPTIONS, "--output", str(folder)]
    code = (
        f"import runpy, sys; sys.modules['mpi4py'] = None; sys.argv[1:] = {arguments!r};"
        f"runpy.run_path({str(EXAMPLE)!r}, run_name='__main__')"
    )
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": PYTHONPATH},
    ), folder


# ------------------------------------------------------------------------------------ several processes


@needs_mpi
@pytest.mark.parametrize("count", [2, 4])
def test_all_checks_pass_in_several_processes(count):
    found = run(count, PROGRAM, "checks")
    assert found.returncode == 0, found.stdout + found.stderr
    names = [name for name in vars(distributed_program) if name.startswith("check_")]
    assert found.stdout.split("\n")[:-1] == [f"passed: {name}" for name in names]


@needs_mpi
@pytest.mark.parametrize("count", [2, 4])
def test_losses_are_those_of_one_process(count, alone):
    found = run(count, PROGRAM, "train")
    assert found.returncode == 0, found.stderr
    losses = [float(word) for word in found.stdout.split()]
    wanted = distributed_program.train(0, 1)
    assert len(wanted) == 24 and wanted[-1] < 0.9 * wanted[0]
    np.testing.assert_allclose(losses, wanted, rtol=1e-12)


@needs_mpi
@pytest.mark.parametrize(
    "how, words",
    [
        ("raise", ["ValueError: rank 1 has had enough", "rank 1 of 3 raised ValueError", "are ended"]),
        ("exit", ["waits for rank 1, whose script has ended", "raised GroupError"]),
        ("return", ["waits for rank 1, whose script has ended", "raised GroupError"]),
        ("sleep", ["has waited for 1.5 seconds", "raised GroupError"]),
        ("kill", []),
    ],
)
def test_a_rank_that_does_not_come_ends_the_job(how, words):
    begun = time.monotonic()
    found = run(3, PROGRAM, how)
    assert found.returncode != 0
    assert time.monotonic() - begun < 30
    for text in words:
        assert text in found.stderr, found.stderr
    if how == "kill":
        assert "signal 9" in (found.stdout + found.stderr).lower()


@needs_mpi
def test_the_example_in_two_processes_has_the_losses_of_one(example_alone, tmp_path):
    found = run(2, EXAMPLE, *OPTIONS, "--output", tmp_path)
    assert found.returncode == 0, found.stderr
    assert found.stdout.count("epoch ") == 2, found.stdout
    one, two = (np.loadtxt(folder / "losses.csv", skiprows=1) for folder in (example_alone[1], tmp_path))
    assert len(one) == 2 * (1437 // 64) and one[-1] < one[0] / 2
    np.testing.assert_allclose(two, one, rtol=1e-11)
    assert (tmp_path / "digits_mpi.png").stat().st_size > 20_000


# ------------------------------------------------------------------------------------------ one process


def test_the_example_runs_without_mpi(example_alone):
    found, folder = example_alone
    assert found.returncode == 0, found.stderr
    assert "epoch   2" in found.stdout
    assert (folder / "digits_mpi.png").read_bytes().startswith(b"\x89PNG")


def test_one_process_alone(alone):
    assert dist.is_initialized() and (dist.get_rank(), dist.get_world_size()) == (0, 1)
    t = tg.tensor([1.0, 2.0])
    for op in dist.ReduceOp:
        dist.all_reduce(t, op)
    dist.broadcast(t, 0)
    dist.barrier()
    assert t.tolist() == [1, 2]
    with pytest.raises(RangeError, match="src is 1"):
        dist.broadcast(t, 1)
    with pytest.raises(ArgumentError, match="a list was given"):
        dist.all_reduce([1.0])
    with pytest.raises(GroupError, match="there already"):
        dist.init_process_group()


def test_a_module_in_one_process(alone):
    net = nn.Linear(2, 1)
    model = dist.DistributedDataParallel(net)
    with model.no_sync():
        model(tg.ones(1, 2)).sum().backward()
    assert net.weight.grad.tolist() == [[1, 1]]
    assert [name for name, _ in model.named_parameters()] == ["module.weight", "module.bias"]


@pytest.mark.parametrize(
    "call",
    [
        dist.get_rank, dist.get_world_size, dist.barrier, lambda: dist.all_reduce(tg.ones(1)),
        lambda: dist.broadcast(tg.ones(1)), lambda: dist.DistributedDataParallel(nn.Linear(1, 1)),
        lambda: dist.DistributedSampler([1]),
    ],
)
def test_without_a_group(call):
    assert not dist.is_initialized()
    with pytest.raises(GroupError, match=r"call init_process_group\(\) first"):
        call()
    dist.destroy_process_group()


def test_backends_and_timeouts(monkeypatch):
    with pytest.raises(ArgumentError, match="backend is 'nccl': there is 'mpi'"):
        dist.init_process_group("nccl")
    monkeypatch.setattr("tinygrad_relu.distributed.process_group.loaded_mpi", lambda backend: None)
    for given, seconds in ((None, 1800), (7, 7), (timedelta(minutes=1), 60)):
        dist.init_process_group(timeout=given)
        assert dist.process_group.group_of("test").timeout == seconds
        dist.destroy_process_group()


@pytest.mark.parametrize("backend, launched", [("mpi", False), (None, True)])
def test_a_missing_mpi4py_is_one_line(backend, launched, monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    monkeypatch.setattr("tinygrad_relu.distributed.process_group.is_available", lambda: False)
    if launched:
        monkeypatch.setenv("PMI_SIZE", "2")
    with pytest.raises(MissingPackage, match=r'pip install "tinygrad_relu\[mpi\]"') as raised:
        dist.init_process_group(backend)
    assert "\n" not in str(raised.value) and not dist.is_initialized()


# --------------------------------------------------------------------------------------------- samplers


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("length", [7, 12, 13])
@pytest.mark.parametrize("drop_last", [False, True])
def test_samplers_share_all_samples(count, length, drop_last):
    for shuffle in (False, True):
        samplers = [
            dist.DistributedSampler(range(length), count, k, shuffle, seed=4, drop_last=drop_last)
            for k in range(count)
        ]
        parts = [list(sampler) for sampler in samplers]
        assert {len(part) for part in parts} == {len(samplers[0])}
        together = [x for some in zip(*parts) for x in some]
        if drop_last:
            assert len(together) == length // count * count and len(set(together)) == len(together)
        else:
            assert set(together) == set(range(length)) and len(together) < length + count
            assert together[length:] == together[: len(together) - length]
        assert shuffle or together[: len(together)] == [k % length for k in range(len(together))]


def test_the_order_depends_on_seed_and_epoch_alone():
    def order(seed, epoch):
        sampler = dist.DistributedSampler(range(50), 2, 1, seed=seed)
        sampler.set_epoch(epoch)
        assert list(sampler) == list(sampler)
        return tuple(sampler)

    assert order(1, 2) == order(1, 2)
    assert len({order(0, 0), order(0, 1), order(1, 0), order(1, 1)}) == 4


def test_as_many_samples_as_there_are_when_there_are_few():
    assert [list(dist.DistributedSampler([5], 3, k, shuffle=False)) for k in range(3)] == [[0], [0], [0]]
    with pytest.raises(RangeError, match="none for each"):
        dist.DistributedSampler([5], 3, 0, drop_last=True)
    with pytest.raises(RangeError, match="rank is 3"):
        dist.DistributedSampler([5], 3, 3)


# ---------------------------------------------------------------------------------------------- buckets


def test_buckets_go_from_the_last_parameter_on_by_dtype_and_size():
    a, b, c, d = (tg.zeros(n) for n in (10, 4, 4, 100))
    e, f = (tg.zeros(n, dtype=tg.float32) for n in (8, 8))
    found = gathered([a, e, b, c, f, d], 64)
    assert [[x.shape for x in some] for some in found] == [[(100,)], [(8,), (8,)], [(4,), (4,)], [(10,)]]
    flat = [x for some in found for x in some]
    assert all(x is y for x, y in zip(flat, [d, f, e, c, b, a], strict=True))
