"""The only file that speaks OpenMP: how many threads work on a loop, and on which part of it.

Design
------
a) Work below a grain is done by the caller.  An explicit branch costs nothing, where ``prange`` with a
   condition that turns it off still costs 0.6 microseconds.
b) Each thread takes one contiguous chunk whose ends are multiples of `CHUNK_ALIGNMENT` elements, so
   that no two threads write into the same cache line.
c) Without OpenMP ``prange`` compiles to a plain loop, and there is one thread.
"""

from cython.parallel cimport prange
from numpy cimport npy_intp

cdef extern from *:
    """
    #ifdef _OPENMP
    #include <omp.h>
    #define tgr_threads() omp_get_max_threads()
    #else
    #define tgr_threads() 1
    #endif
    """
    int tgr_threads() noexcept nogil

cdef enum:
    CHUNK_ALIGNMENT = 64


cdef void _run_part(
    Loop loop, void* data, int operand_count, char** operands, npy_intp start, npy_intp stop,
    npy_intp* strides
) noexcept nogil:
    cdef char* shifted[MOST_OPERANDS]
    cdef npy_intp count = stop - start
    cdef int k
    if count > 0:
        for k in range(operand_count):
            shifted[k] = operands[k] + start * strides[k]
        loop(shifted, &count, strides, data)


cdef void run_loop_without_gil(
    Loop loop,              # IN
    void* data,             # IN   handed to the loop
    int operand_count,      # IN   inputs and outputs
    char** operands,        # IN   first element of each; the loop may change this array
    npy_intp count,         # IN
    npy_intp* strides,      # IN   bytes
    npy_intp grain=GRAIN,   # IN   elements below which one thread does it
) noexcept nogil:
    """Run `loop` over all elements, on several threads where there is enough to do."""
    cdef int threads = 1 if count < grain else tgr_threads()
    cdef int k
    cdef npy_intp chunk
    if threads == 1:
        loop(operands, &count, strides, data)
        return
    chunk = (count + threads - 1) // threads
    chunk = (chunk + CHUNK_ALIGNMENT - 1) // CHUNK_ALIGNMENT * CHUNK_ALIGNMENT
    for k in prange(threads, schedule="static", num_threads=threads):
        _run_part(
            loop, data, operand_count, operands, k * chunk, min((k + 1) * chunk, count), strides
        )


cdef void run_loop(
    Loop loop, void* data, int operand_count, char** operands, npy_intp count, npy_intp* strides,
    npy_intp grain=GRAIN,
) noexcept:
    """Do as `run_loop_without_gil` for a caller who holds the GIL: large work lets go of it."""
    if count < grain:
        loop(operands, &count, strides, data)
        return
    with nogil:
        run_loop_without_gil(loop, data, operand_count, operands, count, strides, grain)


def openmp_threads():
    """Return how many threads a large loop runs on: 1 where the build has no OpenMP."""
    return tgr_threads()
