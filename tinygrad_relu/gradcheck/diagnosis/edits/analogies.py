"""Edits that add to a sum a term of the form of one that is there: ``b @ V.T`` beside ``a @ W.T``."""

import ast
import copy
import itertools
from functools import partial

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.edits.algebra import SUMS
from tinygrad_relu.gradcheck.diagnosis.edits.edit import OPERAND, Edit
from tinygrad_relu.gradcheck.diagnosis.edits.ingredients import Ingredient
from tinygrad_relu.gradcheck.diagnosis.edits.insertions import is_cut_out, term_means
from tinygrad_relu.gradcheck.diagnosis.edits.surroundings import is_beside, is_handed_on
from tinygrad_relu.gradcheck.diagnosis.edits.syntax import fresh, is_rest
from tinygrad_relu.gradcheck.diagnosis.edits.values import is_float
from tinygrad_relu.gradcheck.diagnosis.labels import Label

# A term like its neighbours is longer than a name, and likelier than other long ones.
COST = OPERAND + 0.35
# So many names may be in a term, and so many terms are tried for one that is there.
MOST_NAMES, MOST_TERMS, MOST_ELSEWHERE = 2, 500, 150


def analogies(text, place):
    """Yield a sum, or what is handed on, with one more term, of which other names are part.

    Parameters
    ----------
    text : Text
    place : Place
    """
    node = place.node
    given = is_handed_on(place) or (place.field == "value" and isinstance(place.parent, ast.AugAssign))
    whole_sum = isinstance(node, ast.BinOp) and isinstance(node.op, SUMS) and not is_beside(place, SUMS)
    if not is_float(place.value) or place.is_key or not (given or whole_sum):
        return
    there = list(terms(node))
    known = {ast.dump(term) for term in there}
    # What one round leaves to the next one is added up in several statements.
    elsewhere = text.products if place.rounds > 1 and given else {}
    both = ast.Add(), ast.Sub()
    ways = [(term, MOST_TERMS, both) for term in there]
    ways += [(term, MOST_ELSEWHERE, both[:1]) for term in elsewhere.get(np.shape(place.value), ())]
    for term, most, operators in ways:
        for other, named in itertools.islice(with_other_names(text, term), most):
            if ast.dump(other) in known:
                continue
            known.add(ast.dump(other))
            if len(named) == 1 and is_operand_of_sum(term, named[0][0]):
                continue  # taken from the term itself, it is that term with the other name
            one = Ingredient(other, None, ast.unparse(other))
            for operator in operators:
                taken = isinstance(operator, ast.Sub)
                stops = taken and len(named) == 1 and is_cut_out(*map(text.value_of, named[0]))
                means = Label.MASK_FORGOTTEN if stops else partial(term_means, text, place, one, taken)
                yield Edit(means, COST, place, ast.BinOp(node, operator, other))


def weighed(text, place):
    """Yield a sum of two terms weighed by something and by 1 less that, as in an interpolation.

    Parameters
    ----------
    text : Text
    place : Place
    """
    node, shape = place.node, np.shape(place.value)
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add) or not is_float(place.value):
        return
    rests = [one.node for one in text.places if is_rest(one.node) and np.shape(one.value) in (shape, ())]
    for rest in {ast.unparse(one): one for one in rests}.values():
        for a, b in itertools.permutations((rest, rest.right)):
            one = ast.BinOp(fresh(a), ast.Mult(), node.left)
            other = ast.BinOp(fresh(b), ast.Mult(), node.right)
            yield Edit(Label.MISSING_FACTOR, OPERAND, place, ast.BinOp(one, node.op, other))


def is_operand_of_sum(term, part):
    """Tell whether a part of a term is itself added there, or taken away."""
    sums = (one for one in ast.walk(term) if isinstance(getattr(one, "op", None), SUMS))
    return any(part is side for one in sums for side in (one.left, one.right))


def terms(node):
    """Yield the terms of a sum, without their signs."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, SUMS):
        yield from terms(node.left)
        yield from terms(node.right)
    else:
        yield node


def with_other_names(text, term):
    """Yield a term with other names of the same shapes for one or two of its own, and for which."""
    own = {}
    for one in ast.walk(term):
        place = text.by_node.get(id(one))
        if place is not None and place.names_an_array:
            own.setdefault(ast.unparse(one), []).append(one)
    if not 1 <= len(own) <= MOST_NAMES:
        return
    for several in range(len(own), 0, -1):
        for old in itertools.combinations(own, several):
            meant = [text.named_arrays[np.shape(text.at(own[key][0]).value)] for key in old]
            for new in itertools.product(*meant):
                if not {*map(ast.unparse, new)} & {*old}:
                    others = {id(one): fresh(node) for key, node in zip(old, new) for one in own[key]}
                    named = [(own[key][0], node) for key, node in zip(old, new)]
                    yield copy.deepcopy(term, others), named

