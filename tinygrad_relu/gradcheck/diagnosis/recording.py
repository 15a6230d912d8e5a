"""`Recorded`: arrays that tell a `Recording` of all that is done with them.

NumPy's own protocols (``__array_ufunc__``, ``__array_function__``) tell them.  `one_call` makes them for
the time of one call; what is left of them then is plain.
"""

import contextlib
import sys
import threading
from pathlib import Path

import numpy as np

from tinygrad_relu.errors import GraphError
from tinygrad_relu.gradcheck.diagnosis.spelled_out import SPELLED_OUT, log_sum_exp
from tinygrad_relu.gradcheck.diagnosis.step import Reference, Step, add_at, assign_at, same, take_at

# More steps than this are not looked into: one exchange after another would take too long.
MOST_STEPS = 6000
MOST_ELEMENTS = 10_000_000
# Of the arrays that lie at hand where the user's lines work.
MOST_DATA, MOST_DATA_SIZE = 32, 20_000

OURS = str(Path(__file__).parent)
#: Where no line of the user's is; models of the mutant bank stand for functions of theirs.
PACKAGE, MODELS = str(Path(__file__).parents[2]), str(Path(__file__).parents[1] / "mutants")
NUMPY = str(Path(np.__file__).parent)

REDUCTIONS = {np.add: np.sum, np.multiply: np.prod, np.maximum: np.max, np.minimum: np.min}
METHODS = [
    "sum",
    "mean",
    "max",
    "min",
    "var",
    "std",
    "prod",
    "dot",
    "ravel",
    "swapaxes",
    "squeeze",
    "repeat",
    "take",
    "clip",
    "cumsum",
    "cumprod",
    "round",
    "trace",
    "diagonal",
    "argmax",
    "argmin",
    "argsort",
    "all",
    "any",
    "ptp",
    "nonzero",
]


class Recording:
    """The steps of one call, in order; of the inputs, first, only the values."""

    def __init__(self, creations=False):
        self.creations = creations
        self.steps, self.leaked, self.constants = [], [], {}
        self.busy, self.elements = False, 0
        self.closed = False  # what is left in objects of the user's is plain from then on
        self.strays, self.caller = {}, None
        self.thread = threading.get_ident()
        self.entry, self.data = None, {}

    def step(self, function, arguments, keywords, value, part=None):
        """Write down a step, and return its number; None where no recorded array takes part."""
        references, taking_part = [], []

        def refer(number):
            references.append(number)
            return Reference(len(references) - 1)

        def template(x):
            if isinstance(x, Recorded):
                # What an earlier recording left behind is plain.
                number = x.up_to_date() if x.recording is self else None
                if number is not None:
                    taking_part.append(number)
                    return refer(number)
                x = plain(x).copy()
            if type(x) in (list, tuple):
                return type(x)(template(part) for part in x)
            if isinstance(x, np.ndarray) and x.dtype.kind in ("f" if function in BY_KEY else "fb"):
                return refer(self.constant(x))
            return x.copy() if isinstance(x, np.ndarray) else x

        arguments = template(tuple(arguments))
        keywords = {name: template(x) for name, x in keywords.items()}
        if not taking_part:
            return None
        self.elements += np.size(value)
        if len(self.steps) >= MOST_STEPS or self.elements > MOST_ELEMENTS:
            raise GraphError("diagnose: the function has too many steps to look into")
        made = Step(function, arguments, keywords, references, np.array(value), part, *self.site())
        flowing = any(self.steps[k].flows for k in references)
        made.flows = flowing and made.value.dtype.kind == "f" and function not in FLAT
        self.steps.append(made)
        return len(self.steps) - 1

    def constant(self, array):
        """Return the number of a step that stands for an array of the user's, which is no input."""
        if id(array) not in self.constants:
            held = Step(None, (), {}, [], array.copy(), None, "", ())
            self.steps.append(held)
            # The array is kept, so that no other one gets its address.
            self.constants[id(array)] = len(self.steps) - 1, array
        number, _ = self.constants[id(array)]
        if not np.array_equal(self.steps[number].value, array, equal_nan=array.dtype.kind == "f"):
            del self.constants[id(array)]
            return self.constant(array)
        return number

    def created(self, value):
        """Return a recorded array for one that the user's function makes in order to fill it."""
        number = None
        if self.creations:
            leaf = Step(None, (), {}, [], value.copy(), None, *self.site())
            leaf.flows = True
            self.steps.append(leaf)
            number = len(self.steps) - 1
        return self.wrap(value, number)

    def dot_of(self, left, value):
        """Return the step that ``left.dot(x)`` is, for the latest recorded `x` that gives `value`."""
        for number in range(len(self.steps) - 1, -1, -1):
            x = self.steps[number].value
            if x.ndim and left.ndim and left.shape[-1] == x.shape[-2 if x.ndim > 1 else 0]:
                found = left.dot(x)
                if np.shape(found) == value.shape and np.array_equal(found, value):
                    return self.step(np.dot, (left, self.wrap(x, number)), {}, value)
        return None

    def note_dots(self, frame, event, function):
        """Note, as a profiler, which plain array's method `dot` is at work."""
        if event.startswith("c_") and function.__name__ == "dot":
            owner = function.__self__
            self.caller = owner if event == "c_call" and type(owner) is np.ndarray else None

    def site(self):
        """Return the name of the user's line that is at work, and what tells it from all others."""
        frame, places, name = sys._getframe(1), [], ""
        while frame is not None and frame is not self.entry:
            path = frame.f_code.co_filename
            if not path.startswith((OURS, NUMPY)):
                if not name and (not path.startswith(PACKAGE) or path.startswith(MODELS)):
                    name = f"{Path(path).name}:{frame.f_lineno}"
                    self.note_data(frame)
                places.append((frame.f_code, frame.f_lasti))
            frame = frame.f_back
        return name, tuple(places)

    def note_data(self, frame):
        """Note the plain arrays among the names that a function uses, such as a mask's random numbers.

        What is computed from them alone is no step, and what is wrong may begin there all the same.
        """
        used = {name: frame.f_globals[name] for name in frame.f_code.co_names if name in frame.f_globals}
        for name, x in (used | frame.f_locals).items():
            if id(x) not in self.data and len(self.data) < MOST_DATA and is_data(x):
                # The array is kept, so that no other one gets its address.
                self.data[id(x)] = name, x.copy(), x

    def wrap(self, value, number):
        """Return an array that stands for the step `number`, or for a constant."""
        array = np.asarray(value).view(Recorded)
        array.recording, array.number = self, number
        return array

    @contextlib.contextmanager
    def inside(self):
        """While NumPy's own functions work, arrays that they make are no business of ours."""
        before, self.busy = self.busy, True
        try:
            yield
        finally:
            self.busy = before


#: Steps whose boolean arrays are keys.
BY_KEY = {take_at, assign_at, add_at}
FLAT = {np.sign, np.floor, np.ceil, np.rint, np.trunc, np.round, np.heaviside, np.floor_divide}


class Recorded(np.ndarray):
    """An array that tells a `Recording` what is computed with it."""

    # What `dot` of a plain array gives is of the class that comes first.
    __array_priority__ = 1000.0

    def __array_finalize__(self, source):
        self.recording = getattr(source, "recording", None)
        self.number = self.origin = None
        if self.recording is not None and self.recording.caller is not None:
            # Within `X.dot` of a plain array X, which tells nobody of what it is called with.
            self.recording.strays[id(self)] = self, self.recording.caller

    def up_to_date(self):
        """Return the step that this is the value of; a view of what has changed is taken anew."""
        if self.recording.strays and id(self) in self.recording.strays:
            _, left = self.recording.strays.pop(id(self))
            self.number = self.recording.dot_of(left, plain(self))
        if self.origin is not None:
            base, function, arguments, seen = self.origin
            if base.up_to_date() != seen:
                self.number = self.recording.step(function, (base, *arguments), {}, plain(self))
                self.origin = base, function, arguments, base.up_to_date()
        return self.number

    def changed(self, number):
        """Note that the memory has changed by a step, and so that of what this is a view of."""
        self.number = number
        if self.origin is None:
            return
        base, function, arguments, _ = self.origin
        if function is take_at:
            given = assign_at, (base, *arguments, self)
        elif function is np.reshape:
            given = np.reshape, (self, base.shape)
        elif function is np.transpose and arguments == ():
            given = np.transpose, (self,)
        else:
            raise GraphError(f"diagnose: a view by {function.__name__} was changed in place")
        self.origin = None
        base.changed(self.recording.step(*given, {}, plain(base)))
        self.origin = base, function, arguments, base.number

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, where=True, **keywords):
        recording = recording_of((inputs, out or ()))
        if recording is None:
            given = {} if out is None else {"out": plain(out)}
            given |= {} if where is True else {"where": plain(where)}
            return getattr(ufunc, method)(*plain(inputs), **given, **keywords)
        if method == "reduce" and ufunc is np.logaddexp and out is None and where is True:
            return log_sum_exp(*inputs, **{"axis": 0, **keywords})
        if method == "reduce":
            function = REDUCTIONS.get(ufunc)
            keywords = {"axis": 0, **{k: v for k, v in keywords.items() if v is not None or k == "axis"}}
            if function is None or out is not None:
                with recording.inside():
                    return getattr(ufunc, method)(*plain(inputs), **keywords)
            return recorded_call(recording, function, inputs, keywords)
        if method == "accumulate" and ufunc is np.add:
            return recorded_call(recording, np.cumsum, inputs, {"axis": 0, **keywords})
        if method == "outer":
            a, b = map(np.asanyarray, inputs)
            return ufunc(a.reshape(a.shape + (1,) * b.ndim), b, **keywords)
        if method == "at" and ufunc in (np.add, np.subtract):
            value = inputs[2] if ufunc is np.add else np.negative(inputs[2])
            return change(inputs[0], add_at, plain(inputs[1]), value)
        if method != "__call__" or (where is not True and out is None):
            raise GraphError(f"diagnose: np.{ufunc.__name__}.{method} is not recorded")
        keywords = {k: v for k, v in keywords.items() if k not in ("casting", "subok", "order")}
        if out is None:
            return recorded_call(recording, ufunc, inputs, keywords)
        result = recorded_call(recording, ufunc, inputs, keywords)
        if where is not True:
            result = recorded_call(recording, np.where, (where, result, out[0]), {})
        (target,) = out
        if not isinstance(target, Recorded):
            raise GraphError("diagnose: an array that was not recorded is changed in place")
        number = result.up_to_date()
        if number is not None:
            recording.steps[number].in_place = True
        plain(target)[...] = plain(result)
        target.changed(number)
        return target

    def __array_function__(self, function, types, arguments, keywords):
        recording = recording_of((arguments, tuple(keywords.values())))
        if recording is None:
            return function(*plain(arguments), **{name: plain(x) for name, x in keywords.items()})
        if function in IN_PLACE:
            IN_PLACE[function](*arguments, **keywords)
            return None
        if function in (np.place, np.put):
            raise GraphError(f"diagnose: np.{function.__name__} is not recorded")
        if keywords.get("out") is not None:
            raise GraphError(f"diagnose: np.{function.__name__} with out= is not recorded")
        keywords = {name: x for name, x in keywords.items() if name != "out"}
        return recorded_call(recording, function, arguments, keywords)

    def __getitem__(self, key):
        if self.recording.closed:
            return plain(self)[plain(key)]
        with self.recording.inside():
            value = plain(self)[plain(key)]
        return viewed(self, take_at, (plain(key),), value)

    def __setitem__(self, key, value):
        if self.recording.closed:
            plain(self)[plain(key)] = plain(value)
            return
        self.up_to_date()
        is_mask = isinstance(key, np.ndarray) and key.dtype.kind == "b" and key.shape == self.shape
        if is_mask and np.ndim(value) == 0:
            # So it is clear that it is done element by element, and where the mask comes from.
            number = recorded_call(self.recording, np.where, (key, value, self), {}).number
            plain(self)[plain(key)] = plain(value)
            self.changed(number)
            return
        change(self, assign_at, plain(key), value)

    def __float__(self):
        self.recording.leaked.append(self.up_to_date())
        return float(plain(self))

    def item(self, *arguments):
        """Return one element, still recorded."""
        if self.recording.closed:
            return plain(self).item(*arguments)
        return self.reshape(()) if not arguments else self[tuple(arguments)]

    def fill(self, value):
        """Set all elements."""
        self[...] = value

    def reshape(self, *shape, order="C"):
        """Return the same elements in another shape."""
        shape = shape[0] if len(shape) == 1 else shape
        return np.reshape(self, shape, order=order) if order != "C" else np.reshape(self, shape)

    def flatten(self, order="C"):
        """Return a copy in one axis."""
        return np.copy(self).reshape(-1, order=order)

    def transpose(self, *axes):
        """Return the same elements with the axes in another order."""
        axes = axes[0] if len(axes) == 1 else axes
        return np.transpose(self, axes) if axes else np.transpose(self)

    @property
    def T(self):  # noqa: N802
        """The transpose."""
        return np.transpose(self)

    @property
    def mT(self):  # noqa: N802
        """The transpose of the last two axes."""
        return np.swapaxes(self, -1, -2)

    def copy(self, order="C"):
        """Return a copy."""
        if self.recording.closed:
            return plain(self).copy(order)
        return recorded_call(self.recording, same, (self,), {})

    def astype(self, dtype, **options):
        """Return a copy; floats stay what they are, so that nothing is lost."""
        if not self.recording.closed and np.dtype(dtype).kind == "f":
            made = self.recording.step(same, (self,), {}, plain(self).astype(float))
            return self.recording.wrap(plain(self).astype(float), made)
        return plain(self).astype(dtype, **options)

    def __repr__(self):
        return repr(plain(self))


def method(name):
    """Return a method that calls NumPy's function of that name."""

    def call(self, *arguments, **keywords):
        return getattr(np, name)(self, *arguments, **keywords)

    call.__name__ = name
    call.__doc__ = f"Return what ``np.{name}`` gives."
    return call


for word in METHODS:
    setattr(Recorded, word, method(word))


def is_data(x):
    """Tell whether something is an array of numbers, and not too large to look at."""
    return type(x) is np.ndarray and x.dtype.kind in "fiub" and 1 < x.size <= MOST_DATA_SIZE


def plain(x):
    """Return the arrays of recorded ones, within lists and tuples, too; all else as it is."""
    if isinstance(x, Recorded):
        return x.view(np.ndarray)
    if type(x) in (list, tuple):
        return type(x)(map(plain, x))
    return x


def recording_of(x):
    """Return the recording at work of an array among some, or None: those of others are plain by now."""
    if isinstance(x, Recorded):
        return x.recording if x.recording is not None and not x.recording.closed else None
    if isinstance(x, (list, tuple)):
        return next((found for found in map(recording_of, x) if found is not None), None)
    return None


def recorded_call(recording, function, arguments, keywords):
    """Call a function of NumPy with the arrays of its arguments, and write that down."""
    if function in SPELLED_OUT:
        found = SPELLED_OUT[function](*arguments, **keywords)
        if found is not None:
            return found
    with recording.inside():
        given = {name: plain(x) for name, x in keywords.items()}
        value = function(*plain(tuple(arguments)), **given)
    if isinstance(value, (list, tuple)):
        parts = [
            recorded_part(recording, function, arguments, keywords, *pair) for pair in enumerate(value)
        ]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    if recording.creations and function is np.sum and np.ndim(value) and value.dtype.kind in "iu":
        value = value.astype(np.float64)  # how many elements a mask lets through
    if np.asarray(value).dtype.kind not in "fb":
        return value
    if function is np.ravel and not keywords and len(arguments) == 1:
        function, arguments = np.reshape, (arguments[0], -1)
    first = arguments[0] if arguments else None
    if not keywords and isinstance(first, Recorded) and function in (np.reshape, np.transpose):
        return viewed(first, function, tuple(arguments[1:]), value)
    return recording.wrap(value, recording.step(function, arguments, keywords, value))


def set_diagonal(x, value, wrap=False):
    """Set the elements whose indices are the same along all axes."""
    x[(np.arange(min(x.shape)),) * x.ndim] = value


def set_where(x, mask, values):
    """Set the elements under a mask."""
    x[...] = np.where(mask, values, x)


def set_all(x, values, casting="same_kind", where=True):
    """Set all elements, or those under a mask."""
    x[...] = values if where is True else np.where(where, values, x)


def set_along_axis(x, indices, values, axis):
    """Set one element for each index along an axis."""
    key = list(np.ogrid[tuple(map(slice, np.shape(indices)))])
    key[axis] = indices
    x[tuple(key)] = values


#: Functions that change their first argument.
IN_PLACE = {
    np.copyto: set_all, np.fill_diagonal: set_diagonal, np.putmask: set_where,
    np.put_along_axis: set_along_axis,
}


def recorded_part(recording, function, arguments, keywords, part, value):
    """Return one of several results of a function."""
    if not isinstance(value, (np.ndarray, np.generic)) or value.dtype.kind not in "fb":
        return value
    return recording.wrap(value, recording.step(function, arguments, keywords, value, part))


def viewed(base, function, arguments, value):
    """Return what may be a view of `base`, so that changes of the one reach the other."""
    recording = base.recording
    number = recording.step(function, (base, *arguments), {}, value)
    if np.asarray(value).dtype.kind not in "fb":
        return value
    array = recording.wrap(value, number)
    if isinstance(value, np.ndarray) and np.may_share_memory(value, plain(base)):
        array.origin = base, function, arguments, base.number
    return array


def change(target, function, key, value):
    """Change a recorded array in place at `key`."""
    if not isinstance(target, Recorded):
        raise GraphError("diagnose: an array that was not recorded is changed in place")
    target.up_to_date()
    after = plain(target).copy()
    if function is add_at:
        np.add.at(after, key, plain(value))
    else:
        after[key] = plain(value)
    number = target.recording.step(function, (target, key, value), {}, after)
    plain(target)[...] = after
    target.changed(number)
