"""`Ingredient`: what may be put into the text of a backward."""

import ast
import builtins
from dataclasses import dataclass

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.edits.derivatives import derivatives
from tinygrad_relu.gradcheck.diagnosis.edits.forwards import expressions
from tinygrad_relu.gradcheck.diagnosis.edits.guard import FAILED, guarded
from tinygrad_relu.gradcheck.diagnosis.edits.meanings import is_mask
from tinygrad_relu.gradcheck.diagnosis.edits.syntax import (
    LEAVES,
    attribute,
    call,
    called,
    fresh,
    name,
    names_of,
    number,
    of_module,
)
from tinygrad_relu.gradcheck.diagnosis.edits.values import (
    is_array,
    is_float,
    is_row,
    is_row_of_arrays,
    is_value,
    is_whole,
)

# Longer expressions are nothing that was merely forgotten.
LONGEST = 60
# Names of what masks are made of.
SHORTEST = 12
# Of dicts with so many entries each is put in.
MOST_ENTRIES = 24
# So many numbers of the forward are put in.
MOST_NUMBERS = 6
#: Numbers that are easily forgotten.
NUMBERS = [number(0.5), number(2.0), number(3.0)]
PARTS = (*LEAVES, ast.BinOp, ast.Call, ast.Compare, ast.UnaryOp)


@dataclass(frozen=True)
class Ingredient:
    """An expression that makes sense in a function.

    Attributes
    ----------
    node : ast.expr
    value : ndarray or float or int
    text : str
    varies : bool
        Whether it is another number in another round.
    """

    node: ast.expr
    value: object
    text: str
    varies: bool = False

    @property
    def is_leaf(self):
        """bool: Whether it is a name, a part of something that has one, or its length."""
        return isinstance(self.node, LEAVES) or called(self.node) == "len"


def ingredients(text, forward):
    """Return what may be put into a function: its names, its expressions, and those of the forward.

    Parameters
    ----------
    text : Text
    forward : list of code
        What the user's forward is made of.

    Returns
    -------
    list of Ingredient
        Of those with one value only the shortest, but all names where there are loops; names first.
    """
    found, loops = {}, text.program.own_loops
    varying = {ast.unparse(place.node) for place in text.places if len(place.numbers) > 1}

    def add(node, value):
        written = ast.unparse(node)
        if not is_value(value) or len(written) > LONGEST or is_unfilled(node):
            return
        array = np.asarray(value)
        # A number may be another one in another round, and so may what has a name, or is picked.
        named = isinstance(node, ast.Name)
        own = not array.ndim or (loops and isinstance(node, (ast.Name, ast.Subscript)))
        mark = written if own else (array.shape, array.dtype.kind == "b", array.tobytes())
        if mark not in found or (len(found[mark].text) > len(written) and not named):
            found[mark] = Ingredient(fresh(node), value, written, written in varying)

    for key, value in text.names.items():
        add(name(key), np.asarray(value) if is_row(value) else value)
    for place in text.places:
        if place.rounds and isinstance(place.node, PARTS):
            add(place.node, place.value)
    theirs = [*expressions(forward), *map(calling, forward[:1])]
    own = [place.node for place in text.places if place.rounds and isinstance(place.node, PARTS)]
    made = (*elements(text), *masks(text), *slopes(text), *counts(text), *NUMBERS, *numbers_of(forward))
    for node in (*made, *theirs, *derivatives([*own, *theirs])):
        value = worked_out(node, text)
        if value is not None:
            add(node, value)
            for more in (*of_logarithms(node, value), *of_rounds(text, node, value)):
                add(more, worked_out(more, text))
    return sorted(found.values(), key=lambda one: (not one.is_leaf, len(one.text)))


def is_unfilled(node):
    """Tell whether an expression has in it what is to be filled, and is nothing yet."""
    calls = (part for part in ast.walk(node) if isinstance(part, ast.Call))
    return any(called(part) in ("empty", "empty_like") for part in calls)


def calling(code):
    """Return a call of a function with what it calls its own arguments."""
    return call(name(code.co_name), *map(name, code.co_varnames[:code.co_argcount]))


def numbers_of(forward):
    """Yield the numbers that stand in the forward, but for those that say how, and not how much."""
    found = {node.value: node for node in expressions(forward, (ast.Constant,))}
    numbers = [x for x in found if isinstance(x, (int, float)) and not isinstance(x, bool)]
    yield from (found[x] for x in [x for x in numbers if x > 0 and x not in (1, 2)][:MOST_NUMBERS])


def elements(text):
    """Yield the entries of dicts, and the parts of arrays that belong to a round, or to an index."""
    indices = {
        ast.unparse(place.node): place.node for place in text.places
        if isinstance(place.parent, ast.Subscript) and place.field == "slice"
        and not isinstance(place.node, ast.Constant)
        and (is_whole(place.value) or (is_array(place.value) and place.value.dtype.kind in "iu"))
    }
    for key, value in text.names.items():
        entries = value if isinstance(value, dict) and len(value) <= MOST_ENTRIES else ()
        for entry in entries:
            if isinstance(entry, str):
                yield ast.Subscript(name(key), ast.Constant(entry), ast.Load())
        several = (is_array(value) and value.ndim) or is_row_of_arrays(value)
        for _, index in sorted(indices.items()) if several else ():
            yield ast.Subscript(name(key), fresh(index), ast.Load())


def slopes(text):
    """Yield the derivatives of what may be a sigmoid, or a tanh, by what it came to."""
    for key, value in text.names.items():
        if is_array(value) and value.size > 1 and value.dtype.kind == "f" and np.abs(value).max() < 1:
            made = f"{key} * (1 - {key})" if value.min() > 0 else f"1 - {key} ** 2"
            yield ast.parse(made, mode="eval").body


def counts(text):
    """Yield how many of something were averaged."""
    for place in text.places:
        node = place.node
        if isinstance(node, ast.Call) and called(node) == "mean" and place.rounds:
            data = node.args[0] if of_module(node) else node.func.value
            if isinstance(data, LEAVES):
                yield call(name("len"), data)
    for key, value in text.names.items():
        if is_array(value) and value.ndim and not key.startswith("_"):
            yield call(name("len"), name(key))
    for place in text.places:
        if isinstance(place.node, ast.Name) and is_mask(place.value):
            yield call(attribute(name("np"), "sum"), place.node)


def masks(text):
    """Yield where each array of floats, or number of a round, is above 0, and where it is not."""
    named = {ast.unparse(place.node): place for place in text.places if isinstance(place.node, LEAVES)}
    for written, place in named.items():
        if place.rounds and is_float(place.value) and place.is_read and len(written) <= SHORTEST:
            for comparison in (">", "<", "<="):
                yield ast.parse(f"{written} {comparison} 0", mode="eval").body


def of_logarithms(node, value):
    """Yield the probabilities of which something are the logarithms."""
    if not isinstance(node, ast.Call) or not is_float(value) or not np.ndim(value) or (value > 0).any():
        return
    if np.allclose(np.exp(value).sum(-1), 1):
        yield call(attribute(name("np"), "exp"), fresh(node))


def of_rounds(text, node, value):
    """Yield the elements that belong to a round, where something is a row and no name."""
    if is_float(value) and np.ndim(value) == 1 and isinstance(node, ast.BinOp):
        for key in text.counters:
            yield ast.Subscript(fresh(node), name(key), ast.Load())


def worked_out(node, text):
    """Return what an expression of the forward comes to with the names of a backward, or None."""
    names = names_of(node)
    there = {*text.names, *text.program.globals, *vars(builtins)}
    data = any(key in text.names or is_array(text.program.globals.get(key)) for key in names)
    if not names <= there or (names and not data):
        return None
    whole = ast.fix_missing_locations(ast.Expression(fresh(node)))
    try:
        with guarded():
            return eval(compile(whole, "forward", "eval"), text.program.globals, dict(text.names))
    except FAILED:  # what the forward does may make no sense here
        return None
