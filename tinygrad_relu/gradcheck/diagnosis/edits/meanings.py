"""What it means to write one value for another, as far as the values show it."""

import ast
import functools

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.edits.syntax import called
from tinygrad_relu.gradcheck.diagnosis.edits.values import is_array, is_float, is_value, is_whole
from tinygrad_relu.gradcheck.diagnosis.functions import two_values
from tinygrad_relu.gradcheck.diagnosis.known import Known, same_values
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.relations import Relation, comes_from, of_data, relation
from tinygrad_relu.gradcheck.diagnosis.sections import sections

#: Names of what says how many samples, or elements, there are.
COUNTING = ("len", "shape", "size", "float", "int")


def is_count(value, node):
    """Tell whether an expression says how many of something there are; two may be any factor."""
    if not (is_whole(value) or is_float(value)) or np.ndim(value) or value < 3 or value != int(value):
        return False
    if isinstance(node, ast.Constant):
        return False
    if isinstance(node, ast.BinOp):
        # The size of one sample, such as that of an image, is no number of them.
        return not of_three(node) and (is_count(value, node.left) or is_count(value, node.right))
    return is_whole(value) or (isinstance(node, ast.Call) and called(node) == "sum")


def are_counts(value):
    """Tell whether an array says of each of some groups how many are in it."""
    return is_array(value) and value.dtype.kind in "iu" and value.size > 1 and value.min() > 0


def of_three(node):
    """Tell whether an expression is a product of three or more."""
    return isinstance(node.op, ast.Mult) and isinstance(node.left, ast.BinOp) and (
        isinstance(node.left.op, ast.Mult)
    )


def is_ratio_of_counts(node):
    """Tell whether an expression divides how many of one thing there are by how many of another."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and all(
        called(side) in (*COUNTING, "sum") for side in (node.left, node.right)
    )


def is_mask(value):
    """Tell whether a value is an array that lets some elements through and not others."""
    if not is_array(value) or value.size < 2:
        return False
    return value.dtype.kind == "b" or 0 in (two_values(value) or ())


def inserted(ingredient):
    """Return what it means that a factor is to be put in."""
    value, node = ingredient.value, ingredient.node
    if is_count(value, node) or are_counts(value) or is_ratio_of_counts(node):
        return Label.AVERAGED
    if is_mask(ingredient.value) or (called(node) == "where" and 1 in (two_values(value) or ())):
        return Label.MASK_FORGOTTEN
    minus_one = is_value(ingredient.value) and not np.ndim(ingredient.value) and ingredient.value == -1
    return Label.WRONG_FUNCTION if minus_one else Label.MISSING_FACTOR


def exchanged(own, other):
    """Return what it means that one value has to be another, by their elements alone; None if unclear."""
    if own.shape != other.shape or not own.size:
        return None
    with np.errstate(all="ignore"):
        ratio = other / own
    finite = np.isfinite(ratio)
    if finite.all() and np.ptp(ratio) <= 1e-9 * np.abs(ratio).max():
        c = float(ratio.ravel()[0])
        if not c:
            return None
        if np.isclose(c, -1):
            return Label.WRONG_FUNCTION
        whole = max(abs(c), 1 / abs(c)) if c else 0.0
        counted = whole > 2.5 and abs(whole - round(whole)) < 1e-9
        return Label.AVERAGED if counted else Label.MISSING_FACTOR
    kept = other != 0
    if not kept.all() and own[~kept].any() and same_values(own[kept], other[kept]) and kept.any():
        return Label.MASK_FORGOTTEN
    if own.ndim == 2 and own.shape[0] == own.shape[1] and same_values(own, other.T):
        return Label.TRANSPOSED
    if same_values(np.sort(own, axis=None), np.sort(other, axis=None)) and own.size > 1:
        return Label.PERMUTED
    return None


def is_rearranged(value, around):
    """Tell whether an expression has the elements of what it is made of, and nothing else."""
    whole = around.value if around is not None and is_array(around.value) else np.zeros(0)
    return whole.size == value.size and same_values(np.sort(whole, axis=None), np.sort(value, axis=None))


def leaves_of(graph, k):
    """Return the inputs that a step of the forward is made of itself."""
    return {p for p in graph.steps[k].references if not graph.steps[p].references}


class Meanings:
    """What it means to write something for another thing, with what is known of the forward.

    Parameters
    ----------
    one : Evidence
        With its graph.
    """

    def __init__(self, one):
        self.one = one

    @functools.cached_property
    def known(self):
        """Known: The values and the right cotangents of the forward, and what these are added up of."""
        graph, right = self.one.graph, self.one.right
        # A function that returns its gradient, too, has steps that its result does not come of.
        used = {p for k in graph.live for p in (k, *graph.steps[k].references)}
        found = {("forward", k): graph.steps[k].value for k in sorted(used)}
        found |= {("cotangent", k): right[k] for k in graph.live}
        for k in graph.live:
            parts = graph.steps[k].pull(right[k]) if graph.steps[k].references else ()
            found |= {("part", k, slot): parts[slot] for slot, _ in graph.edges(k)}
        return Known({key: x for key, x in found.items() if x.size > 1 and x.dtype.kind == "f"})

    def is_known(self, value):
        """Tell whether a value is right, as far as the forward shows it."""
        known = self.one.graph is not None and is_array(value) and value.size > 1
        return known and self.known.find(value) is not None

    @functools.cached_property
    def sections(self):
        """list of Section: The elementwise functions of the forward."""
        return list(sections(self.one.graph))

    def role(self, value):
        """Return as what an array is known: a value of which step, or what goes back to which one."""
        found = self.known.find(value)
        if found is not None and found[0] == "part":
            return "cotangent", self.one.graph.steps[found[1]].references[found[2]]
        return found

    def is_forward(self, value):
        """Tell whether an array is a value of the forward."""
        if self.one.graph is None or not is_array(value) or value.size < 2:
            return False
        return (self.known.find(value) or ("",))[0] == "forward"

    def related(self, own, other):
        """Return how two arrays are related that are values of the forward; None if one is none."""
        pair = [self.known.find(x) if self.one.graph is not None else None for x in (own, other)]
        if not all(one is not None and one[0] == "forward" for one in pair):
            return None
        return relation(self.one.graph, pair[0][1], pair[1][1])

    def is_factor(self, own, other):
        """Tell whether an array is a factor of another one, or part of what makes it."""
        if self.related(own, other) is not Relation.FACTOR:
            return False
        return self.known.find(own)[1] < self.known.find(other)[1]

    def passed_over(self, given, meant):
        """Return what it means to use what goes back to one step for what goes back to another one."""
        graph = self.one.graph
        if meant < given and relation(graph, meant, given) is Relation.ACTIVATION:
            for section in self.sections:
                if section.starts[0] == meant and section.ends[0] == given:
                    stopped = 0 in (two_values(section.slopes[0]) or ())
                    return Label.MASK_FORGOTTEN if stopped else Label.MISSING_FACTOR
            return Label.MISSING_FACTOR
        same_line = graph.steps[given].site == graph.steps[meant].site and graph.steps[given].references
        passed = comes_from(graph, given, meant) and not same_line
        return Label.MISSING_FACTOR if passed else Label.STALE_BUFFER

    def of_exchange(self, place, own, other):
        """Return what it means that another value has to stand at a place, or None if it says nothing.

        Parameters
        ----------
        place : Place
        own, other : ndarray
        """
        if self.one.graph is None or own.dtype.kind != "f" or other.dtype.kind != "f":
            return None
        given, meant = self.role(own), self.role(other)
        if given is None or meant is None or given[0] != meant[0]:
            return None
        graph, (a, b) = self.one.graph, (given[1], meant[1])
        if given[0] == "cotangent":
            # What goes back to the operands of a sum is the same.
            alike = [k for k in graph.live if same_values(self.one.right[k], own)]
            near = [k for k in alike if comes_from(graph, max(k, b), min(k, b))]
            return self.passed_over(near[0], b) if near else Label.WRONG_FUNCTION
        same_line = graph.steps[a].site == graph.steps[b].site and graph.steps[a].references
        if same_line and leaves_of(graph, a) == leaves_of(graph, b):
            return Label.STALE_BUFFER
        late = graph.steps[max(a, b)]
        gated = late.function is np.multiply and not all(
            p == min(a, b) or comes_from(graph, p, min(a, b)) or graph.steps[p].references == [min(a, b)]
            for p in late.references  # also by a sign, through which nothing goes back
        )
        here = place.around if isinstance(place.parent, ast.UnaryOp) and place.around else place
        inside = isinstance(here.parent, ast.Call) and len(here.parent.args) == 1
        inside = inside and not is_rearranged(own, place.around)
        passed = Label.WRONG_FUNCTION if inside else Label.PRE_ACTIVATION
        related = relation(graph, a, b)
        if related is Relation.ACTIVATION and not gated:
            return passed
        if is_mask(own) and is_mask(other):
            return Label.MASK_FROM_WRONG_TENSOR
        if related is Relation.NORMALISED:
            return passed
        if not graph.steps[a].flows and not graph.steps[b].flows and own.shape == other.shape:
            return of_data(other, own)
        return None
