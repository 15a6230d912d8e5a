"""`Parameter`: a tensor that is trained."""

from tinygrad_relu.engine import Tensor, check_detached, checked_call


class Parameter(Tensor):
    """A tensor that a `Module` it is assigned to counts among its parameters.

    Parameters
    ----------
    data : array_like
        Copied.
    requires_grad : bool, default True

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.Parameter([1.0, 2.0])
    Parameter(tensor([1., 2.], dtype=float64, requires_grad=True))
    """

    @checked_call
    def __init__(self, data, requires_grad=True):
        try:
            super().__init__(data, requires_grad)
        except RuntimeError as error:
            check_detached("Parameter", error)
            raise

    def __repr__(self):
        return f"Parameter({super().__repr__()})"
