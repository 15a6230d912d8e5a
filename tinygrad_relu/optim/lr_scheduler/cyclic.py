"""Rates that go up and down between two bounds, again and again."""

import math

from tinygrad_relu.engine import checked_signature
from tinygrad_relu.errors import ArgumentError
from tinygrad_relu.optim.lr_scheduler.scheduler import (
    LRScheduler,
    check_between,
    check_momentum,
    check_whole,
    checked_optimizer,
    one_for_each,
    set_momentum,
)

#: How high a peak is, as a share of the first one: by the cycle (from 1 on), or by the step.
HEIGHTS = {
    "triangular": ("cycle", lambda gamma, cycle: 1.0),
    "triangular2": ("cycle", lambda gamma, cycle: 0.5 ** (cycle - 1)),
    "exp_range": ("iterations", lambda gamma, step: gamma**step),
}


class CyclicLR(LRScheduler):
    """Moves the rates evenly from `base_lr` up to `max_lr` and back, in cycles; a step a batch.

    Parameters
    ----------
    optimizer : Optimizer
    base_lr, max_lr : float or list of float
        One for all groups, or one for each.
    step_size_up : int, default 2000
        How many steps a rise takes.
    step_size_down : int, optional
        How many steps the way back takes; as many as the rise by default.
    mode : {'triangular', 'triangular2', 'exp_range'}
        Peaks of one height, of half the height at each cycle, or of ``gamma ** step`` of it.
    gamma : float, default 1
    scale_fn : callable, optional
        In the place of `mode`: returns the height of the peak, of 1, of the cycle (from 1 on) or step.
    scale_mode : {'cycle', 'iterations'}
        Which of the two `scale_fn` is called with.
    cycle_momentum : bool, default True
        Move the momentum, or the first of betas, against the rate.
    base_momentum, max_momentum : float or list of float, default 0.8 and 0.9
    last_epoch : int, default -1
        See `LRScheduler`.

    Notes
    -----
    Smith, "Cyclical learning rates for training neural networks", 2017.  A `scale_fn` is not in the
    state that is saved.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> optimizer = tg.optim.SGD([tg.tensor([1.0], requires_grad=True)], lr=1.0, momentum=0.9)
    >>> scheduler = tg.optim.lr_scheduler.CyclicLR(optimizer, 1.0, 3.0, step_size_up=2)
    >>> rates = []
    >>> for step in range(6):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [1.0, 2.0, 3.0, 2.0, 1.0, 2.0]
    """

    @checked_signature
    def __init__(self, optimizer, base_lr, max_lr, step_size_up=2000, step_size_down=None,
                 mode="triangular", gamma=1.0, scale_fn=None, scale_mode="cycle", cycle_momentum=True,
                 base_momentum=0.8, max_momentum=0.9, last_epoch=-1):
        checked_optimizer(self, optimizer)
        step_size_down = step_size_up if step_size_down is None else step_size_down
        check_whole(self, step_size_up=step_size_up, step_size_down=step_size_down)
        check_between(self, 0, math.inf, gamma=gamma)
        if scale_fn is None and mode not in HEIGHTS:
            raise ArgumentError(f"CyclicLR: mode is {mode!r}: it is one of {', '.join(HEIGHTS)}")
        if scale_mode not in ("cycle", "iterations"):
            raise ArgumentError(f"CyclicLR: scale_mode is {scale_mode!r}: it is 'cycle' or 'iterations'")
        if cycle_momentum:
            check_momentum(self, optimizer)
        self.step_size_up, self.step_size_down = step_size_up, step_size_down
        self.mode, self.gamma, self.cycle_momentum = mode, gamma, bool(cycle_momentum)
        self._scale_fn, self._scale_mode = scale_fn, scale_mode
        extremes = [
            one_for_each(self, name, value, optimizer) for name, value in (
                ("base_lr", base_lr), ("max_lr", max_lr),
                ("base_momentum", base_momentum), ("max_momentum", max_momentum),
            )
        ]
        for values in extremes:
            for value in values:
                check_between(self, 0, math.inf, **{"a rate or momentum": value})
        lowest, self.max_lrs, self.base_momentums, self.max_momentums = extremes
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, lowest):
                group["lr"] = group["initial_lr"] = rate
        super().__init__(optimizer, last_epoch)

    def height(self):
        """Return where this step is between the bounds: 0 at the lower one, 1 at the first peak."""
        length = self.step_size_up + self.step_size_down
        cycle, place = divmod(self.last_epoch, length)
        rising = place <= self.step_size_up
        share = place / self.step_size_up if rising else (length - place) / self.step_size_down
        by, scale = HEIGHTS.get(self.mode, (None, None))
        if self._scale_fn is not None:
            by, scale = self._scale_mode, lambda gamma, at: self._scale_fn(at)
        return share * scale(self.gamma, cycle + 1 if by == "cycle" else self.last_epoch)

    def get_lr(self):
        height = self.height()
        return [low + (high - low) * height for low, high in zip(self.base_lrs, self.max_lrs)]

    def set_rates(self, rates):
        super().set_rates(rates)
        if self.cycle_momentum:
            height = self.height()
            bounds = zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums)
            for group, low, high in bounds:
                set_momentum(group, high - (high - low) * height)

    def state_dict(self):
        state = super().state_dict()
        del state["_scale_fn"]
        return state
