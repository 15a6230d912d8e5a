"""Products of two matrices by the BLAS that NumPy brings."""

from numpy cimport ndarray

cdef int multiply(ndarray a, ndarray b, ndarray y) except -1
