"""Making tensors: from data, filled, counted, drawn."""

import numpy as np

from tinygrad_relu.engine import (
    Tensor,
    check_detached,
    checked_call,
    checked_device,
    checked_signature,
    get_default_dtype,
    keep_default_dtype,
    sharing,
)
from tinygrad_relu.errors import ArgumentError, DTypeError, RangeError, StateError

# The generator is made when it is first asked for: NumPy loads its random module only then.
_settings = {"generator": None, "seed": None}


@checked_call
def set_default_dtype(dtype):
    """Set the dtype of tensors that are made without one, such as by `zeros` and `randn`.

    Unlike PyTorch's it is float64 to begin with, as in NumPy, because gradients are to be checked.
    Python floats get it where a tensor is made of them, and integers in division, means and functions
    such as `exp`; arrays keep the dtype that they come with.  (While it is float64, floats of integers
    are as NumPy makes them: float64, too, but of bytes and booleans float16, and of int16 float32.)

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.set_default_dtype(tg.float32)
    >>> tg.tensor([1.0, 2.0])
    tensor([1., 2.], dtype=float32)
    >>> tg.set_default_dtype(tg.float64)
    """
    dtype = np.dtype(dtype)
    if dtype.kind != "f":
        raise DTypeError(f"set_default_dtype: {dtype} is no floating dtype")
    keep_default_dtype(dtype)


def dtype_of_floats(data):
    """Return the default dtype for Python floats or nothing, and None for data that has a dtype."""
    default = get_default_dtype()
    if default == np.float64:           # which NumPy makes of them anyway
        return None
    kinds = kinds_of_numbers(data)
    return default if kinds <= {float, int, bool} and (float in kinds or not kinds) else None


def kinds_of_numbers(data):
    """Return the types of what stands in nested sequences."""
    if isinstance(data, (list, tuple)):
        return set().union(*map(kinds_of_numbers, data))
    return {type(data)}


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


def default_generator():
    """Return the generator that is used where none is given."""
    if _settings["generator"] is None:
        manual_seed(None)
    return _settings["generator"]


@checked_call
def tensor(data, requires_grad=False, dtype=None, device=None):
    """Make a tensor of its own memory from numbers, nested sequences or an array.

    Parameters
    ----------
    data : array_like
        Copied.  Python floats get the default dtype, arrays keep their own.
    requires_grad : bool, default False
        Whether gradients with respect to it are wanted.  Only floating dtypes can carry one.
    dtype : dtype, optional

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.tensor([1, 2.5], requires_grad=True)
    tensor([1. , 2.5], dtype=float64, requires_grad=True)
    """
    checked_device("tensor", device)
    try:
        return Tensor(data, requires_grad, dtype_of_floats(data) if dtype is None else dtype)
    except RuntimeError as error:
        check_detached("tensor", error)
        raise


@checked_call
def asarray(data, requires_grad=False, dtype=None, device=None):
    """Return a tensor that shares memory with an array where it can; a Tensor is returned as it is.

    A later change to the array is a change to the tensor that the engine does not see: do not
    change an array between the forward and the backward pass.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_relu as tg
    >>> x = np.zeros(2)
    >>> t = tg.asarray(x)
    >>> x[0] = 1
    >>> t
    tensor([1., 0.], dtype=float64)
    """
    checked_device("asarray", device)
    if isinstance(data, Tensor):
        if dtype is not None and np.dtype(dtype) != data.dtype:
            data = data.astype(np.dtype(dtype))
        if requires_grad:
            data.requires_grad = True
        return data
    if dtype is not None:
        _real("asarray", data=data)
    with np.errstate(all="ignore"):
        chosen = dtype_of_floats(data) if dtype is None else dtype
        try:
            values = np.asarray(data, dtype=chosen)
        except RuntimeError as error:
            check_detached("asarray", error)
            raise
    return on_memory(values, requires_grad)


@checked_call
def from_numpy(array):
    """Return a tensor that shares memory with `array`; see `asarray`."""
    if not isinstance(array, np.ndarray):
        raise ArgumentError(
            f"from_numpy: a {type(array).__name__} was given: pass a NumPy array, or use tensor() or "
            "asarray()"
        )
    return asarray(array)


def _filled(name, fill, shape, requires_grad, dtype, device):
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = shape[0]
    checked_device(name, device)
    if not all(isinstance(n, (int, np.integer)) for n in shape):
        raise ArgumentError(f"{name}: a shape is whole numbers, {shape} was given")
    return on_memory(fill(tuple(shape), np.dtype(dtype or get_default_dtype())), requires_grad)


def on_memory(values, requires_grad):
    """Return a tensor that takes over an array, or a number that was drawn."""
    made = sharing(np.asarray(values))
    made.requires_grad = requires_grad
    return made


def _real(name, **arguments):
    """Raise where an argument is complex: its imaginary part would be lost."""
    for word, value in arguments.items():
        if np.iscomplexobj(value):
            raise DTypeError(f"{name}: {word} is complex: pass real numbers")


def _shape_and_dtype(x, dtype):
    """Return the shape of a tensor or array, and its dtype if no other is given."""
    x = x if isinstance(x, Tensor) else np.asarray(x)
    return x.shape, dtype or x.dtype


@checked_call
def zeros(*shape, size=(), requires_grad=False, dtype=None, device=None):
    """Return zeros of a shape, given as numbers or as one tuple."""
    return _filled("zeros", np.zeros, shape or size, requires_grad, dtype, device)


@checked_call
def ones(*shape, size=(), requires_grad=False, dtype=None, device=None):
    """Return ones of a shape, given as numbers or as one tuple."""
    return _filled("ones", np.ones, shape or size, requires_grad, dtype, device)


@checked_call
def empty(*shape, size=(), requires_grad=False, dtype=None, device=None):
    """Return a tensor of a shape, given as numbers or as one tuple, with whatever is in its memory."""
    return _filled("empty", np.empty, shape or size, requires_grad, dtype, device)


@checked_call
def full(shape, fill_value, requires_grad=False, dtype=None, device=None):
    """Return a tensor of a shape, filled with one number.

    Without `dtype`, a Python float takes the default one, and any other number keeps its own.
    """
    if dtype is None and type(fill_value) is float:
        dtype = get_default_dtype()
    _real("full", fill_value=fill_value)
    shape = (shape,) if isinstance(shape, (int, np.integer)) else shape

    def fill(n, _):
        return np.full(n, fill_value, dtype)

    return _filled("full", fill, (tuple(shape),), requires_grad, dtype, device)


@checked_call
def zeros_like(x, requires_grad=False, dtype=None, device=None):
    """Return zeros of the shape and dtype of `x`."""
    shape, dtype = _shape_and_dtype(x, dtype)
    return _filled("zeros_like", np.zeros, shape, requires_grad, dtype, device)


@checked_call
def ones_like(x, requires_grad=False, dtype=None, device=None):
    """Return ones of the shape and dtype of `x`."""
    shape, dtype = _shape_and_dtype(x, dtype)
    return _filled("ones_like", np.ones, shape, requires_grad, dtype, device)


@checked_call
def empty_like(x, requires_grad=False, dtype=None, device=None):
    """Return a tensor of the shape and dtype of `x`, with whatever is in its memory."""
    shape, dtype = _shape_and_dtype(x, dtype)
    return _filled("empty_like", np.empty, shape, requires_grad, dtype, device)


@checked_call
def full_like(x, fill_value, requires_grad=False, dtype=None, device=None):
    """Return a tensor of the shape and dtype of `x`, filled with one number."""
    shape, dtype = _shape_and_dtype(x, dtype)
    return full(shape, fill_value, requires_grad, dtype, device)


@checked_call
def arange(start=None, end=None, step=1, *, requires_grad=False, dtype=None, device=None):
    """Return evenly spaced numbers: ``arange(end)`` or ``arange(start, end[, step])``.

    Whole ones are int64, and others have the default dtype.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.arange(3), tg.arange(0, 6, step=2)
    (tensor([0, 1, 2], dtype=int64), tensor([0, 2, 4], dtype=int64))
    """
    if end is None:
        start, end = None, start
    if end is None:
        raise ArgumentError("arange: end is missing: the forms are arange(end) and arange(start, end)")
    values = np.arange(0 if start is None else start, end, step, dtype=dtype)
    if dtype is None and values.dtype == np.float64:
        values = values.astype(get_default_dtype(), copy=False)
    checked_device("arange", device)
    return on_memory(values, requires_grad)


@checked_call
def linspace(start, stop, steps=50, requires_grad=False, dtype=None, device=None):
    """Return `steps` evenly spaced numbers from `start` to `stop`, both included."""
    _real("linspace", start=start, stop=stop)
    with np.errstate(all="ignore"):
        values = np.linspace(start, stop, steps, dtype=dtype or get_default_dtype())
    return asarray(values, requires_grad, device=device)


@checked_call
def logspace(start, stop, steps=50, base=10.0, requires_grad=False, dtype=None, device=None):
    """Return `steps` numbers from ``base**start`` to ``base**stop``, evenly spaced in their logarithm.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.logspace(0, 2, 3)
    tensor([  1.,  10., 100.], dtype=float64)
    """
    _real("logspace", start=start, stop=stop, base=base)
    with np.errstate(all="ignore"):
        values = np.logspace(start, stop, steps, base=base, dtype=dtype or get_default_dtype())
    return asarray(values, requires_grad, device=device)


@checked_call
def tril_indices(row, col, offset=0, dtype=None, device=None):
    """Return the rows and columns of the elements on and below a diagonal, as two rows.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.tril_indices(2, 2)
    tensor([[0, 1, 1],
            [0, 0, 1]], dtype=int64)
    """
    return _named_by("tril_indices", np.tril_indices, row, col, offset, dtype, device)


@checked_call
def triu_indices(row, col, offset=0, dtype=None, device=None):
    """Return the rows and columns of the elements on and above a diagonal, as two rows."""
    return _named_by("triu_indices", np.triu_indices, row, col, offset, dtype, device)


def _named_by(name, indices, row, col, offset, dtype, device):
    """Return the indices of a triangle of a matrix as two rows."""
    if row < 0 or col < 0:
        raise RangeError(f"{name}: {row} rows and {col} columns: each is at least 0")
    return asarray(np.stack(indices(row, offset, col)), False, dtype, device)


@checked_call
def eye(rows, columns=None, requires_grad=False, dtype=None, device=None):
    """Return a matrix with ones on its diagonal."""
    values = np.eye(rows, columns, dtype=dtype or get_default_dtype())
    return asarray(values, requires_grad, device=device)


# ------------------------------------------------------------------------------------ at random


@checked_call
def rand(*shape, size=(), generator=None, requires_grad=False, dtype=None, device=None):
    """Return numbers drawn evenly from 0 (included) to 1.

    Parameters
    ----------
    *shape : int or tuple of int
    generator : Generator or numpy.random.Generator, optional
        The one that `manual_seed` seeds, if none is given.
    """
    draw = source_of("rand", generator).random

    def fill(n, kind):
        # Rounded to a smaller dtype, what is just below 1 would be 1.
        _floating("rand", kind)
        return np.minimum(np.asarray(draw(n)).astype(kind), np.nextafter(kind.type(1), kind.type(0)))

    return _filled("rand", fill, shape or size, requires_grad, dtype, device)


@checked_call
def randn(*shape, size=(), generator=None, requires_grad=False, dtype=None, device=None):
    """Return numbers drawn from the standard normal distribution; see `rand`."""
    draw = source_of("randn", generator).standard_normal
    dtype = _floating("randn", dtype or get_default_dtype())

    def fill(n, kind):
        return np.asarray(draw(n)).astype(kind)

    return _filled("randn", fill, shape or size, requires_grad, dtype, device)


@checked_call
def randint(
    low, high=None, shape=None, generator=None, requires_grad=False, dtype=None, device=None
):
    """Return whole numbers drawn evenly from `low` to before `high`.

    As in PyTorch, ``randint(high, shape)`` begins at 0, and a floating `dtype` may be asked for.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.randint(0, 1, (2,)), tg.randint(1, (2,))
    (tensor([0, 0], dtype=int64), tensor([0, 0], dtype=int64))
    """
    if isinstance(high, (tuple, list)) and shape is None:
        low, high, shape = 0, low, high
    elif high is None:
        low, high = 0, low
    if shape is None:
        raise ArgumentError(
            "randint: shape is missing: the forms are randint(low, high, shape) and randint(high, shape)"
        )
    shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    draw = source_of("randint", generator).integers

    def fill(n, kind):
        drawn_as = np.int64 if kind.kind == "f" else kind       # which raises where `high` does not fit
        return np.asarray(draw(low, high, n, dtype=drawn_as)).astype(kind)

    return _filled("randint", fill, (shape,), requires_grad, dtype or np.int64, device)


@checked_call
def randperm(count, generator=None, requires_grad=False, dtype=None, device=None):
    """Return the numbers from 0 to before `count` in random order."""
    if count < 0:
        raise RangeError(f"randperm: count is {count}: it is not negative")
    order = source_of("randperm", generator).permutation(count)
    return asarray(order.astype(dtype or np.int64), requires_grad, device=device)


@checked_call
def rand_like(x, generator=None, requires_grad=False, dtype=None, device=None):
    """Return numbers drawn evenly from 0 to 1, in the shape and dtype of `x`."""
    shape, dtype = _shape_and_dtype(x, dtype)
    dtype = _floating("rand_like", dtype)
    return rand(
        shape, generator=generator, requires_grad=requires_grad, dtype=dtype, device=device
    )


@checked_call
def randn_like(x, generator=None, requires_grad=False, dtype=None, device=None):
    """Return numbers drawn from the standard normal distribution, in the shape and dtype of `x`."""
    shape, dtype = _shape_and_dtype(x, dtype)
    dtype = _floating("randn_like", dtype)
    return randn(
        shape, generator=generator, requires_grad=requires_grad, dtype=dtype, device=device
    )


@checked_call
def randint_like(
    x, low, high=None, generator=None, requires_grad=False, dtype=None, device=None
):
    """Return whole numbers, drawn as by `randint`, in the shape and dtype of `x`."""
    shape, dtype = _shape_and_dtype(x, dtype)
    return randint(low, high, shape, generator, requires_grad, dtype, device)


def _floating(name, dtype):
    """Return `dtype`, or raise if fractions would be lost in it."""
    if np.dtype(dtype).kind != "f":
        raise DTypeError(f"{name}: the numbers are fractions, which dtype {np.dtype(dtype)} cannot hold")
    return dtype


def _drawn_from(x):
    """Return the array of what a distribution is given by; no gradient passes through a draw."""
    return x.detach().numpy() if isinstance(x, Tensor) else x


@checked_call
def normal(mean=0.0, std=1.0, shape=None, generator=None, requires_grad=False, dtype=None, device=None):
    """Return numbers drawn from normal distributions.

    Parameters
    ----------
    mean, std : Tensor or float
        Broadcast against each other, and into `shape` if that is given.  No gradient passes to them:
        for that write ``mean + std * randn(shape)``.
    shape : tuple of int, optional
    generator : Generator or numpy.random.Generator, optional
    requires_grad : bool, default False
    dtype : dtype, optional
        That of `mean` and `std` if one is a floating tensor, else the default.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.normal(tg.tensor([1.0, 2.0]), 0.0)
    tensor([1., 2.], dtype=float64)
    """
    center, spread = _drawn_from(mean), _drawn_from(std)
    if np.any(np.asarray(spread) < 0):
        raise RangeError("normal: std is negative somewhere: it is at least 0")
    if dtype is None:
        kinds = [x.dtype for x in (center, spread) if getattr(x, "dtype", None) is not None]
        kinds = [kind for kind in kinds if kind.kind == "f"]
        dtype = np.result_type(*kinds) if kinds else get_default_dtype()
    drawn = source_of("normal", generator).normal(center, spread, shape)
    return asarray(np.asarray(drawn).astype(_floating("normal", dtype)), requires_grad, device=device)


@checked_call
def bernoulli(x, p=None, generator=None, requires_grad=False, dtype=None, device=None):
    """Return 1 with the probability that each element of `x` says, and 0 otherwise.

    With `p`, that is the probability of all, and `x` gives shape and dtype only.  No gradient passes
    to the probabilities.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.bernoulli(tg.tensor([0.0, 1.0]))
    tensor([0., 1.], dtype=float64)
    """
    shape, dtype = _shape_and_dtype(x, dtype)
    chance = np.asarray(_drawn_from(x if p is None else p))
    if not np.all((chance >= 0) & (chance <= 1)):
        raise RangeError("bernoulli: a probability is not between 0 and 1")
    hits = source_of("bernoulli", generator).random(shape) < chance
    return asarray(np.asarray(hits).astype(dtype), requires_grad, device=device)
