"""What the user's functions keep from call to call, and gradients that it makes wrong.

A backward that computes something in its first call, and never again, is right where that call was, and
wrong everywhere else.  It is found at another point, once with what the first calls have left behind, and
once as if nothing had been called before.
"""

import contextlib
import dis
import types

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.edits.guard import FAILED
from tinygrad_relu.gradcheck.diagnosis.reach import copied, is_filled, put_back, reachable, same, visited

# Arrays of more elements are data, and nothing that a call leaves behind for the next one; nor are so
# many elements of all arrays together.
MOST_ELEMENTS, MOST_IN_ALL = 100_000, 2_000_000
# How far the other point is away, in parts of the inputs; the first one that is in the domain is taken.
DISTANCES = (0.9, 0.3, 0.01)
# By how much of the inputs they are moved for a difference; within which part of each other two slopes
# are the same, and beyond which they are not.
STEP = {np.dtype(np.float64): 1e-5, np.dtype(np.float32): 3e-3, np.dtype(np.float16): 3e-2}
SAME = {np.dtype(np.float64): 1e-5, np.dtype(np.float32): 1e-2, np.dtype(np.float16): 5e-2}
NOT_SAME = 100.0
# To such a part of itself a function that has settled gives the same again.
SETTLED = 1e-9


class Snapshot:
    """What some functions have kept so far, and what the names around and outside of them stand for.

    Parameters
    ----------
    functions : iterable of callable
    """

    def __init__(self, functions):
        self.contents, elements = [], 0
        for x in reachable(functions):
            elements += x.size if isinstance(x, np.ndarray) else 0
            if not is_large(x) and elements <= MOST_IN_ALL:
                self.contents.append((x, copied(x)))
        users = [x for x in visited(functions) if type(x) is types.FunctionType]
        self.cells = [
            (cell, cell.cell_contents) for x in users for cell in x.__closure__ or () if is_filled(cell)
        ]
        self.globals = [
            (x.__globals__, name, x.__globals__.get(name, self))
            for x in users for name in written_names(x)
        ]

    def is_as_it_was(self):
        """Tell whether all is still what it was."""
        return (
            all(same(x, before) for x, before in self.contents)
            and all(is_filled(cell) and cell.cell_contents is before for cell, before in self.cells)
            and all(names.get(name, self) is before for names, name, before in self.globals)
        )

    def put_back(self):
        """Let all be what it was."""
        for cell, before in self.cells:
            cell.cell_contents = before
        for names, name, before in self.globals:
            if before is not self:
                names[name] = before
            else:
                names.pop(name, None)
        for x, before in self.contents:
            if not same(x, before):
                put_back(x, before)


@contextlib.contextmanager
def undone(functions):
    """Let the functions have afterwards what they have now, whatever calls leave behind."""
    now = Snapshot(functions)
    try:
        yield
    finally:
        now.put_back()


def kept_of_the_first_call(problem, cotangents):
    """Return the positions of inputs whose gradient is wrong for what the first call has left behind.

    Parameters
    ----------
    problem : Problem
    cotangents : list of ndarray
        One for each result.

    Returns
    -------
    list of int
        Empty if the functions keep nothing, or are not defined elsewhere.
    """
    functions = problem.functions()
    if problem.before.is_as_it_was():
        return []
    for point in elsewhere(problem.inputs):
        with undone(functions), contextlib.suppress(*FAILED):
            later = slopes(problem, point, cotangents)
            problem.before.put_back()
            first = slopes(problem, point, cotangents)
            if np.isfinite(later).all() and np.isfinite(first).all():
                apart = np.abs(later[0] - later[1]), np.abs(first[0] - first[1])
                scale = np.abs(first[0]) + np.abs(first[1])
                digits = np.array([SAME[x.dtype] for x in problem.inputs])
                wrong = (apart[0] > NOT_SAME * digits * scale) & (apart[1] <= digits * scale)
                return np.flatnonzero(wrong).tolist()
    return []


def elsewhere(inputs):
    """Yield other inputs, the farthest first; those at first have other signs, too."""
    rng = np.random.default_rng(1)
    moves = [rng.uniform(-1, 1, x.shape) for x in inputs]
    signs = [rng.choice([-1.0, 1.0], x.shape) for x in inputs]
    yield [
        (s * x * (1 + 0.5 * u) + 0.3 * u * (x == 0)).astype(x.dtype)
        for x, u, s in zip(inputs, moves, signs)
    ]
    for distance in DISTANCES:
        yield [(x * (1 + distance * u)).astype(x.dtype) for x, u in zip(inputs, moves)]


def slopes(problem, point, cotangents):
    """Return the slope along one direction of each input, by its gradient and by a difference.

    They are NaN where the function itself is another one after the calls, as one that starts its
    iterations from where the last ones ended: then neither says anything.
    """
    rng, before = np.random.default_rng(2), problem.forward(point)
    gradients = [np.array(g, np.float64) for g in problem.backward(point, cotangents)]
    found = []
    for k, (x, g) in enumerate(zip(point, gradients)):
        along = rng.uniform(0.5, 1.5, x.shape) * rng.choice([-1.0, 1.0], x.shape)
        step = STEP[x.dtype] * max(float(np.abs(x).max(initial=0)), 1e-300)
        sums = []
        for side in (1, -1):
            end = [*point[:k], (x + side * step * along).astype(x.dtype), *point[k + 1:]]
            results = problem.forward(end)
            sums.append(sum(float(np.sum(c * y)) for c, y in zip(cotangents, results)))
        found.append((float(np.sum(g * along)), (sums[0] - sums[1]) / (2 * step)))
    pairs = zip(before, problem.forward(point))
    same = all(np.allclose(a, b, rtol=SETTLED, atol=0, equal_nan=True) for a, b in pairs)
    return np.array(found).reshape(-1, 2).T if same else np.full((2, len(found)), np.nan)


def is_large(x):
    """Tell whether something is an array of data."""
    return isinstance(x, np.ndarray) and x.size > MOST_ELEMENTS


def written_names(function):
    """Return the names outside of it that a function writes to."""
    return {step.argval for step in dis.get_instructions(function) if step.opname == "STORE_GLOBAL"}
