"""PyTorch's older names for making tensors: ``FloatTensor`` and its like."""

import numpy as np

from tinygrad_relu.creation import empty, tensor
from tinygrad_relu.engine import checked_call
from tinygrad_relu.errors import ArgumentError


def of_dtype(name, dtype):
    """Return the function that makes a tensor of one dtype from data, or of lengths."""

    def make(*data):
        if not data or (all(isinstance(n, (int, np.integer)) for n in data)):
            return empty(*(data or (0,)), dtype=dtype)
        if len(data) > 1:
            raise ArgumentError(f"{name}: {len(data)} arguments: pass data as one, or lengths")
        return tensor(data[0], dtype=dtype)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = (
        f"Return a tensor of {np.dtype(dtype).name}: a copy of data, or one of lengths ``{name}(2, 3)`` "
        "with arbitrary values.  Newer scripts write ``tensor(data, dtype=...)`` and ``empty``."
    )
    kind = checked_call(make)
    kind.dtype = np.dtype(dtype)        # by which NumPy takes it for that dtype: x.type(FloatTensor)
    return kind


BoolTensor = of_dtype("BoolTensor", np.bool_)
ByteTensor = of_dtype("ByteTensor", np.uint8)
DoubleTensor = of_dtype("DoubleTensor", np.float64)
FloatTensor = of_dtype("FloatTensor", np.float32)
IntTensor = of_dtype("IntTensor", np.int32)
LongTensor = of_dtype("LongTensor", np.int64)
ShortTensor = of_dtype("ShortTensor", np.int16)
