"""`apart`: work in a copy of this process, which ends in time, and leaves nothing behind but its results.

A function of the user that is written otherwise may go on for ever, take all memory there is, change the
settings of a library or end the process: all that is the copy's.  Where no process can be copied, as on
Windows, the work is done in this one.
"""

import contextlib
import ctypes
import io
import os
import pickle
import selectors
import signal
import time

from tinygrad_relu.gradcheck.diagnosis.edits.guard import GUARD, end_try

#: Whether there are copies of processes.
CAN_COPY = hasattr(os, "fork")
# After so many seconds on the clock the copy is ended, with the results that it has given so far.
MOST_SECONDS = 120.0
# So many bytes may be taken beyond those of this process, and more for each processor: libraries of
# linear algebra keep room for each.
MOST_BYTES, BYTES_PER_PROCESSOR = 2 << 30, 96 << 20
PIPE_BYTES = 1 << 16
# Where a process finds what it has open; the number of Linux's request to end with one's parent.
OPEN_FILES = ("/proc/self/fd", "/dev/fd")
END_WITH_PARENT = 1


def apart(work):
    """Return what ``work()`` yields, worked out in a copy of this process.

    Parameters
    ----------
    work : callable
        Without arguments.  What it yields can be pickled.

    Returns
    -------
    list
        Fewer than all if the copy had to be ended, or ended by itself.
    """
    if not CAN_COPY:
        return list(work())
    reader, writer = os.pipe()
    copy = os.fork()
    if not copy:
        give(work, writer)
    os.close(writer)
    try:
        return unpickled(received(reader))
    finally:
        os.close(reader)
        with contextlib.suppress(ProcessLookupError):
            os.kill(copy, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):  # where the system clears away what has ended
            os.waitpid(copy, 0)


def give(work, writer):
    """Write what ``work()`` yields, in the copy, and end it without a word to anybody."""
    try:
        end_with_parent()
        signal.signal(signal.SIGALRM, end_try)
        GUARD.ends_tries = True
        limit_memory()
        shut_what_is_written_to(writer)
        with open(writer, "wb") as results:
            for result in work():
                pickle.dump(result, results)
                results.flush()
    finally:
        os._exit(0)


def received(reader):
    """Return all bytes that come, until the other side ends or the time is over."""
    found, end = io.BytesIO(), time.monotonic() + MOST_SECONDS
    with selectors.DefaultSelector() as selector:
        selector.register(reader, selectors.EVENT_READ)
        while (left := end - time.monotonic()) > 0:
            if selector.select(left):
                part = os.read(reader, PIPE_BYTES)
                if not part:
                    break
                found.write(part)
    return found.getvalue()


def unpickled(given):
    """Return the objects in a row of bytes, whose last one may be cut off."""
    results, found = io.BytesIO(given), []
    with contextlib.suppress(EOFError, pickle.UnpicklingError):
        while True:
            found.append(pickle.load(results))
    return found


def end_with_parent():
    """Let this process end when its parent does, however that ends, where the system can do that."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(END_WITH_PARENT, signal.SIGKILL)


def shut_what_is_written_to(but):
    """Let go nowhere what is written to files, sockets and pipes that are open, all but one.

    The user's functions have them at hand, and a try may write where nobody meant to.
    """
    import fcntl  # not there on Windows

    nowhere = os.open(os.devnull, os.O_RDWR)
    folder = next(filter(os.path.isdir, OPEN_FILES), None)
    for number in map(int, os.listdir(folder) if folder else ()):
        with contextlib.suppress(OSError):  # what was open for the listing is not any more
            written_to = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
            if written_to and number not in (but, nowhere):
                os.dup2(nowhere, number, inheritable=os.get_inheritable(number))


def limit_memory():
    """Let this process have some more memory than now, where the system tells how much that is."""
    import resource  # not there on Windows

    with contextlib.suppress(OSError, ValueError):  # a system without /proc, or a lower limit that is set
        with open("/proc/self/statm") as pages:
            now = int(pages.read().split()[0]) * resource.getpagesize()
        most = now + MOST_BYTES + BYTES_PER_PROCESSOR * (os.cpu_count() or 1)
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))
