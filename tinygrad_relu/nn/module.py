"""`Module`: what has parameters, buffers and other modules, and computes in `forward`."""

from types import MappingProxyType

import numpy as np

from tinygrad_relu.engine import Tensor, checked_call, forget_gradients
from tinygrad_relu.errors import ArgumentError, DTypeError
from tinygrad_relu.nn.hooks import ModuleHooks
from tinygrad_relu.nn.parameter import Parameter
from tinygrad_relu.nn.saved_state import SavedState
from tinygrad_relu.nn.settings import truth
from tinygrad_relu.ops import conversion


class Module(SavedState):
    """What has parameters and other modules as attributes, and computes in `forward`.

    A `Parameter` that is assigned to an attribute is one of the parameters, a module one of the
    children, both by their type alone.  Buffers, which are tensors that are saved but not trained, are
    named by `register_buffer`.

    Attributes
    ----------
    training : bool
        Whether layers such as `Dropout` do what they do in training; see `train` and `eval`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> class Line(tg.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.slope = tg.nn.Parameter([2.0])
    ...
    ...     def forward(self, x):
    ...         return x * self.slope
    >>> line = Line()
    >>> line(tg.tensor([3.0])).item()
    6.0
    >>> [name for name, _ in line.named_parameters()]
    ['slope']
    """

    # What a module has until it is told otherwise: so nothing is amiss where a subclass forgets
    # ``super().__init__()``.
    training = True
    _hooks = None
    _persistence = MappingProxyType({})     # for each name of a buffer whether it is saved

    def __init__(self):
        pass

    def __call__(self, *inputs, **options):
        if self._hooks is None:
            return self.forward(*inputs, **options)
        return self._hooks.call(self, inputs, options)

    def forward(self, *inputs, **options):
        """Compute the output; a subclass says how."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(): write one in the subclass")

    def joined_with(self, following, x):
        """Return what this module and the one that follows make of `x` in one pass, or None."""
        return None

    def is_plainly(self, kind):
        """Tell whether calling this module does what `kind` says, and nothing else."""
        return type(self) is kind and self._hooks is None and "forward" not in self.__dict__

    # ------------------------------------------------------------------------------- attributes

    def __setattr__(self, name, value):
        if isinstance(value, (Parameter, Module)):
            self._check_name("assignment", name)
            self._forget_buffer(name)
        elif value is not None:
            self._check_kept(name, value)
        super().__setattr__(name, value)

    def __delattr__(self, name):
        super().__delattr__(name)
        self._forget_buffer(name)

    def _check_kept(self, name, value):
        """Raise if a parameter, module or buffer would give way to what is none."""
        held = self.__dict__.get(name)
        where = f"{type(self).__name__}.{name}"
        if isinstance(held, Parameter):
            raise ArgumentError(
                f"{where} is a parameter, a {type(value).__name__} would be none: "
                "assign a Parameter or None, or change its values under no_grad()"
            )
        if isinstance(held, Module):
            raise ArgumentError(
                f"{where} is a module, a {type(value).__name__} would be none: assign a module or None, "
                "or delete it first"
            )
        if name in self._persistence and not isinstance(value, Tensor):
            raise ArgumentError(
                f"{where} is a buffer, a {type(value).__name__} would be none: assign a tensor or None, "
                "or delete it first"
            )

    def _check_name(self, title, name):
        if not isinstance(name, str):
            raise ArgumentError(f"{title}: the name is a {type(name).__name__}: it is a string")
        if not name or "." in name:
            raise ArgumentError(f"{title}: the name is {name!r}: it is not empty, and has no dot in it")
        if hasattr(Module, name):
            raise ArgumentError(
                f"{title}: {type(self).__name__}.{name} is something that every module has: choose "
                "another name"
            )

    def _check_free(self, title, name, kind):
        """Raise if there is an attribute of the name that is no `kind`, which would be lost."""
        self._check_name(title, name)
        held = self.__dict__.get(name)
        if held is not None and not isinstance(held, kind):
            raise ArgumentError(f"{title}: {type(self).__name__} has {name} already: delete it first")
        if name not in self.__dict__ and hasattr(type(self), name):
            raise ArgumentError(
                f"{title}: {type(self).__name__}.{name} is an attribute of the class: choose another name"
            )

    def _forget_buffer(self, name):
        if name in self._persistence:
            kept = {other: saved for other, saved in self._persistence.items() if other != name}
            super().__setattr__("_persistence", kept)

    @checked_call
    def register_parameter(self, name, param):
        """Set an attribute to a Parameter, or to None."""
        self._check_free("register_parameter", name, Parameter)
        if param is not None and not isinstance(param, Parameter):
            raise ArgumentError(
                f"register_parameter: {name} is a {type(param).__name__}: pass a Parameter or None"
            )
        setattr(self, name, param)

    @checked_call
    def register_module(self, name, module):
        """Set an attribute to a module, or to None."""
        self._check_free("register_module", name, Module)
        if module is not None and not isinstance(module, Module):
            raise ArgumentError(
                f"register_module: {name} is a {type(module).__name__}: pass a module or None"
            )
        setattr(self, name, module)

    add_module = register_module

    @checked_call
    def register_buffer(self, name, tensor, persistent=True):
        """Set an attribute to a tensor that is saved, cast and copied with the module, but not trained.

        Parameters
        ----------
        name : str
        tensor : Tensor or None
        persistent : bool
            Whether it is in the `state_dict`.

        Examples
        --------
        >>> import tinygrad_relu as tg
        >>> module = tg.nn.Module()
        >>> module.register_buffer("steps", tg.tensor(0))
        >>> module.state_dict()
        {'steps': tensor(0, dtype=int64)}
        """
        if not (isinstance(name, str) and name in self._persistence):
            self._check_free("register_buffer", name, ())
        if tensor is not None and not isinstance(tensor, Tensor):
            raise ArgumentError(
                f"register_buffer: {name} is a {type(tensor).__name__}: pass a tensor or None"
            )
        super().__setattr__(name, tensor)
        super().__setattr__("_persistence", {**self._persistence, name: bool(persistent)})

    # --------------------------------------------------------------------------- what there is

    @property
    def _parameters(self):
        """mapping: The parameters of this module itself, to be read."""
        return MappingProxyType(
            {name: value for name, value in vars(self).items() if isinstance(value, Parameter)}
        )

    @property
    def _buffers(self):
        """mapping: The buffers of this module itself, to be read."""
        return MappingProxyType({name: self.__dict__.get(name) for name in self._persistence})

    @property
    def _modules(self):
        """mapping: The modules that are attributes of this one, to be read."""
        return MappingProxyType(
            {name: value for name, value in vars(self).items() if isinstance(value, Module)}
        )

    def children(self):
        """Yield each module that is an attribute of this one, once."""
        for _, child in self.named_children():
            yield child

    def named_children(self):
        """Yield each module that is an attribute of this one, once, with its name."""
        seen = set()
        for name, child in self._modules.items():
            if id(child) not in seen:
                seen.add(id(child))
                yield name, child

    def modules(self):
        """Yield this module and all those within it, each once."""
        for _, module in self.named_modules():
            yield module

    def named_modules(self, memo=None, prefix="", remove_duplicate=True):
        """Yield this module and all those within it with their names, those of children as ``a.b``.

        Parameters
        ----------
        memo : set, optional
            Modules that are left out.
        prefix : str
            The name of this module.
        remove_duplicate : bool
            Whether a module that is there several times is yielded once only.
        """
        memo = set() if memo is None else memo
        if remove_duplicate:
            if self in memo:
                return
            memo.add(self)
        yield prefix, self
        for name, child in self._modules.items():
            yield from child.named_modules(memo, joined(prefix, name), remove_duplicate)

    def _members(self, tensors_of, prefix, recurse, remove_duplicate):
        """Yield the tensors that ``tensors_of(module)`` names, of this module or of all."""
        seen = set()
        modules = [(prefix, self)]
        if recurse:
            modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
        for path, module in modules:
            for name, tensor in tensors_of(module).items():
                if tensor is None or id(tensor) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(tensor))
                yield joined(path, name), tensor

    def named_parameters(self, prefix="", recurse=True, remove_duplicate=True):
        """Yield each parameter with its name, those of children as ``child.name``.

        Parameters
        ----------
        prefix : str
            Put before each name, and a dot.
        recurse : bool
            Whether those of the children are yielded, too.
        remove_duplicate : bool
            Whether a parameter that has several names is yielded once only.
        """
        yield from self._members(lambda module: module._parameters, prefix, recurse, remove_duplicate)

    def parameters(self, recurse=True):
        """Yield each parameter once."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(self, prefix="", recurse=True, remove_duplicate=True):
        """Yield each buffer with its name; see `named_parameters`."""
        yield from self._members(lambda module: module._buffers, prefix, recurse, remove_duplicate)

    def buffers(self, recurse=True):
        """Yield each buffer once."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def get_submodule(self, target):
        """Return the module of a name such as ``"encoder.0"``; this one for ``""``."""
        if not isinstance(target, str):
            raise ArgumentError(f"get_submodule: target is a {type(target).__name__}: pass a name")
        module = self
        for name in filter(None, target.split(".")):
            found = module.__dict__.get(name)
            if not isinstance(found, Module):
                raise ArgumentError(
                    f"get_submodule: {target!r}: {type(module).__name__} has no module {name!r}: it has "
                    f"{', '.join(module._modules) or 'none'}"
                )
            module = found
        return module

    def get_parameter(self, target):
        """Return the parameter of a name such as ``"encoder.0.weight"``."""
        return self._member("get_parameter", "parameter", target, lambda module: module._parameters)

    def get_buffer(self, target):
        """Return the buffer of a name such as ``"encoder.0.running_mean"``."""
        return self._member("get_buffer", "buffer", target, lambda module: module._buffers)

    def _member(self, title, kind, target, tensors_of):
        if not isinstance(target, str):
            raise ArgumentError(f"{title}: target is a {type(target).__name__}: pass a name")
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        found = tensors_of(module)
        if found.get(name) is None:
            raise ArgumentError(
                f"{title}: {target!r}: {type(module).__name__} has no {kind} {name!r}: it has "
                f"{', '.join(found) or 'none'}"
            )
        return found[name]

    # ------------------------------------------------------------------------------------ modes

    def train(self, mode=True):
        """Say that this module and all within it are training, or not, and return it."""
        mode = truth("train", "mode", mode)
        for module in self.modules():
            module.training = mode
        return self

    def eval(self):
        """Say that this module and all within it are not training, and return it."""
        return self.train(False)

    def apply(self, function):
        """Call ``function(module)`` for all modules, the children first, and return this one."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def requires_grad_(self, requires_grad=True):
        """Say whether the parameters are trained, and return the module."""
        truth("requires_grad_", "requires_grad", requires_grad)
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none=True):
        """Forget the gradients of all parameters, or set them to 0."""
        forget_gradients(self.parameters(), set_to_none)

    # ----------------------------------------------------------------------------------- dtypes

    @checked_call
    def to(self, *targets, dtype=None, device=None, non_blocking=False):
        """Cast parameters, their gradients and buffers, in place, and return the module.

        Parameters
        ----------
        *targets
            A floating dtype, a device, both, or a tensor whose dtype is meant.
        dtype : dtype, optional
            Tensors of integers keep theirs.
        device : str, optional
            ``"cpu"``: there is no other.

        Examples
        --------
        >>> import tinygrad_relu as tg
        >>> tg.nn.Linear(2, 1).to(tg.float32).weight.dtype
        dtype('float32')
        """
        def cast(tensor):
            return conversion.to(tensor.detach(), *targets, dtype=dtype, device=device)

        wanted = cast(Tensor(0.0)).dtype
        if wanted.kind != "f":
            raise DTypeError(f"to: a module was to be cast to {wanted}: pass a floating dtype")
        for tensor in [*self.parameters(), *self.buffers()]:
            values = cast(tensor)
            if tensor.dtype.kind == "f" and values.dtype != tensor.dtype:
                gradient, tensor.grad = tensor.grad, None
                tensor.data = values
                tensor.grad = None if gradient is None else cast(gradient)
        return self

    def double(self):
        """Cast parameters and buffers to float64, and return the module."""
        return self.to(np.float64)

    def float(self):
        """Cast parameters and buffers to float32, which is what PyTorch calls float."""
        return self.to(np.float32)

    def half(self):
        """Cast parameters and buffers to float16, and return the module."""
        return self.to(np.float16)

    def cpu(self):
        """Return the module: there is no other device."""
        return self

    def cuda(self, device=None):
        """Raise: there is no such device."""
        return self.to("cuda")

    # ------------------------------------------------------------------------------------ hooks

    def _add_hook(self, *arguments):
        hooks = self._hooks or ModuleHooks()
        handle = hooks.add(*arguments)
        self._hooks = hooks
        return handle

    @checked_call
    def register_forward_pre_hook(self, hook, prepend=False, with_kwargs=False):
        """Call ``hook(module, inputs)`` before each `forward`.

        Parameters
        ----------
        hook : callable
            Is given the arguments as a tuple, and returns others or None.  `with_kwargs`, it is
            ``hook(module, inputs, keywords)`` and returns both or None.
        prepend : bool
            Whether it is called before the hooks that there are, rather than after them.
        with_kwargs : bool

        Returns
        -------
        RemovableHandle
            Its ``remove()`` takes the hook away.
        """
        return self._add_hook("before", hook, prepend, with_kwargs)

    @checked_call
    def register_forward_hook(self, hook, prepend=False, with_kwargs=False):
        """Call ``hook(module, inputs, output)`` after each `forward`; it returns another output or None.

        Examples
        --------
        >>> import tinygrad_relu as tg
        >>> layer = tg.nn.ReLU()
        >>> handle = layer.register_forward_hook(lambda module, inputs, output: output + 1)
        >>> layer(tg.tensor([-1.0])).item()
        1.0
        >>> handle.remove()
        >>> layer(tg.tensor([-1.0])).item()
        0.0
        """
        return self._add_hook("after", hook, prepend, with_kwargs)

    @checked_call
    def register_full_backward_pre_hook(self, hook, prepend=False):
        """Call ``hook(module, grad_output)`` when the gradients of the outputs are known.

        It returns others, or None.
        """
        return self._add_hook("backward_before", hook, prepend)

    @checked_call
    def register_full_backward_hook(self, hook, prepend=False):
        """Call ``hook(module, grad_input, grad_output)`` when the gradients of the inputs are known.

        Both are tuples, with None for what is no tensor or gets no gradient.  Those of inputs are of the
        arguments by position.  The hook returns another `grad_input`, or None.

        Examples
        --------
        >>> import tinygrad_relu as tg
        >>> layer = tg.nn.Linear(2, 1)
        >>> handle = layer.register_full_backward_hook(lambda module, into, out: print(out))
        >>> layer(tg.ones(1, 2)).sum().backward()
        (tensor([[1.]], dtype=float64),)
        """
        return self._add_hook("backward_after", hook, prepend)

    # ----------------------------------------------------------------------------------- words

    def extra_repr(self):
        """Return what stands between the parentheses in the repr of a layer."""
        return ""

    def _child_lines(self):
        """Return the repr of each child behind its name."""
        return [f"({name}): {child!r}" for name, child in self._modules.items()]

    def __repr__(self):
        head, extra = type(self).__name__, self.extra_repr()
        lines = self._child_lines()
        if not lines:
            return f"{head}({extra})"
        lines = [f"  {line}".replace("\n", "\n  ") for line in (*extra.splitlines(), *lines)]
        return "\n".join([f"{head}(", *lines, f")  # {self._census()}"])

    def _census(self):
        """Return how many numbers are trained, in words."""
        sizes = [(parameter.numel(), parameter.requires_grad) for parameter in self.parameters()]
        count = sum(size for size, _ in sizes)
        frozen = sum(size for size, trained in sizes if not trained)
        words = f"{count:,} parameter{'' if count == 1 else 's'}"
        return f"{words}, {frozen:,} of them frozen" if frozen else words


def joined(path, name):
    """Return the name of something within the module of a name."""
    return f"{path}.{name}" if path else name
