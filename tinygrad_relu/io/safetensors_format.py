"""The format of ``.safetensors``, read and written by its own package.

The structure, and a checksum of it and of each array (the format has none), are among the metadata.
"""

import json
import zlib

import numpy as np

from tinygrad_relu.engine import sharing
from tinygrad_relu.errors import FileError, MissingPackage
from tinygrad_relu.io.structure import DTYPES, put_together

try:
    import safetensors
    from safetensors.numpy import save
except ImportError as missing:
    raise MissingPackage(
        '.safetensors files need a package: pip install "tinygrad_relu[safetensors]", or save as .npz'
    ) from missing

STRUCTURE, CHECKSUMS = "tinygrad_relu", "tinygrad_relu.crc32"


def writer(text, arrays):
    """Return a function that writes a structure to a file opened for bytes."""
    metadata = {STRUCTURE: text, CHECKSUMS: json.dumps(checksums(text, arrays))}
    return lambda file: file.write(save(arrays, metadata))


def checksums(text, arrays):
    """Return the checksums of the text, and of each array in the order of their names."""
    contents = [text.encode(), *(arrays[name].reshape(-1).view(np.uint8) for name in sorted(arrays))]
    return [zlib.crc32(content) for content in contents]


def read(name):
    """Return the structure in the file `name`, or a dict of tensors if another program wrote it."""
    with open(name, "rb"):      # a file that cannot be opened is told of as any other
        pass
    try:
        with safetensors.safe_open(name, framework="np") as file:
            metadata = file.metadata() or {}
            arrays = {key: np.array(file.get_tensor(key)) for key in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError,
            OverflowError, MemoryError) as error:
        raise FileError(f"load: {name} is damaged or no .safetensors file: {error}") from error
    for key, array in arrays.items():
        if array.dtype.name not in DTYPES:
            raise FileError(f"load: {name}: {key!r} is of dtype {array.dtype}, which is not known here")
    if not any(key.startswith(STRUCTURE[:8]) for key in metadata):
        return {key: sharing(array) for key, array in arrays.items()}
    text = metadata.get(STRUCTURE, "")
    try:
        expected = json.loads(metadata.get(CHECKSUMS, ""))
    except (ValueError, RecursionError):
        expected = None
    if expected != checksums(text, arrays):
        raise FileError(f"load: {name} is damaged: a checksum differs; take another copy of the file")
    return put_together(name, text, arrays)
