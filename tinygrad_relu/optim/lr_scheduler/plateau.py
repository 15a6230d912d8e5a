"""Lowering the rate when nothing gets better."""

import math

from tinygrad_relu.engine import checked_signature
from tinygrad_relu.errors import ArgumentError, RangeError
from tinygrad_relu.optim.lr_scheduler.scheduler import (
    LRScheduler,
    check_between,
    check_whole,
    checked_optimizer,
    one_for_each,
)


class ReduceLROnPlateau(LRScheduler):
    """Multiplies the rates by `factor` when a measure has not got better for `patience` epochs.

    Parameters
    ----------
    optimizer : Optimizer
    mode : {'min', 'max'}
        Whether less is better, or more.
    factor : float, default 0.1
        Less than 1.
    patience : int, default 10
    threshold : float, default 1e-4
        By how much it has to get better to count.
    threshold_mode : {'rel', 'abs'}
        Whether that is a share of the best one so far, or a difference.
    cooldown : int, default 0
        How many epochs to wait after the rates were lowered.
    min_lr : float or list of float, default 0
        One for all groups, or one for each.
    eps : float, default 1e-8
        A change of a rate that is not larger is left out.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> optimizer = tg.optim.SGD([tg.tensor([1.0], requires_grad=True)], lr=1.0)
    >>> scheduler = tg.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> rates = []
    >>> for loss in (3.0, 2.0, 2.0, 2.0, 2.0):
    ...     scheduler.step(loss)
    ...     rates += scheduler.get_last_lr()
    >>> rates
    [1.0, 1.0, 1.0, 0.5, 0.5]
    """

    @checked_signature
    def __init__(self, optimizer, mode="min", factor=0.1, patience=10, threshold=1e-4,
                 threshold_mode="rel", cooldown=0, min_lr=0.0, eps=1e-8):
        self.optimizer = checked_optimizer(self, optimizer)
        check_between(self, 0, math.inf, factor=factor, threshold=threshold, eps=eps)
        check_whole(self, 0, patience=patience, cooldown=cooldown)
        if factor >= 1:
            raise RangeError(f"ReduceLROnPlateau: factor is {factor}: it is less than 1")
        for name, value, allowed in (
            ("mode", mode, ("min", "max")), ("threshold_mode", threshold_mode, ("rel", "abs"))
        ):
            if value not in allowed:
                raise ArgumentError(
                    f"ReduceLROnPlateau: {name} is {value!r}: it is {allowed[0]!r} or {allowed[1]!r}"
                )
        self.min_lrs = one_for_each(self, "min_lr", min_lr, optimizer)
        self.mode, self.factor, self.patience, self.cooldown = mode, factor, patience, cooldown
        self.threshold, self.threshold_mode, self.eps = threshold, threshold_mode, eps
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = self.last_epoch = 0
        self._last_lr = [group["lr"] for group in optimizer.param_groups]

    def is_better(self, value):
        """Tell whether a measure is better than the best one so far; NaN is not."""
        sign = -1 if self.mode == "min" else 1
        if self.threshold_mode == "rel":
            bound = self.best * (1 + sign * self.threshold)
        else:
            bound = self.best + sign * self.threshold
        return value < bound if self.mode == "min" else value > bound

    def step(self, metrics):
        """Take note of the measure of an epoch, such as the loss on what was held back.

        Parameters
        ----------
        metrics : float or Tensor of one element
        """
        try:
            value = float(metrics)
        except (TypeError, ValueError) as error:
            raise ArgumentError(
                f"ReduceLROnPlateau.step: metrics is {metrics!r:.60}: it is one number"
            ) from error
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            raise ArgumentError(
                f"ReduceLROnPlateau: the optimizer has {len(groups)} groups, and had {len(self.min_lrs)} "
                "when the scheduler was made: make a new one"
            )
        self.last_epoch += 1
        if self.is_better(value):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            for group, least in zip(groups, self.min_lrs):
                lowered = max(group["lr"] * self.factor, least)
                if group["lr"] - lowered > self.eps:
                    group["lr"] = lowered
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = [group["lr"] for group in groups]
