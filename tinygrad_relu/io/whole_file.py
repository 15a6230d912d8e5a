"""Files that are there whole, the old one or the new one, whenever the process or the machine stops."""

import errno
import os
import stat
from contextlib import suppress

from tinygrad_relu.errors import ArgumentError


def replace(path, write):
    """Let ``write(file)`` write a file beside its place, and put it there when it is on the disk.

    Rename replaces in one step; that the new content is on the disk before, and the new name after, is
    what `os.fsync` of the file and of the folder are for: Pillai and others, "All file systems are not
    created equal", 2014.
    """
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    if not os.path.isdir(folder):
        raise FileNotFoundError(errno.ENOENT, "save: there is no such folder", folder)
    old = replaceable(path, target)
    # Beside it, because only within one file system a file can be renamed.
    temporary = os.path.join(folder, f".{name[:40]}.{os.urandom(8).hex()}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    number = os.open(temporary, flags, 0o666)
    try:
        with open(number, "wb") as file:
            write(file)
            file.flush()
            if old is not None:
                take_over(file.fileno(), old)
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    sync_folder(folder)


def replaceable(path, target):
    """Return the status of the file that is to be replaced, None if there is none."""
    try:
        old = os.stat(target)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError(errno.EISDIR, "save: this is a folder", os.fspath(path))
    if not stat.S_ISREG(old.st_mode):
        raise ArgumentError(
            f"save: {path} is a device or the like, which cannot be replaced: pass it as an open file"
        )
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "save: this file is write-protected", os.fspath(path))
    return old


def take_over(number, old):
    """Give an open file the owner and the permissions of the one that it will replace."""
    if hasattr(os, "fchmod"):
        with suppress(PermissionError):     # who owns a file cannot always give it away
            os.fchown(number, old.st_uid, old.st_gid)
        os.fchmod(number, stat.S_IMODE(old.st_mode))


def sync_folder(folder):
    """Bring the names in a folder to the disk, where a folder can be opened."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def write_to(file, content):
    """Write bytes to a file that somebody else opened."""
    content = memoryview(content)
    while content:
        try:
            written = file.write(content)
        except TypeError as error:
            raise ArgumentError("save: the file is not open for bytes: open it with mode 'wb'") from error
        # Files without a buffer may take less than all.
        content = content[len(content) if written is None else written:]


def read_from(file):
    """Return what is left in a file that somebody else opened."""
    content = file.read()
    if not isinstance(content, bytes):
        raise ArgumentError("load: the file is not open for bytes: open it with mode 'rb'")
    return content
