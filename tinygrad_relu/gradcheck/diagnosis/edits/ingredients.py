"""`Ingredient`: what may be put into the text of a backward; and all ways to put it there."""

import ast
from dataclasses import dataclass

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.edits.algebra import grown
from tinygrad_relu.gradcheck.diagnosis.edits.edit import (
    EXCHANGE,
    EXPRESSION,
    LONG_OPERAND,
    OPERAND,
    Edit,
    attribute,
    call,
    called,
    fresh,
    is_array,
    is_float,
    is_value,
    is_whole,
    name,
    number,
)
from tinygrad_relu.gradcheck.diagnosis.edits.forwards import expressions
from tinygrad_relu.gradcheck.diagnosis.edits.meanings import exchanged, inserted, is_count, is_mask
from tinygrad_relu.gradcheck.diagnosis.edits.operators import in_comparison
from tinygrad_relu.gradcheck.diagnosis.labels import Label

# Longer expressions are nothing that was merely forgotten.
LONGEST = 60
# Names of what masks are made of.
SHORTEST = 12
#: Numbers that are easily forgotten.
NUMBERS = [number(0.5), number(2.0)]
LEAVES = (ast.Name, ast.Subscript, ast.Attribute)
PARTS = (*LEAVES, ast.BinOp, ast.Call, ast.Compare, ast.UnaryOp)


@dataclass(frozen=True)
class Ingredient:
    """An expression that makes sense in a function.

    Attributes
    ----------
    node : ast.expr
    value : ndarray or float or int
    text : str
    """

    node: ast.expr
    value: object
    text: str

    @property
    def is_leaf(self):
        """bool: Whether it is a name, or a part of something that has one."""
        return isinstance(self.node, LEAVES)


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
        Of those with one value only the shortest; names first.
    """
    found = {}

    def add(node, value):
        written = ast.unparse(node)
        if not is_value(value) or len(written) > LONGEST:
            return
        array = np.asarray(value)
        # A number may be another one in another round.
        mark = (array.shape, array.dtype.kind == "b", array.tobytes()) if array.ndim else written
        if mark not in found or len(found[mark].text) > len(written):
            found[mark] = Ingredient(fresh(node), value, written)

    for key, value in text.names.items():
        add(name(key), value)
    for place in text.places:
        if place.rounds and isinstance(place.node, PARTS):
            add(place.node, place.value)
    for node in (*elements(text), *masks(text), *NUMBERS, *expressions(forward)):
        value = worked_out(node, text)
        if value is not None:
            add(node, value)
    return sorted(found.values(), key=lambda one: (not one.is_leaf, len(one.text)))


def elements(text):
    """Yield the parts of arrays that belong to a round of a loop: ``x[i]`` for each array and index."""
    indices = {
        ast.unparse(place.node): place.node for place in text.places
        if isinstance(place.parent, ast.Subscript) and place.field == "slice" and is_whole(place.value)
        and not isinstance(place.node, ast.Constant)
    }
    for key, value in text.names.items():
        for _, index in sorted(indices.items()) if is_array(value) and value.ndim else ():
            yield ast.Subscript(name(key), fresh(index), ast.Load())


def masks(text):
    """Yield where each array of floats, or number of a round, is above 0, and where it is not."""
    named = {ast.unparse(place.node): place for place in text.places if isinstance(place.node, LEAVES)}
    for written, place in named.items():
        if place.rounds and is_float(place.value) and place.is_read and len(written) <= SHORTEST:
            for comparison in (">", "<", "<="):
                yield ast.parse(f"{written} {comparison} 0", mode="eval").body


def worked_out(node, text):
    """Return what an expression of the forward comes to with the names of a backward, or None."""
    names = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    if not names <= {*text.names, *text.program.globals} or (names and not names & {*text.names}):
        return None
    whole = ast.fix_missing_locations(ast.Expression(fresh(node)))
    try:
        return eval(compile(whole, "forward", "eval"), text.program.globals, dict(text.names))
    except Exception:  # what the forward does may make no sense here
        return None


def exchanges(text, place, found):
    """Yield a place with an ingredient for what stands there.

    Parameters
    ----------
    text : Text
    place : Place
    found : list of Ingredient
    """
    node, own = place.node, place.value
    if not is_value(own) or (isinstance(node, ast.Constant) and not isinstance(own, float)):
        return
    leaf = isinstance(node, LEAVES)
    for one in found:
        if is_whole(own) != is_whole(one.value) or not fits(own, one.value):
            continue
        cost = EXCHANGE if leaf and one.is_leaf else EXPRESSION
        yield Edit(lambda one=one: exchange_means(text, place, one), cost, place, fresh(one.node))


def fits(own, other):
    """Tell whether a value can stand where another does, and is another one."""
    if np.shape(own) != np.shape(other) or is_mask_like(own) != is_mask_like(other):
        return False
    return not np.array_equal(own, other)


def is_mask_like(x):
    """Tell whether a value is an array of truth values."""
    return is_array(x) and x.dtype.kind == "b"


def exchange_means(text, place, one):
    """Return what it means to write something for an ingredient."""
    if in_comparison(place) or is_mask_like(place.value):
        stopped = is_stopped(place.value, one.value)
        return Label.MASK_FORGOTTEN if stopped else Label.MASK_FROM_WRONG_TENSOR
    if place.is_key or (is_index(place.value) and is_index(one.value)):
        return Label.PERMUTED
    if is_whole(place.value):
        return Label.AVERAGED if is_count(one.value, one.node) else Label.WRONG_FUNCTION
    if one.text == target_of(place.statement):
        return Label.STALE_BUFFER
    own, other = np.asarray(place.value), np.asarray(one.value)
    comparable = own.size > 1 and own.dtype.kind == other.dtype.kind == "f"
    if comparable and text.meanings.is_activation(own, other):
        return text.meanings.of_exchange(place, own, other)
    found = exchanged(own, other) if comparable else None
    if found is None and not isinstance(place.node, LEAVES) and is_apart_by_a_number(own, other):
        return Label.MISSING_TERM
    return (
        found or text.meanings.of_exchange(place, own, other)
        or grown(place.node, one.node, text) or Label.WRONG_FUNCTION
    )


def target_of(statement):
    """Return the text of what a statement gives a value, or None."""
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    return ast.unparse(targets[0]) if targets[0] is not None else None


def is_empty(node):
    """Tell whether an expression makes an array to be filled later."""
    return isinstance(node, ast.Call) and called(node) in ("zeros", "zeros_like", "empty", "empty_like")


def is_stopped(own, other):
    """Tell whether an array is another one with some of its elements made 0."""
    if not is_array(own) or np.shape(own) != np.shape(other) or own.dtype.kind == "b":
        return False
    return bool((other == 0).any() and (own != 0).all() and not ((other > 0) & (own <= 0)).any())


def is_index(x):
    """Tell whether a value is an array of whole numbers."""
    return is_array(x) and x.dtype.kind in "iu" and x.ndim > 0


def is_apart_by_a_number(own, other):
    """Tell whether two arrays differ by the same number in all elements."""
    return own.size > 1 and np.ptp(other - own) <= 1e-12 * np.abs(own).max()


def insertions(text, place, found):
    """Yield a place with an ingredient as one more factor, divisor, term or matrix.

    Parameters
    ----------
    text : Text
    place : Place
    found : list of Ingredient
    """
    node, own = place.node, place.value
    if not is_value(own) or (is_whole(own) and not isinstance(node, ast.Constant)) or place.is_key:
        return
    in_product, in_sum = joined(place, (ast.Mult, ast.Div)), joined(place, (ast.Add, ast.Sub))
    shape = np.shape(own)
    for one in found:
        short = one.is_leaf or isinstance(one.node, ast.Constant)
        cost = OPERAND if short else LONG_OPERAND
        operand = beside(one, shape)
        if operand is not None and not in_product and not is_empty(node):
            def means(one=one):
                return insertion_means(text, place, one)

            yield Edit(means, cost, place, ast.BinOp(node, ast.Mult(), operand))
            if not is_mask(one.value) and np.all(one.value):
                yield Edit(means, cost + 0.1, place, ast.BinOp(node, ast.Div(), operand))
        if operand is not None and not in_sum and is_float(one.value):
            for operator in (ast.Add(), ast.Sub()):
                label = term_means(place, one, isinstance(operator, ast.Sub))
                yield Edit(label, cost + 0.05, place, ast.BinOp(node, operator, operand))
        if np.ndim(one.value) == 2 and len({*np.shape(one.value)}) == 1:
            for product in with_a_matrix(node, shape, one):
                yield Edit(Label.MISSING_FACTOR, cost, place, product)
    for axis in range(len(shape)):
        total = call(attribute(node, "sum"), axis=number(axis), keepdims=number(True))
        yield Edit(Label.MISSING_FACTOR, LONG_OPERAND, place, ast.BinOp(node, ast.Div(), total))


def insertion_means(text, place, one):
    """Return what it means to leave out a factor: that of a power belongs to another rule."""
    if in_comparison(place):
        return Label.MASK_FORGOTTEN if is_mask(one.value) else Label.MASK_FROM_WRONG_TENSOR
    if is_beside(place, ast.Pow) and place.field == "right":
        return Label.WRONG_FUNCTION
    squared = ast.unparse(place.node) == one.text and is_beside(place, (ast.Add, ast.Sub))
    powers = (
        node for node in ast.walk(place.node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)
    )
    lowered = any(ast.unparse(node.left) == one.text for node in powers)
    if is_mask(one.value) and is_array(place.value) and place.value.size > 1:
        passed = text.meanings.of_exchange(place, place.value, place.value * one.value)
        if passed is Label.PRE_ACTIVATION:
            return passed
    if is_switch(text, one):
        return Label.MASK_FORGOTTEN
    return Label.WRONG_FUNCTION if squared or lowered else inserted(one)


def is_switch(text, one):
    """Tell whether a number lets something through in some rounds, and not in others."""
    base = text.names.get(getattr(getattr(one.node, "value", None), "id", None))
    return one.text in text.switches or is_mask(base)


def term_means(place, one, taken_away):
    """Return what it means to leave out a term: that of an exponent is a factor."""
    if in_comparison(place):
        return Label.MASK_FROM_WRONG_TENSOR
    if is_product(place.node):
        one_side, other = place.node.left, place.node.right
        beside = one.text in map(ast.unparse, (one_side, other))
        if beside and (is_negative(one_side) or is_negative(other)) == taken_away:
            return Label.WRONG_FUNCTION  # 1 more in the other factor
    doubled = ast.unparse(place.node) == one.text
    return Label.MISSING_FACTOR if doubled or place.is_given_to({"exp"}) else Label.MISSING_TERM


def with_a_matrix(node, shape, one):
    """Yield an expression times a square matrix, from either side, and solved with it."""
    for matrix in (fresh(one.node), attribute(fresh(one.node), "T")):
        if shape and shape[-1] == len(one.value):
            yield ast.BinOp(node, ast.MatMult(), matrix)
        if shape and shape[0] == len(one.value):
            yield ast.BinOp(matrix, ast.MatMult(), node)
            yield call(attribute(attribute(name("np"), "linalg"), "solve"), matrix, node)


def is_negative(node):
    """Tell whether an expression has a minus in front."""
    while isinstance(node, ast.BinOp):
        node = node.left
    return isinstance(node, ast.UnaryOp)


def is_product(node):
    """Tell whether an expression is a product."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)


def is_beside(place, operators):
    """Tell whether a place is an operand of some operators."""
    return isinstance(place.parent, ast.BinOp) and isinstance(place.parent.op, operators)


def joined(place, operators):
    """Tell whether what is put in behind a place may as well be put behind what it is a part of."""
    return is_beside(place, operators) and place.field == "left"


def beside(one, shape):
    """Return an ingredient so that it goes with a shape, element by element; or None."""
    own = np.shape(one.value)
    if is_whole(one.value) and one.value in (0, 1):
        return None
    if len(own) <= len(shape) and all(n in (1, m) for n, m in zip(own[::-1], shape[::-1])):
        return fresh(one.node)
    if len(own) == 1 and len(shape) == 2 and own[0] == shape[0]:
        rows = ast.Tuple([ast.Slice(), ast.Constant(None)], ast.Load())
        return ast.Subscript(fresh(one.node), rows, ast.Load())
    return None
