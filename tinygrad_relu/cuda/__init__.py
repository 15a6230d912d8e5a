"""What scripts ask and tell a graphics card: there is none, so that nothing is to be done."""

from tinygrad_relu.cuda import amp

__all__ = [
    "amp",
    "device_count",
    "empty_cache",
    "is_available",
    "is_bf16_supported",
    "manual_seed",
    "manual_seed_all",
    "max_memory_allocated",
    "memory_allocated",
    "reset_peak_memory_stats",
]


def is_available():
    """Return False."""
    return False


def is_bf16_supported():
    """Return False."""
    return False


def device_count():
    """Return 0."""
    return 0


def manual_seed(seed):
    """Do nothing: the generator of the processor is seeded by ``tg.manual_seed``."""


def manual_seed_all(seed):
    """Do nothing: the generator of the processor is seeded by ``tg.manual_seed``."""


def empty_cache():
    """Do nothing: the memory of the processor is given back by ``tg.empty_cache``."""


def memory_allocated(device=None):
    """Return 0."""
    return 0


def max_memory_allocated(device=None):
    """Return 0."""
    return 0


def reset_peak_memory_stats(device=None):
    """Do nothing."""
