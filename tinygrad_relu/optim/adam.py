"""Adam and AdamW."""

from tinygrad_relu.engine import checked_signature
from tinygrad_relu.kernels.update import adam, next_steps, remembered, settings_of, states_of
from tinygrad_relu.optim.groups import INFINITY, check_betas, check_numbers, check_switches
from tinygrad_relu.optim.optimizer import Optimizer

SETTINGS = ("lr", "betas", "eps", "weight_decay")


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
        states = states_of(self.state, group["params"], gradients)
        settings = settings_of(group, SETTINGS)
        steps = next_steps(states)
        means = remembered(arrays, states, "exp_avg")
        squares = remembered(arrays, states, "exp_avg_sq")
        memories, largest = {"step": steps, "exp_avg": means, "exp_avg_sq": squares}, None
        if group["amsgrad"]:
            largest = memories["max_exp_avg_sq"] = remembered(arrays, states, "max_exp_avg_sq")
        return states, memories, (
            arrays, gradients, means, squares, largest, steps, *settings,
            group["decoupled_weight_decay"], group["maximize"],
        )


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
