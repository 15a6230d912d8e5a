"""`DistributedDataParallel`: one module in several processes, each with its share of the data."""

from contextlib import contextmanager

from tinygrad_relu.distributed.buckets import Averages
from tinygrad_relu.distributed.collectives import broadcast
from tinygrad_relu.distributed.process_group import group_of
from tinygrad_relu.engine import checked_signature
from tinygrad_relu.errors import ArgumentError, GroupError, RangeError
from tinygrad_relu.nn.module import Module


class DistributedDataParallel(Module):
    """A module whose gradients are averaged over all processes of the group.

    At the start all take the parameters and buffers of rank 0.  On the way back, gradients are averaged
    in buckets while the walk goes on; when ``backward`` returns, ``.grad`` has the averages.

    Parameters
    ----------
    module : Module
    broadcast_buffers : bool, default True
        Take the buffers of rank 0 before each forward pass, too.
    bucket_cap_mb : float, default 1
        How many MiB of gradients are sent at a time.
    find_unused_parameters : bool, default False
        Accepted as in PyTorch: those that a process has not used always count as zero there.

    Notes
    -----
    All processes have to call ``backward`` equally often, and it has to come to at least one parameter.
    Unlike in PyTorch, ``bucket_cap_mb`` is small: nets here are.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> import tinygrad_relu.distributed as dist
    >>> dist.init_process_group()
    >>> model = dist.DistributedDataParallel(tg.nn.Linear(2, 1))
    >>> model(tg.ones(3, 2)).shape
    (3, 1)
    >>> dist.destroy_process_group()
    """

    @checked_signature
    def __init__(
        self, module, broadcast_buffers=True, bucket_cap_mb=1, find_unused_parameters=False
    ):
        super().__init__()
        if not isinstance(module, Module):
            raise ArgumentError(
                f"DistributedDataParallel: a {type(module).__name__} was given: pass a module"
            )
        if not bucket_cap_mb > 0:
            raise RangeError(
                f"DistributedDataParallel: bucket_cap_mb is {bucket_cap_mb}: it is more than 0"
            )
        self.module, self.broadcast_buffers = module, broadcast_buffers
        group = group_of("DistributedDataParallel")
        named = [(name, x) for name, x in module.named_parameters() if x.requires_grad]
        self.averages = None
        if group.size > 1:
            check_alike(group, named)
            for _, x in module.named_parameters():
                broadcast(x)
            self.share_buffers()
            if named:
                self.averages = Averages(group, [x for _, x in named], int(bucket_cap_mb * 2**20))

    def forward(self, *inputs, **options):
        """Call the module."""
        if self.broadcast_buffers and self.averages is not None and self.averages.active:
            self.share_buffers()
        return self.module(*inputs, **options)

    def share_buffers(self):
        """Take the buffers of rank 0."""
        for x in self.module.buffers() if hasattr(self.module, "buffers") else ():
            broadcast(x)

    @contextmanager
    def no_sync(self):
        """Leave gradients as they are in backward passes within a ``with`` block.

        They add up in ``.grad``, and the first backward outside averages all of it.
        """
        before = None if self.averages is None else self.averages.active
        if self.averages is not None:
            self.averages.active = False
        try:
            yield
        finally:
            if self.averages is not None:
                self.averages.active = before


def check_alike(group, named):
    """Raise, in all processes, if the parameters are not the same everywhere."""
    own = [(name, x.shape, x.dtype.name) for name, x in named]
    for rank, others in enumerate(group.communicator.allgather(own)):
        if others != own:
            differing = next(
                (pair for pair in zip(own, others) if pair[0] != pair[1]),
                (f"{len(own)} parameters", f"{len(others)}"),
            )
            raise GroupError(
                f"DistributedDataParallel: rank {group.rank} has {differing[0]}, and rank {rank} has "
                f"{differing[1]}: make the same module everywhere"
            )
