"""`Screen`: what a place has to be, as far as the gradients depend on it in a straight line.

Most of what a backward computes goes into its gradients linearly: then a few runs tell by how much each
number at a place moves each number of the gradients, and of all that might be written there only what
would put them right has to be run.
"""

import ast

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.edits.edit import Edit
from tinygrad_relu.gradcheck.diagnosis.edits.guard import FAILED, Unending, guarded
from tinygrad_relu.gradcheck.diagnosis.edits.program import located
from tinygrad_relu.gradcheck.diagnosis.edits.syntax import call, called, name
from tinygrad_relu.gradcheck.diagnosis.edits.values import is_float

# Of so many numbers at a place it is looked at what each one moves.
MOST = 144
# So close, in proportion, gradients have to come that may be right; a run decides.
CLOSE = 1e-5
# Of so many pairs it is looked at whether they fit in all elements.
MOST_PAIRS = 2000
# The name of ours in the text while a place is looked at.
PROBED = "_tinygrad_relu_probed"
#: Methods that change what they are called on.
CHANGING = ("pop", "popleft", "append", "extend", "update", "add", "sort", "fill")
INNER = (ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp, ast.Lambda)


class Screen:
    """The numbers at a place, and the gradients as linear functions of them.

    Parameters
    ----------
    search : Search
    place : Place

    Attributes
    ----------
    is_known : bool
        Whether the gradients depend on them linearly; if not, nothing can be said.
    values, names : list
        What the place is, and what all names are there, in each round.
    depends : set of str
        The names that are something else where the place was something else in a round before.
    """

    def __init__(self, search, place):
        self.search, self.place = search, place
        self.values, self.names, self.move, self.round = [], [], None, 0
        self.is_known, self.depends = False, None
        one = search.evidence[0]
        if all(x.dtype == np.float64 for x in one.analytic) and is_float(place.value):
            self.look()

    def look(self):
        """Fill in by how much each number moves each number of the gradients."""
        search, node = self.search, self.place.node
        probe = call(name(PROBED), node, call(name("locals")))
        told = search.text.program.globals
        told[PROBED] = self.probed
        try:
            with search.trying(Edit(None, 0.0, self.place, probe)):
                base = self.gradients()
                self.start = self.flat(self.values)
                if base is None or not 0 < self.start.size <= MOST:
                    return
                self.sizes = [np.size(x) for x in self.values]
                scale = np.abs(self.start).max() or 1.0
                columns = [self.moved_by(scale * row) for row in np.eye(self.start.size)]
                apart = scale * np.random.default_rng(0).uniform(0.5, 1.0, self.start.size)
                self.depends = set()
                together = self.moved_by(apart)
        finally:
            del told[PROBED]
        if together is None or any(column is None for column in columns):
            return
        self.matrix = (np.array(columns) - base) / scale
        straight = np.abs(apart @ self.matrix - (together - base)).max()
        self.is_known = bool(straight <= 1e-7 * np.abs(together - base).max(initial=1e-300))
        expected = np.concatenate([target.expected.ravel() for target in search.targets[0]])
        self.residue = expected - base
        ends = np.cumsum([target.expected.size for target in search.targets[0]])
        self.blocks = [slice(end - t.expected.size, end) for end, t in zip(ends, search.targets[0])]
        # One sum of each gradient, with weights that no mistake has, tells most of what does not fit.
        weights = np.random.default_rng(1).uniform(0.5, 1.0, ends[-1])
        self.sums = np.stack([self.matrix[:, b] @ weights[b] for b in self.blocks], axis=1)
        self.residue_sums = np.array([self.residue[b] @ weights[b] for b in self.blocks])
        self.largest = np.concatenate([
            np.full(t.expected.size, max(t.largest, np.abs(t.written).max(initial=0)))
            for t in search.targets[0]
        ])
        self.limits = np.array([(np.abs(self.residue) + self.largest)[b].sum() for b in self.blocks])

    def probed(self, x, names):
        """Return what a place is, moved by what is to be looked at."""
        number, self.round = self.round, self.round + 1
        if self.move is None:
            self.values.append(np.array(x, np.float64))
            self.names.append({key: copied(value) for key, value in names.items()})
            return x
        if self.depends is not None and number:
            before = self.names[number]
            self.depends |= {key for key, value in names.items() if not same(value, before.get(key))}
        return x + self.move[number].reshape(np.shape(x))

    def moved_by(self, move):
        """Return the gradients where the numbers at the place are moved; None if they cannot be had."""
        self.move = np.split(move, np.cumsum(self.sizes)[:-1])
        return self.gradients()

    def gradients(self):
        """Return all gradients in one row; None if they cannot be had."""
        search, self.round = self.search, 0
        search.left -= search.cost
        try:
            found = search.gradients(search.evidence[0])
        except FAILED:  # at numbers that it was not written for
            return None
        finally:
            search.kept.restore()
        shapes = [target.expected.shape for target in search.targets[0]]
        if any(x is None for x in found) or [np.shape(x) for x in found] != shapes:
            return None
        return np.concatenate([np.ravel(x) for x in found])

    @staticmethod
    def flat(values):
        """Return the values of all rounds in one row."""
        return np.concatenate([np.ravel(x) for x in values]) if values else np.zeros(0)

    def fits(self, moves):
        """Tell which moves, a row each, put some wrong gradient right, and spoil none that is right."""
        with np.errstate(all="ignore"):
            found = moves @ self.matrix
            off = np.abs(found - self.residue)
            close = off <= CLOSE * (np.abs(self.residue) + np.abs(found) + self.largest)
        fits, mends = np.ones(len(moves), bool), np.zeros(len(moves), bool)
        for k, block in enumerate(self.blocks):
            right = close[:, block].all(axis=1)
            if k in self.search.wrong:
                mends |= right
            else:
                fits &= right
        return fits & mends

    def suiting(self, moves):
        """Return which of many moves fit, by their numbers."""
        with np.errstate(all="ignore"):
            sums = moves @ self.sums - self.residue_sums
            near = np.abs(sums) <= CLOSE * (np.abs(moves) @ np.abs(self.sums) + self.limits)
        wrong = [k for k in range(len(self.blocks)) if k in self.search.wrong]
        others = [k for k in range(len(self.blocks)) if k not in self.search.wrong]
        likely = np.flatnonzero(near[:, wrong].any(axis=1) & near[:, others].all(axis=1))
        return likely[self.fits(moves[likely])]

    def suiting_pairs(self, moves):
        """Return which pairs of many moves fit together, as a list of two numbers each."""
        with np.errstate(all="ignore"):
            sums = moves @ self.sums
            sizes = np.abs(moves) @ np.abs(self.sums) + self.limits
            likely = np.ones((len(moves), len(moves)), bool)
            for k in range(len(self.blocks)):
                off = np.abs(sums[:, None, k] + sums[None, :, k] - self.residue_sums[k])
                likely &= off <= CLOSE * (sizes[:, None, k] + sizes[None, :, k])
        pairs = np.argwhere(np.triu(likely, 1))[:MOST_PAIRS]
        return [(a, b) for a, b in pairs.tolist() if self.fits((moves[a] + moves[b])[None])[0]]

    def may_be_right(self, new):
        """Tell whether an expression at the place may put a gradient right, as far as it can be told."""
        found = self.worked_out(new) if self.is_known else None
        return found is None or bool(self.fits((found - self.start)[None])[0])

    def is_uncertain(self, node):
        """Tell whether what an expression is cannot be told from what was seen."""
        if isinstance(node, ast.Name):
            return node.id in self.depends
        return isinstance(node, INNER) or (isinstance(node, ast.Call) and called(node) in CHANGING)

    def worked_out(self, node):
        """Return what an expression is at the place, all rounds in one row; None if it is no number."""
        found = self.seen(node)
        return None if found is None else self.spread(found)

    def seen(self, node):
        """Return what an expression is at the place in each round; None if it is no number, or unsure."""
        if any(map(self.is_uncertain, ast.walk(node))):
            return None
        located(node, self.search.text.program.tree)
        told = self.search.text.program.globals
        try:
            code = compile(ast.Expression(node), "edit", "eval")
            with guarded():
                return [np.asarray(eval(code, told, names), np.float64) for names in self.names]
        except Unending:
            self.search.pay_for_waiting()
            return None
        except FAILED:  # nothing that can stand there
            return None

    def spread(self, values):
        """Return values as one row, spread out to the shape of the place; None if they do not fit."""
        try:
            return self.flat([np.broadcast_to(x, y.shape) for x, y in zip(values, self.values)])
        except ValueError:
            return None


def same(x, other):
    """Tell whether two things of a user's are the same, as far as they are numbers."""
    if isinstance(x, list) and isinstance(other, list):
        return len(x) == len(other) and all(map(same, x, other))
    if isinstance(x, (np.ndarray, float, np.floating)):
        return np.shape(x) == np.shape(other) and np.array_equal(x, other, equal_nan=True)
    return True


def copied(x):
    """Return a copy of an array, or of a row of them."""
    if isinstance(x, np.ndarray):
        return x.copy()
    return [copied(one) for one in x] if isinstance(x, list) else x
