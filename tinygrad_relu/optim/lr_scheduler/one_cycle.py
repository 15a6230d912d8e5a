"""One cycle of rates and momenta over a whole training."""

import math

from tinygrad_relu.engine import checked_signature
from tinygrad_relu.errors import ArgumentError, RangeError
from tinygrad_relu.optim.lr_scheduler.scheduler import (
    LRScheduler,
    check_between,
    check_momentum,
    check_whole,
    checked_optimizer,
    one_for_each,
    set_momentum,
)


class OneCycleLR(LRScheduler):
    """Raises the rates to `max_lr`, and lowers them again far below where they began; a step a batch.

    Parameters
    ----------
    optimizer : Optimizer
    max_lr : float or list of float
        One for all groups, or one for each.
    total_steps : int, optional
        How many steps there will be, or:
    epochs, steps_per_epoch : int, optional
        their product.
    pct_start : float, default 0.3
        The share of steps in which rates rise.
    anneal_strategy : {'cos', 'linear'}
    cycle_momentum : bool, default True
        Move the momentum, or the first of betas, against the rate.
    base_momentum, max_momentum : float or list of float, default 0.85 and 0.95
    div_factor : float, default 25
        The first rate is ``max_lr / div_factor``.
    final_div_factor : float, default 1e4
        The last rate is the first one divided by this.
    three_phase : bool, default False
        Go down as fast as up, and then on to the last rate.
    last_epoch : int, default -1
        See `LRScheduler`.

    Notes
    -----
    Smith and Topin, "Super-convergence: very fast training of neural networks using large learning
    rates", 2019, in PyTorch's form.  The step after the last one keeps the last rate (PyTorch goes on
    along the curve), and one more raises.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> optimizer = tg.optim.Adam([tg.tensor([1.0], requires_grad=True)])
    >>> scheduler = tg.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
    >>> rates = []
    >>> for step in range(5):
    ...     rates.append(round(scheduler.get_last_lr()[0], 3))
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [0.04, 0.52, 1.0, 0.95, 0.812]
    """

    @checked_signature
    def __init__(self, optimizer, max_lr, total_steps=None, epochs=None, steps_per_epoch=None,
                 pct_start=0.3, anneal_strategy="cos", cycle_momentum=True, base_momentum=0.85,
                 max_momentum=0.95, div_factor=25.0, final_div_factor=1e4, three_phase=False,
                 last_epoch=-1):
        checked_optimizer(self, optimizer)
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ArgumentError("OneCycleLR: give total_steps, or epochs and steps_per_epoch")
            check_whole(self, epochs=epochs, steps_per_epoch=steps_per_epoch)
            total_steps = epochs * steps_per_epoch
        check_whole(self, total_steps=total_steps)
        check_between(self, 0, 1, pct_start=pct_start)
        check_between(self, 1e-300, math.inf, div_factor=div_factor, final_div_factor=final_div_factor)
        if anneal_strategy not in ("cos", "linear"):
            raise ArgumentError(
                f"OneCycleLR: anneal_strategy is {anneal_strategy!r}: it is 'cos' or 'linear'"
            )
        if cycle_momentum:
            check_momentum(self, optimizer)
        self.total_steps, self.anneal_strategy = total_steps, anneal_strategy
        self.cycle_momentum = bool(cycle_momentum)
        self.phases = phases_of(total_steps, pct_start, three_phase)
        extremes = [
            one_for_each(self, name, value, optimizer) for name, value in
            (("max_lr", max_lr), ("base_momentum", base_momentum), ("max_momentum", max_momentum))
        ]
        for values in extremes:
            for value in values:
                check_between(self, 0, math.inf, **{"a rate or momentum": value})
        if last_epoch == -1:
            self.mark(optimizer, div_factor, final_div_factor, *extremes)
        super().__init__(optimizer, last_epoch)

    def mark(self, optimizer, div_factor, final_div_factor, rates, bases, momenta):
        """Put the extremes into the groups, where they are saved with the optimizer."""
        for group, rate, base, momentum in zip(optimizer.param_groups, rates, bases, momenta):
            first = rate / div_factor
            group.update(initial_lr=first, max_lr=rate, min_lr=first / final_div_factor)
            if self.cycle_momentum:
                group.update(base_momentum=base, max_momentum=momentum)

    def between(self, group, quantity):
        """Return where between the extremes of a group "lr" or "momentum" is at this step."""
        start = 0.0
        for phase in self.phases:
            if self.last_epoch <= phase["end"] or phase is self.phases[-1]:
                break
            start = phase["end"]
        length = phase["end"] - start
        share = min((self.last_epoch - start) / length, 1.0) if length else 1.0
        begin, end = (group[name] for name in phase[quantity])
        if self.anneal_strategy == "linear":
            return begin + (end - begin) * share
        return end + (begin - end) / 2 * (1 + math.cos(math.pi * share))

    def get_lr(self):
        if self.last_epoch > self.total_steps:
            raise RangeError(
                f"OneCycleLR: {self.total_steps} steps were announced, and one more is asked for: make "
                "the scheduler with the number of all batches of all epochs"
            )
        return [self.between(group, "lr") for group in self.optimizer.param_groups]

    def set_rates(self, rates):
        super().set_rates(rates)
        for group in self.optimizer.param_groups if self.cycle_momentum else ():
            set_momentum(group, self.between(group, "momentum"))


def phases_of(total_steps, pct_start, three_phase):
    """Return when each phase ends, and what rate and momentum go from and to in it."""
    up = {
        "end": float(pct_start * total_steps) - 1,
        "lr": ["initial_lr", "max_lr"], "momentum": ["max_momentum", "base_momentum"],
    }
    back = {
        "end": float(2 * pct_start * total_steps) - 2,
        "lr": ["max_lr", "initial_lr"], "momentum": ["base_momentum", "max_momentum"],
    }
    end = total_steps - 1
    if three_phase:
        low = {"end": end, "lr": ["initial_lr", "min_lr"], "momentum": ["max_momentum", "max_momentum"]}
        return [up, back, low]
    return [up, {"end": end, "lr": ["max_lr", "min_lr"], "momentum": ["base_momentum", "max_momentum"]}]
