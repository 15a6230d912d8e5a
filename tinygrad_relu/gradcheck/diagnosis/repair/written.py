"""`Written`: the recorded steps of the user's backward, to be run again with some of them changed."""

import functools
import itertools

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.given_data import with_data
from tinygrad_relu.gradcheck.diagnosis.indices import is_index, parts_of
from tinygrad_relu.gradcheck.diagnosis.numbers import is_number
from tinygrad_relu.gradcheck.diagnosis.recording import recorded
from tinygrad_relu.gradcheck.diagnosis.reductions import extreme
from tinygrad_relu.gradcheck.diagnosis.repair.known import Known
from tinygrad_relu.gradcheck.diagnosis.repair.rewrite import REDUCTIONS
from tinygrad_relu.gradcheck.diagnosis.sections import sections
from tinygrad_relu.gradcheck.diagnosis.step import add_at, assign_at, take_at
from tinygrad_relu.gradcheck.diagnosis.trace import grouped

# More steps than this are not repaired.
MOST_STEPS = 4000
#: Stands for zeros, where a step has to take another value.
NOTHING = -1
# Of a gradient of so many parts all sums of some of them are known.
MOST_PARTS = 5
# So many numbers are tried in the place of another one.
MOST_NUMBERS = 24
# Of such calls two may have each other's operands, if they are so many steps apart at most.
EXCHANGED, CLOSE, MOST_EXCHANGED = (np.multiply, np.matmul, np.dot, add_at, assign_at), 24, 200

#: What rules raise that make no sense where they are tried.
FAILURES = (ValueError, ArithmeticError, IndexError, TypeError, AttributeError, KeyError)


class Written:
    """What a backward computes, step by step, at one point and for one set of cotangents.

    Parameters
    ----------
    case : Case
    one : Evidence
        Whose gradients it has to give, or `ValueError` is raised: what was not recorded as it was
        meant tells nothing.
    data : bool
        Whether what is made of data alone is recorded, too.

    Attributes
    ----------
    steps : list of Step
    outputs : list of (int or None)
        The step of each gradient; None where it depends on nothing that was recorded.
    own : list of int
        The steps that lead to gradients, and are not those of the forward.
    """

    def __init__(self, case, one, data=True):
        count = len(one.inputs)

        def gradients(arrays):
            def rebound(function):
                return with_data(function, arrays[0].recording.created) if data else function

            found, outputs = case.followed(arrays[:count], arrays[count:], rebound)
            outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
            return [*found, *outputs]

        self.one = one
        self.steps, found, self.data = recorded(
            gradients, [*one.inputs, *one.cotangents], creations=True
        )
        self.outputs, forward = found[:count], found[count:]
        for step in self.steps:
            step.connect(self.steps)
        for number, given, allowed in zip(self.outputs, one.analytic, one.allowed):
            if number is not None:
                value = self.steps[number].value
                if value.shape != given.shape or (np.abs(value - given) > allowed).any():
                    raise ValueError("the backward does another thing with recorded arrays")
        theirs = self.before(forward)
        self.own = [k for k in self.before(self.outputs) if k not in theirs and self.steps[k].references]
        if len(self.own) > MOST_STEPS:
            raise ValueError("the backward has too many steps to repair")
        self._after, self._rows, self._straight, self._roles = {}, {}, {}, {}

    def before(self, numbers):
        """Return the steps that some steps depend on, and these, in order."""
        reached = {k for k in numbers if k is not None}
        for k in range(len(self.steps) - 1, -1, -1):
            if k in reached:
                reached.update(self.steps[k].references)
        return sorted(reached)

    def after(self, numbers):
        """Return the steps on the way from some steps to the gradients, with these, in order."""
        if numbers not in self._after:
            reached, on_the_way = set(numbers), set(self.own)
            for k in self.own:
                if any(p in reached for p in self.steps[k].references):
                    reached.add(k)
            self._after[numbers] = sorted(reached & on_the_way)
        return self._after[numbers]

    def rerun(self, rules, taken=None):
        """Return the gradients with other rules.

        Parameters
        ----------
        rules : dict of int to callable
            ``rules[k](operands) -> ndarray`` for the steps that are computed otherwise.
        taken : dict of int to dict of int to int, optional
            For the steps that take other values: of which steps, or `NOTHING`, in the place of which.

        Returns
        -------
        list of (ndarray or None)
        """
        new, taken = {}, taken or {}
        with np.errstate(all="ignore"):
            changed = self.after(frozenset({*rules, *taken}))
            for k in self.in_order(changed, taken) if taken else changed:
                step, others = self.steps[k], taken.get(k, {})
                sources = [others.get(p, p) for p in step.references]
                operands = [
                    np.zeros_like(self.steps[own].value) if p == NOTHING
                    else new[p] if p in new else self.steps[p].value
                    for own, p in zip(step.references, sources)
                ]
                new[k] = np.asarray(rules[k](operands) if k in rules else step.called(operands))
        return [None if k is None else new.get(k, self.steps[k].value) for k in self.outputs]

    def in_order(self, numbers, taken):
        """Return steps so that each comes behind those whose values it takes, or raise `ValueError`."""
        among = {*numbers}
        sources = {
            k: {taken.get(k, {}).get(p, p) for p in self.steps[k].references} & among for k in numbers
        }
        users = {}
        for k, found in sources.items():
            for p in found:
                users.setdefault(p, []).append(k)
        waiting = {k: len(found) for k, found in sources.items()}
        ready, order = [k for k in numbers if not waiting[k]], []
        while ready:
            order.append(k := ready.pop())
            for j in users.get(k, ()):
                waiting[j] -= 1
                if not waiting[j]:
                    ready.append(j)
        if len(order) < len(waiting):
            raise ValueError("a value would be made of itself")
        return order

    def users(self, k):
        """Return the steps of the backward that take the value of a step."""
        return self.all_users.get(k, [])

    @functools.cached_property
    def all_users(self):
        """dict of int to list of int: The steps of the backward that take the value of each step."""
        found = {}
        for j in self.own:
            for p in dict.fromkeys(self.steps[j].references):
                found.setdefault(p, []).append(j)
        return found

    def comes_of_gradients(self, k):
        """Tell whether the value of a step is made of gradients, not of values and derivatives alone."""
        given = range(len(self.one.inputs), len(self.one.inputs) + len(self.one.cotangents))
        return any(
            j in given or (self.role(j) or ("",))[0] == "cotangent" for j in self.before([k])
        )

    def comes_of_inputs(self, k):
        """Tell whether the value of a step depends on an input."""
        return any(j < len(self.one.inputs) for j in self.before([k]))

    def are_given(self, k, key):
        """Tell whether the value of a step, and something at hand, are both data of the forward."""
        role, graph = self.role(k), self.one.graph
        numbers = [number for kind, number, *_ in (role or ("",) * 2, key) if kind == "forward"]
        return len(numbers) == 2 and not any(graph.steps[n].flows for n in numbers)

    def sensitivities(self, k, direction):
        """Return by how much a gradient moves along a direction, for each step that may be moved."""
        found = {self.outputs[k]: direction}
        with np.errstate(all="ignore"):
            for j in reversed(self.before([self.outputs[k]])):
                step = self.steps[j]
                if j not in found or not step.references or not any(step.flowing):
                    continue
                try:
                    parts = step.pull(found[j])
                except Exception:  # a function that has no derivative, or none that is known
                    continue
                for slot, part in enumerate(parts):
                    if part is not None:
                        p = step.references[slot]
                        found[p] = found[p] + part if p in found else part
        return found

    @functools.cached_property
    def places(self):
        """list of tuple of int: The steps that one instruction of the backward stands for.

        Those come first that are next to the first value that may be wrong: before that nothing is.
        """
        found = list(grouped(self.steps, self.own))[::-1]
        found.sort(key=self.turn)
        return found

    @functools.cached_property
    def groups(self):
        """list of tuple of int: The steps of all rounds that give one variable a value, in order."""
        found = {}
        for k in self.before(self.outputs):
            if self.steps[k].references:
                found.setdefault((self.steps[k].site, self.steps[k].function), []).append(k)
        return [tuple(members) for members in found.values() if len(members) > 1]

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

    def turn(self, place):
        """Return what to sort places by: their first value that may be wrong, or that goes into it."""
        if self.first_doubt in place:
            return -1
        return min(({*place} & (self.doubtful | self.next_to_doubt)), default=len(self.steps))

    @functools.cached_property
    def doubtful(self):
        """set of int: The steps whose value the forward does not know, nor any that comes of it.

        Of values and derivatives, which a backward may well write otherwise, only those that go wrong.
        """
        right = {*self.own} - self.gradients
        for k in reversed(self.own):
            value = self.steps[k].value
            known = value.any() and self.at_hand.find(value) is not None
            # An element that is taken out of an array says nothing of the others.
            if known or any(j in right for j in self.users(k) if self.steps[j].function is not take_at):
                right.add(k)
        return {*self.own} - right

    @functools.cached_property
    def first_doubt(self):
        """int or None: The first doubtful step, if there is any but those that fill arrays bit by bit."""
        filled = (assign_at, add_at)
        found = [k for k in self.doubtful if self.steps[k].function not in filled] or self.doubtful
        return min(found, default=None)

    @functools.cached_property
    def gradients(self):
        """set of int: The steps of the backward that are made of gradients; all if none is known."""
        count = len(self.one.inputs)
        found = set(range(count, count + len(self.one.cotangents)))
        for k in self.own:
            known = self.role(k)
            if found & {*self.steps[k].references} or (known is not None and known[0] == "cotangent"):
                found.add(k)
        return found & {*self.own} or {*self.own}

    @functools.cached_property
    def next_to_doubt(self):
        """set of int: What the first doubtful value is made of, and what that is made of."""
        near = [] if self.first_doubt is None else self.steps[self.first_doubt].references
        return {*near, *(p for k in near for p in self.steps[k].references)} & {*self.own}

    def is_straight(self, place):
        """Tell whether the gradients are linear in the values of the steps of a place."""
        if place not in self._straight:
            self._straight[place] = self.found_straight(place)
        return self._straight[place]

    def is_chained(self, place):
        """Tell whether what one step of a place gives changes what a later one is given."""
        reached, members = set(), set(place)
        for k in self.after(frozenset(place)):
            if any(p in reached for p in self.steps[k].references):
                if k in members:
                    return True
                reached.add(k)
            elif k in members:
                reached.add(k)
        return False

    def found_straight(self, place):
        """Try whether the gradients are linear in the values of the steps of a place."""
        if any(self.steps[k].value.dtype.kind != "f" for k in place):
            return False
        rng = np.random.default_rng(place[0])
        moved = {}
        for k in place:
            value = self.steps[k].value
            moved[k] = (np.abs(value).max(initial=0) or 1.0) * rng.uniform(0.2, 0.6, value.shape)

        def gradients(c):
            return self.rerun({k: lambda x, k=k: self.steps[k].call(x) + c * moved[k] for k in place})

        try:
            once, twice = gradients(1.0), gradients(2.0)
        except FAILURES:
            return False
        for number, a, b in zip(self.outputs, once, twice):
            if number is not None:
                base = self.steps[number].value
                scale = np.abs(b - base).max(initial=0)
                if not (np.abs(b - 2 * a + base) <= 1e-7 * scale).all():
                    return False
        return True

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
        """list of tuple of int: The steps that take or put something, of a line or of one array."""
        found = {}
        for k in self.own:
            if self.steps[k].function in (take_at, assign_at, add_at):
                found.setdefault(self.steps[k].line, []).append(k)
                # What ``x[key] += y`` takes and puts; and all that has one array of indices.
                found.setdefault((self.steps[k].line, self.filled(k)), []).append(k)
                for part in parts_of(self.steps[k].arguments[1]):
                    if is_index(part):
                        found.setdefault((part.shape, part.tobytes()), []).append(k)
                base = self.steps[self.steps[k].references[0]]
                if base.references:
                    found.setdefault((self.steps[k].function, base.site, base.function), []).append(k)
        rounds = {}
        for key, members in found.items():
            if isinstance(key, tuple) and isinstance(key[0], str) and 1 < len(members) < 4:
                sites = tuple(self.steps[k].site for k in members)
                rounds.setdefault(sites, []).extend(members)
        found = [*found.values(), *rounds.values()]
        return sorted({tuple(members) for members in found if len(members) > 1})

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
    def numbers(self):
        """list of float: The plain numbers of the forward, and the lengths of its arrays."""
        found = {
            float(x) for step in self.one.graph.steps for x in step.arguments
            if step.elementwise and is_number(x)
        }
        return sorted((found | self.lengths) - {0.0, 1.0, -1.0})[:MOST_NUMBERS]

    @functools.cached_property
    def lengths(self):
        """set of float: The lengths of the arrays of the forward, of one axis or of several."""
        shapes = {step.value.shape for step in self.one.graph.steps}
        counts = {
            float(np.prod(some)) for shape in shapes for count in range(1, len(shape) + 1)
            for some in itertools.combinations(shape, count)
        }
        return counts - {0.0, 1.0}

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
                    found.setdefault(float(x), []).append(k)
        return sorted({tuple(members) for members in found.values() if len(members) > 1})

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

    @functools.cached_property
    def pool(self):
        """dict of tuple to ndarray: What might stand in the backward.

        Values, right cotangents and derivatives of the forward, and what the backward computes itself;
        the same key is the same thing at other inputs.
        """
        found = {}
        graph = self.one.graph
        for k, step in enumerate(graph.steps):
            found["forward", k] = step.value
        for k in graph.live:
            found["cotangent", k] = self.one.right[k]
            step = graph.steps[k]
            if step.references:
                parts = step.pull(self.one.right[k])
                for slot, _ in graph.edges(k):
                    found["part", k, slot] = parts[slot]
        for number, section in enumerate(self.sections):
            for place, slope in enumerate(section.slopes):
                found["slope", number, place] = slope
        for k in graph.live:
            step = graph.steps[k]
            if step.function in (np.max, np.min):
                found["winner", k] = extreme(step)
            if step.function in (np.maximum, np.minimum) and len(step.operands) == 2:
                found["winner", k] = step.value == step.operands[0]
        for name, x in (*graph.data, *self.data):
            found["data", name] = x
            if x.ndim == 1:
                found["data", f"{name}[:, None]"] = x[:, None]
            for mask in rows_named(x, {step.value.shape[0] for step in self.steps if step.value.ndim}):
                found["data", f"of the {len(mask)} rows those in {name}"] = mask
        for k in sorted({*self.own, *(p for j in self.own for p in self.steps[j].references)}):
            found["own", k] = self.steps[k].value
        return {key: x for key, x in found.items() if x.size and x.dtype.kind in "fb"}

    @functools.cached_property
    def sections(self):
        """list of Section: The elementwise functions of the forward."""
        return list(sections(self.one.graph))

    @functools.cached_property
    def alike(self):
        """dict of tuple to int: A number for each thing in the pool, the same for equal values."""
        numbers = {}
        return {
            key: numbers.setdefault((x.shape, x.tobytes()), len(numbers)) for key, x in self.pool.items()
        }

    def role(self, k):
        """Return as what the value of a step is known in the forward: a key of the pool, or None."""
        if k not in self._roles:
            self._roles[k] = self.found_role(k)
        return self._roles[k]

    def found_role(self, k):
        """Look for a value of the forward that is that of a step."""
        return self.of_forward.find(self.steps[k].value)

    @functools.cached_property
    def of_forward(self):
        """Known: Values, right cotangents and derivatives of the forward."""
        kinds = ("forward", "cotangent", "slope")
        return Known({key: x for key, x in self.pool.items() if key[0] in kinds})

    @functools.cached_property
    def at_hand(self):
        """Known: All that the right backward may be made of."""
        known = {key: x for key, x in self.pool.items() if key[0] != "own"}
        return Known({**known, **dict(self.partial_sums())})

    def partial_sums(self):
        """Yield sums of some of the parts that make the gradient of a step, as they are added up."""
        graph, parts = self.one.graph, {}
        for key, x in self.pool.items():
            if key[0] == "part":
                parts.setdefault(graph.steps[key[1]].references[key[2]], []).append(x)
        for k, found in parts.items():
            for count in range(2, len(found)) if len(found) <= MOST_PARTS else ():
                for number, some in enumerate(itertools.combinations(found, count)):
                    yield ("sum", k, count, number), sum(some)

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


def rows_named(x, lengths):
    """Yield masks of the rows that an array of indices names, for arrays of some lengths."""
    if x.ndim == 1 and x.dtype.kind in "iu" and x.min() >= 0 and len(np.unique(x)) == len(x):
        for n in sorted(lengths):
            if len(x) < n and x.max() < n:
                yield np.isin(np.arange(n), x)[:, None]
