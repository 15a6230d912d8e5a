"""The linear recurrence ``y[k] = a[k] * y[k - 1] + b[k]`` along an axis, beginning from 0."""

import numpy as np

cimport numpy as cnp
from cython cimport floating
from numpy cimport ndarray, npy_intp

from tinygrad_relu.kernels._memory cimport empty_like

cnp.import_array()


cdef void recur(
    const floating* a, const floating* b, floating* y, npy_intp outer, npy_intp length, npy_intp inner
) noexcept nogil:
    cdef npy_intp row
    for _ in range(outer):
        for row in range(inner):
            y[row] = b[row]
        for _ in range(1, length):
            a += inner
            b += inner
            y += inner
            for row in range(inner):
                y[row] = a[row] * y[row - inner] + b[row]
        a += inner
        b += inner
        y += inner


def linear_recurrence(a, b, int axis):
    """Return y of the shape that `a` and `b` are broadcast to; of `a`, the first is unused."""
    cdef ndarray first, second, y
    cdef npy_intp outer = 1, length, inner = 1
    cdef int k, ndim
    dtype = np.result_type(a, b)
    # What is not float or double is computed in double.
    working = dtype if dtype == np.float32 else np.dtype(np.float64)
    a, b = np.broadcast_arrays(a, b)
    first = np.ascontiguousarray(a, working)
    second = np.ascontiguousarray(b, working)
    ndim = a.ndim
    if not -ndim <= axis < ndim:
        raise ValueError(f"axis {axis} is out of bounds for {ndim} axes")
    if axis < 0:
        axis += ndim
    if second.size == 0:
        return second.astype(dtype)
    length = cnp.PyArray_DIM(second, axis)
    for k in range(ndim):
        if k < axis:
            outer *= cnp.PyArray_DIM(second, k)
        elif k > axis:
            inner *= cnp.PyArray_DIM(second, k)
    y = empty_like(second)
    if working == np.float32:
        recur[float](
            <const float*> cnp.PyArray_DATA(first), <const float*> cnp.PyArray_DATA(second),
            <float*> cnp.PyArray_DATA(y), outer, length, inner,
        )
    else:
        recur[double](
            <const double*> cnp.PyArray_DATA(first), <const double*> cnp.PyArray_DATA(second),
            <double*> cnp.PyArray_DATA(y), outer, length, inner,
        )
    return y if working == dtype else y.astype(dtype)
