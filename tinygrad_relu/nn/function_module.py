"""`FunctionModule`: a function as a module, its settings given beforehand."""

import inspect
from types import MappingProxyType

from tinygrad_relu.engine import Tensor
from tinygrad_relu.engine.calling import named_parameters, parameter_names
from tinygrad_relu.errors import ArgumentError
from tinygrad_relu.nn.module import Module
from tinygrad_relu.nn.settings import checked_setting

REQUIRED = inspect.Parameter.empty


class FunctionModule(Module):
    """A module that calls a function, with settings that its constructor was given.

    A subclass names both, and need not say more::

        class ELU(FunctionModule, function=elu, alpha=1.0, inplace=False):

    The settings, with their defaults, are the parameters of the constructor, and attributes of the
    module.  Those that the function has no parameter for are kept, and nothing else.  Settings that are
    tensors are buffers.
    """

    own_checks = MappingProxyType({})       # of settings that mean something else than elsewhere

    def __init_subclass__(cls, function=None, **settings):
        super().__init_subclass__()
        if function is None:
            return
        cls.function = staticmethod(function)
        names = parameter_names(inspect.unwrap(function)) if settings else ()
        # In the order of the function, to be passed by position.
        cls.passed = tuple(sorted((name for name in settings if name in names), key=names.index))
        places = [names.index(name) for name in cls.passed]
        if places and places != list(range(places[0], len(places) + places[0])):
            raise ArgumentError(f"{cls.__name__}: its settings leave out a parameter of the function")
        cls.settings = dict(settings)
        cls.__init__ = constructor(cls, settings)

    def forward(self, *inputs):
        if not self.passed:
            return self.function(*inputs)
        own = self.__dict__
        return self.function(*inputs, *[own[name] for name in self.passed])

    def extra_repr(self):
        words = []
        for position, (name, default) in enumerate(self.settings.items()):
            value = getattr(self, name)
            if isinstance(value, Tensor):
                words.append(f"{name} of shape {value.shape}")
            elif (value is not default and value != default) or (
                position == 0 and value is not None and value is not False
            ):
                words.append(f"{name}={value!r}")
        return ", ".join(words)


def constructor(cls, settings):
    """Return the ``__init__`` of a class for its settings."""
    title, names = cls.__name__, tuple(settings)
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature(
        [inspect.Parameter(name, kind, default=default) for name, default in settings.items()]
    )

    def __init__(self, *arguments, **keywords):     # noqa: N807
        Module.__init__(self)
        if keywords:
            keywords = named_parameters(keywords, names, title, type(self))
        try:
            given = signature.bind(*arguments, **keywords)
        except TypeError as misfit:
            raise ArgumentError(f"{title}: {misfit}: the signature is {title}{signature}") from None
        given.apply_defaults()
        for name, value in given.arguments.items():
            value = checked_setting(self, title, name, value)
            if isinstance(value, Tensor):
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)

    own = inspect.Parameter("self", kind)
    __init__.__signature__ = signature.replace(parameters=[own, *signature.parameters.values()])
    __init__.__qualname__ = f"{title}.__init__"
    __init__.__module__ = cls.__module__
    return __init__
