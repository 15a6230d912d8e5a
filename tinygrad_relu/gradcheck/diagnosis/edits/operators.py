"""Edits of operators, signs, comparisons and numbers."""

import ast
import copy
import itertools

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.edits.edit import CALL, OPERAND, TOKEN, Edit
from tinygrad_relu.gradcheck.diagnosis.edits.meanings import are_counts, is_count, is_mask
from tinygrad_relu.gradcheck.diagnosis.edits.syntax import (
    attribute,
    call,
    called,
    negative,
    number,
    of_module,
)
from tinygrad_relu.gradcheck.diagnosis.edits.values import is_array, is_float, is_value, is_whole
from tinygrad_relu.gradcheck.diagnosis.indices import is_index
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.mutations import is_square

COMPARISONS = (ast.Gt, ast.GtE, ast.Lt, ast.LtE, ast.Eq, ast.NotEq)
#: Comparisons that differ where both sides are equal, and nowhere else.
STRICT = {frozenset((ast.Gt, ast.GtE)), frozenset((ast.Lt, ast.LtE))}
PRODUCTS = (ast.Mult, ast.Div)
#: What it means that another number has to be given to a function.
OF_NUMBERS = {
    "pop": Label.STALE_BUFFER, "roll": Label.SHIFTED, "swapaxes": Label.TRANSPOSED,
    "transpose": Label.TRANSPOSED, "moveaxis": Label.TRANSPOSED,
}
#: Functions that are not linear.
BENT = ("sin", "cos", "tan", "exp", "log", "tanh", "sqrt", "abs")
#: Comparisons, and what holds less often.
NARROWER = {(ast.NotEq, ast.Gt), (ast.NotEq, ast.Lt), (ast.GtE, ast.Gt), (ast.LtE, ast.Lt)}
# What is added for a number that is not near to what is written.
FAR_COST = 5.5
# What else a number may be meant to be, besides one more or less, its half and its double.
NUMBERS = (0, 1, -1, 2, 3, 0.5)


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
        yield Edit(lambda: index_means(text, place), TOKEN - 0.1, place, left)
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
        for factor, product in ((left, right), (right, left)):
            yield from moved_inside(place, factor, product)
        if isinstance(left, ast.Constant) and left.value == 2 and is_array(place.value) and (
            is_square(place.value)
        ):
            yield other(Label.WRONG_FUNCTION, CALL, right, ast.Add(), attribute(right, "T"))
        if isinstance(left, ast.BinOp) and isinstance(left.op, ast.Mult):
            yield Edit(Label.WRONG_FUNCTION, TOKEN + 0.25, place, left.left)
    if kind is ast.Div:
        yield other(Label.WRONG_FUNCTION, TOKEN, left, ast.Mult(), right)
        yield Edit(lambda: superfluous(text, place, right, divides=True), TOKEN + 0.2, place, left)
    if kind is ast.Pow:
        yield Edit(Label.WRONG_FUNCTION, TOKEN + 0.2, place, left)
    if kind is ast.MatMult:
        yield other(Label.TRANSPOSED, TOKEN, right, ast.MatMult(), left)
        yield Edit(wrong, OPERAND, place, left)
        yield Edit(wrong, OPERAND, place, right)
        yield other(Label.WRONG_FUNCTION, CALL, left, ast.Mult(), right)


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
    value = text.at(kept).value if id(kept) in text.by_node else None
    if isinstance(lost, ast.Constant) and is_array(value) and is_index(value):
        return Label.SHIFTED
    if isinstance(lost, ast.Constant) or isinstance(kept, ast.Constant):
        return Label.WRONG_FUNCTION
    targets = getattr(place.statement, "targets", [])
    if ast.unparse(kept) in map(ast.unparse, targets):
        return Label.STALE_BUFFER  # it is changed on the way
    if is_value(value) and np.shape(value) == np.shape(place.value):
        found = text.meanings.of_exchange(place, np.asarray(place.value), np.asarray(value))
        if found is not None:
            return found
        if text.meanings.is_forward(place.value):
            return Label.WRONG_FUNCTION
        if text.meanings.is_forward(value):
            return Label.STALE_BUFFER  # a weight that has been moved
    return Label.EXTRA_TERM


def superfluous(text, place, factor, divides=False):
    """Return what it means that a factor, or what something is divided by, does not belong."""
    if decides(place):
        return Label.MASK_FROM_WRONG_TENSOR
    value = text.at(factor).value
    whole_name = is_whole(value) and not isinstance(factor, ast.Constant)
    if is_count(value, factor) or are_counts(value) or (divides and whole_name):
        return Label.AVERAGED
    if divides and place.is_argument and called(place.parent) in BENT:
        return Label.WRONG_FUNCTION  # the function of another argument
    if divides or (isinstance(factor, ast.Call) and called(factor) == "exp"):
        # What was derived is not the number itself, but its logarithm, say.
        return Label.MISSING_FACTOR
    if isinstance(factor, ast.Constant):
        return Label.EXTRA_TERM
    return Label.MASK_FROM_WRONG_TENSOR if is_mask(value) else Label.WRONG_FUNCTION


def of_signs(_, place):
    """Yield an expression with a sign, without one, and taken from 1."""
    node = place.node
    wrong = Label.MASK_FROM_WRONG_TENSOR if decides(place) else Label.WRONG_FUNCTION
    if isinstance(node, ast.UnaryOp):
        turned = Label.PERMUTED if place.is_key else wrong
        if isinstance(place.parent, ast.Call) and called(place.parent) == "roll":
            turned = Label.SHIFTED
        is_sign = isinstance(node.op, ast.USub)
        yield Edit(turned if is_sign else Label.MASK_FROM_WRONG_TENSOR, TOKEN, place, node.operand)
        return
    if is_array(place.value) and place.value.dtype.kind == "b":
        turned = ast.UnaryOp(ast.Invert(), node)
        yield Edit(Label.MASK_FROM_WRONG_TENSOR, TOKEN + 0.1, place, turned)
    elif is_float(place.value) and not isinstance(node, ast.Constant):
        yield Edit(wrong, TOKEN + 0.15, place, negative(node))
        yield Edit(wrong, TOKEN + 0.4, place, ast.BinOp(number(1), ast.Sub(), node))


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
            if counts:  # rounds, or steps
                label = Label.EXTRA_TERM if (own, kind) in NARROWER else Label.MISSING_TERM
            yield Edit(label, TOKEN - 0.1, place, ast.Compare(node.left, [kind()], node.comparators))


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
                cost = TOKEN - 0.2 * is_triangle(place.parent) + 0.3 * nothing + FAR_COST * far
                yield Edit(lambda other=other: of_number(text, place, other), cost, place, number(other))


def is_minus(node):
    """Tell whether an expression has a minus in front."""
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)


def is_exponent_of_whole(text, place):
    """Tell whether something is the exponent of a whole number, or part of it."""
    right = (here.parent for here in place.way_up() if here.field == "right")
    powers = (one for one in right if isinstance(one, ast.BinOp) and isinstance(one.op, ast.Pow))
    return any(is_whole(text.at(one.left).value) for one in powers)


def is_axis(place):
    """Tell whether a number says over which axis a sum goes."""
    if is_minus(place.parent) and place.around is not None:
        place = place.around
    parent = place.parent
    if isinstance(parent, ast.keyword):
        return parent.arg == "axis"
    behind = place.field == "args" and place.index == of_module(parent)
    return behind and called(parent) in ("sum", "mean", "max", "min", "cumsum")


def is_triangle(node):
    """Tell whether an expression is the mask of a triangle."""
    return isinstance(node, ast.Call) and called(node) in ("triu", "tril")


def of_number(text, place, other):
    """Return what it means that a number has to be another one."""
    if is_triangle(place.parent):
        return Label.MASK_NOT_STRICT
    if in_comparison(place):
        return Label.MASK_FROM_WRONG_TENSOR
    if is_axis(place):
        return Label.SUMMED
    if place.is_key:
        return index_means(text, place)
    if in_range(place):
        return Label.MISSING_TERM
    power = place.around
    if place.field == "right" and power is not None and is_divisor(power):
        return Label.MISSING_FACTOR  # one division more or fewer
    if isinstance(place.parent, ast.Call) and called(place.parent) in OF_NUMBERS:
        return OF_NUMBERS[called(place.parent)]
    if any(is_array(here.value) and here.value.dtype.kind in "iu" for here in place.way_up()):
        return Label.SHIFTED
    if other == 0:
        return Label.STALE_BUFFER if text.is_forward_target(place.statement) else Label.EXTRA_TERM
    product = isinstance(place.parent, ast.BinOp) and isinstance(place.parent.op, ast.Mult)
    if product and place.node.value == 0:
        return Label.MISSING_TERM
    if other == 2 * place.node.value and isinstance(getattr(place.parent, "op", None), PRODUCTS):
        return Label.MISSING_FACTOR
    return Label.EXTRA_TERM if other == 1 and product else Label.WRONG_FUNCTION


def of_arrangement(text, place):
    """Yield an array transposed or turned round, and the elements of a row in another order."""
    node, value = place.node, place.value
    # What is shaped anew behind it has its elements in another order.
    shaped = getattr(place.parent, "attr", "") in ("reshape", "ravel")
    label = Label.PERMUTED if shaped else Label.TRANSPOSED
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        yield Edit(label, TOKEN, place, node.value)
    elif is_array(value) and value.ndim >= 2:
        yield Edit(label, TOKEN, place, attribute(node, "T" if value.ndim == 2 else "mT"))
    if isinstance(node, (ast.Tuple, ast.List)) and 2 <= len(node.elts) <= 8:
        axes = place.is_key or all(isinstance(one, ast.Constant) for one in node.elts)
        for i, j in itertools.combinations(range(len(node.elts)), 2):
            row = list(node.elts)
            row[i], row[j] = row[j], row[i]
            label = Label.TRANSPOSED if axes else Label.PERMUTED
            yield Edit(label, TOKEN, place, type(node)(row, ast.Load()))
        if any(is_array(text.at(one).value) for one in node.elts):
            copies = [call(attribute(one, "copy")) for one in node.elts]
            yield Edit(Label.STALE_BUFFER, CALL, place, type(node)(copies, ast.Load()))
    if is_array(value) and isinstance(node, (ast.Name, ast.Subscript)) and is_handed_on(place):
        yield Edit(Label.STALE_BUFFER, TOKEN, place, call(attribute(node, "copy")))
    if isinstance(node, (ast.Tuple, ast.List)):
        return
    if (is_array(value) and value.ndim and len(value) > 1) or isinstance(value, list):
        back = ast.Subscript(node, ast.Slice(None, None, negative(ast.Constant(1))), ast.Load())
        label = Label.STALE_BUFFER if isinstance(value, list) else Label.PERMUTED
        yield Edit(label, OPERAND, place, back)


def in_comparison(place):
    """Tell whether something is compared, or part of what is."""
    return place.is_compared or any(isinstance(here.parent, ast.Compare) for here in place.way_up())


def decides(place):
    """Tell whether something says what is let through: it is compared, or is itself 0 and 1."""
    return in_comparison(place) or place.is_given_to({"argmax", "argmin"}) or is_mask(place.value)


def is_handed_on(place):
    """Tell whether something is given another name as it is, or put into a list."""
    appended = isinstance(place.parent, ast.Call) and called(place.parent) == "append"
    return appended or (isinstance(place.parent, ast.Assign) and place.field == "value")


def in_range(place):
    """Tell whether something says how far a loop goes."""
    return place.is_given_to({"range"})


def of_index(text, place):
    """Yield an index that is one more, and one less."""
    if not is_whole(place.value) or isinstance(place.node, ast.Constant):
        return
    for operator in (ast.Add(), ast.Sub()):
        other = ast.BinOp(place.node, operator, number(1))
        yield Edit(lambda: index_means(text, place), TOKEN + 0.1, place, other)


def index_means(text, place):
    """Return what it means that an index has to be another one: of data, or of what rounds leave."""
    if in_range(place):
        return Label.MISSING_TERM
    here = next((one for one in place.way_up() if one.is_subscript), None)
    if here is None and isinstance(place.parent, ast.BinOp):
        if isinstance(place.parent.op, ast.Pow):
            return Label.WRONG_FUNCTION
        around = [one.parent for one in place.way_up() if is_whole(one.value)]
        if isinstance(place.parent.op, ast.Div) or (
            isinstance(place.parent.op, ast.Mult)
            and all(isinstance(one, (ast.BinOp, ast.Assign)) for one in around)
        ):
            return Label.AVERAGED  # a number of elements
    if here is None or not here.around.is_read:
        return Label.SHIFTED
    read = text.at(here.parent.value).value
    if is_mask(read[0] if isinstance(read, (list, tuple)) and read else read):
        return Label.MASK_FROM_WRONG_TENSOR
    if here.around is not None and is_squared_in_slope(here.around):
        return Label.WRONG_FUNCTION
    return Label.STALE_BUFFER if text.is_filled(here.parent.value) else Label.SHIFTED


def is_power(node):
    """Tell whether an expression is a power, or the product of something with itself."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return ast.unparse(node.left) == ast.unparse(node.right)
    named = isinstance(node, ast.Call) and called(node) in ("square", "power")
    return named or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow))


def is_divisor(place):
    """Tell whether something is divided by a power."""
    power = isinstance(place.node, ast.BinOp) and isinstance(place.node.op, ast.Pow)
    return power and place.field == "right" and isinstance(getattr(place.parent, "op", None), ast.Div)


def is_squared_in_slope(place):
    """Tell whether something is squared and taken from 1, as in the derivative of tanh."""
    power = place.around
    if power is None or not is_power(power.node):
        return False
    rest = power.parent
    return isinstance(rest, ast.BinOp) and (
        isinstance(rest.op, ast.Sub) and isinstance(rest.left, ast.Constant)
    )
