"""`Kept`: what outlives a call of the user's functions, and has to stay while edits are tried."""

import ast
import contextlib
from collections import deque

import numpy as np


class Kept:
    """Arrays and containers that two calls have in common.

    Parameters
    ----------
    objects : iterable of (ndarray or list or dict or set)
    call : callable
        What they go through; an array that it leaves as it is, nobody may write to.
    program : Program
        Whose names outside of it stay, too: those that it declares global, and those around it.
    """

    def __init__(self, objects, call, program):
        self.contents = [(x, x.copy()) for x in objects]
        call()
        declared = {
            name for node in ast.walk(program.tree) if isinstance(node, ast.Global) for name in node.names
        }
        self.globals = program.globals
        self.named = {name: self.globals[name] for name in declared if name in self.globals}
        cells = [cell for function in program.functions for cell in function.__closure__ or ()]
        self.cells = [(cell, cell.cell_contents) for cell in cells if is_filled(cell)]
        self.arrays = [
            x for x, before in self.contents
            if isinstance(x, np.ndarray) and x.flags.writeable and same_bits(x, before)
        ]
        steady = {id(x) for x in self.arrays}
        self.contents = [(x, x.copy()) for x, _ in self.contents if id(x) not in steady]

    @contextlib.contextmanager
    def unwritable(self):
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
        self.globals.update(self.named)
        for cell, before in self.cells:
            cell.cell_contents = before
        for x, before in self.contents:
            if isinstance(x, np.ndarray):
                if x.flags.writeable:
                    np.copyto(x, before)
            elif isinstance(x, (list, bytearray)):
                x[:] = before
            elif isinstance(x, deque):
                x.clear()
                x.extend(before)
            else:
                x.clear()
                x.update(before)


def is_filled(cell):
    """Tell whether a name around a function has a value."""
    try:
        return cell.cell_contents is not cell
    except ValueError:  # it is defined later
        return False


def same_bits(a, b):
    """Tell whether two arrays are the same, NaN and all."""
    return a.shape == b.shape and a.tobytes() == b.tobytes()
