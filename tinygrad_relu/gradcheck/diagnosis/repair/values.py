"""`Values`: what might stand in a backward, and what its values are in the forward."""

import functools
import itertools

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.numbers import is_number
from tinygrad_relu.gradcheck.diagnosis.reductions import extreme
from tinygrad_relu.gradcheck.diagnosis.repair.known import Known
from tinygrad_relu.gradcheck.diagnosis.repair.running import Running
from tinygrad_relu.gradcheck.diagnosis.sections import sections

# Of a gradient of so many parts all sums of some of them are known.
MOST_PARTS = 5
# So many numbers are tried in the place of another one.
MOST_NUMBERS = 24


class Values(Running):
    """A backward with the values that are at hand where it is written."""

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

    def are_given(self, k, key):
        """Tell whether the value of a step, and something at hand, are both data of the forward."""
        role, graph = self.role(k), self.one.graph
        numbers = [number for kind, number, *_ in (role or ("",) * 2, key) if kind == "forward"]
        return len(numbers) == 2 and not any(graph.steps[n].flows for n in numbers)

    def comes_of_gradients(self, k):
        """Tell whether the value of a step is made of gradients, not of values and derivatives alone."""
        given = range(len(self.one.inputs), len(self.one.inputs) + len(self.one.cotangents))
        return any(
            j in given or (self.role(j) or ("",))[0] == "cotangent" for j in self.before([k])
        )

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


def rows_named(x, lengths):
    """Yield masks of the rows that an array of indices names, for arrays of some lengths."""
    if x.ndim == 1 and x.dtype.kind in "iu" and x.min() >= 0 and len(np.unique(x)) == len(x):
        for n in sorted(lengths):
            if len(x) < n and x.max() < n:
                yield np.isin(np.arange(n), x)[:, None]
