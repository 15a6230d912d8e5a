"""The derivative of `relu` at exactly 0: any number from 0 to 1 is a subgradient, and one is chosen.

While the choice is 0 everywhere, ops do not look at it: those that follow it are diverted only while some
thread has chosen something else, or looks on (`observed_kinks`).
"""

import threading
from contextlib import contextmanager
from numbers import Real

from tinygrad_relu.errors import ArgumentError, RangeError

#: The ops whose derivative at the kink is the one chosen, and what answers for each of them meanwhile.
FOLLOWERS = {}


class _OfThread(threading.local):
    """What this thread has chosen within ``with`` blocks, and who looks on."""

    slope = None
    observer = None


_of_thread = _OfThread()
_lock = threading.Lock()
_default = 0.0
_blocks = 0     # how many are entered, in all threads


def checked_slope(name, slope):
    """Return a slope as a float, or raise."""
    if isinstance(slope, bool) or not isinstance(slope, Real):
        raise ArgumentError(f"{name}: the slope is {slope!r}: pass a number from 0 to 1")
    slope = float(slope)
    if not 0 <= slope <= 1:
        raise RangeError(
            f"{name}: the slope is {slope}: pass a number from 0 to 1, as no other one is a subgradient "
            "of relu at 0"
        )
    return slope


def divert_followers():
    """Divert the ops that follow the choice, if anybody asks for more than the plain ones."""
    for op, stand_in in FOLLOWERS.items():
        op.diversion = stand_in if _blocks > 0 or _default != 0 else None


def _enter(change):
    global _blocks
    with _lock:
        _blocks += change
        divert_followers()


def get_kink_slope():
    """Return the derivative of `relu` at 0 that is chosen in this thread.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.get_kink_slope()
    0.0
    """
    return _default if _of_thread.slope is None else _of_thread.slope


def set_kink_slope(slope):
    """Choose the derivative of `relu` at exactly 0, for all threads, from now on.

    Parameters
    ----------
    slope : float
        From 0 to 1; 0 is what it is at first.

    Notes
    -----
    It holds for `relu`, `linear_relu`, `relu_with_mask` and the modules made of them, at every order,
    and for what is recorded from now on.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.set_kink_slope(0.5)
    >>> x = tg.tensor(0.0, requires_grad=True)
    >>> tg.autograd.grad(tg.relu(x), x)
    (tensor(0.5, dtype=float64),)
    >>> tg.set_kink_slope(0)
    """
    global _default
    slope = checked_slope("set_kink_slope", slope)
    with _lock:
        _default = slope
        divert_followers()


class kink_slope:
    """Choose the derivative of `relu` at exactly 0 within a ``with`` block, in this thread.

    Parameters
    ----------
    slope : float
        From 0 to 1; see `set_kink_slope`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> x = tg.tensor(0.0, requires_grad=True)
    >>> with tg.kink_slope(1):
    ...     y = tg.relu(x)
    >>> tg.autograd.grad(y, x)
    (tensor(1., dtype=float64),)
    """

    def __init__(self, slope):
        self.slope = checked_slope("kink_slope", slope)
        self.before = []

    def __enter__(self):
        self.before.append(_of_thread.slope)
        _of_thread.slope = self.slope
        _enter(1)
        return self

    def __exit__(self, *error):
        _of_thread.slope = self.before.pop()
        _enter(-1)


@contextmanager
def observed_kinks(observer):
    """Let ``observer(x)`` see the input of each `relu` of this thread, and choose its slope at 0."""
    before = _of_thread.observer
    _of_thread.observer = observer
    _enter(1)
    try:
        yield
    finally:
        _of_thread.observer = before
        _enter(-1)


def slope_for(x, asked):
    """Return the slope at the kink for a call with input `x` that asked for a slope, or for None."""
    if asked is not None:
        asked = checked_slope("relu", asked)
    if _of_thread.observer is not None:
        return _of_thread.observer(x)
    return get_kink_slope() if asked is None else asked
