"""What it means to have written one thing for another."""

import ast
import copy

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.edits.algebra import (
    SUMS,
    grown,
    is_made_of,
    is_one_factor_more,
    only_difference,
)
from tinygrad_relu.gradcheck.diagnosis.edits.ingredients import worked_out
from tinygrad_relu.gradcheck.diagnosis.edits.meanings import exchanged, is_count, is_mask
from tinygrad_relu.gradcheck.diagnosis.edits.surroundings import (
    BENT,
    in_comparison,
    is_beside,
    is_beside_rest,
    is_squared_in_slope,
)
from tinygrad_relu.gradcheck.diagnosis.edits.syntax import (
    LEAVES,
    called,
    names_of,
    root,
    target_of,
    written,
)
from tinygrad_relu.gradcheck.diagnosis.edits.values import (
    FAR_BELOW,
    is_array,
    is_index,
    is_mask_like,
    is_total,
    is_value,
    is_whole,
)
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.relations import Relation

#: Functions that are of another kind beyond some limit.
BENDS = ("where", "maximum", "minimum", "max", "min", "clip")


def exchange_means(text, place, one):
    """Return what it means to write something for an ingredient."""
    if is_mask_like(place.value) and not is_mask_like(one.value):
        weighs = is_beside(place, ast.Mult) and np.array_equal(place.value, one.value != 0)
        # A weight of which only the mask is there, or another activation.
        return Label.MISSING_FACTOR if weighs else Label.WRONG_FUNCTION
    part = one.node if isinstance(one.node, ast.Subscript) else None
    if part and written(part.value) == written(place.node) and is_mask(text.value_of(part.slice)):
        return Label.MASK_FORGOTTEN
    if one.text == written(without_slices(place.node)) != written(place.node):
        return Label.SHIFTED
    if are_windows(place.node, one.node):
        return Label.SHIFTED
    if are_sums_of_one(place.node, one.node):
        return Label.SUMMED
    if in_comparison(place) or is_mask_like(place.value):
        stopped = is_stopped(place.value, one.value)
        return Label.MASK_FORGOTTEN if stopped else Label.MASK_FROM_WRONG_TENSOR
    if is_mask(place.value) and is_mask(one.value):
        own, other = np.asarray(place.value), np.asarray(one.value)
        as_open = own.dtype.kind == other.dtype.kind == "f" and np.array_equal(own == 0, other == 0)
        return (exchanged(own, other) if as_open else None) or Label.MASK_FROM_WRONG_TENSOR
    if isinstance(place.node, ast.Constant) and place.value == 0:
        return Label.MISSING_TERM
    if text.is_copy(place):
        return Label.WRONG_FUNCTION
    keys = [getattr(node, "slice", node if place.is_key else None) for node in (place.node, one.node)]
    if all(keys) and is_mirrored(*keys):
        return Label.PERMUTED
    found = by_text(text, place, one)
    found = found or by_what_is_kept(text, place, one) or by_whole_numbers(place, one)
    found = found or by_values(text, place, one)
    bent = place.is_argument and called(place.parent) in BENT
    if found is Label.MISSING_FACTOR and (bent or is_squared_in_slope(place)):
        return Label.WRONG_FUNCTION  # the function, or the slope, of another thing
    return found or Label.WRONG_FUNCTION


def by_text(text, place, one):
    """Return what it means as far as the text shows it: by where things come from, or None."""
    if one.text == target_of(place.statement):
        return Label.STALE_BUFFER
    kept = text.definitions.get(getattr(one.node, "id", None))
    if is_name_of(kept, place.node) and text.is_given_anew(place.node.id):
        return Label.STALE_BUFFER  # it had its value kept before it was changed
    if is_let_through(place.node, text.definitions.get(getattr(one.node, "id", None), one.node)):
        return Label.MASK_FORGOTTEN
    if called(place.node) == called(one.node) == "roll":
        return Label.SHIFTED
    bent = isinstance(place.node, ast.Call) and called(place.node) in ("maximum", "minimum", "clip")
    if bent and any(isinstance(node, ast.Compare) for node in ast.walk(one.node)):
        return Label.MASK_FROM_WRONG_TENSOR
    grows = text.is_added_to(root(one.node))
    if grows and root(place.node) in names_of(text.definitions.get(root(one.node))):
        return Label.MISSING_TERM  # what was added to a copy of it is left out
    if text.in_another_round(place, one.text):
        more = grown(place.node, one.node, text)
        return more if more is Label.MISSING_TERM else Label.STALE_BUFFER
    base = root(place.node)
    if text.is_cotangent(base) and (grows or text.is_made_from(root(one.node), base)):
        return Label.MISSING_TERM  # what comes back from elsewhere is left out
    return None


def is_name_of(made, node):
    """Tell whether what a name was given is just what another one stood for, or a copy of it."""
    if called(made) == "copy" and isinstance(made.func, ast.Attribute):
        made = made.func.value
    return isinstance(node, ast.Name) and isinstance(made, ast.Name) and made.id == node.id


def are_windows(own, other):
    """Tell whether two expressions are parts of one array, each from or to some place."""
    pair = own, other
    if not all(isinstance(node, ast.Subscript) for node in pair) or (
        ast.unparse(own.value) != ast.unparse(other.value)
    ):
        return False
    slices = [[one for one in ast.walk(node.slice) if isinstance(one, ast.Slice)] for node in pair]
    return all(any(one.lower or one.upper for one in row) for row in slices)


def are_sums_of_one(own, other):
    """Tell whether two expressions differ only in over which axes the same thing is summed up."""
    pair = only_difference(own, other)
    sums = [one.value if isinstance(one, ast.Subscript) else one for one in pair]
    if not all(isinstance(one, ast.Call) and called(one) in ("sum", "einsum") for one in sums):
        return False
    a, b = ([ast.unparse(x) for x in one.args if not isinstance(x, ast.Constant)] for one in sums)
    return a == b and len({*map(called, sums)}) == 1


def without_slices(node):
    """Return an expression with the whole of each array of which it has a part."""
    node = copy.deepcopy(node)
    for part in ast.walk(node):
        for key, child in ast.iter_fields(part):
            if isinstance(child, ast.Subscript) and isinstance(child.slice, ast.Slice):
                setattr(part, key, child.value)
    return node


def by_what_is_kept(text, place, one):
    """Return what it means where one of the two was kept from before, or None."""
    if isinstance(place.node, ast.Call) and called(place.node) in ("setdefault", "get"):
        return Label.STALE_BUFFER
    entry = getattr(getattr(one.node, "slice", None), "value", None)
    if isinstance(place.node, ast.Name) and entry == place.node.id:
        return Label.STALE_BUFFER  # that which its round kept
    names = [getattr(node, "id", None) for node in (place.node, one.node)]
    if names[1] in text.kept_names and text.is_left_behind(names[0]):
        return Label.STALE_BUFFER
    return Label.STALE_BUFFER if is_another_round(text, place, one.node) else None


def by_whole_numbers(place, one):
    """Return what it means where both are indices or counts, or None if they are not."""
    if place.is_key or (is_index(place.value) and is_index(one.value)):
        moved = is_moved(*only_difference(place.node, one.node)) or overlap(place.value, one.value)
        return Label.SHIFTED if moved else Label.PERMUTED
    if is_total(place.value) and is_whole(one.value) and is_count(one.value, one.node):
        return Label.AVERAGED
    if is_whole(place.value):
        if ast.unparse(place.node) in {ast.unparse(node) for node in ast.walk(one.node)}:
            return Label.SHIFTED  # where the elements of a strided array lie
        counts = is_count(one.value, one.node) or is_total(one.value)
        if counts and called(one.node) == "sum" and isinstance(getattr(place.parent, "op", None), SUMS):
            return Label.MASK_FORGOTTEN  # all are counted, and not those alone that are meant
        return Label.AVERAGED if counts else Label.WRONG_FUNCTION
    return None


def by_values(text, place, one):
    """Return what it means by the values of both, and by what the forward makes of them; or None."""
    own, other = np.asarray(place.value), np.asarray(one.value)
    if are_of_one_round(place.node, one.node):
        now = worked_out(place.node, text)
        own = np.asarray(now) if is_value(now) else own
    comparable = own.size > 1 and own.dtype.kind == other.dtype.kind == "f"
    if comparable and overlap(own, other):
        return Label.SHIFTED
    if comparable and called(one.node) == "where" and is_open_elsewhere(own, other):
        return Label.MASK_FORGOTTEN
    activated = comparable and text.meanings.related(own, other) is Relation.ACTIVATION
    if comparable and not activated and exchanged(own, other) is Label.MASK_FORGOTTEN:
        return Label.MASK_FORGOTTEN
    if is_one_factor_more(place.node, one.node, text):
        return Label.MISSING_FACTOR
    if activated:
        if is_squared_in_slope(place) or is_beside_rest(place):
            return Label.WRONG_FUNCTION
        stopped = not isinstance(place.node, LEAVES) and np.array_equal(np.maximum(own, 0), other)
        if stopped or is_limited(own, other):
            return Label.MASK_FORGOTTEN
        return text.meanings.of_exchange(place, own, other)
    found = exchanged(own, other) if comparable else None
    if found is None and not isinstance(place.node, LEAVES) and is_apart_by_a_number(own, other):
        return Label.MISSING_TERM
    made = text.definitions.get(getattr(one.node, "id", None))
    if found is None and is_operand(place.node, made):
        rest = made.right if ast.unparse(made.left) == ast.unparse(place.node) else made.left
        found = Label.STALE_BUFFER if is_later(text, place, rest) else grown(place.node, one.node, text)
    exchange = text.meanings.of_exchange(place, own, other)
    if exchange is Label.STALE_BUFFER and not text.program.own_loops:
        exchange = Label.WRONG_FUNCTION  # there are no other rounds
    found = found or exchange or grown(place.node, one.node, text)
    kept = isinstance(one.node, ast.Subscript) and not is_name(one.node.slice) and (
        text.is_filled(one.node.value)
    )
    if found is None and kept and isinstance(place.node, ast.Name):
        return Label.STALE_BUFFER  # that of another round
    within = isinstance(place.parent, ast.Call) and isinstance(place.parent.func, ast.Name)
    if found is None and comparable and not within and text.meanings.is_factor(own, other):
        return Label.MISSING_FACTOR
    if found is None and is_bent(place.node, made or one.node):
        return Label.MASK_FORGOTTEN
    calls = isinstance(place.node, ast.Call) and isinstance(one.node, ast.Call)
    if found is None and comparable and calls and own.all() and not other.all():
        return Label.MASK_FORGOTTEN  # another function, which stops some
    return found


def are_of_one_round(own, other):
    """Tell whether two expressions are elements at indices that have a name in common, as of a round."""
    both = isinstance(own, ast.Subscript) and isinstance(other, ast.Subscript)
    return both and bool(names_of(own.slice) & names_of(other.slice))


def is_later(text, place, rest):
    """Tell whether a state with something added to it is that state later, and no longer sum.

    It is if what is added is made of the state itself, or if both are given to a function.
    """
    if not isinstance(place.node, LEAVES):
        return False
    own = names_of(place.node)
    given = isinstance(place.parent, ast.Call) and isinstance(place.parent.func, ast.Name)
    return (given and bool(own & names_of(rest))) or any(
        is_made_of(rest, key, text.definitions) for key in own
    )


def is_another_round(text, place, other):
    """Tell whether another element is taken of a container that was filled round by round."""
    own = place.node
    if isinstance(own, ast.Subscript) and isinstance(other, ast.Subscript):
        if is_name(own.slice) or is_mirrored(own.slice, other.slice):
            return False
        return root(own) == root(other) and text.is_filled(own.value)
    return place.is_subscript and is_whole(place.value) and text.is_filled(place.parent.value)


def is_name(key):
    """Tell whether an index is the name of an entry."""
    return isinstance(getattr(key, "value", None), str)


def is_mirrored(own, other):
    """Tell whether one index counts from the other end: ``n - 1 - k`` for ``k``, and the converse."""
    keys = [key.elts if isinstance(key, ast.Tuple) else [key] for key in (own, other)]
    return len(keys[0]) == len(keys[1]) and any(
        isinstance(a, ast.BinOp) and isinstance(a.op, ast.Sub) and ast.dump(a.right) == ast.dump(b)
        for pair in zip(*keys) for a, b in (pair, pair[::-1])
    )


def is_moved(own, other):
    """Tell whether one index is another one with something added, or taken off."""
    sums = ((a, b) for a, b in ((own, other), (other, own)) if isinstance(a, ast.BinOp))
    return any(isinstance(a.op, (ast.Add, ast.Sub)) and ast.dump(a.left) == ast.dump(b) for a, b in sums)


def overlap(one, other):
    """Tell whether an array is another one moved along by one place, but for what is at the ends."""
    one, other = np.asarray(one), np.asarray(other)
    if one.shape != other.shape or np.array_equal(one, other):
        return False
    pairs = (
        (np.moveaxis(a, axis, 0)[1:], np.moveaxis(b, axis, 0)[:-1])
        for axis in range(one.ndim) if one.shape[axis] > 2 for a, b in ((one, other), (other, one))
    )
    return any(np.array_equal(a, b) for a, b in pairs)


def is_stopped(own, other):
    """Tell whether an array is another one with some of its elements made 0."""
    if not is_array(own) or np.shape(own) != np.shape(other) or own.dtype.kind == "b":
        return False
    return bool((other == 0).any() and (own != 0).all() and not ((other > 0) & (own <= 0)).any())


def is_bent(own, other):
    """Tell whether an expression is another one, held at a limit or other beyond it."""
    if not isinstance(other, ast.Call) or called(other) not in BENDS:
        return False
    return ast.unparse(own) in map(ast.unparse, other.args)


def is_operand(own, total):
    """Tell whether an expression is a term of a sum as it is written."""
    sides = (total.left, total.right) if isinstance(getattr(total, "op", None), SUMS) else ()
    return ast.unparse(own) in map(ast.unparse, sides)


def is_let_through(own, other):
    """Tell whether an expression is another one where a condition holds, and 0 elsewhere."""
    if isinstance(other, ast.IfExp):
        arms = [other.body, other.orelse]
    else:
        arms = other.args[1:] if isinstance(other, ast.Call) and called(other) == "where" else []
    nothing = any(is_nothing(arm) for arm in arms)
    return nothing and ast.unparse(own) in map(ast.unparse, arms)


def is_nothing(node):
    """Tell whether an expression is 0, or so far below all others that nothing is left of its ``exp``."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        low = node.operand
        infinite = isinstance(low, ast.Attribute) and low.attr == "inf"
        return infinite or (isinstance(low, ast.Constant) and low.value >= FAR_BELOW)
    return isinstance(node, ast.Constant) and (not node.value or node.value <= -FAR_BELOW)


def is_open_elsewhere(own, other):
    """Tell whether an array is another one, but for where that is just 1, or 0."""
    same = np.isclose(own, other, rtol=1e-12, atol=0)
    return bool(same.any() and not same.all() and len({*other[~same]}) == 1 and other[~same][0] in (0, 1))


def is_limited(own, other):
    """Tell whether an array is another one that is held between two limits."""
    low, high = other.min(), other.max()
    return low < 0 < high and np.allclose(np.clip(own, low, high), other, rtol=1e-12, atol=0)


def is_apart_by_a_number(own, other):
    """Tell whether two arrays differ by the same number in all elements."""
    return own.size > 1 and np.ptp(other - own) <= 1e-12 * np.abs(own).max()
