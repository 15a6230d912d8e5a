"""Edits that put an ingredient to something: as one more factor, divisor, term or matrix."""

import ast

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.edits.algebra import SUMS, is_made_of, operands
from tinygrad_relu.gradcheck.diagnosis.edits.edit import LONG_OPERAND, OPERAND, Edit
from tinygrad_relu.gradcheck.diagnosis.edits.ingredients import worked_out
from tinygrad_relu.gradcheck.diagnosis.edits.meanings import inserted, is_mask
from tinygrad_relu.gradcheck.diagnosis.edits.surroundings import (
    BENT,
    in_comparison,
    in_range,
    is_beside,
    is_exponent,
    is_exponent_of_e,
    is_exponent_of_whole,
    is_handed_on,
    is_minus,
    is_squared_in_slope,
    is_stopping,
)
from tinygrad_relu.gradcheck.diagnosis.edits.syntax import (
    attribute,
    call,
    called,
    factors_of,
    fresh,
    is_number,
    is_product,
    is_rest,
    name,
    names_of,
    number,
    parts_of_product,
    target_of,
    written,
)
from tinygrad_relu.gradcheck.diagnosis.edits.values import (
    FAR_BELOW,
    is_array,
    is_float,
    is_one_number,
    is_value,
    is_whole,
)
from tinygrad_relu.gradcheck.diagnosis.functions import two_values
from tinygrad_relu.gradcheck.diagnosis.labels import Label

#: Numbers that are forgotten most often.
COMMON = (0.5, 2, 3)
# Larger whole numbers are put to no other ones.
LARGEST = 1000


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
    if is_whole(own) and (isinstance(place.parent, (ast.Call, ast.keyword)) or in_range(place)):
        return  # no number, but a choice
    if is_whole(own) and is_exponent_of_whole(text, place):
        return
    if place.is_picked_from:
        return  # what is put to all of it may as well be put to the one element
    # What is put to an operand may as well be put to the whole.
    in_product, in_sum = is_beside(place, (ast.Mult, ast.Div)), is_beside(place, (ast.Add, ast.Sub))
    shape = np.shape(own)
    whole = wider(text, place, in_sum)
    for one in found:
        if is_whole(own) and is_whole(one.value) and abs(one.value) > LARGEST:
            continue  # whole numbers have no end
        if is_number(node) and is_number(one.node) and one.value not in COMMON:
            continue  # a number of its own
        short = one.is_leaf or isinstance(one.node, ast.Constant)
        cost = OPERAND if short else LONG_OPERAND
        operand = beside(one, shape)
        if operand is None and whole is not None and one.is_leaf and np.shape(one.value) == whole:
            yield Edit(Label.MISSING_FACTOR, cost, place, ast.BinOp(fresh(one.node), ast.Mult(), node))
        if operand is not None and not in_product and not is_empty(node):
            def means(one=one):
                averaged = is_one_over_a_size(text, one.value)
                return Label.AVERAGED if averaged else insertion_means(text, place, one)

            def divided(one=one):
                if is_size_of_factor(one.node, node):
                    return Label.WRONG_FUNCTION  # a sign, where the number itself is
                if is_beside(place, ast.Sub) and place.field == "right" and is_number(place.parent.left):
                    return Label.MISSING_FACTOR
                averaged = is_number(one.node) and one.value in text.sizes
                means = insertion_means(text, place, one)
                # What is divided by its length is no activation.
                means = Label.MISSING_FACTOR if means is Label.PRE_ACTIVATION else means
                return Label.AVERAGED if averaged else means

            if short or not is_number(node):
                yield Edit(means, cost, place, ast.BinOp(node, ast.Mult(), operand))
            # What divides by one of its own factors lacks nothing: that one does not belong.
            own_factor = one.text in map(ast.unparse, factors_of(node))
            if not is_mask(one.value) and np.all(one.value) and not own_factor:
                yield Edit(divided, cost + 0.1, place, ast.BinOp(node, ast.Div(), operand))
        # ``x - (x - y)`` is an exchange of x for y.
        exchange = isinstance(one.node, ast.BinOp) and isinstance(one.node.op, (ast.Add, ast.Sub)) and (
            ast.unparse(node) in map(ast.unparse, (one.node.left, one.node.right))
        )
        term = is_float(one.value) and not is_number(one.node)
        if operand is not None and not in_sum and not exchange and term:
            for operator in (ast.Add(), ast.Sub()):
                label = term_means(text, place, one, isinstance(operator, ast.Sub))
                yield Edit(label, cost + 0.05, place, ast.BinOp(node, operator, operand))
        if np.ndim(one.value) == 2 and len({*np.shape(one.value)}) == 1:
            for product in with_a_matrix(node, shape, one):
                yield Edit(Label.MISSING_FACTOR, cost, place, product)
    if is_float(own) and not in_sum and not is_number(node) and not is_empty(node):
        for operator in (ast.Sub(), ast.Add()):
            label = one_means(place)
            yield Edit(label, OPERAND, place, ast.BinOp(node, operator, number(1)))
    made = text.definitions.get(getattr(node, "id", None))
    # What was divided by a sum before was so by another one.
    shares = isinstance(getattr(made, "op", None), ast.Div) and any(
        called(part) == "sum" for part in ast.walk(made.right) if isinstance(part, ast.Call)
    )
    for axis in range(len(shape)):
        total = call(attribute(node, "sum"), axis=number(axis), keepdims=number(True))
        label = Label.SUMMED if shares else Label.MISSING_FACTOR
        yield Edit(label, LONG_OPERAND, place, ast.BinOp(node, ast.Div(), total))


def of_what_is_handed_on(text, place):
    """Yield what is given a name behind a softmax that was not gone back through, or as one half.

    Parameters
    ----------
    text : Text
    place : Place
    """
    x = place.value
    if not is_handed_on(place) or not is_array(x) or x.dtype.kind != "f" or x.ndim < 2:
        return
    for key in text.arrays:
        other = text.names[key]
        if other.shape != x.shape or key in names_of(place.node):
            continue
        half = ast.parse(f"({written(place.node)} + {key}) / 2", mode="eval").body
        yield Edit(Label.MISSING_TERM, LONG_OPERAND, place, half)
        for axis in range(x.ndim):
            if (other >= 0).all() and np.allclose(other.sum(axis), 1):
                own = f"({written(place.node)})"
                rest = f"({own} * {key}).sum({axis}, keepdims=True)"
                back = ast.parse(f"{key} * ({own} - {rest})", mode="eval").body
                yield Edit(Label.MISSING_FACTOR, LONG_OPERAND, place, back)


def wider(text, place, in_sum):
    """Return the shape of what a sum over rows or columns is taken from, which is wider; or None."""
    target = getattr(place.parent, "target", None) if isinstance(place.parent, ast.AugAssign) else None
    whole = text.names.get(getattr(target, "id", None)) if target is not None else None
    if in_sum and place.around is not None:
        whole = place.around.value
    shape = np.shape(place.value)
    is_wider = is_array(whole) and whole.ndim == len(shape) and whole.shape != shape
    return whole.shape if is_wider else None


def is_size_of_factor(node, product):
    """Tell whether an expression is the absolute value of a factor of a product."""
    size = isinstance(node, ast.Call) and called(node) == "abs" and len(node.args) == 1
    return size and ast.unparse(node.args[0]) in map(ast.unparse, factors_of(product))


def insertion_means(text, place, one):
    """Return what it means to leave out a factor: that of a power belongs to another rule."""
    if in_comparison(place):
        stops = is_mask(one.value) and not text.is_turned_round(place.statement)
        return Label.MASK_FORGOTTEN if stops else Label.MASK_FROM_WRONG_TENSOR
    if is_stopping(place) and is_mask(one.value):
        return Label.MASK_FROM_WRONG_TENSOR
    if is_exponent(place):
        return Label.WRONG_FUNCTION
    from_one = is_beside(place, ast.Sub) and place.field == "right" and is_number(place.parent.left)
    if from_one or is_squared_in_slope(place):
        return Label.WRONG_FUNCTION  # what is taken from 1, as in slopes
    within = is_beside(place, (ast.Add, ast.Sub)) or isinstance(place.parent, ast.Call)
    if ast.unparse(place.node) == one.text and within:
        return Label.WRONG_FUNCTION  # its square
    divisors = {
        id(part) for node in ast.walk(place.node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
        for part in ast.walk(node.right)
    }
    powers = (
        node for node in ast.walk(place.node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and id(node) not in divisors
    )
    powers = list(powers)
    lower = f"{one.value - 1:g}" if is_number(one.node) else ""
    parts = [(ast.unparse(node.left), ast.unparse(node.right)) for node in powers]
    lowered = any(one.text == base or lower == exponent for base, exponent in parts)
    if is_array(place.value) and place.value.size > 1 and is_value(one.value):
        passed = text.meanings.of_exchange(place, place.value, place.value * one.value)
        own_mask = not is_mask(one.value) or (
            np.array_equal(place.value > 0, one.value != 0) and is_of_matrix_product(text, place)
        )
        if passed is Label.PRE_ACTIVATION and own_mask:
            return passed
    if is_number(one.node) and is_mask(place.value) and is_beside(place, (ast.Add, ast.Sub)):
        return Label.MISSING_TERM  # ones that are counted for each of two terms
    scales = is_number(one.node) or (called(place.parent) in BENT and not np.ndim(one.value))
    whole = place
    while is_minus(whole.parent) or is_beside(whole, (ast.Mult, ast.Div)):
        whole = whole.around
    if (place.is_argument and scales) or (whole.is_argument and is_bent_call(whole.parent) and scales):
        return Label.WRONG_FUNCTION  # the function of another argument
    own_relu = is_mask(one.value) and is_own_relu(place.value, one.value)
    if own_relu and is_of_matrix_product(text, place):
        return Label.PRE_ACTIVATION
    if is_switch(text, one):
        return Label.MASK_FORGOTTEN
    return Label.WRONG_FUNCTION if lowered else inserted(one)


def is_bent_call(node):
    """Tell whether something is a call of a function that is not linear."""
    return isinstance(node, ast.Call) and called(node) in BENT


def is_of_matrix_product(text, place):
    """Tell whether something is part of a product of matrices, or is made by one, or used in one."""
    around = [here.parent for here in place.way_up()]
    # With its bias, or without.
    layer = place.node.left if isinstance(getattr(place.node, "op", None), ast.Add) else place.node
    if any(map(is_matrix_product, (*around, layer))):
        return True
    made = target_of(place.statement)
    products = (node for node in ast.walk(text.program.tree) if is_matrix_product(node))
    return any(made in names_of(product) for product in products)


def is_matrix_product(node):
    """Tell whether something multiplies matrices."""
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.MatMult)
    return isinstance(node, ast.Call) and called(node) in ("dot", "einsum", "outer", "tensordot")


def is_own_relu(x, mask):
    """Tell whether an array under a mask is its own ReLU."""
    wide = is_array(x) and is_float(x) and np.shape(x) == np.shape(mask) and (x < 0).any()
    return bool(wide and np.array_equal(x * mask, np.maximum(x, 0)))


def is_switch(text, one):
    """Tell whether a number lets something through in some rounds, and not in others."""
    base = text.names.get(getattr(getattr(one.node, "value", None), "id", None))
    return one.text in text.switches or is_mask(base)


def term_means(text, place, one, taken_away):
    """Return what it means to leave out a term."""
    if in_comparison(place):
        return Label.MASK_FROM_WRONG_TENSOR
    if is_product(place.node):
        one_side, other = place.node.left, place.node.right
        beside = one.text in map(ast.unparse, (one_side, other))
        if beside and (is_negative(one_side) or is_negative(other)) == taken_away:
            return Label.WRONG_FUNCTION  # 1 more in the other factor
    from_one = isinstance(place.node, ast.BinOp) and isinstance(place.node.op, (ast.Add, ast.Sub))
    if from_one and isinstance(place.node.left, ast.Constant) and is_beside(place, ast.Mult):
        return Label.WRONG_FUNCTION  # of something taken from 1, as slopes are
    if (masked := of_masked(text, place, one)) is not None:
        return masked
    if taken_away and is_far_below(one.value):
        return Label.MASK_FORGOTTEN
    if is_exponent_of_e(place):
        return Label.MISSING_FACTOR
    if taken_away and is_cut_out(place.value, one.value):
        return Label.MASK_FORGOTTEN
    doubled = ast.unparse(place.node) in (one.text, *map(ast.unparse, multiplied_by_a_number(one.node)))
    if ast.unparse(place.node) == one.text and taken_away:
        return Label.EXTRA_TERM  # 0 in its place
    given = isinstance(place.parent, ast.Call) and isinstance(place.parent.func, ast.Name)
    own = getattr(place.node, "id", None) if given else None
    if own is not None and is_made_of(one.node, own, text.definitions):
        return Label.STALE_BUFFER  # the state before a step, for that in its middle or behind it
    if taken_away and (False, one.text) in operands(place.node, SUMS, text.definitions):
        return Label.EXTRA_TERM
    factors = {ast.unparse(part): part for part in factors_of(one.node)} if is_product(one.node) else {}
    summed = {term for _, term in operands(place.node, SUMS, {})}
    if taken_away and summed & {*factors} and any(map(is_rest, factors.values())):
        return Label.MISSING_FACTOR  # x - x * (1 - r) is x * r
    within = ast.unparse(place.node) in factors
    return Label.MISSING_FACTOR if doubled or (within and taken_away) else Label.MISSING_TERM


def of_masked(text, place, one):
    """Return what it means to leave out what the statement has, but under another mask, or under none.

    None if the term has no mask, or something else besides.
    """
    parts = [(part, worked_out(part, text)) for part in parts_of_product(one.node)]
    masks = [part for part, value in parts if is_open_or_shut(value)]
    others = {ast.unparse(part) for part, value in parts if part not in masks}
    wide = any(np.ndim(value) for part, value in parts if part not in masks and value is not None)
    there = [node for node in ast.walk(place.statement) if isinstance(node, ast.expr)]
    if not masks or not wide or not others <= {*map(ast.unparse, there)}:
        return None
    stopped = any(is_open_or_shut(text.value_of(node)) for node in there)
    return Label.MASK_FROM_WRONG_TENSOR if stopped else Label.MASK_FORGOTTEN


def is_far_below(x):
    """Tell whether what is taken from some scores, and not from others, leaves them no share."""
    sides = two_values(x) if is_array(x) and x.size > 1 else None
    return sides is not None and 0 in sides and max(sides) >= FAR_BELOW


def is_cut_out(own, part):
    """Tell whether an array has nothing left where a part of it is, which is taken away."""
    if not is_array(own) or np.shape(own) != np.shape(part) or own.dtype.kind != "f":
        return False
    there = part != 0
    return bool(there.any() and (own[~there] != 0).any() and np.array_equal(own[there], part[there]))


def is_open_or_shut(x):
    """Tell whether an array is a mask, or one with a sign, or with 1 taken off."""
    return is_array(x) and x.size > 1 and (x == 0).any() and set(np.abs(x).ravel()) == {0, 1}


def is_one_over_a_size(text, x):
    """Tell whether a value is, whatever its name, one over how many there are of something."""
    small = is_one_number(x) and 0 < x < 0.4
    return small and float(np.round(1 / x, 9)) in text.sizes


def one_means(place):
    """Return what it means that 1 is neither added nor taken off."""
    if in_comparison(place):
        return Label.MASK_FROM_WRONG_TENSOR
    below = (here for here in place.way_up() if here.field == "right")
    parts = any(isinstance(getattr(here.parent, "op", None), (ast.Pow, ast.Div)) for here in below)
    return Label.WRONG_FUNCTION if parts else Label.MISSING_TERM


def with_a_matrix(node, shape, one):
    """Yield an expression times a square matrix, from either side, and solved with it."""
    for matrix in (fresh(one.node), attribute(fresh(one.node), "T")):
        if shape and shape[-1] == len(one.value):
            yield ast.BinOp(node, ast.MatMult(), matrix)
        if len(shape) > 2 and shape[-2] == len(one.value):
            yield ast.BinOp(matrix, ast.MatMult(), node)  # of each of several
        if shape and shape[0] == len(one.value):
            yield ast.BinOp(matrix, ast.MatMult(), node)
            yield call(attribute(attribute(name("np"), "linalg"), "solve"), matrix, node)


def beside(one, shape):
    """Return an ingredient so that it goes with a shape, element by element; or None."""
    own = np.shape(one.value)
    if is_whole(one.value) and one.value in (0, 1) and not one.varies:
        return None
    if len(own) <= len(shape) and all(n in (1, m) for n, m in zip(own[::-1], shape[::-1])):
        return fresh(one.node)
    if len(own) == 1 and len(shape) == 2 and own[0] == shape[0]:
        rows = ast.Tuple([ast.Slice(), ast.Constant(None)], ast.Load())
        return ast.Subscript(fresh(one.node), rows, ast.Load())
    return None


def multiplied_by_a_number(node):
    """Return the operands of a product of which one is a plain number, or none."""
    numbers = is_product(node) and any(map(is_number, (node.left, node.right)))
    return (node.left, node.right) if numbers else ()


def is_negative(node):
    """Tell whether an expression has a minus in front."""
    while isinstance(node, ast.BinOp):
        node = node.left
    return isinstance(node, ast.UnaryOp)


def is_empty(node):
    """Tell whether an expression makes an array to be filled later."""
    return isinstance(node, ast.Call) and called(node) in ("zeros", "zeros_like", "empty", "empty_like")
