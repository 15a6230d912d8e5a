"""How course exercises write a function and its gradient, brought to the form of `check_gradients`.

Beside ``backward(dout, *inputs)`` three forms are known: a backward that takes what the forward returns
beside its result, a slope for each element of the only input, and either of these, or a gradient, of the
result instead of the input.  Which one it is shows when the forward is called once.
"""

import ast
import functools
import inspect
import textwrap
from dataclasses import dataclass, replace

import numpy as np

from tinygrad_relu.gradcheck.arguments import is_floating, names_of_parameters, passing_of
from tinygrad_relu.gradcheck.problem import beside_the_loss, of_name

# How names of cotangents begin, and those of inputs.
COTANGENTS = ("d", "grad", "upstream")
INPUTS = ("x", "z", "in", "pre")


@dataclass
class Exercise:
    """A function and its gradient as `check_gradients` takes them.

    Attributes
    ----------
    forward : callable
    backward : callable or None
        None where `forward` returns its gradients, too.
    inputs : sequence or dict
    wrt : list of str or None
        Of which inputs there are gradients, if not of all.
    remarks : tuple of str
        How the file was read, where that is not plain.
    """

    forward: object
    backward: object
    inputs: object
    wrt: list = None
    remarks: tuple = ()


def brought_to_form(forward, backward, inputs):
    """Return a function and its backward as an `Exercise`.

    Parameters
    ----------
    forward, backward : callable
    inputs : sequence or dict

    Examples
    --------
    >>> import numpy as np
    >>> def square_forward(x):
    ...     return x * x, (x,)
    >>> def square_backward(dout, kept):
    ...     return 2 * dout * kept[0]
    >>> found = brought_to_form(square_forward, square_backward, [np.ones(2)])
    >>> found.forward(np.ones(2)), found.backward(np.ones(2), np.ones(2))
    (array([1., 1.]), array([2., 2.]))
    """
    inputs = in_order_of_parameters(forward, inputs)
    pair = Pair(forward, backward, *passing_of(forward, inputs))
    if pair.beside and pair.takes_what_is_beside():
        exercise = Exercise(pair.first(), pair.with_what_is_beside(), inputs)
    else:
        if pair.beside and not pair.has_several_results():
            pair = Pair(pair.first(), backward, *passing_of(forward, inputs))
        exercise = pair.of_the_inputs(inputs)
    exercise = pair.with_names(exercise)
    for made in (exercise.forward, exercise.backward):
        # By way of a `Pair`, nobody who looks for what the user's functions keep would come to them.
        if made not in (forward, backward):
            made.made_of = [forward, backward]
    return exercise


def together(function, inputs):
    """Return a function that returns its loss and its gradients as an `Exercise`."""
    inputs = in_order_of_parameters(function, inputs)
    passing, values = passing_of(function, inputs)
    found = passing.call(function, copies(values))
    several = isinstance(found, (tuple, list)) and len(found) > 1
    gradients = beside_the_loss(found[1:]) if several else None
    names, remarks = names_of(function, passing, values, gradients)
    return Exercise(function, None, inputs, names, remarks)


def returns_gradients(function):
    """Tell from the text of a function whether it returns something, and behind it its own gradients.

    It has an input that has to be given, and names what it returns second ``dW`` for a parameter ``W``,
    ``grads`` or the like, or makes it by calling a function that is called so.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return False
    own = list(inspect.signature(function).parameters)
    if not parameters_of(function):
        return False

    def of_gradients(expression):
        names = [node.id for node in ast.walk(expression) if isinstance(node, ast.Name)]
        return any(
            name in [f"d{one}" for one in own] + [f"d_{one}" for one in own]
            or any(word in name.lower() for word in ("grad", "backward"))
            for name in names if name not in own
        )

    pairs = [
        node.value.elts for node in ast.walk(tree)
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple) and len(node.value.elts) > 1
    ]
    return any(not of_gradients(first) and all(map(of_gradients, rest)) for first, *rest in pairs)


def in_order_of_parameters(function, inputs):
    """Return a dict of inputs in the order in which a function takes them, as it returns gradients."""
    names = list(inspect.signature(function).parameters)
    if not isinstance(inputs, dict) or not set(inputs) <= set(names):
        return inputs
    return {name: inputs[name] for name in names if name in inputs}


def parameters_of(function):
    """Return the names of the parameters of a function that have to be given."""
    return [
        name for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]


class Pair:
    """A forward and a backward of the user, and what the forward returns at the inputs.

    Attributes
    ----------
    result : object
        What the forward returns, or the first of it.
    beside : list
        The rest.
    """

    def __init__(self, forward, backward, passing, values):
        self.forward, self.backward = forward, backward
        self.passing, self.values = passing, values
        self.own, self.taken = list(inspect.signature(forward).parameters), parameters_of(backward)
        self.by_keyword = passing.keyed and passing.fits(forward)
        found = passing.call(forward, copies(values))
        several = isinstance(found, (tuple, list)) and len(found) > 1 and is_result(found[0])
        self.result, self.beside = (found[0], list(found[1:])) if several else (found, [])

    @property
    def scalar(self):
        """bool: Whether the result is one number."""
        return np.shape(self.result) == ()

    def takes_what_is_beside(self):
        """Tell whether the backward takes what the forward returns beside its result, behind dout."""
        leading = len(self.taken) - len(self.beside)
        if leading != 1 and not (leading == 0 and self.scalar):
            return False
        behind = self.taken[leading:]
        if not all(name in self.own for name in behind):
            return True
        return all(self.choice(k) is None for k in (0, 1))

    def has_several_results(self):
        """Tell whether all that the forward returns are results, which backward has cotangents for."""
        if not all(is_result(part) for part in self.beside):
            return False
        known = [*self.values, self.result]
        if all(any(np.array_equal(part, one) for one in known) for part in self.beside):
            return False        # kept for the backward
        draws = tuple(np.ones_like(part) for part in (self.result, *self.beside))
        return self.accepts(draws) or not self.accepts(draws[0])

    def accepts(self, dout):
        """Tell whether the backward takes `dout` and gives gradients of the shapes of inputs."""
        try:
            found = self.passing.call(self.backward, copies(self.values), dout)
        except Exception:
            return False
        parts = found.values() if isinstance(found, dict) else found
        parts = [found] if isinstance(found, np.ndarray) else list(parts)
        shapes = [np.shape(value) for value in self.values]
        return all(np.shape(part) in shapes for part in parts)

    def first(self):
        """Return a function that gives the first of what the forward returns."""
        forward = self.forward

        @functools.wraps(forward)
        def result(*inputs, **named):
            return forward(*inputs, **named)[0]

        return result

    def with_what_is_beside(self):
        """Return a backward of the inputs, which calls the forward for what the user's one takes."""
        forward, backward = self.forward, self.backward
        leading = len(self.taken) - len(self.beside)

        def gradients(*given, **named):
            return backward(*given[:leading], *forward(*given[leading:], **named)[1:])

        return self.signed(gradients, leading)

    def of_the_inputs(self, inputs):
        """Return the exercise of a backward that takes the inputs, or the result of the only one."""
        slopes = self.gives_slopes()
        leading = 0 if slopes or (self.scalar and self.choice(0) is not None) else 1
        choice = self.choice(leading)
        if choice is None:
            return Exercise(self.forward, self.backward, inputs)
        gradients = self.with_arguments(choice, leading, slopes, of_result=False)
        if self.may_take_the_result(leading):
            other = self.with_arguments(choice, leading, slopes, of_result=True)
            if self.distance(other) < 0.5 * self.distance(gradients):
                remark = (
                    f"{self.backward.__name__} was given the result of {self.forward.__name__} as "
                    f"{self.taken[leading]}, and not its input."
                )
                return Exercise(self.forward, other, inputs, remarks=(remark,))
        as_it_is = self.passing.fits(self.backward, leading) and not slopes
        return Exercise(self.forward, self.backward if as_it_is else gradients, inputs)

    def gives_slopes(self):
        """Tell whether the backward takes the only input, without dout, of a function of its elements."""
        if self.scalar or self.beside or len(self.taken) != 1 or self.only_input() is None:
            return False
        name = self.taken[0]
        return np.shape(self.result) == self.only_input().shape and (
            name in self.own or not name.startswith(COTANGENTS)
        )

    def only_input(self):
        """Return the value of the only input that has to be given, if it is an array, else None."""
        value = self.values[0]
        alone = len(self.values) == 1 or len(parameters_of(self.forward)) == 1
        return value if alone and is_floating(value) and isinstance(value, np.ndarray) else None

    def may_take_the_result(self, leading):
        """Tell whether the backward may be written in terms of the result of the only input."""
        x = self.only_input()
        return (
            x is not None and not self.scalar and not self.beside and np.shape(self.result) == x.shape
            and len(self.taken) == leading + 1 and self.taken[leading] not in self.own
            and not self.taken[leading].lower().startswith(INPUTS)
        )

    def choice(self, leading):
        """Return which of the inputs the backward takes behind so many others, or None if that fails.

        Returns
        -------
        callable or None
            Makes of the inputs, by position and by keyword, those that are handed to the backward.
        """
        behind = self.taken[leading:]
        parameters = inspect.signature(self.backward).parameters
        takes_any = any(one.kind == one.VAR_POSITIONAL for one in parameters.values())
        if any(name in self.own for name in self.taken[:leading]):
            return None
        if len(self.taken) < leading and not takes_any:
            return None
        names, needed = self.passing.names, parameters_of(self.forward)
        if not self.by_keyword:
            counts = [count for count in (len(names), len(needed)) if count == len(behind)]
            return (lambda given, named: (given[:counts[0]], {})) if counts else None
        known = list(parameters)[leading:]
        shared = [name for name in names if name in known]
        if shared and set(behind) <= set(shared):
            return lambda given, named: ((), {name: named[name] for name in shared})
        in_order = [name for name in self.own if name in names]
        for chosen in (in_order, [name for name in in_order if name in needed]):
            if len(chosen) == len(behind) or takes_any:
                return lambda given, named: ([named[name] for name in chosen], {})
        return None

    def with_arguments(self, choice, leading, slopes, of_result):
        """Return a backward ``(dout, inputs)``, or of the inputs alone, that calls the user's one."""
        forward, backward = self.forward, self.backward

        def called(front, given, named):
            chosen, by_name = choice(given, named)
            if of_result:
                chosen = [forward(*given, **named), *chosen[1:]]
            return backward(*front, *chosen, **by_name)

        if slopes:
            return self.signed(lambda dout, *given, **named: dout * called((), given, named), 1)
        return self.signed(
            lambda *given, **named: called(given[:leading], given[leading:], named), leading
        )

    def signed(self, gradients, leading):
        """Give a backward the signature of what it takes: so many cotangents, and then the inputs."""
        kinds = inspect.Parameter
        front = [kinds(f"dout{k}", kinds.POSITIONAL_ONLY) for k in range(leading)]
        if self.by_keyword:
            rest = [kinds(name, kinds.KEYWORD_ONLY) for name in self.passing.names]
        else:
            tree = self.passing.tree
            count = len(tree) if tree is not None else 1 if self.passing.keyed else len(self.values)
            rest = [kinds(f"input{k}", kinds.POSITIONAL_ONLY) for k in range(count)]
        gradients.__signature__ = inspect.Signature([*front, *rest])
        return gradients

    def distance(self, gradients):
        """Return how far a backward is from a difference along a random direction of the only input."""
        rng = np.random.default_rng(0)
        x, rest = self.only_input(), copies(self.values)[1:]
        dout, along = rng.uniform(0.5, 1.5, x.shape), rng.standard_normal(x.shape)
        step = 1e-3 if x.dtype.itemsize < 8 else 1e-6
        try:
            found = self.passing.call(gradients, copies(self.values), dout)
            above, below = (
                self.passing.call(self.forward, [(x + side * along).astype(x.dtype), *rest])
                for side in (step, -step)
            )
            off = abs((dout * (above - below)).sum() / (2 * step) - (found * along).sum())
        except Exception:       # a reading under which the user's code fails is the wrong one
            return np.inf
        return off if np.isfinite(off) else np.inf

    def with_names(self, exercise):
        """Return an exercise with the names of those inputs that its backward gives gradients of."""
        alone = self.scalar and self.passing.fits(exercise.backward)
        dout = [] if alone else [np.ones_like(self.result)]
        try:
            found = self.passing.call(exercise.backward, copies(self.values), *dout)
        except Exception:       # check_gradients says what is wrong
            return exercise
        names, remarks = names_of(self.forward, self.passing, self.values, found)
        return replace(exercise, wrt=names, remarks=exercise.remarks + remarks)


def names_of(function, passing, values, gradients):
    """Return the names of the inputs that there are gradients of, and a tuple of remarks.

    None stands for all inputs, and for doubt.
    """
    if passing.tree is not None or gradients is None:
        return None, ()
    names = passing.names
    if not passing.keyed:
        names = names_of_parameters(function, len(values)) or names
    floating = [k for k, x in enumerate(values) if is_floating(x) or isinstance(x, float)]
    given = parameters_of(function)
    needed = [k for k in floating if names[k] in given or isinstance(values[k], np.ndarray)]
    if isinstance(gradients, dict):
        found = [k for k in floating if of_name(gradients, names[k]) is not None]
    else:
        parts = list(gradients) if isinstance(gradients, (tuple, list)) else [gradients]
        found = those_of(parts, values, floating, needed)
    if not found or found == floating:
        return None, ()
    of_these = [names[k] for k in found]
    if found == needed:
        return of_these, ()
    return of_these, (
        f"There are fewer gradients than inputs, {len(found)} for {len(floating)}: taken for those of "
        f"{', '.join(of_these)}.",
    )


def those_of(parts, values, floating, needed):
    """Return the positions of the inputs that so many gradients are of, or none if there is doubt.

    They are all, or all that are no numbers with a default, or, if shapes do not contradict, the first.
    """
    if len(parts) in (len(values), len(floating)):
        return floating
    if len(parts) == len(needed):
        return needed
    first = floating[:len(parts)]
    return first if [np.shape(part) for part in parts] == [np.shape(values[k]) for k in first] else []


def is_result(found):
    """Tell whether a function that returns this may have it as a result with a gradient."""
    return isinstance(found, (float, np.ndarray, np.floating)) and np.asarray(found).dtype.kind == "f"


def copies(values):
    """Return values with arrays of their own."""
    return [value.copy() if isinstance(value, np.ndarray) else value for value in values]
