"""Edits of several things that stand side by side, such as the two coordinates of a state, in one way."""

import ast
import itertools

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.edits.edit import (
    EXCHANGE,
    LONG_OPERAND,
    OPERAND,
    TOKEN,
    Edit,
    together,
)
from tinygrad_relu.gradcheck.diagnosis.edits.ingredients import NUMBERS
from tinygrad_relu.gradcheck.diagnosis.edits.insertions import beside
from tinygrad_relu.gradcheck.diagnosis.edits.syntax import LEAVES, fresh, name, negative
from tinygrad_relu.gradcheck.diagnosis.edits.values import is_array, is_float, is_one_number
from tinygrad_relu.gradcheck.diagnosis.labels import Label

# Of so many things at once.
MOST = 4


def in_parallel(text, found):
    """Yield rows of expressions of which each is written otherwise, and all in one way.

    Parameters
    ----------
    text : Text
    found : list of Ingredient
    """
    groups = groups_of_names(text)
    floats = [one.node for one in found if one.is_leaf and is_one_number(one.value)]
    for places in rows(text):
        own = [place.node for place in places]
        yield all_at_once(Label.WRONG_FUNCTION, TOKEN, places, map(negative, own))
        for factor, operator in itertools.product([*NUMBERS, *floats], (ast.Mult(), ast.Div())):
            products = [ast.BinOp(node, operator, fresh(factor)) for node in own]
            yield all_at_once(Label.MISSING_FACTOR, OPERAND, places, products)
        for group in groups:
            if len(group) != len(places):
                continue
            names = [name(key) for key in group]
            nothing = all(isinstance(node, ast.Constant) and not node.value for node in own)
            label = Label.MISSING_TERM if nothing else Label.WRONG_FUNCTION
            yield all_at_once(label, EXCHANGE, places, names)
            for operator in (ast.Add(), ast.Sub()):
                sums = [ast.BinOp(node, operator, one) for node, one in zip(own, names)]
                yield all_at_once(Label.MISSING_TERM, LONG_OPERAND, places, sums)


def wherever_read(text, places, found):
    """Yield statements with a factor put to a name, or with it divided, wherever it is read in them.

    Parameters
    ----------
    text : Text
    places : list of Place
    found : list of Ingredient
    """
    groups = {}
    for place in places:
        if isinstance(place.node, ast.Name) and is_array(place.value) and is_float(place.value):
            groups.setdefault((id(place.statement), place.node.id), []).append(place)
    factors = [one for one in found if isinstance(one.node, ast.Name) and is_float(one.value)]
    for (_, key), group in groups.items():
        for one in factors if 1 < len(group) <= MOST else ():
            operand = beside(one, np.shape(group[0].value)) if one.text != key else None
            for operator in (ast.Mult(), ast.Div()) if operand is not None else ():
                products = [ast.BinOp(place.node, operator, operand) for place in group]
                yield all_at_once(Label.MISSING_FACTOR, OPERAND, group, products)


def in_all_additions(text, found):
    """Yield a factor, or divisor, put to all that is added to the parts of one array.

    Parameters
    ----------
    text : Text
    found : list of Ingredient
    """
    groups = {}
    for node in ast.walk(text.program.tree):
        place = text.by_node.get(id(node.value)) if isinstance(node, ast.AugAssign) else None
        if place is not None and isinstance(node.op, (ast.Add, ast.Sub)) and is_float(place.value):
            groups.setdefault(shared_target(node.target), []).append(place)
    factors = [one for one in found if isinstance(one.node, LEAVES) and is_float(one.value)]
    for places, one in itertools.product(groups.values(), factors):
        operands = [beside(one, np.shape(place.value)) for place in places]
        if not 1 < len(places) <= MOST or None in operands:
            continue
        for operator in (ast.Mult(), ast.Div()):
            products = [ast.BinOp(place.node, operator, x) for place, x in zip(places, operands)]
            yield all_at_once(Label.MISSING_FACTOR, OPERAND, places, products)


def shared_target(target):
    """Return of what a target is a part: an array, or an entry of a dict."""
    keyed = isinstance(target, ast.Subscript) and not isinstance(target.slice, ast.Constant)
    return ast.unparse(target.value if keyed else target)


def all_at_once(label, cost, places, nodes):
    """Return one edit that puts an expression at each of some places."""
    return together([Edit(label, cost, place, node) for place, node in zip(places, nodes)])


def groups_of_names(text):
    """Return the names that are given values side by side, also the halves of longer rows."""
    found = {}
    for node in ast.walk(text.program.tree):
        if isinstance(node, ast.Tuple) and all(isinstance(one, ast.Name) for one in node.elts):
            keys = tuple(one.id for one in node.elts)
            for size in range(2, len(keys) + 1):
                if len(keys) % size == 0:
                    parts = (keys[k:k + size] for k in range(0, len(keys), size))
                    found.update(dict.fromkeys(part for part in parts if len(part) <= MOST))
    return list(found)


def rows(text):
    """Yield rows of numbers that are given to a function, or stand in a tuple, side by side."""
    for node in ast.walk(text.program.tree):
        parts = node.args if isinstance(node, ast.Call) else getattr(node, "elts", [])
        places = [text.by_node.get(id(part)) for part in parts]
        for first, last in itertools.combinations(range(len(places) + 1), 2):
            row = places[first:last]
            if 2 <= len(row) <= MOST and all(place and is_float(place.value) for place in row):
                yield row
