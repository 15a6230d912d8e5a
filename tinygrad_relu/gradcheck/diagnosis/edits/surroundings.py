"""What a place stands beside, and within."""

import ast
import types

from tinygrad_relu.gradcheck.diagnosis.edits.meanings import is_mask
from tinygrad_relu.gradcheck.diagnosis.edits.syntax import called, factors_of, is_product, of_module
from tinygrad_relu.gradcheck.diagnosis.edits.values import is_whole

#: Functions that make a triangle, or take one out of a matrix.
TRIANGLES = ("triu", "tril", "tri", "triu_indices", "tril_indices")
#: Functions that are not linear.
BENT = ("sin", "cos", "tan", "exp", "log", "tanh", "sqrt", "abs")


def is_beside(place, operators):
    """Tell whether a place is an operand of some operators."""
    return isinstance(place.parent, ast.BinOp) and isinstance(place.parent.op, operators)


def in_comparison(place):
    """Tell whether something is compared, or part of what is."""
    return place.is_compared or any(isinstance(here.parent, ast.Compare) for here in place.way_up())


def decides(place):
    """Tell whether something says what is let through: it is compared, or is itself 0 and 1."""
    best = {"argmax", "argmin"}
    method = getattr(place.parent, "attr", "") in best and place.field == "value"
    return in_comparison(place) or method or place.is_given_to(best) or is_mask(place.value)


def is_stopping(place):
    """Tell whether something says what is stopped, and not what is let through."""
    parent = place.parent
    if isinstance(parent, ast.UnaryOp):
        return isinstance(parent.op, (ast.Invert, ast.Not))
    chosen = isinstance(parent, ast.Call) and called(parent) == "where" and len(parent.args) == 3
    return chosen and place.index == 0 and ast.unparse(parent.args[1]) in ("0", "0.0")


def in_range(place):
    """Tell whether something says how far a loop goes."""
    return place.is_given_to({"range"})


def is_gone_through(place):
    """Tell whether something is one of those that a loop goes through, one by one."""
    listed, row = isinstance(place.parent, (ast.List, ast.Tuple)), place.around
    return listed and row is not None and isinstance(row.parent, (ast.For, ast.comprehension))


def is_summed(place):
    """Tell whether something is summed up, or averaged, where it stands."""
    return getattr(place.parent, "attr", None) in ("sum", "mean") and place.field == "value"


def is_handed_on(place):
    """Tell whether something is given another name as it is, or put into a list."""
    appended = isinstance(place.parent, ast.Call) and called(place.parent) in ("append", "insert")
    return appended or (isinstance(place.parent, ast.Assign) and place.field == "value")


def is_formatted(place):
    """Tell whether something is part of a name that is put together, such as ``f"W{k}"``."""
    return any(isinstance(here.parent, ast.FormattedValue) for here in place.way_up())


def is_axis(text, place):
    """Tell whether a number says over which axis something goes."""
    if is_minus(place.parent) and place.around is not None:
        place = place.around
    if isinstance(place.parent, ast.Tuple) and place.around is not None:
        place = place.around  # one of several
    parent = place.parent
    if isinstance(parent, ast.keyword):
        return parent.arg == "axis"
    if place.field == "args" and isinstance(parent.func, ast.Name):
        function = text.program.globals.get(parent.func.id)
        arguments = function.__code__.co_varnames if isinstance(function, types.FunctionType) else ()
        return place.index < len(arguments) and arguments[place.index] == "axis"
    behind = place.field == "args" and place.index == of_module(parent)
    return behind and called(parent) in ("sum", "mean", "max", "min", "cumsum")


def is_minus(node):
    """Tell whether an expression has a minus in front."""
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)


def is_triangle(place):
    """Tell whether something says which diagonal a triangle ends at, also with a minus in front."""
    here = place.around if is_minus(place.parent) and place.around is not None else place
    if isinstance(here.parent, ast.keyword):
        return here.parent.arg == "k" and here.around is not None and (
            called(here.around.node) in TRIANGLES
        )
    return isinstance(here.parent, ast.Call) and called(here.parent) in TRIANGLES and here.index != 0


def is_exponent(place):
    """Tell whether something is the whole exponent of a power."""
    return is_beside(place, ast.Pow) and place.field == "right"


def is_exponent_of_e(place):
    """Tell whether something is a term of what ``exp`` is given: what is added there, multiplies."""
    whole = next(here for here in place.way_up() if not is_beside(here, (ast.Add, ast.Sub)))
    return whole.is_argument and called(whole.parent) == "exp"


def is_exponent_of_whole(text, place):
    """Tell whether something is the exponent of a whole number, or part of it."""
    right = (here.parent for here in place.way_up() if here.field == "right")
    powers = (one for one in right if isinstance(one, ast.BinOp) and isinstance(one.op, ast.Pow))
    return any(is_whole(text.at(one.left).value) for one in powers)


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


def is_beside_rest(place):
    """Tell whether something is multiplied by 1 less another thing, as in the derivative of a sigmoid."""
    whole = place
    while whole.around is not None and is_product(whole.parent):
        whole = whole.around
    differences = (one for one in factors_of(whole.node) if isinstance(getattr(one, "op", None), ast.Sub))
    return any(ast.unparse(one.left) in ("1", "1.0") for one in differences)


def is_in_own_slope(place):
    """Tell whether something is a factor, or taken from 1, in a product such as ``a * (1 - a)``."""
    written = ast.unparse(place.node)
    for here in place.way_up():
        if isinstance(here.node, ast.BinOp) and isinstance(here.node.op, ast.Mult):
            factors = {*map(ast.unparse, factors_of(here.node))}
            if written in factors and factors & {f"1 - {written}", f"1.0 - {written}"}:
                return True
    return False
