"""Schedules one after the other, and at the same time."""

from bisect import bisect_right

from tinygrad_relu.engine import checked_signature
from tinygrad_relu.errors import ArgumentError, StateError
from tinygrad_relu.optim.lr_scheduler.factors import checked_milestones
from tinygrad_relu.optim.lr_scheduler.plateau import ReduceLROnPlateau
from tinygrad_relu.optim.lr_scheduler.scheduler import LRScheduler, checked_optimizer


class SeveralSchedulers(LRScheduler):
    """What is made of other schedulers of one optimizer, and saved with them."""

    def hold(self, schedulers, optimizer):
        """Keep schedulers, or raise if one cannot take part."""
        name = type(self).__name__
        for k, scheduler in enumerate(schedulers):
            if not isinstance(scheduler, LRScheduler) or isinstance(scheduler, ReduceLROnPlateau):
                raise ArgumentError(
                    f"{name}: schedulers[{k}] is a {type(scheduler).__name__}: pass schedulers whose "
                    "step() needs no argument"
                )
            if scheduler.optimizer is not optimizer:
                raise ArgumentError(f"{name}: schedulers[{k}] is one of another optimizer")
        self.optimizer, self._schedulers = optimizer, list(schedulers)

    def state_dict(self):
        """Return all that the schedulers remember, without the optimizer."""
        return {**super().state_dict(), "_schedulers": [s.state_dict() for s in self._schedulers]}

    def check_state(self, state):
        super().check_state(state)
        if len(state["_schedulers"]) != len(self._schedulers):
            raise StateError(
                f"{type(self).__name__}.load_state_dict: the state is of {len(state['_schedulers'])} "
                f"schedulers, and there are {len(self._schedulers)}"
            )
        for scheduler, part in zip(self._schedulers, state["_schedulers"]):
            scheduler.check_state(part)

    def take_state(self, state):
        schedulers = self._schedulers
        super().take_state(state)
        self._schedulers = schedulers
        for scheduler, part in zip(schedulers, state["_schedulers"]):
            scheduler.take_state(part)


class SequentialLR(SeveralSchedulers):
    """Follows one scheduler after the other; each begins anew at its milestone.

    Parameters
    ----------
    optimizer : Optimizer
    schedulers : list of LRScheduler
        All of this optimizer.
    milestones : list of int
        The epochs at which the second scheduler begins, the third, and so on.
    last_epoch : int, default -1
        See `LRScheduler`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> from tinygrad_relu.optim.lr_scheduler import ExponentialLR, LinearLR, SequentialLR
    >>> optimizer = tg.optim.SGD([tg.tensor([1.0], requires_grad=True)], lr=1.0)
    >>> warm_up = LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> scheduler = SequentialLR(optimizer, [warm_up, ExponentialLR(optimizer, 0.5)], milestones=[2])
    >>> rates = []
    >>> for epoch in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [0.5, 0.75, 1.0, 0.5, 0.25]
    """

    @checked_signature
    def __init__(self, optimizer, schedulers, milestones, last_epoch=-1):
        self.optimizer = checked_optimizer(self, optimizer)
        self._milestones = checked_milestones(self, milestones)
        if not isinstance(schedulers, (list, tuple)) or len(schedulers) != len(milestones) + 1:
            raise ArgumentError("SequentialLR: there is one scheduler more than there are milestones")
        self.hold(schedulers, self.optimizer)
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        self.begin(last_epoch)

    def begin(self, last_epoch=-1):
        self.last_epoch = last_epoch + 1
        # The others have taken a step when they were made: they will begin anew.
        first = self._schedulers[bisect_right(self._milestones, 0)]
        first.begin()
        self._last_lr = first.get_last_lr()

    def step(self):
        """Set the rates of the next epoch, by the scheduler whose turn it is."""
        epoch = self.last_epoch + 1
        turn = bisect_right(self._milestones, epoch)
        scheduler = self._schedulers[turn]
        if turn and self._milestones[turn - 1] == epoch:
            scheduler.restart()
        else:
            scheduler.step()
        self.last_epoch = epoch
        self._last_lr = scheduler.get_last_lr()

    def restart(self):
        self.last_epoch = 0
        first = self._schedulers[bisect_right(self._milestones, 0)]
        first.restart()
        self._last_lr = first.get_last_lr()


class ChainedScheduler(SeveralSchedulers):
    """Steps several schedulers at once: each changes the rates that the one before has left.

    Parameters
    ----------
    schedulers : list of LRScheduler
        All of one optimizer.
    optimizer : Optimizer, optional
        That of the schedulers.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> from tinygrad_relu.optim.lr_scheduler import ChainedScheduler, ConstantLR, ExponentialLR
    >>> optimizer = tg.optim.SGD([tg.tensor([1.0], requires_grad=True)], lr=1.0)
    >>> scheduler = ChainedScheduler([ConstantLR(optimizer, 0.25, 2), ExponentialLR(optimizer, 0.5)])
    >>> rates = []
    >>> for epoch in range(4):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [0.25, 0.125, 0.25, 0.125]
    """

    @checked_signature
    def __init__(self, schedulers, optimizer=None):
        if not isinstance(schedulers, (list, tuple)) or not schedulers:
            raise ArgumentError("ChainedScheduler: schedulers is a list of one or more")
        optimizer = getattr(schedulers[0], "optimizer", None) if optimizer is None else optimizer
        self.hold(schedulers, checked_optimizer(self, optimizer))
        self._last_lr = [group["lr"] for group in optimizer.param_groups]

    def begin(self, last_epoch=-1):
        for scheduler in self._schedulers:
            scheduler.begin(last_epoch)
        self._last_lr = self._schedulers[-1].get_last_lr()

    def step(self):
        """Set the rates of the next epoch, by all schedulers in their order."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = self._schedulers[-1].get_last_lr()

    def restart(self):
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        self.begin()
