from numpy cimport ndarray, npy_intp

from tinygrad_relu.engine.tensor cimport Tensor

cdef class Node:
    cdef Py_ssize_t order       # when it was recorded: a consumer is always younger than its inputs
    cdef object op              # Op
    cdef tuple statics
    cdef tuple parents          # for each input a Node, a leaf Tensor, or None where nothing flows
    cdef tuple saved            # for each input what a rule names, or None
    cdef ndarray output         # if a rule names it
    cdef object packed_output   # in its place, where hooks pack what is saved
    cdef bint is_packed         # they do
    cdef Py_ssize_t versions    # sum of the versions of all that is saved
    cdef Py_ssize_t consumers   # how many recorded ops take the output
    cdef bint output_changed
    cdef Py_ssize_t output_version      # if it was: of its memory now
    cdef Py_ssize_t first_version       # and before
    cdef dict hooks             # called with the cotangent of the output, before the rules; or None
    cdef dict post_hooks        # called with those of the inputs and of the output, after them; or None
    cdef object retained        # weak reference to the tensor whose ``.grad`` it leaves behind, or None
    cdef bint freed
    cdef npy_intp[8] shape      # of the output
    cdef int ndim
    cdef int dtype
    cdef object code            # of the user's function that recorded it, and where in it
    cdef int instruction
    cdef tuple long_shape       # in place of `shape`, of outputs with more than 8 axes

    cdef int remember_shape(self, ndarray array) except -1
    cdef bint has_shape_of(self, ndarray array) except -1
    cdef tuple shape_tuple(self)
    cdef int note_change(self, Py_ssize_t version) except -1
    cdef int check_unchanged(self) except -1
    cdef int free(self) except -1

# What a parameter of a rule stands for; inputs and static parameters are numbered from these on.
cpdef enum RuleName:
    COTANGENT = 0
    OUTPUT = 1
    POSITION = 2
    OWN_SHAPE = 3
    SPARE_COTANGENT = 4
    SPARE_SUM = 5
    FIRST_INPUT = 16
    FIRST_STATIC = 32
    OUTPUT_BIT = 63
    MOST_RULE_NAMES = 8

cdef bint is_recording() noexcept
cpdef bint set_recording(bint mode) noexcept
cdef bint hooks_pack() except -1
cdef object packed(Tensor value)
cdef object unpacked(object value)
cdef Node new_node()
