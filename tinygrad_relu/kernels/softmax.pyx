"""Softmax and its logarithm along one axis, without overflow.

A plain float array whose axis is the last one is done row by row: the largest element is taken off,
the exponential is NumPy's own loop over all rows at once, and the sum follows while the row is in
cache, in double precision.  Other layouts go by the same formula in NumPy.
"""

import numpy as np

cimport cython
cimport numpy as cnp
from cpython.ref cimport PyObject
from cython cimport floating
from libc.math cimport log
from numpy cimport ndarray, npy_intp

from tinygrad_relu.kernels._memory cimport empty
from tinygrad_relu.kernels._threads cimport run_loop
from tinygrad_relu.kernels.elementwise cimport Elementwise, float_slot
from tinygrad_relu.kernels.kernel cimport Kernel

from tinygrad_relu.kernels.elementwise import Elementwise

cnp.import_array()

cdef Elementwise exponential = Elementwise(np.exp)


cdef void less_largest(
    const floating* x,      # IN   rows * width
    floating* y,            # OUT  rows * width
    npy_intp rows, npy_intp width,
) noexcept nogil:
    """Take off each row its largest element."""
    cdef npy_intp k
    cdef floating top
    for _ in range(rows):
        top = x[0]
        for k in range(1, width):
            top = x[k] if x[k] > top else top
        for k in range(width):
            y[k] = x[k] - top
        x += width
        y += width


cdef void divide_by_sums(floating* e, npy_intp rows, npy_intp width) noexcept nogil:
    """Divide each row by its sum, in place."""
    cdef npy_intp k
    cdef double total
    for _ in range(rows):
        total = 0
        for k in range(width):
            total += e[k]
        for k in range(width):
            e[k] = <floating> (e[k] / total)
        e += width


cdef void less_log_sums(
    floating* y,            # IN, OUT  rows * width
    const floating* e,      # IN       exp(y)
    npy_intp rows, npy_intp width,
) noexcept nogil:
    """Take off each row the logarithm of the sum of its exponentials, in place."""
    cdef npy_intp k
    cdef double total
    cdef floating logarithm
    for _ in range(rows):
        total = 0
        for k in range(width):
            total += e[k]
        logarithm = <floating> log(total)
        for k in range(width):
            y[k] -= logarithm
        y += width
        e += width


cdef class Rows(Kernel):
    """What both kernels share: which arrays they take row by row; static: (axis,)."""

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef object x = <object> arrays[0]
        cdef object axis = statics[0]
        cdef int slot = float_slot(<ndarray> x) if type(x) is ndarray else -1
        cdef int ndim = cnp.PyArray_NDIM(<ndarray> x) if slot >= 0 else 0
        if (
            slot >= 0 and ndim > 0 and type(axis) is int and (axis == -1 or axis == ndim - 1)
            and cnp.PyArray_SIZE(<ndarray> x) > 0
        ):
            return self.by_rows(<ndarray> x, slot)
        with np.errstate(all="ignore"):
            # Integers would wrap when the largest is taken off.
            x = np.asarray(x)
            return self.general(x if x.dtype.kind == "f" else x.astype(np.float64), axis)

    cdef ndarray by_rows(self, ndarray x, int slot):
        raise NotImplementedError

    def general(self, x, axis):
        """Return the result for any layout and dtype."""
        raise NotImplementedError


cdef ndarray shifted(ndarray x, int slot):
    """Return `x` less the largest element of each row."""
    cdef ndarray y = empty(
        cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x), cnp.PyArray_TYPE(x)
    )
    cdef npy_intp width = cnp.PyArray_DIM(x, cnp.PyArray_NDIM(x) - 1)
    cdef npy_intp rows = cnp.PyArray_SIZE(x) // width
    if slot:
        less_largest[double](
            <double*> cnp.PyArray_DATA(x), <double*> cnp.PyArray_DATA(y), rows, width
        )
    else:
        less_largest[float](<float*> cnp.PyArray_DATA(x), <float*> cnp.PyArray_DATA(y), rows, width)
    return y


def shifted_general(x, axis):
    """Do as `shifted` along any axis, in NumPy."""
    return x - np.amax(x, axis=axis, keepdims=True) if x.size else x


@cython.final
cdef class Softmax(Rows):
    """``exp(x) / sum(exp(x))``."""

    cdef ndarray by_rows(self, ndarray x, int slot):
        cdef ndarray e = shifted(x, slot)
        cdef npy_intp width = cnp.PyArray_DIM(x, cnp.PyArray_NDIM(x) - 1)
        cdef npy_intp rows = cnp.PyArray_SIZE(x) // width
        exponentiate(e, e, slot)
        if slot:
            divide_by_sums[double](<double*> cnp.PyArray_DATA(e), rows, width)
        else:
            divide_by_sums[float](<float*> cnp.PyArray_DATA(e), rows, width)
        return e

    def general(self, x, axis):
        e = np.exp(shifted_general(x, axis))
        return e / np.sum(e, axis=axis, keepdims=True)


@cython.final
cdef class LogSoftmax(Rows):
    """``x - log(sum(exp(x)))``."""

    cdef ndarray by_rows(self, ndarray x, int slot):
        cdef ndarray y = shifted(x, slot)
        cdef ndarray e = empty(
            cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x), cnp.PyArray_TYPE(x)
        )
        cdef npy_intp width = cnp.PyArray_DIM(x, cnp.PyArray_NDIM(x) - 1)
        cdef npy_intp rows = cnp.PyArray_SIZE(x) // width
        exponentiate(y, e, slot)
        if slot:
            less_log_sums[double](
                <double*> cnp.PyArray_DATA(y), <double*> cnp.PyArray_DATA(e), rows, width
            )
        else:
            less_log_sums[float](
                <float*> cnp.PyArray_DATA(y), <float*> cnp.PyArray_DATA(e), rows, width
            )
        return y

    def general(self, x, axis):
        y = shifted_general(x, axis)
        return y - np.log(np.sum(np.exp(y), axis=axis, keepdims=True))


cdef void exponentiate(ndarray y, ndarray e, int slot) noexcept:
    """Write ``exp(y)`` into `e`, which may be `y`."""
    cdef npy_intp item = cnp.PyArray_ITEMSIZE(y)
    cdef npy_intp[2] strides = [item, item]
    cdef char* operands[2]
    operands[0], operands[1] = cnp.PyArray_BYTES(y), cnp.PyArray_BYTES(e)
    run_loop(
        exponential.loops[slot], exponential.data[slot], 2, operands, cnp.PyArray_SIZE(y), strides,
        exponential.grain,
    )
