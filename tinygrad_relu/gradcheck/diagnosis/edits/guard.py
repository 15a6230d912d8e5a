"""While edits are tried, nothing outside of the process is changed: what would be, makes the try fail."""

import contextlib
import os
import sys
import threading

#: What the user's function raises, written as it was not meant.
FAILED = (Exception, SystemExit)
#: What Python tells its auditors before it changes something outside.
CHANGING = (
    "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod",
    "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.kill", "shutil.", "subprocess.",
    "socket.", "ftplib.", "smtplib.", "urllib.", "sqlite3.connect", "tempfile.",
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Guard(threading.local):
    """Whether edits are tried in this thread."""

    trying = False
    installed = False


GUARD = Guard()


def audit(event, arguments):
    """Raise `PermissionError` before something outside is changed by a try."""
    if not GUARD.trying:
        return
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
    if writes or event.startswith(CHANGING):
        raise PermissionError(f"{event}: not while edits of the function are tried")


@contextlib.contextmanager
def guarded():
    """Let tries of this thread change nothing outside."""
    if not GUARD.installed:
        sys.addaudithook(audit)
        Guard.installed = True
    GUARD.trying = True
    try:
        yield
    finally:
        GUARD.trying = False
