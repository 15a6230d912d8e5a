"""What newer scripts ask before they choose a device: there is none but the processor."""

__all__ = ["current_accelerator", "device_count", "is_available"]


def is_available():
    """Return False."""
    return False


def current_accelerator(check_available=False):
    """Return None, as PyTorch does where there is none."""


def device_count():
    """Return 0."""
    return 0
