"""What NumPy and the array API standard ask of an array: the NumPy dialect answers, once it is loaded.

The dialect stands above the ops, so that it is imported by name when it is first asked for.
"""

from importlib import import_module

import numpy as np

from tinygrad_relu.engine import checked_call, checked_device
from tinygrad_relu.errors import ArgumentError
from tinygrad_relu.ops import arithmetic

DIALECT = "tinygrad_relu.numpy"


def namespace_of(x, /, *, api_version=None):
    """Return the NumPy dialect, `tinygrad_relu.numpy`, as the namespace of the array API standard.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.tensor([1.0]).__array_namespace__().__name__
    'tinygrad_relu.numpy'
    """
    dialect = import_module(DIALECT)
    if api_version not in (None, "2021.12", "2022.12", "2023.12", dialect.__array_api_version__):
        raise ArgumentError(
            f"__array_namespace__: api_version is {api_version!r}: the NumPy dialect follows "
            f"{dialect.__array_api_version__}"
        )
    return dialect


def answer_function(x, function, types, arguments, keywords):
    """Answer ``np.concatenate([tensor, array])`` by the function of that name of the NumPy dialect."""
    return import_module(f"{DIALECT}.protocol").answer(function, types, arguments, keywords)


@checked_call
def to_device(x, device, /, *, stream=None):
    """`x` itself: there is one device, ``"cpu"``."""
    checked_device("to_device", device)
    return x


def reducing(ufunc, name):
    """Return a reduction of the dialect as NumPy's ``ufunc.reduce``, which begins with axis 0."""

    def reduce(x, axis=0, keepdims=False):
        return getattr(import_module(DIALECT), name)(x, axis, keepdims=keepdims)

    reduce.__qualname__ = f"np.{ufunc.__name__}.reduce"
    return checked_call(reduce)


def of_dialect(name):
    """Return what calls a function of the NumPy dialect, which is loaded then."""
    return lambda *operands: getattr(import_module(DIALECT), name)(*operands)


#: What ufuncs call that are the kernel of no op, and ``np.add.reduce(tensor)`` and its like.
UFUNCS = {
    np.conjugate: arithmetic.positive,
    (np.add, "reduce"): reducing(np.add, "sum"),
    (np.multiply, "reduce"): reducing(np.multiply, "prod"),
    (np.maximum, "reduce"): reducing(np.maximum, "max"),
    (np.minimum, "reduce"): reducing(np.minimum, "min"),
}

#: Those that the dialect has more to do for than to call an op: other dtypes, or no op at all.
UFUNCS |= {
    getattr(np, name): of_dialect(name)
    for name in (
        "copysign", "deg2rad", "degrees", "divmod", "fabs", "floor_divide", "fmax", "fmin", "fmod", "gcd",
        "heaviside", "lcm", "ldexp", "logaddexp", "logaddexp2", "matvec", "rad2deg", "radians",
        "reciprocal", "remainder", "vecdot", "vecmat",
    )
    if hasattr(np, name)        # NumPy 2.0 has not all
}
