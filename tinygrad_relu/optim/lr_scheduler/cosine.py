"""Schedules that follow a cosine from the first rate down, once or again and again."""

import math
import sys

from tinygrad_relu.engine import checked_signature
from tinygrad_relu.optim.lr_scheduler.scheduler import LRScheduler, check_between, check_whole


class CosineAnnealingLR(LRScheduler):
    """Lowers the rates to `eta_min` in `T_max` epochs, and raises them again in as many, along a cosine.

    Parameters
    ----------
    optimizer : Optimizer
    T_max : int
    eta_min : float, default 0
    last_epoch : int, default -1
        See `LRScheduler`.

    Notes
    -----
    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017, without restarts.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> optimizer = tg.optim.SGD([tg.tensor([1.0], requires_grad=True)], lr=1.0)
    >>> scheduler = tg.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=2)
    >>> rates = []
    >>> for epoch in range(3):
    ...     rates.append(round(scheduler.get_last_lr()[0], 6))
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [1.0, 0.5, 0.0]
    """

    @checked_signature
    def __init__(self, optimizer, T_max, eta_min=0.0, last_epoch=-1):  # noqa: N803, PyTorch's name
        check_whole(self, T_max=T_max)
        check_between(self, 0, math.inf, eta_min=eta_min)
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def height(self, epoch):
        """Return where between the lowest rate and the first one an epoch lies: from 0 to 1."""
        return (1 + math.cos(math.pi * epoch / self.T_max)) / 2

    def get_lr(self):
        rates = [group["lr"] for group in self.optimizer.param_groups]
        if self.beginning:
            return rates
        now, low = self.height(self.last_epoch), self.eta_min
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:
            # At the lowest point nothing is left to be multiplied.
            return [rate + (base - low) * now for rate, base in zip(rates, self.base_lrs)]
        change = now / self.height(self.last_epoch - 1)
        return [low + (rate - low) * change for rate in rates]

    def restart(self):
        self.last_epoch = 0
        self.set_rates(list(self.base_lrs))


class CosineAnnealingWarmRestarts(LRScheduler):
    """Lowers the rates to `eta_min` along a cosine, and begins anew, after more epochs each time.

    Parameters
    ----------
    optimizer : Optimizer
    T_0 : int
        After how many epochs to begin anew for the first time.
    T_mult : int, default 1
        How many times longer each time takes than the one before.
    eta_min : float, default 0
    last_epoch : int, default -1
        See `LRScheduler`.

    Notes
    -----
    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> optimizer = tg.optim.SGD([tg.tensor([1.0], requires_grad=True)], lr=1.0)
    >>> scheduler = tg.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2)
    >>> rates = []
    >>> for epoch in range(4):
    ...     rates.append(round(scheduler.get_last_lr()[0], 6))
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [1.0, 0.5, 1.0, 0.5]
    """

    @checked_signature
    def __init__(self, optimizer, T_0, T_mult=1, eta_min=0.0, last_epoch=-1):  # noqa: N803
        check_whole(self, T_0=T_0, T_mult=T_mult)
        check_between(self, 0, math.inf, eta_min=eta_min)
        self.T_0, self.T_mult, self.eta_min = T_0, T_mult, eta_min
        super().__init__(optimizer, last_epoch)

    def begin(self, last_epoch=-1):
        self.place(max(last_epoch, 0))
        if last_epoch < 0:
            self.T_cur = -1
        super().begin(last_epoch)

    def place(self, epoch):
        """Find out which cycle an epoch lies in, of which length, and how far into it."""
        start, length = 0, self.T_0
        if self.T_mult == 1:
            start = epoch // length * length
        else:
            while epoch - start >= length:
                start, length = start + length, length * self.T_mult
        self.T_i, self.T_cur = length, epoch - start

    def get_lr(self):
        height = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]

    def step(self, epoch=None):
        """Set the rates of the next epoch, or of any: ``scheduler.step(epoch + batch / batches)``."""
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur, self.T_i = self.T_cur - self.T_i, self.T_i * self.T_mult
        else:
            check_between(self, 0, sys.maxsize, epoch=epoch)
            self.place(epoch)
        self._step_count += 1
        self.last_epoch = math.floor(epoch)
        self.set_rates(self.get_lr())

    def restart(self):
        self.place(0)
        super().restart()
