"""What optimizers remember as plain dicts, in the form of PyTorch's, and back."""

from collections import defaultdict
from copy import deepcopy

import numpy as np

from tinygrad_relu.engine import Tensor, sharing
from tinygrad_relu.errors import StateError


def packed(optimizer):
    """Return groups and states with numbers in place of the parameters; arrays as tensors that share."""
    numbers = {}
    groups = []
    for group in optimizer.param_groups:
        for p in group["params"]:
            numbers[p] = len(numbers)
        settings = {name: value for name, value in group.items() if name != "params"}
        groups.append({**settings, "params": [numbers[p] for p in group["params"]]})
    states = {
        numbers[p]: {name: as_tensors(value) for name, value in state.items()}
        for p, state in optimizer.state.items() if state
    }
    return {"state": dict(sorted(states.items())), "param_groups": groups}


def as_tensors(value):
    """Return an array as a tensor that shares its memory, and lists of them likewise."""
    if isinstance(value, list):
        return [as_tensors(part) for part in value]
    return sharing(value) if isinstance(value, np.ndarray) else value


def unpacked(optimizer, saved):
    """Return states and groups for an optimizer from what `packed` gave, or raise if they do not fit."""
    title = f"{type(optimizer).__name__}.load_state_dict"
    if not isinstance(saved, dict) or not {"state", "param_groups"} <= saved.keys():
        raise StateError(
            f"{title}: a dict with 'state' and 'param_groups' is needed, as state_dict() returns, and a "
            f"{type(saved).__name__} was given"
        )
    own = optimizer.param_groups
    if not isinstance(saved["param_groups"], (list, tuple)) or len(saved["param_groups"]) != len(own):
        raise StateError(
            f"{title}: there are {len(own)} groups of parameters here, and another number was saved"
        )
    parameters, groups = {}, []
    for k, (group, other) in enumerate(zip(own, saved["param_groups"])):
        groups.append(merged(f"{title}: group {k}", group, other))
        optimizer.check(groups[-1])
        parameters.update(zip(other["params"], zip(group["params"], [groups[-1]] * len(group["params"]))))
    if len(parameters) != sum(len(group["params"]) for group in own):
        raise StateError(f"{title}: two of the saved parameters have one number")
    if not isinstance(saved["state"], dict):
        raise StateError(f"{title}: 'state' is a {type(saved['state']).__name__}: it is a dict")
    states = defaultdict(dict)
    for number, state in saved["state"].items():
        if number not in parameters:
            raise StateError(f"{title}: there is a state {number!r} for a parameter in no group")
        parameter, group = parameters[number]
        place = f"{title}: state {number}"
        if not isinstance(state, dict):
            raise StateError(f"{place} is a {type(state).__name__}: it is a dict")
        states[parameter] = optimizer.checked_state(place, state, parameter, group)
    return states, groups


def merged(title, group, saved):
    """Return the saved settings of a group with the parameters that are here."""
    numbers = saved.get("params") if isinstance(saved, dict) else None
    if not isinstance(numbers, (list, tuple)) or not all(isinstance(k, int) for k in numbers):
        raise StateError(f"{title} is no dict with numbers of parameters under 'params'")
    if len(saved["params"]) != len(group["params"]):
        raise StateError(
            f"{title} has {len(group['params'])} parameters here, and {len(saved['params'])} were saved"
        )
    names, others = group.get("param_names"), saved.get("param_names")
    if names and others and list(names) != list(others):
        k = next((k for k, pair in enumerate(zip(names, others)) if pair[0] != pair[1]), 0)
        raise StateError(
            f"{title}: parameter {k} is {names[k]!r} here and was {others[k]!r} when it was saved: to "
            "load by order alone, delete 'param_names' from the saved group"
        )
    kept = deepcopy({name: value for name, value in saved.items() if name != "params"})
    return {**group, **kept, "params": group["params"]}


def parameter_state(optimizer, place, state, parameter, group):
    """Return a copy of the saved state of one parameter, or raise if it is not one for it."""
    if optimizer.arrays_of is None:
        return deepcopy(dict(state))
    arrays = optimizer.arrays_of(group)
    # PyTorch saves None for what is not there yet.
    given = {name: value for name, value in state.items() if value is not None}
    if not given:
        return {}
    lacking = [name for name in (*optimizer.numbers, *arrays) if name not in given]
    if lacking:
        raise StateError(f"{place} lacks {', '.join(map(repr, lacking))}: was it another optimizer's?")
    kept = {name: whole_number(f"{place}: {name!r}", given[name]) for name in optimizer.numbers}
    return kept | {name: like(f"{place}: {name!r}", given[name], parameter) for name in arrays}


def plain_array(place, value):
    """Return what was saved as an array, also of another library's tensors."""
    array = np.asarray(value.detach() if isinstance(value, Tensor) else value)
    if array.dtype.kind not in "biuf":
        raise StateError(f"{place} is of dtype {array.dtype}: it is an array of real numbers")
    return array


def like(place, value, parameter):
    """Return a copy of a saved array in the shape and dtype of a parameter."""
    array = plain_array(place, value)
    if array.shape != parameter.shape:
        raise StateError(f"{place} has shape {array.shape}, and the parameter {parameter.shape}")
    return np.array(array, parameter.dtype, order="C")


def whole_number(place, value):
    """Return a saved count as an int; PyTorch saves it as a tensor."""
    array = plain_array(place, value)
    if array.size != 1 or array.item() != array.item() or array.item() != int(array.item()):
        raise StateError(f"{place} is {value!r:.80}: it is a whole number")
    if array.item() < 0:
        raise StateError(f"{place} is {value!r:.80}: it is not negative")
    return int(array.item())
