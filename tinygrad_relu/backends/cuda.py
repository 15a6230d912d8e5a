"""Switches of products on graphics cards: they may be set, and are not read."""

from types import SimpleNamespace

__all__ = ["is_built"]

matmul = SimpleNamespace(allow_tf32=False)


def is_built():
    """Return False."""
    return False
