"""`Kept`: what outlives a call of the user's functions, and has to stay while edits are tried."""

import contextlib

import numpy as np


class Kept:
    """Arrays and containers that two calls have in common.

    Parameters
    ----------
    objects : iterable of (ndarray or list or dict or set)
    call : callable
        What they go through; an array that it leaves as it is, nobody may write to.
    """

    def __init__(self, objects, call):
        self.contents = [(x, x.copy()) for x in objects]
        call()
        self.arrays = [
            x for x, before in self.contents
            if isinstance(x, np.ndarray) and x.flags.writeable and same_bits(x, before)
        ]
        steady = {id(x) for x in self.arrays}
        self.contents = [(x, x.copy()) for x, _ in self.contents if id(x) not in steady]

    @contextlib.contextmanager
    def guarded(self):
        """While edits are tried, let nobody write to arrays that are only read."""
        try:
            for x in self.arrays:
                x.flags.writeable = False
            yield
        finally:
            for x in self.arrays:
                x.flags.writeable = True
            self.restore()

    def restore(self):
        """Put back what a try has changed."""
        for x, before in self.contents:
            if isinstance(x, np.ndarray):
                if x.flags.writeable:
                    np.copyto(x, before)
            elif isinstance(x, list):
                x[:] = before
            else:
                x.clear()
                x.update(before)


def same_bits(a, b):
    """Tell whether two arrays are the same, NaN and all."""
    return a.shape == b.shape and a.tobytes() == b.tobytes()
