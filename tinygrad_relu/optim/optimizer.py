"""`Optimizer`: what all of them share."""

from collections.abc import Iterable

import numpy as np

from tinygrad_relu.engine import Tensor, forget_gradients
from tinygrad_relu.errors import ArgumentError, DTypeError, GraphError


class Optimizer:
    """Holds parameters, and updates them in place from their ``.grad``.

    Parameters
    ----------
    params : iterable of Tensor
        Leaves that require a gradient, float32 or float64.
    """

    def __init__(self, params):
        name = type(self).__name__
        if isinstance(params, Tensor):
            raise ArgumentError(f"{name}: params is one tensor: pass a list, such as [w]")
        if not isinstance(params, Iterable):
            raise ArgumentError(
                f"{name}: params is a {type(params).__name__}: pass model.parameters() or a list"
            )
        self.params = list(params)
        if not self.params:
            raise ArgumentError(f"{name}: params is empty: pass model.parameters() or a list of tensors")
        for k, p in enumerate(self.params):
            if not isinstance(p, Tensor):
                raise ArgumentError(f"{name}: params[{k}] is a {type(p).__name__}: pass tensors")
            if not p.is_leaf or not p.requires_grad:
                raise GraphError(
                    f"{name}: params[{k}] is not a leaf that requires a gradient, so none will be left "
                    "in it: make it with requires_grad=True, and do not pass the result of an op"
                )
            if p.dtype not in (np.float32, np.float64):
                raise DTypeError(f"{name}: params[{k}] is {p.dtype}: float32 and float64 are updated")
            flags = p.detach().numpy().flags
            if not (flags.c_contiguous and flags.writeable):
                raise ArgumentError(
                    f"{name}: params[{k}] cannot be updated in place, because its memory is not "
                    "contiguous or not writable: make it with tensor(), which copies"
                )
        if len({id(p) for p in self.params}) != len(self.params):
            raise ArgumentError(f"{name}: a parameter was given twice, and would be updated twice")

    def zero_grad(self, set_to_none=True):
        """Forget the gradients, so that the next backward pass begins anew, or set them to 0."""
        forget_gradients(self.params, set_to_none)

    def remembered(self):
        """Return one array of zeros for each parameter, of its shape and dtype."""
        return [np.zeros(p.shape, p.dtype) for p in self.params]

    def step(self):
        """Update each parameter that has a gradient."""
        raise NotImplementedError


def checked(optimizer, **settings):
    """Raise if a setting ``name=(value, low, high)`` is not one with ``low <= value < high``."""
    for name, (value, low, high) in settings.items():
        if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
            raise ArgumentError(
                f"{type(optimizer).__name__}: {name} is {value!r}: it is a number"
            )
        if not low <= value < high:
            raise ArgumentError(
                f"{type(optimizer).__name__}: {name} is {value!r}: it lies from {low} to before {high}"
            )
