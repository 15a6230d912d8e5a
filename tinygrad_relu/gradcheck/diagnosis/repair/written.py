"""`Written`: the user's backward, with all the places at which one mistake may be made."""

import functools
import itertools
from collections import defaultdict

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.indices import is_index, parts_of
from tinygrad_relu.gradcheck.diagnosis.numbers import is_number
from tinygrad_relu.gradcheck.diagnosis.operands import is_pair
from tinygrad_relu.gradcheck.diagnosis.repair.doubts import Doubts
from tinygrad_relu.gradcheck.diagnosis.repair.rewrite import REDUCTIONS
from tinygrad_relu.gradcheck.diagnosis.step import add_at, assign_at, take_at

# Of such calls two may have each other's operands, if they are so many steps apart at most.
EXCHANGED, CLOSE, MOST_EXCHANGED = (np.multiply, np.matmul, np.dot, add_at, assign_at), 24, 200
# A line such as ``x[key] += y`` has up to so many steps.
OF_ADDITION = 3
# Of so many places with one number all pairs are tried.
MOST_SITES = 6


class Written(Doubts):
    """A backward with the groups of steps that are written otherwise together."""

    @functools.cached_property
    def groups(self):
        """list of tuple of int: The steps of all rounds that give one variable a value, in order."""
        found = {}
        for k in self.before(self.outputs):
            if self.steps[k].references:
                found.setdefault((self.steps[k].site, self.steps[k].function), []).append(k)
        return [tuple(members) for members in found.values() if len(members) > 1]

    @functools.cached_property
    def repeated(self):
        """set of int: The steps whose instruction is at work several times."""
        return {k for members in self.groups for k in members}

    def chain(self, members):
        """Return the states of a loop whose rounds end with some steps, with the one that it starts from.

        None if the rounds do not go on from each other.
        """
        for j, k in itertools.pairwise(members):
            if j not in self.before([k]):
                return None
        site, own = {}, {*members}
        for k in sorted(self.before(self.outputs)):
            for path, p in zip(self.steps[k].paths, self.steps[k].references):
                key = self.steps[k].site, self.steps[k].function, path
                # What takes the state of the round before takes in the first round what it starts from.
                if p == members[0] and key in site and site[key] not in own:
                    return (site[key], *members)
                site.setdefault(key, p)
        return None

    @functools.cached_property
    def twins(self):
        """list of tuple of int: The steps that call one function in the same way, at several places.

        Who is wrong about an axis is so in each of the sums along it; or in all of one softmax, say, for
        which a maximum and a sum are taken.
        """
        found = {}
        for k in self.own:
            step = self.steps[k]
            settings = str((step.arguments[1:], step.keywords))
            found.setdefault((step.function, step.operands[0].ndim, settings), []).append(k)
            if step.function in REDUCTIONS:
                call = step.site[0][0], step.site[1:]
                found.setdefault((call, step.operands[0].shape, settings), []).append(k)
        return sorted({tuple(members) for members in found.values() if len(members) > 1})

    @functools.cached_property
    def lines(self):
        """list of tuple of int: The steps that take or put something, of one line, array or key."""
        found, additions = defaultdict(list), defaultdict(list)
        for k in self.own:
            step = self.steps[k]
            if step.function not in (take_at, assign_at, add_at):
                continue
            found["line", step.line].append(k)
            additions[step.line, self.filled(k)].append(k)
            base, key = self.steps[step.references[0]], step.arguments[1]
            if base.references:
                found["array", step.function, base.site, base.function].append(k)
            if is_pair(key):
                found["pairs"].append(k)
            for part in filter(is_index, parts_of(key)):
                found["indices", part.shape, part.tobytes()].append(k)
        for members in additions.values():
            # What ``x[key] += y`` takes and puts, by itself and in all rounds.
            if 1 < len(members) <= OF_ADDITION:
                found["addition", members[0]] += members
                found["additions", *(self.steps[k].site for k in members)] += members
        return sorted({tuple(members) for members in found.values() if len(members) > 1})

    def filled(self, k):
        """Return the array that a step takes from or puts into, as it was before its line."""
        line, base = self.steps[k].line, self.steps[k].references[0]
        while all(self.steps[j].line == line for j in range(base, k)) and self.steps[base].references:
            k, base = base, self.steps[base].references[0]
        return base

    @functools.cached_property
    def shared(self):
        """dict of tuple to int: The steps of one line that take the same value, and whose it is."""
        found = {}
        for k in self.own:
            for p in {*self.steps[k].references}:
                found.setdefault((self.steps[k].line, p), []).append(k)
        return {tuple(members): p for (_, p), members in found.items() if len(members) > 1}

    @functools.cached_property
    def sums_at_indices(self):
        """list of tuple of int: All that is written at indices, if it is done more than once."""
        found = tuple(k for k in self.own if self.steps[k].function is assign_at)
        return [found] if len(found) > 1 else []

    @functools.cached_property
    def pairs(self):
        """list of tuple of int: Two calls of one function close by, with results of one shape."""
        found = []
        for one, other in itertools.combinations(self.own, 2):
            a, b = self.steps[one], self.steps[other]
            if (
                a.function is b.function and a.function in EXCHANGED and a.value.shape == b.value.shape
                and a.site != b.site and other - one <= CLOSE and len(a.references) == len(b.references)
            ):
                found.append((one, other))
        return found[:MOST_EXCHANGED]

    @functools.cached_property
    def same_numbers(self):
        """list of tuple of int: The steps that calculate with one number, which is no common one."""
        found = {}
        for k in self.own:
            for x in self.steps[k].arguments if self.steps[k].elementwise else ():
                if is_number(x) and x not in (0, 1, -1):
                    found.setdefault(float(x), {}).setdefault(self.steps[k].site, []).append(k)
        some = [[k for site in sites.values() for k in site] for sites in found.values()]
        # Of several places with one number two may be those that have another one.
        for sites in found.values():
            if 2 < len(sites) <= MOST_SITES:
                some += [[*one, *other] for one, other in itertools.combinations(sites.values(), 2)]
        return sorted({tuple(sorted(members)) for members in some if len(members) > 1})

    @functools.cached_property
    def functions(self):
        """list of tuple of int: The sines and cosines of one line, if there are both."""
        found = {}
        for k in self.own:
            if self.steps[k].function in (np.sin, np.cos):
                found.setdefault(self.steps[k].line, []).append(k)
        return [
            tuple(members) for members in found.values()
            if len({self.steps[k].function for k in members}) > 1
        ]

    def rows(self, count):
        """Return what might stand in a place of `count` rounds, each value once: a key for each round."""
        if count not in self._rows:
            found, seen = [], set()
            for row in self.all_rows(count):
                if all(key in self.pool for key in row):
                    mark = tuple(self.alike[key] for key in row)
                    if mark not in seen:
                        seen.add(mark)
                        found.append(row)
            self._rows[count] = found
        return self._rows[count]

    def all_rows(self, count):
        """Return what might stand in a place of `count` rounds: a key for each round."""
        if count == 1:
            return [(key,) for key in self.pool]
        graph = self.one.graph
        found = [(key,) * count for key in self.pool if key[0] in ("data", "forward")]
        for group in graph.places():
            if len(group) == count:
                for kind in ("forward", "cotangent"):
                    row = tuple((kind, k) for k in group)
                    found += [row, row[::-1]]
                for slot, _ in graph.edges(group[0]):
                    row = tuple(("part", k, slot) for k in group)
                    found += [row, row[::-1]]
                    row = tuple(
                        ("forward", graph.steps[k].references[slot]) for k in group
                        if slot < len(graph.steps[k].references)
                    )
                    found += [row, row[::-1]] if len(row) == count else []
        for number, section in enumerate(self.sections):
            if len(section.slopes) == count:
                row = tuple(("slope", number, place) for place in range(count))
                found += [row, row[::-1]]
        for group in self.places:
            if len(group) == count:
                row = tuple(("own", k) for k in group)
                found += [row, row[1:] + row[-1:], row[:1] + row[:-1]]
                slots = min(len(self.steps[k].references) for k in group)
                found += [
                    tuple(("own", self.steps[k].references[slot]) for k in group) for slot in range(slots)
                ]
        return found
