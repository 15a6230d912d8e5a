"""Saving and loading: structures of tensors, arrays and plain values, without pickle."""

import os

from tinygrad_relu.engine import checked_signature
from tinygrad_relu.errors import ArgumentError
from tinygrad_relu.io import structure, whole_file

__all__ = ["load", "save"]


@checked_signature
def save(obj, path):
    """Save a structure of tensors, arrays and plain values to a file.

    Parameters
    ----------
    obj : dict, list, tuple, Tensor, ndarray, number, str, bool or None
        In any nesting: state dicts of models, optimizers and schedulers, and states of generators.
        Tensors and arrays are of bool, whole or floating dtypes; recorded tensors have to be detached.
    path : str, path or file object
        A name that ends in ``.safetensors`` gives a file of that format, for which its package is needed;
        any other name, and a file opened for writing bytes, gets the format of ``.npz``.

    Notes
    -----
    The file is written beside its place, brought to the disk, and then renamed: whenever the process or
    the machine stops, the old file or the new one is there, whole.  A link stays, and what it points to
    is replaced; an existing file keeps its permissions.

    A tensor that stands in several places is saved in each of them, and comes back as several: what two
    modules share is shared again by `Module.load_state_dict`, which fills the tensors that there are.

    `numpy.load` and safetensors read the arrays, too, under names made of the keys that lead to them.

    Examples
    --------
    >>> import tempfile
    >>> import tinygrad_relu as tg
    >>> w = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tg.save({"w": w, "epoch": 3}, f"{folder}/point.npz")
    ...     tg.load(f"{folder}/point.npz")
    {'w': tensor([1., 2.], dtype=float64, requires_grad=True), 'epoch': 3}
    """
    text, arrays = structure.taken_apart(obj)
    if hasattr(path, "write") and not isinstance(path, os.PathLike):
        whole_file.write_to(path, format_of("").packed(text, arrays))
        return
    name = name_of("save", path)
    whole_file.replace(name, format_of(name).writer(text, arrays))


@checked_signature
def load(path, map_location=None, weights_only=True):
    """Return what `save` saved.

    Nothing in a file is executed, whatever it is.  Tensors and arrays are made anew, each in memory of
    its own.

    Parameters
    ----------
    path : str, path or file object
        A ``.safetensors`` file of other programs is read as a dict of tensors.
    map_location, weights_only : optional
        Accepted as in PyTorch, and without effect.

    Raises
    ------
    FileError
        The file is damaged, or is not one of ours; a bit that is wrong anywhere is found.
    """
    if hasattr(path, "read") and not isinstance(path, os.PathLike):
        return format_of("").unpacked("the file", whole_file.read_from(path))
    name = name_of("load", path)
    return format_of(name).read(name)


def name_of(title, path):
    """Return the name of a file as a string, or raise if it is none."""
    try:
        return os.fsdecode(path)
    except TypeError as error:
        raise ArgumentError(
            f"{title}: path is a {type(path).__name__}: pass the name of a file, or an open file"
        ) from error


def format_of(name):
    """Return the module that reads and writes a file of this name."""
    # They load what takes longer than all else at import.
    if name.endswith(".safetensors"):
        from tinygrad_relu.io import safetensors_format
        return safetensors_format
    from tinygrad_relu.io import npz_format
    return npz_format
