"""Modules that are loaded when something of theirs is first asked for."""

import sys
from importlib import import_module


def on_demand(package, places):
    """Return the ``__getattr__`` and ``__dir__`` of a package that loads some names late (PEP 562).

    Parameters
    ----------
    package : str
        Its name.
    places : dict of str to (str or None)
        For each such name the submodule that has it, or None for a name that is a submodule.
    """

    def attribute(name):
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(f"{package}.{places[name] or name}")
        value = module if places[name] is None else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    def names():
        return sorted({*vars(sys.modules[package]), *places})

    return attribute, names
