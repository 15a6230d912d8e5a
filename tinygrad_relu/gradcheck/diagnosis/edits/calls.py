"""Edits of calls: another function, another axis, other subscripts, a sum more or less."""

import ast
import itertools

from tinygrad_relu.gradcheck.diagnosis.edits.algebra import SUMS
from tinygrad_relu.gradcheck.diagnosis.edits.edit import CALL, LONG_OPERAND, OPERAND, TOKEN, Edit
from tinygrad_relu.gradcheck.diagnosis.edits.surroundings import (
    decides,
    in_comparison,
    is_beside,
    is_squared_in_slope,
)
from tinygrad_relu.gradcheck.diagnosis.edits.syntax import (
    attribute,
    call,
    called,
    fresh,
    name,
    number,
    of_module,
)
from tinygrad_relu.gradcheck.diagnosis.edits.values import is_array, is_float, is_whole
from tinygrad_relu.gradcheck.diagnosis.functions import two_values
from tinygrad_relu.gradcheck.diagnosis.labels import Label

#: Functions that are taken for each other.
TWINS = (
    ("sum", "mean"), ("max", "min"), ("maximum", "minimum"), ("sin", "cos"), ("sinh", "cosh"),
    ("tanh", "cosh"), ("abs", "sign"), ("log", "log1p"), ("exp", "expm1"), ("argmax", "argmin"),
    ("triu", "tril"),
)
#: What it means to take one of two for the other, if it is not a wrong function.
MEANING_OF_TWINS = {
    frozenset(("sum", "mean")): Label.AVERAGED, frozenset(("exp", "expm1")): Label.MISSING_TERM,
    frozenset(("triu", "tril")): Label.MASK_FROM_WRONG_TENSOR,
}
#: What it means that a function is forgotten, if it is not one between two layers.
MEANING_OF_FUNCTION = {
    "cumsum": Label.MISSING_TERM, "tril": Label.MASK_FORGOTTEN, "triu": Label.MASK_FORGOTTEN,
}
OVER_AXES = ("sum", "mean", "max", "min", "prod", "cumsum", "argmax", "argmin", "argsort", "sort")
AXES = (0, 1, -1, 2, None, (0, 1), (0, 2), (1, 2), (0, 2, 3))
# Of arrays of so many axes sums are had over any of them.
MOST_AXES = 5
PRODUCTS = ("outer", "dot", "matmul")
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
            label = Label.MASK_FROM_WRONG_TENSOR if in_comparison(place) else label
            twin = ast.Call(attribute(function.value, other), node.args, node.keywords)
            yield Edit(label, TOKEN, place, twin)
    if (of_module(node) or own in ("set", "sorted")) and len(node.args) == 1:
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
        yield Edit(Label.MASK_FROM_WRONG_TENSOR, TOKEN - 0.05, place, turned)
        for arm in (one, other):
            yield Edit(Label.WRONG_FUNCTION, CALL, place, arm)
    elif len(node.args) == 2 and own not in ("zeros", "ones", "range"):
        label = Label.TRANSPOSED if own in PRODUCTS else Label.WRONG_FUNCTION
        yield Edit(label, TOKEN + 0.1, place, ast.Call(function, node.args[::-1], node.keywords))


def cumulated_back(place, node):
    """Yield what is added up from the front added up from the back."""
    axis = next((one.value for one in node.keywords if one.arg == "axis"), None)
    last = isinstance(axis, ast.Constant) and axis.value in (1, -1)
    turn = ast.Slice(None, None, number(-1))
    if last:
        turn = ast.Tuple([ast.Slice(None, None, None), turn], ast.Load())
    data = node.args[0] if of_module(node) else node.func.value
    turned = ast.Subscript(data, turn, ast.Load())
    if of_module(node):
        back = ast.Call(node.func, [turned, *node.args[1:]], node.keywords)
    else:
        back = ast.Call(attribute(turned, "cumsum"), node.args, node.keywords)
    yield Edit(Label.WRONG_FUNCTION, TOKEN, place, ast.Subscript(back, turn, ast.Load()))


def with_functions(text, place):
    """Yield an expression behind one of the functions of one operand that are called in the text.

    Parameters
    ----------
    text : Text
    place : Place
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
    for function in text.functions.values():
        rule = called(function) in ("sign", "abs", "inv", "pinv") or is_squared_in_slope(place)
        label = Label.WRONG_FUNCTION if rule else Label.PRE_ACTIVATION
        label = MEANING_OF_FUNCTION.get(called(function), label)
        yield Edit(label, LONG_OPERAND, place, call(fresh(function), place.node))


def without_an_end(_, place):
    """Yield an array with zeros for its first, or its last, element or row: an intercept, say."""
    part = is_beside(place, (ast.Mult, ast.Div, *SUMS)) or isinstance(place.parent, ast.AugAssign)
    wanted = place.names_an_array and place.value.ndim <= 2 and part
    for axis, first in itertools.product(range(place.value.ndim), (True, False)) if wanted else ():
        rows = ast.Slice(number(1), None) if first else ast.Slice(None, number(-1))
        kept = ast.Tuple([ast.Slice(), rows], ast.Load()) if axis else rows
        width = [(0, 0)] * place.value.ndim
        width[axis] = (1, 0) if first else (0, 1)
        rest = ast.Subscript(place.node, kept, ast.Load())
        padded = call(attribute(name("np"), "pad"), rest, number(width))
        yield Edit(Label.EXTRA_TERM, LONG_OPERAND, place, padded)


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


def of_axes(text, place):
    """Yield a call over another axis, and an array summed over one."""
    node, value = place.node, place.value
    if isinstance(node, ast.Call) and called(node) in OVER_AXES:
        named = [one for one in node.keywords if one.arg == "axis"]
        if named:
            rest = [one for one in node.keywords if one.arg != "axis"]
            for axis in AXES:
                other = ast.Call(node.func, node.args, [ast.keyword("axis", number(axis)), *rest])
                yield Edit(Label.SUMMED, TOKEN + 0.05, place, other)
        elif called(node) in ("sum", "mean") and len(node.args) == of_module(node):
            for axis, wide in itertools.product(AXES, (False, True)):
                keywords = [ast.keyword("axis", number(axis)), ast.keyword("keepdims", number(wide))]
                yield Edit(Label.SUMMED, CALL, place, ast.Call(node.func, node.args, keywords))
    if isinstance(place.parent, ast.keyword) and place.parent.arg == "axis":
        for axes in with_one_axis_more_or_less(node):
            yield Edit(Label.SUMMED, TOKEN + 0.05, place, number(axes))
    if is_array(value) and is_float(value) and value.ndim:
        pairs = [(0, 1)] if value.ndim > 2 else []
        for axis, wide in itertools.product((*range(value.ndim), *pairs), (True, False)):
            total = call(attribute(node, "sum"), axis=number(axis), keepdims=number(wide))
            part = isinstance(place.parent, ast.Subscript) and place.field == "value"
            # What was added up step by step goes back from all steps behind.
            label = Label.MISSING_TERM if part or text.adds_up else Label.NOT_SUMMED
            yield Edit(label, CALL + 0.2, place, total)


def with_one_axis_more_or_less(node):
    """Yield tuples of axes of which one is not there, or one more."""
    axes = [one.value for one in getattr(node, "elts", [node]) if isinstance(one, ast.Constant)]
    if not all(map(is_whole, axes)):
        return
    for k in range(len(axes) if len(axes) > 1 else 0):
        yield (*axes[:k], *axes[k + 1:])
    for axis in range(MOST_AXES):
        if axis not in axes:
            yield tuple(sorted((*axes, axis)))


def of_subscripts(_, place):
    """Yield other subscripts for `einsum`."""
    node = place.node
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or "->" not in node.value:
        return
    left, _, right = node.value.replace(" ", "").partition("->")
    parts = [*left.split(","), right]
    letters = sorted({*left} - {","})
    for k, part in enumerate(parts):
        others = [letters_exchanged(part, a, b) for a, b in itertools.combinations(range(len(part)), 2)]
        others += [part[:a] + c + part[a + 1:] for a in range(len(part)) for c in letters]
        for other in dict.fromkeys(others):
            if other != part:
                rows = [*parts[:k], other, *parts[k + 1:]]
                kept = {*other} == {*part}
                subscripts = f"{','.join(rows[:-1])}->{rows[-1]}"
                # Letters are what they are called: what is left in the result is what is meant.
                label, cost = (Label.TRANSPOSED, TOKEN) if kept else (Label.SUMMED, TOKEN - 0.01)
                yield Edit(label, cost, place, ast.Constant(subscripts))


def with_an_operand(text, place):
    """Yield a call of `einsum` with one more operand, whose axes are some of those that are there."""
    node = place.node
    if not isinstance(node, ast.Call) or called(node) != "einsum":
        return
    if not isinstance(node.args[0], ast.Constant):
        return
    left, _, right = node.args[0].value.replace(" ", "").partition("->")
    operands = [text.at(one).value for one in node.args[1:]]
    pairs = list(zip(left.split(","), operands))
    if not all(is_array(x) and len(letters) == x.ndim for letters, x in pairs):
        return
    sizes = {letter: n for letters, x in pairs for letter, n in zip(letters, x.shape)}
    written_there = {ast.unparse(one) for one in node.args}
    for shape, names in text.named_arrays.items():
        fitting = [[letter for letter, size in sizes.items() if size == n] for n in shape]
        for letters in itertools.product(*fitting) if shape else ():
            if len({*letters}) < len(letters):
                continue
            subscripts = ast.Constant(f"{left},{''.join(letters)}->{right}")
            for one in names:
                if ast.unparse(one) not in written_there:
                    more = ast.Call(node.func, [subscripts, *node.args[1:], fresh(one)], node.keywords)
                    yield Edit(Label.MISSING_FACTOR, OPERAND, place, more)


def letters_exchanged(text, a, b):
    """Return a text with two characters exchanged."""
    row = list(text)
    row[a], row[b] = row[b], row[a]
    return "".join(row)


def turned_back(place, node):
    """Yield a part of an array of which several axes are no longer turned round."""
    keys = node.slice.elts if isinstance(node.slice, ast.Tuple) else []
    steps = [isinstance(key, ast.Slice) and key.step is not None for key in keys]
    if sum(steps) > 1:
        plain = [ast.Slice(key.lower, key.upper, None) if step else key for key, step in zip(keys, steps)]
        turned = ast.Subscript(node.value, ast.Tuple(plain, ast.Load()), ast.Load())
        yield Edit(Label.PERMUTED, TOKEN, place, turned)


def of_slices(text, place):
    """Yield another part of an array."""
    node = place.node
    if isinstance(node, ast.Subscript):
        # One of all is taken for each of them, such as the last state for that of each round.
        one_of_all = is_whole(getattr(text.by_node.get(id(node.slice)), "value", None))
        yield Edit(Label.STALE_BUFFER if one_of_all else Label.PERMUTED, CALL, place, node.value)
        yield from turned_back(place, node)
    if not isinstance(node, ast.Slice):
        return
    lower, upper, step = node.lower, node.upper, node.step
    others = [(lower, upper, None)] if step else []
    for x in (None, number(1), number(-1)):
        others += [(x, upper, step), (lower, x, step)]
    if lower and not upper:
        others += [(None, ast.UnaryOp(ast.USub(), lower), step), (None, lower, step)]
    if upper and not lower:
        turned = upper.operand if isinstance(upper, ast.UnaryOp) else upper
        others.append((turned, None, step))
    if lower is None and upper is not None and step is None:
        for first in ("1", *text.whole_names):
            others.append((ast.parse(first, mode="eval").body, None, None))
            others.append((
                ast.parse(first, mode="eval").body, ast.parse(f"-{first}", mode="eval").body, None
            ))
    for a, b, c in others:
        if (a, b, c) != (lower, upper, step):
            # The other one of two halves has not moved: it is another piece.
            half = isinstance(lower or upper, ast.Name) and (a, b) == (upper, lower)
            label = Label.SHIFTED if c is step and not half else Label.PERMUTED
            yield Edit(label, TOKEN, place, ast.Slice(a, b, c))
