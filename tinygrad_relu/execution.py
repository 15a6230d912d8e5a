"""What PyTorch lets a script choose about how it computes, and what is fixed here."""

from tinygrad_relu.engine import Device, checked_call, checked_device
from tinygrad_relu.errors import ArgumentError

PRECISIONS = ("highest", "high", "medium")


@checked_call
def compile(model=None, **options):
    """Return a module or function as it is: its kernels are compiled already.

    Parameters
    ----------
    model : callable, optional
        Without one, what is returned does the same, as a decorator with options.
    **options
        Accepted as in PyTorch: `fullgraph`, `dynamic`, `backend`, `mode`, `options`, `disable`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> @tg.compile
    ... def f(x):
    ...     return x * 2
    >>> f(tg.ones(1))
    tensor([2.], dtype=float64)
    """
    known = {"fullgraph", "dynamic", "backend", "mode", "options", "disable"}
    if options.keys() - known:
        raise ArgumentError(
            f"compile: unknown option {min(options.keys() - known)!r}: the ones are {', '.join(sorted(known))}"
        )
    return (lambda function: function) if model is None else model


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
