"""Arrays for results, in memory that large results before them have given back."""

from numpy cimport ndarray, npy_intp

cdef ndarray empty(int ndim, npy_intp* shape, int dtype)
cdef ndarray empty_like(ndarray x)
cdef void offer(ndarray x) noexcept
cdef void withdraw() noexcept
