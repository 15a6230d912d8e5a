"""`recorded`: call a plain NumPy function, and write down what it computes.

A function that makes an array and fills it asks nobody, so for the time of the call, and in its thread
only, ``np.zeros`` and its like give recorded arrays, too.
"""

import contextlib
import sys
import threading

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.recording import (
    Recorded,
    Recording,
    plain,
    recorded_call,
    recording_of,
)
from tinygrad_relu.gradcheck.diagnosis.step import Step, same

CREATION = [
    "zeros", "ones", "empty", "full", "zeros_like", "ones_like", "empty_like", "full_like", "eye",
    "identity", "tri",
]
CONVERSION = ["array", "asarray", "asanyarray", "ascontiguousarray", "copy"]
#: What is made a copy of is often made to be changed.
COPYING = {"copy"}


@contextlib.contextmanager
def creation_recorded(recording):
    """Let ``np.zeros`` and its like give recorded arrays, in this thread, so that they can be filled."""

    def made(original):
        def create(*arguments, **keywords):
            if recording.busy or threading.get_ident() != recording.thread:
                return original(*arguments, **keywords)
            with recording.inside():
                value = original(*plain(arguments), **keywords)
            return recording.created(value) if value.dtype.kind == "f" else value

        return create

    def converted(original):
        def convert(x, *arguments, **keywords):
            if recording.busy or threading.get_ident() != recording.thread:
                return original(x, *arguments, **keywords)
            if recording_of(x) is None:
                value = original(x, *arguments, **keywords)
                copied = isinstance(x, np.ndarray) and original.__name__ in COPYING
                return recording.created(value) if copied and value.dtype.kind == "f" else value
            return array_of(x)

        return convert

    def array_of(x):
        if isinstance(x, Recorded):
            return recorded_call(recording, same, (x,), {})
        return np.stack([array_of(part) for part in x]) if isinstance(x, (list, tuple)) else np.float64(x)

    originals = {name: getattr(np, name) for name in CREATION + CONVERSION}
    strided = np.lib.stride_tricks.as_strided

    def as_strided(x, *arguments, **keywords):
        if isinstance(x, Recorded):
            return recorded_call(recording, strided, (x, *arguments), keywords)
        return strided(x, *arguments, **keywords)

    try:
        for name, original in originals.items():
            setattr(np, name, (made if name in CREATION else converted)(original))
        np.lib.stride_tricks.as_strided = as_strided
        yield
    finally:
        for name, original in originals.items():
            setattr(np, name, original)
        np.lib.stride_tricks.as_strided = strided


#: Two threads must not exchange NumPy's functions at once: the first would put back too much.
one_at_a_time = threading.RLock()


def recorded(function, inputs, creations=False):
    """Call ``function(inputs)`` and return the recording, the numbers of inputs and of outputs.

    Parameters
    ----------
    function : callable
    inputs : list of ndarray
    creations : bool
        Whether arrays that the function makes, by ``np.zeros`` and its like, are steps, too, so that what
        is done with them is recorded before anything that depends on the inputs is put in.

    Returns
    -------
    steps : list of Step
        Those of the inputs come first.
    outputs : list of int or None
        The step of each output; None where it does not depend on the inputs, as far as can be seen.
    data : list of (str, ndarray)
        Plain arrays that the function had at hand, and what it calls them.
    """
    recording = Recording(creations)
    arrays = []
    for x in inputs:
        leaf = Step(None, (), {}, [], np.array(x, np.float64), None, "", ())
        leaf.flows = True
        recording.steps.append(leaf)
        arrays.append(recording.wrap(leaf.value.copy(order="K"), len(recording.steps) - 1))
    recording.entry = sys._getframe()
    profiler = sys.getprofile()
    with one_at_a_time, creation_recorded(recording), np.errstate(all="ignore"):
        if profiler is None:
            sys.setprofile(recording.note_dots)
        try:
            found = function(arrays)
        except BaseException:
            recording.closed = True
            raise
        finally:
            if profiler is None:
                sys.setprofile(None)
    found = list(found.values()) if isinstance(found, dict) else found
    found = list(found) if isinstance(found, (list, tuple)) else [found]
    outputs = [output_number(recording, y) for y in found]
    recording.closed = True
    return recording.steps, outputs, [(name, x) for name, x, _ in recording.data.values()]


def output_number(recording, y):
    """Return the step of an output; a plain number is found among those that ``float()`` gave away."""
    if isinstance(y, Recorded):
        return y.up_to_date()
    if isinstance(y, (float, np.floating)):
        for number in reversed(recording.leaked):
            if number is not None and float(recording.steps[number].value) == float(y):
                return number
    return None
