"""The sum of squared differences, in one pass.

Differences are squared and summed in double precision, by blocks of fixed length, so that the result
does not depend on the number of threads.
"""

import numpy as np

cimport cython
cimport numpy as cnp
from cpython.ref cimport PyObject
from cython cimport floating
from libc.math cimport fabs
from numpy cimport ndarray, npy_intp

from tinygrad_relu.kernels._memory cimport empty
from tinygrad_relu.kernels._threads cimport run_loop
from tinygrad_relu.kernels.elementwise cimport float_slot
from tinygrad_relu.kernels.loops.instruction_set cimport own
from tinygrad_relu.kernels.kernel cimport Kernel
from tinygrad_relu.kernels.loops.table cimport DISTANCE_BLOCK

from tinygrad_relu.errors import ShapeError

cnp.import_array()

cdef enum:
    FEW = 64                    # blocks whose sums are kept on the stack


cdef double rest_sum(const floating* a, const floating* b, npy_intp count) noexcept nogil:
    """Sum the squared differences of less than a block."""
    cdef double total = 0, difference
    cdef npy_intp i
    for i in range(count):
        difference = <double> a[i] - <double> b[i]
        total += difference * difference
    return total


cdef double compensated_sum(const double* parts, npy_intp count) noexcept nogil:
    """Sum with the compensation of Neumaier: the error does not grow with the length."""
    cdef double total = 0, lost = 0, part, sum_
    cdef npy_intp k
    for k in range(count):
        part = parts[k]
        sum_ = total + part
        # Of two finite numbers the smaller one loses digits; infinite ones have none to lose.
        if sum_ - sum_ == 0:
            lost += (total - sum_) + part if fabs(total) >= fabs(part) else (part - sum_) + total
        total = sum_
    return total + lost


cdef double squared_distance(ndarray a, ndarray b, int slot) except -1:
    cdef npy_intp count = cnp.PyArray_SIZE(a), blocks = count // DISTANCE_BLOCK
    cdef npy_intp item = cnp.PyArray_ITEMSIZE(a), step = DISTANCE_BLOCK * item
    cdef npy_intp all_blocks = blocks + 1
    cdef npy_intp[3] strides = [step, step, sizeof(double)]
    cdef double[FEW] few
    cdef double* sums = few
    cdef ndarray many
    cdef char* operands[3]
    cdef char* a_rest = cnp.PyArray_BYTES(a) + blocks * step
    cdef char* b_rest = cnp.PyArray_BYTES(b) + blocks * step
    if all_blocks > FEW:
        many = empty(1, &all_blocks, cnp.NPY_DOUBLE)
        sums = <double*> cnp.PyArray_DATA(many)
    operands[0], operands[1] = cnp.PyArray_BYTES(a), cnp.PyArray_BYTES(b)
    operands[2] = <char*> sums
    run_loop(
        own.squared_distance[slot], NULL, 3, operands, blocks, strides
    )
    count -= blocks * DISTANCE_BLOCK
    if slot:
        sums[blocks] = rest_sum(<double*> a_rest, <double*> b_rest, count)
    else:
        sums[blocks] = rest_sum(<float*> a_rest, <float*> b_rest, count)
    return compensated_sum(sums, all_blocks)


@cython.final
cdef class SquaredDistance(Kernel):
    """``sum((a - b) ** 2)`` over two arrays of one shape, or their mean; static: (mean,)."""

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef object a = <object> arrays[0]
        cdef object b = <object> arrays[1]
        cdef ndarray y
        cdef double result
        cdef bint mean = len(statics) > 0 and statics[0]
        cdef bint both = type(a) is ndarray and type(b) is ndarray
        cdef int slot = float_slot(<ndarray> a) if both else -1
        if not cnp.PyArray_SAMESHAPE(a, b) if both else np.shape(a) != np.shape(b):
            raise ShapeError("the shapes differ: reshape one tensor to the other's shape")
        if slot < 0 or float_slot(<ndarray> b) != slot:
            with np.errstate(all="ignore"):
                # Integers would wrap.
                dtype = np.result_type(a, b)
                dtype = dtype if dtype.kind == "f" else np.float64
                squares = np.square(np.subtract(a, b, dtype=dtype))
                return np.sum(squares) / (squares.size if mean else 1)
        y = empty(0, NULL, cnp.PyArray_TYPE(<ndarray> a))
        result = squared_distance(<ndarray> a, <ndarray> b, slot)
        if mean:
            result /= <double> cnp.PyArray_SIZE(a)
        if slot:
            (<double*> cnp.PyArray_DATA(y))[0] = result
        else:
            (<float*> cnp.PyArray_DATA(y))[0] = <float> result
        return y
