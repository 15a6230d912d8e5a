"""Modules that hold modules or parameters: in a row, in a list, by names."""

from collections.abc import Iterable, Mapping
from itertools import groupby

from tinygrad_relu.engine import Tensor
from tinygrad_relu.errors import ArgumentError, IndexingError
from tinygrad_relu.nn.module import Module
from tinygrad_relu.nn.parameter import Parameter
from tinygrad_relu.ops.operands import whole


class Row(Module):
    """What holds its contents under ``"0"``, ``"1"`` and so on."""

    _kind = Module          # of what it holds

    def _checked(self, position, value):
        """Return what is held for a value, or raise."""
        if not isinstance(value, Module):
            raise ArgumentError(
                f"{type(self).__name__}: item {position} is a {type(value).__name__}: pass modules"
            )
        return value

    def _contents(self):
        return [value for value in vars(self).values() if isinstance(value, self._kind)]

    def _hold(self, values):
        """Hold these values, all of which were checked, and nothing else."""
        for name in [name for name, value in vars(self).items() if isinstance(value, self._kind)]:
            delattr(self, name)
        for position, value in enumerate(values):
            setattr(self, str(position), value)

    def _position(self, index):
        """Return where an index points to, or raise."""
        count, name = len(self), type(self).__name__
        try:
            position = index.__index__()
        except AttributeError:
            raise ArgumentError(
                f"{name}: the index is a {type(index).__name__}: it is a whole number or a slice"
            ) from None
        if not -count <= position < count:
            raise IndexingError(f"{name}: index {position}, and there are {count} items")
        return position % count

    def __len__(self):
        return len(self._contents())

    def __iter__(self):
        return iter(self._contents())

    def __getitem__(self, index):
        if isinstance(index, slice):
            return self._sliced(index)
        return self._contents()[self._position(index)]

    def _sliced(self, index):
        return type(self)(self._contents()[index])

    def __setitem__(self, index, value):
        position = self._position(index)
        # Names need not be those of positions, after a deletion by name.
        name = [name for name, held in vars(self).items() if isinstance(held, self._kind)][position]
        setattr(self, name, self._checked(position, value))

    def __delitem__(self, index):
        contents = self._contents()
        del contents[index if isinstance(index, slice) else self._position(index)]
        self._hold(contents)

    def append(self, value):
        """Put one more at the end, and return the container; the others keep their names."""
        return self.extend([value])

    def insert(self, index, value):
        """Put one before that with the number `index`, and return the container."""
        contents = self._contents()
        at_the_end = isinstance(index, int) and index == len(contents)
        position = index if at_the_end else self._position(index)
        contents.insert(position, self._checked(position, value))
        self._hold(contents)
        return self

    def extend(self, values):
        """Put more at the end, and return the container."""
        contents = self._contents()
        values = self._all_checked(values, len(contents))
        names = [str(position) for position in range(len(contents), len(contents) + len(values))]
        if any(name in vars(self) for name in names):
            self._hold([*contents, *values])
        else:
            for name, value in zip(names, values):
                setattr(self, name, value)
        return self

    def __iadd__(self, values):
        return self.extend(values)

    def pop(self, index=-1):
        """Take one out, and return it."""
        contents = self._contents()
        value = contents.pop(self._position(index))
        self._hold(contents)
        return value

    def _all_checked(self, values, start=0):
        name = type(self).__name__
        if not isinstance(values, Iterable) or isinstance(values, (str, Tensor)):
            raise ArgumentError(f"{name}: a {type(values).__name__} was given: pass a list")
        return [self._checked(position, value) for position, value in enumerate(values, start)]


class Sequential(Row):
    """Modules applied one after the other; a `Linear` and the `ReLU` behind it in one pass.

    Parameters
    ----------
    *modules
        Modules, or one dict of them, whose names they keep.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_relu as tg
    >>> rng = np.random.default_rng(0)
    >>> tg.nn.Sequential(tg.nn.Linear(2, 3, generator=rng), tg.nn.ReLU())
    Sequential(
      (0): Linear(in_features=2, out_features=3, bias=True)
      (1): ReLU()
    )  # 9 parameters
    """

    def __init__(self, *modules):
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                self.register_module(name, self._checked(repr(name), module))
        else:
            self._hold(self._all_checked(modules))

    def forward(self, x):
        modules = [value for value in self.__dict__.values() if isinstance(value, Module)]
        waiting = None
        for module in modules:
            if waiting is not None:
                both = waiting.joined_with(module, x)
                if both is not None:
                    x, waiting = both, None
                    continue
                x = waiting(x)
            waiting = module
        return x if waiting is None else waiting(x)

    def _sliced(self, index):
        return type(self)(dict(list(self._modules.items())[index]))

    def __add__(self, other):
        if not isinstance(other, Sequential):
            return NotImplemented
        return Sequential(*self, *other)

    def __mul__(self, times):
        """Return these modules several times in a row: the same ones, not copies."""
        return Sequential(*self._repeated(times))

    __rmul__ = __mul__

    def __imul__(self, times):
        self._hold(self._repeated(times))
        return self

    def _repeated(self, times):
        return self._contents() * whole(type(self).__name__, "the number of times", times, 1)


class ModuleList(Row):
    """A list of modules, whose parameters are those of the module that it is an attribute of.

    Parameters
    ----------
    modules : iterable of Module, optional

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.ModuleList(tg.nn.Linear(2, 2) for _ in range(3))
    ModuleList(
      (0-2): 3 x Linear(in_features=2, out_features=2, bias=True)
    )  # 18 parameters
    """

    def __init__(self, modules=None):
        super().__init__()
        if modules is not None:
            self._hold(self._all_checked(modules))

    def __add__(self, other):
        return ModuleList([*self, *other])

    def _child_lines(self):
        lines = []
        named = [(name, repr(child)) for name, child in self._modules.items()]
        for text, group in groupby(named, lambda pair: pair[1]):
            names = [name for name, _ in group]
            many = len(names) > 1
            where = f"{names[0]}-{names[-1]}" if many else names[0]
            lines.append(f"({where}): {f'{len(names)} x ' if many else ''}{text}")
        return lines


class ParameterList(Row):
    """A list of parameters; tensors and arrays become parameters.

    Parameters
    ----------
    values : iterable of Parameter or array_like, optional

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> weights = tg.nn.ParameterList([tg.ones(2), tg.zeros(3, 1)])
    >>> [name for name, _ in weights.named_parameters()]
    ['0', '1']
    >>> weights
    ParameterList(
      (0): Parameter of shape (2,), float64
      (1): Parameter of shape (3, 1), float64
    )  # 5 parameters
    """

    _kind = Parameter

    def __init__(self, values=None):
        super().__init__()
        if values is not None:
            self._hold(self._all_checked(values))

    def _checked(self, position, value):
        return as_parameter(type(self).__name__, position, value)

    def _child_lines(self):
        return parameter_lines(self)


class Names(Module):
    """What holds its contents under names of the user's."""

    _kind = Module          # of what it holds

    def __init__(self, values=None):
        super().__init__()
        if values is not None:
            self.update(values)

    def _checked(self, name, value):
        if not isinstance(value, Module):
            raise ArgumentError(
                f"{type(self).__name__}: {name!r} is a {type(value).__name__}: pass modules"
            )
        return value

    def _held(self):
        return {name: value for name, value in vars(self).items() if isinstance(value, self._kind)}

    def __len__(self):
        return len(self._held())

    def __iter__(self):
        return iter(self._held())

    def __contains__(self, name):
        return name in self._held()

    def __getitem__(self, name):
        held = self._held()
        if name not in held:
            raise IndexingError(
                f"{type(self).__name__}: there is no {name!r}: there is {', '.join(held) or 'nothing'}"
            )
        return held[name]

    def __setitem__(self, name, value):
        self._check_free(type(self).__name__, name, self._kind)
        setattr(self, name, self._checked(name, value))

    def __delitem__(self, name):
        self.pop(name)

    def keys(self):
        """Return the names."""
        return self._held().keys()

    def values(self):
        """Return what there is."""
        return self._held().values()

    def items(self):
        """Return pairs of a name and what it stands for."""
        return self._held().items()

    def get(self, name, default=None):
        """Return what a name stands for, or `default`."""
        return self._held().get(name, default)

    def pop(self, name):
        """Take out what a name stands for, and return it."""
        value = self[name]
        delattr(self, name)
        return value

    def clear(self):
        """Take out everything."""
        for name in self._held():
            delattr(self, name)

    def update(self, values):
        """Add what a dict, or pairs of a name and a value, say."""
        try:
            pairs = dict(values)
        except (TypeError, ValueError):
            raise ArgumentError(
                f"{type(self).__name__}: a {type(values).__name__} was given: pass a dict, or pairs"
            ) from None
        for name in pairs:
            self._check_free(type(self).__name__, name, self._kind)
        pairs = {name: self._checked(name, value) for name, value in pairs.items()}
        for name, value in pairs.items():
            setattr(self, name, value)


class ModuleDict(Names):
    """Modules by names, whose parameters are those of the module that it is an attribute of.

    Parameters
    ----------
    modules : dict of Module, optional

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> heads = tg.nn.ModuleDict({"mean": tg.nn.Linear(4, 1), "variance": tg.nn.Linear(4, 1)})
    >>> heads["mean"](tg.zeros(3, 4)).shape
    (3, 1)
    """


class ParameterDict(Names):
    """Parameters by names; tensors and arrays become parameters.

    Parameters
    ----------
    values : dict of Parameter or array_like, optional

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> weights = tg.nn.ParameterDict({"slope": [2.0], "height": [0.5]})
    >>> (weights["slope"] * 3 + weights["height"]).item()
    6.5
    """

    _kind = Parameter

    def _checked(self, name, value):
        return as_parameter(type(self).__name__, repr(name), value)

    def _child_lines(self):
        return parameter_lines(self)


def as_parameter(title, place, value):
    """Return a value as a parameter, or raise."""
    if isinstance(value, Parameter):
        return value
    try:
        return Parameter(value)
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"{title}: item {place} is a {type(value).__name__} that cannot be trained: {error}"
        ) from error


def parameter_lines(module):
    """Return a line for each parameter of a module."""
    return [
        f"({name}): Parameter of shape {value.shape}, {value.dtype}"
        for name, value in module._parameters.items()
    ]
