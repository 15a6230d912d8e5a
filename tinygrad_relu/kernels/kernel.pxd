from cpython.ref cimport PyObject
from numpy cimport ndarray

cdef class Kernel:
    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics)

cdef class Function(Kernel):
    cdef readonly object function

cdef bint plain(ndarray x) noexcept
cdef ndarray real_array(str name, object x)
