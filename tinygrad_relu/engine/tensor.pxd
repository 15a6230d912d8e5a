from numpy cimport ndarray

cdef class Tensor:
    cdef ndarray array
    cdef object node            # the Node that recorded it; None for a leaf
    cdef object gradient        # Tensor or None
    cdef bint needs_gradient
    cdef Tensor owner           # whose memory this is a view of; None if its own
    cdef tuple view             # what an op made it of: (Tensor, Op, statics); None if it is no view
    cdef Py_ssize_t version     # how often the memory was changed in place
    cdef Tensor base            # of a view, the tensor at the root of all views: whose history it shares
    cdef Py_ssize_t rewrites    # how often on record; of a view, how many of them it has caught up with
    cdef bint shares_unknown    # it lies in memory of another one in a way that no op tells
    cdef dict hooks             # of a leaf: called with its gradient before that is added to ``.grad``
    cdef dict added_hooks       # of a leaf: called with itself after that
    cdef object __weakref__

    cdef Tensor memory(self)
    cdef int leave_output(self) except -1
    cdef int changed(self) except -1

cdef Tensor wrap(ndarray array)
cdef bint held_once(Tensor tensor) noexcept
cdef bint carries_gradient(int dtype) noexcept
