"""Adam."""

from tinygrad_relu.engine import checked_signature, open_for_update
from tinygrad_relu.errors import ArgumentError
from tinygrad_relu.kernels.update import adam
from tinygrad_relu.optim.optimizer import Optimizer, checked


class Adam(Optimizer):
    """Steps in proportion to the mean of the gradient over the root of its mean square.

    Parameters
    ----------
    params : iterable of Tensor
    lr : float, default 1e-3
    betas : tuple of two floats, default (0.9, 0.999)
        How much of the running mean and of the running mean square to keep at each step.
    eps : float, default 1e-8
        Added to the root, so that nothing is divided by 0.
    weight_decay : float, default 0
        Adds ``weight_decay * p`` to the gradient.

    Notes
    -----
    Kingma and Ba, "Adam: a method for stochastic optimization", 2015, in PyTorch's form.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> w = tg.tensor([4.0], requires_grad=True)
    >>> optimizer = tg.optim.Adam([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> round(w.item(), 6)
    3.5
    """

    decoupled = False       # whether the decay goes past the running means

    @checked_signature
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(params)
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise ArgumentError(f"{type(self).__name__}: betas are {betas!r}: they are two numbers")
        infinity = float("inf")
        checked(
            self, lr=(lr, 0, infinity), beta1=(betas[0], 0, 1), beta2=(betas[1], 0, 1),
            eps=(eps, 0, infinity), weight_decay=(weight_decay, 0, infinity),
        )
        self.lr, self.betas, self.eps, self.weight_decay = lr, tuple(betas), eps, weight_decay
        self.means, self.squares = self.remembered(), self.remembered()
        self.steps = [0] * len(self.params)

    def step(self):
        """Update each parameter that has a gradient."""
        arrays, gradients = open_for_update(self.params)
        adam(
            arrays, gradients, self.means, self.squares, self.steps,
            self.lr, *self.betas, self.eps, self.weight_decay, self.decoupled,
        )


class AdamW(Adam):
    """`Adam` whose weight decay shrinks the parameters themselves, by ``lr * weight_decay`` a step.

    In `Adam` the decay is a part of the gradient, and is divided by its root mean square like it.

    Parameters
    ----------
    params : iterable of Tensor
    lr, betas, eps
        As in `Adam`.
    weight_decay : float, default 0.01

    Notes
    -----
    Loshchilov and Hutter, "Decoupled weight decay regularization", 2019.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> w = tg.tensor([4.0], requires_grad=True)
    >>> optimizer = tg.optim.AdamW([w], lr=0.5, weight_decay=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> round(w.item(), 6)
    3.3
    """

    decoupled = True

    @checked_signature
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(params, lr, betas, eps, weight_decay)
