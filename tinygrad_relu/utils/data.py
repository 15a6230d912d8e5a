"""Data sets, and loaders that give them out in batches: the plain part of ``torch.utils.data``."""

import math
from bisect import bisect_right
from collections.abc import Iterable

import numpy as np

from tinygrad_relu.creation import asarray
from tinygrad_relu.engine import Tensor, checked_signature
from tinygrad_relu.errors import ArgumentError, DTypeError, IndexingError, RangeError, ShapeError
from tinygrad_relu.ops.shapes import stack
from tinygrad_relu.random import source_of

__all__ = [
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "Subset",
    "TensorDataset",
    "default_collate",
    "random_split",
]


class Dataset:
    """What has samples: a subclass says which in ``__getitem__``, and how many in ``__len__``.

    A `DataLoader` takes anything that has both, such as a list.

    Examples
    --------
    >>> from tinygrad_relu.utils.data import DataLoader, Dataset
    >>> class Squares(Dataset):
    ...     def __len__(self):
    ...         return 4
    ...
    ...     def __getitem__(self, k):
    ...         return k, k * k
    >>> for k, square in DataLoader(Squares(), batch_size=4):
    ...     print(square.tolist())
    [0, 1, 4, 9]
    """

    def __getitem__(self, index):
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__(): write one for it")


class TensorDataset(Dataset):
    """Tensors of one length: sample `k` is the tuple of their rows `k`.

    Parameters
    ----------
    *tensors : Tensor or array_like

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> from tinygrad_relu.utils.data import TensorDataset
    >>> dataset = TensorDataset(tg.tensor([[1.0], [2.0]]), tg.tensor([0, 1]))
    >>> len(dataset), dataset[1]
    (2, (tensor([2.], dtype=float64), tensor(1, dtype=int64)))
    """

    def __init__(self, *tensors):
        if not tensors:
            raise ArgumentError("TensorDataset: there are no tensors: pass one or more")
        self.tensors = tuple(asarray(tensor) for tensor in tensors)
        lengths = [tensor.shape[0] if tensor.ndim else None for tensor in self.tensors]
        if None in lengths or len(set(lengths)) > 1:
            shapes = ", ".join(str(tensor.shape) for tensor in self.tensors)
            raise ShapeError(
                f"TensorDataset: the tensors have the shapes {shapes}: their first axes are the samples, "
                "and of one length"
            )

    def __getitem__(self, index):
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self):
        return len(self.tensors[0])


class Subset(Dataset):
    """Some samples of a data set.

    Parameters
    ----------
    dataset : Dataset
    indices : sequence of int

    Examples
    --------
    >>> from tinygrad_relu.utils.data import Subset
    >>> list(Subset(["a", "b", "c"], [2, 0]))
    ['c', 'a']
    """

    def __init__(self, dataset, indices):
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index):
        return self.dataset[self.indices[index]]

    def __len__(self):
        return len(self.indices)


class ConcatDataset(Dataset):
    """Data sets one behind the other.

    Parameters
    ----------
    datasets : iterable of Dataset

    Examples
    --------
    >>> from tinygrad_relu.utils.data import ConcatDataset
    >>> dataset = ConcatDataset(["ab", range(3)])
    >>> len(dataset), list(dataset), dataset[-1]
    (5, ['a', 'b', 0, 1, 2], 2)
    """

    def __init__(self, datasets):
        self.datasets = list(datasets)
        if not self.datasets:
            raise ArgumentError("ConcatDataset: there are no data sets: pass one or more")
        self.cumulative_sizes = np.cumsum([len(part) for part in self.datasets], dtype=int).tolist()

    def __getitem__(self, index):
        count = len(self)
        if not -count <= index < count:
            raise IndexingError(f"ConcatDataset: index {index}, and there are {count} samples")
        position = index % count
        part = bisect_right(self.cumulative_sizes, position)
        return self.datasets[part][position - (self.cumulative_sizes[part - 1] if part else 0)]

    def __len__(self):
        return self.cumulative_sizes[-1]


@checked_signature
def random_split(dataset, lengths, generator=None):
    """Return subsets with samples drawn at random, none of them twice.

    Parameters
    ----------
    dataset : Dataset
    lengths : sequence of int, or of float
        How many samples each subset has; or which share of all, together 1: what is left by rounding
        down goes to the first subsets, one each.
    generator : Generator or numpy.random.Generator, optional
        The one that `manual_seed` seeds, if none is given.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> from tinygrad_relu.utils.data import random_split
    >>> training, test = random_split(range(10), [0.75, 0.25], tg.Generator(0))
    >>> len(training), len(test), sorted([*training, *test]) == list(range(10))
    (8, 2, True)
    """
    count = len(dataset)
    lengths = list(lengths)
    if not all(isinstance(n, (int, float, np.integer, np.floating)) and n >= 0 for n in lengths):
        raise ArgumentError(f"random_split: lengths are {lengths!r}: they are numbers, not negative")
    if any(isinstance(n, (float, np.floating)) for n in lengths):
        if not math.isclose(sum(lengths), 1):
            raise RangeError(f"random_split: the shares {lengths} add up to {sum(lengths)}, and not to 1")
        lengths = [math.floor(count * share) for share in lengths]
        for k in range(count - sum(lengths)):
            lengths[k % len(lengths)] += 1
    if sum(lengths) != count:
        raise RangeError(
            f"random_split: the lengths {lengths} add up to {sum(lengths)}, and there are {count} samples"
        )
    order = source_of("random_split", generator).permutation(count).tolist()
    ends = np.cumsum(lengths, dtype=int).tolist()
    return [Subset(dataset, order[end - length:end]) for length, end in zip(lengths, ends)]


class DataLoader:
    """Gives out the samples of a data set in batches, in another order in each epoch if asked to.

    Parameters
    ----------
    dataset : Dataset, or anything with ``len`` and indices
    batch_size : int or None, default 1
        With None samples come one by one, not in batches, and arrays as tensors.
    shuffle : bool, default False
        Draw a new order each time that an iteration begins.
    sampler : iterable of int, optional
        Which samples to give out, in which order, in place of `shuffle`.
    batch_sampler : iterable of list of int, optional
        Which samples make each batch, in place of `batch_size`, `shuffle`, `sampler` and `drop_last`.
    num_workers, persistent_workers, prefetch_factor, worker_init_fn : optional
        Accepted as in PyTorch, and without effect: samples are taken in this process, which for data in
        memory is faster than to send them from another one.
    collate_fn : callable, optional
        Makes a batch of a list of samples; `default_collate` if none is given.  Without batches it is
        given each sample.
    pin_memory : bool, default False
        Accepted as in PyTorch, and without effect: there is no other device.
    drop_last : bool, default False
        Leave out the last batch if it is not full.
    generator : Generator or numpy.random.Generator, optional
        Draws the order; the one that `manual_seed` seeds, if none is given.

    Notes
    -----
    All that is random is one draw at the beginning of an iteration.  To go on in the middle of an epoch,
    set the generator to its state at the beginning of that epoch, begin an iteration, and pass over the
    batches that were done.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> from tinygrad_relu.utils.data import DataLoader, TensorDataset
    >>> dataset = TensorDataset(tg.arange(5), tg.arange(5) * 10)
    >>> for x, y in DataLoader(dataset, batch_size=2):
    ...     print(x.tolist(), y.tolist())
    [0, 1] [0, 10]
    [2, 3] [20, 30]
    [4] [40]
    """

    @checked_signature
    def __init__(self, dataset, batch_size=1, shuffle=False, sampler=None, batch_sampler=None,
                 num_workers=0, collate_fn=None, pin_memory=False, drop_last=False, generator=None,
                 worker_init_fn=None, prefetch_factor=None, persistent_workers=False):
        if isinstance(num_workers, bool) or not isinstance(num_workers, int) or num_workers < 0:
            raise ArgumentError(f"DataLoader: num_workers is {num_workers!r}: it is a whole number")
        if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__"):
            raise ArgumentError(
                f"DataLoader: dataset is a {type(dataset).__name__}: it needs __getitem__ and __len__, "
                "as lists and TensorDataset have"
            )
        check_batches(batch_size, batch_sampler, shuffle or sampler is not None or drop_last, drop_last)
        if sampler is not None and (shuffle or not isinstance(sampler, Iterable)):
            raise ArgumentError(
                "DataLoader: sampler says in which order samples come, as something to go through, and "
                "shuffle would say so, too: give one of both"
            )
        if collate_fn is not None and not callable(collate_fn):
            raise ArgumentError("DataLoader: collate_fn is no function: pass one of a list of samples")
        source_of("DataLoader", generator)
        self.dataset, self.batch_size, self.drop_last = dataset, batch_size, drop_last
        self.shuffle, self.sampler, self.generator = shuffle, sampler, generator
        self.batch_sampler = batch_sampler
        self.collate_fn = collate_fn or (as_it_is if batch_size is None else default_collate)

    def __len__(self):
        """Return how many batches an iteration has."""
        if self.batch_sampler is not None:
            return len(self.batch_sampler)
        count = len(self.dataset if self.sampler is None else self.sampler)
        if self.batch_size is None:
            return count
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    def __iter__(self):
        if self.batch_sampler is not None:
            return (self.batch(list(indices)) for indices in self.batch_sampler)
        if self.batch_size is None:
            return (self.collate_fn(self.dataset[index]) for index in self.order())
        # The order is drawn now, not when the first batch is asked for.
        return self.batches(self.order())

    def order(self):
        """Return the indices of an iteration, in its order."""
        if self.sampler is not None:
            return iter(self.sampler)
        count = len(self.dataset)
        if self.shuffle:
            return iter(source_of("DataLoader", self.generator).permutation(count).tolist())
        return iter(range(count))

    def batches(self, order):
        """Yield the batches of samples in an order."""
        indices = []
        for index in order:
            indices.append(index)
            if len(indices) == self.batch_size:
                yield self.batch(indices)
                indices = []
        if indices and not self.drop_last:
            yield self.batch(indices)

    def batch(self, indices):
        """Return one batch."""
        if type(self.dataset) is TensorDataset and self.collate_fn is default_collate:
            # All rows at once: what stacking them gives, many times faster.
            return [tensor[np.array(indices)] for tensor in self.dataset.tensors]
        return self.collate_fn([self.dataset[index] for index in indices])


def check_batches(batch_size, batch_sampler, ordered, drop_last):
    """Raise unless it is said once, and in one way, what makes a batch."""
    if batch_sampler is not None:
        if ordered or batch_size != 1 or not isinstance(batch_sampler, Iterable):
            raise ArgumentError(
                "DataLoader: batch_sampler says which samples make each batch, as lists of indices to go "
                "through: leave out batch_size, shuffle, sampler and drop_last"
            )
        return
    if batch_size is None:
        if drop_last:
            raise ArgumentError("DataLoader: drop_last is of batches, and with batch_size=None are none")
        return
    whole = isinstance(batch_size, (int, np.integer)) and not isinstance(batch_size, bool)
    if not whole or batch_size < 1:
        raise ArgumentError(
            f"DataLoader: batch_size is {batch_size!r}: it is a whole number from 1, or None for samples "
            "one by one"
        )


def as_it_is(sample):
    """Return a sample with its arrays as tensors, in tuples, lists and dicts, too."""
    if isinstance(sample, (np.ndarray, np.generic)) and sample.dtype.kind in "biuf":
        return asarray(sample)
    if isinstance(sample, dict):
        return {key: as_it_is(part) for key, part in sample.items()}
    if isinstance(sample, (tuple, list)):
        parts = [as_it_is(part) for part in sample]
        return type(sample)(*parts) if hasattr(sample, "_fields") else type(sample)(parts)
    return sample


@checked_signature
def default_collate(batch):
    """Return a batch of samples that are alike, from a list of them.

    Tensors, arrays and numbers are stacked to a tensor, along a new first axis.  Of tuples, lists and
    dicts a batch is made of each element; strings stay in a list.

    Examples
    --------
    >>> from tinygrad_relu.utils.data import default_collate
    >>> default_collate([{"x": 1.5, "name": "a"}, {"x": 2.5, "name": "b"}])
    {'x': tensor([1.5, 2.5], dtype=float64), 'name': ['a', 'b']}
    """
    return collated(list(batch), "a sample")


def collated(samples, place):
    """Return a batch of samples, or raise if they are not alike: `place` says in which part of them."""
    if not samples:
        raise ArgumentError("default_collate: there are no samples")
    first = samples[0]
    if isinstance(first, (str, bytes)):
        return samples
    if isinstance(first, Tensor):
        return stacked(samples, place, lambda: stack(samples))
    if isinstance(first, (np.ndarray, np.generic)):
        if first.dtype.kind not in "biuf":
            raise DTypeError(f"default_collate: {place} is of dtype {first.dtype}: pass a collate_fn")
        return stacked(samples, place, lambda: asarray(np.stack(samples)))
    if isinstance(first, (bool, int, float)):
        return stacked(samples, place, lambda: asarray(np.array(samples)))
    if isinstance(first, dict):
        if any(not isinstance(s, dict) or s.keys() != first.keys() for s in samples):
            raise ArgumentError(f"default_collate: {place} is a dict, not everywhere with the same keys")
        return {key: collated([s[key] for s in samples], f"{place}[{key!r}]") for key in first}
    if isinstance(first, (tuple, list)):
        if any(not isinstance(s, (tuple, list)) or len(s) != len(first) for s in samples):
            raise ShapeError(f"default_collate: {place} has {len(first)} elements, but not everywhere")
        parts = [collated(list(part), f"{place}[{k}]") for k, part in enumerate(zip(*samples))]
        return type(first)(*parts) if hasattr(first, "_fields") else parts
    raise ArgumentError(
        f"default_collate: {place} is a {type(first).__name__}: samples are tensors, arrays, numbers, "
        "strings, and tuples, lists and dicts of them; for others pass a collate_fn"
    )


def stacked(samples, place, stack_all):
    """Return what `stack_all` makes of samples, or raise with the shapes that do not fit."""
    shapes = {np.shape(s.detach() if isinstance(s, Tensor) else s) for s in samples}
    if len(shapes) > 1:
        raise ShapeError(
            f"default_collate: {place} has the shapes {', '.join(map(str, sorted(shapes)))}: they have "
            "to be one to be stacked; pad them, or pass a collate_fn"
        )
    return stack_all()
