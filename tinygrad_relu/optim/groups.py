"""Groups of parameters: what may be in them, and which settings."""

from collections.abc import Iterable

import numpy as np

from tinygrad_relu.engine import Tensor
from tinygrad_relu.errors import ArgumentError, DTypeError, GraphError

INFINITY = float("inf")


def groups_of(name, params):
    """Return the groups that `params` of the optimizer `name` stands for, not checked yet."""
    params = listed(name, "params", params)
    if not params:
        raise ArgumentError(f"{name}: params is empty: pass model.parameters() or a list of tensors")
    if not any(isinstance(part, dict) for part in params):
        return [{"params": params}]
    for k, part in enumerate(params):
        if not isinstance(part, dict):
            raise ArgumentError(
                f"{name}: params[{k}] is a {type(part).__name__}, and others are groups: make it one, "
                "{'params': [...]}"
            )
    return params


def listed(name, place, params):
    """Return parameters as a list, or raise if they are not several, in an order."""
    if isinstance(params, Tensor):
        raise ArgumentError(f"{name}: {place} is one tensor: pass a list, such as [w]")
    if isinstance(params, (set, frozenset)):
        raise ArgumentError(f"{name}: {place} is a set, and states are saved in an order: pass a list")
    if isinstance(params, (dict, str)) or not isinstance(params, Iterable):
        raise ArgumentError(
            f"{name}: {place} is a {type(params).__name__}: pass model.parameters() or a list"
        )
    return list(params)


def joined_group(name, group, defaults, others):
    """Return a group with all settings, or raise if its parameters cannot join those of `others`."""
    if not isinstance(group, dict) or "params" not in group:
        raise ArgumentError(f"{name}: a group is a dict with a list under 'params', not {group!r:.80}")
    params = group["params"]
    params = [params] if isinstance(params, Tensor) else listed(name, "params", params)
    group = {"params": params, **defaults, **{k: v for k, v in group.items() if k != "params"}}
    named = [isinstance(p, (tuple, list)) and len(p) == 2 and isinstance(p[0], str) for p in params]
    if any(named):
        if not all(named):
            raise ArgumentError(
                f"{name}: params[{named.index(False)}] has no name, and others have: name all or none"
            )
        group["param_names"] = [label for label, _ in params]
        group["params"] = params = [p for _, p in params]
    for k, p in enumerate(params):
        check_parameter(name, k, p)
    if others and params and ("param_names" in group) != ("param_names" in others[0]):
        raise ArgumentError(f"{name}: one group has names, and another has none: name all or none")
    everybody = [p for other in others for p in other["params"]] + params
    if len({id(p) for p in everybody}) != len(everybody):
        raise ArgumentError(f"{name}: a parameter was given twice, and would be updated twice")
    return group


def check_parameter(name, k, p):
    """Raise if a parameter, the k-th of its group, cannot be updated in place."""
    if not isinstance(p, Tensor):
        raise ArgumentError(f"{name}: params[{k}] is a {type(p).__name__}: pass tensors")
    if not p.is_leaf:
        raise GraphError(
            f"{name}: params[{k}] is the result of an op, no leaf, so no gradient will be left in it: "
            "pass what it was computed from"
        )
    if p.dtype not in (np.float32, np.float64):
        raise DTypeError(f"{name}: params[{k}] is {p.dtype}: float32 and float64 are updated")
    flags = p.detach().numpy().flags
    if not (flags.c_contiguous and flags.writeable):
        raise ArgumentError(
            f"{name}: params[{k}] cannot be updated in place, because its memory is not "
            "contiguous or not writable: make it with tensor(), which copies"
        )


def check_numbers(optimizer, **settings):
    """Raise if a setting ``name=(value, low, high)`` is no number with ``low <= value < high``."""
    for name, (value, low, high) in settings.items():
        if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
            raise ArgumentError(f"{type(optimizer).__name__}: {name} is {value!r}: it is a number")
        if not low <= value < high:
            raise ArgumentError(
                f"{type(optimizer).__name__}: {name} is {value!r}: it lies from {low} to before {high}"
            )


def check_switches(optimizer, settings, *names):
    """Raise if one of the settings that turn something on is not true or false."""
    for name in names:
        if not isinstance(settings[name], (bool, np.bool_)):
            raise ArgumentError(
                f"{type(optimizer).__name__}: {name} is {settings[name]!r}: it is True or False"
            )


def check_betas(optimizer, betas):
    """Raise if `betas` are not two numbers from 0 to before 1."""
    if not isinstance(betas, (tuple, list)) or len(betas) != 2:
        raise ArgumentError(f"{type(optimizer).__name__}: betas are {betas!r}: they are two numbers")
    check_numbers(optimizer, beta1=(betas[0], 0, 1), beta2=(betas[1], 0, 1))
