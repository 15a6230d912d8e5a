"""What all processes of the group do together, each with a tensor of its own."""

from enum import Enum

import numpy as np

from tinygrad_relu.distributed.process_group import group_of
from tinygrad_relu.engine import Tensor, checked_call, sharing
from tinygrad_relu.errors import ArgumentError, DTypeError, RangeError
from tinygrad_relu.grad_mode import no_grad


class ReduceOp(Enum):
    """How `all_reduce` makes one number of those of all processes."""

    SUM = "sum"
    AVG = "mean"
    PRODUCT = "product"
    MIN = "min"
    MAX = "max"


#: Their names in MPI.
OPERATIONS = {
    ReduceOp.SUM: "SUM", ReduceOp.AVG: "SUM", ReduceOp.PRODUCT: "PROD", ReduceOp.MIN: "MIN",
    ReduceOp.MAX: "MAX",
}


def reducible(dtype):
    """Return the dtype in which MPI computes what is one of `dtype` here."""
    return {"f2": np.dtype(np.float32), "b1": np.dtype(np.uint8)}.get(dtype.str[1:], dtype)


def own_array(caller, tensor):
    """Return the values of a tensor in contiguous memory of their own."""
    if not isinstance(tensor, Tensor):
        raise ArgumentError(f"{caller}: a {type(tensor).__name__} was given: pass a tensor")
    return np.array(tensor.detach().numpy(), order="C")


def set_values(tensor, array):
    """Write values into a tensor, outside of the graph."""
    with no_grad():
        tensor.copy_(sharing(array))


def as_bytes(array):
    """Return the bytes of a contiguous array, which MPI passes on whatever they mean."""
    return array.reshape(-1).view(np.uint8)


def checked_rank(caller, group, rank):
    """Return a rank of the group, or raise."""
    if isinstance(rank, bool) or not isinstance(rank, (int, np.integer)) or not 0 <= rank < group.size:
        raise RangeError(f"{caller}: src is {rank!r}: ranks are whole numbers from 0 to {group.size - 1}")
    return int(rank)


@checked_call
def broadcast(tensor, src=0):
    """Give a tensor, in place, the values that it has in the process `src`.

    Parameters
    ----------
    tensor : Tensor
        Of the same shape and dtype everywhere.
    src : int, default 0

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> import tinygrad_relu.distributed as dist
    >>> dist.init_process_group()
    >>> t = tg.tensor([1.0, 2.0])
    >>> dist.broadcast(t, src=0)
    >>> dist.destroy_process_group()
    """
    group = group_of("broadcast")
    array = own_array("broadcast", tensor)
    src = checked_rank("broadcast", group, src)
    if group.size > 1:
        group.wait(group.communicator.Ibcast(as_bytes(array), src), "broadcast")
        if group.rank != src:
            set_values(tensor, array)


@checked_call
def all_reduce(tensor, op=ReduceOp.SUM):
    """Replace a tensor, in place, by the sum of those of all processes, or what `op` makes of them.

    Parameters
    ----------
    tensor : Tensor
        Of the same shape and dtype everywhere.
    op : ReduceOp, default ReduceOp.SUM
        SUM, AVG, PRODUCT, MIN or MAX.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> import tinygrad_relu.distributed as dist
    >>> dist.init_process_group()
    >>> t = tg.tensor([1.0, 2.0])
    >>> dist.all_reduce(t)
    >>> t
    tensor([1., 2.], dtype=float64)
    >>> dist.destroy_process_group()
    """
    group = group_of("all_reduce")
    array = own_array("all_reduce", tensor)
    if not isinstance(op, ReduceOp):
        raise ArgumentError(f"all_reduce: op is {op!r}: it is one of ReduceOp, such as ReduceOp.SUM")
    if (array.dtype.kind == "b" and op not in (ReduceOp.MIN, ReduceOp.MAX)) or (
        array.dtype.kind != "f" and op is ReduceOp.AVG
    ):
        raise DTypeError(f"all_reduce: {op} of dtype {array.dtype}: convert the tensor first")
    if group.size > 1:
        computed = array.astype(reducible(array.dtype))
        operation = getattr(group.mpi, OPERATIONS[op])
        request = group.communicator.Iallreduce(group.mpi.IN_PLACE, computed, op=operation)
        group.wait(request, "all_reduce")
        if op is ReduceOp.AVG:
            computed /= group.size
        set_values(tensor, computed.astype(array.dtype))


@checked_call
def all_gather(tensor_list, tensor):
    """Write the tensors of all processes into the tensors of a list, in the order of their ranks.

    Parameters
    ----------
    tensor_list : list of Tensor
        As many as there are processes, each of the shape and dtype of `tensor`.
    tensor : Tensor
        What this process gives.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> import tinygrad_relu.distributed as dist
    >>> dist.init_process_group()
    >>> places = [tg.zeros(2) for _ in range(dist.get_world_size())]
    >>> dist.all_gather(places, tg.tensor([1.0, 2.0]))
    >>> places
    [tensor([1., 2.], dtype=float64)]
    >>> dist.destroy_process_group()
    """
    group = group_of("all_gather")
    array = own_array("all_gather", tensor)
    if len(tensor_list) != group.size:
        raise ArgumentError(
            f"all_gather: tensor_list has {len(tensor_list)} tensors for {group.size} processes"
        )
    for k, place in enumerate(tensor_list):
        if not isinstance(place, Tensor) or (place.shape, place.dtype) != (array.shape, array.dtype):
            raise ArgumentError(
                f"all_gather: tensor_list[{k}] is none of shape {array.shape} and dtype {array.dtype}"
            )
    gathered = np.empty((group.size, *array.shape), array.dtype)
    gathered[group.rank] = array
    if group.size > 1:
        request = group.communicator.Iallgather(as_bytes(array), as_bytes(gathered))
        group.wait(request, "all_gather")
    for place, values in zip(tensor_list, gathered):
        set_values(place, values)


@checked_call
def barrier():
    """Wait until all processes of the group have come here."""
    group = group_of("barrier")
    if group.size > 1:
        group.wait(group.communicator.Ibarrier(), "barrier")
