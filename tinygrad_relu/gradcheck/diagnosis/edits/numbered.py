"""Edits of names that are numbered, as the stages of a step, ``k1``, ``k2``, or that come in pairs."""

import ast
import functools
import itertools
import re

from tinygrad_relu.gradcheck.diagnosis.edits.edit import CALL, EXCHANGE, Edit, together
from tinygrad_relu.gradcheck.diagnosis.edits.forwards import Spelled
from tinygrad_relu.gradcheck.diagnosis.edits.syntax import fresh, name, names_of
from tinygrad_relu.gradcheck.diagnosis.labels import Label


def numbered(text, places):
    """Yield the sum of a family of names for one of them, and for each stage what belongs to it.

    Parameters
    ----------
    text : Text
    places : list of Place
    """
    families = families_of(text.names)
    read = [place for place in places if isinstance(place.node, ast.Name) and parts(place.node.id)]
    for place in read:
        stem, _ = parts(place.node.id)
        members = [name(f"{stem}{k}") for k in families.get(stem, ())]
        if len(members) > 1:
            total = functools.reduce(lambda a, b: ast.BinOp(a, ast.Add(), b), members)
            yield Edit(Label.MISSING_TERM, CALL, place, total)
    for stem, numbers in families.items():
        others = []
        for place in read:
            meant = number_of(place.statement, stem)
            if parts(place.node.id) in [(stem, k) for k in numbers if k != meant] and meant in numbers:
                others.append(Edit(Label.STALE_BUFFER, EXCHANGE, place, name(f"{stem}{meant}")))
        if len(others) > 1:
            yield together(others)


def of_the_other(text, places):
    """Yield an expression with the names of one of two things for those of the other: ``b / b_norm``.

    What is done for both is written once, and copied.

    Parameters
    ----------
    text : Text
    places : list of Place
    """
    tokens = sorted({token for key in text.names for token in key.split("_") if token})
    ends = sorted({key[-1] for key in text.names if len(key) > 1})
    ways = [(with_token, *pair) for pair in itertools.permutations(tokens, 2)]
    ways += [(with_end, *pair) for pair in itertools.permutations(ends, 2)]
    for way, one, other in ways:
        renamed = {
            key: name(new) for key in text.names
            if (new := way(key, one, other)) != key and new in text.names
        }
        for place in places if len(renamed) > 1 else ():
            own = names_of(place.node) & {*renamed}
            if len(own) > 1:
                meant = Spelled(renamed).visit(fresh(place.node))
                yield Edit(Label.WRONG_FUNCTION, EXCHANGE, place, meant)


def with_token(key, one, other):
    """Return a name with one of the parts between its underscores exchanged."""
    return "_".join(other if token == one else token for token in key.split("_"))


def with_end(key, one, other):
    """Return a longer name with another last letter: ``Xs`` for ``Xq``."""
    return key[:-1] + other if len(key) > 1 and key[-1] == one else key


def parts(key):
    """Return the stem of a name and its number, or None if it has none."""
    found = re.fullmatch(r"([A-Za-z_]+)([0-9])", key)
    return found and (found[1], int(found[2]))


def families_of(names):
    """Return the numbers of names by what they have before that, where there are several."""
    found = {}
    for stem, number in sorted(filter(None, map(parts, names))):
        found.setdefault(stem, []).append(number)
    return {stem: numbers for stem, numbers in found.items() if len(numbers) > 1}


def number_of(statement, stem):
    """Return the number of all names, of other stems, that a statement gives values to, or None."""
    targets = [node for target in getattr(statement, "targets", ()) for node in ast.walk(target)]
    pairs = {parts(node.id) or (stem, None) for node in targets if isinstance(node, ast.Name)}
    numbers = {number for _, number in pairs}
    return numbers.pop() if len(numbers) == 1 and stem not in dict(pairs) else None
