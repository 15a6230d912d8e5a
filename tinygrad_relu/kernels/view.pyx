"""Other views of the same memory: axes exchanged, permuted and regrouped, and elements picked."""

cimport cython
cimport numpy as cnp
from cpython.object cimport PyObject_GetItem
from cpython.ref cimport PyObject
from numpy cimport ndarray, npy_intp

from tinygrad_relu.kernels.kernel cimport Kernel

from operator import index

import numpy as np

from tinygrad_relu.errors import ShapeError

cnp.import_array()


cdef ndarray as_array(object x):
    return x if type(x) is ndarray else np.asarray(x)


cdef int read_lengths(tuple lengths, cnp.PyArray_Dims* into) except -1:
    """Read whole numbers into a C array of 64."""
    cdef Py_ssize_t k
    if len(lengths) > 64:
        raise ShapeError(f"NumPy arrays have at most 64 axes, {len(lengths)} were asked for")
    for k in range(len(lengths)):
        into.ptr[k] = index(lengths[k])     # which refuses fractions
    into.len = len(lengths)
    return 0


@cython.final
cdef class SwapAxes(Kernel):
    """Two axes exchanged; statics: (axis1, axis2)."""

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        return cnp.PyArray_SwapAxes(
            as_array(<object> arrays[0]), index(statics[0]), index(statics[1])
        )


@cython.final
cdef class Permute(Kernel):
    """The axes in another order, in reverse if the order is empty; static: (axes,)."""

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef npy_intp[64] numbers
        cdef cnp.PyArray_Dims axes
        cdef tuple order = statics[0]
        axes.ptr = numbers
        read_lengths(order, &axes)
        return cnp.PyArray_Transpose(as_array(<object> arrays[0]), &axes if order else NULL)


@cython.final
cdef class Reshape(Kernel):
    """The same elements in another shape, of which one length may be -1; static: (shape,)."""

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef npy_intp[64] numbers
        cdef cnp.PyArray_Dims lengths
        lengths.ptr = numbers
        read_lengths(statics[0], &lengths)
        return cnp.PyArray_Newshape(as_array(<object> arrays[0]), &lengths, cnp.NPY_CORDER)


@cython.final
cdef class Index(Kernel):
    """``x[key]``; static: (key,)."""

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef object x = as_array(<object> arrays[0]), key = statics[0]
        result = PyObject_GetItem(x, key)
        if type(result) is ndarray:
            return result
        # One element, which NumPy gives as a number: with an ellipsis it is a view.
        return PyObject_GetItem(x, (*key, Ellipsis) if type(key) is tuple else (key, Ellipsis))
