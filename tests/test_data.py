"""Data sets and loaders, and a run that is killed and resumed."""

import os
import subprocess
import sys
from collections import namedtuple

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, DTypeError, RangeError, ShapeError, StateError
from tinygrad_relu.utils.data import (
    DataLoader,
    Dataset,
    Subset,
    TensorDataset,
    default_collate,
    random_split,
)


def pairs(count=10):
    return TensorDataset(tg.arange(2.0 * count).reshape(count, 2), tg.arange(count))


def test_tensor_datasets():
    x = np.arange(6.0).reshape(3, 2)
    dataset = TensorDataset(x, tg.arange(3))
    assert len(dataset) == 3 and dataset[1][0].tolist() == [2, 3] and dataset[-1][1].item() == 2
    assert [row.tolist() for row in dataset[1:]] == [[[2, 3], [4, 5]], [1, 2]]
    assert isinstance(dataset, Dataset)
    for tensors in ((x, x[:2]), (tg.tensor(1.0),)):
        with pytest.raises(ShapeError, match="of one length"):
            TensorDataset(*tensors)
    with pytest.raises(ArgumentError, match="no tensors"):
        TensorDataset()
    with pytest.raises(NotImplementedError, match="__getitem__"):
        Dataset()[0]


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("size", [1, 3, 5, 10, 11])
def test_batches_hold_every_sample_once_in_order(size, drop_last):
    loader = DataLoader(pairs(), batch_size=size, drop_last=drop_last)
    batches = list(loader)
    kept = 10 // size * size if drop_last else 10
    assert len(batches) == len(loader) == (10 // size if drop_last else -(-10 // size))
    assert [k for _, y in batches for k in y.tolist()] == list(range(kept))
    assert all(x.tolist() == [[2 * k, 2 * k + 1] for k in y.tolist()] for x, y in batches)
    assert all(type(batch) is list and x.ndim == 2 for batch in batches for x, _ in [batch])


def test_rows_at_once_are_what_stacking_gives():
    for dataset in (pairs(7), TensorDataset(np.arange(5, dtype=np.float32))):
        class Slow(Dataset):
            def __len__(self):
                return len(dataset)     # noqa: B023

            def __getitem__(self, k):
                return dataset[k]       # noqa: B023

        for quick, slow in zip(DataLoader(dataset, 3), DataLoader(Slow(), 3), strict=True):
            assert [(x.dtype, x.tolist()) for x in quick] == [(x.dtype, x.tolist()) for x in slow]


@pytest.mark.parametrize("make", [tg.Generator, np.random.default_rng])
def test_shuffling_draws_one_permutation_an_epoch(make):
    loader = DataLoader(pairs(), batch_size=4, shuffle=True, generator=make(3))
    rng = np.random.default_rng(3)
    for _ in range(3):
        seen = [k for _, y in loader for k in y.tolist()]
        assert seen == rng.permutation(10).tolist()


def test_shuffling_draws_when_the_iteration_begins():
    tg.manual_seed(5)
    batches = iter(DataLoader(pairs(), batch_size=10, shuffle=True))
    tg.rand(7)
    assert next(batches)[1].tolist() == np.random.default_rng(5).permutation(10).tolist()


def test_samplers_say_which_samples_come():
    loader = DataLoader(list("abcdef"), batch_size=2, sampler=[5, 0, 5])
    assert list(loader) == [["f", "a"], ["f"]] and len(loader) == 2
    assert list(DataLoader(list("abc"), 3, sampler=(k for k in (2, 1)))) == [["c", "b"]]
    with pytest.raises(ArgumentError, match="one of both"):
        DataLoader([1, 2], sampler=[0], shuffle=True)


Point = namedtuple("Point", "x y")


def test_samples_of_all_kinds_are_collated():
    sample = {
        "tensor": tg.tensor([1.0, 2.0]), "array": np.ones(2, np.float32), "scalar": np.int8(3), "int": 4,
        "float": 0.5, "bool": True, "word": "a", "tuple": (1, [2.0, "b"]), "point": Point(1, 2.0),
    }
    batch = default_collate([sample, sample, sample])
    assert batch["tensor"].shape == (3, 2) and batch["array"].dtype == np.float32
    assert batch["array"].shape == (3, 2) and batch["scalar"].dtype == np.int8
    assert [batch[k].dtype for k in ("int", "float", "bool")] == [np.int64, np.float64, np.bool_]
    assert all(isinstance(batch[k], tg.Tensor) for k in ("array", "scalar", "int", "bool"))
    assert batch["word"] == ["a"] * 3 and batch["tuple"][1][1] == ["b"] * 3
    assert batch["tuple"][0].tolist() == [1, 1, 1] and batch["tuple"][1][0].tolist() == [2, 2, 2]
    assert type(batch["point"]) is Point and batch["point"].y.tolist() == [2, 2, 2]
    w = tg.tensor([1.0], requires_grad=True)
    default_collate([w, w]).sum().backward()
    assert w.grad.item() == 2


@pytest.mark.parametrize(("samples", "kind", "words"), [
    ([np.ones(2), np.ones(3)], ShapeError, r"\(2,\), \(3,\)"),
    ([(1, tg.ones(2)), (1, tg.ones(1))], ShapeError, r"a sample\[1\]"),
    ([(1, 2), (1,)], ShapeError, "2 elements"), ([{"a": 1}, {"b": 1}], ArgumentError, "same keys"),
    ([{"a": object()}], ArgumentError, r"a sample\['a'\] is a object"),
    ([None], ArgumentError, "NoneType"),
    ([np.array(["a"])], DTypeError, "dtype <U1"), ([], ArgumentError, "no samples"),
])
def test_samples_that_are_not_alike(samples, kind, words):
    with pytest.raises(kind, match=words):
        default_collate(samples)


def test_a_function_of_ones_own_collates():
    assert list(DataLoader([1, 2, 3], batch_size=2, collate_fn=sum)) == [3, 3]
    loader = DataLoader(pairs(4), batch_size=2, collate_fn=len)
    assert list(loader) == [2, 2]


@pytest.mark.parametrize(("settings", "words"), [
    ({"num_workers": -1}, "num_workers is -1"), ({"batch_size": 0}, "batch_size is 0"),
    ({"batch_size": True}, "whole number"),
    ({"collate_fn": 3}, "collate_fn"), ({"generator": 3}, "generator is a int"),
    ({"sampler": 3}, "sampler"), ({"workers": 3}, "unknown keyword 'workers'"),
])
def test_settings_that_are_refused(settings, words):
    with pytest.raises(ArgumentError, match=words):
        DataLoader([1, 2, 3], **settings)
    with pytest.raises(ArgumentError, match="__getitem__ and __len__"):
        DataLoader(iter([1, 2]))


def test_subsets_and_random_splits():
    assert list(Subset("abcd", [3, 1])) == ["d", "b"] and len(Subset("abcd", [3, 1])) == 2
    parts = random_split(range(10), [3, 5, 2], generator=np.random.default_rng(1))
    order = np.random.default_rng(1).permutation(10).tolist()
    assert [list(part) for part in parts] == [order[:3], order[3:8], order[8:]]
    parts = random_split(range(11), [0.5, 0.3, 0.2])
    assert [len(part) for part in parts] == [6, 3, 2]       # 5, 3, 2 and one that is left
    assert sorted(k for part in parts for k in part) == list(range(11))
    for lengths, kind in (([3, 3], RangeError), ([0.5, 0.4], RangeError), ([-1, 11], ArgumentError)):
        with pytest.raises(kind, match="random_split: "):
            random_split(range(10), lengths)


def test_states_of_generators():
    for generator in (tg.Generator(4), None):
        state = generator.get_state() if generator else tg.get_rng_state()
        tg.randint(0, 2, (1,), generator=generator, dtype=np.int8)      # leaves half of a number behind
        middle = generator.get_state() if generator else tg.get_rng_state()
        first = [tg.randn(3, generator=generator).tolist(), tg.rand(2, generator=generator).tolist()]
        put = generator.set_state if generator else tg.set_rng_state
        put(middle)
        again = [tg.randn(3, generator=generator).tolist(), tg.rand(2, generator=generator).tolist()]
        assert first == again
        for wrong in (3, {}, {**state, "bit_generator": "MT19937"}, {**state, "state": {}},
                      {k: v for k, v in state.items() if k != "uinteger"}):
            put(middle)
            with pytest.raises(StateError, match="no state of PCG64"):
                put(wrong)
            assert (generator.get_state() if generator else tg.get_rng_state()) == middle
    generator = tg.Generator(1)
    assert generator.set_state(tg.Generator(2).get_state()) is generator
    assert tg.rand(2, generator=generator).tolist() == np.random.default_rng(2).random(2).tolist()


# Trains with all that is random, and saves all that there is after each batch.
TRAINING = """
import os, signal, sys
import numpy as np
import tinygrad_relu as tg
from tinygrad_relu.nn import functional
from tinygrad_relu.utils.data import DataLoader, TensorDataset
path, kill_at, last = sys.argv[1], int(sys.argv[2]), 14
rng = np.random.default_rng(0)
data = TensorDataset(tg.tensor(rng.standard_normal((20, 3))), tg.tensor(rng.standard_normal((20, 1))))
w = {name: tg.tensor(rng.standard_normal(shape) * 0.5, requires_grad=True)
     for name, shape in (("hidden", (8, 3)), ("out", (1, 8)))}
tg.manual_seed(1)
shuffler = tg.Generator(2)
loader = DataLoader(data, batch_size=6, shuffle=True, generator=shuffler)
optimizer = tg.optim.Adam(w.values())
scheduler = tg.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=last)
done = epoch_done = 0
if os.path.exists(path):
    found = tg.load(path)
    with tg.no_grad():
        for name in w:
            w[name].copy_(found["model"][name])
    optimizer.load_state_dict(found["optimizer"])
    scheduler.load_state_dict(found["scheduler"])
    shuffler.set_state(found["shuffler"])
    tg.set_rng_state(found["rng"])
    done, epoch_done = found["done"], found["epoch_done"]
while done < last:
    at_epoch = shuffler.get_state()
    for k, (x, y) in enumerate(loader):
        if k < epoch_done:
            continue
        hidden = functional.dropout(tg.relu(x @ w["hidden"].mT), 0.3)
        loss = ((hidden @ w["out"].mT - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        done, epoch_done = done + 1, k + 1
        tg.save({
            "model": {name: p.detach() for name, p in w.items()}, "optimizer": optimizer.state_dict(),
            "scheduler": scheduler.state_dict(), "rng": tg.get_rng_state(), "shuffler": at_epoch,
            "done": done, "epoch_done": epoch_done,
        }, path)
        print(done, loss.item().hex(), flush=True)
        if done == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if done == last:
            break
    epoch_done = 0
print(*(p.detach().numpy().tobytes().hex() for p in w.values()))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no SIGKILL here")
def test_a_run_that_was_killed_goes_on_bit_for_bit(tmp_path):
    def run(name, kill_at=0):
        return subprocess.run(
            [sys.executable, "-c", TRAINING, str(tmp_path / name), str(kill_at)],
            capture_output=True, text=True, timeout=60,
        )

    whole = run("whole.npz")
    assert whole.returncode == 0, whole.stderr
    lines = []
    for kill_at in (1, 4, 6, 11, 0):        # in the middle of an epoch, and at its end, which is 4
        part = run("part.npz", kill_at)
        assert part.returncode == (-9 if kill_at else 0), part.stderr
        lines += part.stdout.splitlines()
    assert lines == whole.stdout.splitlines() and len(lines) == 15
