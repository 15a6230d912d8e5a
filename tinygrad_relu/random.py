"""Where random numbers come from: generators, their seeds and their states."""

from contextlib import contextmanager

import numpy as np

from tinygrad_relu.engine import checked_call, checked_device, checked_signature
from tinygrad_relu.errors import ArgumentError, StateError

# The generator is made when it is first asked for: NumPy loads its random module only then.
_settings = {"generator": None, "seed": None}


@checked_call
def manual_seed(seed):
    """Seed the generator that is used where none is given, and return it.

    Parameters
    ----------
    seed : int, or None for one that the system gives

    Returns
    -------
    numpy.random.Generator
    """
    seed = fresh_seed() if seed is None else seed
    _settings["generator"], _settings["seed"] = np.random.default_rng(seed), seed
    return _settings["generator"]


def fresh_seed():
    """Return a seed that the system gives."""
    return np.random.SeedSequence().entropy % 2**63     # as many bits as fit into an int64


@checked_call
def seed():
    """Seed the generator that is used where none is given with what the system gives, and return that."""
    manual_seed(None)
    return _settings["seed"]


@checked_call
def initial_seed():
    """Return the seed of the generator that is used where none is given.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> generator = tg.manual_seed(7)
    >>> tg.initial_seed()
    7
    """
    default_generator()
    return _settings["seed"]


class Generator:
    """A source of random numbers that can be seeded again, as PyTorch's.

    Wherever one is taken, a `numpy.random.Generator` is, too.

    Parameters
    ----------
    seed : int, optional
    device : str, optional
        ``"cpu"``: there is no other.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> generator = tg.Generator().manual_seed(0)
    >>> first = tg.rand(3, generator=generator)
    >>> bool((first == tg.rand(3, generator=generator.manual_seed(0))).all())
    True
    """

    @checked_signature
    def __init__(self, seed=None, device=None):
        if isinstance(seed, str):       # where PyTorch has the device
            seed, device = None, seed
        checked_device("Generator", device)
        self.manual_seed(seed)

    @checked_call
    def manual_seed(self, seed):
        """Begin anew from a seed, and return the generator."""
        seed = fresh_seed() if seed is None else seed
        self.source, self.first = np.random.default_rng(seed), seed
        return self

    def seed(self):
        """Begin anew from a seed that the system gives, and return it."""
        return self.manual_seed(None).first

    def initial_seed(self):
        """Return the seed that the generator began from."""
        return self.first

    def get_state(self):
        """Return where the generator stands, as a dict that `save` can save."""
        return self.source.bit_generator.state

    def set_state(self, state):
        """Go on from where a generator stood, and return this one."""
        set_state_of("Generator.set_state", self.source, state)
        return self


def source_of(name, generator):
    """Return the NumPy generator that a function draws from."""
    if generator is None:
        return default_generator()
    source = getattr(generator, "source", generator)
    if not isinstance(source, np.random.Generator):
        raise ArgumentError(
            f"{name}: generator is a {type(generator).__name__}: pass a numpy.random.Generator, a "
            "Generator of ours, or none"
        )
    return source


def set_state_of(name, source, state):
    """Set the state of a NumPy generator, or raise if it is none, and change nothing."""
    try:
        # What is bad is found out on a generator that nobody draws from.
        type(source.bit_generator)().state = state
    except (TypeError, ValueError, KeyError, AttributeError, IndexError, OverflowError) as error:
        raise StateError(
            f"{name}: state is no state of {type(source.bit_generator).__name__}, as get_state() and "
            f"get_rng_state() return it: {error}"
        ) from error
    source.bit_generator.state = state


@checked_call
def get_rng_state():
    """Return where the generator stands that is used where none is given.

    Returns
    -------
    dict
        Of numbers and strings, which `save` can save.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> state = tg.get_rng_state()
    >>> first = tg.rand(3)
    >>> tg.set_rng_state(state)
    >>> bool((first == tg.rand(3)).all())
    True
    """
    return default_generator().bit_generator.state


@checked_call
def set_rng_state(state):
    """Let the generator that is used where none is given go on from a state of `get_rng_state`."""
    set_state_of("set_rng_state", default_generator(), state)


@contextmanager
def fork_rng(devices=(), enabled=True, device_type="cpu"):
    """Draw as one likes within the block: behind it, numbers go on as if nothing had been drawn.

    Parameters
    ----------
    devices, device_type
        Accepted as in PyTorch: there is one generator, that of the CPU.
    enabled : bool, default True
        False lets the block draw as any other code does.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> with tg.random.fork_rng():
    ...     generator = tg.manual_seed(0)
    ...     first = tg.rand(3)
    """
    generator = default_generator()
    before, state = dict(_settings), generator.bit_generator.state
    try:
        yield
    finally:
        if enabled:
            _settings.update(before)
            generator.bit_generator.state = state


def default_generator():
    """Return the generator that is used where none is given."""
    if _settings["generator"] is None:
        manual_seed(None)
    return _settings["generator"]
