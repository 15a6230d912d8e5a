"""What is done to each row of an array, its last axis, in one pass over memory: see `loops/rows.pxi`."""

import numpy as np

cimport cython
cimport numpy as cnp
from cpython.ref cimport PyObject
from numpy cimport ndarray, npy_intp

from tinygrad_relu.kernels._memory cimport empty
from tinygrad_relu.kernels._threads cimport Loop, run_loop
from tinygrad_relu.kernels.elementwise cimport float_slot
from tinygrad_relu.kernels.kernel cimport Kernel
from tinygrad_relu.kernels.loops.instruction_set cimport own
from tinygrad_relu.kernels.loops.table cimport Standard

cnp.import_array()


cdef bint has_rows(object x) noexcept:
    """Tell whether `x` is a plain array of rows that are not empty."""
    return (
        type(x) is ndarray and float_slot(<ndarray> x) >= 0 and cnp.PyArray_NDIM(<ndarray> x) > 0
        and cnp.PyArray_SIZE(<ndarray> x) > 0
    )


cdef bint alike(object a, object b) noexcept:
    """Tell whether both are plain arrays of rows, of one shape and dtype."""
    return (
        has_rows(a) and has_rows(b) and cnp.PyArray_TYPE(<ndarray> a) == cnp.PyArray_TYPE(<ndarray> b)
        and cnp.PyArray_SAMESHAPE(<ndarray> a, <ndarray> b)
    )


cdef ndarray by_rows(Loop* loops, void* settings, ndarray a, ndarray b):
    """Run a loop over the rows of `a`, and of `b` if it is there."""
    cdef ndarray y = empty(cnp.PyArray_NDIM(a), cnp.PyArray_DIMS(a), cnp.PyArray_TYPE(a))
    cdef npy_intp width = cnp.PyArray_DIM(a, cnp.PyArray_NDIM(a) - 1)
    cdef npy_intp row = width * cnp.PyArray_ITEMSIZE(a)
    cdef npy_intp[3] strides = [row, row, row]
    cdef char* operands[3]
    cdef int count = 2 if b is None else 3
    operands[0], operands[1] = cnp.PyArray_BYTES(a), cnp.PyArray_BYTES(a if b is None else b)
    operands[count - 1] = cnp.PyArray_BYTES(y)
    run_loop(
        loops[float_slot(a)], settings, count, operands, cnp.PyArray_SIZE(a) // width, strides
    )
    return y


@cython.final
cdef class Standardize(Kernel):
    """Each row less its mean and over its standard deviation; static: (eps,)."""

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef object x = <object> arrays[0]
        cdef Standard row
        row.epsilon = statics[0]
        if has_rows(x):
            row.width = cnp.PyArray_DIM(<ndarray> x, cnp.PyArray_NDIM(<ndarray> x) - 1)
            return by_rows(own.standardize, &row, <ndarray> x, None)
        with np.errstate(all="ignore"):
            x = np.asarray(x)
            # Integers have no mean of theirs, and the sum of a row of halves overflows soon.
            values = x.astype(np.result_type(x, np.float32))
            values = values - np.sum(values, axis=-1, keepdims=True) / max(np.shape(x)[x.ndim - 1], 1)
            spread = np.sum(np.square(values), axis=-1, keepdims=True) / max(np.shape(x)[x.ndim - 1], 1)
            y = values / np.sqrt(spread + row.epsilon)
            return y.astype(x.dtype) if x.dtype.kind == "f" else y


@cython.final
cdef class StandardizeCotangent(Kernel):
    """What reaches `x` of a cotangent of `Standardize`; arrays: (g, x), plain ones; static: (eps,)."""

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef object g = <object> arrays[0]
        cdef object x = <object> arrays[1]
        cdef Standard row
        row.epsilon = statics[0]
        if not alike(g, x):
            return None
        row.width = cnp.PyArray_DIM(<ndarray> x, cnp.PyArray_NDIM(<ndarray> x) - 1)
        return by_rows(own.standardize_cotangent, &row, <ndarray> g, <ndarray> x)


@cython.final
cdef class SoftmaxCotangent(Kernel):
    """What reaches `x` of a cotangent of softmax; arrays: (g, y), plain ones; static: (axis,)."""

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef object g = <object> arrays[0]
        cdef object y = <object> arrays[1]
        cdef npy_intp width
        if not alike(g, y) or statics[0] not in (-1, cnp.PyArray_NDIM(<ndarray> y) - 1):
            return None
        width = cnp.PyArray_DIM(<ndarray> y, cnp.PyArray_NDIM(<ndarray> y) - 1)
        return by_rows(own.softmax_cotangent, &width, <ndarray> g, <ndarray> y)
