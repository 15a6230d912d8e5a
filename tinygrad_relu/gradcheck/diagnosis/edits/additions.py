"""Edits that add a statement: the counterpart of another one, or 1 taken off at a target."""

import ast
import copy
import itertools

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.edits.body import Body
from tinygrad_relu.gradcheck.diagnosis.edits.edit import CALL, OPERAND, Edit
from tinygrad_relu.gradcheck.diagnosis.edits.forwards import expressions
from tinygrad_relu.gradcheck.diagnosis.edits.meanings import is_count
from tinygrad_relu.gradcheck.diagnosis.edits.syntax import LEAVES, fresh, name, names_of, target_of
from tinygrad_relu.gradcheck.diagnosis.edits.values import (
    is_array,
    is_float,
    is_index,
    is_total,
    is_whole,
)
from tinygrad_relu.gradcheck.diagnosis.labels import Label

# So many keys are tried for one statement, and so many names.
MOST_KEYS, MOST_LEAVES = 8, 30


def of_lost_statements(text, forward):
    """Yield statements with one more behind them, which may have been forgotten.

    Parameters
    ----------
    text : Text
    forward : list of code
    """
    indices = index_names(text)
    keys = target_keys(text, forward, indices)
    for parent in ast.walk(text.program.tree):
        for field in ("body", "orelse"):
            row = getattr(parent, field, None)
            for k, statement in enumerate(row if isinstance(row, list) else ()):
                for lost, label in scaled_too(text, statement):
                    yield Edit(label, OPERAND, Body(parent, field, k, k + 1, row), [statement, lost])
                for less in at_targets_alone(statement, keys):
                    yield Edit(Label.EXTRA_TERM, CALL, Body(parent, field, k, k + 1, row), [less])
                for lost in (*counterparts(statement, indices), *taken_off(text, statement, keys)):
                    body = Body(parent, field, k, k + 1, row)
                    yield Edit(Label.MISSING_TERM, OPERAND, body, [statement, lost])
        if isinstance(parent, ast.If):
            yield from in_the_other_case(text, parent)
        if isinstance(parent, (ast.For, ast.While)):
            yield from turned_about(text, parent)
            yield from anew(parent)
            yield from moved_along(text, parent)


def in_the_other_case(text, parent):
    """Yield something added in one of two cases to what is added to in the other one alone."""
    names = [
        place.node for place in text.places
        if isinstance(place.node, LEAVES) and place.rounds and place.is_read and is_float(place.value)
    ]
    leaves = list({ast.unparse(node): node for node in names}.values())[:MOST_LEAVES]
    for field, other in (("body", "orelse"), ("orelse", "body")):
        row = getattr(parent, field)
        there = set(map(target_of, row))
        for statement in getattr(parent, other):
            if not isinstance(statement, ast.AugAssign) or target_of(statement) in there:
                continue
            for value in (statement.value, *leaves):
                for operator in (ast.Add(), ast.Sub()):
                    lost = ast.AugAssign(statement.target, operator, fresh(value))
                    body = Body(parent, field, len(row), len(row), row)
                    yield Edit(Label.MISSING_TERM, OPERAND, body, [lost])


def scaled_too(text, statement):
    """Yield what one array is multiplied or divided by for another one, too, and what it means."""
    scales = isinstance(statement, ast.AugAssign) and isinstance(statement.op, (ast.Mult, ast.Div))
    if not scales or not isinstance(statement.target, ast.Name):
        return
    value = text.at(statement.value).value
    counts = is_count(value, statement.value) or is_total(value)
    label = Label.AVERAGED if counts else Label.MISSING_FACTOR
    for key in text.arrays:
        if key != statement.target.id:
            yield ast.AugAssign(ast.Name(key, ast.Store()), statement.op, statement.value), label


def turned_about(text, loop):
    """Yield the body of a loop that exchanges two arrays, before all else or in the end."""
    given = {
        target.id: target for statement in loop.body for target in ast.walk(statement)
        if isinstance(target, ast.Name) and isinstance(target.ctx, ast.Store)
        and is_array(text.names.get(target.id)) and is_float(text.names[target.id])
    }
    for one, other in itertools.combinations(given, 2):
        if np.shape(text.names[one]) == np.shape(text.names[other]):
            exchange = ast.parse(f"{one}, {other} = {other}, {one}").body
            for k in (0, len(loop.body)):
                body = Body(loop, "body", k, k, loop.body)
                yield Edit(Label.PERMUTED, OPERAND, body, exchange)


def anew(loop):
    """Yield the body of a loop in each round of which what is added up in it starts from 0 again."""
    added = [node.target for node in ast.walk(loop) if isinstance(node, ast.AugAssign)]
    for key in dict.fromkeys(target.id for target in added if isinstance(target, ast.Name)):
        nothing = ast.parse(f"{key} = 0 * {key}").body
        yield Edit(Label.STALE_BUFFER, OPERAND, Body(loop, "body", 0, 0, loop.body), nothing)


def moved_along(text, loop):
    """Yield the body of a loop in which an array is changed in each round as another one is."""
    for statement in loop.body:
        key = target_of(statement) if isinstance(statement, (ast.Assign, ast.AugAssign)) else None
        read = names_of(statement)
        own = text.names.get(key)
        if key not in read or not is_array(own) or isinstance(getattr(statement, "value", None), LEAVES):
            continue
        if isinstance(statement, ast.AugAssign) and isinstance(statement.op, (ast.Add, ast.Sub)):
            continue  # it adds up, and is not handed on
        for other in text.arrays:
            if other in read or np.shape(text.names[other]) != own.shape:
                continue
            lost = copy.deepcopy(statement)
            for node in ast.walk(lost):
                if isinstance(node, ast.Name) and node.id == key:
                    node.id = other
            for k in range(len(loop.body) + 1):
                yield Edit(Label.STALE_BUFFER, OPERAND, Body(loop, "body", k, k, loop.body), [lost])


def index_names(text):
    """Return the names of indices: whole numbers of a round, and arrays of them."""
    return [
        key for key, x in text.names.items()
        if not key.startswith("_") and (is_whole(x) or (is_array(x) and is_index(x)))
    ]


def counterparts(statement, indices):
    """Yield what is added to a part of an array added to another part of it, or taken off there.

    What one of two neighbours gets the other one loses.
    """
    if not isinstance(statement, ast.AugAssign) or not isinstance(statement.target, ast.Subscript):
        return
    target = statement.target
    for key in itertools.islice((*mirrored(target.slice), *renamed(target.slice, indices)), MOST_KEYS):
        for operator in (ast.Sub(), ast.Add()):
            part = ast.Subscript(target.value, key, ast.Store())
            yield ast.AugAssign(part, operator, statement.value)


def mirrored(key):
    """Yield a key with slices at the other end: ``[1:]`` for ``[:-1]``, and the converse."""
    parts = key.elts if isinstance(key, ast.Tuple) else [key]
    ways = [[part, *other_end(part)] for part in parts]
    for way in itertools.product(*ways):
        if any(part is not own for part, own in zip(way, parts)):
            yield ast.Tuple(list(way), ast.Load()) if isinstance(key, ast.Tuple) else way[0]


def other_end(part):
    """Yield a slice at the other end, and as long as before."""
    if not isinstance(part, ast.Slice) or part.step is not None:
        return
    lower, upper = part.lower, part.upper
    if lower is not None and upper is None:
        yield ast.Slice(None, ast.UnaryOp(ast.USub(), lower), None)
    if lower is None and isinstance(upper, ast.UnaryOp):
        yield ast.Slice(upper.operand, None, None)


def renamed(key, indices):
    """Yield a key with another index for one of its own."""
    own = {node.id for node in ast.walk(key) if isinstance(node, ast.Name) and node.id in indices}
    for old, new in itertools.product(sorted(own), indices):
        if new not in own:
            other = copy.deepcopy(key)
            for node in ast.walk(other):
                if isinstance(node, ast.Name) and node.id == old:
                    node.id = new
            yield other


def target_keys(text, forward, indices):
    """Return the keys by which the forward, or the text, picks elements by indices, such as targets."""
    own = (place.node for place in text.places if isinstance(place.node, ast.Subscript) and place.is_read)
    found = {}
    for node in (*own, *expressions(forward, (ast.Subscript,))):
        names = names_of(node.slice)
        told = text.program.globals
        outside = [told[one] for one in names if is_array(told.get(one))]
        picks = names & {*indices} or any(map(is_index, outside))
        if picks and names <= {*text.names, *told, "len", "range"}:
            found.setdefault(ast.unparse(node.slice), node.slice)
    return list(found.values())[:MOST_KEYS]


def at_targets_alone(statement, keys):
    """Yield a number added to, or taken off, at some places of an array, and not at all of them."""
    if isinstance(statement, ast.AugAssign) and isinstance(statement.value, ast.Constant):
        target = statement.target
        array = target.value if isinstance(target, ast.Subscript) else target
        for key in keys if isinstance(array, ast.Name) else ():
            part = ast.Subscript(name(array.id), fresh(key), ast.Store())
            yield ast.AugAssign(part, statement.op, statement.value)


def taken_off(text, statement, keys):
    """Yield 1 taken off an array at some places, as cross-entropy does at the targets."""
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
        return
    value = text.at(statement.value).value
    for key in keys if is_array(value) and is_float(value) else ():
        part = ast.Subscript(name(statement.targets[0].id), fresh(key), ast.Store())
        yield ast.AugAssign(part, ast.Sub(), ast.Constant(1))
