"""Masks that are made of nothing that is at hand: some elements pass, others do not."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.functions import two_values
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import described
from tinygrad_relu.gradcheck.diagnosis.sections import sections

MOST_SECTIONS = 24
# So many elements do not agree by chance.
FEW = 3


def unseen_masks(evidence, k):
    """Yield what a gradient is if it is 0, or what an open gate would give: label, cost, words, details.

    Parameters
    ----------
    evidence : list of Evidence
    k : int
        The input.
    """
    if any(one.graph is None for one in evidence):
        return
    found = zip(*[gates(one.graph) for one in evidence], strict=False)
    for alike in list(found)[:MOST_SECTIONS]:
        if all(under_some_mask(one, k, section) for one, section in zip(evidence, alike)):
            name, graph = alike[0].name, alike[0].graph
            yield (
                Label.MASK_FROM_WRONG_TENSOR, 26.8,
                f"is under another mask than that of {name} ({graph.steps[alike[0].ends[0]].line}) on "
                f"{described(graph, alike[0].starts[0])}: is it drawn anew, or made of something else?",
                {},
            )


def gates(graph):
    """Return the sections that let elements through, or not."""
    return [
        section for section in sections(graph)
        if 0 in (two_values(np.concatenate([np.ravel(s) for s in section.slopes])) or ())
    ]


def under_some_mask(one, k, section):
    """Tell whether each element of a gradient is 0, or what it is where all is open; there are both."""
    high = max(np.max(s) for s in section.slopes)
    changes = section.exchanged(lambda j, _: np.full(section.slopes[j].shape, high))
    moved = one.graph.spread(changes, one.right)[k]
    passing, given, allowed = one.expected[k] + moved, one.analytic[k], one.allowed[k]
    shut = np.abs(given) <= allowed
    is_open = (np.abs(given - passing) <= allowed) & ~shut
    alive = np.abs(passing) > allowed
    if not (shut | is_open).all() or given.shape != passing.shape:
        return False
    return np.count_nonzero(is_open) >= FEW and np.count_nonzero(shut & alive) >= FEW
