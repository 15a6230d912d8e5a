"""Loaders whose batches are chosen by others, or that have none; data sets one behind the other."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, IndexingError
from tinygrad_relu.utils.data import ConcatDataset, DataLoader, TensorDataset

DATA = TensorDataset(tg.arange(5), tg.arange(5) * 10)


def test_batches_are_those_of_the_batch_sampler():
    loader = DataLoader(DATA, batch_sampler=[[3, 1], (0,), iter([4, 4])])
    assert len(loader) == 3
    assert [[x.tolist(), y.tolist()] for x, y in loader] == [
        [[3, 1], [30, 10]], [[0], [0]], [[4, 4], [40, 40]],
    ]
    assert list(DataLoader("abc", batch_sampler=[[0, 2]], collate_fn="".join)) == ["ac"]


def test_samples_one_by_one():
    loader = DataLoader(DATA, batch_size=None)
    assert len(loader) == 5 and [(x.shape, y.item()) for x, y in loader][2] == ((), 20)
    sample = {"x": np.ones(2, np.float32), "name": "a", "rest": [1, (np.float64(2), None)]}
    (found,) = DataLoader([sample], batch_size=None)
    assert isinstance(found["x"], tg.Tensor) and found["x"].dtype == np.float32
    assert found["name"] == "a" and found["rest"][0] == 1 and found["rest"][1][1] is None
    assert isinstance(found["rest"][1], tuple) and isinstance(found["rest"][1][0], tg.Tensor)
    assert list(DataLoader(range(3), batch_size=None, collate_fn=lambda k: k + 1)) == [1, 2, 3]
    order = list(DataLoader(range(50), batch_size=None, shuffle=True, generator=tg.Generator(0)))
    assert order != sorted(order) and sorted(order) == list(range(50))
    assert list(DataLoader("abc", batch_size=None, sampler=[2, 0])) == ["c", "a"]


@pytest.mark.parametrize("more", [
    {"batch_size": 2}, {"shuffle": True}, {"sampler": [0]}, {"drop_last": True}, {"batch_size": None},
])
def test_what_makes_a_batch_is_said_once(more):
    with pytest.raises(ArgumentError, match="batch_sampler says which samples make each batch"):
        DataLoader(DATA, batch_sampler=[[0]], **more)
    with pytest.raises(ArgumentError, match="batch_sampler says"):
        DataLoader(DATA, batch_sampler=3)
    with pytest.raises(ArgumentError, match="drop_last is of batches"):
        DataLoader(DATA, batch_size=None, drop_last=True)


def test_data_sets_one_behind_the_other():
    dataset = ConcatDataset([DATA, TensorDataset(tg.zeros(0), tg.zeros(0)), [(7, 70)]])
    assert len(dataset) == 6 and dataset[5] == (7, 70) and dataset[-1] == (7, 70)
    assert dataset[0][0].item() == 0 and dataset[4][1].item() == 40 and dataset[-6][1].item() == 0
    x, y = next(iter(DataLoader(dataset, batch_size=5)))
    assert x.tolist() == [0, 1, 2, 3, 4] and y.tolist() == [0, 10, 20, 30, 40]
    for index in (6, -7):
        with pytest.raises(IndexingError, match=f"index {index}, and there are 6 samples"):
            dataset[index]
    with pytest.raises(ArgumentError, match="there are no data sets"):
        ConcatDataset([])
