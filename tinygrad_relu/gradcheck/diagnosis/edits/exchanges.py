"""Edits that put an ingredient in the place of something else."""

import ast
import itertools
from dataclasses import replace

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.edits.edit import (
    CALL,
    EXCHANGE,
    EXPRESSION,
    LONG_OPERAND,
    TOKEN,
    Edit,
    together,
)
from tinygrad_relu.gradcheck.diagnosis.edits.meanings import is_count, is_mask
from tinygrad_relu.gradcheck.diagnosis.edits.surroundings import (
    in_comparison,
    is_beside,
    is_in_own_slope,
    is_squared_in_slope,
)
from tinygrad_relu.gradcheck.diagnosis.edits.syntax import LEAVES, called, fresh, name, root
from tinygrad_relu.gradcheck.diagnosis.edits.taken_for import exchange_means, is_mirrored
from tinygrad_relu.gradcheck.diagnosis.edits.values import (
    is_array,
    is_float,
    is_index,
    is_mask_like,
    is_total,
    is_value,
    is_whole,
)
from tinygrad_relu.gradcheck.diagnosis.labels import Label

# So many numbers of a statement are exchanged.
MOST_CROSSED = 8
# What is added for a name that had better be given another value where it gets its own.
DEFINED_COST = 0.1


def exchanges(text, place, found):
    """Yield a place with an ingredient for what stands there.

    Parameters
    ----------
    text : Text
    place : Place
    found : list of Ingredient
    """
    node, own = place.node, place.value
    if not is_value(own):
        return
    if isinstance(node, ast.Constant) and not isinstance(own, float):
        yield from for_numbers(place, found)
        return
    leaf = isinstance(node, LEAVES)
    total = isinstance(node, ast.Call) and called(node) == "sum" and isinstance(place.parent, ast.BinOp)
    for one in found:
        if total and one.is_leaf and is_spread(own, one.value):
            yield Edit(Label.SUMMED, EXPRESSION, place, fresh(one.node))
        counts = (is_whole(own) and is_count(int(own), node) and is_total(one.value)) or (
            is_total(own) and is_whole(one.value) and is_count(one.value, one.node)
        )
        if (is_whole(own) != is_whole(one.value) and not counts) or not fits(place, one):
            continue
        if not text.program.own_loops and np.array_equal(own, one.value):
            continue  # what is one in the first round may be two in the next
        compared = isinstance(node, ast.Compare) and isinstance(one.node, ast.Compare)
        lengths = called(node) == called(one.node) == "len"
        cost = EXCHANGE if (leaf and one.is_leaf) or compared or lengths else EXPRESSION
        if place.is_key and is_mirrored(node, one.node):
            cost = TOKEN - 0.1  # the other direction, and no longer way
        if is_mask_like(own) != is_mask_like(one.value):
            cost = CALL  # of another activation
        if cost == EXPRESSION and getattr(node, "id", None) in text.definitions:
            cost += DEFINED_COST
        if leaf and one.text == f"{ast.unparse(node)} * (1 - {ast.unparse(node)})":
            cost = LONG_OPERAND - 0.1  # the other half of a slope
        yield Edit(lambda one=one: exchange_means(text, place, one), cost, place, fresh(one.node))


def for_numbers(place, found):
    """Yield the name of an array for a whole number to which something is added, or that is."""
    whole = place.around.value if place.around is not None else None
    if not is_beside(place, (ast.Add, ast.Sub)) or not is_float(whole) or place.is_key:
        return
    for one in found:
        if not isinstance(one.node, ast.Name):
            continue
        if place.node.value == 1 and is_mask(one.value) and np.shape(one.value) == np.shape(whole):
            # 1 for all, where it is 1 for some of them and 0 for others.
            yield Edit(Label.MASK_FORGOTTEN, CALL, place, fresh(one.node))
        elif is_float(one.value) and is_spread(one.value, whole):
            yield Edit(Label.WRONG_FUNCTION, CALL, place, fresh(one.node))


def renamings(text, places, found):
    """Yield statements with one name for another wherever it is read in them.

    Parameters
    ----------
    text : Text
    places : list of Place
    found : list of Ingredient
    """
    groups = {}
    for place in places:
        if isinstance(place.node, ast.Name):
            groups.setdefault((id(place.statement), place.node.id), []).append(place)
            if place.field == "right" and is_beside(place, ast.Div):
                groups.setdefault(("divisors", place.node.id), []).append(place)
            # What one array is made of, bit by bit, is all made of one thing.
            array = root(getattr(place.statement, "target", None))
            if array is not None and root(place.statement.target) != place.node.id:
                groups.setdefault((array, place.node.id), []).append(place)
    names = [one for one in found if isinstance(one.node, ast.Name)]
    for group in groups.values():
        for row in zip(*(exchanges(text, place, names) for place in group)) if len(group) > 1 else ():
            several = together(row)
            slope = any(is_in_own_slope(place) or is_squared_in_slope(place) for place in group)
            yield replace(several, label=Label.WRONG_FUNCTION) if slope else several


def crossings(places):
    """Yield statements in which two names stand for each other.

    Parameters
    ----------
    places : list of Place
    """
    statements = {}
    for place in places:
        picks = is_array(place.value) and is_index(place.value)
        if isinstance(place.node, ast.Name) and (picks or is_float(place.value)):
            statements.setdefault(id(place.statement), {}).setdefault(place.node.id, []).append(place)
    for named in statements.values():
        for one, other in itertools.combinations(sorted(named), 2):
            values = named[one][0].value, named[other][0].value
            kinds = {np.asarray(x).dtype.kind for x in values}
            if np.shape(values[0]) == np.shape(values[1]) and len(kinds) == 1 and (
                not np.array_equal(*values)
            ):
                label = Label.WRONG_FUNCTION if kinds == {"f"} else Label.PERMUTED
                if all(map(in_comparison, (*named[one], *named[other]))):
                    label = Label.MASK_FROM_WRONG_TENSOR
                both = [(place, other) for place in named[one]] + [(place, one) for place in named[other]]
                yield together([Edit(label, TOKEN, place, name(key)) for place, key in both])


def crossed_in_rows(text):
    """Yield two expressions that have each other's place in all rows in which both stand, as gates do."""
    rows = {}
    for place in text.places:
        node = place.node
        if isinstance(node, (ast.Tuple, ast.List)) and isinstance(place.parent, ast.Call):
            written = [ast.unparse(one) for one in node.elts]
            for i, j in itertools.combinations(range(len(written)), 2):
                rows.setdefault((len(written), i, j, written[i], written[j]), []).append(place)
    for (_, i, j, *_), places in rows.items():
        edits = []
        for place in places:
            row = list(place.node.elts)
            row[i], row[j] = row[j], row[i]
            edits.append(Edit(Label.PERMUTED, TOKEN - 0.3, place, type(place.node)(row, ast.Load())))
        if len(edits) > 1:
            yield together(edits)


def crossed_numbers(text):
    """Yield statements in which two numbers stand for each other."""
    statements = {}
    for place in text.places:
        x = getattr(place.node, "value", None)
        if isinstance(place.node, ast.Constant) and isinstance(x, (int, float)) and not place.is_key:
            statements.setdefault(id(place.statement), []).append(place)
    for numbers in statements.values():
        for one, other in itertools.combinations(numbers[:MOST_CROSSED], 2):
            if one.node.value != other.node.value:
                pairs = (one, other.node), (other, one.node)
                yield together([Edit(Label.WRONG_FUNCTION, TOKEN, *pair) for pair in pairs])


def fits(place, one):
    """Tell whether an ingredient can stand at a place; for a mask also a weight of what passes it."""
    if np.shape(place.value) != np.shape(one.value):
        return False
    if is_mask_like(place.value) == is_mask_like(one.value):
        return True
    weighs = called(one.node) == "where" or np.array_equal(place.value, one.value != 0)
    return is_mask_like(place.value) and is_beside(place, ast.Mult) and weighs


def is_spread(own, other):
    """Tell whether an array of floats has several numbers where another one has one for all."""
    wide = np.shape(other)
    if not is_float(other) or np.shape(own) == wide or np.ndim(own) > len(wide):
        return False
    return all(n in (1, m) for n, m in zip(np.shape(own)[::-1], wide[::-1]))


