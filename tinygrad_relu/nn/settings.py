"""What constructors of modules are given: checked, and made into parameters."""

import functools
import numbers

import numpy as np

from tinygrad_relu.creation import get_default_dtype
from tinygrad_relu.engine import checked_call, checked_device
from tinygrad_relu.errors import ArgumentError, DTypeError, RangeError
from tinygrad_relu.nn.parameter import Parameter
from tinygrad_relu.ops.operands import probability, real_tensor, whole, whole_numbers


def checked_constructor(function):
    """Let an ``__init__`` raise our errors only, with the name of the class that is made."""

    @functools.wraps(function)
    def __init__(self, *arguments, **keywords):     # noqa: N807
        return checked_call(function, type(self).__name__)(self, *arguments, **keywords)

    return __init__


def number(title, name, value, least=None):
    """Return `value` if it is a real number, at least `least`, or raise."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise ArgumentError(f"{title}: {name} is {value!r}: it is a number")
    if least is not None and not value >= least:
        raise RangeError(f"{title}: {name} is {value!r}: it is at least {least}")
    return value


def truth(title, name, value):
    """Return `value` as a bool if it is one, or raise."""
    if not isinstance(value, (bool, np.bool_)):
        raise ArgumentError(f"{title}: {name} is {value!r}: it is True or False")
    return bool(value)


def one_of(title, name, value, choices):
    """Return `value` if it is one of `choices`, or raise."""
    if not isinstance(value, str) or value not in choices:
        words = " or ".join([", ".join(repr(choice) for choice in choices[:-1]), repr(choices[-1])])
        raise ArgumentError(f"{title}: {name} is {value!r}: it is {words}")
    return value


def new_parameter(title, device=None, dtype=None):
    """Return a function that makes a parameter of a shape, with the dtype that a layer was given."""
    checked_device(title, device)
    try:
        dtype = get_default_dtype() if dtype is None else np.dtype(dtype)
    except TypeError as error:
        raise DTypeError(f"{title}: dtype is {dtype!r}: {error}") from None
    if dtype.kind != "f":
        raise DTypeError(f"{title}: dtype is {dtype}: parameters are of a floating dtype")
    return lambda *shape: Parameter(np.zeros(shape, dtype))


def window(title, name, value, axes, least):
    """Return `value` as it was given, a number or one for each axis, or raise."""
    whole_numbers(title, name, value, axes, least)
    return tuple(value) if isinstance(value, (tuple, list)) else int(value)


def output_lengths(title, name, value, axes):
    """Return the lengths of a result as they were given; None keeps one."""
    entries = value if isinstance(value, (tuple, list)) else (value,)
    if len(entries) not in (1, axes):
        raise ArgumentError(f"{title}: {name} is {value!r}: pass one number, or {axes}")
    entries = tuple(None if n is None else whole(title, name, n, 1) for n in entries)
    return entries if isinstance(value, (tuple, list)) else entries[0]


def class_weight(title, name, value):
    """Return weights as a tensor, or None."""
    return None if value is None else real_tensor(title, name, value).detach()


def unchecked(title, name, value):
    """Return a setting that only the function itself can judge."""
    return value


def optional(check):
    """Return a check that lets None pass."""
    return lambda title, name, value: None if value is None else check(title, name, value)


#: What the settings of modules that are functions have to be, by their names.
CHECKS = {
    **dict.fromkeys(
        ("a0", "a1", "alpha", "beta", "k", "lambd", "margin", "max_val", "min_val", "negative_slope",
         "norm", "t0", "threshold", "value"),
        number,
    ),
    **dict.fromkeys(
        ("ceil_mode", "count_include_pad", "full", "inplace", "keepdims", "log_input", "log_target",
         "return_indices"),
        truth,
    ),
    **dict.fromkeys(("axis", "ignore_index"), whole),
    **dict.fromkeys(("weight", "pos_weight"), class_weight),
    **dict.fromkeys(("p", "label_smoothing"), probability),
    **dict.fromkeys(
        ("delta", "eps"), lambda title, name, value: number(title, name, value, 0)
    ),
    "size": lambda title, name, value: whole(title, name, value, 1),
    "divisor_override": optional(lambda title, name, value: whole(title, name, value, 1)),
    "approximate": lambda title, name, value: one_of(title, name, value, ("none", "tanh")),
    "reduction": lambda title, name, value: one_of(title, name, value, ("mean", "sum", "none")),
}

#: The settings of sliding windows, and what each is at least.
WINDOWS = {"kernel_size": 1, "stride": 1, "padding": 0, "dilation": 1}


def checked_setting(module, title, name, value):
    """Return a setting of a module as it is kept, or raise."""
    if name in module.own_checks:
        return module.own_checks[name](title, name, value)
    if name in WINDOWS:
        if name == "stride" and value is None:
            return None
        return window(title, name, value, module.axes, WINDOWS[name])
    if name == "output_size":
        return output_lengths(title, name, value, module.axes)
    return CHECKS.get(name, unchecked)(title, name, value)
