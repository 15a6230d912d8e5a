"""Inner loops in NumPy's own calling convention, run on one thread or on several."""

from numpy cimport npy_intp

cdef enum:
    MOST_OPERANDS = 8
    # How many bytes a loop works on, of its widest operand, before it is worth waking a thread, which
    # takes some 40 microseconds: loops as cheap as an addition, and those with a function like exp.
    GRAIN = 6291456
    COSTLY_GRAIN = 524288

# One pass over `count[0]` elements; `operands[k]` advances by `strides[k]` bytes an element.
# It is the convention of NumPy's ufuncs, so that their loops and ours are interchangeable.
ctypedef void (*Loop)(
    char** operands, npy_intp* count, npy_intp* strides, void* data
) noexcept nogil

cdef void run_loop(
    Loop loop, void* data, int operand_count, char** operands, npy_intp count, npy_intp* strides,
    npy_intp grain=*
) noexcept

cdef void run_loop_without_gil(
    Loop loop, void* data, int operand_count, char** operands, npy_intp count, npy_intp* strides,
    npy_intp grain=*
) noexcept nogil
