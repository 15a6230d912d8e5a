"""Whether Apple's graphics cards are used: they are not."""

__all__ = ["is_available", "is_built"]


def is_available():
    """Return False."""
    return False


def is_built():
    """Return False."""
    return False
