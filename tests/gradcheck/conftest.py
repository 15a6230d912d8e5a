"""Fixtures of the tests of gradient checking."""

import pytest

from tinygrad_relu.gradcheck import diagnosis


@pytest.fixture
def without_edits(monkeypatch):
    """Have no backward whose text is written otherwise, as where it has no text."""
    monkeypatch.setitem(diagnosis.diagnose.__globals__, "edits", lambda *_, **__: [])
