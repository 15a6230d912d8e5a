from cpython.ref cimport PyObject
from numpy cimport ndarray, npy_intp

from tinygrad_relu.kernels._threads cimport Loop
from tinygrad_relu.kernels.kernel cimport Kernel

cdef class Elementwise(Kernel):
    cdef readonly object ufunc
    cdef object of_whole          # the function of integers and booleans, or None
    cdef npy_intp grain           # bytes below which one thread does it
    cdef Loop[2] loops            # for float and for double; NULL where there is none
    cdef void* data[2]
    cdef int[2] result_types
    cdef ndarray unary(self, ndarray x, int slot)
    cdef ndarray binary(self, ndarray a, ndarray b, int slot)
    cdef ndarray by_column(self, ndarray a, ndarray b, bint a_is_larger, npy_intp width, int slot)
    cdef ndarray with_number(self, ndarray x, double number, bint number_first, int slot)

cdef int float_slot(ndarray x) noexcept
cdef int add_into(ndarray target, ndarray x) except -1
