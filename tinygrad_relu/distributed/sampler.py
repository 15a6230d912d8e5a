"""Which samples each process of the group takes."""

import numpy as np

from tinygrad_relu.distributed.process_group import group_of
from tinygrad_relu.engine import checked_call
from tinygrad_relu.errors import RangeError


class DistributedSampler:
    """The numbers of the samples that one process takes: every `num_replicas`-th, as PyTorch's.

    Parameters
    ----------
    dataset : sized
        What has a length.
    num_replicas, rank : int, optional
        How many processes share it, and which this is: those of the group, if they are not given.
    shuffle : bool, default True
        In an order that all processes draw alike, from the seed and the epoch.
    seed : int, default 0
    drop_last : bool, default False
        Leave out what cannot be shared evenly, instead of repeating samples from the beginning.

    Examples
    --------
    >>> from tinygrad_relu.distributed import DistributedSampler
    >>> list(DistributedSampler(range(5), num_replicas=2, rank=1, shuffle=False))
    [1, 3, 0]
    """

    @checked_call
    def __init__(
        self, dataset, num_replicas=None, rank=None, shuffle=True, seed=0, drop_last=False
    ):
        group = None if None not in (num_replicas, rank) else group_of("DistributedSampler")
        self.dataset = dataset
        self.num_replicas = group.size if num_replicas is None else num_replicas
        self.rank = group.rank if rank is None else rank
        if not 0 <= self.rank < self.num_replicas:
            raise RangeError(
                f"DistributedSampler: rank is {self.rank}: with {self.num_replicas} replicas it is from "
                f"0 to {self.num_replicas - 1}"
            )
        self.shuffle, self.seed, self.drop_last = shuffle, seed, drop_last
        self.epoch = 0
        if len(self) == 0:
            raise RangeError(
                f"DistributedSampler: {len(dataset)} samples for {self.num_replicas} replicas: there is "
                "none for each"
            )

    def __len__(self):
        if self.drop_last:
            return len(self.dataset) // self.num_replicas
        return -(-len(self.dataset) // self.num_replicas)

    def __iter__(self):
        count = len(self.dataset)
        order = np.arange(count)
        if self.shuffle:
            order = np.random.default_rng((self.seed, self.epoch)).permutation(count)
        # Repeated from the beginning, or cut off, to the same number for all.
        shared = np.resize(order, len(self) * self.num_replicas)
        return iter(shared[self.rank :: self.num_replicas].tolist())

    def set_epoch(self, epoch):
        """Draw another order from now on: call it before each epoch, with its number."""
        self.epoch = epoch
