"""Fixtures of the tests of gradient checking."""

import pytest

from tinygrad_relu.gradcheck import diagnosis
from tinygrad_relu.gradcheck.diagnosis.edits import BUDGET


@pytest.fixture
def without_edits(monkeypatch):
    """Have no backward whose text is written otherwise, as where it has no text."""
    monkeypatch.setitem(diagnosis.diagnose.__globals__, "edits", lambda *_, **__: [])


@pytest.fixture
def walks_before_edits(monkeypatch):
    """Have edits of the text only where no walk back through the forward explains what is wrong."""
    edits = diagnosis.diagnose.__globals__["edits"]

    def where_unexplained(case, evidence, budget):
        return edits(case, evidence, budget) if budget == BUDGET else []

    monkeypatch.setitem(diagnosis.diagnose.__globals__, "edits", where_unexplained)
