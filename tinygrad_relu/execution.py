"""What PyTorch lets a script choose about how it computes, and what is fixed here."""

from tinygrad_relu.engine import Device, checked_call, checked_device
from tinygrad_relu.errors import ArgumentError

PRECISIONS = ("highest", "high", "medium")


@checked_call
def compile(
    model=None, *, fullgraph=False, dynamic=None, backend="inductor", mode=None, options=None,
    disable=False,
):
    """Return a module or function as it is: its kernels are compiled already.

    Parameters
    ----------
    model : callable, optional
        Without one, what is returned does the same, as a decorator with options.
    fullgraph, dynamic, backend, mode, options, disable : optional
        Accepted as in PyTorch, and without effect.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> @tg.compile
    ... def f(x):
    ...     return x * 2
    >>> f(tg.ones(1))
    tensor([2.], dtype=float64)
    """
    if model is None:
        return lambda function: function
    if not callable(model):
        raise ArgumentError(f"compile: model is a {type(model).__name__}: pass a module or a function")
    return model


@checked_call
def set_float32_matmul_precision(precision):
    """Accept "highest", "high" or "medium": products are as exact as "highest" in any case."""
    if precision not in PRECISIONS:
        raise ArgumentError(
            f"set_float32_matmul_precision: {precision!r}: the ones are {', '.join(PRECISIONS)}"
        )


def get_float32_matmul_precision():
    """Return "highest"."""
    return "highest"


@checked_call
def use_deterministic_algorithms(mode, *, warn_only=False):
    """Accept True or False: the same calls give the same bits in any case."""


def are_deterministic_algorithms_enabled():
    """Return True."""
    return True


@checked_call
def set_default_device(device):
    """Accept ``"cpu"``, and raise for any other device."""
    checked_device("set_default_device", device)


def get_default_device():
    """Return ``"cpu"``."""
    return Device()
