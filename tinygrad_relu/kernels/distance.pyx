"""The sum of squared differences, in one pass.

Differences are squared and summed in double precision, in eight running sums a block, and the blocks
are added up with the compensation of Neumaier: the error does not grow with the length.
"""

import numpy as np

cimport cython
cimport numpy as cnp
from cpython.ref cimport PyObject
from cython cimport floating
from libc.math cimport fabs
from numpy cimport ndarray, npy_intp

from tinygrad_relu.kernels._memory cimport empty
from tinygrad_relu.kernels.elementwise cimport float_slot
from tinygrad_relu.kernels.kernel cimport Kernel

cnp.import_array()

cdef enum:
    BLOCK = 512


cdef double block_sum(const floating* a, const floating* b, npy_intp count) noexcept nogil:
    cdef double[8] sums = [0, 0, 0, 0, 0, 0, 0, 0]
    cdef double difference
    cdef npy_intp i = 0
    cdef int k
    while i + 8 <= count:
        for k in range(8):
            difference = <double> a[i + k] - <double> b[i + k]
            sums[k] += difference * difference
        i += 8
    while i < count:
        difference = <double> a[i] - <double> b[i]
        sums[0] += difference * difference
        i += 1
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]))


cdef double squared_distance(const floating* a, const floating* b, npy_intp count) noexcept nogil:
    cdef double total = 0, lost = 0, part, sum_
    cdef npy_intp start = 0
    while start < count:
        part = block_sum(a + start, b + start, min(BLOCK, count - start))
        sum_ = total + part
        # Of two finite numbers the smaller one loses digits; infinite ones have none to lose.
        if sum_ - sum_ == 0:
            lost += (total - sum_) + part if fabs(total) >= fabs(part) else (part - sum_) + total
        total = sum_
        start += BLOCK
    return total + lost


@cython.final
cdef class SquaredDistance(Kernel):
    """``sum((a - b) ** 2)`` over two arrays of one shape."""

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef object a = <object> arrays[0]
        cdef object b = <object> arrays[1]
        cdef ndarray y
        cdef int slot = float_slot(<ndarray> a) if type(a) is ndarray else -1
        if np.shape(a) != np.shape(b):
            raise ValueError("the shapes differ")
        if slot < 0 or type(b) is not ndarray or float_slot(<ndarray> b) != slot:
            with np.errstate(all="ignore"):
                # Integers would wrap.
                dtype = np.result_type(a, b)
                dtype = dtype if dtype.kind == "f" else np.float64
                return np.sum(np.square(np.subtract(a, b, dtype=dtype)))
        y = empty(0, NULL, cnp.PyArray_TYPE(<ndarray> a))
        if slot:
            (<double*> cnp.PyArray_DATA(y))[0] = squared_distance[double](
                <double*> cnp.PyArray_DATA(<ndarray> a), <double*> cnp.PyArray_DATA(<ndarray> b),
                cnp.PyArray_SIZE(<ndarray> a),
            )
        else:
            (<float*> cnp.PyArray_DATA(y))[0] = <float> squared_distance[float](
                <float*> cnp.PyArray_DATA(<ndarray> a), <float*> cnp.PyArray_DATA(<ndarray> b),
                cnp.PyArray_SIZE(<ndarray> a),
            )
        return y
