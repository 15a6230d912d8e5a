"""`Doubts`: where a backward may go wrong first, as far as the forward tells its right values."""

import functools

from tinygrad_relu.gradcheck.diagnosis.repair.values import Values
from tinygrad_relu.gradcheck.diagnosis.step import add_at, assign_at, take_at
from tinygrad_relu.gradcheck.diagnosis.trace import grouped


class Doubts(Values):
    """A backward with its places, those first that may be wrong."""

    @functools.cached_property
    def places(self):
        """list of tuple of int: The steps that one instruction of the backward stands for.

        Those come first that are next to the first value that may be wrong: before that nothing is.
        """
        found = list(grouped(self.steps, self.own))[::-1]
        found.sort(key=self.turn)
        return found

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
    def next_to_doubt(self):
        """set of int: What the first doubtful value is made of, and what that is made of."""
        near = [] if self.first_doubt is None else self.steps[self.first_doubt].references
        return {*near, *(p for k in near for p in self.steps[k].references)} & {*self.own}

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
