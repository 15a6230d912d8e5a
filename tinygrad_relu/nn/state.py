"""Loading what `Module.state_dict` gave: all is checked before anything changes."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tinygrad_relu.engine import Tensor
from tinygrad_relu.errors import ArgumentError, StateError
from tinygrad_relu.grad_mode import no_grad
from tinygrad_relu.nn.parameter import Parameter

#: What stands in a state dict for what `get_extra_state` of a module returns.
EXTRA = "_extra_state"


class IncompatibleKeys(NamedTuple):
    """Which names of a module a state dict lacks, and which of its own the module lacks."""

    missing_keys: list
    unexpected_keys: list


def load_state(module, state, strict, assign):
    """Give the parameters and buffers of a module the values in a state dict."""
    title = f"{type(module).__name__}.load_state_dict"
    if not isinstance(state, Mapping):
        raise ArgumentError(f"{title}: state_dict is a {type(state).__name__}: pass a dict of tensors")
    keys, problems = IncompatibleKeys([], []), []
    state = amended(module, dict(state), strict, keys, problems)
    places = places_in(module)
    keys.missing_keys.extend(name for name in places if name not in state)
    keys.unexpected_keys.extend(name for name in state if name not in places)
    if strict and keys.unexpected_keys:
        problems.insert(0, f"unexpected: {', '.join(map(str, keys.unexpected_keys))}")
    if strict and keys.missing_keys:
        problems.insert(0, f"missing: {', '.join(keys.missing_keys)}")
    values = {}
    for name, place in places.items():
        if name in state and isinstance(place, Tensor):
            values[name], problem = value_for(place, state[name], assign)
            if problem is not None:
                problems.append(f"{name}: {problem}")
    if problems:
        raise StateError("\n  ".join([f"{title}: nothing was loaded:", *problems]))
    if assign:
        put(module, places, values)
    else:
        with no_grad():
            for name, value in values.items():
                places[name].copy_(value)
    for name, place in places.items():
        if name in state and not isinstance(place, Tensor):
            place.set_extra_state(state[name])
    tell_loaded(module, keys)
    return keys


def amended(module, state, strict, keys, problems):
    """Return a state dict as the pre-hooks will have it, each of which sees the names of its module."""
    for path, part in module.named_modules(remove_duplicate=False):
        prefix = f"{path}." if path else ""
        for hook in part._hooks_of("loading"):
            own = {name: value for name, value in state.items() if str(name).startswith(prefix)}
            state = {name: value for name, value in state.items() if name not in own}
            hook(part, own, prefix, {}, strict, keys.missing_keys, keys.unexpected_keys, problems)
            state.update(own)
    return state


def tell_loaded(module, keys):
    """Call the post-hooks, those of children first."""
    for child in module._modules.values():
        tell_loaded(child, keys)
    for hook in module._hooks_of("loaded"):
        hook(module, keys)


def places_in(module):
    """Return what a state dict of a module fills: tensors, and modules that take an extra state."""
    places = {}
    for path, part in module.named_modules(remove_duplicate=False):
        prefix = f"{path}." if path else ""
        for name, tensor in (*part._parameters.items(), *part._buffers.items()):
            if tensor is not None and part._persistence.get(name, True):
                places[prefix + name] = tensor
        if part._has_own("set_extra_state"):
            places[prefix + EXTRA] = part
    return places


def value_for(place, given, assign):
    """Return the array for a parameter or buffer, and what is wrong with it, or None."""
    try:
        array = np.asarray(given.detach() if isinstance(given, Tensor) else given)
    except Exception as error:      # whatever the library that it comes from raises
        return None, f"a {type(given).__name__} that is no array: {error}"
    if array.dtype.kind not in "biuf":
        return None, f"dtype {array.dtype} was given, and real numbers are needed"
    if array.shape != place.shape:
        return None, f"shape {array.shape} was given, and the module has shape {place.shape}"
    if assign and place.requires_grad and array.dtype.kind != "f":
        return None, f"dtype {array.dtype} was given, and only floating dtypes carry a gradient"
    if not assign:
        with np.errstate(all="ignore"):
            array = array.astype(place.dtype)
        if not place.detach().numpy().flags.writeable:
            return None, "its memory in the module cannot be written to"
    return array, None


def put(module, places, values):
    """Put new tensors into a module; where one tensor has several names, one takes its place."""
    fresh = {}
    for name, array in values.items():
        place = places[name]
        if id(place) not in fresh:
            made = Parameter(array, False) if isinstance(place, Parameter) else Tensor(array)
            made.requires_grad = place.requires_grad
            fresh[id(place)] = made
        path, _, own = name.rpartition(".")
        setattr(module.get_submodule(path), own, fresh[id(place)])
