"""The group of processes: how it begins, how it waits, and how it ends when one of them fails.

MPI waits forever for a process that does not come.  Here all waiting is in `Group.wait`, which looks
whether another process has left, and how much time has passed; an exception that nobody catches ends all
processes.
"""

import atexit
import contextlib
import io
import os
import sys
import time
from datetime import timedelta
from importlib.util import find_spec

from tinygrad_relu.engine import checked_call, checked_signature
from tinygrad_relu.errors import ArgumentError, GroupError, MissingPackage

#: What a process says to all others when it leaves.
LEFT = 1
#: How long, in seconds, a process that has left may still be needed for what the others wait for.
GRACE = 2.0
#: For how long waiting only asks again; then it sleeps in between, a tenth of what it has waited.
IMPATIENCE, LONGEST_NAP = 2e-5, 1e-3
#: How long mpiexec is given to pass on what was written, before the end.
LAST_WORDS = 0.3

#: What mpiexec and srun say to the processes that they start: that of which there are several.
LAUNCHERS = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS", "SLURM_STEP_NUM_TASKS")

_current = {"group": None}


class Group:
    """All processes of a job, or one alone where `mpi` is None.

    Parameters
    ----------
    mpi : module or None
        ``mpi4py.MPI``.
    timeout : float
        How many seconds to wait for the others.
    """

    def __init__(self, mpi, timeout):
        self.mpi, self.timeout = mpi, timeout
        self.rank, self.size = 0, 1
        self.leavers, self.seen_leaving = set(), None
        if mpi is not None:
            # Communicators of our own: messages of the user's are not mistaken for ours.
            self.communicator, self.farewells = mpi.COMM_WORLD.Dup(), mpi.COMM_WORLD.Dup()
            self.rank, self.size = self.communicator.rank, self.communicator.size

    def wait(self, request, what):
        """Wait until a request of MPI's is done, or raise if that will not happen.

        `what` says in the message what it is.
        """
        begun = time.monotonic()
        while not request.Test():
            waited = time.monotonic() - begun
            if waited < IMPATIENCE:
                continue
            time.sleep(min(waited / 10, LONGEST_NAP))
            self.look_for_leavers()
            if self.leavers and time.monotonic() - self.seen_leaving > GRACE:
                raise GroupError(
                    f"{what}: rank {self.rank} waits for {ranks(self.leavers)}, whose script has ended: "
                    "all ranks have to make the same calls in the same order"
                )
            if waited > self.timeout:
                raise GroupError(
                    f"{what}: rank {self.rank} has waited for {self.timeout:g} seconds: another rank is "
                    "slower than that (see timeout of init_process_group), or does not make this call"
                )

    def look_for_leavers(self):
        """Note who has left."""
        status = self.mpi.Status()
        while self.farewells.Iprobe(tag=LEFT, status=status):
            self.farewells.Recv([None, self.mpi.BYTE], source=status.Get_source(), tag=LEFT)
            self.leavers.add(status.Get_source())
            self.seen_leaving = self.seen_leaving or time.monotonic()

    def leave(self):
        """Say farewell to the others, and wait until they leave, too."""
        if self.size == 1:
            return
        for rank in range(self.size):
            if rank != self.rank:
                self.farewells.Isend([None, self.mpi.BYTE], rank, tag=LEFT).Free()
        while len(self.leavers) < self.size - 1:
            time.sleep(LONGEST_NAP)
            self.look_for_leavers()


def ranks(numbers):
    """Return ranks in words."""
    return f"rank{'s' if len(numbers) > 1 else ''} {', '.join(map(str, sorted(numbers)))}"


def group_of(caller):
    """Return the group that there is, or raise."""
    if _current["group"] is None:
        raise GroupError(f"{caller}: there is no group of processes yet: call init_process_group() first")
    return _current["group"]


def is_available():
    """Tell whether mpi4py is installed; without it there is only a group of one process."""
    return find_spec("mpi4py") is not None


def is_initialized():
    """Tell whether there is a group of processes."""
    return _current["group"] is not None


@checked_signature
def init_process_group(backend=None, timeout=None):
    """Make the group of all processes of the job.

    From then on an exception that nobody catches in one of them ends all of them.

    Parameters
    ----------
    backend : {"mpi"}, optional
        There is one.  If it is not named and mpi4py is not installed, the group is this process alone.
    timeout : float or timedelta, default 1800
        How many seconds to wait for another process before that is an error.

    Examples
    --------
    >>> import tinygrad_relu.distributed as dist
    >>> dist.init_process_group()
    >>> dist.get_rank(), dist.get_world_size()
    (0, 1)
    >>> dist.destroy_process_group()
    """
    if _current["group"] is not None:
        raise GroupError("init_process_group: the group is there already: call destroy_process_group()")
    if backend not in (None, "mpi"):
        raise ArgumentError(f"init_process_group: backend is {backend!r}: there is 'mpi'")
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    seconds = 1800.0 if seconds is None else float(seconds)
    mpi = loaded_mpi(backend)
    group = Group(mpi, seconds)
    _current["group"] = group
    if group.size > 1:
        group.hook_before, sys.excepthook = sys.excepthook, end_all
    atexit.register(destroy_process_group)


def loaded_mpi(backend):
    """Return ``mpi4py.MPI``; None if it is not installed and nothing says that there are others."""
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        launched = [name for name in LAUNCHERS if os.environ.get(name, "1") != "1"]
        if backend is None and not launched and not is_available():
            return None
        raise MissingPackage(
            f"init_process_group: mpi4py could not be loaded ({error}): install it, and MPI, with "
            'pip install "tinygrad_relu[mpi]"'
        ) from error
    return MPI


@checked_call
def destroy_process_group():
    """End the group: waits until all processes have come here, or to the end of their scripts."""
    group, _current["group"] = _current["group"], None
    if group is None:
        return
    atexit.unregister(destroy_process_group)
    if group.size > 1:
        sys.excepthook = group.hook_before
    group.leave()


def end_all(kind, error, traceback):
    """Show an exception that nobody caught, and end all processes: the others would wait forever."""
    group = _current["group"]
    text = io.StringIO()
    with contextlib.redirect_stderr(text):
        group.hook_before(kind, error, traceback)
    # In one piece, because others may write at the same time.
    sys.stderr.write(
        f"{text.getvalue()}rank {group.rank} of {group.size} raised {kind.__name__}: all processes of "
        "the job are ended\n"
    )
    sys.stderr.flush()
    sys.stdout.flush()
    time.sleep(LAST_WORDS)
    group.mpi.COMM_WORLD.Abort(1)


def get_rank():
    """Return the number of this process in the group, from 0."""
    return group_of("get_rank").rank


def get_world_size():
    """Return how many processes are in the group."""
    return group_of("get_world_size").size
