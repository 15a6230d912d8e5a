"""Edits of whole statements: added up or not, left out, at another place, in all cases."""

import ast
import copy
import itertools

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.edits.body import Body
from tinygrad_relu.gradcheck.diagnosis.edits.edit import CALL, OPERAND, TOKEN, Edit
from tinygrad_relu.gradcheck.diagnosis.edits.forwards import conditions
from tinygrad_relu.gradcheck.diagnosis.edits.meanings import is_mask
from tinygrad_relu.gradcheck.diagnosis.edits.moves import of_places
from tinygrad_relu.gradcheck.diagnosis.edits.syntax import (
    attribute,
    call,
    called,
    factors_of,
    fresh,
    name,
    negative,
    target_of,
)
from tinygrad_relu.gradcheck.diagnosis.edits.values import is_float
from tinygrad_relu.gradcheck.diagnosis.labels import Label

# So many masks are asked for each round.
MOST_MASKS = 6


def of_statements(text):
    """Yield the statements of a function in other ways.

    Parameters
    ----------
    text : Text
    """
    for parent, field in itertools.product(ast.walk(text.program.tree), ("body", "orelse")):
        row = getattr(parent, field, None)
        if not isinstance(row, list):
            continue
        yield from all_added_up(parent, field, row)
        for k, statement in enumerate(row):
            if isinstance(statement, ast.Return) and statement.value is not None:
                yield from with_twins(Body(parent, field, k, k + 1, row), statement)
            if not isinstance(statement, (ast.Return, ast.FunctionDef)) and not is_text(statement):
                yield from of_statement(text, Body(parent, field, k, k + 1, row), statement)
                yield from of_places(text, parent, field, row, k)


def turn_sine(node):
    """Make a sine of a cosine, and the converse; tell whether it was one."""
    other = {"sin": "cos", "cos": "sin"}.get(getattr(node, "attr", None))
    if other:
        node.attr = other
    return bool(other)


def turn_roll(node):
    """Let an array be rolled the other way; tell whether something is rolled there."""
    rolls = isinstance(node, ast.Call) and called(node) == "roll" and len(node.args) > 1
    if rolls:
        shift = node.args[1]
        node.args[1] = shift.operand if isinstance(shift, ast.UnaryOp) else negative(shift)
    return rolls


def turn_sign(node):
    """Make a difference of a sum, and the converse; tell whether it was one."""
    turns = isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub))
    if turns:
        node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
    return turns


TURNS = {
    turn_sine: Label.WRONG_FUNCTION, turn_sign: Label.WRONG_FUNCTION, turn_roll: Label.SHIFTED,
}


def of_conditions(text, forward):
    """Yield the rest of a loop's round under a condition: one of the function's, or of the forward's.

    Parameters
    ----------
    text : Text
    forward : list of code
    """
    found = {}
    for place in text.places:
        if isinstance(place.node, ast.Name) and place.rounds > 1 and is_float(place.value):
            for comparison in (">", "<"):
                made = ast.parse(f"{place.node.id} {comparison} 0", mode="eval").body
                found.setdefault(ast.unparse(made), made)
    masks = [
        key for key, x in {**text.program.globals, **text.names}.items() if is_mask(x) and np.ndim(x) == 1
    ]
    for key, counter in itertools.product(masks[:MOST_MASKS], text.counters):
        made = ast.parse(f"{key}[{counter}]", mode="eval").body
        found.setdefault(ast.unparse(made), made)
    for condition in conditions(forward):
        found.setdefault(ast.unparse(condition), condition)
    for place in text.places:
        if isinstance(place.parent, (ast.If, ast.IfExp)) and place.field == "test":
            always = isinstance(place.node, ast.Constant)
            label = Label.MASK_FORGOTTEN if always else Label.MASK_FROM_WRONG_TENSOR
            for made in found.values():
                yield Edit(label, OPERAND, place, fresh(made))
    for parent in ast.walk(text.program.tree):
        row = parent.body if isinstance(parent, (ast.For, ast.While)) else []
        for k, made in itertools.product(range(len(row)), found.values()):
            rest = ast.If(fresh(made), row[k:], [])
            yield Edit(Label.MASK_FORGOTTEN, OPERAND, Body(parent, "body", k, len(row), row), [rest])


def is_text(statement):
    """Tell whether a statement is only there to be read."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def of_statement(text, body, statement):
    """Yield a statement left out, or done in another way."""
    if isinstance(statement, ast.Expr) and called(statement.value) in ("pop", "popleft"):
        for key in text.arrays:
            kept = ast.Assign([ast.Name(key, ast.Store())], statement.value)
            yield Edit(Label.STALE_BUFFER, CALL, body, [kept])
    yield Edit(lambda: left_out(text, statement), CALL, body, [])
    if isinstance(statement, (ast.Assign, ast.AugAssign)):
        yield from with_twins(body, statement)
    if isinstance(statement, ast.Assign):
        yield from each_its_own(body, statement)
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        yield from added_up(body, statement)
    if isinstance(statement, ast.AugAssign):
        yield from set_or_added(body, statement)
    if isinstance(statement, ast.If):
        turned = ast.If(ast.UnaryOp(ast.Not(), statement.test), statement.body, statement.orelse)
        yield Edit(Label.MASK_FROM_WRONG_TENSOR, TOKEN, body, [turned])
        yield Edit(Label.MASK_FROM_WRONG_TENSOR, CALL, body, statement.body)
        yield Edit(Label.MASK_FROM_WRONG_TENSOR, CALL, body, statement.orelse)


def with_twins(body, statement):
    """Yield a statement with all sines for cosines, all signs, or all ways of rolling turned round."""
    for turn, label in TURNS.items():
        other = copy.deepcopy(statement)
        if sum([turn(node) for node in ast.walk(other)]) > 1:
            yield Edit(label, TOKEN + 0.3, body, [other])


def each_its_own(body, statement):
    """Yield what several names are given made for each of them."""
    if len(statement.targets) > 1 and isinstance(statement.value, ast.Call):
        targets = ast.Tuple(statement.targets, ast.Store())
        values = ast.Tuple([statement.value for _ in statement.targets], ast.Load())
        yield Edit(Label.STALE_BUFFER, CALL, body, [ast.Assign([targets], values)])


def left_out(text, statement):
    """Return what it means that a statement does not belong."""
    if text.is_forward_target(statement):
        return Label.STALE_BUFFER
    value = getattr(statement, "value", None)
    if isinstance(value, ast.Call) and called(value) == "ones_like":
        return Label.MASK_FORGOTTEN
    if isinstance(statement, ast.AugAssign):
        added = isinstance(statement.op, (ast.Add, ast.Sub))
        return Label.EXTRA_TERM if added else Label.WRONG_FUNCTION
    if isinstance(statement, ast.Assign) and isinstance(value, ast.BinOp):
        first, operators = value, []
        while isinstance(first, ast.BinOp):
            operators.append(first.op)
            first = first.left
        if ast.unparse(first) == target_of(statement):
            added = isinstance(operators[-1], (ast.Add, ast.Sub))
            return Label.EXTRA_TERM if added else Label.WRONG_FUNCTION
    totals = (
        node for node in ast.walk(statement) if isinstance(node, ast.Call) and called(node) == "sum"
    )
    if any(target_of(statement) in map(ast.unparse, ast.walk(total)) for total in totals):
        return Label.SUMMED
    return Label.STALE_BUFFER if isinstance(statement, ast.Assign) else Label.EXTRA_TERM


def added_up(body, statement):
    """Yield what is assigned added to what was there."""
    target = statement.targets[0]
    if not isinstance(target, (ast.Name, ast.Subscript, ast.Attribute)):
        return
    label = Label.MISSING_TERM if is_handed_round(body, statement, target) else Label.STALE_BUFFER
    # x less x times something is x times 1 less that.
    own_share = ast.unparse(target) in map(ast.unparse, factors_of(statement.value))
    less = Label.WRONG_FUNCTION if own_share else label
    for operator, means, more in ((ast.Add(), label, 0.1), (ast.Sub(), less, 0.25)):
        yield Edit(means, TOKEN + more, body, [ast.AugAssign(target, operator, statement.value)])
    if isinstance(target, ast.Subscript):
        yield Edit(Label.STALE_BUFFER, TOKEN + 0.2, body, [added_at(target, "add", statement.value)])


def all_added_up(parent, field, row):
    """Yield a row in which all assignments to one target, but for the first one, add to it."""
    groups = {}
    for k, one in enumerate(row):
        if isinstance(one, ast.Assign) and len(one.targets) == 1:
            groups.setdefault(ast.unparse(one.targets[0]), []).append(k)
    for key, (first, *later) in groups.items():
        own = [row[k].value for k in later]
        if len(later) < 2 or any(key in map(ast.unparse, ast.walk(value)) for value in own):
            continue
        new = [
            ast.AugAssign(one.targets[0], ast.Add(), one.value) if k in later else one
            for k, one in enumerate(row[first:later[-1] + 1], first)
        ]
        yield Edit(Label.STALE_BUFFER, TOKEN + 0.1, Body(parent, field, first, later[-1] + 1, row), new)


def is_handed_round(body, statement, target):
    """Tell whether the loop around reads what is given a value: it is handed on, and no mere sum."""
    around = body.parent if isinstance(body.parent, (ast.For, ast.While)) else statement.value
    return ast.unparse(target) in (
        ast.unparse(one) for one in ast.walk(around)
        if isinstance(getattr(one, "ctx", None), ast.Load)
    )


def set_or_added(body, statement):
    """Yield what is added up assigned, taken away, or added for each index."""
    target, value, kind = statement.target, statement.value, type(statement.op)
    label = Label.EXTRA_TERM if is_handed_round(body, statement, target) else Label.STALE_BUFFER
    yield Edit(label, TOKEN + 0.1, body, [ast.Assign([target], value)])
    if isinstance(target, ast.Name):
        anew = ast.BinOp(name(target.id), statement.op, value)
        yield Edit(Label.STALE_BUFFER, TOKEN + 0.1, body, [ast.Assign([target], anew)])
    if kind not in (ast.Add, ast.Sub):
        return
    other = ast.Sub() if kind is ast.Add else ast.Add()
    yield Edit(Label.WRONG_FUNCTION, TOKEN, body, [ast.AugAssign(target, other, value)])
    if isinstance(target, ast.Subscript):
        function = "add" if kind is ast.Add else "subtract"
        yield Edit(Label.MISSING_TERM, TOKEN, body, [added_at(target, function, value)])


def added_at(target, function, value):
    """Return the call of ``np.add.at`` for a part of an array."""
    at = attribute(attribute(name("np"), function), "at")
    key = fresh(target.slice)
    if any(isinstance(one, ast.Slice) for one in ast.walk(key)):
        key = ast.Subscript(attribute(name("np"), "s_"), key, ast.Load())
    return ast.Expr(call(at, fresh(target.value), key, value))
