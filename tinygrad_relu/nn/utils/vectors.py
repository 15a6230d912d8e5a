"""All parameters as one vector, and back."""

from tinygrad_relu.engine import checked_call
from tinygrad_relu.errors import ArgumentError, ShapeError
from tinygrad_relu.grad_mode import no_grad
from tinygrad_relu.nn.utils.clipping import tensors_of
from tinygrad_relu.ops.operands import with_axes
from tinygrad_relu.ops.shapes import concat, reshape


@checked_call
def parameters_to_vector(parameters):
    """Return the elements of all parameters, one behind the other; what is recorded goes through.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> layer = tg.nn.Linear(2, 3)
    >>> tg.nn.utils.parameters_to_vector(layer.parameters()).shape
    (9,)
    """
    parameters = tensors_of("parameters_to_vector", parameters)
    if not parameters:
        raise ArgumentError("parameters_to_vector: parameters is empty: pass model.parameters()")
    return concat([reshape(parameter, -1) for parameter in parameters])


@checked_call
def vector_to_parameters(vec, parameters):
    """Give parameters, in place, the elements of a vector as `parameters_to_vector` makes it.

    Parameters
    ----------
    vec : Tensor of one axis
        With as many elements as the parameters have together; they are copied.
    parameters : iterable of Tensor

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> w, b = tg.zeros(2, 1), tg.zeros(1)
    >>> tg.nn.utils.vector_to_parameters(tg.tensor([1.0, 2.0, 3.0]), [w, b])
    >>> w.tolist(), b.tolist()
    ([[1.0], [2.0]], [3.0])
    """
    name = "vector_to_parameters"
    values = with_axes(name, "vec", vec, 1, 1).detach().clone()
    parameters = tensors_of(name, parameters)
    count = sum(parameter.numel() for parameter in parameters)
    if values.numel() != count:
        raise ShapeError(f"{name}: vec has {values.numel()} elements, and the parameters have {count}")
    start = 0
    with no_grad():
        for parameter in parameters:
            stop = start + parameter.numel()
            parameter[...] = reshape(values[start:stop], *parameter.shape)
            start = stop
