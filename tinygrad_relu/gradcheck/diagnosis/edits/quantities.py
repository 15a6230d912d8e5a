"""Edits of numbers and indices, and of what compares them."""

import ast
import copy
import itertools

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.edits.edit import CALL, EXCHANGE, TOKEN, Edit, together
from tinygrad_relu.gradcheck.diagnosis.edits.ingredients import worked_out
from tinygrad_relu.gradcheck.diagnosis.edits.meanings import is_mask
from tinygrad_relu.gradcheck.diagnosis.edits.surroundings import (
    in_comparison,
    in_range,
    is_axis,
    is_beside,
    is_divisor,
    is_exponent,
    is_exponent_of_whole,
    is_formatted,
    is_gone_through,
    is_minus,
    is_squared_in_slope,
    is_triangle,
)
from tinygrad_relu.gradcheck.diagnosis.edits.syntax import attribute, call, called, name, number
from tinygrad_relu.gradcheck.diagnosis.edits.values import is_array, is_index, is_one_number, is_whole
from tinygrad_relu.gradcheck.diagnosis.labels import Label

COMPARISONS = (ast.Gt, ast.GtE, ast.Lt, ast.LtE, ast.Eq, ast.NotEq)
#: Comparisons that differ where both sides are equal, and nowhere else.
STRICT = {frozenset((ast.Gt, ast.GtE)), frozenset((ast.Lt, ast.LtE))}
#: Comparisons, and what holds less often.
NARROWER = {(ast.NotEq, ast.Gt), (ast.NotEq, ast.Lt), (ast.GtE, ast.Gt), (ast.LtE, ast.Lt)}
PRODUCTS = (ast.Mult, ast.Div)
#: What it means that another number has to be given to a function.
OF_NUMBERS = {
    "pop": Label.STALE_BUFFER, "roll": Label.SHIFTED, "swapaxes": Label.TRANSPOSED,
    "transpose": Label.TRANSPOSED, "moveaxis": Label.TRANSPOSED,
}
# Of so many parts of an array at once.
MOST_PARTS = 6
# What is added for a number that is not near to what is written.
FAR_COST = 5.5
# What else a number may be meant to be, besides one more or less, its half and its double.
NUMBERS = (0, 1, -1, 2, 3, 0.5)


def of_comparisons(text, place):
    """Yield another comparison."""
    node = place.node
    if isinstance(node, ast.IfExp):
        turned = ast.IfExp(node.test, node.orelse, node.body)
        yield Edit(Label.MASK_FROM_WRONG_TENSOR, TOKEN, place, turned)
    if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], COMPARISONS):
        return
    sides = (node.left, node.comparators[0])
    # Elements of arrays are data, and no numbers of a round.
    counts = all(is_whole(text.at(side).value) and not isinstance(side, ast.Subscript) for side in sides)
    for kind in COMPARISONS:
        own = type(node.ops[0])
        if own is not kind:
            strict = {own, kind} in STRICT
            label = Label.MASK_NOT_STRICT if strict else Label.MASK_FROM_WRONG_TENSOR
            if counts and stops(text, place.statement):
                label = Label.MASK_FORGOTTEN
            elif counts:  # rounds, or steps
                label = Label.EXTRA_TERM if (own, kind) in NARROWER else Label.MISSING_TERM
            cost = TOKEN - (0.1 if strict or counts else 0.04)
            yield Edit(label, cost, place, ast.Compare(node.left, [kind()], node.comparators))


def stops(text, case):
    """Tell whether all that is done in a case is to multiply by a mask."""
    if not isinstance(case, ast.If):
        return False
    values = [one.value for one in case.body if isinstance(one, (ast.Assign, ast.AugAssign))]
    parts = [[node for node in ast.walk(value) if isinstance(node, ast.expr)] for value in values]
    return bool(parts) and all(any(is_mask(text.value_of(node)) for node in part) for part in parts)


def of_numbers(text, place):
    """Yield another number; and whole numbers one more and one less."""
    node = place.node
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield Edit(Label.WRONG_FUNCTION, TOKEN + 0.3, place, number(not node.value))
    elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        x = node.value
        if is_exponent_of_whole(text, place):
            return  # such numbers have no end
        for other in dict.fromkeys((x + 1, x - 1, -x, 2 * x, x / 2, *NUMBERS)):
            if other != x and not (other < 0 and is_minus(place.parent)):
                nothing = other == 0 and isinstance(place.parent, ast.BinOp)
                far = other not in (x + 1, x - 1, -x, 2 * x, x / 2, 1, 0)
                # A power is one too high or too low, and seldom twice what it should be.
                doubled = is_exponent(place) and other in (2 * x, x / 2) and abs(other - x) != 1
                # A factor that does not belong is seldom written out.
                odd = 0.3 * (nothing or doubled or (other == 1 and is_factor(place))) + FAR_COST * far
                cost = TOKEN - 0.2 * is_triangle(place) + odd
                yield Edit(lambda other=other: of_number(text, place, other), cost, place, number(other))


def of_number(text, place, other):
    """Return what it means that a number has to be another one."""
    if is_triangle(place):
        return Label.MASK_NOT_STRICT
    if in_comparison(place):
        return Label.MASK_FROM_WRONG_TENSOR
    if is_axis(text, place):
        return Label.SUMMED
    if place.is_key:
        return index_means(text, place)
    if in_range(place):
        return rounds_mean(text, place, number(other))
    power = place.around
    if is_exponent(place) and is_one_number(text.at(place.parent.left).value):
        return Label.MISSING_FACTOR  # one factor more or fewer, which is the same for all
    if place.field == "right" and power is not None and is_divisor(power):
        return Label.MISSING_FACTOR  # one division more or fewer
    if isinstance(place.parent, ast.Call) and called(place.parent) in OF_NUMBERS:
        return OF_NUMBERS[called(place.parent)]
    if any(is_array(here.value) and here.value.dtype.kind in "iu" for here in place.way_up()):
        return Label.SHIFTED
    if is_gone_through(place) and isinstance(place.node.value, int):
        return Label.SHIFTED  # lags, say
    if other == 0:
        return Label.STALE_BUFFER if text.is_forward_target(place.statement) else Label.EXTRA_TERM
    product = isinstance(place.parent, ast.BinOp) and isinstance(place.parent.op, ast.Mult)
    if product and place.node.value == 0:
        return Label.MISSING_TERM
    if other == 2 * place.node.value and is_factor(place):
        return Label.MISSING_FACTOR
    return Label.EXTRA_TERM if other == 1 and product else Label.WRONG_FUNCTION


def is_factor(place):
    """Tell whether a number is multiplied by something, or something divided by it, also with a sign."""
    here = place.around if is_minus(place.parent) and place.around is not None else place
    return isinstance(getattr(here.parent, "op", None), PRODUCTS)


def of_index(text, place):
    """Yield an index that is one more, and one less; and an order that is undone."""
    if is_order(place.value) and place.is_subscript:
        undone = call(attribute(name("np"), "argsort"), place.node)
        yield Edit(Label.PERMUTED, CALL, place, undone)
    row = getattr(place.node, "elts", ()) if place.is_subscript else ()
    if len(row) > 1 and all(isinstance(one, ast.Name) and is_whole(text.at(one).value) for one in row):
        for operator in (ast.Add(), ast.Sub()):
            moved = ast.Tuple([ast.BinOp(one, operator, number(1)) for one in row], ast.Load())
            yield Edit(Label.SHIFTED, TOKEN + 0.1, place, moved)
    if not is_whole(place.value) or isinstance(place.node, ast.Constant):
        return
    if is_beside(place, (ast.Add, ast.Sub)) and isinstance(place.parent.right, ast.Constant):
        return  # that number is another one
    for operator in (ast.Add(), ast.Sub()):
        other = ast.BinOp(place.node, operator, number(1))
        cost = TOKEN + 0.1 + 0.3 * is_formatted(place)
        yield Edit(lambda other=other: index_means(text, place, other), cost, place, other)
    for key in text.counters if place.is_key and isinstance(place.node, ast.Name) else ():
        if key != place.node.id:
            one, other = place.node, name(key)
            ways = (one, ast.Add(), other), (one, ast.Sub(), other), (other, ast.Sub(), one)
            for new in itertools.starmap(ast.BinOp, ways):
                yield Edit(lambda: index_means(text, place), EXCHANGE, place, new)


def of_all_indices(text):
    """Yield all parts that are read of an array moved by one place along one of its axes."""
    groups = {}
    for place in text.places:
        node = place.node
        if isinstance(node, ast.Subscript) and place.is_read and place.rounds:
            keys = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            for axis, key in enumerate(map(text.by_node.get, map(id, keys))):
                if key is not None and (is_whole(key.value) or is_index(key.value)):
                    groups.setdefault((ast.unparse(node.value), axis), []).append(key)
    for keys in groups.values():
        if 1 < len(keys) <= MOST_PARTS:
            for operator in (ast.Add(), ast.Sub()):
                if isinstance(operator, ast.Sub) and any(is_first(key.node) for key in keys):
                    continue  # what is before the first one is the last one
                moved = [ast.BinOp(key.node, operator, number(1)) for key in keys]
                yield together(Edit(Label.SHIFTED, TOKEN, *pair) for pair in zip(keys, moved))


def crossed_keys(text):
    """Yield two parts of one array that have each other's place in statements that follow each other."""
    parts = {}
    for place in text.places:
        if isinstance(place.node, ast.Subscript) and place.is_read and place.rounds:
            parts.setdefault(ast.unparse(place.node.value), []).append(place)
    for row in parts.values():
        for one, other in itertools.pairwise(row):
            pair = [ast.unparse(place.node.slice) for place in (one, other)]
            if one.statement is not other.statement and pair[0] != pair[1]:
                edits = Edit(Label.PERMUTED, TOKEN, one, other.node), Edit(None, 0.0, other, one.node)
                yield together(edits)


def is_first(node):
    """Tell whether an index is plainly 0."""
    return isinstance(node, ast.Constant) and node.value == 0


def is_order(x):
    """Tell whether an array names each of all places once."""
    whole = is_array(x) and x.ndim == 1 and x.dtype.kind in "iu"
    return whole and np.array_equal(np.sort(x), np.arange(len(x)))


def rounds_mean(text, place, new):
    """Return what it means that a loop has to have other rounds: there are too many, or too few."""
    written = next(one.parent for one in place.way_up() if called(one.parent) == "range")
    meant = copy.deepcopy(written, {id(place.node): new})
    rounds = [worked_out(node, text) for node in (written, meant)]
    fewer = all(isinstance(one, range) for one in rounds) and len(rounds[1]) < len(rounds[0])
    return Label.EXTRA_TERM if fewer else Label.MISSING_TERM


def index_means(text, place, new=None):
    """Return what it means that an index has to be another one."""
    if in_range(place):
        return Label.MISSING_TERM if new is None else rounds_mean(text, place, new)
    if in_comparison(place):
        return Label.MASK_FROM_WRONG_TENSOR
    here = next((one for one in place.way_up() if one.is_subscript), None)
    if here is None and isinstance(place.parent, ast.BinOp):
        if isinstance(place.parent.op, ast.Pow):
            return Label.WRONG_FUNCTION
        around = [one.parent for one in place.way_up() if is_whole(one.value)]
        number_of = isinstance(place.parent.op, ast.Mult) and all(
            isinstance(one, (ast.BinOp, ast.Assign)) for one in around
        )
        if number_of or isinstance(getattr(around[-1], "op", None), ast.Div):
            return Label.AVERAGED  # a number of elements
    if here is None or not here.around.is_read:
        return Label.SHIFTED
    read = text.at(here.parent.value).value
    if is_mask(read[0] if isinstance(read, (list, tuple)) and read else read):
        return Label.MASK_FROM_WRONG_TENSOR
    if here.around is not None and is_squared_in_slope(here.around):
        return Label.WRONG_FUNCTION
    return Label.SHIFTED
