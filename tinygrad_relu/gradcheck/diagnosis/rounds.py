"""Loops with a round too few on the way back: terms that are left out, overwritten or averaged."""

from collections import defaultdict
from itertools import pairwise

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import Mutation, described, links
from tinygrad_relu.gradcheck.diagnosis.recomputation import Recomputation
from tinygrad_relu.gradcheck.diagnosis.relations import STRAIGHT
from tinygrad_relu.gradcheck.diagnosis.trace import Change

# So many rounds are left out one by one; of longer loops only ends and rows.
MOST_ROUNDS = 24


def round_mutations(graph):
    """Yield the terms of loops into one earlier step without those of some rounds."""
    terms = defaultdict(list)
    for link in links(graph):
        if len(link.members) > 1:
            for k in link.members:
                terms[link.path, link.members, link.parent(k)].append((link, k))
    for key, found in terms.items():
        if len(found) > 1:
            yield from lone_rounds(graph, key, found)
            yield from lost_rounds(graph, key, found)
            yield averaged_rounds(graph, key, found)
    yield from lost_starts(graph)
    yield from never_handed_on(graph)
    yield from kept_from_round_to_round(graph)
    yield from turned_round(graph)
    yield from of_the_last_round(graph)
    for link in links(graph):
        if 1 < len(link.members) <= MOST_ROUNDS:
            yield from cut_in_time(link)


def turned_round(graph):
    """Yield loops whose rules have the values of the rounds in the opposite order."""
    groups = defaultdict(list)
    for link in links(graph):
        shapes = {tuple(x.shape for x in graph.steps[k].operands) for k in link.members}
        if len(link.members) > 2 and len(shapes) == 1 and len(link.first.operands) > 0:
            groups[len(link.members)].append(link)
    for count, found in groups.items():
        changes = [
            change for link in found
            for change in link.exchanged(
                lambda k, g, _, link=link: graph.steps[k].pull(
                    g, graph.steps[link.members[-1 - link.members.index(k)]].operands
                )[link.slot(k)]
            )
        ]
        yield Mutation(
            ("turned", count), Label.PERMUTED, 24.9, changes,
            f"the {count} rounds of the loop have each other's values, the first those of the last: does "
            "the backward go through what was kept from its end?",
            found[0].first.line, found[0].first.name,
        )


def of_the_last_round(graph):
    """Yield functions of a loop whose rules have, in each round, what the last one left behind."""
    for members in graph.places():
        step, last = graph.steps[members[0]], graph.steps[members[-1]]
        alike = all(graph.steps[k].value.shape == last.value.shape for k in members)
        if len(members) > 1 and alike and step.elementwise and step.function not in STRAIGHT:
            yield from left_behind(graph, members, last)


def left_behind(graph, members, last):
    """Yield the rules of a group with the operands of its last step, and with its result for all."""
    words = f"the rule of {last.name} has in each round what the last round left behind"
    changes = [
        Change(k, p, lambda g, _, k=k, slot=slot: last.pull(g, last.operands)[slot]
               - graph.steps[k].pull(g)[slot])
        for k in members for slot, p in graph.edges(k)
    ]
    yield Mutation(
        ("last", members), Label.STALE_BUFFER, 23.7, changes, f"{words}: keep the values of each round",
        last.line, last.name,
    )
    rules = {k: lambda g: last.pull(g, last.operands) for k in members}
    yield Recomputation(graph, {k: lambda _: last.value for k in members}, rules).mutation(
        ("last", members), Label.STALE_BUFFER, 23.8,
        f"{words}, and so have all that use its result: is one array filled again and again, and not "
        "copied?", members[0],
    )


def kept_from_round_to_round(graph):
    """Yield gradients of what a loop hands on, added once more to that of the round before."""
    rounds = defaultdict(list)
    for k in graph.live:
        if graph.steps[k].references:
            rounds[graph.steps[k].site, graph.steps[k].function, graph.steps[k].value.shape].append(k)
    for found in rounds.values():
        if 1 < len(found) <= MOST_ROUNDS:
            step = graph.steps[found[0]]
            yield Mutation(
                ("kept", tuple(found)), Label.EXTRA_TERM, 24.3,
                [Change(late, early, lambda g, _: g) for early, late in pairwise(found)],
                f"the gradient of {described(graph, found[0])} is added to that of the round before, "
                "too: is it added up (+=) where it should be set (=)?",
                step.line, step.name,
            )


def scaled_rounds(found, parent, rounds, c):
    """Return the changes that take some rounds `c` times more."""
    return [
        Change(k, parent, lambda g, _, link=link, k=k: c * link.right(k, g))
        for link, k in (found[r] for r in rounds)
    ]


def lone_rounds(graph, key, found):
    """Yield the last or the first round alone: overwritten where it is to be added."""
    path, members, parent = key
    step = graph.steps[members[0]]
    for word, kept in (("first", 0), ("last", len(found) - 1)):
        others = [r for r in range(len(found)) if r != kept]
        yield Mutation(
            ("lone", word, path, members, parent), Label.MISSING_TERM, 23,
            scaled_rounds(found, parent, others, -1),
            f"of the {len(found)} terms that {step.name} sends back to {described(graph, parent)}, only "
            f"that of the {word} round is kept: add them up (+=) instead of overwriting",
            step.line, step.name,
        )


def lost_rounds(graph, key, found):
    """Yield one round, or a row of an inner loop, left out: a range that is one too short."""
    path, members, parent = key
    step = graph.steps[members[0]]
    for rounds in some_rounds(len(found)):
        which = ", ".join(str(r + 1) for r in rounds[:4]) + (", ..." if len(rounds) > 4 else "")
        yield Mutation(
            ("lost", rounds, path, members, parent), Label.MISSING_TERM, 23.2 + 0.01 * len(rounds),
            scaled_rounds(found, parent, rounds, -1),
            f"of the {len(found)} terms that {step.name} sends back to {described(graph, parent)}, "
            f"{len(rounds)} {'is' if len(rounds) == 1 else 'are'} left out (of round {which}): does the "
            "loop of the backward run over all rounds?",
            step.line, step.name, kind=("lost", rounds, len(found), parent),
        )


def some_rounds(count):
    """Yield the rounds that a range off by one leaves out: of a loop, or of one of two in each other."""
    seen = set()
    found = [(r,) for r in range(count)] if count <= MOST_ROUNDS else [(0,), (count - 1,)]
    for n in range(2, count):
        if count % n == 0:
            found += [tuple(range(0, count, n)), tuple(range(n - 1, count, n))]
        found += [tuple(range(n)), tuple(range(n, count))] if count <= MOST_ROUNDS else []
    for rounds in found:
        if rounds not in seen and len(rounds) < count:
            seen.add(rounds)
            yield rounds


def averaged_rounds(graph, key, found):
    """Return the mean of the terms of all rounds, in the place of their sum."""
    path, members, parent = key
    step = graph.steps[members[0]]
    return Mutation(
        ("averaged rounds", path, members, parent), Label.AVERAGED, 23.5,
        scaled_rounds(found, parent, range(len(found)), 1 / len(found) - 1),
        f"the {len(found)} terms that {step.name} sends back to {described(graph, parent)} are averaged, "
        "and have to be summed",
        step.line, step.name,
    )


def lost_starts(graph):
    """Yield the start of what loops hand on without the gradient that the first round has for it."""
    uses = defaultdict(list)
    for link in links(graph):
        handed_on = tuple(link.parent(k) for k in link.members)
        if len(set(handed_on)) > 1:
            uses[handed_on[0], handed_on[1:]].append(link)
    for (start, _), found in uses.items():
        if len(found) > 1:
            step = found[0].first
            yield Mutation(
                ("lost start", start, tuple((link.members, link.path) for link in found)),
                Label.MISSING_TERM, 23.3,
                [Change(link.members[0], start, lambda g, _, link=link: -link.right(link.members[0], g))
                 for link in found],
                f"{described(graph, start)} is what the loop starts with, too, and gets nothing for that",
                step.line, step.name,
            )


def never_handed_on(graph):
    """Yield loops whose rounds get nothing from the next one, by all of its uses of what it is handed."""
    rounds = defaultdict(list)
    for k in graph.live:
        if graph.steps[k].references:
            rounds[graph.steps[k].site, graph.steps[k].function].append(k)
    for found in rounds.values():
        handed_on = {*found}
        lead = {*found}
        for k in reversed(graph.live):
            if k in lead:
                lead |= {p for _, p in graph.edges(k)}
        uses = [(k, slot, p) for k in sorted(lead) for slot, p in graph.edges(k) if p in handed_on]
        later = [use for use in uses if use[0] >= next_round(rounds, found, use[2])]
        for number, lost in enumerate([uses, later] if len(later) < len(uses) else [uses]):
            if len(found) > 1 and len({graph.steps[k].site for k, _, _ in lost}) > 1:
                step = graph.steps[found[0]]
                yield Mutation(
                    ("never handed on", tuple(found), number), Label.MISSING_TERM, 23.35,
                    [Change(k, p, lambda g, _, k=k, slot=slot: -graph.steps[k].pull(g)[slot])
                     for k, slot, p in lost],
                    f"{described(graph, found[0])} gets nothing from the next round of the loop: is its "
                    "gradient set (=) in each round where it has to be added to (+=)?",
                    step.line, step.name,
                )


def next_round(rounds, found, k):
    """Return the first step of the round after that of step `k`, of a loop of as many rounds."""
    at = found.index(k) + 1
    same = (others for others in rounds.values() if len(others) == len(found))
    return min((others[at] for others in same if at < len(others)), default=k + 1)


def cut_in_time(link):
    """Yield one round of a loop that hands nothing on to the round before it."""
    parents = [link.parent(k) for k in link.members]
    if len(set(parents)) == 1:
        return
    for number, k in enumerate(link.members):
        yield Mutation(
            ("cut", k, link.path), Label.MISSING_TERM, 23.4,
            [Change(k, link.parent(k), lambda g, _, k=k: -link.right(k, g))],
            f"in round {number + 1} of {len(parents)} nothing goes back through {link.first.name} to "
            f"{described(link.graph, link.parent(k))}: is a step of the loop left out?",
            link.first.line, link.first.name,
        )
