"""Edits of operators, signs, comparisons and numbers."""

import ast
import copy
import itertools
from functools import partial

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.edits.edit import CALL, LONG_OPERAND, OPERAND, TOKEN, Edit
from tinygrad_relu.gradcheck.diagnosis.edits.meanings import are_counts, is_count, is_mask
from tinygrad_relu.gradcheck.diagnosis.edits.quantities import index_means, rounds_mean
from tinygrad_relu.gradcheck.diagnosis.edits.surroundings import (
    BENT,
    decides,
    in_comparison,
    in_range,
    is_axis,
    is_gone_through,
    is_handed_on,
    is_summed,
    is_triangle,
)
from tinygrad_relu.gradcheck.diagnosis.edits.syntax import (
    attribute,
    call,
    called,
    factors_of,
    is_product,
    negative,
    number,
)
from tinygrad_relu.gradcheck.diagnosis.edits.values import (
    is_array,
    is_float,
    is_index,
    is_one_number,
    is_total,
    is_value,
    is_whole,
)
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import is_square


def of_operators(text, place):
    """Yield an expression of two operands with another operator, or without one of the operands."""
    node = place.node
    if not isinstance(node, ast.BinOp):
        return
    left, right, kind = node.left, node.right, type(node.op)
    wrong = Label.MASK_FROM_WRONG_TENSOR if decides(place) else Label.WRONG_FUNCTION

    def other(label, cost, a, operator, b):
        return Edit(label, cost, place, ast.BinOp(a, operator, b))

    if kind is ast.Add:
        yield other(wrong, TOKEN, left, ast.Sub(), right)
    if kind is ast.Sub:
        yield other(wrong, TOKEN, left, ast.Add(), right)
        yield other(wrong, TOKEN + 0.1, right, ast.Sub(), left)
    if kind in (ast.Add, ast.Sub) and place.is_key:
        yield Edit(lambda: index_means(text, place, left), TOKEN - 0.1, place, left)
        if kind is ast.Sub and isinstance(right, ast.Name):
            yield Edit(Label.PERMUTED, TOKEN - 0.1, place, right)  # counted from the other end
    elif kind in (ast.Add, ast.Sub) and in_range(place):
        yield Edit(lambda: rounds_mean(text, place, left), TOKEN - 0.1, place, left)
    elif kind in (ast.Add, ast.Sub):
        rest = right if kind is ast.Add else negative(right)
        for product in inside_of_products(left, node.op, right):
            yield Edit(Label.MISSING_FACTOR, CALL, place, product)
        for kept, lost in ((left, right), (rest, left)):
            yield Edit(
                lambda kept=kept, lost=lost: extra(text, place, kept, lost), TOKEN + 0.2, place, kept
            )
    if kind is ast.Mult:
        yield other(Label.WRONG_FUNCTION, TOKEN, left, ast.Div(), right)
        if isinstance(right, ast.Constant):
            yield other(Label.WRONG_FUNCTION, TOKEN - 0.05, left, ast.Pow(), right)
        yield Edit(lambda: superfluous(text, place, right), TOKEN + 0.2, place, left)
        yield Edit(lambda: superfluous(text, place, left), TOKEN + 0.2, place, right)
        yield other(Label.WRONG_FUNCTION, CALL, left, ast.MatMult(), right)
        if isinstance(left, ast.UnaryOp) and isinstance(left.op, ast.USub):
            means = partial(superfluous, text, place, left.operand)
            yield Edit(means, TOKEN + 0.25, place, negative(right))
        for factor, product in ((left, right), (right, left)):
            yield from moved_inside(place, factor, product)
        if isinstance(left, ast.Constant) and left.value == 2 and is_array(place.value) and (
            is_square(place.value)
        ):
            yield other(Label.TRANSPOSED, CALL, right, ast.Add(), attribute(right, "T"))
        if isinstance(left, ast.BinOp) and isinstance(left.op, ast.Mult):
            yield Edit(Label.WRONG_FUNCTION, TOKEN + 0.25, place, left.left)
    if kind is ast.Div:
        scale = text.at(right).value if id(right) in text.by_node else None
        # By one number for all it is off by the square of that.
        turned = Label.MISSING_FACTOR if is_one_number(scale) else Label.WRONG_FUNCTION
        yield other(turned, TOKEN, left, ast.Mult(), right)
        yield Edit(lambda: superfluous(text, place, right, divides=True), TOKEN + 0.2, place, left)
    if kind is ast.Pow:
        yield Edit(Label.WRONG_FUNCTION, TOKEN + 0.2, place, left)
    if kind is ast.MatMult:
        yield other(Label.TRANSPOSED, TOKEN, right, ast.MatMult(), left)
        yield Edit(wrong, OPERAND, place, left)
        yield Edit(wrong, OPERAND, place, right)
        # An inner product, where each element has its own.
        inner = Label.SUMMED if is_one_number(place.value) else Label.WRONG_FUNCTION
        yield other(inner, CALL, left, ast.Mult(), right)


def inside_of_products(product, operator, term):
    """Yield a product of which one factor has the term that stands beside the whole."""
    if not isinstance(product, ast.BinOp) or not isinstance(product.op, ast.Mult):
        return
    yield ast.BinOp(product.left, ast.Mult(), ast.BinOp(product.right, operator, term))
    yield ast.BinOp(ast.BinOp(product.left, operator, term), ast.Mult(), product.right)
    for inner in inside_of_products(product.left, operator, term):
        yield ast.BinOp(inner, ast.Mult(), product.right)


def of_slopes(_, place):
    """Yield the derivative of tanh for that of a sigmoid, the converse, and with the square it lacks."""
    node = place.node
    if not isinstance(node, ast.BinOp):
        return
    left, right = node.left, node.right
    if isinstance(node.op, ast.Sub) and ast.unparse(left) == "1":
        squared = ast.BinOp(right, ast.Pow(), number(2))
        yield Edit(Label.WRONG_FUNCTION, TOKEN, place, ast.BinOp(left, ast.Sub(), squared))
    squared = isinstance(right, ast.BinOp) and isinstance(right.op, ast.Pow)
    if squared and ast.unparse(node) == f"1 - {ast.unparse(right.left)} ** 2":
        one = ast.BinOp(right.left, ast.Mult(), ast.BinOp(left, ast.Sub(), right.left))
        yield Edit(Label.WRONG_FUNCTION, TOKEN, place, one)
    if not isinstance(node.op, ast.Mult):
        return
    longer = isinstance(left, ast.BinOp) and isinstance(left.op, ast.Mult)
    factor, rest = (left.right, [left.left]) if longer else (left, [])
    if ast.unparse(right) == f"1 - {ast.unparse(factor)}":
        one = ast.BinOp(number(1), ast.Sub(), ast.BinOp(factor, ast.Pow(), number(2)))
        new = ast.BinOp(rest[0], ast.Mult(), one) if rest else one
        yield Edit(Label.WRONG_FUNCTION, TOKEN, place, new)


def moved_inside(place, factor, product):
    """Yield a product with a factor that belongs before a matrix multiplies, and not behind."""
    for node in ast.walk(product):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
            for field, more in (("right", 0.0), ("left", 0.05)):
                inner = getattr(node, field)
                if isinstance(inner, (ast.Name, ast.Subscript)):
                    moved = copy.deepcopy(product, {id(inner): ast.BinOp(factor, ast.Mult(), inner)})
                    yield Edit(Label.WRONG_FUNCTION, CALL + more, place, moved)


def extra(text, place, kept, lost):
    """Return what it means that a term does not belong: in a value of the forward, it is another one."""
    if in_range(place):
        return Label.MISSING_TERM
    if decides(place):
        return Label.MASK_FROM_WRONG_TENSOR
    value = text.at(kept).value if id(kept) in text.by_node else None
    if isinstance(lost, ast.Constant) and is_array(value) and is_index(value):
        return Label.SHIFTED
    if isinstance(lost, ast.Constant) and called(kept) == "exp":
        return Label.WRONG_FUNCTION  # the value of an ELU, where its slope belongs
    if isinstance(lost, ast.Constant) or isinstance(kept, ast.Constant):
        # What one case has, and the other one has not.
        return Label.EXTRA_TERM if text.in_one_case(place) else Label.WRONG_FUNCTION
    totals = (node for node in ast.walk(kept) if isinstance(node, ast.Call) and called(node) == "cumsum")
    if any(ast.unparse(lost) in ast.unparse(total) for total in totals):
        return Label.SHIFTED  # with or without the own one
    if any(called(node) in ("eye", "identity") for node in ast.walk(lost) if isinstance(node, ast.Call)):
        return Label.EXTRA_TERM
    targets = getattr(place.statement, "targets", [])
    if ast.unparse(kept) in map(ast.unparse, targets):
        role = text.meanings.role(value) if is_array(value) and value.size > 1 else None
        # A gradient has something added to it; anything else is changed on the way.
        return Label.EXTRA_TERM if role is not None and role[0] == "cotangent" else Label.STALE_BUFFER
    if is_value(value) and np.shape(value) == np.shape(place.value):
        found = text.meanings.of_exchange(place, np.asarray(place.value), np.asarray(value))
        if found is not None:
            return found
        if text.meanings.is_forward(place.value):
            return Label.WRONG_FUNCTION
        if text.meanings.is_forward(value) and is_product(lost):
            return Label.STALE_BUFFER  # a weight that has been moved
    return Label.EXTRA_TERM


def superfluous(text, place, factor, divides=False):
    """Return what it means that a factor, or what something is divided by, does not belong."""
    if decides(place):
        return Label.MASK_FROM_WRONG_TENSOR
    value = text.at(factor).value
    numbers = text.at(factor).numbers
    whole = is_whole(value) or is_total(value) or (len(numbers) > 1 and all(x % 1 == 0 for x in numbers))
    whole_name = whole and not isinstance(factor, ast.Constant)
    if is_count(value, factor) or are_counts(value) or (divides and whole_name):
        return Label.AVERAGED
    if divides and place.is_argument and called(place.parent) in BENT:
        return Label.WRONG_FUNCTION  # the function of another argument
    whole = place
    while whole.around is not None and is_product(whole.parent):
        whole = whole.around
    if [*map(ast.unparse, factors_of(whole.node))].count(ast.unparse(factor)) > 1 and not np.ndim(value):
        return Label.MISSING_FACTOR  # 1 over it, where it stands twice
    if divides or (isinstance(factor, ast.Call) and called(factor) == "exp"):
        # What was derived is not the number itself, but its logarithm, say.
        return Label.MISSING_FACTOR
    if isinstance(factor, ast.Constant):
        return Label.EXTRA_TERM
    return Label.MASK_FROM_WRONG_TENSOR if is_mask(value) else Label.WRONG_FUNCTION


def of_signs(text, place):
    """Yield an expression with a sign, without one, and taken from 1."""
    node = place.node
    # The sign of what is 0 and 1 lets through what it did.
    chooses = decides(place) and not (is_float(place.value) and is_mask(place.value))
    wrong = Label.MASK_FROM_WRONG_TENSOR if chooses or in_comparison(place) else Label.WRONG_FUNCTION
    if place.is_given_to({"argsort", "sort", "sorted"}):
        wrong = Label.PERMUTED
    if isinstance(node, ast.UnaryOp):
        turned = Label.PERMUTED if place.is_key else wrong
        if isinstance(place.parent, ast.Call) and called(place.parent) == "roll":
            turned = Label.SHIFTED
        if is_axis(text, place):
            turned = Label.SUMMED
        if is_triangle(place):
            turned = Label.MASK_NOT_STRICT
        is_sign = isinstance(node.op, ast.USub)
        yield Edit(turned if is_sign else Label.MASK_FROM_WRONG_TENSOR, TOKEN, place, node.operand)
        return
    if is_array(place.value) and place.value.dtype.kind == "b":
        turned = ast.UnaryOp(ast.Invert(), node)
        yield Edit(Label.MASK_FROM_WRONG_TENSOR, TOKEN + 0.1, place, turned)
    elif is_float(place.value) and not isinstance(node, ast.Constant) and not is_gone_through(place):
        yield Edit(wrong, TOKEN + 0.15, place, negative(node))
        turned = Label.MASK_FROM_WRONG_TENSOR if is_mask(place.value) else wrong
        yield Edit(turned, TOKEN + 0.4, place, ast.BinOp(number(1), ast.Sub(), node))


def reordered(text, place, pair):
    """Return what it means that two things of a row have each other's place."""
    given = is_handed_on(place) and isinstance(place.parent, ast.Call)
    if isinstance(place.parent, ast.For) or isinstance(place.node.ctx, ast.Store) or given:
        return Label.STALE_BUFFER  # what the last round leaves, or what was kept is called otherwise
    if all(text.meanings.is_forward(text.at(one).value) for one in pair):
        return Label.WRONG_FUNCTION  # what is multiplied by, and no gradient
    return Label.PERMUTED


def of_arrangement(text, place):
    """Yield an array transposed or turned round, and the elements of a row in another order."""
    node, value = place.node, place.value
    # What is shaped anew behind it has its elements in another order.
    shaped = getattr(place.parent, "attr", "") in ("reshape", "ravel")
    label = Label.PERMUTED if shaped else Label.TRANSPOSED
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        yield Edit(label, TOKEN, place, node.value)
    elif is_array(value) and value.ndim >= 2 and not is_summed(place):
        yield Edit(label, TOKEN, place, attribute(node, "T" if value.ndim == 2 else "mT"))
    if isinstance(node, (ast.Tuple, ast.List)) and 2 <= len(node.elts) <= 8:
        axes = place.is_key or all(isinstance(one, ast.Constant) for one in node.elts)
        for i, j in itertools.combinations(range(len(node.elts)), 2):
            row = list(node.elts)
            row[i], row[j] = row[j], row[i]
            label = Label.TRANSPOSED if axes else reordered(text, place, (row[i], row[j]))
            # What is computed from the wrong things says less than what goes to the wrong ones.
            cost = TOKEN + 0.6 * (label is Label.WRONG_FUNCTION)
            yield Edit(label, cost, place, type(node)(row, ast.Load()))
        for turned in rotated(node.elts) if len(node.elts) > 2 and not axes else ():
            yield Edit(Label.PERMUTED, TOKEN + 0.2, place, type(node)(turned, ast.Load()))
        if any(is_array(text.at(one).value) for one in node.elts):
            copies = [call(attribute(one, "copy")) for one in node.elts]
            yield Edit(Label.STALE_BUFFER, CALL, place, type(node)(copies, ast.Load()))
    if is_array(value) and isinstance(node, (ast.Name, ast.Subscript)) and is_handed_on(place):
        yield Edit(Label.STALE_BUFFER, TOKEN, place, call(attribute(node, "copy")))
    if isinstance(node, (ast.Tuple, ast.List)):
        return
    yield from of_equal_axes(place)
    if (is_array(value) and value.ndim and len(value) > 1) or isinstance(value, list):
        back = ast.Subscript(node, ast.Slice(None, None, negative(ast.Constant(1))), ast.Load())
        label = Label.STALE_BUFFER if isinstance(value, list) else Label.PERMUTED
        yield Edit(label, OPERAND, place, back)


def rotated(row):
    """Return a row with its first element behind all others, and with its last one before them."""
    return [*row[1:], row[0]], [row[-1], *row[:-1]]


def of_equal_axes(place):
    """Yield what is no error where axes are of one length: a column for a row, and with its transpose."""
    node, value, around = place.node, place.value, place.around
    if not is_float(value) or not is_array(value):
        return
    if value.ndim == 1 and around is not None and np.shape(around.value) == value.shape * 2:
        column = ast.Tuple([ast.Slice(), ast.Constant(None)], ast.Load())
        yield Edit(Label.TRANSPOSED, CALL, place, ast.Subscript(node, column, ast.Load()))
    if value.ndim == 2 and value.shape[0] == value.shape[1] and is_handed_on(place):
        both = ast.BinOp(node, ast.Add(), attribute(node, "T"))
        yield Edit(Label.MISSING_TERM, LONG_OPERAND, place, both)
        half = ast.BinOp(number(0.5), ast.Mult(), both)
        yield Edit(Label.MISSING_TERM, LONG_OPERAND, place, half)
