"""Schedules that multiply the first rate by a factor for each epoch."""

import math

from tinygrad_relu.engine import checked_signature
from tinygrad_relu.errors import ArgumentError, RangeError
from tinygrad_relu.optim.lr_scheduler.scheduler import (
    LRScheduler,
    check_between,
    check_whole,
    one_for_each,
)


class FactorLR(LRScheduler):
    """Multiplies rates by what its factor has changed by, so that several can be in use at once."""

    def factor_at(self, epoch):
        """Return what the first rate is multiplied by at an epoch, from 0 on."""
        raise NotImplementedError

    def get_lr(self):
        now = self.factor_at(self.last_epoch)
        if self.beginning:
            # A loaded optimizer has the rate of this epoch already.
            change = now if self.last_epoch == 0 else 1.0
        else:
            before = self.factor_at(self.last_epoch - 1)
            change = 1.0 if now == before or before == 0 else now / before
        return [group["lr"] * change for group in self.optimizer.param_groups]

    def restart(self):
        self.last_epoch = 0
        self.set_rates([base * self.factor_at(0) for base in self.base_lrs])


class StepLR(FactorLR):
    """Multiplies the rates by `gamma` after each `step_size` epochs.

    Parameters
    ----------
    optimizer : Optimizer
    step_size : int
    gamma : float, default 0.1
    last_epoch : int, default -1
        See `LRScheduler`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> optimizer = tg.optim.SGD([tg.tensor([1.0], requires_grad=True)], lr=1.0)
    >>> scheduler = tg.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> rates = []
    >>> for epoch in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    @checked_signature
    def __init__(self, optimizer, step_size, gamma=0.1, last_epoch=-1):
        check_whole(self, step_size=step_size)
        check_between(self, 0, math.inf, gamma=gamma)
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def factor_at(self, epoch):
        return self.gamma ** (epoch // self.step_size)


class MultiStepLR(FactorLR):
    """Multiplies the rates by `gamma` at each of the epochs that are given.

    Parameters
    ----------
    optimizer : Optimizer
    milestones : list of int
        One that is there twice counts twice.
    gamma : float, default 0.1
    last_epoch : int, default -1
        See `LRScheduler`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> optimizer = tg.optim.SGD([tg.tensor([1.0], requires_grad=True)], lr=1.0)
    >>> scheduler = tg.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[1, 3], gamma=0.5)
    >>> rates = []
    >>> for epoch in range(4):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [1.0, 0.5, 0.5, 0.25]
    """

    @checked_signature
    def __init__(self, optimizer, milestones, gamma=0.1, last_epoch=-1):
        check_between(self, 0, math.inf, gamma=gamma)
        self.milestones = checked_milestones(self, milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def factor_at(self, epoch):
        return self.gamma ** sum(milestone <= epoch for milestone in self.milestones)


class ExponentialLR(FactorLR):
    """Multiplies the rates by `gamma` at each epoch.

    Parameters
    ----------
    optimizer : Optimizer
    gamma : float
    last_epoch : int, default -1
        See `LRScheduler`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> optimizer = tg.optim.SGD([tg.tensor([1.0], requires_grad=True)], lr=1.0)
    >>> scheduler = tg.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    @checked_signature
    def __init__(self, optimizer, gamma, last_epoch=-1):
        check_between(self, 0, math.inf, gamma=gamma)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def factor_at(self, epoch):
        return self.gamma ** epoch


class ConstantLR(FactorLR):
    """Multiplies the first rates by `factor` until `total_iters` epochs are over.

    Parameters
    ----------
    optimizer : Optimizer
    factor : float, default 1/3
        More than 0, at most 1.
    total_iters : int, default 5
    last_epoch : int, default -1
        See `LRScheduler`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> optimizer = tg.optim.SGD([tg.tensor([1.0], requires_grad=True)], lr=1.0)
    >>> scheduler = tg.optim.lr_scheduler.ConstantLR(optimizer, factor=0.25, total_iters=2)
    >>> rates = []
    >>> for epoch in range(3):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [0.25, 0.25, 1.0]
    """

    @checked_signature
    def __init__(self, optimizer, factor=1.0 / 3, total_iters=5, last_epoch=-1):
        check_between(self, 0, 1, factor=factor)
        check_whole(self, 0, total_iters=total_iters)
        if factor == 0:
            raise RangeError("ConstantLR: factor is 0, so no rate could come back from it: it is more")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def factor_at(self, epoch):
        return self.factor if epoch < self.total_iters else 1.0


class LinearLR(FactorLR):
    """Moves the rates evenly from `start_factor` to `end_factor` of the first ones: a warm-up.

    Parameters
    ----------
    optimizer : Optimizer
    start_factor : float, default 1/3
        More than 0, at most 1.
    end_factor : float, default 1
        Between 0 and 1.
    total_iters : int, default 5
        After how many epochs `end_factor` is reached.
    last_epoch : int, default -1
        See `LRScheduler`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> optimizer = tg.optim.SGD([tg.tensor([1.0], requires_grad=True)], lr=1.0)
    >>> scheduler = tg.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> rates = []
    >>> for epoch in range(4):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [0.5, 0.75, 1.0, 1.0]
    """

    @checked_signature
    def __init__(self, optimizer, start_factor=1.0 / 3, end_factor=1.0, total_iters=5, last_epoch=-1):
        check_between(self, 0, 1, start_factor=start_factor, end_factor=end_factor)
        check_whole(self, total_iters=total_iters)
        if start_factor == 0:
            raise RangeError("LinearLR: start_factor is 0, so no rate could grow from it: it is more")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def factor_at(self, epoch):
        share = min(epoch, self.total_iters) / self.total_iters
        return self.start_factor * (1 - share) + self.end_factor * share


class PolynomialLR(FactorLR):
    """Lowers the rates to 0 as ``(1 - epoch / total_iters) ** power``.

    Parameters
    ----------
    optimizer : Optimizer
    total_iters : int, default 5
    power : float, default 1
    last_epoch : int, default -1
        See `LRScheduler`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> optimizer = tg.optim.SGD([tg.tensor([1.0], requires_grad=True)], lr=1.0)
    >>> scheduler = tg.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=2, power=2.0)
    >>> rates = []
    >>> for epoch in range(4):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [1.0, 0.25, 0.0, 0.0]
    """

    @checked_signature
    def __init__(self, optimizer, total_iters=5, power=1.0, last_epoch=-1):
        check_whole(self, total_iters=total_iters)
        check_between(self, 0, math.inf, power=power)
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def factor_at(self, epoch):
        return (1 - min(epoch, self.total_iters) / self.total_iters) ** self.power


class LambdaLR(LRScheduler):
    """Multiplies the first rates by what a function of the epoch returns.

    Parameters
    ----------
    optimizer : Optimizer
    lr_lambda : callable or list of callable
        One for all groups, or one for each.
    last_epoch : int, default -1
        See `LRScheduler`.

    Notes
    -----
    Functions are not in the state that is saved; of objects that can be called, their attributes are.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> optimizer = tg.optim.SGD([tg.tensor([1.0], requires_grad=True)], lr=1.0)
    >>> scheduler = tg.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    @checked_signature
    def __init__(self, optimizer, lr_lambda, last_epoch=-1):
        functions = lr_lambda if isinstance(lr_lambda, (list, tuple)) else [lr_lambda]
        for function in functions:
            if not callable(function):
                raise ArgumentError(
                    f"{type(self).__name__}: lr_lambda is a {type(function).__name__}: pass a function "
                    "of the epoch"
                )
        self.lr_lambdas = one_for_each(self, "lr_lambda", lr_lambda, optimizer)
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        return [base * f(self.last_epoch) for base, f in zip(self.base_lrs, self.lr_lambdas)]

    def state_dict(self):
        """Return all that the scheduler remembers, without the optimizer and functions."""
        attributes = [
            None if callable_is_plain(f) else dict(vars(f)) for f in self.lr_lambdas
        ]
        return {**super().state_dict(), "lr_lambdas": attributes}

    def take_state(self, state):
        functions = self.lr_lambdas
        super().take_state(state)
        self.lr_lambdas = functions
        for function, attributes in zip(functions, state["lr_lambdas"]):
            if attributes is not None:
                vars(function).update(attributes)


class MultiplicativeLR(LambdaLR):
    """Multiplies the rates at each epoch, from the second on, by what a function of it returns.

    Parameters
    ----------
    optimizer : Optimizer
    lr_lambda : callable or list of callable
        One for all groups, or one for each.
    last_epoch : int, default -1
        See `LRScheduler`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> optimizer = tg.optim.SGD([tg.tensor([1.0], requires_grad=True)], lr=1.0)
    >>> scheduler = tg.optim.lr_scheduler.MultiplicativeLR(optimizer, lambda epoch: 1 / epoch)
    >>> rates = []
    >>> for epoch in range(4):
    ...     rates.append(round(scheduler.get_last_lr()[0], 3))
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [1.0, 1.0, 0.5, 0.167]
    """

    def get_lr(self):
        rates = [group["lr"] for group in self.optimizer.param_groups]
        if self.beginning:
            return rates
        return [rate * f(self.last_epoch) for rate, f in zip(rates, self.lr_lambdas)]

    def restart(self):
        self.last_epoch = 0
        self.set_rates(list(self.base_lrs))


def callable_is_plain(function):
    """Tell whether what is called has no attributes of its own to save."""
    return isinstance(function, type(lambda: None)) or not hasattr(function, "__dict__")


def checked_milestones(scheduler, milestones):
    """Return epochs as a list, in order, or raise if they are none."""
    if not isinstance(milestones, (list, tuple)):
        raise ArgumentError(
            f"{type(scheduler).__name__}: milestones is a {type(milestones).__name__}: pass a list"
        )
    for k, milestone in enumerate(milestones):
        check_whole(scheduler, 0, **{f"milestones[{k}]": milestone})
    return sorted(milestones)
