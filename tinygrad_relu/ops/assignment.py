"""Changes in place: what that of a view is recorded as, and the methods of Tensor that make them.

See `tinygrad_relu.engine.mutation`; an assignment to elements is recorded as `indexing.overwrite`.
"""

import functools

import numpy as np

from tinygrad_relu.engine import become, checked_call
from tinygrad_relu.ops.domain import case, real
from tinygrad_relu.ops.indexing import index
from tinygrad_relu.ops.table import op


def view_along(x, path):
    """Return the view of `x` that the steps of `path` lead to, each an op and its statics."""
    for step, statics in path:
        # Sequences that an op gathers are one static of it.
        x = step(x, *statics) if not step.gathers else step(x, *statics[:-1], *statics[-1])
    return x


def overwritten(x, value, path):
    """Return a copy of an array with `value` written into the view that `path` leads to."""
    y = np.array(x, order="K")
    part = y
    for step, statics in path:
        part = step.kernel(part, statics=statics)
    part[...] = value
    return y


@op(
    overwritten,
    domain=[
        case(real(2, 3), real(3), path=((index, ((0,),)),)),
        case(real(3, 4), real(2, 2), path=(
            (index, ((slice(None), slice(0, 2)),)), (index, ((slice(1, None),),)),
        )),
    ],
    x=lambda g, path: overwrite_view(g, 0.0, path),
    value=lambda g, path: view_along(g, path),
)
def overwrite_view(x, value, /, path):
    """`x` with `value` in the view that `path` leads to: what a change of that view is recorded as."""


def changing(function):
    """Return the method that changes a tensor in place into what `function` gives."""

    @functools.wraps(function, assigned=("__doc__",), updated=())
    def method(self, *arguments, **keywords):
        return become(self, function, arguments, keywords)

    return method


@checked_call
def fill_(x, value):
    """Set every element in place; the gradient that flowed to the old values is 0."""
    x[...] = value
    return x


@checked_call
def zero_(x):
    """Set every element to 0 in place."""
    return fill_(x, 0)


@checked_call
def copy_(x, other):
    """Take over the values of another tensor, which is broadcast and cast, in place."""
    x[...] = other
    return x
