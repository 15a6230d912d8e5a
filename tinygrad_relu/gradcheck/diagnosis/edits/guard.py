"""While edits are tried, nothing outside of the process is changed, and each try ends in time.

What would change something makes the try fail, and so does the alarm of the clock.
"""

import contextlib
import os
import signal
import sys
import threading


class Unending(BaseException):
    """A try takes too long; no function that catches its own exceptions means this one."""


#: What the user's function raises, written as it was not meant.
FAILED = (Exception, SystemExit, Unending)
#: What Python tells its auditors before it changes something outside.
CHANGING = (
    "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod",
    "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.kill", "shutil.", "subprocess.",
    "socket.", "ftplib.", "smtplib.", "urllib.", "sqlite3.connect", "tempfile.",
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Guard(threading.local):
    """Whether edits are tried in this thread, and after how many seconds a try is ended.

    The alarm is the process's, so tries are only ended in one that is there for them.
    """

    trying = False
    installed = False
    ends_tries = False
    seconds = 1.0


GUARD = Guard()


def audit(event, arguments):
    """Raise `PermissionError` before something outside is changed by a try."""
    if not GUARD.trying:
        return
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
    if writes or event.startswith(CHANGING):
        raise PermissionError(f"{event}: not while edits of the function are tried")


@contextlib.contextmanager
def guarded(seconds=None):
    """Let tries of this thread change nothing outside, and end after some seconds.

    Parameters
    ----------
    seconds : float, optional
        How long a try may take; those of `GUARD` if not given.
    """
    if not GUARD.installed:
        sys.addaudithook(audit)
        Guard.installed = True
    GUARD.trying = True
    if GUARD.ends_tries:  # again and again, in case that a function goes on after the first alarm
        seconds = GUARD.seconds if seconds is None else seconds
        signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    try:
        yield
    finally:
        GUARD.trying = False
        if GUARD.ends_tries:
            signal.setitimer(signal.ITIMER_REAL, 0)


def end_try(*_):
    """End a try at the alarm of the clock; one that comes too late means nothing."""
    if GUARD.trying:
        raise Unending
