"""`Known`: arrays by their values, but for rounding."""

import bisect
from collections import defaultdict

import numpy as np


class Known:
    """Finds an array among many, by its product with random numbers.

    Parameters
    ----------
    arrays : dict of tuple to ndarray
        By what they are found as; of those that are the same, the first counts.

    Examples
    --------
    >>> import numpy as np
    >>> known = Known({("a",): np.array([1.0, 2.0]), ("b",): np.array([2.0, 1.0])})
    >>> known.find(np.array([2.0, 1.0 + 1e-14]))
    ('b',)
    """

    def __init__(self, arrays):
        self.weights, marked = {}, defaultdict(list)
        for place, (key, x) in enumerate(arrays.items()):
            marked[x.shape, x.dtype].append((self.mark(x), place, key, x))
        self.marked = {kind: sorted(found, key=lambda one: one[:2]) for kind, found in marked.items()}

    def mark(self, x):
        """Return a number that two arrays share if they are the same."""
        if x.shape not in self.weights:
            self.weights[x.shape] = np.random.default_rng(0).uniform(0.5, 1.5, x.shape)
        with np.errstate(all="ignore"):
            found = float(np.sum(x * self.weights[x.shape]))
        return found if np.isfinite(found) else 0.0

    def find(self, x):
        """Return as what an array is known, or None."""
        candidates = self.marked.get((x.shape, x.dtype), ())
        mark, size = self.mark(x), float(np.sum(np.abs(x))) if x.dtype.kind == "f" else x.size
        apart = 1e-8 * size + 1e-10
        first = bisect.bisect_left(candidates, mark - apart, key=lambda one: one[0])
        found = []
        for other, place, key, value in candidates[first:]:
            if other > mark + apart:
                break
            if same_values(value, x):
                found.append((place, key))
        return min(found)[1] if found else None


def same_values(a, b):
    """Tell whether two arrays are the same, but for rounding."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype.kind != "f":
        return np.array_equal(a, b)
    return bool((np.abs(a - b) <= 1e-9 * np.abs(b).max(initial=0) + 1e-12).all())
