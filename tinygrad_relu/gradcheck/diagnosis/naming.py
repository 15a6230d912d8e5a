"""How values of the forward are called: what tells apart steps that one line of the user's makes.

A function that is called several times is told apart by the call that led there, and the rounds of a loop
by which of them it is.
"""

import linecache
from collections import Counter
from itertools import zip_longest
from pathlib import Path

import numpy as np

from tinygrad_relu.gradcheck.typesetting import clipped

# How many characters of the user's code are quoted.
LONGEST_QUOTE = 40


def described(graph, k):
    """Return how to call the value of a step: ``"the output of np.tanh (net.py:7)"``."""
    step = graph.steps[k]
    if step.function is None:
        if k in graph.inputs:
            return f"input {{{k}}}"
        same = [name for name, x in graph.data if x is step.value or np.array_equal(x, step.value)]
        return same[0] if len(same) == 1 else f"a constant array of shape {step.value.shape}"
    return f"the result of {step.name}" + (f" ({place_of(graph, step)})" if step.line else "")


# ------------------------------------------------------------------------------------ calls of one line


def place_of(graph, step):
    """Return the line of a step, and where there are others of its name, the call that led there."""
    if "places" not in graph.known:
        sites = {}
        for one in graph.steps:
            sites.setdefault((one.line, one.name), {})[one.site] = None
        graph.known["places"] = {
            (line, name, site): line + way
            for (line, name), all_sites in sites.items()
            for site, way in ways_to(list(all_sites)).items()
        }
    return graph.known["places"][step.line, step.name, step.site]


def ways_to(sites):
    """Return for each of several sites of one line what tells it from the others: an end of its name."""
    if len(sites) < 2:
        return dict.fromkeys(sites, "")
    # How often each frame is there, from the line itself outwards.
    columns = [Counter(frames) for frames in zip_longest(*sites)]
    found = {}
    for site in sites:
        apart = [(depth, frame) for depth, frame in enumerate(site) if len(columns[depth]) > 1]
        enough = [one for one in apart if columns[one[0]][one[1]] == 1][:1]
        found[site] = "".join(way_through(*one) for one in enough or apart)
    if len(set(found.values())) == len(sites):
        return found
    return {site: f", number {number} of {len(sites)} there" for number, site in enumerate(sites, 1)}


def way_through(depth, frame):
    """Return the words for one frame: ``", in sigmoid(c) on line 62"``, or the expression itself."""
    code, instruction = frame
    positions = list(code.co_positions())[instruction // 2]
    quote = quoted(code.co_filename, *positions)
    if depth == 0:
        return f": {quote}" if quote else ""
    where = f"line {positions[0]}"
    return f", in {quote} on {where}" if quote else f", from {Path(code.co_filename).name}:{positions[0]}"


def quoted(path, line, last_line, start, end):
    """Return the expression of the user's that stands somewhere on one line, or nothing."""
    if line is None or line != last_line or start is None or end is None:
        return ""
    text = linecache.getline(path, line).encode()[start:end].decode(errors="replace")
    return clipped(text, LONGEST_QUOTE)


# ---------------------------------------------------------------------------------------------- rounds


def told_apart(graph, members, owns, others):
    """Return how to call the values that are taken in the place of others, and these.

    Parameters
    ----------
    graph : Graph
    members, owns, others : sequence of int
        The steps of a group whose rule it is; for each of them the step whose value it has to take, and
        the one whose value it takes.
    """
    # Of a loop the last round: the first one often begins with zeros.
    pairs = [pair for pair in zip(owns, others) if pair[0] != pair[1]]
    own, other = pairs[-1] if pairs else (owns[0], others[0])
    words = described(graph, other), described(graph, own)
    if words[0] != words[1] or graph.steps[own].function is None or len(members) < 2:
        return words
    rounds = [which_round(graph, members, where) for where in (others, owns)]
    if rounds[0] == rounds[1] or not all(rounds):
        return words
    return f"{words[0]} {rounds[0]}", f"that {rounds[1]}"


def in_round(graph, members, where):
    """Return how to call the values that some steps have for those of the members of a group."""
    words = described(graph, where[-1])
    same_site = graph.steps[where[-1]].site == graph.steps[members[-1]].site
    late = which_round(graph, members, where) if len(members) > 1 and same_site else ""
    return f"{words} {late}" if late else words


def which_round(graph, members, where):
    """Return of which round steps are, as seen from those of a group: ``"of the round before"``."""
    own, those = rounds_of(graph, members[-1]), rounds_of(graph, where[-1])
    if len(set(where)) == 1 and len(those) > 1:
        return {0: "of the first round", len(those) - 1: "of the last round"}.get(those[where[0]], "")
    apart = [those[b] - own[a] for a, b in zip(members, where) if a in own and b in those]
    if not apart or len(own) != len(those):
        return ""
    backwards = [those.get(b) == len(those) - 1 - own[a] for a, b in zip(members, where) if a in own]
    if len(apart) > 2 and all(backwards):
        return "of the rounds in reverse order"
    by, times = Counter(apart).most_common(1)[0]
    if 2 * times < len(apart):
        return ""
    return rounds_away(by)


def rounds_away(by):
    """Return how to call a round that is some rounds later, or earlier."""
    return {0: "of the same round", 1: "of the round after", -1: "of the round before"}.get(
        by, f"from {abs(by)} rounds {'earlier' if by < 0 else 'later'}"
    )


def rounds_of(graph, k):
    """Return the number of the round of each step that the same instruction made as step `k`."""
    one = graph.steps[k]
    key = "rounds", one.site, one.function, one.part
    if key not in graph.known:
        graph.known[key] = {
            j: number for number, j in enumerate(
                j for j, step in enumerate(graph.steps)
                if (step.site, step.function, step.part) == key[1:]
            )
        }
    return graph.known[key]
