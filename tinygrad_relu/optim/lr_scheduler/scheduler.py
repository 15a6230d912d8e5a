"""`LRScheduler`: what all schedules share."""

import numpy as np

from tinygrad_relu.errors import ArgumentError, GraphError, RangeError, StateError
from tinygrad_relu.optim.optimizer import Optimizer


class LRScheduler:
    """Sets the rates of an optimizer's groups, anew at each `step`.

    Parameters
    ----------
    optimizer : Optimizer
    last_epoch : int, default -1
        How many steps were taken before, less one.  From 0 on the groups have to know their
        ``initial_lr``, as those of a loaded optimizer do, and rates are left as they are.

    Notes
    -----
    One of your own is a subclass whose method `get_lr` returns a list with a rate for each group.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> class Inverse(tg.optim.lr_scheduler.LRScheduler):
    ...     def get_lr(self):
    ...         return [base / (1 + self.last_epoch) for base in self.base_lrs]
    >>> optimizer = tg.optim.SGD([tg.tensor([1.0], requires_grad=True)], lr=0.6)
    >>> scheduler = Inverse(optimizer)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.3]
    """

    def __init__(self, optimizer, last_epoch=-1):
        self.optimizer = checked_optimizer(self, optimizer)
        for k, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise ArgumentError(
                    f"{type(self).__name__}: last_epoch is {last_epoch}, and group {k} of the optimizer "
                    "has no 'initial_lr': load the optimizer's state first, or leave last_epoch out"
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.begin(last_epoch)

    def begin(self, last_epoch=-1):
        """Take the step that belongs to making the scheduler."""
        self.last_epoch = last_epoch
        self._step_count = 0
        self.step()

    @property
    def beginning(self):
        """bool: Whether no step was taken after that of `begin`."""
        return self._step_count == 1

    def step(self):
        """Set the rates of the next epoch, or batch: call it after the step of the optimizer."""
        self._step_count += 1
        self.last_epoch += 1
        try:
            self.set_rates(self.get_lr())
        except BaseException:
            self._step_count -= 1
            self.last_epoch -= 1
            raise

    def restart(self):
        """Set the rates as at step 0, whatever they are now."""
        self.last_epoch = 0
        self.set_rates(self.get_lr())

    def set_rates(self, rates):
        """Give each group its rate."""
        groups = self.optimizer.param_groups
        if len(groups) != len(rates):
            raise GraphError(
                f"{type(self).__name__}: the optimizer has {len(groups)} groups, and had {len(rates)} "
                "when the scheduler was made: make a new one"
            )
        for group, rate in zip(groups, rates):
            group["lr"] = rate
        self._last_lr = list(rates)

    def get_lr(self):
        """Return the rates at `last_epoch`; a subclass says how.  What is set is in `get_last_lr`."""
        raise NotImplementedError(f"{type(self).__name__} has no get_lr(): write one in the subclass")

    def get_last_lr(self):
        """Return the rates that were set last, one for each group."""
        return list(self._last_lr)

    def state_dict(self):
        """Return all that the scheduler remembers, without the optimizer."""
        return {name: value for name, value in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state_dict):
        """Take over what `state_dict` gave; the rates are in the state of the optimizer."""
        self.check_state(state_dict)
        self.take_state(state_dict)

    def check_state(self, state):
        """Raise if `state` is not one of such a scheduler, and change nothing."""
        title = f"{type(self).__name__}.load_state_dict"
        if not isinstance(state, dict):
            raise StateError(
                f"{title}: a {type(state).__name__} was given: pass what state_dict() returned"
            )
        own = self.state_dict()
        lacking = [name for name in own if name not in state]
        if lacking:
            raise StateError(
                f"{title}: {', '.join(lacking)} is missing: was it another kind of scheduler's?"
            )
        for name, value in own.items():
            if kind_of(state[name]) != kind_of(value):
                raise StateError(
                    f"{title}: {name} is {state[name]!r:.60}, and has to be of the kind of {value!r:.60}"
                )
        if len(state.get("base_lrs", ())) != len(own.get("base_lrs", ())):
            raise StateError(
                f"{title}: the state is of {len(state['base_lrs'])} groups, and there are "
                f"{len(own['base_lrs'])}"
            )

    def take_state(self, state):
        """Take over a state that was checked."""
        for name in self.state_dict():
            value = state[name]
            setattr(self, name, list(value) if isinstance(value, list) else value)


def kind_of(value):
    """Return what sort of setting a value is: a number may be whole or not."""
    if isinstance(value, (bool, np.bool_)):
        return "switch"
    if value is None or isinstance(value, (int, float, np.number)):
        return "number"
    return "list" if isinstance(value, (list, tuple)) else type(value).__name__


def checked_optimizer(scheduler, optimizer):
    """Return an optimizer, or raise if it is none."""
    if not isinstance(optimizer, Optimizer):
        raise ArgumentError(
            f"{type(scheduler).__name__}: optimizer is a {type(optimizer).__name__}: pass one of optim"
        )
    return optimizer


def check_whole(scheduler, least=1, **settings):
    """Raise if a setting is no whole number, or less than `least`."""
    for name, value in settings.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            raise ArgumentError(f"{type(scheduler).__name__}: {name} is {value!r}: it is a whole number")
        if value < least:
            raise RangeError(f"{type(scheduler).__name__}: {name} is {value}: it is at least {least}")


def check_between(scheduler, low, high, **settings):
    """Raise if a setting is no number, or does not lie from `low` to `high`."""
    for name, value in settings.items():
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
            raise ArgumentError(f"{type(scheduler).__name__}: {name} is {value!r}: it is a number")
        if not low <= value <= high:
            raise RangeError(
                f"{type(scheduler).__name__}: {name} is {value}: it lies between {low} and {high}"
            )


def check_momentum(scheduler, optimizer):
    """Raise if an optimizer has no momentum that could be moved."""
    if not optimizer.defaults.keys() & {"momentum", "betas"}:
        raise ArgumentError(
            f"{type(scheduler).__name__}: {type(optimizer).__name__} has no momentum: set "
            "cycle_momentum=False"
        )


def set_momentum(group, momentum):
    """Set the momentum of a group, or the first of its betas."""
    if "betas" in group:
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum


def one_for_each(scheduler, name, value, optimizer):
    """Return a setting for each group of an optimizer from one for all, or a list of them."""
    count = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [value] * count
    if len(value) != count:
        raise ArgumentError(
            f"{type(scheduler).__name__}: {name} has {len(value)} items, and there are {count} groups"
        )
    return list(value)
