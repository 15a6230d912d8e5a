"""What changes in place are recorded as; see `tinygrad_relu.engine.mutation`."""

import functools

import numpy as np

from tinygrad_relu.engine import become, checked_call
from tinygrad_relu.errors import ShapeError
from tinygrad_relu.ops.arithmetic import where
from tinygrad_relu.ops.domain import case, real
from tinygrad_relu.ops.indexing import index, names_each_once
from tinygrad_relu.ops.shapes import reshape
from tinygrad_relu.ops.table import op


def assigned(x, value, key):
    """Return a copy of an array with `value` written at `key`."""
    y = np.array(x)
    y[key] = value
    return y


def at_key(g, value_shape, key):
    """Return the part of `g` that came from a value assigned at `key`: the last one, where several."""
    part = index(g, key)
    if not names_each_once(key):
        numbers = np.arange(part.size).reshape(part.shape)
        last = np.full(g.shape, -1)
        last[key] = numbers
        part = where(last[key] == numbers, part, 0.0)
    missing = len(value_shape) - part.ndim
    return reshape(part, *[1] * missing, *part.shape) if missing > 0 else part


@op(
    assigned,
    domain=[
        case(real(2, 3), real(3), key=(0,)),
        case(real(2, 3), real(1, 2), key=(slice(None), slice(None, None, 2))),
        case(real(3), real(4), key=(np.array([1, 0, 1, 1]),)),
        case(real(2, 3), real(), key=(np.array([[True, False, True], [False, True, False]]),)),
    ],
    x=lambda g, key: assign(g, 0.0, key),
    value=lambda g, value_shape, key: at_key(g, value_shape, key),
)
def assign(x, value, /, key):
    """`x` with `value` in place of ``x[key]``: what ``x[key] = value`` is recorded as.

    Where `key` names an element several times, the last value stays, and gets its gradient.
    """


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
    x=lambda g, path: overwrite(g, 0.0, path),
    value=lambda g, path: view_along(g, path),
)
def overwrite(x, value, /, path):
    """`x` with `value` in the view that `path` leads to: what a change of that view is recorded as."""


def changing(name, function):
    """Return the method of a name that changes a tensor in place into what `function` gives."""

    @functools.wraps(function, assigned=(), updated=())
    def method(self, *arguments, **keywords):
        return become(self, function, arguments, keywords)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"In place, what `{name[:-1]}` gives as a new tensor.\n\n    {function.__doc__}"
    return checked_call(method)


#: What to write instead of PyTorch's methods that give a tensor another shape in place.
RESHAPING = {
    "resize_": "x = x.reshape(...) for as many elements, or take a new tensor, such as tg.empty(...)",
    "resize_as_": "x = x.reshape_as(other) for as many elements, or take tg.empty_like(other)",
    "squeeze_": "x = x.squeeze(...)",
    "swapaxes_": "x = x.swapaxes(...)",
    "swapdims_": "x = x.swapdims(...)",
    "t_": "x = x.t()",
    "transpose_": "x = x.transpose(...)",
    "unsqueeze_": "x = x.unsqueeze(...)",
}


def reshaping(name, instead):
    """Return the method of a name that would change a shape in place, which raises.

    Views, and the ops that were recorded, rest on the shape that a tensor was made with.
    """

    def method(self, *arguments, **keywords):
        raise ShapeError(f"{name}: the shape of a tensor does not change in place: write {instead}")

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"Raise: a shape does not change in place.  Write {instead}."
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
