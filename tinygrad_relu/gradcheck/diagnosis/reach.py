"""What functions of the user's have at hand between two calls, and putting it back."""

import contextlib
import functools
import itertools
import sys
import types
from array import array
from collections import Counter, OrderedDict, UserDict, defaultdict, deque

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.edits.program import LIBRARIES
from tinygrad_relu.gradcheck.diagnosis.recording import PACKAGE

# So many things are looked at, and so many parts of each.
MOST_OBJECTS, MOST_PARTS = 3000, 100
#: Things that are known to do nothing but hold others; of other kinds nobody knows what they do.
DICTS = (dict, OrderedDict, defaultdict, Counter)
ROWS = (list, set, deque)
CONTAINERS = (np.ndarray, *DICTS, *ROWS, bytearray, array)


class Attributes:
    """The attributes of a class, or of an object with slots, which can be copied and put back."""

    def __init__(self, owner):
        self.owner = owner

    def copy(self):
        """Return the attributes by their names; of a class without its methods."""
        if isinstance(self.owner, type):
            return {key: x for key, x in vars(self.owner).items() if is_plain(key, x)}
        names = itertools.chain.from_iterable(
            [kind.__slots__] if isinstance(kind.__slots__, str) else kind.__slots__
            for kind in type(self.owner).__mro__ if "__slots__" in vars(kind)
        )
        return {key: getattr(self.owner, key) for key in names if hasattr(self.owner, key)}

    def put_back(self, before):
        """Let the attributes be what they were."""
        now = self.copy()
        for key in now.keys() - before.keys():
            delattr(self.owner, key)
        for key, x in before.items():
            if now.get(key) is not x:
                setattr(self.owner, key, x)


def is_own_dict(x):
    """Tell whether something is a dict of a kind that the user made, whose methods may do anything."""
    return isinstance(x, dict) and type(x) not in DICTS and not isinstance(x, OrderedDict)


def copied(x):
    """Return a copy of a container, or of attributes."""
    if is_own_dict(x):
        return dict.copy(x)
    if isinstance(x, np.ndarray):
        return np.array(x)  # also of matrices, and of what a mask hides
    return x[:] if isinstance(x, array) else x.copy()


def put_back(x, before):
    """Let a container, or attributes, hold what a copy of it holds."""
    if isinstance(x, np.ndarray):
        if x.flags.writeable:
            np.copyto(np.asarray(x), before)
    elif isinstance(x, Attributes):
        x.put_back(before)
    elif isinstance(x, (list, bytearray, array)):
        x[:] = before
    elif isinstance(x, deque):
        x.clear()
        x.extend(before)
    elif is_own_dict(x):
        dict.clear(x)
        dict.update(x, before)
    else:
        x.clear()
        x.update(before)


def reachable(objects):
    """Return what can be changed of all that can be reached from some objects of the user's."""
    found = []
    for x in visited(objects):
        named = issubclass(type(x), type) or hasattr(type(x), "__slots__")
        if type(x) in CONTAINERS or is_own_dict(x) or isinstance(x, np.ndarray):
            found.append(x)
        elif named and is_users(x if issubclass(type(x), type) else type(x)):
            with contextlib.suppress(Exception):  # attributes that cannot be looked at
                attributes = Attributes(x)
                attributes.copy()
                found.append(attributes)
    return found


def visited(objects):
    """Yield all that can be reached from some objects of the user's, the nearest first."""
    waiting, met = deque(objects), set()
    while waiting and len(met) < MOST_OBJECTS:
        x = waiting.popleft()
        if id(x) in met or issubclass(type(x), (types.ModuleType, str, bytes, int, float)):
            continue
        met.add(id(x))
        yield x
        with contextlib.suppress(Exception):  # what cannot be looked at is nobody's memory
            waiting.extend(parts_of(x))


def parts_of(x):
    """Return what a thing of the user's is made of, or has at hand."""
    if isinstance(x, UserDict):
        return [x.data]
    if type(x) in DICTS or is_own_dict(x):
        return list(itertools.islice(dict.values(x), MOST_PARTS))
    if type(x) in (tuple, *ROWS):
        return list(itertools.islice(x, MOST_PARTS))
    if isinstance(x, types.MethodType):
        return [x.__self__, x.__func__]
    if isinstance(x, functools.partial):
        return [x.func, *x.args, *x.keywords.values()]
    if isinstance(x, types.FunctionType):
        cells = [cell.cell_contents for cell in x.__closure__ or () if is_filled(cell)]
        named = [x.__globals__[name] for name in names_in(x.__code__) if name in x.__globals__]
        users = [one for one in named if not callable(one) or isinstance(one, type) or is_written(one)]
        return [*cells, *(x.__defaults__ or ()), *(x.__kwdefaults__ or {}).values(), vars(x), *users]
    if isinstance(x, type):
        return list(Attributes(x).copy().values()) if is_users(x) else []
    if isinstance(x, types.SimpleNamespace):
        return [vars(x)]
    if not is_users(type(x)):
        return []
    slots = list(Attributes(x).copy().values()) if hasattr(type(x), "__slots__") else []
    return [*([vars(x)] if hasattr(x, "__dict__") else []), type(x), *slots]


def names_in(code):
    """Return the names that a code, and those within it, look up outside."""
    inner = (one for one in code.co_consts if isinstance(one, types.CodeType))
    return {*code.co_names, *itertools.chain.from_iterable(map(names_in, inner))}


def is_written(function):
    """Tell whether a function was written by the user."""
    code = getattr(function, "__code__", None)
    return code is not None and not code.co_filename.startswith((*LIBRARIES, PACKAGE))


def is_users(kind):
    """Tell whether a class was made by the user."""
    path = getattr(sys.modules.get(kind.__module__), "__file__", None) or ""
    return kind.__module__ != "builtins" and not path.startswith((*LIBRARIES, PACKAGE))


def is_plain(key, x):
    """Tell whether an attribute of a class is something that it keeps, and no method."""
    return not key.startswith("__") and not callable(x) and not hasattr(x, "__get__")


def is_filled(cell):
    """Tell whether a name around a function has a value."""
    try:
        return cell.cell_contents is not cell
    except ValueError:  # it is defined later
        return False


def same(x, before):
    """Tell whether something is what it was, arrays bit by bit, and others by what they hold."""
    if isinstance(x, np.ndarray):
        return x.shape == before.shape and np.asarray(x).tobytes() == before.tobytes()
    if isinstance(x, Attributes):
        x = x.copy()
    if isinstance(x, dict):
        keys, get = dict.keys(x), dict.__getitem__
        return keys == before.keys() and all(get(x, key) is before[key] for key in keys)
    if isinstance(x, (list, deque)):
        return len(x) == len(before) and all(a is b for a, b in zip(x, before))
    return x == before
