"""Whether this thread records: `no_grad`, `enable_grad`, `set_grad_enabled`."""

import inspect
import threading
from contextlib import ContextDecorator

from tinygrad_relu.engine import recording, set_recording
from tinygrad_relu.errors import ArgumentError


class _Mode(ContextDecorator):
    """Sets a mode on entry, and what it was on exit; can be entered again while it is entered."""

    def __init__(self, mode):
        self.mode = mode
        self.before = []

    def __call__(self, function):
        """Decorate a function."""
        if inspect.isgeneratorfunction(function):
            raise ArgumentError(
                f"{function.__name__} is a generator, which runs after the decorator is done: write "
                "the mode as a with block inside of it"
            )
        return super().__call__(function)

    def _recreate_cm(self):
        # A decorated function may run in several threads at once, each with a mode of its own.
        return _Mode(self.mode)

    def __enter__(self):
        self.before.append(set_recording(self.mode))
        return self

    def __exit__(self, *error):
        set_recording(self.before.pop())


def _mode(mode, function):
    return _Mode(mode) if function is None else _Mode(mode)(function)


def no_grad(function=None):
    """Record nothing, within a ``with`` block or a decorated function.

    Results have ``requires_grad=False``, and tensors may be changed in place.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> w = tg.tensor([1.0], requires_grad=True)
    >>> with tg.no_grad():
    ...     w -= 0.5
    >>> w
    tensor([0.5], dtype=float64, requires_grad=True)
    """
    return _mode(False, function)


def enable_grad(function=None):
    """Record again, within a ``with`` block or a decorated function inside of `no_grad`."""
    return _mode(True, function)


class set_grad_enabled(_Mode):
    """Record or not from now on, or, used with ``with``, until the end of the block.

    Parameters
    ----------
    mode : bool
    """

    def __init__(self, mode):
        super().__init__(mode)
        self.outside = set_recording(mode)

    def __enter__(self):
        set_recording(self.mode)
        self.before.append(self.outside)
        return self

    def __call__(self, function):
        """Decorate a function, and leave the mode outside of it as it was before."""
        set_recording(self.outside)
        return _Mode(self.mode)(function)


def is_grad_enabled():
    """Tell whether this thread records."""
    return recording()


_inference = threading.local()


class inference_mode(_Mode):
    """As `no_grad`, and says so: for code that computes nothing to be differentiated.

    Parameters
    ----------
    mode : bool, default True

    Notes
    -----
    PyTorch refuses to use its results where something is recorded later; here they are ordinary tensors,
    and constants there.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> w = tg.tensor([1.0], requires_grad=True)
    >>> with tg.inference_mode():
    ...     y = w * 2
    >>> y.requires_grad
    False
    """

    def __new__(cls, mode=True):
        # As a decorator without parentheses.
        return inference_mode()(mode) if callable(mode) else super().__new__(cls)

    def __init__(self, mode=True):
        super().__init__(not mode)
        self.entered = []

    def _recreate_cm(self):
        return inference_mode(not self.mode)

    def __enter__(self):
        self.entered.append(is_inference_mode_enabled())
        _inference.on = not self.mode
        # Without the mode, recording is what it was.
        self.before.append(set_recording(self.mode and recording()))
        return self

    def __exit__(self, *error):
        _inference.on = self.entered.pop()
        super().__exit__(*error)


def is_inference_mode_enabled():
    """Tell whether this thread is in `inference_mode`."""
    return getattr(_inference, "on", False)
