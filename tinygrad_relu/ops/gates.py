"""The ReLU family: one gate, and the functions that it spells.

At ``x == t0`` the gate is shut, and the derivative there is that of the shut side: 0 for `relu`, as
in PyTorch and JAX.  NaN stays NaN, and its gradient passes.  See `tinygrad_relu.kernels.gate` for
the whole truth table.
"""

import numpy as np

from tinygrad_relu.engine import Tensor, checked_call
from tinygrad_relu.errors import ShapeError
from tinygrad_relu.kernels.gate import Gate, Rectify
from tinygrad_relu.kernels.gate import relu as rectified
from tinygrad_relu.kernels.mask import ApplyMask, RectifyWithMask, mask_size
from tinygrad_relu.ops.arithmetic import where
from tinygrad_relu.ops.domain import Draw, case, elementwise, real
from tinygrad_relu.ops.kink_slope import FOLLOWERS, slope_for
from tinygrad_relu.ops.table import ZERO, op

mask_bytes = Draw(lambda rng, shape: rng.integers(0, 256, shape, dtype=np.uint8))


@op(
    Gate(),
    domain=[
        *elementwise(real, real, real, real, real),
        case(real(2, 3), real(2, 3), 0.1, 0.0, 1.0),
        case(real(2, 3), real(2, 3), -0.1, 0.5, 0.0),
    ],
    signal=lambda spare_g, control, t0, a0, a1: gate(spare_g, control, t0, a0, a1),
    control=ZERO,
    t0=ZERO,
    a0=lambda g, signal, control, t0: gate(g * signal, control, t0, 1.0, 0.0),
    a1=lambda g, signal, control, t0: gate(g * signal, control, t0, 0.0, 1.0),
)
def gate(signal, control, t0, a0, a1, /):
    """``signal * a1`` where ``control > t0``, and ``signal * a0`` elsewhere.

    Linear in `signal` and in the slopes, flat in `control` and `t0`.  A slope of exactly 0 gives
    exactly 0 whatever the signal, a slope of exactly 1 gives the signal.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.gate(tg.tensor([1.0, 2.0, 3.0]), tg.tensor([-1.0, 0.0, 1.0]), 0.0, 0.5, 1.0)
    tensor([0.5, 1. , 3. ], dtype=float64)
    """


@op(Rectify(), domain=elementwise(real), x=lambda spare_g, y: gate(spare_g, y, 0.0, 0.0, 1.0))
def relu(x, /):
    """Rectify: `x` where ``x > 0``, else +0.0.

    The derivative at 0 is 0, as in PyTorch and JAX, unless another one is chosen.  What is kept for it is
    the output, which the next layer keeps anyway, and not the input.

    Parameters
    ----------
    x : Tensor
    slope_at_kink : float, optional
        By keyword: the derivative at exactly 0, from 0 to 1; by default that of `set_kink_slope`.
    inplace : bool
        Accepted as in PyTorch, and without effect.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> x = tg.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    >>> tg.relu(x).sum().backward()
    >>> x.grad
    tensor([0., 0., 1.], dtype=float64)
    >>> tg.autograd.grad(tg.relu(x, slope_at_kink=0.5).sum(), x)
    (tensor([0. , 0.5, 1. ], dtype=float64),)
    """


@relu.widened
def relu_with_slope(x, *, slope_at_kink=None, inplace=False):
    """Answer for `relu` where a slope at the kink is chosen.

    The gate has slope 0 there; what it lacks is added where `x` is 0, and has the value 0.
    """
    if slope_at_kink is None and relu.diversion is None:
        return relu(x)
    x = x if isinstance(x, Tensor) else Tensor(x)
    if x.dtype.kind != "f":
        return Tensor(rectified(x.detach().numpy()))
    slope = slope_for(x, slope_at_kink)
    y = gate(x, x, 0.0, 0.0, 1.0)
    at_kink = x == 0
    return y + slope * where(at_kink, x, 0.0) if slope and at_kink.any() else y


FOLLOWERS[relu] = relu_with_slope


@op(
    RectifyWithMask(),
    domain=[case(real(2, 3), mask_bytes(1)), case(real(5, 4), mask_bytes(3))],
    x=lambda spare_g, mask: apply_mask(spare_g, mask),
    mask=ZERO,
)
def rectify_with_mask(x, mask, /):
    """``relu(x)``, writing into `mask` what `relu_with_mask` gives, and keeping nothing else."""


@op(
    ApplyMask(),
    domain=[case(real(2, 3), mask_bytes(1)), case(real(5, 4), mask_bytes(3))],
    signal=lambda spare_g, mask: apply_mask(spare_g, mask),
    mask=ZERO,
)
def apply_mask(signal, mask, /):
    """`signal` where the bit of the mask is 1, else +0.0; see `relu_with_mask`."""


@checked_call
def relu_with_mask(x):
    """``relu(x)`` and one bit for each element, which is all that is kept for its derivative.

    `relu` keeps its output, which costs nothing if the next layer keeps it anyway, as `linear` does.
    Where it does not, this form saves 31/32 of that memory in float32, and 63/64 in float64.

    Returns
    -------
    y : Tensor
        As of `relu`, with the same derivative.
    mask : Tensor of uint8, of shape ``((x.size + 7) // 8,)``
        A bit for each element in C order, the lowest bit of a byte first: 1 where ``x > 0`` or `x` is
        NaN.  ``kernels.unpacked_mask(mask.numpy(), x.shape)`` gives it as booleans.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> y, mask = tg.relu_with_mask(tg.tensor([-1.0, 2.0, 0.0, 3.0]))
    >>> y, mask
    (tensor([0., 2., 0., 3.], dtype=float64), tensor([10], dtype=uint8))
    """
    x = x if isinstance(x, Tensor) else Tensor(x)
    mask = Tensor(np.zeros(mask_size(x.numel()), np.uint8))
    y = rectify_with_mask(x, mask)
    # One bit cannot tell 0 from what is below it, so that another slope at 0 needs `x`.
    return y if relu.diversion is None else relu(x), mask


@checked_call
def thresholded_relu(x, t0, a0=0.0, a1=1.0):
    """``x * a1`` where ``x > t0``, and ``x * a0`` elsewhere.

    Parameters
    ----------
    x : Tensor
    t0 : Tensor or float
        The threshold, broadcastable against `x`.  The function jumps there, so that `t0` gets no
        gradient: its derivative is 0 wherever it exists.
    a0, a1 : Tensor or float
        The slopes, broadcastable against `x`; differentiable.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.thresholded_relu(tg.tensor([-2.0, 1.0, 3.0]), t0=1.0, a0=0.1, a1=2.0)
    tensor([-0.2,  0.1,  6. ], dtype=float64)
    """
    return gate(x, x, t0, a0, a1)


@checked_call
def leaky_relu(x, negative_slope=0.01):
    """`x` where ``x > 0``, else ``x * negative_slope``, which is also the slope at 0.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.leaky_relu(tg.tensor([-2.0, 3.0]), negative_slope=0.5)
    tensor([-1.,  3.], dtype=float64)
    """
    return gate(x, x, 0.0, negative_slope, 1.0)


@checked_call
def prelu(x, weight):
    """`x` where ``x > 0``, else ``x * weight``: leaky ReLU with a learned slope.

    Parameters
    ----------
    x : Tensor
        With channels along axis 1, or along axis 0 if there is only one axis.
    weight : Tensor
        One slope, or one for each channel.

    Notes
    -----
    He, Zhang, Ren and Sun, "Delving deep into rectifiers", 2015.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.prelu(tg.tensor([[-2.0, -2.0]]), tg.tensor([0.1, 0.5]))
    tensor([[-0.2, -1. ]], dtype=float64)
    """
    weight = weight if isinstance(weight, Tensor) else Tensor(weight)
    if weight.size != 1:
        channels = x.shape[min(1, x.ndim - 1)] if x.ndim else 1
        if weight.ndim != 1 or weight.size != channels:
            raise ShapeError(
                f"prelu: weight has shape {weight.shape}, and x of shape {x.shape} has {channels} "
                f"channels: pass one slope, or {channels} of them in one axis"
            )
        weight = weight.reshape(-1, *[1] * (x.ndim - 2))
    return gate(x, x, 0.0, weight, 1.0)


@checked_call
def threshold(x, threshold, value):
    """`x` where ``x > threshold``, else `value`, as PyTorch's ``threshold``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.threshold(tg.tensor([-2.0, 1.0, 3.0]), 1.0, 20.0)
    tensor([20., 20.,  3.], dtype=float64)
    """
    return where(x <= threshold, value, x)


