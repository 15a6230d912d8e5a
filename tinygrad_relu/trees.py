"""Trees: nested dicts, lists and tuples, with tensors, arrays and numbers as their leaves.

Named tuples and the dicts of `collections` keep their kind; None is a tree without leaves.
"""

from copy import copy

from tinygrad_relu.errors import ArgumentError


def branches(tree):
    """Return the labels and values of the branches of a tree, or None for a leaf."""
    if isinstance(tree, dict):
        return [f"[{key!r}]" for key in tree], list(tree.values())
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return [f".{field}" for field in tree._fields], list(tree)
    if isinstance(tree, (list, tuple)):
        return [f"[{k}]" for k in range(len(tree))], list(tree)
    return ([], []) if tree is None else None


def grafted(tree, values):
    """Return a tree of the kind of `tree`, with other values on its branches."""
    if isinstance(tree, dict):
        new = copy(tree)
        new.update(zip(tree, values))
        return new
    if isinstance(tree, tuple) and hasattr(tree, "_make"):
        return tree._make(values)
    return None if tree is None else type(tree)(values)


def leaves(tree, path=""):
    """Return a list of ``(path, leaf)``: the path says how to get there, such as ``['w'][0]``."""
    found = branches(tree)
    if found is None:
        return [(path, tree)]
    return [pair for label, value in zip(*found) for pair in leaves(value, path + label)]


def regrown(tree, new_leaves):
    """Return a tree of the form of `tree` with other leaves, taken from an iterator in order."""
    new_leaves = iter(new_leaves)

    def grow(old):
        found = branches(old)
        if found is None:
            return next(new_leaves)
        return grafted(old, [grow(value) for value in found[1]])

    return grow(tree)


def changed(function, tree):
    """Return a tree with each leaf changed by `function`."""
    return regrown(tree, [function(leaf) for _, leaf in leaves(tree)])


def leaves_in_step(tree, other, what):
    """Return the leaves of `other` in the order of those of `tree`, or raise if their forms differ.

    `what` says in the message what `other` is.  A list may stand for a tuple.
    """

    def gather(old, new, path):
        found, given = branches(old), branches(new)
        if found is None and given is None:
            return [new]
        if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
            given = found[0], [new[key] for key in old]
        elif (
            found is None or given is None or len(given[1]) != len(found[1])
            or isinstance(old, dict) or isinstance(new, dict) or (old is None) != (new is None)
        ):
            raise ArgumentError(
                f"{what}{path} is a {outline(new)}, and has to be of the form {outline(old)}"
            )
        return [
            leaf
            for label, below, beside in zip(found[0], found[1], given[1])
            for leaf in gather(below, beside, path + label)
        ]

    return gather(tree, other, "")


def outline(tree):
    """Return what kind of tree it is, in a few words."""
    found = branches(tree)
    if found is None or tree is None:
        return type(tree).__name__
    return f"{type(tree).__name__}({', '.join(found[0])})"
