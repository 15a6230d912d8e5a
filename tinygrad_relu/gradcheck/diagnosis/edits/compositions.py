"""Edits that put a product of two ingredients to something, or in its place, found by their values."""

import ast
import functools
import itertools

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.edits.algebra import is_made_of
from tinygrad_relu.gradcheck.diagnosis.edits.edit import EXPRESSION, LONG_OPERAND, Edit
from tinygrad_relu.gradcheck.diagnosis.edits.ingredients import Ingredient
from tinygrad_relu.gradcheck.diagnosis.edits.insertions import insertion_means, term_means
from tinygrad_relu.gradcheck.diagnosis.edits.meanings import is_mask
from tinygrad_relu.gradcheck.diagnosis.edits.syntax import (
    LEAVES,
    attribute,
    call,
    called,
    fresh,
    name,
    number,
    root,
)
from tinygrad_relu.gradcheck.diagnosis.edits.taken_for import exchange_means
from tinygrad_relu.gradcheck.diagnosis.edits.values import is_float
from tinygrad_relu.gradcheck.diagnosis.functions import two_values
from tinygrad_relu.gradcheck.diagnosis.labels import Label

# What is added where two things have to be put in.
TWO_COST = 0.7
# To so many digits a quotient is a whole number.
DIGITS = 12
# So many ingredients are multiplied by each other, and so many products are tried at a place.
MOST_FACTORS, MOST_OF_THREE, MOST_TRIED = 70, 16, 12
# So many products are added up in pairs.
MOST_SUMMED = 800


def compositions(text, place, found, screen):
    """Yield a place with a product of two ingredients as one more factor or term, or instead.

    Parameters
    ----------
    text : Text
    place : Place
    found : list of Ingredient
    screen : Screen
        Of the place.
    """
    if place.is_key or place.is_picked_from or not is_float(place.value):
        return
    if not screen.is_known or screen.depends:
        yield from lost_in_rounds(place, found)
    if not screen.is_known:
        return
    there = [(one.node, values) for one in found if (values := screen.seen(one.node)) is not None]
    for nodes, rows in (products(there, screen), matrix_products(there, screen)):
        moves = {
            "term": rows, "less": -rows,
            "factor": screen.start * (rows - 1), "instead": rows - screen.start,
        }
        for kind, row in moves.items() if len(rows) else ():
            for k in screen.suiting(row)[:MOST_TRIED]:
                edit = composed(text, place, kind, nodes(k), rows[k][: np.size(place.value)])
                if edit is not None:
                    yield edit
    yield from sums_of_two(place, nodes, rows, screen)


def sums_of_two(place, nodes, rows, screen):
    """Yield a place with two of some products as two more terms: all but the first one were lost."""
    if not 1 < len(rows) <= MOST_SUMMED:
        return
    signed = np.concatenate([rows, -rows])
    for a, b in screen.suiting_pairs(signed)[:MOST_TRIED]:
        new = place.node
        for k in (a, b):
            new = ast.BinOp(new, ast.Sub() if k >= len(rows) else ast.Add(), nodes(k % len(rows)))
        yield Edit(Label.MISSING_TERM, LONG_OPERAND + 2 * TWO_COST, place, new)


def lost_in_rounds(place, found):
    """Yield what is given a name in a loop with a product of two things more.

    What one round leaves to the next one depends on what it was left itself: values tell nothing.
    """
    given = place.field == "value" and isinstance(place.parent, (ast.Assign, ast.AugAssign))
    if place.rounds < 2 or not given:
        return
    shape = np.shape(place.value)
    fitting = [
        one for one in found
        if isinstance(one.node, LEAVES) and is_float(one.value) and np.shape(one.value) in (shape, ())
    ]
    for a, b in itertools.combinations(fitting[:MOST_OF_THREE], 2):
        for operator in (ast.Add(), ast.Sub()):
            product = ast.BinOp(fresh(a.node), ast.Mult(), fresh(b.node))
            new = ast.BinOp(place.node, operator, product)
            yield Edit(Label.MISSING_TERM, LONG_OPERAND + TWO_COST, place, new)


def composed(text, place, kind, node, row):
    """Return the edit of one kind by a product, or None if it is an exchange that is written oddly."""
    if all(isinstance(part, (ast.Constant, ast.BinOp, ast.operator)) for part in ast.walk(node)):
        return None  # a number of its own
    if sum(isinstance(part, ast.Compare) for part in ast.walk(node)) > 1:
        return None
    if isinstance(getattr(node, "op", None), ast.Div) and contains(node.left, node.right):
        return None  # what is divided by its own factor
    one = Ingredient(node, np.round(row, DIGITS).reshape(np.shape(place.value)), ast.unparse(node))
    if kind == "factor":
        new = ast.BinOp(place.node, ast.Mult(), node)
        # What came of something over that itself: the slopes of a bent function.
        divided = isinstance(getattr(node, "op", None), ast.Div)
        slopes = divided and 1 in (two_values(one.value) or ())
        base = root(node.right) if divided and not slopes else None
        whole = getattr(place.statement, "value", None) or place.node
        own = base and (contains(whole, name(base)) or is_made_of(whole, base, text.definitions))
        if own:
            return None  # what is made of it is another thing
        label = Label.MASK_FORGOTTEN if slopes else lambda: insertion_means(text, place, one)
        return Edit(label, LONG_OPERAND + TWO_COST, place, new)
    if kind == "instead":
        return Edit(lambda: exchange_means(text, place, one), EXPRESSION + TWO_COST, place, node)
    taken = kind == "less"
    named = (text.names.get(getattr(part, "id", None)) for part in ast.walk(node))
    masks = any(isinstance(part, ast.Compare) for part in ast.walk(node)) or any(map(is_mask, named))
    # What is stopped was there: it is what stands there itself, or was counted for all.
    stops = masks and (contains(node, place.node) or is_counted(one.value))
    new = ast.BinOp(place.node, ast.Sub() if taken else ast.Add(), node)

    def means():
        if masks and is_stopped_already(text, place.node):
            return Label.MASK_FROM_WRONG_TENSOR
        return Label.MASK_FORGOTTEN if stops else term_means(text, place, one, taken)

    return Edit(means, LONG_OPERAND + TWO_COST, place, new)


def is_stopped_already(text, node):
    """Tell whether an expression, or what its name stands for, is 0 where a mask of its own says so."""
    made = text.definitions.get(getattr(node, "id", None), node)
    parts = [one for one in ast.walk(made) if isinstance(one, ast.expr)]
    return any(called(one) == "where" or is_mask(text.value_of(one)) for one in parts)


def is_counted(values):
    """Tell whether values are 0, and one half or one or more of them."""
    some = {float(x) for x in np.abs(values).ravel()} - {0.0}
    return len(some) == 1 and (2 * some.pop()).is_integer()


def contains(node, part):
    """Tell whether an expression contains another one."""
    return ast.unparse(part) in {ast.unparse(one) for one in ast.walk(node) if isinstance(one, ast.expr)}


def products(there, screen):
    """Return products and quotients of ingredients, element by element: their nodes, and values."""
    fitting = spread(there, screen)[:MOST_FACTORS]
    atoms = [*fitting, *spread(inner_products(there), screen)]
    short = {id(node) for node, values in there if np.ndim(values[0]) == 0 or isinstance(node, LEAVES)}
    few = [k for k, (node, _) in enumerate(fitting) if id(node) in short][:MOST_OF_THREE]
    all_of, sums = range(len(fitting)), range(len(fitting), len(atoms))
    # Which are multiplied, and whether the last one divides.
    groups = [
        (itertools.product(sums), False),
        (itertools.combinations_with_replacement(all_of, 2), False),
        (itertools.product(few, sums), False),
        (itertools.permutations(few, 2), True),
        (itertools.combinations(few, 3), False),
        (((a, b, c) for a, b in itertools.combinations(few, 2) for c in few if c not in (a, b)), True),
    ]
    groups = [(list(rows), divides) for rows, divides in groups]
    kept = [(row, divides) for rows, divides in groups for row in rows]
    table = np.array([row for _, row in atoms]).reshape(-1, screen.start.size)
    with np.errstate(all="ignore"):
        values = [multiplied(table, np.array(rows), divides) for rows, divides in groups if rows]

    def node(k):
        row, divides = kept[k]
        found = fresh(atoms[row[0]][0])
        for number_of, operand in enumerate(row[1:], 2):
            last = divides and number_of == len(row)
            found = ast.BinOp(found, ast.Div() if last else ast.Mult(), fresh(atoms[operand][0]))
        return found

    return node, np.concatenate(values or [table])


def multiplied(table, rows, divides):
    """Return the products of rows of a table, of which the last one may divide."""
    *first, last = (table[rows[:, k]] for k in range(rows.shape[1]))
    product = functools.reduce(np.multiply, first) if first else 1.0
    return product / last if divides else product * last


def spread(found, screen):
    """Return expressions that fit a place, each with its values there in one row."""
    return [(node, row) for node, values in found if (row := screen.spread(values)) is not None]


def inner_products(there):
    """Yield sums over products of two arrays, as a softmax takes off, with their values."""
    arrays = [(node, xs) for node, xs in there if isinstance(node, ast.Name) and np.ndim(xs[0]) in (1, 2)]
    for (a, xs), (b, ys) in itertools.combinations_with_replacement(arrays[:MOST_OF_THREE], 2):
        if any(np.shape(x) != np.shape(y) for x, y in zip(xs, ys)):
            continue
        product = ast.BinOp(fresh(a), ast.Mult(), fresh(b))
        for axis in (None, *range(-np.ndim(xs[0]) if np.ndim(xs[0]) > 1 else 0, 0)):
            keywords = {} if axis is None else {"axis": number(axis), "keepdims": number(True)}
            values = [np.sum(x * y, axis, keepdims=axis is not None) for x, y in zip(xs, ys)]
            yield call(attribute(product, "sum"), **keywords), values


def matrix_products(there, screen):
    """Return matrix products, and outer ones, of two ingredients: their nodes, and values."""
    shape = np.shape(screen.values[0])
    arrays = [
        (node, values) for node, values in there
        if np.ndim(values[0]) in (1, 2) and not isinstance(node, ast.Compare)
    ]
    arrays += [
        (attribute(node, "T"), [x.T for x in values]) for node, values in arrays
        if np.ndim(values[0]) == 2 and getattr(node, "attr", "") != "T"
    ]
    nodes, rows = [], []
    for (a, xs), (b, ys) in itertools.product(arrays, repeat=2):
        x, y = np.shape(xs[0]), np.shape(ys[0])
        if len(x) == len(y) == 1 and (*x, *y) == shape:
            product, node = np.multiply.outer, call(attribute(name("np"), "outer"), fresh(a), fresh(b))
        elif len(x) + len(y) > 2 and x[-1] == y[0] and (*x[:-1], *y[1:]) == shape:
            product, node = np.matmul, ast.BinOp(fresh(a), ast.MatMult(), fresh(b))
        else:
            continue
        row = screen.spread([product(p, q) for p, q in zip(xs, ys)])
        if row is not None:
            nodes.append(node)
            rows.append(row)
    return nodes.__getitem__, np.array(rows).reshape(-1, screen.start.size)
