"""Packages that are not needed before they are asked for."""

from importlib import import_module

from tinygrad_relu.errors import MissingPackage


def loaded(caller, module, install):
    """Return a module, or raise an error that says what to install.

    Parameters
    ----------
    caller : str
        The function that needs it.
    module : str
    install : str
        What pip is to be given.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingPackage(
            f"{caller}: {module} could not be loaded ({error}): install it with "
            f'pip install "{install}"'
        ) from error
