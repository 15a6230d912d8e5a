"""Switches of a library that is not used: they may be set, and are not read."""

__all__ = ["is_available", "version"]

allow_tf32 = False
benchmark = False
deterministic = True
enabled = False


def is_available():
    """Return False."""
    return False


def version():
    """Return None: it is not used."""
