"""Structures as text and arrays: what goes into a file of any format, and back.

The text is JSON.  None, bools, strings, whole and finite numbers, and lists stand for themselves; all
else is an object of one entry, such as ``{"tuple": [...]}`` or ``{"tensor": "name of its array"}``.
"""

from collections import OrderedDict

import numpy as np

from tinygrad_relu.engine import Tensor, sharing
from tinygrad_relu.errors import ArgumentError, DTypeError, FileError, GraphError

VERSION = 1
MOST_LEVELS = 100       # of nesting: more is a structure that holds itself
LONGEST_NAME = 1000
DTYPES = frozenset((
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "float32", "float64",
))


def taken_apart(tree):
    """Return a text that describes a structure, and its arrays by name; raise if it cannot be saved."""
    import json

    arrays = {}
    node = described(tree, "obj", (), arrays)
    kinds = {name: [array.dtype.name, list(array.shape)] for name, array in arrays.items()}
    try:
        return json.dumps({"tinygrad_relu": VERSION, "tree": node, "arrays": kinds}), arrays
    except ValueError as error:     # Python writes no numbers of thousands of digits
        raise ArgumentError(f"save: obj holds a number that cannot be written: {error}") from error


def described(value, place, keys, arrays):
    """Return what stands in the text for a value, and put its arrays among those of the others.

    `place` is how to get there, for messages; `keys` the same, for names.
    """
    if len(keys) > MOST_LEVELS:
        raise ArgumentError(
            f"save: {place[:60]}... is more than {MOST_LEVELS} levels deep: does it hold itself?"
        )
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    if kind is float:
        return value if np.isfinite(value) else {"float": repr(value)}
    if kind in (list, tuple):
        nodes = [described(x, f"{place}[{k}]", (*keys, k), arrays) for k, x in enumerate(value)]
        return nodes if kind is list else {"tuple": nodes}
    if kind in (dict, OrderedDict):
        pairs = []
        for key, part in value.items():
            if key is not None and type(key) not in (bool, int, float, str):
                raise ArgumentError(
                    f"save: {place} has the key {key!r:.60}, a {type(key).__name__}: keys are strings or "
                    "numbers"
                )
            node = described(part, f"{place}[{key!r}]", (*keys, key), arrays)
            pairs.append([described(key, place, keys, arrays), node])
        return {kind.__name__: pairs}
    if isinstance(value, Tensor):
        if not value.is_leaf:
            raise GraphError(
                f"save: {place} was recorded, and its graph would be lost: save its detach()"
            )
        name = entered(value.detach().numpy(), place, keys, arrays)
        return {"parameter" if value.requires_grad else "tensor": name}
    if kind is np.ndarray:
        return {"array": entered(value, place, keys, arrays)}
    if isinstance(value, np.generic):
        return {"scalar": entered(np.asarray(value), place, keys, arrays)}
    raise ArgumentError(f"save: {place} is a {kind.__name__}, and cannot be saved: {instead_of(value)}")


def instead_of(value):
    """Return what to save in place of something that cannot be."""
    if isinstance(value, np.random.Generator):
        return "save its bit_generator.state"
    for method in ("state_dict", "get_state", "tolist"):
        if hasattr(value, method):
            return f"save its {method}()"
    return "save what it is made of, in dicts, lists, tuples, tensors, arrays, numbers and strings"


def entered(array, place, keys, arrays):
    """Put an array among the others, contiguous and in the machine's order of bytes; return its name."""
    if array.dtype.name not in DTYPES:
        raise DTypeError(
            f"save: {place} is of dtype {array.dtype}: bool, whole numbers and floats of 16 to 64 bits "
            "can be saved"
        )
    array = np.asarray(array, array.dtype.newbyteorder("="), order="C")
    name = ".".join(map(str, keys)).encode("utf-8", "backslashreplace").decode()[:LONGEST_NAME]
    number, free = 0, name or "obj"
    while free in arrays or free == "__metadata__":
        number += 1
        free = f"{name}~{number}"
    arrays[free] = array
    return free


def put_together(title, text, arrays):
    """Return the structure that a text describes, made of arrays by name; raise if they do not fit."""
    import json

    try:
        found = json.loads(text)
        if found["tinygrad_relu"] != VERSION:
            raise FileError(
                f"load: {title} is of version {found['tinygrad_relu']!r:.20} of this format, and "
                f"{VERSION} is known here: it may take a newer release"
            )
        kinds = {name: [array.dtype.name, list(array.shape)] for name, array in arrays.items()}
        if found["arrays"] != kinds:
            raise FileError(f"load: {title} is damaged: its arrays are not those that it lists")
        arrays = dict(arrays)
        tree = grown(found["tree"], arrays)
    except FileError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise FileError(
            f"load: {title} is damaged: what says how it is put together makes no sense ({error})"
        ) from error
    if arrays:
        raise FileError(f"load: {title} is damaged: it has arrays that belong nowhere")
    return tree


def grown(node, arrays):
    """Return what a part of the text stands for.  Each array is given out once."""
    if isinstance(node, list):
        return [grown(part, arrays) for part in node]
    if not isinstance(node, dict):
        return node
    (kind, content), = node.items()
    if kind in ("tensor", "parameter"):
        return sharing(arrays.pop(content)).requires_grad_(kind == "parameter")
    if kind == "array":
        return arrays.pop(content)
    if kind == "scalar":
        return arrays.pop(content)[()]
    if kind == "float":
        return float(content)
    if kind == "tuple":
        return tuple(grown(part, arrays) for part in content)
    made = {"dict": dict, "OrderedDict": OrderedDict}[kind]
    return made((grown(key, arrays), grown(part, arrays)) for key, part in content)
