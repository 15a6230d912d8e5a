"""RMSprop."""

from tinygrad_relu.engine import checked_signature
from tinygrad_relu.kernels.update import next_steps, remembered, rmsprop, settings_of, states_of
from tinygrad_relu.optim.groups import INFINITY, check_numbers, check_switches
from tinygrad_relu.optim.optimizer import Optimizer

SETTINGS = ("lr", "alpha", "eps", "weight_decay", "momentum")


class RMSprop(Optimizer):
    """Steps in proportion to the gradient over the root of its running mean square.

    Parameters
    ----------
    params : iterable of Tensor, of (str, Tensor) or of dict
        See `Optimizer`.
    lr : float, default 1e-2
    alpha : float, default 0.99
        How much of the running mean square to keep at each step.
    eps : float, default 1e-8
        Added to the root, so that nothing is divided by 0.
    weight_decay : float, default 0
        Adds ``weight_decay * p`` to the gradient.
    momentum : float, default 0
        How much of the last step to keep.
    centered : bool, default False
        Divide by the root of the variance instead, which is never less than 0: PyTorch answers NaN
        where rounding makes it so.
    maximize : bool, default False
        Go up the gradient instead of down.
    foreach, fused : bool, optional
        Accepted as in PyTorch, and without effect.

    Notes
    -----
    Hinton, "Neural networks for machine learning", lecture 6e, 2012; centered as in Graves, "Generating
    sequences with recurrent neural networks", 2013; in PyTorch's form.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> w = tg.tensor([4.0], requires_grad=True)
    >>> optimizer = tg.optim.RMSprop([w], lr=0.1, alpha=0.75)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> round(w.item(), 6)
    3.8
    """

    numbers = ("step",)
    update = staticmethod(rmsprop)

    @checked_signature
    def __init__(self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0,
                 centered=False, *, maximize=False, foreach=None, fused=None):
        super().__init__(params, {
            "lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay, "momentum": momentum,
            "centered": centered, "maximize": maximize,
        })

    def check(self, settings):
        check_numbers(
            self, lr=(settings["lr"], 0, INFINITY), alpha=(settings["alpha"], 0, INFINITY),
            eps=(settings["eps"], 0, INFINITY), weight_decay=(settings["weight_decay"], 0, INFINITY),
            momentum=(settings["momentum"], 0, INFINITY),
        )
        check_switches(self, settings, "centered", "maximize")

    def arrays_of(self, group):
        return (
            ["square_avg"] + ["grad_avg"] * bool(group["centered"])
            + ["momentum_buffer"] * (group["momentum"] > 0)
        )

    def prepared(self, group):
        arrays, gradients = self.opened(group)
        states = states_of(self.state, group["params"], gradients)
        # Steps are not needed here, but a part of what PyTorch saves.
        memories = {"step": next_steps(states)}
        for name in self.arrays_of(group):
            memories[name] = remembered(arrays, states, name)
        return states, memories, (
            arrays, gradients, memories["square_avg"], memories.get("grad_avg"),
            memories.get("momentum_buffer"), *settings_of(group, SETTINGS), group["maximize"],
        )
