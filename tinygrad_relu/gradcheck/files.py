"""Checks every function of a file that has its gradient beside it, or returns it behind its loss."""

import inspect
import runpy
import sys
from json import dumps
from pathlib import Path

import numpy as np

from tinygrad_relu.errors import ArgumentError
from tinygrad_relu.gradcheck import printed
from tinygrad_relu.gradcheck.check import check_gradients
from tinygrad_relu.gradcheck.conventions import brought_to_form, returns_gradients, together
from tinygrad_relu.gradcheck.memory import undone
from tinygrad_relu.gradcheck.progress import progress

SUFFIXES = ("_backward", "_grad", "_gradient", "_prime", "_derivative")
# A function called `name` plus this is the partner of the same names.
FORWARD = "_forward"
# A function called one of these, or that ends so, returns its value and its gradients.
TOGETHER = ("loss_and_grad", "loss_and_grads", "loss_and_gradients", "value_and_grad")
RIGHT, WRONG, NOTHING = 0, 1, 2


def run(target, seed=0, fast=None, json=False):
    """Check a file, or one function of it, and print the reports.

    Parameters
    ----------
    target : str
        ``FILE.py`` or ``FILE.py:name``.
    seed, fast
        As for `check_gradients`.
    json : bool
        Print one JSON object for each function, and nothing else: its report, or the error for which
        it cannot be checked.

    Returns
    -------
    int
        0 if all gradients are right, 1 if one is wrong, 2 if none is, but one could not be checked.
    """
    try:
        path, wanted = split_target(target)
        space = loaded(path)
        pairs = pairs_of(functions_of(space, imported=wanted is not None), wanted)
        if not pairs:
            raise ArgumentError(advice(path, space, wanted))
    except Exception as error:
        print(f"check: {type(error).__name__}: {error}", file=sys.stderr)
        return NOTHING
    results = [check_pair(space, *pair, seed, fast, json) for pair in pairs]
    if WRONG in results:
        return WRONG
    return NOTHING if NOTHING in results else RIGHT


def split_target(target):
    """Return the path of the file and the name of the function, or None for all."""
    name = None
    if ":" in target and not Path(target).exists():
        target, _, name = target.rpartition(":")
    path = Path(target)
    if path.is_dir():
        raise ArgumentError(f"{target} is a folder: name a file in it")
    if not path.is_file():
        raise ArgumentError(f"there is no file {target}")
    return path, name or None


def loaded(path):
    """Return the names that a file defines; modules beside it can be imported by it."""
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        return runpy.run_path(str(path), run_name="checked_file")
    except SystemExit as error:
        raise ArgumentError(
            f"{path} ends the program while it is read (SystemExit: {error}, {place_of(error)}): put "
            'what is not to run here under if __name__ == "__main__":'
        ) from None
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


def functions_of(space, imported):
    """Return the functions of a file by name: its own, and if so asked those that it imports."""
    return {
        name: value for name, value in space.items()
        if inspect.isfunction(value) and (imported or value.__module__ == "checked_file")
    }


def pairs_of(functions, wanted):
    """Return a list of ``(name, backward)``; backward is None for functions that return both."""
    found = []
    for name in functions:
        stem = name.removesuffix(FORWARD)
        partner = next((stem + end for end in SUFFIXES if stem + end in functions), None)
        if partner is not None:
            found.append((name, partner))
        elif name.endswith(TOGETHER):
            found.append((name, None))
    paired = {name for pair in found for name in pair}
    found += [
        (name, None) for name, function in functions.items()
        if name not in paired and wanted in (name, None) and returns_gradients(function)
    ]
    if wanted is not None:
        named = [pair for pair in found if wanted in pair]
        found = named or [pair for pair in found if pair[0] == wanted + FORWARD]
    return found


def check_pair(space, name, backward, seed, fast, json):
    """Check one function, print what was found, and return its exit status."""
    title = f"{name} and {backward}" if backward else name
    try:
        function, inputs = space[name], inputs_for(space, name)
        functions = [function, space[backward]] if backward else [function]
        # What they keep of the calls that show how they are to be called would be right where they are
        # checked.
        with undone(functions):
            exercise = brought_to_form(*functions, inputs) if backward else together(function, inputs)
        with progress(f"checking {title}", sys.stderr):
            report = check_gradients(
                exercise.forward, exercise.inputs, exercise.backward, wrt=exercise.wrt,
                returns_gradients=None if backward else True, seed=seed, fast=fast,
            )
        report.notes += exercise.remarks
    except (Exception, SystemExit) as error:
        place = f" ({place_of(error)})" if place_of(error) else ""
        words = f"{type(error).__name__}: {error}{place}"
        if json:
            print(dumps({"function": name, "error": words}))
        print(f"{title}: cannot be checked: {words}\n", file=sys.stderr)
        return NOTHING
    if json:
        print(f'{{"function": "{name}", "report": {report.to_json()}}}')
    else:
        print(f"{title}\n{'=' * len(title)}")
        printed.show(report)
        print()
    if report.ok:
        return RIGHT
    return WRONG if any(not entry.ok for entry in report.inputs) else NOTHING


def inputs_for(space, name):
    """Return the inputs of a function: what the file gives for it, or what its signature tells."""
    makers = [space.get(f"{title}_inputs") for title in (name, name.removesuffix(FORWARD))]
    maker = next((one for one in makers if callable(one)), None)
    if maker is not None:
        return as_inputs(maker())
    given = space.get("INPUTS")
    if isinstance(given, dict):
        found = given.get(name)
        if found is not None and not isinstance(found, np.ndarray):
            return as_inputs(found() if callable(found) else found)
        named = by_parameters(space[name], given)
        if named is not None:
            return named
    named = by_parameters(space[name], {})
    if named is not None:
        return named
    words = ", ".join(inspect.signature(space[name]).parameters)
    raise ArgumentError(
        f"at which inputs?  Write a function {name}_inputs() that returns them ({words}) as a tuple or a "
        "dict of arrays, or INPUTS = {...} with an array for each name, or give the parameters "
        "defaults or annotations, such as x: np.ones((3, 2))"
    )


def by_parameters(function, given):
    """Return the inputs as a dict, from `given`, defaults and annotations, or None if one is missing."""
    found, rng = {}, np.random.default_rng(0)
    for name, parameter in signature_of(function).parameters.items():
        for value in (given.get(name), parameter.default, parameter.annotation):
            value = drawn(value, rng)
            if value is not None:
                found[name] = value
                break
        else:
            return None
    return found


def signature_of(function):
    """Return a signature with annotations as values, also where they are written down as text."""
    try:
        return inspect.signature(function, eval_str=True)
    except Exception:  # a name that stands for nothing
        return inspect.signature(function)


def drawn(value, rng):
    """Return an array for a value, or random numbers for a shape; None for what is neither."""
    if isinstance(value, (bool, type(None), type)):
        return None
    if isinstance(value, (np.ndarray, float, int, list)):
        return value if isinstance(value, (float, int)) else np.asarray(value)
    if isinstance(value, tuple) and all(isinstance(k, int) for k in value):
        return rng.standard_normal(value)
    return None


def as_inputs(found):
    """Return what a file gives as inputs in the form that `check_gradients` takes."""
    return found if isinstance(found, (dict, tuple, list)) else (found,)


def advice(path, space, wanted):
    """Return what to do with a file in which there is nothing to check."""
    functions = [name for name, value in space.items() if inspect.isfunction(value)]
    has = f"it has {', '.join(functions[:8])}" if functions else "it has no functions"
    if wanted is not None and wanted not in functions:
        return f"{path} has no function {wanted} ({has})"
    if wanted is not None:
        stem = wanted.removesuffix(FORWARD)
        return (
            f"{path} has no gradient of {wanted} ({has}): write {stem}_backward, or let {wanted} return "
            "its gradients behind its loss, and call it loss_and_grad"
        )
    imported = pairs_of(functions_of(space, imported=True), None)
    if imported:
        return (
            f"{path} has no function of its own with its gradient beside it: check the file that it "
            f"imports them from, or name one of them: {path}:{imported[0][0]}"
        )
    return (
        f"{path} has no function with its gradient beside it ({has}): the gradient of f (or f_forward) "
        "is called f_backward or f_grad, or a function named loss_and_grad returns both"
    )


def place_of(error):
    """Return file and line of the user's code in which an error arose, or nothing."""
    found, step = "", error.__traceback__
    while step is not None:
        if step.tb_frame.f_globals.get("__name__") == "checked_file":
            found = f"{Path(step.tb_frame.f_code.co_filename).name}:{step.tb_lineno}"
        step = step.tb_next
    return found
