"""Edits of parts of arrays: other slices, other ends, or the whole."""

import ast
import itertools
from collections.abc import Sized

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.edits.algebra import SUMS
from tinygrad_relu.gradcheck.diagnosis.edits.edit import (
    CALL,
    LONG_OPERAND,
    OPERAND,
    TOKEN,
    Edit,
    together,
)
from tinygrad_relu.gradcheck.diagnosis.edits.forwards import expressions
from tinygrad_relu.gradcheck.diagnosis.edits.insertions import is_of_matrix_product
from tinygrad_relu.gradcheck.diagnosis.edits.meanings import is_mask
from tinygrad_relu.gradcheck.diagnosis.edits.surroundings import is_beside, is_handed_on
from tinygrad_relu.gradcheck.diagnosis.edits.syntax import (
    attribute,
    call,
    called,
    fresh,
    name,
    number,
    written,
)
from tinygrad_relu.gradcheck.diagnosis.edits.values import is_array, is_index, is_mask_like, is_whole
from tinygrad_relu.gradcheck.diagnosis.labels import Label

# What is added where all but the first, or the last, element is kept: those may be anything by chance.
PADDED_COST = 1.5
#: Functions that hold something at a limit, and what does so element by element.
LIMITS = {"min": "minimum", "minimum": "minimum", "max": "maximum", "maximum": "maximum"}


def of_slices(text, place):
    """Yield another part of an array."""
    node = place.node
    if isinstance(node, ast.Subscript) and has_elements(text, node.value):
        # One of all is taken for each of them, such as the last state for that of each round.
        one_of_all = is_whole(getattr(text.by_node.get(id(node.slice)), "value", None))
        yield Edit(Label.STALE_BUFFER if one_of_all else Label.PERMUTED, CALL, place, node.value)
        yield from turned_back(place, node)
        yield from in_strides(text, place, node)
    if not isinstance(node, ast.Slice):
        return
    lower, upper, step = node.lower, node.upper, node.step
    yield from picked_alone(text, place)
    others = [(lower, upper, None)] if step else []
    backwards = [written(part) if part else "" for part in (lower, upper, step)]
    if backwards in (["", "0", "-1"], ["-2", "", "-1"]):
        # From the last but one, or from the last, both without the one at the end.
        ends = (number(-2), None) if backwards[1] else (None, number(0))
        yield Edit(Label.STALE_BUFFER, TOKEN, place, ast.Slice(*ends, step))
    for x in (None, number(1), number(-1)):
        others += [(x, upper, step), (lower, x, step)]
    if lower and not upper:
        others += [(None, ast.UnaryOp(ast.USub(), lower), step), (None, lower, step)]
    cut = [getattr(getattr(x, "operand", x), "value", 0) for x in (lower, upper)]
    if step is None and all(map(is_whole, cut)) and isinstance(upper, (type(None), ast.UnaryOp)):
        for first in range(sum(cut) + 1):
            last = sum(cut) - first
            ends = number(first) if first else None, number(-last) if last else None
            if list(map(written, filter(None, ends))) != list(map(written, filter(None, (lower, upper)))):
                others.append((*ends, None))
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
            if (a, b, c) == (None, None, None) and step is None:
                label = Label.MISSING_TERM  # what is cut off
            yield Edit(label, TOKEN, place, ast.Slice(a, b, c))


def has_elements(text, node):
    """Tell whether an expression has elements of its own.

    `np.r_` and its like have none: an index alone makes an array of them, and without it there is no end.
    """
    whole = getattr(text.by_node.get(id(node)), "value", None)
    return isinstance(whole, Sized) and len(whole) > 0


def in_strides(text, place, node):
    """Yield a window, such as ``[i:i + size]``, that moves in steps of some width."""
    keys = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    windows = [key for key in keys if is_window(key)]
    for stride in (number(2), number(3), *map(name, text.whole_names)) if windows else ():
        moved = [in_stride(key, stride) if key in windows else key for key in keys]
        whole = moved[0] if len(moved) == 1 else ast.Tuple(moved, ast.Load())
        yield Edit(Label.SHIFTED, CALL, place, ast.Subscript(node.value, whole, node.ctx))


def in_stride(window, stride):
    """Return a window that starts at a number times the stride."""
    start = ast.BinOp(window.lower, ast.Mult(), stride)
    return ast.Slice(start, ast.BinOp(start, ast.Add(), window.upper.right), None)


def is_window(key):
    """Tell whether a slice goes from a name to that name and something more."""
    return isinstance(key, ast.Slice) and isinstance(key.lower, ast.Name) and (
        isinstance(key.upper, ast.BinOp) and isinstance(key.upper.op, ast.Add)
        and written(key.upper.left) == key.lower.id
    )


def turned_back(place, node):
    """Yield a part of an array of which several axes are no longer turned round."""
    keys = node.slice.elts if isinstance(node.slice, ast.Tuple) else []
    steps = [isinstance(key, ast.Slice) and key.step is not None for key in keys]
    if sum(steps) > 1:
        plain = [ast.Slice(key.lower, key.upper, None) if step else key for key, step in zip(keys, steps)]
        turned = ast.Subscript(node.value, ast.Tuple(plain, ast.Load()), ast.Load())
        yield Edit(Label.PERMUTED, TOKEN, place, turned)


def picked_alone(text, place):
    """Yield for all of an axis of a target the one element that an array of indices names there."""
    key = place.parent
    whole = not (place.node.lower or place.node.upper or place.node.step)
    target = isinstance(key, ast.Tuple) and isinstance(getattr(place.statement, "value", None), ast.expr)
    if not whole or not target:
        return
    rest = [one for one in key.elts if isinstance(one, ast.Name)]
    for known, x in text.names.items():
        if is_array(x) and is_index(x) and x.ndim == len(rest) > 0:
            index = ast.Tuple(list(map(fresh, rest)), ast.Load())
            picked = ast.Subscript(name(known), index, ast.Load())
            yield Edit(Label.MASK_FORGOTTEN, OPERAND, place, picked)


def from_a_round_on(text, place):
    """Yield of a list, or of indices, what a loop has not come to yet, or has behind it."""
    rows = isinstance(place.value, (list, tuple)) or (is_array(place.value) and is_index(place.value))
    picked = isinstance(place.parent, ast.Subscript) and place.field == "value"
    for key in text.counters if rows and isinstance(place.node, ast.Name) and not picked else ():
        behind = f"{key} + 1"
        for lower, upper in ((key, None), (behind, None), (None, key), (None, behind)):
            ends = [end and ast.parse(end, mode="eval").body for end in (lower, upper)]
            part = ast.Subscript(place.node, ast.Slice(*ends), ast.Load())
            yield Edit(Label.MASK_FORGOTTEN, OPERAND, place, part)


def without_an_end(_, place):
    """Yield an array with zeros for its first, or its last, element or row: an intercept, say."""
    part = is_beside(place, (ast.Mult, ast.Div, *SUMS)) or isinstance(place.parent, ast.AugAssign)
    wanted = place.names_an_array and place.value.ndim <= 2 and (part or place.is_argument)
    label = Label.WRONG_FUNCTION if place.is_argument else Label.EXTRA_TERM
    for axis, first in itertools.product(range(place.value.ndim), (True, False)) if wanted else ():
        rows = ast.Slice(number(1), None) if first else ast.Slice(None, number(-1))
        kept = ast.Tuple([ast.Slice(), rows], ast.Load()) if axis else rows
        width = [(0, 0)] * place.value.ndim
        width[axis] = (1, 0) if first else (0, 1)
        rest = ast.Subscript(place.node, kept, ast.Load())
        padded = call(attribute(name("np"), "pad"), rest, number(width))
        yield Edit(label, LONG_OPERAND + PADDED_COST, place, padded)


def without_diagonal(text, place, forward):
    """Yield a square matrix with zeros on its diagonal, as there may be in the forward."""
    made = is_array(place.value) and isinstance(place.parent, ast.Assign)
    square = (place.names_an_array or made) and place.value.ndim == 2 and len({*place.value.shape}) == 1
    if square and not place.is_key:
        diagonal = ast.parse(f"np.diag(np.diag({written(place.node)}))", mode="eval").body
        rest = ast.BinOp(place.node, ast.Sub(), diagonal)
        masks = [x for x in text.names.values() if is_mask(x) and x.shape == place.value.shape]
        stopped = any(np.array_equal(x == 0, np.eye(len(x), dtype=bool)) for x in masks) or any(
            {"fill_diagonal", "eye"} & {*code.co_names} for code in forward
        )
        # What is positive everywhere is a weight, such as a probability.
        label = Label.MASK_FORGOTTEN if stopped or (place.value > 0).all() else Label.EXTRA_TERM
        yield Edit(label, LONG_OPERAND - 0.3, place, rest)


def under_masks(text, place):
    """Yield, where all of an array is summed up, the part that one of the masks lets through."""
    summed = isinstance(place.parent, ast.Attribute) and place.parent.attr in ("sum", "mean", "max")
    summed = summed or (place.is_argument and called(place.parent) in ("sum", "mean", "max"))
    for key, mask in text.names.items() if place.names_an_array and summed else ():
        if is_mask_like(mask) and np.shape(mask) == np.shape(place.value)[:np.ndim(mask)]:
            part = ast.Subscript(place.node, name(key), ast.Load())
            yield Edit(Label.MASK_FORGOTTEN, OPERAND, place, part)


def under_masks_together(text):
    """Yield an array under one of the masks wherever a statement reads it: in a sum, and over it."""
    groups = {}
    for place in text.places:
        if place.names_an_array and isinstance(place.node, ast.Name) and not place.is_key:
            groups.setdefault((id(place.statement), place.node.id), []).append(place)
    for (_, key), places in groups.items():
        for mask, value in text.all_names.items() if len(places) > 1 else ():
            if mask != key and is_mask(value) and np.shape(value) == np.shape(places[0].value):
                let_through = ast.BinOp(name(key), ast.Mult(), name(mask))
                edits = [Edit(Label.MASK_FORGOTTEN, OPERAND, place, let_through) for place in places]
                yield together(edits)


def parts_crossed(text):
    """Yield statements that give one part of an array and read another, the other way round.

    Parameters
    ----------
    text : Text
    """
    bodies = [getattr(node, "body", None) for node in ast.walk(text.program.tree)]
    blocks = {id(one): id(body) for body in bodies if isinstance(body, list) for one in body}
    alike = {}
    for place in text.places:
        statement, target = place.statement, getattr(place.statement, "target", None)
        if isinstance(statement, ast.AugAssign) and place.node is target and is_part(target):
            there = [here for here in text.places if here.statement is statement and is_part(here.node)]
            others = [here for here in there if ast.unparse(here.node.slice) != ast.unparse(target.slice)]
            read = {ast.unparse(here.node.slice) for here in others}
            if len(read) == 1:
                keys = blocks.get(id(statement)), ast.unparse(target.slice), read.pop()
                alike.setdefault(keys, []).append((place, others))
    for rows in alike.values():
        pairs = [(one, others[0]) for one, others in rows]
        pairs += [(other, one) for one, others in rows for other in others]
        yield together(
            Edit(Label.SHIFTED, TOKEN, text.at(one.node.slice), other.node.slice) for one, other in pairs
        )


def is_part(node):
    """Tell whether an expression is what a slice takes of an array."""
    return isinstance(node, ast.Subscript) and any(
        isinstance(one, ast.Slice) and (one.lower or one.upper) for one in ast.walk(node.slice)
    )


def with_limits(text, place, forward):
    """Yield what is given a name held at a number at which the forward holds something."""
    if not is_handed_on(place) or not is_array(place.value) or place.value.dtype.kind != "f":
        return
    for node in expressions(forward, (ast.Call,)):
        function = LIMITS.get(called(node))
        for limit in node.args if function and len(node.args) == 2 else ():
            if isinstance(limit, ast.Constant):
                held = call(attribute(name("np"), function), place.node, fresh(limit))
                layer = not limit.value and is_of_matrix_product(text, place)
                label = Label.PRE_ACTIVATION if layer else Label.MASK_FORGOTTEN
                yield Edit(label, LONG_OPERAND, place, held)
