"""The gate for other Cython code: ``cimport`` these and call them without the GIL."""

from cython cimport floating

from tinygrad_relu.kernels.kernel cimport Kernel

cdef void gate_uniform(
    const floating* signal, const floating* control, floating* result, Py_ssize_t count,
    floating t0, floating a0, floating a1
) noexcept nogil

cpdef int gate_view(
    const floating[::1] signal, const floating[::1] control, floating[::1] result,
    floating t0=*, floating a0=*, floating a1=*
) except -1 nogil

cdef class Gate(Kernel):
    pass
