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

    The input is shifted where it lies in memory, so that `f` may also reach it by another way, as a
    module reaches its parameters; afterwards it is bit for bit what it was.

    Parameters
    ----------
    f : callable
        Takes the tensors `inputs`, returns a list of arrays.
    inputs : list
        Tensors, and whatever else `f` takes.
    position : int
        Which of the inputs to vary.
    eps : float, optional
        The step, for values up to 1; the cube root of the machine epsilon of the input's dtype.

    Returns
    -------
    list of pair of ndarray
        For each output its derivatives, of shape ``(output.size, input.size)`` in float64, and how
        large the errors of rounding may be in them.
    """
    inputs = list(inputs)
    if not inputs[position].detach().numpy().flags.writeable:
        inputs[position] = Tensor(inputs[position].detach(), requires_grad=True)
    at = inputs[position].detach().numpy()
    original = at.copy()
    steps = step_for(original, default_eps(at.dtype) if eps is None else eps)
    columns = []
    try:
        for index in np.ndindex(at.shape):
            sides = []
            for sign in (1.0, -1.0):
                at[index] = original[index] + sign * steps[index]
                sides.append((np.float64(at[index]), [y.astype(np.float64) for y in f(*inputs)]))
            at[index] = original[index]
            columns.append([difference(*pair, at.dtype) for pair in paired(*sides)])
    finally:
        at[...] = original
    if not columns:
        return [(np.zeros((y.size, 0)),) * 2 for y in f(*inputs)]
    return [
        tuple(np.stack([entry[part] for entry in column], axis=1) for part in (0, 1))
        for column in zip(*columns)
    ]


def paired(above, below):
    """Yield for each output its values on both sides, and the step that was taken between them.

    That is what the dtype could represent of it.
    """
    distance = above[0] - below[0]
    for high, low in zip(above[1], below[1]):
        yield high.ravel(), low.ravel(), distance


def difference(high, low, distance, dtype):
    """Return the quotient of differences, and how large the error of rounding may be in it."""
    with np.errstate(all="ignore"):
        noise = np.finfo(dtype).eps * np.maximum(np.abs(high), np.abs(low)) / abs(distance)
        return (high - low) / distance, noise


def steadiest_jacobian(f, inputs, position):
    """Return what `numerical_jacobian` settles at as its step falls.

    The natural step depends on how fast the function bends, which its inputs do not tell.  Of steps
    that fall by factors of 32, each derivative is taken at the one that differs least from a
    neighbour, the errors of rounding included.
    """
    eps = default_eps(inputs[position].dtype)
    tries = [numerical_jacobian(f, inputs, position, eps / 32**k) for k in range(7)]
    settled = []
    for estimates in zip(*tries):
        values = np.stack([value for value, _ in estimates])
        noises = np.stack([noise for _, noise in estimates])
        around = ((1, 1), (0, 0), (0, 0))
        changes = np.pad(np.abs(np.diff(values, axis=0)), around, constant_values=np.inf)
        changes = np.where(np.isnan(changes), np.inf, changes)
        doubt = np.minimum(changes[:-1], changes[1:]) + noises
        best = np.argmin(np.where(np.isnan(doubt), np.inf, doubt), axis=0)[None]
        settled.append(tuple(np.take_along_axis(x, best, axis=0)[0] for x in (values, noises)))
    return settled
