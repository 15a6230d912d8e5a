"""Edits are tried in a copy of the process: they end in time, and leave nothing behind."""

import concurrent.futures
import itertools
import os
import queue
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tinygrad_relu.gradcheck import check_gradients
from tinygrad_relu.gradcheck.diagnosis.edits import apart as copies
from tinygrad_relu.gradcheck.diagnosis.edits import search
from tinygrad_relu.gradcheck.diagnosis.edits.apart import apart
from tinygrad_relu.gradcheck.diagnosis.edits.guard import guarded
from tinygrad_relu.gradcheck.diagnosis.labels import Label

pytestmark = pytest.mark.skipif(not copies.CAN_COPY, reason="no copies of processes here")

RIGHT = "with np.cos(x) in the place of np.cosh(x) it is right"


def loss(x):
    return np.sum(x**3 * np.sin(x))


def without_an_end_of_counting(x):
    some = list(itertools.takewhile(lambda k: k < 3, itertools.count()))
    return 3 * x**2 * np.sin(x) + x**3 * np.cosh(x) + 0 * len(some)


def with_a_large_power(x):
    n = 2
    return 3 * x**2 * np.sin(x) + x**3 * np.cosh(x) + 0 * (9 * n**n % 7)


def with_a_large_product(x):
    v = np.ones(300_000)
    m = v[:2, None] * v[None, :2]
    return 3 * x**2 * np.sin(x) + x**3 * np.cosh(x) + 0 * m[0, 0]


def with_settings(x):
    if x[0] > 100:
        np.set_printoptions(precision=1)
        os.environ["TINYGRAD_RELU_TRIED"] = "1"
        x.flags.writeable = True
    return 3 * x**2 * np.sin(x) + x**3 * np.cosh(x)


@pytest.mark.parametrize("backward", [
    without_an_end_of_counting, with_a_large_power, with_a_large_product, with_settings,
])
def test_what_may_go_on_for_ever_or_take_all_memory_is_told_as_anything_else(backward):
    before, printed, x = dict(os.environ), np.get_printoptions(), np.array([1.0, 2.0, 3.0])
    x.flags.writeable = False
    (entry,) = check_gradients(loss, [x], backward=backward).inputs
    assert RIGHT in entry.explanations[0].claim, entry.explanations
    assert dict(os.environ) == before and np.get_printoptions() == printed and not x.flags.writeable


def test_a_function_that_waits_wherever_it_is_written_otherwise_costs_no_more_than_is_to_be_spent():
    def backward(x):
        q = queue.Queue()
        for k in range(3):
            q.put(k)
        return 3 * x**2 * np.sin(x) + x**3 * np.cosh(x) + 0 * (q.get() + q.get() + q.get())

    began = time.monotonic()
    assert not check_gradients(loss, [np.array([1.0, 2.0, 3.0])], backward=backward).ok
    assert time.monotonic() - began < 30


def test_an_alarm_of_the_user_ends_the_check():
    class TimeIsOver(Exception):
        pass

    def over(*_):
        raise TimeIsOver

    def slow(x):
        time.sleep(0.02)
        return 3 * x**2 * np.sin(x) + x**3 * np.arctan(x) * np.cosh(x)

    began, before = time.monotonic(), signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, 3.0)
    try:
        with pytest.raises(TimeIsOver):
            check_gradients(loss, [np.array([1.0, 2.0, 3.0])], backward=slow)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - began < 10
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)  # nothing goes on


def test_results_come_from_a_copy_that_ends_early_or_late(monkeypatch):
    mine, seen = os.getpid(), []

    def several():
        for k in range(3):
            seen.append(k)
            yield k, os.getpid(), len(seen)
        os._exit(3)

    found = apart(several)
    assert [(k, n) for k, _, n in found] == [(0, 1), (1, 2), (2, 3)]
    assert mine not in {pid for _, pid, _ in found} and not seen

    def never():
        yield "first"
        sum(itertools.count())

    monkeypatch.setattr(copies, "MOST_SECONDS", 0.5)
    assert apart(never) == ["first"]


def test_a_copy_has_its_own_alarm_and_less_memory_than_all():
    def work():
        with guarded():
            try:
                while True:
                    pass
            except BaseException as error:
                yield type(error).__name__
        try:
            np.ones(1 << 40, np.uint8)
        except MemoryError:
            yield "too much"

    assert apart(work) == ["Unending", "too much"]


def test_where_no_process_can_be_copied_edits_are_tried_in_this_one(monkeypatch):
    monkeypatch.setattr(copies, "CAN_COPY", False)
    monkeypatch.setattr(os, "fork", None)
    (entry,) = check_gradients(
        np.tanh, [np.linspace(-1, 1, 5)], backward=lambda dout, x: dout * (1 - np.tanh(x))
    ).inputs
    assert entry.label is not Label.UNEXPLAINED

    def backward(x):
        return 3 * x**2 * np.sin(x) + x**3 * np.cosh(x)

    report = check_gradients(loss, [np.array([1.0, 2.0, 3.0])], backward=backward)
    assert RIGHT in report.inputs[0].explanations[0].claim


def test_what_waits_for_a_thread_that_no_copy_has_is_ended(monkeypatch):
    monkeypatch.setattr(search, "FIRST_PATIENCE", 0.5)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        def backward(x):
            return np.array(list(pool.map(lambda v: 3 * v**2 * np.sin(v) + v**3 * np.cosh(v), x)))

        began = time.monotonic()
        assert not check_gradients(loss, [np.array([1.0, 2.0, 3.0])], backward=backward).ok
    assert time.monotonic() - began < 20


def test_nothing_is_written_to_what_is_open(tmp_path):
    ours, theirs = socket.socketpair()
    with open(tmp_path / "log", "wb", buffering=0) as log, ours, theirs:
        def backward(x):
            if x[0] > 100:
                os.write(log.fileno(), b"written")
                ours.send(b"sent")
            return 3 * x**2 * np.sin(x) + x**3 * np.cosh(x)

        report = check_gradients(loss, [np.array([1.0, 2.0, 3.0])], backward=backward)
        assert RIGHT in report.inputs[0].explanations[0].claim
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            theirs.recv(1)
    assert not (tmp_path / "log").read_bytes()


CHECK_THAT_LASTS = """
import time
from pathlib import Path
import numpy as np
from tinygrad_relu.gradcheck import check_gradients
def backward(x):
    time.sleep(0.02)
    return 3 * x * np.cosh(x) * np.arctan(x)
check_gradients(lambda x: np.sum(x**2), [np.array([0.5, -1.0])], backward=backward)
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="nobody tells who has which children")
def test_the_copy_ends_with_its_parent(tmp_path):
    script = tmp_path / "check.py"
    script.write_text(CHECK_THAT_LASTS)

    def found(path, until):
        """Return what a file has in it, as soon as it has something, or it is not there."""
        for _ in range(300):
            content = path.read_text().split() if path.exists() else None
            if content or content is None:
                return content
            time.sleep(0.1)
        raise AssertionError(until)

    with subprocess.Popen([sys.executable, str(script)], stderr=subprocess.DEVNULL) as check:
        children = Path(f"/proc/{check.pid}/task/{check.pid}/children")
        if not children.exists():
            check.kill()
            pytest.skip("nobody tells who has which children")
        (copy,) = found(children, "no copy is made")
        check.kill()
    for _ in range(100):
        status = Path(f"/proc/{copy}/status")
        if not status.exists() or "zombie" in status.read_text():
            return
        time.sleep(0.1)
    raise AssertionError("the copy lives on")
