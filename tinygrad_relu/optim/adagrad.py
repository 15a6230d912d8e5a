"""Adagrad."""

import numpy as np

from tinygrad_relu.engine import checked_signature
from tinygrad_relu.kernels.update import adagrad, next_steps, remembered, settings_of, states_of
from tinygrad_relu.optim.groups import INFINITY, check_numbers, check_switches
from tinygrad_relu.optim.optimizer import Optimizer

SETTINGS = ("lr", "lr_decay", "eps", "weight_decay")


class Adagrad(Optimizer):
    """Steps in proportion to the gradient over the root of the sum of all squares so far.

    Parameters
    ----------
    params : iterable of Tensor, of (str, Tensor) or of dict
        See `Optimizer`.
    lr : float, default 1e-2
    lr_decay : float, default 0
        The rate of step `t` is ``lr / (1 + (t - 1) * lr_decay)``.
    weight_decay : float, default 0
        Adds ``weight_decay * p`` to the gradient.
    initial_accumulator_value : float, default 0
        What the sums of squares begin with.
    eps : float, default 1e-10
        Added to the root, so that nothing is divided by 0.
    maximize : bool, default False
        Go up the gradient instead of down.
    foreach, fused : bool, optional
        Accepted as in PyTorch, and without effect.

    Notes
    -----
    Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic
    optimization", 2011, in PyTorch's form.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> w = tg.tensor([4.0], requires_grad=True)
    >>> optimizer = tg.optim.Adagrad([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> round(w.item(), 6)
    3.5
    """

    numbers = ("step",)
    update = staticmethod(adagrad)

    @checked_signature
    def __init__(self, params, lr=1e-2, lr_decay=0.0, weight_decay=0.0, initial_accumulator_value=0.0,
                 eps=1e-10, *, maximize=False, foreach=None, fused=None):
        super().__init__(params, {
            "lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value, "eps": eps, "maximize": maximize,
        })

    def check(self, settings):
        check_numbers(self, **{
            name: (settings[name], 0, INFINITY)
            for name in ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")
        })
        check_switches(self, settings, "maximize")

    def add_param_group(self, param_group):
        """Add a group of parameters; see `Optimizer`."""
        super().add_param_group(param_group)
        # PyTorch has the sums there from the beginning, also in what it saves.
        group = self.param_groups[-1]
        for p in group["params"]:
            begin = np.full(p.shape, group["initial_accumulator_value"], p.dtype)
            self.state[p].update(step=0, sum=begin)

    def arrays_of(self, group):
        return ["sum"]

    def prepared(self, group):
        arrays, gradients = self.opened(group)
        states = states_of(self.state, group["params"], gradients)
        sums, steps = remembered(arrays, states, "sum"), next_steps(states)
        return states, {"step": steps, "sum": sums}, (
            arrays, gradients, sums, steps, *settings_of(group, SETTINGS), group["maximize"],
        )
