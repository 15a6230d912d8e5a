"""A function and its derivative as one thing to call, whatever they are made of."""

import contextlib
import inspect
import types

import numpy as np

from tinygrad_relu.engine import Tensor, gradients
from tinygrad_relu.errors import ArgumentError
from tinygrad_relu.gradcheck.diagnosis.recording import plain
from tinygrad_relu.gradcheck.diagnosis.taping import taped
from tinygrad_relu.gradcheck.memory import Snapshot
from tinygrad_relu.gradcheck.typesetting import some_of
from tinygrad_relu.trees import leaves, regrown

# The size from which copies of an input cost more than is done with it otherwise.
LARGE = 10_000

#: What functions return that have not begun: of ``async def``, and those that yield.
NOT_RUN = (types.CoroutineType, types.GeneratorType, types.AsyncGeneratorType)


class Passing:
    """How the inputs reach a function: by position, by name, or as one dict.

    Parameters
    ----------
    names : list of str
        Of all inputs, in order.
    keyed : bool
        Whether they were given as a dict.
    tree : list, optional
        The arguments, if dicts are among them, whose leaves are the inputs.
    """

    def __init__(self, names, keyed, tree=None):
        self.names, self.keyed, self.tree = names, keyed, tree
        self.calls = 0      # of functions of the user

    def call(self, function, values, *leading):
        """Call `function` with `leading` and then the inputs; NumPy warns of nothing meanwhile."""
        self.calls += 1
        try:
            with np.errstate(all="ignore"):
                return self.called(function, values, *leading)
        except TypeError as error:
            if self.is_misfit(function, len(leading)):
                raise ArgumentError(self.misfit(function, len(leading))) from error
            raise

    def called(self, function, values, *leading):
        """Return what `function` returns for the inputs, passed in their way."""
        if self.tree is not None:
            return function(*leading, *regrown(self.tree, values))
        if not self.keyed or is_numpy_s(function):
            return function(*leading, *values)
        named = dict(zip(self.names, values))
        if self.fits(function, len(leading)):
            return function(*leading, **named)
        return function(*leading, named)

    def is_misfit(self, function, leading):
        """Tell whether a function takes other arguments than it is given, as its signature shows."""
        given = 1 if self.keyed else len(self.names if self.tree is None else self.tree)
        try:
            inspect.signature(function).bind(*[None] * (leading + given))
        except TypeError:
            return not self.fits(function, leading)
        except ValueError:  # it shows none
            return False
        return False

    def misfit(self, function, leading):
        """Return what is wrong with a call that a function does not take, and how to write it."""
        name = getattr(function, "__name__", "the function")
        arguments = ", ".join([*["dout"][:leading], *self.names])
        by_name = ", the inputs by name or as one dict" if self.keyed else ""
        behind = (
            ": the function returns an array, so that its backward is given what arrives from behind, of "
            "the shape of the result, before the inputs" if leading else ""
        )
        return (
            f"check_gradients: {name}{inspect.signature(function)} cannot be called with ({arguments})"
            f"{by_name}{behind}"
        )

    def fits(self, function, leading=0):
        """Tell whether the signature takes the inputs, behind some others, as `call` passes them."""
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError):
            return not self.keyed
        try:
            if self.tree is not None:
                signature.bind(*[None] * (leading + len(self.tree)))
            elif self.keyed:
                signature.bind(*[None] * leading, **dict.fromkeys(self.names))
            else:
                signature.bind(*[None] * (leading + len(self.names)))
        except TypeError:
            return False
        return True


def is_numpy_s(function):
    """Tell whether a function is one of NumPy's own, whose parameters have other names than inputs."""
    return isinstance(function, np.ufunc) or str(getattr(function, "__module__", "")).startswith("numpy")


class Problem:
    """What is checked: subclasses say how values and derivatives are computed.

    Attributes
    ----------
    names : list of str
        Of the inputs that are checked.
    inputs : list of ndarray
        Their values, read-only copies.
    carried : list of (str, tuple, dtype)
        The other inputs: name, shape and dtype.
    scalar : bool
        Whether the function has one result, of one number, whose cotangent is 1.
    own_graph : bool
        Whether the derivative comes from a recorded graph.
    notes : list of str
        What was seen on the way that the user should know.
    """

    own_graph = False
    traced = taped = derivative = followed = None

    def __init__(self, function, passing, values, positions):
        self.function, self.passing = function, passing
        self.values, self.positions = values, positions
        self.names = [passing.names[k] for k in positions]
        self.inputs = [frozen(values[k]) for k in positions]
        self.carried = [
            (passing.names[k], np.shape(value), getattr(value, "dtype", type(value).__name__))
            for k, value in enumerate(values) if k not in positions
        ]
        self.scalar, self.notes = False, []
        # What the user's functions had at hand before they were first called.
        self.before = Snapshot(self.functions())

    def functions(self):
        """Return what the user has written."""
        return [self.function]

    def note(self, text):
        """Keep a remark for the report, once."""
        if text not in self.notes:
            self.notes.append(text)

    def forward(self, values):
        """Return the results at other values of the checked inputs, as a list of float64 arrays."""
        return [np.asarray(y, np.float64) for y in self.results(values)]

    def name_of_result(self, number, count):
        """Return what the report calls one of the results."""
        return "the result" if count == 1 else f"result {number}"

    def as_results(self, found):
        """Return what the function returned as a list of arrays, or raise."""
        several = isinstance(found, (tuple, list))
        found = list(found) if several else [found]
        arrays = []
        for number, y in enumerate(found):
            what = self.name_of_result(number, len(found))
            y = y.detach().numpy() if isinstance(y, Tensor) else y
            if not isinstance(y, (np.ndarray, np.generic, float)):
                raise ArgumentError(
                    f"check_gradients: {what} of the function is of type {type(y).__name__}: it has to "
                    "return a number, an array or a tensor of floating dtype, or a tuple of them"
                )
            y = np.asarray(y)
            if y.dtype.kind != "f":
                kind = "complex" if y.dtype.kind == "c" else str(y.dtype)
                raise ArgumentError(
                    f"check_gradients: {what} of the function is {kind}: only real floating results "
                    "have a gradient to check; return one, such as a real loss"
                )
            arrays.append(y)
        if not arrays:
            raise ArgumentError("check_gradients: the function returned nothing: return a result")
        return arrays


class ArrayProblem(Problem):
    """A function of NumPy arrays, and its derivative by hand.

    The two get copies, so that nothing that they do reaches the arrays of the user.  The function is
    called before its derivative each time, for those that leave intermediates behind for it.
    """

    def __init__(self, function, backward, passing, values, positions):
        self.derivative = backward
        super().__init__(function, passing, values, positions)
        self.strides = {k: x.strides for k, x in zip(positions, self.inputs)}
        self.lends = False      # large inputs as they are, once the function is known to leave them alone
        found = self.results(self.inputs, note_changes=True)
        self.scalar = len(found) == 1 and found[0].shape == ()
        self.takes_cotangents = not self.scalar or (
            not passing.fits(backward) and passing.fits(backward, 1)
        )
        self.single = len(found) == 1

    def functions(self):
        """Return what the user has written."""
        return [self.function, self.derivative]

    def arguments(self, values, lend=False):
        """Return fresh copies of all arguments, laid out as given, with other values of the checked ones.

        Large ones are lent instead, read-only, if `lend` says so.
        """
        checked = dict(zip(self.positions, values))
        fresh = []
        for k, x in enumerate(self.values):
            x = checked.get(k, x)
            if not isinstance(x, np.ndarray):
                fresh.append(x)
            elif lend and x.size > LARGE and k in checked and x.strides == self.strides[k]:
                fresh.append(x.view())
                fresh[-1].flags.writeable = False
            else:
                fresh.append(laid_out_as(self.values[k], x))
        return fresh

    def called(self, values, note_changes=False):
        """Return what the function returns at `values`."""
        if self.lends:
            try:
                return self.passing.call(self.function, self.arguments(values, lend=True))
            except ValueError as error:
                if "read-only" not in str(error):
                    raise
                self.lends = False
        passed = self.arguments(values)
        found = self.passing.call(self.function, passed)
        if note_changes:
            changed = changed_names(self.passing.names, passed, self.arguments(values))
            self.lends = not changed
            for name in changed:
                self.note(f"The function changes its input {name}; here it was given copies.")
        return found

    def results(self, values, note_changes=False):
        """Return the results at `values`, as arrays of their own: the function may use its again."""
        return [y.copy() for y in self.as_results(self.called(values, note_changes))]

    def traced(self, values):
        """Call the user's function as it is, such as with tensors."""
        full = list(self.values)
        for k, x in zip(self.positions, values):
            full[k] = x
        return self.passing.call(self.function, full)

    def taped(self, arrays):
        """Call the user's function with recorded arrays."""
        return self.traced(arrays)

    def followed(self, arrays, cotangents, rebound=lambda function: function):
        """Call the user's function, and then the derivative, with recorded arrays.

        Parameters
        ----------
        arrays, cotangents : list of ndarray
        rebound : callable, optional
            ``rebound(function)``: what to call in the place of the derivative.

        Returns
        -------
        list
            The gradients of the checked inputs.
        object
            What the function returned.
        """
        outputs = self.passing.call(self.function, self.arguments_with(arrays))
        found = self.passing.call(
            rebound(self.derivative), self.arguments_with(arrays), *self.leading(cotangents)
        )
        return self.taken_apart(found), outputs

    def arguments_with(self, arrays):
        """Return all arguments with recorded arrays among them, which are passed on as they are."""
        full = self.arguments(self.inputs)
        for k, x in zip(self.positions, arrays):
            full[k] = x
        return full

    def leading(self, cotangents):
        """Return what the derivative is given in front of the inputs."""
        if not self.takes_cotangents:
            return []
        return list(cotangents) if self.single else [tuple(cotangents)]

    def backward(self, values, cotangents):
        """Return what the derivative gives for each checked input, as it gives it."""
        return self.observed(values, cotangents)[0]

    def observed(self, values, cotangents):
        """Return what the derivative gives, and the names of what it changed that it was given."""
        self.called(values)
        passed, given = self.arguments(values), [c.copy() for c in cotangents]
        found = self.passing.call(self.derivative, passed, *self.leading(given))
        changed = changed_names(self.passing.names, passed, self.arguments(values))
        if len(changed_names(["dout"] * len(given), given, cotangents)):
            changed.append("dout")
        return self.taken_apart(found), changed

    def taken_apart(self, found):
        """Return the gradients as a list with one entry for each checked input."""
        names = self.passing.names
        if isinstance(found, NOT_RUN):
            if isinstance(found, types.CoroutineType):
                found.close()
            raise ArgumentError(
                f"check_gradients: backward returned a {type(found).__name__}, which is not run yet: "
                "return the gradients, by a plain function"
            )
        if isinstance(found, dict):
            found = dict(zip(*leaf_names(found)))
            unknown = [key for key in found if all(key not in names_of_gradient(name) for name in names)]
            if unknown:
                self.note(
                    f"What backward returned for {some_of([repr(key) for key in unknown])} was not "
                    f"looked at: no input has that name (inputs: {some_of(names)})."
                )
            return [of_name(found, name) for name in self.names]
        if self.passing.tree is not None and isinstance(found, (tuple, list)):
            found = [leaf for _, leaf in leaves(found)]
        if isinstance(found, (tuple, list)) and not is_nested_number(found, self.inputs):
            if len(found) == len(names):
                return [found[k] for k in self.positions]
            if len(found) == len(self.names):
                return list(found)
            raise ArgumentError(
                f"check_gradients: backward returned {len(found)} gradients, and there are "
                f"{len(names)} inputs ({', '.join(names)}): return one for each, in order, or a dict"
            )
        if len(self.names) == 1:
            return [found]
        raise ArgumentError(
            f"check_gradients: backward returned a {type(found).__name__}, and there are "
            f"{len(self.names)} inputs to check ({', '.join(self.names)}): return a tuple or a dict "
            "with the gradient of each, or name with wrt= the one that it is of"
        )


class LossAndGradient(ArrayProblem):
    """A function of arrays that returns its value and its gradients together."""

    def __init__(self, function, passing, values, positions):
        super().__init__(function, function, passing, values, positions)
        self.takes_cotangents = False

    def results(self, values, note_changes=False):
        """Return the value at `values`."""
        found = self.called(values, note_changes)
        if not isinstance(found, (tuple, list)) or len(found) < 2:
            raise ArgumentError(
                f"check_gradients: the function returned a {type(found).__name__}: with "
                "returns_gradients=True it has to return a pair, the loss and its gradients"
            )
        loss = [y.copy() for y in self.as_results(found[0])]
        if len(loss) != 1 or loss[0].shape != ():
            raise ArgumentError(
                "check_gradients: a function that returns its gradients, too, has to return one "
                "number as the first of the pair"
            )
        return loss

    def traced(self, values):
        """Call the user's function as it is, such as with tensors, for its value."""
        return super().traced(values)[0]

    def followed(self, arrays, cotangents, rebound=lambda function: function):
        """Call the user's function with recorded arrays; return the gradients and the value."""
        found = self.passing.call(rebound(self.function), self.arguments_with(arrays))
        return self.taken_apart(found), found[0]

    def taken_apart(self, found):
        """Return the gradients as a list with one entry for each checked input."""
        return super().taken_apart(beside_the_loss(found[1:]))


class TensorProblem(Problem):
    """A function of tensors, and the derivative that its graph gives.

    Inputs are changed where they lie, so that the function may reach them by another way, as a module
    reaches its parameters; after each call they are bit for bit what they were.
    """

    own_graph = True

    def __init__(self, function, passing, values, positions):
        super().__init__(function, passing, values, positions)
        self.tensors = [values[k] for k in positions]
        self.memory = [x.detach().numpy() for x in self.tensors]
        found = self.results(self.inputs)
        self.scalar = len(found) == 1 and found[0].shape == ()

    @contextlib.contextmanager
    def placed(self, values):
        """Let the inputs have other values for a while."""
        moved = [k for k, x in enumerate(values) if x is not self.inputs[k]]
        try:
            for k in moved:
                self.memory[k][...] = values[k]
            yield
        finally:
            for k, x in enumerate(self.inputs):
                if k in moved or not same_bits(self.memory[k], x):
                    self.memory[k][...] = x

    def called(self):
        """Return the tensors that the function returns, or raise."""
        found = self.passing.call(self.function, self.values)
        outputs = list(found) if isinstance(found, (tuple, list)) else [found]
        for number, y in enumerate(outputs):
            if not isinstance(y, Tensor):
                raise ArgumentError(
                    f"check_gradients: {self.name_of_result(number, len(outputs))} of the function is "
                    f"of type {type(y).__name__}: it has to return tensors, so that there is a recorded "
                    "gradient to check, or pass the gradient by hand as backward="
                )
        return outputs

    def results(self, values):
        """Return the results at `values`, as arrays of their own."""
        with self.placed(values):
            return [y.copy() for y in self.as_results(self.called())]

    def traced(self, values):
        """Call the user's function as it is, with other tensors."""
        full = list(self.values)
        for k, x in zip(self.positions, values):
            full[k] = x
        return self.passing.call(self.function, full)

    def taped(self, arrays):
        """Call the user's function with recorded arrays in the place of its tensors."""
        with self.placed([plain(x) for x in arrays]):
            return taped(self.called, self.tensors, arrays)

    def backward(self, values, cotangents):
        """Return what the graph gives for each checked input; zeros where nothing arrives."""
        with self.placed(values):
            pairs = [(y, c) for y, c in zip(self.called(), cotangents) if y.requires_grad]
            found = [None] * len(self.tensors)
            if pairs:
                outputs, weights = zip(*pairs)
                weights = [Tensor(np.asarray(c, y.dtype)) for y, c in pairs]
                found = gradients(list(outputs), self.tensors, weights, False, False)
            return [
                np.zeros(x.shape, x.dtype) if part is None else part.detach().numpy().copy()
                for x, part in zip(self.inputs, found)
            ]

    def observed(self, values, cotangents):
        """Return the gradients, and the names of what computing them changed: the engine sees to it."""
        return self.backward(values, cotangents), []


def frozen(value):
    """Return a read-only copy of an array or a tensor."""
    copy = np.array(value.detach().numpy() if isinstance(value, Tensor) else value)
    copy.flags.writeable = False
    return copy


def laid_out_as(pattern, x):
    """Return a copy of an array with its axes in the order in memory that those of another one have."""
    copy = np.empty_like(pattern, x.dtype, subok=False)
    copy[...] = x
    return copy


def same_bits(one, other):
    """Tell whether two arrays of one shape and dtype are the same bit for bit, NaN included."""
    return one.shape == other.shape and one.dtype == other.dtype and one.tobytes() == other.tobytes()


def changed_names(names, passed, originals):
    """Return the names of those arrays that are not what they were."""
    return [
        name for name, new, old in zip(names, passed, originals)
        if isinstance(old, np.ndarray) and not same_bits(new, old)
    ]


def leaf_names(tree):
    """Return the names of the leaves of a tree, ``layer.W`` for what is in a dict in a dict, and them."""
    pairs = leaves(tree)
    inner = [path.removeprefix("[").removesuffix("]").replace("].", "][") for path, _ in pairs]
    full = [".".join(part.strip("'") for part in path.split("][")) for path in inner]
    # Positions of arguments say nothing where the rest of a name is enough.
    short = [name.partition(".")[2] if name[:1].isdecimal() and "." in name else name for name in full]
    short = [f"input {name}" if name.isdecimal() else name for name in short]
    return (short if len(set(short)) == len(short) else full), [leaf for _, leaf in pairs]


def beside_the_loss(rest):
    """Return the gradients that stand behind a loss, such as both of ``(loss, dw, db)``, as one."""
    return rest[0] if len(rest) == 1 else tuple(rest)


def of_name(found, name):
    """Return the gradient of an input from a dict, under one of the names that people give it."""
    return next((found[key] for key in names_of_gradient(name) if key in found), None)


def names_of_gradient(name):
    """Return what people call the gradient of an input."""
    return name, f"d{name}", f"grad_{name}", f"{name}_grad", f"g{name}"


def is_nested_number(found, inputs):
    """Tell whether a list is the gradient of the only input, written as numbers."""
    numbers = all(isinstance(x, (float, int, list)) for x in found)
    if len(inputs) != 1 or not inputs[0].ndim or not numbers:
        return False
    try:
        return np.shape(found) == inputs[0].shape
    except ValueError as error:
        if len(found) == 1:
            return False  # a row of one gradient, whatever that is
        raise ArgumentError(
            "check_gradients: backward returned rows of several lengths: return an array of the shape "
            f"of the input, {inputs[0].shape}"
        ) from error
