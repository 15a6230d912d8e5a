"""Other views of the same memory: axes exchanged, permuted and regrouped, and elements picked."""

cimport cython
cimport numpy as cnp
from cpython.object cimport PyObject_GetItem
from cpython.ref cimport PyObject
from numpy cimport ndarray, npy_intp

from tinygrad_relu.kernels._memory cimport empty
from tinygrad_relu.kernels.kernel cimport Kernel

from operator import index

import numpy as np

from tinygrad_relu.errors import ArgumentError, ShapeError

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
    """Two axes exchanged; statics: (axis1, axis2).  No axes count as one, which stays."""

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef ndarray x = as_array(<object> arrays[0])
        cdef int axis1 = index(statics[0]), axis2 = index(statics[1])
        if cnp.PyArray_NDIM(x) == 0 and -1 <= axis1 <= 0 and -1 <= axis2 <= 0:
            return x
        return cnp.PyArray_SwapAxes(x, axis1, axis2)


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


@cython.final
cdef class Join(Kernel):
    """Arrays end to end, in pooled memory; statics: (axis, stops), the last one the whole length."""

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef list parts = [as_array(<object> arrays[k]) for k in range(count)]
        cdef ndarray first = parts[0], y
        cdef npy_intp[64] shape
        cdef int k, ndim = cnp.PyArray_NDIM(first), axis = index(statics[0])
        cdef npy_intp end = 0
        cdef bint one_dtype = True
        axis = axis + ndim if axis < 0 else axis
        if not 0 <= axis < ndim or len(statics[1]) != count:
            raise ValueError("an axis that is there and one stop for each array are needed")
        for k in range(count):
            one_dtype = one_dtype and cnp.PyArray_TYPE(<ndarray> parts[k]) == cnp.PyArray_TYPE(first)
            one_dtype = one_dtype and cnp.PyArray_ISNOTSWAPPED(<ndarray> parts[k])
            end += cnp.PyArray_DIM(<ndarray> parts[k], axis) if parts[k].ndim == ndim else 0
            if end != statics[1][k]:
                raise ArgumentError(f"the stops are {statics[1]}, and array {k} ends at {end}")
        if not one_dtype:
            return np.concatenate(parts, axis=axis)
        for k in range(ndim):
            shape[k] = cnp.PyArray_DIM(first, k)
        shape[axis] = end
        y = empty(ndim, shape, cnp.PyArray_TYPE(first))
        return np.concatenate(parts, axis=axis, out=y)
