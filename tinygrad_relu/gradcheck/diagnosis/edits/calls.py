"""Edits of calls: another function, one more or none, other arguments, other rounds."""

import ast

from tinygrad_relu.gradcheck.diagnosis.edits.edit import CALL, LONG_OPERAND, TOKEN, Edit
from tinygrad_relu.gradcheck.diagnosis.edits.forwards import expressions
from tinygrad_relu.gradcheck.diagnosis.edits.surroundings import (
    decides,
    in_comparison,
    is_squared_in_slope,
)
from tinygrad_relu.gradcheck.diagnosis.edits.syntax import (
    attribute,
    call,
    called,
    data_of,
    fresh,
    name,
    number,
    of_module,
    with_data,
)
from tinygrad_relu.gradcheck.diagnosis.edits.values import is_array, is_float
from tinygrad_relu.gradcheck.diagnosis.functions import two_values
from tinygrad_relu.gradcheck.diagnosis.labels import Label

#: Functions that are taken for each other.
TWINS = (
    ("sum", "mean"), ("max", "min"), ("maximum", "minimum"), ("sin", "cos"), ("sinh", "cosh"),
    ("tanh", "cosh"), ("abs", "sign"), ("log", "log1p"), ("exp", "expm1"), ("argmax", "argmin"),
    ("triu", "tril"), ("trace", "sum"),
)
#: What it means to take one of two for the other, if it is not a wrong function.
MEANING_OF_TWINS = {
    frozenset(("sum", "mean")): Label.AVERAGED, frozenset(("exp", "expm1")): Label.MISSING_TERM,
    frozenset(("triu", "tril")): Label.MASK_FROM_WRONG_TENSOR,
}
#: The same where it depends on which one is taken for which.
MEANING_FROM_TO = {("trace", "sum"): Label.MISSING_TERM, ("sum", "trace"): Label.MASK_FORGOTTEN}
#: What it means that a function is forgotten, if it is not one between two layers.
MEANING_OF_FUNCTION = {
    "cumsum": Label.MISSING_TERM, "tril": Label.MASK_FORGOTTEN, "triu": Label.MASK_FORGOTTEN,
}
PRODUCTS = ("outer", "dot", "matmul")
#: What scores are made into, whatever a text calls it: a loss of scores need not name it.
PROBABILITIES = (
    "1 / (1 + np.exp(-({0})))", "np.exp({0}) / np.sum(np.exp({0}), axis=-1, keepdims=True)",
)
#: What it means that a call is to be left out.
DROPPED = {
    "sum": Label.SUMMED, "mean": Label.SUMMED, "argsort": Label.PERMUTED, "sort": Label.PERMUTED,
    "flip": Label.PERMUTED, "cumsum": Label.SUMMED, "sqrt": Label.WRONG_FUNCTION,
    "ones_like": Label.MISSING_FACTOR, "zeros_like": Label.MISSING_TERM,
    "set": Label.MISSING_TERM, "sorted": Label.PERMUTED, "unique": Label.MISSING_TERM,
    "swapaxes": Label.TRANSPOSED, "transpose": Label.TRANSPOSED,
}


def of_calls(text, place):
    """Yield a call with another function, without it, or with its arguments exchanged."""
    node = place.node
    if not isinstance(node, ast.Call):
        return
    own, function = called(node), node.func
    for one, other in (*TWINS, *((b, a) for a, b in TWINS)):
        if own == one and isinstance(function, ast.Attribute):
            label = MEANING_OF_TWINS.get(frozenset((one, other)), Label.WRONG_FUNCTION)
            label = MEANING_FROM_TO.get((one, other), label)
            if label is Label.MISSING_TERM and place.is_argument and one == "exp":
                label = Label.WRONG_FUNCTION  # within another function
            label = Label.MASK_FROM_WRONG_TENSOR if in_comparison(place) else label
            twin = ast.Call(attribute(function.value, other), node.args, node.keywords)
            yield Edit(label, TOKEN, place, twin)
    if (of_module(node) or own in ("set", "sorted", "abs")) and len(node.args) == 1:
        label = DROPPED.get(own, Label.WRONG_FUNCTION)
        value = text.at(node.args[0]).value
        if own == "ones_like" and is_array(value) and two_values(value) is not None:
            label = Label.MASK_FORGOTTEN
        label = Label.MASK_FROM_WRONG_TENSOR if decides(place) else label
        yield Edit(label, CALL, place, node.args[0])
    elif isinstance(function, ast.Attribute) and own in DROPPED:
        yield Edit(DROPPED[own], CALL, place, function.value)
    if own == "cumsum":
        yield from cumulated_back(place, node)
    if own == "where" and len(node.args) == 3:
        test, one, other = node.args
        turned = ast.Call(function, [test, other, one], node.keywords)
        yield Edit(Label.MASK_FROM_WRONG_TENSOR, TOKEN + 0.1, place, turned)
        for arm in (one, other):
            yield Edit(Label.WRONG_FUNCTION, CALL, place, arm)
    elif len(node.args) == 2 and own not in ("zeros", "ones", "range"):
        label = Label.TRANSPOSED if own in PRODUCTS else Label.WRONG_FUNCTION
        yield Edit(label, TOKEN + 0.1, place, ast.Call(function, node.args[::-1], node.keywords))


def of_squares(_, place):
    """Yield the square of a sum for the sum of squares, and the converse."""
    node = place.node
    if (data := data_of(node, "sum")) is not None and is_raised(data):
        yield Edit(Label.WRONG_FUNCTION, CALL, place, raised(with_data(node, data.left), data.right))
    elif is_raised(node) and (data := data_of(node.left, "sum")) is not None:
        yield Edit(Label.WRONG_FUNCTION, CALL, place, with_data(node.left, raised(data, node.right)))


def of_terms_summed(_, place):
    """Yield a sum of which a term is not summed up, but put to the total."""
    data = data_of(place.node, "sum")
    if isinstance(data, ast.BinOp) and isinstance(data.op, (ast.Add, ast.Sub)):
        total = ast.BinOp(with_data(place.node, data.left), data.op, data.right)
        yield Edit(Label.EXTRA_TERM, CALL, place, total)


def is_raised(node):
    """Tell whether an expression is one to the power of another."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)


def raised(node, exponent):
    """Return an expression to some power."""
    return ast.BinOp(node, ast.Pow(), exponent)


def cumulated_back(place, node):
    """Yield what is added up from the front added up from the back."""
    axis = next((one.value for one in node.keywords if one.arg == "axis"), None)
    last = isinstance(axis, ast.Constant) and axis.value in (1, -1)
    turn = ast.Slice(None, None, number(-1))
    if last:
        turn = ast.Tuple([ast.Slice(None, None, None), turn], ast.Load())
    turned = ast.Subscript(data_of(node, "cumsum"), turn, ast.Load())
    back = with_data(node, turned)
    yield Edit(Label.WRONG_FUNCTION, TOKEN, place, ast.Subscript(back, turn, ast.Load()))


def with_functions(text, place, functions):
    """Yield an expression behind a function of one operand that may have been forgotten.

    Parameters
    ----------
    text : Text
    place : Place
    functions : list of ast.expr
    """
    if not is_float(place.value) or isinstance(place.node, ast.Constant):
        return
    if in_comparison(place):
        size = call(attribute(name("np"), "abs"), place.node)
        yield Edit(Label.MASK_FROM_WRONG_TENSOR, CALL, place, size)
        return
    if text.adds_up and is_array(place.value) and place.value.ndim:
        total = call(attribute(name("np"), "cumsum"), place.node, axis=number(-1))
        yield Edit(Label.MISSING_TERM, LONG_OPERAND, place, total)
        turn = ast.Tuple([ast.Constant(...), ast.Slice(None, None, number(-1))], ast.Load())
        back = ast.Subscript(place.node, turn, ast.Load())
        total = call(attribute(name("np"), "cumsum"), back, axis=number(-1))
        yield Edit(Label.MISSING_TERM, LONG_OPERAND, place, ast.Subscript(total, turn, ast.Load()))
    for known in PROBABILITIES if is_array(place.value) and place.value.ndim else ():
        made = ast.parse(known.format(ast.unparse(place.node)), mode="eval").body
        yield Edit(Label.PRE_ACTIVATION, LONG_OPERAND, place, made)
    for function in functions:
        rule = called(function) in ("sign", "abs", "inv", "pinv", "sqrt") or is_squared_in_slope(place)
        label = Label.WRONG_FUNCTION if rule else Label.PRE_ACTIVATION
        label = MEANING_OF_FUNCTION.get(called(function), label)
        yield Edit(label, LONG_OPERAND, place, call(fresh(function), place.node))


def functions_of(text, forward):
    """Return the functions of one operand that a text calls, and those of the forward that it can."""
    found = dict(text.functions)
    for node in expressions(forward, (ast.Call,)):
        named = isinstance(node.func, ast.Name) and node.func.id in text.program.globals
        if named and len(node.args) == 1 and not node.keywords:
            found.setdefault(node.func.id, node.func)
    return list(found.values())


def of_rounds(_, place):
    """Yield a loop in the other direction, or with a round more or less."""
    node = place.node
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return
    if node.func.id == "range":
        yield Edit(Label.STALE_BUFFER, CALL, place, call(name("reversed"), node))
        first, last = (number(0), node.args[0]) if len(node.args) == 1 else node.args[:2]
        step = node.args[2:]
        for by in (1, -1):
            moved = (ast.BinOp(x, ast.Add(), number(by)) for x in (first, last))
            for ends in zip((next(moved), first), (last, next(moved))):
                yield Edit(Label.MISSING_TERM, CALL, place, ast.Call(node.func, [*ends, *step], []))
    if node.func.id == "reversed" and len(node.args) == 1:
        yield Edit(Label.STALE_BUFFER, CALL, place, node.args[0])
