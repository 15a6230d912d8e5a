"""Windows that a loop cuts out, and margins that are padded: gradients that are put back elsewhere."""

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import described, links
from tinygrad_relu.gradcheck.diagnosis.step import assign_at, take_at

MOST_AXES = 4


def window_mutations(graph):
    """Yield the windows of a loop moved by one, or with their stride forgotten; margins cut elsewhere."""
    windows = {}
    for link in links(graph):
        if link.first.function is take_at and len(link.members) > 1:
            yield from put_back_elsewhere(link, windows)
        elif link.first.function is np.pad or (
            link.first.function is assign_at and link.first.paths[link.slot(link.members[0])] == (0, 2)
        ):
            yield from cut_elsewhere(link)
    for link in links(graph):
        if len(link.members) > 1 and len(link.first.references) == 2:
            yield from read_elsewhere(link, windows)


def starts_of(keys):
    """Return for each part of the keys of a loop that is a slice its starts; None if they differ more."""
    parts = [key if isinstance(key, tuple) else (key,) for key in keys]
    if len({len(p) for p in parts}) != 1 or any(Ellipsis in map(type, p) or None in p for p in parts):
        return None
    found = {}
    for n in range(len(parts[0])):
        column = [p[n] for p in parts]
        if all(isinstance(s, slice) and s.stop is not None and s.step in (None, 1) for s in column):
            pairs = [(s.start or 0, s.stop) for s in column]
            if min(min(pair) for pair in pairs) >= 0 and len({b - a for a, b in pairs}) == 1:
                found[n] = [a for a, _ in pairs], pairs[0][1] - pairs[0][0]
    return found


def moved_windows(keys, shape):
    """Yield the keys of a loop with other starts: what is wrong, and the keys."""
    found = starts_of(keys)
    if not found or len(found) > MOST_AXES:
        return
    strides = {n: stride for n, (starts, _) in found.items() if (stride := stride_of(starts)) > 1}
    for axes in [tuple(strides), *((n,) for n in strides)] if len(strides) > 1 else [tuple(strides)]:
        if axes:
            moved = {n: [a // strides[n] for a in found[n][0]] for n in axes}
            which = " and ".join(str(n) for n in axes)
            yield f"without the stride along axis {which}", exchanged(keys, found, moved)
    if any(len(set(starts)) > 1 for starts, _ in found.values()):
        for place in ("first", "middle"):
            where = {n: sorted(starts) for n, (starts, _) in found.items()}
            still = {n: a[0 if place == "first" else len(a) // 2] for n, a in where.items()}
            yield (
                f"all at the place of the {place} one",
                exchanged(keys, found, {n: [a] * len(keys) for n, a in still.items()}),
            )
    for n, (starts, length) in found.items():
        for by in (1, -1):
            moved = [a + by for a in starts]
            if min(moved) >= 0 and max(moved) + length <= shape[n]:
                yield f"{by:+d} place off along axis {n}", exchanged(keys, found, {n: moved})


def stride_of(starts):
    """Return the greatest common divisor of the places where windows start."""
    return int(np.gcd.reduce(starts))


def exchanged(keys, found, moved):
    """Return keys with other starts of some parts."""
    changed = []
    for number, key in enumerate(keys):
        parts = list(key) if isinstance(key, tuple) else [key]
        for n, starts in moved.items():
            parts[n] = slice(starts[number], starts[number] + found[n][1])
        changed.append(tuple(parts))
    return changed


def put_back_elsewhere(link, windows):
    """Yield the gradients of windows that go back to other places than those that they came from."""
    keys = [link.graph.steps[k].arguments[1] for k in link.members]
    shape = link.operand(link.members[0]).shape
    for words, moved in moved_windows(keys, shape):
        places = dict(zip(link.members, moved))
        windows.setdefault(words, {}).update(places)

        def rule(k, g, _, places=places):
            x = np.zeros(shape)
            x[places[k]] += g
            return x

        yield link.mutation(
            ("windows", words), Label.SHIFTED, 23.4, rule,
            f"the gradients of the windows of {described(link.graph, link.parent(link.members[0]))} are "
            f"added up at other places than those that they were cut out from: {words}",
        )


def read_elsewhere(link, windows):
    """Yield a product that takes other windows than those of the forward."""
    graph, other = link.graph, 1 - link.slot(link.members[0])
    if any(len(graph.steps[k].references) != 2 for k in link.members):
        return
    sources = {k: window_of(graph, graph.steps[k].references[other]) for k in link.members}
    for words, places in windows.items():
        if not all(source in places for source in sources.values()):
            continue

        def rule(k, g, _, places=places):
            operands, source = list(graph.steps[k].operands), sources[k]
            x = graph.steps[source].operands[0][places[source]]
            operands[other] = x.reshape(operands[other].shape)
            return graph.steps[k].pull(g, operands)[link.slot(k)]

        yield link.mutation(
            ("other windows", words), Label.SHIFTED, 23.6, rule,
            f"the rule of {link.first.name} takes other windows than the forward: {words}",
        )


def window_of(graph, k):
    """Return the step that cut out a window, before it was given another shape."""
    while graph.steps[k].function in (np.reshape, np.ravel) and graph.steps[k].references:
        (k,) = graph.steps[k].references
    return k


def cut_elsewhere(link):
    """Yield the margins of a padding cut off at one end only, or the gradient moved by a place."""
    small, large = link.operand(link.members[0]).shape, link.first.value.shape
    sent = link.right(link.members[0], np.arange(float(np.prod(large))).reshape(large))
    if len(link.members) > 1 or not sent.size or len(small) != len(large) or small == large:
        return
    right = np.unravel_index(int(sent.flat[0]), large)
    wrong = {
        "first": (0,) * len(small),
        "last": tuple(b - a for a, b in zip(small, large)),
        "both ends of the last axis only": (*(0,) * (len(small) - 1), right[-1]),
    }
    for words, starts in wrong.items():
        if tuple(map(int, starts)) == tuple(map(int, right)) or sent.flat[-1] - sent.flat[0] < 1:
            continue
        key = tuple(slice(a, a + n) for a, n in zip(starts, small))
        yield link.mutation(
            ("margins", words), Label.SHIFTED, 23.5, lambda k, g, _, key=key: g[key],
            f"of the gradient of {link.first.name} the {words} entries are taken, and not those between "
            "the margins" if words in ("first", "last") else
            f"the margins of {link.first.name} are cut off along the last axis only",
        )
