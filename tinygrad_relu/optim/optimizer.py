"""`Optimizer`: what all of them share."""

from collections import defaultdict

from tinygrad_relu.engine import forget_gradients, open_for_update
from tinygrad_relu.engine.hooks import RemovableHandle
from tinygrad_relu.errors import GraphError
from tinygrad_relu.grad_mode import enable_grad
from tinygrad_relu.kernels.update import keep, laid_out
from tinygrad_relu.optim.groups import groups_of, joined_group
from tinygrad_relu.optim.saved_state import packed, parameter_state, unpacked


class Optimizer:
    """Holds parameters in groups, and updates them in place from their ``.grad``.

    Parameters
    ----------
    params : iterable of Tensor, of (str, Tensor) or of dict
        Leaves, float32 or float64, of which one at least requires a gradient; names of them, such as
        ``model.named_parameters()``, are kept.  A dict is a group with settings of its own:
        ``{"params": [...], "lr": 0.1}``.
    defaults : dict
        The settings of a group that does not say otherwise.

    Attributes
    ----------
    param_groups : list of dict
        Settings may be changed between steps: ``optimizer.param_groups[0]["lr"] = 0.01``.
    state : dict
        For each parameter a dict of what is remembered for it: arrays and numbers.

    Notes
    -----
    One of your own is a subclass with a method `step` over `param_groups` and `state`, as in PyTorch.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> class SignDescent(tg.optim.Optimizer):
    ...     def __init__(self, params, lr=0.5):
    ...         super().__init__(params, {"lr": lr})
    ...
    ...     @tg.no_grad()
    ...     def step(self):
    ...         for group in self.param_groups:
    ...             for p in group["params"]:
    ...                 p -= group["lr"] * p.grad.sign()
    >>> w = tg.tensor([3.0, -3.0], requires_grad=True)
    >>> optimizer = SignDescent([w])
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.tolist()
    [2.5, -2.5]
    """

    # What a subclass remembers for each parameter, for the check of what is loaded: names of numbers, and
    # a method that tells the names of arrays.  None where a subclass does not say.
    numbers = ()
    arrays_of = None

    def __init__(self, params, defaults):
        self.defaults = defaults
        self.param_groups = []
        self.state = defaultdict(dict)
        self.before_step, self.after_step = {}, {}
        groups = groups_of(type(self).__name__, params)
        for group in groups:
            self.add_param_group(group)
        if not any(p.requires_grad for group in self.param_groups for p in group["params"]):
            raise GraphError(
                f"{type(self).__name__}: no tensor of params, from params[0] on, requires a gradient, so "
                "nothing would be updated: make them with requires_grad=True"
            )

    def check(self, settings):
        """Raise if the settings of a group are none; a subclass says which are."""

    def add_param_group(self, param_group):
        """Add a group of parameters, such as of layers that are no longer frozen.

        Parameters
        ----------
        param_group : dict
            ``{"params": [...]}``, and settings that differ from those of the optimizer.
        """
        group = joined_group(type(self).__name__, param_group, self.defaults, self.param_groups)
        self.check(group)
        self.param_groups.append(group)

    def zero_grad(self, set_to_none=True):
        """Forget the gradients, so that the next backward pass begins anew, or set them to 0."""
        for group in self.param_groups:
            forget_gradients(group["params"], set_to_none)

    def step(self, closure=None):
        """Update each parameter that has a gradient: all of them, or, if it raises, none.

        Parameters
        ----------
        closure : callable, optional
            Computes gradients anew, and returns the loss, which is returned from here.
        """
        if self.before_step:
            self.call(self.before_step, closure)
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        # First everything that can go wrong, then everything that changes something.
        prepared = [self.prepared(group) for group in self.param_groups]
        for states, memories, arguments in prepared:
            if memories:
                keep(states, memories)
            self.update(*arguments)
        if self.after_step:
            self.call(self.after_step, closure)
        return loss

    def call(self, hooks, closure):
        """Call the hooks of a step."""
        for hook in tuple(hooks.values()):
            hook(self, (closure,), {})

    def prepared(self, group):
        """Return what a step of a group is made of: a subclass says how.

        Returns
        -------
        states : list of dict or None
            Of each parameter, None for one that has no gradient.
        memories : dict of list
            What is to be in the states, by name: what is there already, and what is new.
        arguments : tuple
            Of `update`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no step(): write one in the subclass")

    def opened(self, group):
        """Return the arrays of a group and their gradients, in the same layout."""
        arrays, gradients = open_for_update(group["params"])
        return arrays, laid_out(arrays, gradients)

    def register_step_pre_hook(self, hook):
        """Call ``hook(optimizer, args, kwargs)`` before each step; returns a handle to remove it."""
        return RemovableHandle(self.before_step, hook)

    def register_step_post_hook(self, hook):
        """Call ``hook(optimizer, args, kwargs)`` after each step; returns a handle to remove it."""
        return RemovableHandle(self.after_step, hook)

    def state_dict(self):
        """Return groups and states as plain dicts, with numbers in place of the parameters.

        The form is PyTorch's.  The tensors share memory with the optimizer: save or copy them before the
        next step.
        """
        return packed(self)

    def load_state_dict(self, state_dict):
        """Take over what `state_dict` of such an optimizer gave; copied.

        Groups have to be as many and as long as here, and states of the shapes of the parameters, which
        are taken in order.  If anything does not fit, an error says what, and nothing is changed.
        """
        self.state, self.param_groups[:] = unpacked(self, state_dict)

    def checked_state(self, place, state, parameter, group):
        """Return a copy of the saved state of one parameter, or raise if it is not one for it."""
        return parameter_state(self, place, state, parameter, group)

    def __getstate__(self):
        return {"defaults": self.defaults, "param_groups": self.param_groups, "state": self.state}

    def __setstate__(self, state):
        self.__dict__.update(state, before_step={}, after_step={})

    def __repr__(self):
        lines = [f"{type(self).__name__} ("]
        for number, group in enumerate(self.param_groups):
            lines.append(f"  group {number}: {len(group['params'])} parameters")
            lines += [
                f"    {name}: {group[name]}" for name in sorted(group)
                if name not in ("params", "param_names")
            ]
        return "\n".join([*lines, ")"])
