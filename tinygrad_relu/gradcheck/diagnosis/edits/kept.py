"""`Kept`: what outlives a call of the user's functions, and has to stay while edits are tried."""

import ast
import contextlib
import types

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.reach import (
    copied,
    is_filled,
    names_in,
    put_back,
    reachable,
    same,
    visited,
)

# So many things are kept that a call leaves as they are.
MOST_STEADY = 300


class Kept:
    """Arrays, containers and attributes that two calls have in common.

    Parameters
    ----------
    objects : iterable
        What the functions have at hand: all that can be reached from there is kept.
    call : callable
        What they go through; an array that it leaves as it is, nobody may write to.
    program : Program
        Whose names outside of it stay, too: those that it declares global, and those around it.
    """

    def __init__(self, objects, call, program):
        # Of a module's names only those that are declared are put back: others come and go, ours too.
        contents = [(x, copied(x)) for x in reachable(objects) if x is not program.globals]
        call()
        declared = {
            name for node in ast.walk(program.tree) if isinstance(node, ast.Global) for name in node.names
        }
        self.globals = program.globals
        self.named = {name: self.globals[name] for name in declared if name in self.globals}
        cells = [cell for function in program.functions for cell in function.__closure__ or ()]
        self.cells = [(cell, cell.cell_contents) for cell in cells if is_filled(cell)]
        steady = [same(x, before) for x, before in contents]
        arrays = [
            pair for pair, stays in zip(contents, steady)
            if stays and isinstance(pair[0], np.ndarray) and pair[0].flags.writeable
        ]
        changed = [x for (x, _), stays in zip(contents, steady) if not stays]
        self.arrays = with_bases([x for x, _ in arrays], {id(x) for x in changed})
        # `np.add.at`, and its like, write to what may not be written to.
        self.written_at = arrays if any(map(writes_at, visited(objects))) else []
        others = [
            pair for pair, stays in zip(contents, steady) if stays and not isinstance(pair[0], np.ndarray)
        ]
        self.contents = [(x, copied(x)) for x in changed]
        self.contents += others[:MOST_STEADY]

    @contextlib.contextmanager
    def unwritable(self):
        """While edits are tried, let nobody write to arrays that are only read."""
        try:
            self.let_write(False)
            yield
        finally:
            self.restore()
            self.let_write(True)

    def let_write(self, may):
        """Let arrays be written to, or not; what owns its memory comes before what looks into it."""
        for x in self.arrays:
            x.flags.writeable = may

    def restore(self):
        """Put back what a try has changed."""
        self.globals.update(self.named)
        for cell, before in self.cells:
            cell.cell_contents = before
        for x, before in self.contents:
            put_back(x, before)
        spoilt = [(x, before) for x, before in self.written_at if not same(x, before)]
        if spoilt:
            self.let_write(True)
            for x, before in spoilt:
                put_back(x, before)
            self.let_write(False)


def with_bases(arrays, changing):
    """Return arrays and those into whose memory they look, these first, but for what has to change."""
    found = {}
    for x in arrays:
        row = [x]
        while isinstance(row[0].base, np.ndarray):
            row.insert(0, row[0].base)
        found.update({id(one): (depth, one) for depth, one in enumerate(row)})
    wanted = [
        pair for key, pair in found.items() if key not in changing and pair[1].flags.writeable
    ]
    return [x for _, x in sorted(wanted, key=lambda pair: pair[0])]


def writes_at(x):
    """Tell whether something is a function that may call a method ``at``."""
    return isinstance(x, types.FunctionType) and "at" in names_in(x.__code__)
