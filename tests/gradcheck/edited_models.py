"""Models as source text, of which tests of the diagnosis replace expressions of the backward."""

import linecache

import numpy as np

from tinygrad_relu.gradcheck import check_gradients


def defined(source, edits, file, names):
    """Return the names that a model defines, with ``old, new`` replaced in its backward.

    Parameters
    ----------
    source : str
        Of a module that defines `forward`, and `backward` after it.
    edits : sequence of str
        Expressions, which must be there just once, and what stands in their place, in turns.
    file : str
        What reports call it.
    names : dict
        What is defined beforehand.
    """
    head, between, backward = source.partition("def backward")
    for old, new in zip(edits[::2], edits[1::2]):
        assert between and backward.count(old) == 1, (file, old, backward.count(old))
        backward = backward.replace(old, new)
    source, file = head + between + backward, f"<{file}>"
    # A traceback, and a report that names a line, look it up.
    linecache.cache[file] = len(source), None, source.splitlines(True), file
    found = dict(names)
    exec(compile(source, file, "exec"), found)
    return found


def report_on(source, edits, name):
    """Return the report on a model of arrays, with `edits` in its backward, at its ``INPUTS``."""
    names = defined(source, edits, f"{name}.py", {"np": np})
    return check_gradients(names["forward"], names["INPUTS"], backward=names["backward"])


def first_explanations(report, wrong):
    """Return what is said first of each input in `wrong`, which has to name all that are wrong."""
    assert [entry.name for entry in report.inputs if not entry.ok] == wrong.split()
    return [report[name].explanations[0] for name in wrong.split()]


def assert_told(report, wrong, label, words):
    """Assert what is said first of each input in `wrong`, and that it says what to write."""
    for first in first_explanations(report, wrong):
        assert first.label is label, first
        assert "in the backward" in first.claim and words in first.claim, first.claim
