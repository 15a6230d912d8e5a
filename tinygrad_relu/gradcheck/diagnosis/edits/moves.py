"""Edits of where statements stand: before and behind others, in loops and out of them, at once."""

import ast
import copy

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.edits.body import Body
from tinygrad_relu.gradcheck.diagnosis.edits.edit import CALL, TOKEN, Edit
from tinygrad_relu.gradcheck.diagnosis.edits.syntax import LEAVES, fresh, names_of, root, target_of
from tinygrad_relu.gradcheck.diagnosis.labels import Label

# So far a statement is moved, and so deep.
FARTHEST, DEEPEST = 8, 3
#: Statements with none within them.
SIMPLE = (ast.Assign, ast.AugAssign)


def of_places(text, parent, field, row, k):
    """Yield a row with one of its statements at another place.

    Parameters
    ----------
    text : Text
    parent, field
        The row is ``parent.field``.
    row : list of ast.stmt
    k : int
    """
    yield from elsewhere(parent, field, row, k)
    yield from crossed(parent, field, row, k)
    yield from farther_in(parent, field, row, k)
    yield from before(text, parent, field, row, k)
    yield from at_once(parent, field, row, k)


def elsewhere(parent, field, row, k):
    """Yield a row with a statement at another place, also into a loop and out of it."""
    statement = row[k]
    for j in range(max(0, k - FARTHEST), min(len(row), k + FARTHEST + 1)):
        if j not in (k, k - 1) and not isinstance(row[j], ast.Return):
            first, last = min(j, k), max(j, k) + 1
            moved = [*row[first:k], *row[k + 1:last]]
            moved.insert(j - first, statement)
            passed = [one for one in row[first:last] if one is not statement]
            label = of_passing(statement, passed, later=j > k)
            yield Edit(label, CALL, Body(parent, field, first, last, row), moved)
    if not isinstance(statement, ast.For):
        return

    def loop(statements):
        return ast.For(statement.target, statement.iter, statements, statement.orelse)

    counters = names_of(statement.target)
    given = counters | set(map(target_of, statement.body))
    for number, inner in enumerate(statement.body if len(statement.body) > 1 else ()):
        rest = loop([*statement.body[:number], *statement.body[number + 1:]])
        read = names_of(getattr(inner, "value", inner))
        # What has nothing to do with the rounds is counted again in each of them.
        again = isinstance(inner, ast.AugAssign) and not read & given
        label = Label.EXTRA_TERM if again else Label.STALE_BUFFER
        if isinstance(inner, ast.Return):
            label = Label.MISSING_TERM  # of all rounds but the first one
        for moved in ([inner, rest], [rest, inner]):
            yield Edit(label, CALL, Body(parent, field, k, k + 1, row), moved)
    if k:
        inside = [loop([row[k - 1], *statement.body])]
        yield Edit(Label.STALE_BUFFER, CALL, Body(parent, field, k - 1, k + 1, row), inside)
    if k + 1 < len(row) and not isinstance(row[k + 1], ast.Return):
        inside = [loop([*statement.body, row[k + 1]])]
        yield Edit(Label.STALE_BUFFER, CALL, Body(parent, field, k, k + 2, row), inside)


def crossed(parent, field, row, k):
    """Yield a row in which two neighbours give each other's value to their targets."""
    calls = [getattr(one, "value", None) for one in row[k:k + 2] if isinstance(one, ast.Expr)]
    if len(calls) == 2 and all(isinstance(one, ast.Call) and len(one.args) > 1 for one in calls):
        new = [
            ast.Expr(ast.Call(one.func, [*one.args[:-1], other.args[-1]], one.keywords))
            for one, other in (calls, calls[::-1])
        ]
        yield Edit(Label.PERMUTED, TOKEN + 0.4, Body(parent, field, k, k + 2, row), new)
    for j in (k + 1, k + 2):
        if j < len(row) and isinstance(row[k], SIMPLE) and isinstance(row[j], SIMPLE):
            if target_of(row[k]) == target_of(row[j]):
                continue
            one, other = copy.copy(row[k]), copy.copy(row[j])
            one.value, other.value = other.value, one.value
            new = [one, *row[k + 1:j], other]
            # What was worked out goes to the wrong one; else it was worked out of the wrong things.
            plain = all(isinstance(x.value, LEAVES) for x in (one, other))
            label = Label.PERMUTED if plain or are_parts_of_one(one, other) else Label.WRONG_FUNCTION
            yield Edit(label, TOKEN + 0.5, Body(parent, field, k, j + 1, row), new)


def are_parts_of_one(one, other):
    """Tell whether two statements give their values to parts of one array."""
    targets = [x.target if isinstance(x, ast.AugAssign) else x.targets[0] for x in (one, other)]
    return all(isinstance(x, ast.Subscript) for x in targets) and len({*map(root, targets)}) == 1


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
    read = names_of(pair[1])
    if root(targets[0]) not in read or ast.unparse(targets[0]) == ast.unparse(targets[1]):
        return
    values = [
        ast.BinOp(fresh(target), one.op, one.value) if isinstance(one, ast.AugAssign) else one.value
        for one, target in zip(pair, targets)
    ]
    whole = ast.Assign([ast.Tuple(targets, ast.Store())], ast.Tuple(values, ast.Load()))
    yield Edit(Label.STALE_BUFFER, CALL, Body(parent, field, k, k + 2, row), [whole])


def of_passing(statement, passed, later):
    """Return what it means that a statement has to stand behind some others, or before them."""
    if any(map(is_division, (statement, *passed))):
        return Label.AVERAGED
    if later and any(stops_what_is_read(one, statement) for one in passed):
        return Label.MASK_FORGOTTEN
    pairs = [(one, statement) if later else (statement, one) for one in passed]
    scaled = any(scales_what_is_read(*pair) for pair in pairs)
    if scaled or (not later and any(scales_what_is_added_to(one, statement) for one in passed)):
        return Label.MISSING_FACTOR
    return Label.STALE_BUFFER


def stops_what_is_read(statement, reader):
    """Tell whether a statement makes part of an array 0 that another one reads: ``x[y <= 0] = 0``."""
    target = statement.targets[0] if isinstance(statement, ast.Assign) else None
    nothing = target is not None and ast.unparse(statement.value) in ("0", "0.0")
    compared = isinstance(target, ast.Subscript) and any(
        isinstance(node, ast.Compare) for node in ast.walk(target.slice)
    )
    return nothing and compared and root(target) in names_read(reader)


def scales_what_is_read(statement, reader):
    """Tell whether a statement multiplies an array in place that another one reads."""
    return is_scaling(statement) and root(statement.target) in names_read(reader)


def scales_what_is_added_to(statement, addition):
    """Tell whether a statement multiplies an array in place to which another one adds."""
    adds = isinstance(addition, ast.AugAssign) and isinstance(addition.op, (ast.Add, ast.Sub))
    return adds and is_scaling(statement) and root(statement.target) == root(addition.target)


def is_scaling(statement):
    """Tell whether a statement multiplies an array in place."""
    return isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Mult)


def names_read(statement):
    """Return the names that a simple statement computes something of."""
    return names_of(statement.value) if isinstance(statement, SIMPLE) else set()


def is_division(statement):
    """Tell whether a statement divides what there is by something, such as the number of samples."""
    return isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Div)
