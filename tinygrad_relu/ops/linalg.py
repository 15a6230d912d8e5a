"""Matrix products."""

from tinygrad_relu.kernels.linalg import Affine, MatrixProduct, OuterSum
from tinygrad_relu.ops.domain import case, real
from tinygrad_relu.ops.gates import gate, relu
from tinygrad_relu.ops.kink_slope import FOLLOWERS
from tinygrad_relu.ops.shapes import reshape
from tinygrad_relu.ops.table import op


def left_cotangent(g, b, a_shape):
    """Return the cotangent of `a` in ``a @ b``, before the engine sums over broadcast axes."""
    if b.ndim == 1:
        return (reshape(g, *g.shape, 1) if len(a_shape) > 1 else g) * b
    if len(a_shape) == 1:
        return reshape(b @ reshape(g, *g.shape, 1), *b.shape[:-1])
    return g @ b.mT


def right_cotangent(g, a, b_shape):
    """Return the cotangent of `b` in ``a @ b``, before the engine sums over broadcast axes."""
    if len(b_shape) == 1:
        return (reshape(g, *g.shape, 1) if a.ndim > 1 else g) * a
    if a.ndim == 1:
        return reshape(a, -1, 1) * reshape(g, *g.shape[:-1], 1, g.shape[-1])
    return a.mT @ g


@op(
    MatrixProduct(),
    domain=[
        case(real(2, 3), real(3, 4)),
        case(real(3), real(3)),
        case(real(3), real(3, 2)),
        case(real(2, 3), real(3)),
        case(real(4, 2, 3), real(3, 2)),
        case(real(2, 3), real(4, 3, 2)),
        case(real(2, 1, 2, 3), real(3, 3, 1)),
        case(real(3), real(2, 3, 2)),
        case(real(2, 2, 3), real(3)),
    ],
    a=left_cotangent,
    b=right_cotangent,
)
def matmul(a, b, /):
    """Matrix product over the last two axes, ``a @ b``, with NumPy's rules for vectors and stacks.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.tensor([[1.0, 2.0], [3.0, 4.0]]) @ tg.tensor([1.0, 1.0])
    tensor([3., 7.], dtype=float64)
    """


@op(
    OuterSum(),
    domain=[case(real(4, 2), real(4, 3)), case(real(2, 3, 2), real(2, 3, 4)), case(real(2), real(3))],
    a=lambda g, b: linear(b, g),
    b=lambda g, a: a @ g,
)
def outer_sum(a, b, /):
    """The sum of the outer products of the last axes, for matrices ``a.mT @ b``."""


LINEAR_DOMAIN = [
    case(real(4, 3), real(2, 3), real(2)),
    case(real(4, 3), real(2, 3), None),
    case(real(2, 2, 3), real(4, 3), real(4)),
    case(real(3), real(2, 3), real(2)),
]


@op(
    Affine(),
    domain=LINEAR_DOMAIN,
    x=lambda g, weight: g @ weight,
    weight=lambda g, x: outer_sum(g, x),
    bias=lambda g: g,
)
def linear(x, weight, bias=None, /):
    """``x @ weight.mT + bias``, in one pass after the product.

    Parameters
    ----------
    x : Tensor
        Shape (..., inputs).
    weight : Tensor
        Shape (outputs, inputs), as in PyTorch.
    bias : Tensor, optional
        Shape (outputs,).

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.linear(tg.tensor([[1.0, 2.0]]), tg.tensor([[3.0, 4.0]]), tg.tensor([0.5]))
    tensor([[11.5]], dtype=float64)
    """


@op(
    Affine(rectified=True),
    domain=LINEAR_DOMAIN,
    g=lambda spare_g, y: gate(spare_g, y, 0.0, 0.0, 1.0),
    x=lambda g, weight: g @ weight,
    weight=lambda g, x: outer_sum(g, x),
    bias=lambda g: g,
)
def linear_relu(x, weight, bias=None, /):
    """``relu(linear(x, weight, bias))``, with bias and `relu` in one pass after the product.

    The linear part is not kept.  The derivative at 0 is that of `relu`.

    Parameters
    ----------
    x, weight, bias
        As in `linear`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.linear_relu(tg.tensor([[1.0, 2.0]]), tg.tensor([[3.0, 4.0], [-3.0, 1.0]]))
    tensor([[11.,  0.]], dtype=float64)
    """


FOLLOWERS[linear_relu] = lambda x, weight, bias=None: relu(linear(x, weight, bias))
