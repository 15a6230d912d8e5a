"""Several processes, over MPI: PyTorch's names for the group, its collectives, and averaged gradients.

Start a script with ``mpiexec -n 4 python script.py``.  Without mpi4py it runs as one process.
"""

from tinygrad_relu.distributed.collectives import (
    ReduceOp,
    all_gather,
    all_reduce,
    barrier,
    broadcast,
)
from tinygrad_relu.distributed.data_parallel import DistributedDataParallel
from tinygrad_relu.distributed.process_group import (
    destroy_process_group,
    get_rank,
    get_world_size,
    init_process_group,
    is_available,
    is_initialized,
)
from tinygrad_relu.distributed.sampler import DistributedSampler

__all__ = [
    "DistributedDataParallel",
    "DistributedSampler",
    "ReduceOp",
    "all_gather",
    "all_reduce",
    "barrier",
    "broadcast",
    "destroy_process_group",
    "get_rank",
    "get_world_size",
    "init_process_group",
    "is_available",
    "is_initialized",
]
