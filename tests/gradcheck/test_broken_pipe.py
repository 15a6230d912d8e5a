"""What the command line does where nobody reads what it prints."""

import os
import subprocess
import sys

import pytest

LESSON = """
def square(x=2.0):
    return x * x

def square_backward(x):
    return 2.0 * x
"""


@pytest.mark.parametrize(("command", "status"), [
    (["check", "lesson.py"], 141),
    (["--help"], 0),        # argparse itself minds no lost reader
])
def test_commands_end_quietly_where_the_reader_has_gone(command, status, tmp_path):
    (tmp_path / "lesson.py").write_text(LESSON)
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tinygrad_relu", *command], stdout=writer, stderr=subprocess.PIPE,
            cwd=tmp_path, text=True, check=False,
        )
    finally:
        os.close(writer)
    assert done.stderr == ""
    assert done.returncode == status
