"""Edits of whole statements: added up or not, left out, at another place, in all cases."""

import ast
import copy
import itertools
from dataclasses import dataclass

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.edits.edit import CALL, OPERAND, TOKEN, Edit
from tinygrad_relu.gradcheck.diagnosis.edits.forwards import conditions
from tinygrad_relu.gradcheck.diagnosis.edits.syntax import (
    LEAVES,
    attribute,
    call,
    called,
    fresh,
    name,
    negative,
    root,
    target_of,
)
from tinygrad_relu.gradcheck.diagnosis.edits.values import is_float
from tinygrad_relu.gradcheck.diagnosis.labels import Label

# So far a statement is moved, and so deep.
FARTHEST, DEEPEST = 8, 3
#: Statements with none within them.
SIMPLE = (ast.Assign, ast.AugAssign)


@dataclass(eq=False)
class Body:
    """A row of statements.

    Attributes
    ----------
    parent, field
        It is ``parent.field``.
    first, last : int
        Which of its statements are exchanged.
    whole : list of ast.stmt
    """

    parent: ast.AST
    field: str
    first: int
    last: int
    whole: list

    @property
    def node(self):
        """list of ast.stmt: What stands there, or what did."""
        return self.whole[self.first:self.last]

    @property
    def statement(self):
        """ast.stmt: The first one, or what they are in if there is none."""
        return self.whole[self.first] if self.first < len(self.whole) else self.parent

    @property
    def where(self):
        """str: Where it is, if none of its statements is exchanged."""
        if isinstance(self.parent, ast.If):
            return "in the other case, too,"
        return "last in each round" if self.first else "first in each round"

    def put(self, statements):
        """Let other statements stand there, also if others of the row have been exchanged before."""
        row = getattr(self.parent, self.field)
        here = [k for k, one in enumerate(row) if one is self.statement]
        first = here[0] if here else self.first
        row = [*row[:first], *statements, *row[first + len(self.node):]]
        setattr(self.parent, self.field, row or [ast.Pass()])

    def restore(self):
        """Let stand there what did."""
        setattr(self.parent, self.field, self.whole)


def of_statements(text):
    """Yield the statements of a function in other ways.

    Parameters
    ----------
    text : Text
    """
    for parent, field in itertools.product(ast.walk(text.program.tree), ("body", "orelse")):
        row = getattr(parent, field, None)
        for k, statement in enumerate(row if isinstance(row, list) else ()):
            if isinstance(statement, ast.Return) and statement.value is not None:
                yield from with_twins(Body(parent, field, k, k + 1, row), statement)
            if not isinstance(statement, (ast.Return, ast.FunctionDef)) and not is_text(statement):
                yield from of_statement(text, Body(parent, field, k, k + 1, row), statement)
                yield from elsewhere(parent, field, row, k)
                yield from crossed(parent, field, row, k)
                yield from farther_in(parent, field, row, k)
                yield from before(text, parent, field, row, k)
                yield from at_once(parent, field, row, k)


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


def is_division(statement):
    """Tell whether a statement divides what there is by something, such as the number of samples."""
    return isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Div)


def is_text(statement):
    """Tell whether a statement is only there to be read."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def of_statement(text, body, statement):
    """Yield a statement left out, or done in another way."""
    yield Edit(lambda: left_out(text, statement), CALL, body, [])
    if isinstance(statement, (ast.Assign, ast.AugAssign)):
        yield from with_twins(body, statement)
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
    # What the loop around reads is handed on from round to round, and no mere sum.
    around = body.parent if isinstance(body.parent, (ast.For, ast.While)) else statement.value
    read = (
        ast.unparse(one) for one in ast.walk(around)
        if isinstance(getattr(one, "ctx", None), ast.Load)
    )
    label = Label.MISSING_TERM if ast.unparse(target) in read else Label.STALE_BUFFER
    for operator, more in ((ast.Add(), 0.1), (ast.Sub(), 0.25)):
        yield Edit(label, TOKEN + more, body, [ast.AugAssign(target, operator, statement.value)])
    if isinstance(target, ast.Subscript):
        yield Edit(Label.STALE_BUFFER, TOKEN + 0.2, body, [added_at(target, "add", statement.value)])


def set_or_added(body, statement):
    """Yield what is added up assigned, taken away, or added for each index."""
    target, value, kind = statement.target, statement.value, type(statement.op)
    yield Edit(Label.STALE_BUFFER, TOKEN + 0.1, body, [ast.Assign([target], value)])
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
    return ast.Expr(call(at, fresh(target.value), fresh(target.slice), value))


def crossed(parent, field, row, k):
    """Yield a row in which two neighbours give each other's value to their targets."""
    calls = [getattr(one, "value", None) for one in row[k:k + 2] if isinstance(one, ast.Expr)]
    if len(calls) == 2 and all(isinstance(one, ast.Call) and len(one.args) > 1 for one in calls):
        new = [
            ast.Expr(ast.Call(one.func, [*one.args[:-1], other.args[-1]], one.keywords))
            for one, other in (calls, calls[::-1])
        ]
        yield Edit(Label.PERMUTED, TOKEN + 0.5, Body(parent, field, k, k + 2, row), new)
    for j in (k + 1, k + 2):
        if j < len(row) and isinstance(row[k], SIMPLE) and isinstance(row[j], SIMPLE):
            if target_of(row[k]) == target_of(row[j]):
                continue
            one, other = copy.copy(row[k]), copy.copy(row[j])
            one.value, other.value = other.value, one.value
            new = [one, *row[k + 1:j], other]
            # What was worked out goes to the wrong one; else it was worked out of the wrong things.
            plain = all(isinstance(x.value, LEAVES) for x in (one, other))
            label = Label.PERMUTED if plain else Label.WRONG_FUNCTION
            yield Edit(label, TOKEN + 0.5, Body(parent, field, k, j + 1, row), new)


def farther_in(parent, field, row, k):
    """Yield a row with a statement at the end of what is done in the loops and cases beside it."""
    statement = row[k]
    for j in (k - 1, k + 1):
        if isinstance(statement, SIMPLE) and 0 <= j < len(row) and isinstance(row[j], (ast.For, ast.If)):
            for depth in range(1, DEEPEST + 1):
                around, label = with_inside(row[j], statement, depth)
                if around is not None:
                    body = Body(parent, field, min(j, k), max(j, k) + 1, row)
                    yield Edit(label, CALL + 0.01 * depth, body, [around])


def before(text, parent, field, row, k):
    """Yield a row in which a term is added to what its target is made of, before that is done."""
    added = row[k]
    if not k or not isinstance(added, ast.AugAssign) or not isinstance(added.op, (ast.Add, ast.Sub)):
        return
    made = row[k - 1]
    if not isinstance(made, ast.Assign) or target_of(made) != target_of(added):
        return
    for node in {one.id: one for one in ast.walk(made.value) if isinstance(one, ast.Name)}.values():
        if np.shape(text.at(node).value) == np.shape(text.at(made.value).value) != ():
            earlier = ast.AugAssign(ast.Name(node.id, ast.Store()), added.op, added.value)
            body = Body(parent, field, k - 1, k + 1, row)
            yield Edit(Label.PRE_ACTIVATION, CALL, body, [earlier, made])


def at_once(parent, field, row, k):
    """Yield a row in which two neighbours are given their values at once, before either has changed."""
    pair = row[k:k + 2]
    if len(pair) < 2 or not all(isinstance(one, SIMPLE) for one in pair):
        return
    targets = [one.target if isinstance(one, ast.AugAssign) else one.targets[0] for one in pair]
    read = {node.id for node in ast.walk(pair[1]) if isinstance(node, ast.Name)}
    if root(targets[0]) not in read or ast.unparse(targets[0]) == ast.unparse(targets[1]):
        return
    values = [
        ast.BinOp(fresh(target), one.op, one.value) if isinstance(one, ast.AugAssign) else one.value
        for one, target in zip(pair, targets)
    ]
    whole = ast.Assign([ast.Tuple(targets, ast.Store())], ast.Tuple(values, ast.Load()))
    yield Edit(Label.STALE_BUFFER, CALL, Body(parent, field, k, k + 2, row), [whole])


def with_inside(block, statement, depth):
    """Return a block with a statement at the end of the block at a depth in it, and what that means."""
    whole = copy.deepcopy(block)
    inner, label = whole, Label.STALE_BUFFER
    for _ in range(depth - 1):
        inner = inner.body[-1]
        if not isinstance(inner, (ast.For, ast.If)):
            return None, label
    if isinstance(statement, ast.AugAssign):
        label = Label.MASK_FORGOTTEN if isinstance(block, ast.If) else Label.MISSING_TERM
    inner.body = [*inner.body, statement]
    return whole, label


def elsewhere(parent, field, row, k):
    """Yield a row with a statement at another place, also into a loop and out of it."""
    statement = row[k]
    for j in range(max(0, k - FARTHEST), min(len(row), k + FARTHEST + 1)):
        if j not in (k, k - 1) and not isinstance(row[j], ast.Return):
            first, last = min(j, k), max(j, k) + 1
            moved = [*row[first:k], *row[k + 1:last]]
            moved.insert(j - first, statement)
            label = Label.AVERAGED if any(map(is_division, row[first:last])) else Label.STALE_BUFFER
            yield Edit(label, CALL, Body(parent, field, first, last, row), moved)
    if not isinstance(statement, ast.For):
        return

    def loop(statements):
        return ast.For(statement.target, statement.iter, statements, statement.orelse)

    counters = {node.id for node in ast.walk(statement.target) if isinstance(node, ast.Name)}
    given = counters | set(map(target_of, statement.body))
    for number, inner in enumerate(statement.body if len(statement.body) > 1 else ()):
        rest = loop([*statement.body[:number], *statement.body[number + 1:]])
        parts = ast.walk(getattr(inner, "value", inner))
        read = {node.id for node in parts if isinstance(node, ast.Name)}
        # What has nothing to do with the rounds is counted again in each of them.
        again = isinstance(inner, ast.AugAssign) and not read & given
        label = Label.EXTRA_TERM if again else Label.STALE_BUFFER
        for moved in ([inner, rest], [rest, inner]):
            yield Edit(label, CALL, Body(parent, field, k, k + 1, row), moved)
    if k:
        inside = [loop([row[k - 1], *statement.body])]
        yield Edit(Label.STALE_BUFFER, CALL, Body(parent, field, k - 1, k + 1, row), inside)
    if k + 1 < len(row) and not isinstance(row[k + 1], ast.Return):
        inside = [loop([*statement.body, row[k + 1]])]
        yield Edit(Label.STALE_BUFFER, CALL, Body(parent, field, k, k + 2, row), inside)
