"""Stochastic gradient descent."""

from tinygrad_relu.engine import checked_signature, open_for_update
from tinygrad_relu.errors import ArgumentError
from tinygrad_relu.kernels.update import sgd
from tinygrad_relu.optim.optimizer import Optimizer, checked


class SGD(Optimizer):
    """Gradient descent with momentum and weight decay, in PyTorch's form.

    Parameters
    ----------
    params : iterable of Tensor
    lr : float, default 1e-3
        The rate: how far to go down the gradient.
    momentum : float, default 0
        How much of the last step to keep.
    weight_decay : float, default 0
        Adds ``weight_decay * p`` to the gradient.
    nesterov : bool, default False
        Look ahead along the momentum.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> w = tg.tensor([4.0], requires_grad=True)
    >>> optimizer = tg.optim.SGD([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.tolist()
    [2.0]
    """

    @checked_signature
    def __init__(self, params, lr=1e-3, momentum=0.0, weight_decay=0.0, nesterov=False):
        super().__init__(params)
        infinity = float("inf")
        checked(
            self, lr=(lr, 0, infinity), momentum=(momentum, 0, infinity),
            weight_decay=(weight_decay, 0, infinity),
        )
        if nesterov and momentum == 0:
            raise ArgumentError("SGD: nesterov looks ahead along a momentum: set momentum, too")
        self.lr, self.momentum, self.weight_decay, self.nesterov = lr, momentum, weight_decay, nesterov
        self.velocities = self.remembered() if momentum else [None] * len(self.params)

    def step(self):
        """Update each parameter that has a gradient."""
        arrays, gradients = open_for_update(self.params)
        sgd(
            arrays, gradients, self.velocities,
            self.lr, self.momentum, self.weight_decay, self.nesterov,
        )
