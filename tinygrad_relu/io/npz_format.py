"""The format of ``.npz``: a zip archive of NumPy's ``.npy`` files, and the structure beside them.

Members are stored, not compressed, and each has a checksum, so that what a member claims to hold can be
compared with what is there before memory is taken for it.
"""

import errno
import io
import os
import re
import struct
import zipfile

import numpy as np

from tinygrad_relu.errors import FileError
from tinygrad_relu.io.structure import DTYPES, put_together

STRUCTURE = "structure.json"
CHUNK = 1 << 20
# What zipfile and NumPy raise where a file is not as it should be.
MALFORMED = (
    zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, ValueError,
    TypeError, KeyError, IndexError, OverflowError, struct.error, MemoryError, SyntaxError,
)


def writer(text, arrays):
    """Return a function that writes a structure to a file opened for bytes."""

    def write(file):
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            # Without dates, the same content gives the same bytes.
            archive.writestr(zipfile.ZipInfo(STRUCTURE), text)
            for member, array in zip(members(arrays), arrays.values()):
                with archive.open(zipfile.ZipInfo(member), "w", force_zip64=True) as opened:
                    np.lib.format.write_array(opened, array, version=(1, 0), allow_pickle=False)

    return write


def packed(text, arrays):
    """Return a file of a structure as bytes."""
    file = io.BytesIO()
    writer(text, arrays)(file)
    return file.getbuffer()


def members(names):
    """Return names for the members of an archive: of letters that no program takes for a folder."""
    taken = set()
    for name in names:
        plain = re.sub(r"[^\w.~-]", "_", name)
        number, free = 0, plain
        while free.casefold() in taken:
            number += 1
            free = f"{plain}~{number}"
        taken.add(free.casefold())
        yield f"{free}.npy"


def read(name):
    """Return the structure in the file `name`."""
    with open(name, "rb") as file:
        return structure_in(name, file, os.fstat(file.fileno()).st_size)


def unpacked(title, content):
    """Return the structure in the bytes of a file."""
    return structure_in(title, io.BytesIO(content), len(content))


def structure_in(title, file, size):
    """Return the structure in an open file of `size` bytes."""
    try:
        with zipfile.ZipFile(file) as archive:
            text, stored = contents(title, archive, size)
            kinds = listed(text)
            if len(kinds) != len(stored):
                raise FileError(f"load: {title} is damaged: arrays are missing, or too many")
            arrays = {}
            for name, member in zip(kinds, members(kinds)):
                arrays[name] = array_in(archive, stored[member])
    except FileError:
        raise
    except OSError as error:
        if error.errno != errno.EINVAL:     # which is what a place before the file's beginning gives
            raise
        raise FileError(f"load: {title} is damaged: a member begins nowhere") from error
    except MALFORMED as error:
        raise FileError(
            f"load: {title} is damaged or no file of save(): {error or type(error).__name__}"
        ) from error
    return put_together(title, text, arrays)


def contents(title, archive, size):
    """Return the text in an archive, and its other members by name, or raise if it cannot be ours."""
    infos = {info.filename: info for info in archive.infolist()}
    if STRUCTURE not in infos:
        pickled = any(name.endswith("data.pkl") for name in infos)
        raise FileError(
            f"load: {title} was not written by save(): " + (
                "it is one of torch.save, whose programs are not run here: save a .safetensors there"
                if pickled else "numpy.load reads an .npz of arrays alone"
            )
        )
    claimed = 0
    for info in archive.infolist():
        claimed += max(info.file_size, 0)
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise FileError(f"load: {title} has a compressed member, which save() does not write")
    if claimed > size or len(infos) != len(archive.infolist()):
        raise FileError(f"load: {title} is damaged: its members claim more than the file holds")
    return archive.read(infos.pop(STRUCTURE)).decode(), infos


def listed(text):
    """Return the names of the arrays that the text tells of, in their order."""
    import json

    try:
        return list(json.loads(text)["arrays"])
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def array_in(archive, info):
    """Return the array in a member, all of whose bytes are read, so that its checksum is compared."""
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        if version != (1, 0):
            raise ValueError(f"an array of version {version}")
        shape, transposed, dtype = np.lib.format.read_array_header_1_0(member)
        begin = member.tell()
        if dtype.name not in DTYPES or transposed:
            raise ValueError(f"an array of dtype {dtype}")
        count = 1
        for length in shape:
            count *= length
        if count < 0 or count * dtype.itemsize != info.file_size - begin:
            raise ValueError(f"an array that claims the shape {shape}")
        array = np.empty(shape, dtype)
        into = memoryview(array.reshape(-1).view(np.uint8))
        while into:
            chunk = member.read(min(len(into), CHUNK))
            if not chunk:
                raise EOFError("an array ends too early")
            into[:len(chunk)] = chunk
            into = into[len(chunk):]
        if member.read(1):
            raise ValueError("an array that is longer than it claims")
    return array
