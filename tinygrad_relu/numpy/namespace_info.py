"""What the array API standard asks about a namespace: devices, dtypes, capabilities."""

import numpy as np

from tinygrad_relu.creation import get_default_dtype
from tinygrad_relu.errors import ArgumentError
from tinygrad_relu.numpy.calling import on_cpu

NAMES = {
    "bool": ("bool",),
    "signed integer": ("int8", "int16", "int32", "int64"),
    "unsigned integer": ("uint8", "uint16", "uint32", "uint64"),
    "real floating": ("float32", "float64"),
    "complex floating": (),
}
NAMES["integral"] = NAMES["signed integer"] + NAMES["unsigned integer"]
NAMES["numeric"] = NAMES["integral"] + NAMES["real floating"]


class ArrayNamespaceInfo:
    """What ``__array_namespace_info__()`` of the NumPy dialect returns.

    Examples
    --------
    >>> import tinygrad_relu.numpy as tnp
    >>> tnp.__array_namespace_info__().default_dtypes()["real floating"]
    dtype('float64')
    """

    def capabilities(self):
        """Return what is there: masks as indices, shapes that depend on data, up to 64 axes."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self):
        """Return the one device that there is."""
        return "cpu"

    def devices(self):
        """Return all devices."""
        return ["cpu"]

    def default_dtypes(self, *, device=None):
        """Return the dtypes of what is made without one.  There are no complex numbers."""
        on_cpu("default_dtypes", device)
        whole = np.dtype(np.int64)
        return {"real floating": get_default_dtype(), "integral": whole, "indexing": whole}

    def dtypes(self, *, device=None, kind=None):
        """Return the dtypes of a kind, of several, or all, by name."""
        on_cpu("dtypes", device)
        kinds = ("bool", "numeric") if kind is None else kind if isinstance(kind, tuple) else (kind,)
        for word in kinds:
            if word not in NAMES:
                raise ArgumentError(f"dtypes: kind is {word!r}: it is one of {', '.join(NAMES)}")
        return {name: np.dtype(name) for word in kinds for name in NAMES[word]}
