"""Running sums, and the linear recurrence ``y[k] = a[k] * y[k - 1] + b[k]``, along an axis."""

from operator import index

import numpy as np

cimport numpy as cnp
from cython cimport floating
from numpy cimport ndarray, npy_intp

from tinygrad_relu.kernels._memory cimport empty_like

from tinygrad_relu.errors import ShapeError

cnp.import_array()

cdef struct Lengths:
    npy_intp outer, length, inner       # before the axis, along it, behind it


cdef Lengths lengths_around(ndarray x, number) except *:
    cdef Lengths lengths
    cdef int k, axis
    if not 0 <= index(number) < cnp.PyArray_NDIM(x):
        raise ShapeError(f"axis {number} is not from 0 to before {cnp.PyArray_NDIM(x)}")
    axis = index(number)
    lengths = Lengths(1, cnp.PyArray_DIM(x, axis), 1)
    for k in range(cnp.PyArray_NDIM(x)):
        if k < axis:
            lengths.outer *= cnp.PyArray_DIM(x, k)
        elif k > axis:
            lengths.inner *= cnp.PyArray_DIM(x, k)
    return lengths


cdef void accumulate(const floating* b, floating* y, Lengths lengths) noexcept nogil:
    cdef npy_intp row, inner = lengths.inner
    cdef floating total
    for _ in range(lengths.outer):
        if inner == 1:
            total = 0
            for row in range(lengths.length):
                total += b[row]
                y[row] = total
        else:
            for row in range(inner):
                y[row] = b[row]
            for row in range(inner, inner * lengths.length):
                y[row] = y[row - inner] + b[row]
        b += inner * lengths.length
        y += inner * lengths.length


cdef void recur(
    const floating* a, const floating* b, floating* y, Lengths lengths
) noexcept nogil:
    cdef npy_intp row, inner = lengths.inner
    for _ in range(lengths.outer):
        for row in range(inner):
            y[row] = b[row]
        for row in range(inner, inner * lengths.length):
            y[row] = a[row] * y[row - inner] + b[row]
        a += inner * lengths.length
        b += inner * lengths.length
        y += inner * lengths.length


def running_sum(x, axis):
    """Return the sums of all elements up to each one along `axis`, which is not negative."""
    cdef ndarray b, y
    if x.dtype not in (np.float32, np.float64) or x.size == 0:
        with np.errstate(all="ignore"):
            return np.cumsum(x, index(axis))
    b = np.ascontiguousarray(x)
    y = empty_like(b)
    if b.dtype == np.float32:
        accumulate[float](
            <const float*> cnp.PyArray_DATA(b), <float*> cnp.PyArray_DATA(y), lengths_around(b, axis)
        )
    else:
        accumulate[double](
            <const double*> cnp.PyArray_DATA(b), <double*> cnp.PyArray_DATA(y), lengths_around(b, axis)
        )
    return y


def linear_recurrence(a, b, axis):
    """Return y of the shape that `a` and `b` are broadcast to; of `a`, the first along `axis` is unused.

    The axis is not negative.
    """
    cdef ndarray first, second, y
    dtype = np.result_type(a, b)
    # What is not float or double is computed in double.
    working = dtype if dtype == np.float32 else np.dtype(np.float64)
    a, b = np.broadcast_arrays(a, b)
    first = np.ascontiguousarray(a, working)
    second = np.ascontiguousarray(b, working)
    if second.size == 0:
        return second.astype(dtype)
    y = empty_like(second)
    if working == np.float32:
        recur[float](
            <const float*> cnp.PyArray_DATA(first), <const float*> cnp.PyArray_DATA(second),
            <float*> cnp.PyArray_DATA(y), lengths_around(y, axis),
        )
    else:
        recur[double](
            <const double*> cnp.PyArray_DATA(first), <const double*> cnp.PyArray_DATA(second),
            <double*> cnp.PyArray_DATA(y), lengths_around(y, axis),
        )
    return y if working == dtype else y.astype(dtype)
