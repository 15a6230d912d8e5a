"""Edits of axes: over which a sum goes, which `einsum` keeps, which have each other's place."""

import ast
import itertools

from tinygrad_relu.gradcheck.diagnosis.edits.edit import CALL, OPERAND, TOKEN, Edit
from tinygrad_relu.gradcheck.diagnosis.edits.syntax import (
    attribute,
    call,
    called,
    data_of,
    fresh,
    name,
    number,
    of_module,
)
from tinygrad_relu.gradcheck.diagnosis.edits.values import is_array, is_float, is_whole
from tinygrad_relu.gradcheck.diagnosis.labels import Label

OVER_AXES = ("sum", "mean", "max", "min", "prod", "cumsum", "argmax", "argmin", "argsort", "sort")
AXES = (0, 1, -1, 2, None, (0, 1), (0, 2), (1, 2), (0, 2, 3))
# Of arrays of so many axes sums are had over any of them.
MOST_AXES = 5


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


def of_diagonals(text, place):
    """Yield the diagonal of a square matrix for a sum over one of its axes."""
    data = data_of(place.node, "sum") if is_array(place.value) and place.value.ndim == 1 else None
    whole = text.at(data).value if data is not None else None
    if is_array(whole) and whole.ndim == 2 and whole.shape[0] == whole.shape[1]:
        yield Edit(Label.SUMMED, CALL - 0.1, place, call(attribute(name("np"), "diag"), data))


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


def of_axes_put_back(_, place):
    """Yield a sum over another axis, which is put back where that was: ``x.sum(1)[:, None]``."""
    node = place.node
    if not isinstance(node, ast.Subscript) or not isinstance(node.value, ast.Call):
        return
    yield from of_products_put_back(place)
    keys = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    written = [ast.unparse(key) for key in keys]
    if written.count("None") != 1 or not {*written} <= {"None", ":"} or not is_array(place.value):
        return
    width = place.value.ndim
    for axis, total in enumerate(totals(node.value, width)):
        row = [ast.Constant(None) if k == axis else ast.Slice() for k in range(width)]
        other = ast.Subscript(total, ast.Tuple(row, ast.Load()), ast.Load())
        if total is not None and ast.unparse(other) != ast.unparse(node):
            yield Edit(Label.SUMMED, TOKEN + 0.1, place, other)


def of_products_put_back(place):
    """Yield a sum over each axis of a product, for one by `einsum` over others: as in a softmax."""
    inner = place.node.value
    if called(inner) != "einsum" or not isinstance(inner.args[0], ast.Constant) or len(inner.args) != 3:
        return
    left = inner.args[0].value.replace(" ", "").partition("->")[0].split(",")
    product = ast.BinOp(inner.args[1], ast.Mult(), inner.args[2])
    for axis in range(len(left[0])) if len({*left}) == 1 else ():
        total = call(attribute(product, "sum"), axis=number(axis), keepdims=number(True))
        yield Edit(Label.SUMMED, TOKEN + 0.3, place, total)


def totals(node, width):
    """Return a sum over each one of so many axes instead; None where there is none."""
    if called(node) in ("sum", "mean"):
        data = node.args[:of_module(node)]
        return [ast.Call(node.func, data, [ast.keyword("axis", number(k))]) for k in range(width)]
    if called(node) != "einsum" or not isinstance(node.args[0], ast.Constant):
        return []
    left = node.args[0].value.replace(" ", "").partition("->")[0]
    letters = max(left.split(","), key=len)
    rows = [f"{left}->{letters[:k]}{letters[k + 1:]}" for k in range(len(letters))]
    return [ast.Call(node.func, [ast.Constant(row), *node.args[1:]], node.keywords) for row in rows]


def of_shapes(_, place):
    """Yield an array that is taken apart without, and with, two of its axes exchanged."""
    node = place.node
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or of_module(node):
        return
    inner, own = node.func.value, called(node)
    if own == "transpose" and called(inner) == "reshape" and len(inner.args) == len(node.args) > 1:
        axes = [getattr(one, "value", None) for one in node.args]
        if {*axes} == {*range(len(axes))}:
            shape = [inner.args[axis] for axis in axes]
            yield Edit(Label.PERMUTED, CALL, place, ast.Call(inner.func, shape, []))
    if own == "reshape" and len(node.args) > 1:
        for a, b in itertools.combinations(range(len(node.args)), 2):
            shape, axes = list(node.args), list(range(len(node.args)))
            shape[a], shape[b], axes[a], axes[b] = shape[b], shape[a], b, a
            other = attribute(ast.Call(node.func, shape, []), "transpose")
            yield Edit(Label.PERMUTED, CALL, place, call(other, *map(number, axes)))
