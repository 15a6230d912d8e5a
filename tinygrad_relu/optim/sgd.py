"""Stochastic gradient descent."""

from tinygrad_relu.engine import checked_signature
from tinygrad_relu.errors import ArgumentError
from tinygrad_relu.kernels.update import remembered, settings_of, sgd, states_of
from tinygrad_relu.optim.groups import INFINITY, check_numbers, check_switches
from tinygrad_relu.optim.optimizer import Optimizer

SETTINGS = ("lr", "momentum", "dampening", "weight_decay")


class SGD(Optimizer):
    """Gradient descent with momentum and weight decay, in PyTorch's form.

    Parameters
    ----------
    params : iterable of Tensor, of (str, Tensor) or of dict
        See `Optimizer`.
    lr : float, default 1e-3
        The rate: how far to go down the gradient.
    momentum : float, default 0
        How much of the last step to keep.
    dampening : float, default 0
        How much less than all of the gradient enters the momentum, after the first step.
    weight_decay : float, default 0
        Adds ``weight_decay * p`` to the gradient.
    nesterov : bool, default False
        Look ahead along the momentum.
    maximize : bool, default False
        Go up the gradient instead of down.
    foreach, fused : bool, optional
        Accepted as in PyTorch, and without effect: a step is one pass over each parameter anyway.

    Notes
    -----
    Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and momentum in deep
    learning", 2013, with PyTorch's place of the rate: it multiplies the velocity where it is used.

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

    update = staticmethod(sgd)

    @checked_signature
    def __init__(self, params, lr=1e-3, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False,
                 *, maximize=False, foreach=None, fused=None):
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
            "nesterov": nesterov, "maximize": maximize,
        })

    def check(self, settings):
        check_numbers(
            self, lr=(settings["lr"], 0, INFINITY), momentum=(settings["momentum"], 0, INFINITY),
            dampening=(settings["dampening"], -INFINITY, INFINITY),
            weight_decay=(settings["weight_decay"], 0, INFINITY),
        )
        check_switches(self, settings, "nesterov", "maximize")
        if settings["nesterov"] and (settings["momentum"] == 0 or settings["dampening"] != 0):
            raise ArgumentError(
                "SGD: nesterov looks ahead along a momentum: set momentum, too, and no dampening"
            )

    def arrays_of(self, group):
        return ["momentum_buffer"] if group["momentum"] else []

    def prepared(self, group):
        arrays, gradients = self.opened(group)
        lr, momentum, dampening, decay = settings_of(group, SETTINGS)
        states, memories, velocities, shares = [], {}, None, None
        if momentum:
            states = states_of(self.state, group["params"], gradients)
            # The first gradient becomes the velocity whole.
            shares = [1 - dampening if state and "momentum_buffer" in state else 1.0 for state in states]
            velocities = remembered(arrays, states, "momentum_buffer")
            memories["momentum_buffer"] = velocities
        return states, memories, (
            arrays, gradients, velocities, shares, lr, momentum, decay, group["nesterov"],
            group["maximize"],
        )
