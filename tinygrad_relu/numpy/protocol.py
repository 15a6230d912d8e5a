"""Which function of the dialect a NumPy function that was called with tensors stands for."""

import functools

import numpy as np

from tinygrad_relu import numpy as names
from tinygrad_relu.engine import Tensor
from tinygrad_relu.errors import ArgumentError
from tinygrad_relu.numpy import linalg

#: What only looks at memory or writes it down, and so loses no gradient.
OF_ARRAYS = frozenset({
    np.array2string, np.array_repr, np.array_str, np.iscomplexobj, np.isrealobj, np.may_share_memory,
    np.save, np.savetxt, np.savez, np.savez_compressed, np.shares_memory,
})


@functools.cache
def answers():
    """Return the function of the dialect for each NumPy function of the same name."""
    pairs = [(np, names, name) for name in names.__all__]
    pairs += [(np.linalg, linalg, name) for name in linalg.__all__]
    return {
        getattr(theirs, name): getattr(ours, name)
        for theirs, ours, name in pairs
        if hasattr(getattr(theirs, name, None), "_implementation")      # what NumPy would ask us about
    }


def answer(function, types, arguments, keywords):
    """Call the dialect's function for a NumPy function; what ``__array_function__`` does."""
    if not all(issubclass(kind, (Tensor, np.ndarray)) for kind in types):
        return NotImplemented
    if function in OF_ARRAYS:
        return function(*map(as_array, arguments), **{k: as_array(v) for k, v in keywords.items()})
    if function is np.copyto and type(arguments[0]) is np.ndarray:
        # `np.full(shape, tensor)` does that.  What requires a gradient raises as it becomes an array.
        return np.copyto(*[np.asarray(x) if isinstance(x, Tensor) else x for x in arguments], **keywords)
    ours = answers().get(function)
    if ours is None:
        title = f"{function.__module__}.{function.__name__}".replace("numpy", "np", 1)
        raise ArgumentError(
            f"{title}: the NumPy dialect has no such function, so a gradient would be lost: use what "
            "tinygrad_relu.numpy has, or pass tensor.detach().numpy() if no gradient is needed"
        )
    return ours(*arguments, **keywords)


def as_array(x):
    """Return the array of a tensor, and all else as it is."""
    return x.detach().numpy() if isinstance(x, Tensor) else x
