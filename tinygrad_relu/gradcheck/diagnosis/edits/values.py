"""Kinds of values that expressions of the user's have."""

import numpy as np

# Scores that are so far below the others have no share in a softmax.
FAR_BELOW = 1e3


def is_array(x):
    """Tell whether a value is an array of numbers, or of truth values."""
    return isinstance(x, np.ndarray) and x.dtype.kind in "fiub"


def is_float(x):
    """Tell whether a value is an array of floats, or a float."""
    return isinstance(x, (float, np.floating)) or (isinstance(x, np.ndarray) and x.dtype.kind == "f")


def is_one_number(x):
    """Tell whether a value is a float, or an array of one without axes."""
    return is_float(x) and not np.ndim(x)


def is_whole(x):
    """Tell whether a value is a plain whole number."""
    return isinstance(x, (int, np.integer)) and not isinstance(x, (bool, np.bool_))


def is_index(x):
    """Tell whether a value is an array of integers, which picks elements of another one."""
    return isinstance(x, np.ndarray) and x.dtype.kind in "iu" and x.ndim > 0


def is_row(x):
    """Tell whether a value is a list, or a tuple, of plain numbers."""
    several = isinstance(x, (list, tuple)) and len(x) > 0
    return several and all((is_whole(one) or is_float(one)) and not np.ndim(one) for one in x)


def is_row_of_arrays(x):
    """Tell whether a value is a list, or a tuple, of arrays."""
    return isinstance(x, (list, tuple)) and len(x) > 0 and all(map(is_array, x))


def is_value(x):
    """Tell whether a value is an array, or a number."""
    return is_array(x) or is_float(x) or is_whole(x)


def is_total(x):
    """Tell whether a float counts something, as the sum of a mask does."""
    return is_float(x) and np.ndim(x) == 0 and x > 1 and float(x).is_integer()


def is_mask_like(x):
    """Tell whether a value is an array of truth values."""
    return is_array(x) and x.dtype.kind == "b"
