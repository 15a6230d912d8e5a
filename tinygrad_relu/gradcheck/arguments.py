"""What a user passes to `check_gradients`, made a problem to check."""

import inspect
from collections.abc import Iterable

import numpy as np

from tinygrad_relu.custom import Function
from tinygrad_relu.engine import Tensor
from tinygrad_relu.errors import ArgumentError, GraphError, TensorError
from tinygrad_relu.gradcheck.memory import Snapshot, undone
from tinygrad_relu.gradcheck.problem import (
    ArrayProblem,
    LossAndGradient,
    Passing,
    TensorProblem,
    beside_the_loss,
    leaf_names,
    of_name,
)
from tinygrad_relu.trees import leaves

# What functions of arrays raise when they are given tensors.
NOT_FOR_TENSORS = (TypeError, ValueError, AttributeError)


def problem_of(f, inputs, backward=None, *, names=None, wrt=None, returns_gradients=None):
    """Return the problem that the arguments of `check_gradients` pose, or raise.

    Parameters
    ----------
    f, inputs, backward, names, wrt, returns_gradients
        As for `check_gradients`.
    """
    if not callable(f):
        raise ArgumentError(f"check_gradients: f is of type {type(f).__name__}: pass a function")
    if backward is not None and not callable(backward):
        raise ArgumentError(
            f"check_gradients: backward is of type {type(backward).__name__}: pass a function, which "
            "returns the gradients"
        )
    passing, values = passing_of(f, inputs)
    labels, keyed, tree = passing.names, passing.keyed, passing.tree
    if tree is not None and wrt is None:
        inside = [k for k, value in enumerate(tree) if isinstance(value, dict)]
        inside = inside or [k for k, value in enumerate(tree) if isinstance(value, (list, tuple))]
        starts = tuple(f"[{k}]{mark}" for k in inside for mark in "[.")
        wrt = [
            name for name, (path, value) in zip(labels, leaves(tree))
            if path.startswith(starts) and (is_floating(value) or isinstance(value, float))
        ]
    if names is not None:
        passing.names = given_names(names, len(labels), keyed)
    elif not keyed and tree is None:
        passing.names = names_of_parameters(f, len(values)) or labels
    refuse_other_arrays(passing.names, values)
    if backward is not None or returns_gradients:
        values = [x.detach().numpy() if isinstance(x, Tensor) else x for x in values]
        values = [np.asarray(x) if isinstance(x, (float, np.generic)) else x for x in values]
        positions = chosen(values, passing.names, wrt)
        if returns_gradients:
            return LossAndGradient(f, passing, values, positions)
        return ArrayProblem(f, backward, passing, values, positions)
    return recorded_problem(f, passing, values, wrt, returns_gradients)


def passing_of(f, inputs):
    """Return how the inputs reach a function, and their values as a list."""
    tree = tree_of(inputs)
    labels, values, keyed = listed(f, inputs) if tree is None else (*leaf_names(tree), False)
    return Passing(labels, keyed, tree), values


def given_names(names, count, keyed):
    """Return the names that the user gives to inputs as a list, or raise."""
    names = list(names) if isinstance(names, Iterable) and not isinstance(names, str) else [names]
    if len(names) != count or not all(isinstance(name, str) for name in names):
        raise ArgumentError(
            f"check_gradients: names is {names}, {len(names)} entries for {count} inputs: give one "
            "string for each"
        )
    if keyed:
        raise ArgumentError("check_gradients: the keys of inputs are the names: leave names out")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ArgumentError(
            f"check_gradients: names has {twice!r} twice: give each input a name of its own"
        )
    return names


def refuse_other_arrays(names, values):
    """Raise for an array that is more than its numbers, such as a masked one: that would be lost."""
    for name, value in zip(names, values):
        if isinstance(value, np.ndarray) and type(value) not in (np.ndarray, np.memmap):
            raise ArgumentError(
                f"check_gradients: {name} is a {type(value).__name__}, which computes in another way "
                "than the plain arrays that functions are given here: pass np.array(...) of it, and what "
                f"{name} has beside its numbers, such as a mask, as an input of its own"
            )


def recorded_problem(f, passing, values, wrt, returns_gradients):
    """Return the problem of a function without a derivative by hand."""
    tensors, positions = as_tensors(values, passing.names, wrt)
    arrays = [np.asarray(x) if isinstance(x, (float, np.generic)) else x for x in values]
    settled = returns_gradients is not None or any(isinstance(x, Tensor) for x in values)
    before = Snapshot([f])
    try:
        problem = TensorProblem(f, passing, tensors, positions)
    except Exception as error:      # what code for arrays does with tensors, nobody can foresee
        if settled:
            raise
        before.put_back()           # nor what it keeps of them
        with undone([f]):
            both = gives_gradients(f, passing, arrays, positions)
        if both:
            problem = LossAndGradient(f, passing, arrays, positions)
            problem.note("Checked: the gradients that the function returns beside its loss.")
            return problem
        foreign = not isinstance(error, TensorError) and isinstance(error, NOT_FOR_TENSORS)
        if not foreign and not isinstance(error, GraphError):
            raise
        raise ArgumentError(
            f"check_gradients: called with tensors, the function raises {type(error).__name__}: "
            f"{error}.  If it is made for NumPy arrays, pass its gradient as backward=, or "
            "returns_gradients=True if it returns a loss and its gradients"
        ) from error
    if not settled and not problem.scalar and may_give_gradients(f, passing, arrays, positions):
        # Taken for further results, the gradients by hand would not be looked at.
        raise ArgumentError(
            "check_gradients: the function returns a number, and what may be its gradients or further "
            "results: pass returns_gradients=True if they are its gradients, else "
            "returns_gradients=False, which checks the gradient that is recorded from the function"
        )
    problem.note("Checked: the gradient that was recorded from the function.")
    return problem


def number_and_rest(f, passing, arrays):
    """Return the number that a function of arrays returns and a list of what is beside it, or None."""
    try:
        found = passing.call(f, [x.copy(order="K") if isinstance(x, np.ndarray) else x for x in arrays])
    except Exception:
        return None
    if not isinstance(found, (tuple, list)) or len(found) < 2 or np.shape(found[0]) != ():
        return None
    return (found[0], list(found[1:])) if isinstance(found[0], (float, np.floating, np.ndarray)) else None


def gives_gradients(f, passing, arrays, positions):
    """Tell whether a function of arrays returns a number and its gradients, without doubt."""
    found = number_and_rest(f, passing, arrays)
    if found is None:
        return False
    gradients = beside_the_loss(found[1])
    if isinstance(gradients, dict):
        return all(of_name(gradients, passing.names[k]) is not None for k in positions) or (
            (passing.keyed or passing.tree is not None) and len(gradients) > 0
        )
    if isinstance(gradients, (list, tuple)):
        return len(gradients) in (len(arrays), len(positions))
    shape = np.shape(arrays[positions[0]])
    return len(positions) == 1 and isinstance(gradients, np.ndarray) and gradients.shape == shape


def may_give_gradients(f, passing, arrays, positions):
    """Tell whether what a function of arrays returns beside a number may be gradients of inputs."""
    if gives_gradients(f, passing, arrays, positions):
        return True
    found = number_and_rest(f, passing, arrays)
    shapes = [x.shape for x in arrays if is_floating(x)]
    return found is not None and any(np.shape(part) in shapes for part in found[1])


def tree_of(inputs):
    """Return the arguments as a list if they are to be taken apart, else None."""
    if isinstance(inputs, (list, tuple)):
        # Lists of arrays are data to pass on, unless there is nothing else to check.
        whole = any(isinstance(value, dict) for value in inputs) or (
            any(is_made_of_arrays(value) for value in inputs)
            and not any(is_floating(value) or isinstance(value, float) for value in inputs)
        )
        return list(inputs) if whole else None
    if isinstance(inputs, dict) and any(isinstance(value, dict) for value in inputs.values()):
        return [inputs]
    return None


def is_made_of_arrays(value):
    """Tell whether an argument is a list or tuple with arrays to check in it."""
    return isinstance(value, (list, tuple)) and any(is_floating(leaf) for _, leaf in leaves(value))


def listed(f, inputs):
    """Return names and values of the inputs, and whether they came as a dict."""
    if isinstance(inputs, dict):
        if not inputs:
            raise ArgumentError("check_gradients: inputs is empty: there is nothing to check")
        return [str(name) for name in inputs], list(inputs.values()), True
    values = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
    numbers = isinstance(inputs, list) and values and all(isinstance(x, (int, float)) for x in values)
    if numbers and names_of_parameters(f, len(values)) is None:
        values = [np.asarray(values)]       # a vector
    if not values:
        raise ArgumentError("check_gradients: inputs is empty: there is nothing to check")
    return [f"input {k}" for k in range(len(values))], values, False


def names_of_parameters(f, count):
    """Return the names of the parameters of a Python function, or None if they tell nothing."""
    owner = getattr(f, "__self__", None)
    if isinstance(owner, type) and issubclass(owner, Function):
        f = owner.forward       # behind `apply`, which takes anything
    code = getattr(inspect.unwrap(f), "__code__", None)
    bound = 1 if owner is not None else 0       # self, cls or ctx
    if code is None or code.co_argcount != count + bound:
        return None
    return list(code.co_varnames[bound:count + bound])


def is_floating(value):
    """Tell whether an input can have a gradient."""
    dtype = getattr(value, "dtype", None)
    return isinstance(value, (Tensor, np.ndarray)) and dtype.kind == "f"


def chosen(values, names, wrt):
    """Return the positions of the inputs to check: all floating ones, or those that `wrt` names."""
    for name, value in zip(names, values):
        if getattr(value, "dtype", None) is not None and value.dtype.kind == "c":
            raise ArgumentError(
                f"check_gradients: {name} is complex: only real inputs can be checked; pass real and "
                "imaginary part as two inputs"
            )
    floating = [k for k, value in enumerate(values) if is_floating(value)]
    if wrt is not None:
        if not isinstance(wrt, Iterable):
            raise ArgumentError(
                f"check_gradients: wrt is {wrt!r}: pass the name of an input, or several of "
                f"{', '.join(names)}"
            )
        asked = [wrt] if isinstance(wrt, str) else list(wrt)
        for name in asked:
            if name not in names:
                raise ArgumentError(f"check_gradients: wrt names {name!r}: there is {', '.join(names)}")
            if names.index(name) not in floating:
                raise ArgumentError(f"check_gradients: wrt names {name!r}, which is not floating")
        floating = [k for k in floating if names[k] in asked]
    if not floating:
        for name, value in zip(names, values):
            if isinstance(value, int):
                continue
            if not hasattr(value, "dtype") or value.dtype.kind == "O":
                raise ArgumentError(f"check_gradients: {name} is {what_to_pass_for(name, value)}")
        kinds = ", ".join(
            f"{name} is {getattr(value, 'dtype', type(value).__name__)}"
            for name, value in zip(names, values)
        )
        raise ArgumentError(
            f"check_gradients: no input is an array of floats ({kinds}): integers have no gradient; "
            "convert what is to be checked, such as by x.astype(float)"
        )
    return floating


def what_to_pass_for(name, value):
    """Return what an input is that is no array of numbers, and what to pass instead of it."""
    kind = "an array of objects" if hasattr(value, "dtype") else f"a {type(value).__name__}"
    called = name if name.isidentifier() else "x"
    advice = f"pass an array of floats, such as np.asarray({called}, float)"
    try:
        numbers = np.asarray(value, float)
    except (TypeError, ValueError):
        numbers = None
    if numbers is None or is_made_of_arrays(value):
        advice = "pass the arrays that it is made of, as inputs of their own or in a dict or a list"
    return f"{kind}: {advice}"


def as_tensors(values, names, wrt):
    """Return the inputs as tensors that can be recorded, and the positions of those to check."""
    values = [np.asarray(x) if isinstance(x, (float, np.generic)) else x for x in values]
    asking = [k for k, x in enumerate(values) if isinstance(x, Tensor) and x.requires_grad]
    if any(isinstance(x, Tensor) for x in values) and asking and wrt is None:
        positions = sorted({*asking, *(k for k, x in enumerate(values) if isinstance(x, np.ndarray)
                                       and is_floating(x))})
    else:
        positions = chosen(values, names, wrt)
    tensors = list(values)
    for k, x in enumerate(values):
        if isinstance(x, np.ndarray) and is_floating(x):
            tensors[k] = Tensor(x.copy(), requires_grad=k in positions)
        elif k in positions and not can_be_moved(x, tensors[:k]):
            tensors[k] = Tensor(x.detach().numpy().copy(), requires_grad=True)
    return tensors, positions


def can_be_moved(x, others):
    """Tell whether a tensor can be changed where it lies without changing another input."""
    memory = x.detach().numpy()
    return x.requires_grad and memory.flags.writeable and not any(
        isinstance(other, Tensor) and np.may_share_memory(memory, other.detach().numpy())
        for other in others
    )
