"""Memory for time: values that backward needs are computed again instead of kept."""

from tinygrad_relu.backward_modes import saved_tensors_hooks
from tinygrad_relu.errors import GraphError
from tinygrad_relu.grad_mode import enable_grad
from tinygrad_relu.random import default_generator

__all__ = ["checkpoint", "checkpoint_sequential"]


def checkpoint(function, *arguments, use_reentrant=False, preserve_rng_state=True, **keywords):
    """Call ``function(*arguments)``, and keep nothing of it for backward, which calls it again.

    Parameters
    ----------
    function : callable
        Has to do the same each time.
    *arguments, **keywords
        Handed to it, and kept.
    use_reentrant : bool, default False
        Accepted as in PyTorch; both forms do the same here.
    preserve_rng_state : bool, default True
        Begin the second call with the state of the default generator that the first began with.

    Returns
    -------
    What `function` returns.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> x = tg.tensor([0.5, 1.0], requires_grad=True)
    >>> tg.utils.checkpoint.checkpoint(lambda x: x.exp().sin(), x).sum().backward()
    >>> x.grad
    tensor([-0.12834653, -2.47834973], dtype=float64)
    """
    source = default_generator().bit_generator
    state = source.state if preserve_rng_state else None
    saved, again = [], []
    kept = []           # while the function runs: it may go back by itself, as for a gradient penalty

    def pack(tensor):
        kept.append(tensor)
        saved.append((tensor.shape, tensor.dtype))
        return len(saved) - 1

    def pack_again(tensor):
        again.append(tensor)
        return tensor

    def compute_again():
        before = source.state
        if state is not None:
            source.state = state
        try:
            with enable_grad(), saved_tensors_hooks(pack_again, lambda tensor: tensor):
                function(*arguments, **keywords)
        finally:
            source.state = before
        found = [(tensor.shape, tensor.dtype) for tensor in again]
        if found != saved:
            raise GraphError(
                f"checkpoint: the function saved {len(saved)} tensors when it was first called, and "
                f"{len(found)} when it was called again, or others: it has to do the same each time"
            )

    def unpack(number):
        if kept:
            return kept[number]
        if not again:
            compute_again()
        return again[number]

    with saved_tensors_hooks(pack, unpack):
        try:
            return function(*arguments, **keywords)
        finally:
            kept.clear()


def checkpoint_sequential(functions, segments, input, use_reentrant=False):
    """Call functions one after the other, in segments of which each is one `checkpoint`.

    Parameters
    ----------
    functions : iterable of callable
        Such as a `nn.Sequential`.
    segments : int
    input : Tensor

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> x = tg.tensor([1.0], requires_grad=True)
    >>> tg.utils.checkpoint.checkpoint_sequential([tg.exp, tg.sin, tg.cos], 2, x).backward()
    >>> x.grad
    tensor([0.98966885], dtype=float64)
    """
    functions = list(functions)
    size = -(-len(functions) // segments)

    def run(x, part):
        for function in part:
            x = function(x)
        return x

    for start in range(0, len(functions), size):
        input = checkpoint(run, input, functions[start : start + size])
    return input
