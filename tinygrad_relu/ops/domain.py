"""Where each op is checked: cases that are drawn, so that adding an op adds no test code.

A `Case` holds one `Draw` per input and the static parameters.  Draws stay away from kinks and from
the edges of a domain by much more than the step of a finite difference; what happens *at* a kink is
stated in the docstring of the op, and has tests of its own.
"""

from typing import Any, NamedTuple

import numpy as np


class Draw(NamedTuple):
    """Values of one kind in one shape."""

    values: Any
    shape: tuple = ()

    def __call__(self, *shape):
        """Return the same kind of values in another shape."""
        return Draw(self.values, shape)

    def sample(self, rng):
        """Return an array drawn with the generator `rng`."""
        return np.asarray(self.values(rng, self.shape))


class Case(NamedTuple):
    """One call of an op: a Draw, a fixed value or None per input, and its static parameters."""

    inputs: tuple
    statics: dict

    def sample(self, rng):
        """Return the inputs, drawn with the generator `rng`."""
        return [x.sample(rng) if isinstance(x, Draw) else x for x in self.inputs]


def apart(rng, shape, gap, low, high):
    """Draw numbers of which no two are closer than `gap`."""
    size = int(np.prod(shape))
    return (rng.permutation(size) * gap + rng.uniform(low, high)).reshape(shape)


# Real numbers off zero, so that products, quotients and signs are well away from their kinks.
real = Draw(lambda rng, shape: rng.uniform(0.3, 2.0, shape) * rng.choice([-1.0, 1.0], shape))
positive = Draw(lambda rng, shape: rng.uniform(0.3, 2.5, shape))
near_whole = Draw(lambda rng, shape: rng.integers(-4, 5, shape) + rng.uniform(-0.3, 0.3, shape))
boolean = Draw(lambda rng, shape: rng.random(shape) < 0.5)
distinct = Draw(lambda rng, shape: apart(rng, shape, 0.2, -1.0, -0.9))
# Quotients by this stay away from whole numbers, where a remainder jumps.
between_multiples = Draw(lambda rng, shape: rng.integers(-3, 4, shape) * 1.0 + 0.5)
unit = Draw(lambda rng, shape: np.ones(shape))


def case(*inputs, **statics):
    """Return one `Case`."""
    return Case(inputs, statics)


def elementwise(*draws, **statics):
    """Return cases for an elementwise op: without axes, of one shape, and broadcast."""
    shapes = [[()], [(2, 3)]] if len(draws) == 1 else [
        [()] * len(draws),
        [(2, 3)] * len(draws),
        [(3,)] + [(2, 3)] * (len(draws) - 1),
        [(2, 1)] + [(4, 1, 3)] * (len(draws) - 1),
        [(2, 3), ()] + [(1, 3)] * (len(draws) - 2),
    ]
    return [case(*(draw(*shape) for draw, shape in zip(draws, row)), **statics) for row in shapes]
