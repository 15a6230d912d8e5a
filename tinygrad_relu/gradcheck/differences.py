"""Numerical derivatives by central differences."""

import numpy as np

from tinygrad_relu.engine import Tensor


def step_for(values, eps):
    """Return the step for each of `values`: `eps` for numbers up to 1, in proportion beyond.

    For central differences the error of truncation grows with the square of the step, and that of
    rounding falls with it; together they are least near the cube root of the machine epsilon.
    """
    return eps * np.maximum(1.0, np.abs(values))


def default_eps(dtype):
    """Return the step to take at 1 for functions computed in `dtype`."""
    return float(np.cbrt(np.finfo(dtype).eps))


def numerical_jacobian(f, inputs, position, eps=None):
    """Return how the outputs of `f` change with one of its inputs.

    Parameters
    ----------
    f : callable
        Takes the tensors `inputs`, returns a list of arrays.
    inputs : list
        Tensors, and whatever else `f` takes.  None of them is changed.
    position : int
        Which of the inputs to vary.
    eps : float, optional
        The step, for values up to 1; the cube root of the machine epsilon of the input's dtype.

    Returns
    -------
    list of ndarray
        For each output an array of shape ``(output.size, input.size)``, in float64.
    """
    at = inputs[position].detach().numpy()
    steps = step_for(at, default_eps(at.dtype) if eps is None else eps)
    columns = []
    for index in np.ndindex(at.shape):
        sides = []
        for sign in (1.0, -1.0):
            shifted = at.copy()
            shifted[index] += sign * steps[index]
            varied = list(inputs)
            varied[position] = Tensor(shifted, requires_grad=True)
            sides.append((shifted[index], f(*varied)))
        (high, above), (low, below) = sides
        # The step that was taken is what the dtype could represent of it.
        distance = np.float64(high) - np.float64(low)
        columns.append(
            [(np.float64(a) - np.float64(b)).ravel() / distance for a, b in zip(above, below)]
        )
    if not columns:
        return [np.zeros((output.size, 0)) for output in f(*inputs)]
    return [np.stack(column, axis=1) for column in zip(*columns)]


def steadiest_jacobian(f, inputs, position, eps=None):
    """Return what `numerical_jacobian` settles at as its step falls.

    The natural step depends on how fast the function bends, which its inputs do not tell.  Of steps
    that fall by factors of 32, each derivative is taken from the pair that differs least.
    """
    if eps is None:
        eps = default_eps(inputs[position].dtype)
    tries = [numerical_jacobian(f, inputs, position, eps / 32**k) for k in range(4)]
    settled = []
    for estimates in zip(*tries):
        stacked = np.stack(estimates)
        changes = np.abs(np.diff(stacked, axis=0))
        best = np.argmin(np.where(np.isnan(changes), np.inf, changes), axis=0)
        settled.append(np.take_along_axis(stacked[1:], best[None], axis=0)[0])
    return settled
