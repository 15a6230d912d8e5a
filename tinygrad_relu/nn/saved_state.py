"""`SavedState`: the part of a module that gives out its state, takes one over, and tells of both."""

from types import MappingProxyType

from tinygrad_relu.engine import checked_call, checked_signature
from tinygrad_relu.engine.hooks import RemovableHandle
from tinygrad_relu.errors import ArgumentError
from tinygrad_relu.nn.state import EXTRA, load_state


class SavedState:
    """What a `Module` does with state dicts, and the hooks of the user's that see them."""

    _state_hooks = MappingProxyType({})     # for each kind the hooks in their order

    def state_dict(self, destination=None, prefix="", keep_vars=False):
        """Return the parameters and persistent buffers by their names.

        What a module has beside them is what its `get_extra_state` returns, under ``_extra_state``.

        Parameters
        ----------
        destination : dict, optional
            Where they are put.
        prefix : str
            Put before each name.
        keep_vars : bool
            Whether they are the parameters themselves, rather than tensors on the same memory.

        Examples
        --------
        >>> import tinygrad_relu as tg
        >>> model = tg.nn.Sequential(tg.nn.Linear(2, 1), tg.nn.BatchNorm1d(1))
        >>> list(model.state_dict())[:3]
        ['0.weight', '0.bias', '1.weight']
        """
        state = {} if destination is None else destination
        for hook in self._hooks_of("saving"):
            hook(self, prefix, keep_vars)
        for name, tensor in (*self._parameters.items(), *self._buffers.items()):
            if tensor is not None and self._persistence.get(name, True):
                state[prefix + name] = tensor if keep_vars else tensor.detach()
        if self._has_own("get_extra_state"):
            state[prefix + EXTRA] = self.get_extra_state()
        for name, child in self._modules.items():
            child.state_dict(destination=state, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in self._hooks_of("saved"):
            if hook(self, state, prefix, {}) is not None:
                raise ArgumentError(
                    f"{type(self).__name__}.state_dict: a post-hook returned something: change the dict "
                    "that it is given, and return None"
                )
        return state

    @checked_signature
    def load_state_dict(self, state_dict, strict=True, assign=False):
        """Take over the values in a state dict, or raise `StateError` and change nothing.

        Parameters
        ----------
        state_dict : mapping of str to Tensor or array
            As `state_dict` gives it, here or in PyTorch.
        strict : bool
            Whether its names have to be those of this module.  Shapes have to fit in any case.
        assign : bool
            Whether new parameters, which have the dtypes in the state dict, take the place of those
            that there are.

        Returns
        -------
        IncompatibleKeys
            ``(missing_keys, unexpected_keys)``, both empty if it was strict.

        Notes
        -----
        `set_extra_state` is called when all values are in place: what it raises passes, and does not
        take them back.

        Examples
        --------
        >>> import tinygrad_relu as tg
        >>> tg.nn.Linear(2, 1).load_state_dict({"weight": tg.ones(1, 2)}, strict=False)
        IncompatibleKeys(missing_keys=['bias'], unexpected_keys=[])
        """
        return load_state(self, state_dict, strict, assign)

    def get_extra_state(self):
        """Return what is saved beside parameters and buffers; a subclass says what.

        To be saved by `tinygrad_relu.save` it is made of numbers, strings, tensors, dicts, lists and
        tuples.

        Examples
        --------
        >>> import tinygrad_relu as tg
        >>> class Counting(tg.nn.Linear):
        ...     calls = 0
        ...
        ...     def get_extra_state(self):
        ...         return {"calls": self.calls}
        ...
        ...     def set_extra_state(self, state):
        ...         self.calls = state["calls"]
        >>> layer = Counting(2, 1)
        >>> layer.calls = 3
        >>> layer.state_dict()["_extra_state"]
        {'calls': 3}
        >>> other = Counting(2, 1)
        >>> other.load_state_dict(layer.state_dict())
        IncompatibleKeys(missing_keys=[], unexpected_keys=[])
        >>> other.calls
        3
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no get_extra_state(): write one in the subclass"
        )

    def set_extra_state(self, state):
        """Take over what `get_extra_state` returned; a subclass says how."""
        raise NotImplementedError(
            f"{type(self).__name__} has no set_extra_state(): write one in the subclass"
        )

    def _has_own(self, name):
        """Tell whether the class of the module has a method in place of that of all modules."""
        return getattr(type(self), name) is not getattr(SavedState, name)

    # ------------------------------------------------------------------------------------ hooks

    def _hooks_of(self, kind):
        return tuple(self._state_hooks.get(kind, {}).values())

    def _add_state_hook(self, kind, hook):
        if not callable(hook):
            raise ArgumentError(
                f"a hook was to be registered that is a {type(hook).__name__}: pass a function"
            )
        hooks = self._state_hooks.get(kind, {})
        handle = RemovableHandle(hooks, hook)
        object.__setattr__(self, "_state_hooks", {**self._state_hooks, kind: hooks})
        return handle

    @checked_call
    def register_state_dict_pre_hook(self, hook):
        """Call ``hook(module, prefix, keep_vars)`` before `state_dict` looks at the module.

        Returns
        -------
        RemovableHandle
            Its ``remove()`` takes the hook away.
        """
        return self._add_state_hook("saving", hook)

    @checked_call
    def register_state_dict_post_hook(self, hook):
        """Call ``hook(module, state_dict, prefix, local_metadata)`` when `state_dict` has its names.

        It changes `state_dict` in place, and returns None; `local_metadata` is an empty dict.
        """
        return self._add_state_hook("saved", hook)

    @checked_call
    def register_load_state_dict_pre_hook(self, hook):
        """Call a hook before `load_state_dict` compares names, such as one that knows older names.

        Parameters
        ----------
        hook : callable
            ``hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys,
            error_msgs)``.  It changes in place `state_dict`, which is a copy with the names that begin
            with `prefix`, and may add to the lists; what is in `error_msgs` is raised.

        Examples
        --------
        >>> import tinygrad_relu as tg
        >>> def renamed(module, state_dict, prefix, *others):
        ...     state_dict[prefix + "weight"] = state_dict.pop(prefix + "gamma")
        >>> layer = tg.nn.Linear(1, 1, bias=False)
        >>> handle = layer.register_load_state_dict_pre_hook(renamed)
        >>> layer.load_state_dict({"gamma": tg.tensor([[2.0]])})
        IncompatibleKeys(missing_keys=[], unexpected_keys=[])
        >>> layer.weight.item()
        2.0
        """
        return self._add_state_hook("loading", hook)

    @checked_call
    def register_load_state_dict_post_hook(self, hook):
        """Call ``hook(module, incompatible_keys)`` when all values have been loaded.

        It may change the lists that `load_state_dict` returns.  With ``strict=True`` they are empty:
        names that do not fit have raised before anything was loaded, and are mended by a pre-hook.
        """
        return self._add_state_hook("loaded", hook)
