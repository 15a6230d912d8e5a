"""Which ops a function is made of, as far as it shows: to tell ties from other kinks."""

import inspect

import numpy as np

from tinygrad_relu.engine import Tensor

# Ops that have a kink at each element.
KINKED_OPS = (
    "abs", "clamp", "clip", "gate", "limit", "mask", "maximum", "minimum", "relu", "sign", "where",
)
# Ops that give several maxima different signs.
MIXING_OPS = (
    "div", "divide", "linear", "matmul", "mul", "multiply", "neg", "negative", "sub", "subtract",
)
# Functions that pick elements by their order, as words of their names.
ORDERING = ("sort", "median", "partition", "percentile", "quantile")


def orders_alone(function):
    """Tell whether a function picks elements by their order, but has no kinks of single ones."""
    words = words_of(function)
    kinked = any(part in word for word in words for part in KINKED_OPS)
    return any(part in word for word in words for part in ORDERING) and not kinked


def ties_alone(problem, point):
    """Tell whether a function has maxima of several elements, but no kinks of single ones."""
    words = words_of(problem.function)
    names = op_names(problem, point) or words
    kinked = any(part in name for name in names for part in KINKED_OPS)
    mixed = problem.scalar and not names.isdisjoint(MIXING_OPS)
    # The op of a maximum along an axis, which takes elements from there, tells less than its name does.
    ties = any(name.startswith(("amax", "extreme", "max")) for name in names | words)
    return ties and not kinked and not mixed


def op_names(problem, point):
    """Return the names of the ops that the function is made of; none if it does not take tensors."""
    if problem.traced is None:
        return set()
    try:
        found = problem.traced([Tensor(np.array(x), requires_grad=True) for x in point])
    except Exception:
        return set()
    found = list(found) if isinstance(found, (tuple, list)) else [found]
    nodes = [y.grad_fn for y in found if isinstance(y, Tensor) and y.grad_fn is not None]
    seen, names = set(nodes), set()
    while nodes:
        node = nodes.pop()
        names.add(node.name)
        for before in node.next_functions:
            if hasattr(before, "next_functions") and before not in seen:
                seen.add(before)
                nodes.append(before)
    return names


def words_of(function):
    """Return the names that a function uses."""
    function = getattr(function, "func", function)      # of functools.partial
    code = getattr(inspect.unwrap(function), "__code__", None)
    return set() if code is None else {"absolute" if word == "abs" else word for word in code.co_names}
