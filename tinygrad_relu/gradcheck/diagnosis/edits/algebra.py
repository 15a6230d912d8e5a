"""Sums and products as they are written: which one is another with an operand more."""

import ast
from collections import Counter

from tinygrad_relu.gradcheck.diagnosis.edits.meanings import is_count, is_mask
from tinygrad_relu.gradcheck.diagnosis.edits.surroundings import BENT
from tinygrad_relu.gradcheck.diagnosis.edits.syntax import called, factors_of, of_module
from tinygrad_relu.gradcheck.diagnosis.edits.values import is_one_number
from tinygrad_relu.gradcheck.diagnosis.labels import Label

SUMS, PRODUCTS = (ast.Add, ast.Sub), (ast.Mult, ast.Div)
#: Functions that multiply by a matrix, or by its inverse.
LINEAR = ("solve", "dot", "matmul", "einsum")
#: Functions of many elements together.
TOTALS = ("sum", "mean", "var", "std", "norm", "max")
# So deep names are replaced by what they stand for.
DEEPEST = 6


def grown(own, other, text):
    """Return what it means that one expression has to be another, which has operands more or fewer.

    Parameters
    ----------
    own, other : ast.expr
        What is written, and what has to be.
    text : Text

    Returns
    -------
    Label or None
        None if neither is the other with something put to it.
    """
    activated = of_definition(own, other, text) or of_twins(own, other, text)
    if activated in (Label.PRE_ACTIVATION, Label.STALE_BUFFER, Label.MISSING_TERM):
        return activated
    for kinds in (PRODUCTS, SUMS):
        mine = Counter(operands(own, kinds, text.definitions))
        theirs = Counter(operands(other, kinds, text.definitions))
        more, fewer = theirs - mine, mine - theirs
        if not mine & theirs or (more and fewer) or not (more or fewer):
            continue
        if kinds is SUMS and more:
            # What a step of a descent makes of a weight is that weight later.
            stepped = isinstance(own, ast.Name) and all(inverse and "*" in step for inverse, step in more)
            return Label.STALE_BUFFER if stepped else Label.MISSING_TERM
        if kinds is SUMS:
            return Label.EXTRA_TERM
        if fewer or (len(more) > 1 and isinstance(own, ast.Name) and not is_normalized(own, more, text)):
            return Label.WRONG_FUNCTION
        return of_factors([operand for _, operand in more], text)
    return activated


def is_normalized(own, more, text):
    """Tell whether a name is divided, among other things, by what is computed from itself: its length."""
    return any(
        inverse and is_made_of(ast.parse(operand, mode="eval").body, own.id, text.definitions)
        for inverse, operand in more
    )


def is_one_factor_more(own, other, text):
    """Tell whether a name stands for the product of another one with something of its own."""
    made = text.definitions.get(getattr(other, "id", None))
    factors = list(factors_of(made)) if isinstance(made, ast.BinOp) else []
    if not isinstance(own, ast.Name) or (len(factors) < 2 and not is_quotient(made)):
        return False
    rest = [one for one in factors if ast.unparse(one) != own.id]
    if len(rest) != len(factors) - 1:
        return False
    rest += [node.right for node in ast.walk(made) if is_quotient(node)]
    # What is made of the same alone is an activation: z * sigmoid(z); but not if it is made of sums.
    parts = [part for one in rest for part in (one, *definitions_of(one, text.definitions, but=own.id))]
    again = any(getattr(node, "id", None) == own.id for part in parts for node in ast.walk(part))
    calls = (node for part in parts for node in ast.walk(part) if isinstance(node, ast.Call))
    sums = any(called(node) in TOTALS for node in calls)
    return sums or not again


def is_quotient(node):
    """Tell whether an expression is a quotient."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)


def is_made_of(node, key, definitions):
    """Tell whether something stands, by way of other names, for what is computed from one name."""
    return any(
        getattr(part, "id", None) == key
        for made in definitions_of(node, definitions) for part in ast.walk(made)
    )


def definitions_of(node, definitions, but=None):
    """Return what the names of an expression stand for, all but one, and those in there, and so on."""
    found, waiting, met = [], [node], {but}
    while waiting:
        for one in ast.walk(waiting.pop()):
            if isinstance(one, ast.Name) and one.id in definitions and one.id not in met:
                met.add(one.id)
                found.append(definitions[one.id])
                waiting.append(definitions[one.id])
    return found


def of_twins(own, other, text):
    """Return what it means to take one name for another that is made as it is but for one operand."""
    made = [text.definitions.get(getattr(node, "id", None)) for node in (own, other)]
    if None in made or ast.dump(made[0]) == ast.dump(made[1]):
        return None
    parts = only_difference(*made)
    if parts is None or parts[0] is made[0] or is_bent_in(made[0], parts[0]):
        return None
    found = grown(*parts, text)
    return found if found is Label.MISSING_FACTOR else None


def is_bent_in(node, part):
    """Tell whether a part of an expression is given to a function that need not be linear."""
    calls = (one for one in ast.walk(node) if isinstance(one, ast.Call))
    bent = (one for one in calls if isinstance(one.func, ast.Name) or called(one) in BENT)
    return any(part is inner for one in bent for inner in ast.walk(one))


def only_difference(a, b):
    """Return the only parts in which two expressions differ."""
    if type(a) is not type(b):
        return a, b
    if isinstance(a, ast.Call) and ast.dump(a.func) != ast.dump(b.func):
        return a, b
    pairs = list(zip(ast.iter_child_nodes(a), ast.iter_child_nodes(b)))
    differing = [pair for pair in pairs if ast.dump(pair[0]) != ast.dump(pair[1])]
    same_count = len(list(ast.iter_child_nodes(a))) == len(list(ast.iter_child_nodes(b)))
    if len(differing) != 1 or not same_count or not isinstance(differing[0][0], ast.expr):
        return a, b
    return only_difference(*differing[0])


def of_definition(own, other, text):
    """Return what it means to write a name for another one that is made of it, or None if it is not."""
    made = text.definitions.get(getattr(other, "id", None))
    if made is None or not isinstance(own, ast.Name):
        return None
    names = made_of(made, own.id, text.definitions)
    if own.id not in names:
        return None
    if other.id in text.changed:
        return Label.STALE_BUFFER  # a weight that has been moved
    if any(isinstance(node, ast.Call) and called(node) == "cumsum" for node in ast.walk(made)):
        return Label.MISSING_TERM
    # A function such as the sigmoid divides a plain number.
    divided = isinstance(made, ast.BinOp) and isinstance(made.op, ast.Div) and not (
        isinstance(made.left, ast.Constant)
    )
    if divided or any(is_linear(node) for node in ast.walk(made)):
        return Label.MISSING_FACTOR
    # Plain numbers, such as one that keeps a root from 0, belong to the function.
    others = [text.names.get(key) for key in names - {own.id}]
    return Label.PRE_ACTIVATION if all(map(is_one_number, others)) else None


def made_of(node, own, definitions):
    """Return the names that an expression is made of, all but one replaced by what they stand for."""
    found, waiting, met = set(), [node], {own}
    while waiting:
        node = waiting.pop()
        calls = (one for one in ast.walk(node) if isinstance(one, ast.Call))
        functions = {
            id(part) for one in calls if isinstance(one.func, ast.Name) or of_module(one)
            for part in ast.walk(one.func)
        }
        for one in ast.walk(node):
            if not isinstance(one, ast.Name) or id(one) in functions:
                continue
            if one.id in definitions and one.id not in met:
                waiting.append(definitions[one.id])
            elif one.id == own or one.id not in definitions:
                found.add(one.id)
            met.add(one.id)
    return found


def is_linear(node):
    """Tell whether an expression is a product with a matrix, or with its inverse."""
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.MatMult)
    return isinstance(node, ast.Call) and getattr(node.func, "attr", "") in LINEAR


def of_factors(found, text):
    """Return what it means that some factors are left out."""
    values = [(place.node, place.value) for place in text.places if ast.unparse(place.node) in found]
    if any(is_mask(value) for _, value in values):
        return Label.MASK_FORGOTTEN
    counts = {ast.unparse(node) for node, value in values if is_count(value, node)}
    return Label.AVERAGED if counts >= {*found} else Label.MISSING_FACTOR


def operands(node, kinds, definitions, depth=0):
    """Return the operands of a sum or product, each with whether it is taken away, or divided by."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, kinds):
        right = operands(node.right, kinds, definitions, depth)
        if isinstance(node.op, kinds[1]):
            right = [(not inverse, operand) for inverse, operand in right]
        return [*operands(node.left, kinds, definitions, depth), *right]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = operands(node.operand, kinds, definitions, depth)
        minus = [(not inverse, operand) for inverse, operand in inner]
        return minus if kinds is SUMS else [(False, "-1"), *inner]
    if isinstance(node, ast.Name) and node.id in definitions and depth < DEEPEST:
        longer = operands(definitions[node.id], kinds, definitions, depth + 1)
        if len(longer) > 1:
            return longer
    return [(False, ast.unparse(node))]
