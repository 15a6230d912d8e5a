"""Calling a module with other tensors in the places of its parameters and buffers."""

from collections.abc import Mapping

from tinygrad_relu.engine import Tensor, checked_signature
from tinygrad_relu.errors import ArgumentError, StateError


@checked_signature
def functional_call(
    module, parameter_and_buffer_dicts, args=None, kwargs=None, tie_weights=True, strict=False
):
    """Call a module with other tensors in the places of its parameters and buffers.

    The module itself is as before when the call is over.  So a loss is a function of the weights, which
    transforms differentiate.

    Parameters
    ----------
    module : Module
    parameter_and_buffer_dicts : dict of str to Tensor, or sequence of such dicts
        By the names of `named_parameters` and `named_buffers`.  Those that are not there stay.
    args : tuple or object, optional
        What the module is called with; one that is no tuple is the only argument.
    kwargs : dict, optional
    tie_weights : bool
        Whether a tensor that has several names in the module is replaced under all of them.
    strict : bool
        Whether all names have to be given.  One that the module lacks raises in any case.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> model = tg.nn.Linear(2, 1, bias=False)
    >>> def loss(weights, x):
    ...     return tg.func.functional_call(model, weights, x).sum()
    >>> tg.func.grad(loss)({"weight": tg.ones(1, 2)}, tg.tensor([3.0, 4.0]))
    {'weight': tensor([[3., 4.]], dtype=float64)}
    """
    given = merged(parameter_and_buffer_dicts)
    places = {}     # for each name the module that has it, the name there, and the tensor
    for path, part in module.named_modules(remove_duplicate=False):
        for own, tensor in (*part._parameters.items(), *part._buffers.items()):
            if tensor is not None:
                places[f"{path}.{own}" if path else own] = part, own, tensor
    check_names(type(module).__name__, given, places, strict)
    if tie_weights:
        given = given_to_all_names(given, places)
    before = [(places[name][0].__dict__, *places[name][1:]) for name in given]
    try:
        for name, value in given.items():
            part, own, _ = places[name]
            part.__dict__[own] = value      # past the check that a parameter stays one
        args = () if args is None else args
        return module(*(args if isinstance(args, tuple) else (args,)), **(kwargs or {}))
    finally:
        for attributes, own, tensor in before:
            attributes[own] = tensor


def merged(dicts):
    """Return one dict of tensors, or raise."""
    given = {}
    for part in [dicts] if isinstance(dicts, Mapping) else dicts:
        if not isinstance(part, Mapping):
            raise ArgumentError(
                f"functional_call: a {type(part).__name__} was given for parameters: pass a dict"
            )
        for name, value in part.items():
            if name in given:
                raise ArgumentError(f"functional_call: {name} is in two of the dicts: give it once")
            if not isinstance(value, Tensor):
                raise ArgumentError(
                    f"functional_call: {name} is a {type(value).__name__}: pass a tensor"
                )
            given[name] = value
    return given


def check_names(title, given, places, strict):
    """Raise if a name is unknown, or if one is missing where all are wanted."""
    unexpected = [str(name) for name in given if name not in places]
    missing = [name for name in places if name not in given] if strict else []
    words = {"unexpected": unexpected, "missing": missing}
    problems = [f"{word}: {', '.join(names)}" for word, names in words.items() if names]
    if problems:
        raise StateError(
            f"functional_call: the names are not those of {title}: {'; '.join(problems)}"
        )


def given_to_all_names(given, places):
    """Return the tensors under all names of what they take the places of."""
    chosen = {}
    for name, value in given.items():
        held = places[name][2]
        if chosen.setdefault(id(held), value) is not value:
            raise ArgumentError(
                f"functional_call: {name} is another name of a tensor that was given, with another "
                "value: give one, or pass tie_weights=False"
            )
    return {
        name: chosen[id(tensor)] for name, (_, _, tensor) in places.items() if id(tensor) in chosen
    }
