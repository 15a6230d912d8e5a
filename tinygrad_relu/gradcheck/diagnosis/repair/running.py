"""`Running`: the recorded steps of the user's backward, and what they give when some are others."""

import functools

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.given_data import with_data
from tinygrad_relu.gradcheck.diagnosis.one_call import recorded

# More steps than this are not repaired.
MOST_STEPS = 4000
#: Stands for zeros, where a step has to take another value; and for what is added to its own.
NOTHING, MORE = -1, "more"
#: What rules raise that make no sense where they are tried.
FAILURES = (ValueError, ArithmeticError, IndexError, TypeError, AttributeError, KeyError)


class Running:
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

        def value(own, p):
            if p == NOTHING:
                return np.zeros_like(self.steps[own].value)
            return new[p] if p in new else self.steps[p].value

        with np.errstate(all="ignore"):
            changed = self.after(frozenset({*rules, *taken}))
            for k in self.in_order(changed, taken) if taken else changed:
                step, others = self.steps[k], taken.get(k, {})
                operands = [value(p, others.get(p, p)) for p in step.references]
                new[k] = np.asarray(rules[k](operands) if k in rules else step.called(operands))
                if MORE in others:
                    new[k] = new[k] + value(k, others[MORE])
        return [None if k is None else new.get(k, self.steps[k].value) for k in self.outputs]

    def in_order(self, numbers, taken):
        """Return steps so that each comes behind those whose values it takes, or raise `ValueError`."""
        among, sources, users = {*numbers}, {}, {}
        for k in numbers:
            others = taken.get(k, {})
            sources[k] = {*(others.get(p, p) for p in self.steps[k].references), others.get(MORE)} & among
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

    def comes_of_inputs(self, k):
        """Tell whether the value of a step depends on an input."""
        return any(j < len(self.one.inputs) for j in self.before([k]))

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
