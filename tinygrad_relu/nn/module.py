"""`Module`: what has parameters; `Sequential`: one after the other."""

from tinygrad_relu.engine import Tensor, forget_gradients
from tinygrad_relu.errors import ArgumentError


class Parameter(Tensor):
    """A tensor that a `Module` it is assigned to counts among its parameters.

    Parameters
    ----------
    data : array_like
        Copied.
    requires_grad : bool, default True
    """

    def __init__(self, data, requires_grad=True):
        super().__init__(data, requires_grad)

    def __repr__(self):
        return f"Parameter({super().__repr__()})"


class Module:
    """What has parameters and other modules as attributes, and computes in `forward`.

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

    def __init__(self):
        # Nothing is needed before parameters are assigned: they are found by their type.
        pass

    def __setattr__(self, name, value):
        if isinstance(self.__dict__.get(name), Parameter) and not (
            value is None or isinstance(value, Parameter)
        ):
            raise ArgumentError(
                f"{type(self).__name__}.{name} is a parameter, a {type(value).__name__} would be none: "
                "assign a Parameter or None, or change its values under no_grad()"
            )
        super().__setattr__(name, value)

    def __call__(self, *inputs, **options):
        return self.forward(*inputs, **options)

    def forward(self, *inputs, **options):
        """Compute the output; a subclass says how."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(): write one in the subclass")

    def joined_with(self, following):
        """Return a function that does this module and the one that follows at once, or None."""
        return None

    def children(self):
        """Yield the modules that are attributes of this one."""
        for _, child in self.named_children():
            yield child

    def named_children(self):
        """Yield the modules that are attributes of this one, with their names."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value

    def named_parameters(self, prefix=""):
        """Yield each parameter once with its name, those of children as ``child.name``."""
        seen = set()
        for name, parameter in self._all_parameters(prefix):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                yield name, parameter

    def _all_parameters(self, prefix):
        for name, value in vars(self).items():
            if isinstance(value, Parameter):
                yield prefix + name, value
        for name, child in self.named_children():
            yield from child._all_parameters(f"{prefix}{name}.")

    def parameters(self):
        """Yield each parameter once."""
        for _, parameter in self.named_parameters():
            yield parameter

    def zero_grad(self, set_to_none=True):
        """Forget the gradients of all parameters, or set them to 0."""
        forget_gradients(self.parameters(), set_to_none)

    def describe(self):
        """Return what stands between the parentheses in the repr of a layer."""
        return ""

    def __repr__(self):
        head = type(self).__name__
        children = list(self.named_children())
        if not children:
            return f"{head}({self.describe()})"
        lines = [
            f"  ({name}): {child!r}".replace("\n", "\n  ") for name, child in children
        ]
        count = sum(parameter.size for parameter in self.parameters())
        return "\n".join([f"{head}(", *lines, f")  # {count:,} parameters"])


class Sequential(Module):
    """Modules applied one after the other.

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
        for position, module in enumerate(modules):
            if not isinstance(module, Module):
                raise ArgumentError(
                    f"Sequential: item {position} is a {type(module).__name__}: pass modules"
                )
            setattr(self, str(position), module)

    def forward(self, x):
        modules = list(self.children())
        position = 0
        while position < len(modules):
            both = None
            if position + 1 < len(modules):
                both = modules[position].joined_with(modules[position + 1])
            x = modules[position](x) if both is None else both(x)
            position += 1 if both is None else 2
        return x

    def __len__(self):
        return len(list(self.children()))

    def __getitem__(self, position):
        return list(self.children())[position]

    def __iter__(self):
        return self.children()
