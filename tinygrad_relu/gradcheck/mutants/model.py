"""`Model`, `Mutant` and `Exercise`: a function and its backward by hand, and ways to write it wrong."""

import functools
import inspect
import linecache
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tinygrad_relu.errors import DeclarationError
from tinygrad_relu.gradcheck.diagnosis.labels import Label

# What is wrong with how backward behaves, and not with what one call of it returns.
OF_BEHAVIOUR = {Label.STALE_BUFFER, Label.INPUTS_CHANGED, Label.ACCUMULATED_TWICE}


@dataclass(frozen=True)
class Exercise:
    """A function, its backward and a point: what a checker is given.

    Attributes
    ----------
    model, name : str
        Of which model, and what is wrong, or for a correct one at which point.
    inputs : dict of str to ndarray
        What is differentiated; `forward` and `backward` take them by position, in this order.
    forward : callable
        ``forward(*inputs)``.
    backward : callable
        ``backward(*inputs)`` where the result is a number, else ``backward(dout, *inputs)``; returns a
        tuple of gradients.
    is_scalar : bool
    wrong : tuple of str
        Whose gradient is wrong; empty if all are right.
    labels : tuple of Label
        What is wrong, first in the word that fits best.
    """

    model: str
    name: str
    inputs: dict
    forward: Callable
    backward: Callable
    is_scalar: bool
    wrong: tuple = ()
    labels: tuple = ()

    @property
    def title(self):
        """str: Model and name."""
        return f"{self.model}: {self.name}"


@dataclass(frozen=True)
class Mutant:
    """A backward that is wrong in one way.

    Attributes
    ----------
    model : Model
    name : str
        One sentence of what is wrong.
    edits : tuple of (str, str)
        What stands in the source of the correct backward, exactly once, and what takes its place.
    wrong : tuple of str
        The inputs whose gradient is wrong, in some call; those that backward changes, and all of them if
        it changes `dout`.
    label : Label
    also : tuple of Label
        Words that are as true, because both mistakes give the same numbers.
    at : str
        The point of the model where it shows.
    """

    model: "Model"
    name: str
    edits: tuple
    wrong: tuple
    label: Label
    also: tuple = ()
    at: str = "usual"

    @functools.cached_property
    def source(self):
        """str: The source of the wrong backward."""
        source = self.model.source
        for old, new in self.edits:
            if source.count(old) != 1:
                raise DeclarationError(
                    f"mutant {self.name!r} of {self.model.name}: {old!r} stands {source.count(old)} "
                    "times in the source of the backward: quote what stands there once"
                )
            source = source.replace(old, new)
        return source

    def exercise(self, seed=0):
        """Return the wrong backward at a point, with a memory of its own."""
        wrong = compiled(self.model.backward, self.source, self.name)
        return self.model.exercise_with(
            wrong, self.name, seed, self.at, self.wrong, (self.label, *self.also)
        )


@dataclass(frozen=True)
class Model:
    """A function in plain NumPy, its correct backward, and points to check it at.

    Attributes
    ----------
    forward, backward : callable
        As somebody would write them: they take what is differentiated, then the data; `backward` takes
        `dout` first unless the result is a number.  ``forward`` None stands for a
        ``backward(params, *data)`` that returns loss and gradients, both dicts.
    points : dict of str to callable
        ``points[name](rng)`` draws the inputs.  At "usual" no kink is near.
    data : dict of str to callable
        The same for what is not differentiated; by default that of "usual".
    """

    forward: Callable | None
    backward: Callable
    points: dict
    data: dict = field(default_factory=dict)
    mutants: list = field(default_factory=list)

    @property
    def name(self):
        """str: As in ``two-layer net``."""
        return (self.forward or self.backward).__name__.replace("_", " ")

    @functools.cached_property
    def source(self):
        """str: The source of the correct backward."""
        return inspect.getsource(self.backward)

    def mutant(self, wrong, label, name, *edits, also=(), at="usual"):
        """Add a wrong backward: `edits` are pairs of what stands there and what takes its place."""
        made = Mutant(self, name, edits, tuple(wrong.split()), label, tuple(also), at)
        if at not in self.points or set(made.wrong) - set(self.points[at](np.random.default_rng(0))):
            raise DeclarationError(
                f"mutant {name!r} of {self.name}: no point {at!r} has inputs {wrong!r}: name one that has"
            )
        self.mutants.append(made)

    def exercise(self, at="usual", dtype=np.float64, seed=0):
        """Return the correct backward at a point."""
        name = f"{at}, {np.dtype(dtype)}"
        return self.exercise_with(self.backward, name, seed, at, dtype=dtype)

    def exercise_with(self, backward, name, seed, at, wrong=(), labels=(), dtype=np.float64):
        """Return an exercise with `backward`, the data bound to both functions."""
        rng = np.random.default_rng(seed)
        inputs = of_dtype(self.points[at](rng), dtype)
        draw = self.data.get(at, self.data.get("usual"))
        data = of_dtype(draw(rng), dtype) if draw else {}
        if self.forward is None:
            # The backward of one who returns both is checked where it returns the gradients.
            names = list(inputs)
            forward = lambda *values: self.backward(dict(zip(names, values)), **data)[0]
            back = lambda *values: unpacked(backward(dict(zip(names, values)), **data)[1], names)
        else:
            forward = functools.partial(self.forward, **data)
            back = functools.partial(backward, **data)
        is_scalar = np.ndim(forward(*inputs.values())) == 0
        return Exercise(self.name, name, inputs, forward, back, is_scalar, wrong, labels)


def unpacked(gradients, names):
    """Return gradients in the order of `names`; None for one that is not there."""
    return tuple(gradients.get(name) for name in names)


def of_dtype(values, dtype):
    """Return arrays with those of floats in `dtype`; floats stay weak, as Python has them."""
    return {
        name: value.astype(dtype) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value
        for name, value in values.items()
    }


def compiled(function, source, title):
    """Return `function` with another source, which tracebacks show at the lines of the true one.

    What it calls `state` is a dict of its own, for those who keep something from call to call.
    """
    first = function.__code__.co_firstlineno
    padded = "\n" * (first - 1) + source
    file = f"{function.__code__.co_filename} ({title})"
    # Without a time of change, so that nobody looks for it on disk.
    linecache.cache[file] = (len(padded), None, padded.splitlines(keepends=True), file)
    namespace = dict(function.__globals__, state={})
    exec(compile(padded, file, "exec"), namespace)
    return namespace[function.__name__]
