"""Assertions for tests: `assert_close`, as ``torch.testing`` has it, and `assert_gradients`."""

import numpy as np

from tinygrad_relu.engine import Tensor, checked_signature
from tinygrad_relu.errors import ArgumentError
from tinygrad_relu.gradcheck import check_gradients

__all__ = ["assert_close", "assert_gradients"]

# PyTorch's tolerances, relative and absolute; 0 for what is not floating.
TOLERANCES = {"float16": (1e-3, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}


@checked_signature
def assert_gradients(
    f, inputs, backward=None, *, names=None, wrt=None, returns_gradients=None, seed=0, fast=None
):
    """Raise `AssertionError` with the report of `check_gradients` if a gradient is wrong.

    Parameters
    ----------
    f, inputs, backward, names, wrt, returns_gradients, seed, fast
        As for `tinygrad_relu.check_gradients`.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_relu as tg
    >>> tg.testing.assert_gradients(np.tanh, [np.ones(3)], lambda dout, x: dout * (1 - np.tanh(x)**2))
    """
    report = check_gradients(
        f, inputs, backward, names=names, wrt=wrt, returns_gradients=returns_gradients, seed=seed,
        fast=fast,
    )
    if not report.ok:
        raise AssertionError(f"\n{report}")


@checked_signature
def assert_close(
    actual, expected, *, allow_subclasses=True, rtol=None, atol=None, equal_nan=False,
    check_device=True, check_dtype=True, check_layout=True, check_stride=False, msg=None,
):
    """Raise `AssertionError` if two tensors, numbers, or sequences or dicts of them, are not close.

    Parameters
    ----------
    actual, expected : Tensor, array_like, sequence or dict
    rtol, atol : float, optional
        Each difference may be ``atol + rtol * |expected|``; give both or none.  By default what suits
        the less precise dtype, as in PyTorch.
    equal_nan : bool, default False
        Whether NaN is close to NaN.
    check_dtype : bool, default True
        Whether dtypes have to be the same.
    check_stride : bool, default False
        Whether strides have to be the same.
    msg : str or callable, optional
        The message instead of ours, or a function that makes it from ours.
    allow_subclasses, check_device, check_layout : bool
        Taken for PyTorch's sake: there is one device and one layout.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.testing.assert_close(tg.tensor([1.0]) / 3, tg.tensor([0.33333333333]))
    """
    if (rtol is None) != (atol is None):
        raise ArgumentError("assert_close: give both rtol and atol, or none of them")
    options = rtol, atol, equal_nan, check_dtype, check_stride
    problem = difference(actual, expected, "", options)
    if problem:
        raise AssertionError(msg(problem) if callable(msg) else msg or problem)


def difference(actual, expected, path, options):
    """Return what is not close in two trees, or nothing."""
    where = f" at {path}" if path else ""
    if isinstance(actual, dict) and isinstance(expected, dict):
        if actual.keys() != expected.keys():
            return f"The keys differ{where}: {list(actual)} and {list(expected)}."
        pairs = [(f"{path}[{key!r}]", actual[key], expected[key]) for key in expected]
    elif isinstance(actual, (list, tuple)) and isinstance(expected, (list, tuple)):
        if len(actual) != len(expected):
            return f"The lengths differ{where}: {len(actual)} and {len(expected)}."
        pairs = [(f"{path}[{k}]", *pair) for k, pair in enumerate(zip(actual, expected))]
    else:
        return difference_of_arrays(actual, expected, where, options)
    found = (difference(one, other, label, options) for label, one, other in pairs)
    return next(filter(None, found), None)


def difference_of_arrays(actual, expected, where, options):
    """Return how two arrays differ by more than is allowed, or nothing."""
    rtol, atol, equal_nan, check_dtype, check_stride = options
    actual, expected = (
        x.detach().numpy() if isinstance(x, Tensor) else np.asarray(x) for x in (actual, expected)
    )
    if actual.shape != expected.shape:
        return f"The shapes differ{where}: {actual.shape} and {expected.shape}."
    if check_dtype and actual.dtype != expected.dtype:
        return f"The dtypes differ{where}: {actual.dtype} and {expected.dtype}."
    if check_stride and actual.strides != expected.strides:
        return f"The strides differ{where}: {actual.strides} and {expected.strides} bytes."
    if rtol is None:
        pairs = [TOLERANCES.get(x.dtype.name, (0.0, 0.0)) for x in (actual, expected)]
        rtol, atol = max(pairs)[0], max(pair[1] for pair in pairs)
    wrong = ~np.isclose(actual, expected, rtol=rtol, atol=atol, equal_nan=equal_nan)
    if not wrong.any():
        return None
    with np.errstate(all="ignore"):
        off = np.abs(np.subtract(actual, expected, dtype=np.result_type(actual, expected, 1.0)))
        relative = off / np.abs(expected)
    worst = [np.unravel_index(np.argmax(np.where(wrong, x, -1.0)), off.shape) for x in (off, relative)]
    at = [f" at index {tuple(int(k) for k in index)}" if index else "" for index in worst]
    return (
        f"Values are not close{where}: {int(wrong.sum())} of {wrong.size} differ by more than allowed.\n"
        f"Greatest absolute difference: {off[worst[0]]:.6g}{at[0]} (allowed: {atol:g})\n"
        f"Greatest relative difference: {relative[worst[1]]:.6g}{at[1]} (allowed: {rtol:g})"
    )
