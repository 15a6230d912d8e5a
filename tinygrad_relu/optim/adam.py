"""Adam and AdamW."""

from tinygrad_relu.engine import checked_signature
from tinygrad_relu.kernels.update import adam, remembered
from tinygrad_relu.optim.groups import INFINITY, check_betas, check_numbers, check_switches, numbers_in
from tinygrad_relu.optim.optimizer import Optimizer


class Adam(Optimizer):
    """Steps in proportion to the mean of the gradient over the root of its mean square.

    Parameters
    ----------
    params : iterable of Tensor, of (str, Tensor) or of dict
        See `Optimizer`.
    lr : float, default 1e-3
    betas : tuple of two floats, default (0.9, 0.999)
        How much of the running mean and of the running mean square to keep at each step.
    eps : float, default 1e-8
        Added to the root, so that nothing is divided by 0.
    weight_decay : float, default 0
        Adds ``weight_decay * p`` to the gradient.
    amsgrad : bool, default False
        Divide by the root of the largest mean square so far.
    maximize : bool, default False
        Go up the gradient instead of down.
    decoupled_weight_decay : bool, default False
        As in `AdamW`.
    foreach, fused : bool, optional
        Accepted as in PyTorch, and without effect.

    Notes
    -----
    Kingma and Ba, "Adam: a method for stochastic optimization", 2015, in PyTorch's form; amsgrad is that
    of Reddi, Kale and Kumar, "On the convergence of Adam and beyond", 2018.

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

    numbers = ("step",)
    update = staticmethod(adam)

    @checked_signature
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, amsgrad=False,
                 *, maximize=False, decoupled_weight_decay=False, foreach=None, fused=None):
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad,
            "maximize": maximize, "decoupled_weight_decay": decoupled_weight_decay,
        })

    def check(self, settings):
        check_betas(self, settings["betas"])
        check_numbers(
            self, lr=(settings["lr"], 0, INFINITY), eps=(settings["eps"], 0, INFINITY),
            weight_decay=(settings["weight_decay"], 0, INFINITY),
        )
        check_switches(self, settings, "amsgrad", "maximize", "decoupled_weight_decay")

    def arrays_of(self, group):
        return ["exp_avg", "exp_avg_sq"] + ["max_exp_avg_sq"] * bool(group["amsgrad"])

    def prepared(self, group):
        arrays, gradients = self.opened(group)
        states = self.states_of(group, gradients)
        lr, eps, decay = numbers_in(group, "lr", "eps", "weight_decay")
        check_betas(self, group["betas"])
        memories = {name: remembered(arrays, gradients, states, name) for name in self.arrays_of(group)}
        steps = [0 if state is None else state.get("step", 0) + 1 for state in states]
        arguments = (
            arrays, gradients, memories["exp_avg"], memories["exp_avg_sq"],
            memories.get("max_exp_avg_sq"), steps, lr, *group["betas"], eps, decay,
            bool(group["decoupled_weight_decay"]), bool(group["maximize"]),
        )
        return states, {"step": steps, **memories}, arguments


class AdamW(Adam):
    """`Adam` whose weight decay shrinks the parameters themselves, by ``lr * weight_decay`` a step.

    In `Adam` the decay is a part of the gradient, and is divided by its root mean square like it.

    Parameters
    ----------
    params : iterable of Tensor, of (str, Tensor) or of dict
        See `Optimizer`.
    lr, betas, eps, amsgrad, maximize, foreach, fused
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

    @checked_signature
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01, amsgrad=False,
                 *, maximize=False, foreach=None, fused=None):
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True
        )
