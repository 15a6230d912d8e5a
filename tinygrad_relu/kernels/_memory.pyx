"""The only file that owns large buffers: a bounded pool.

NumPy's time for a large fresh result goes mostly into page faults, which the kernel of the operating
system answers one page at a time.  Buffers that are used again are there already.

Design
------
a) Results of `SMALLEST` bytes and more take their buffer from the pool, by NumPy's own hook for data
   allocation (NEP 49).  NumPy gives the buffer back when the last array that sees it is gone: so a
   buffer that somebody still sees is never handed out, whoever holds the array and for how long.
b) A buffer serves results down to four fifths of its size.  Of those given back, the ones that were
   given back longest ago are let go of first, when there are too many or more than the limit.
c) Buffers of 4 MiB and more begin at a huge page, and the system is asked to use such pages.
d) Data begins half a page and a cache line behind the beginning of a page.  Large arrays of others
   begin shortly behind it, and a processor takes a load for one that waits for an earlier store when
   their addresses are equal within a page: such a pair slowed `relu` down by a fifth.
e) The lock is held for the search only.  It spins, because no holder ever waits.
"""

import os

cimport numpy as cnp
from cpython.pycapsule cimport PyCapsule_New
from libc.string cimport memcpy, memmove, memset
from numpy cimport ndarray, npy_intp

from tinygrad_relu.errors import ArgumentError

cnp.import_array()

cdef extern from *:
    """
    #include <stdlib.h>
    #ifdef _WIN32
    #include <malloc.h>
    #define tgr_obtain(size, alignment) _aligned_malloc(size, alignment)
    #define tgr_release(base) _aligned_free(base)
    #define tgr_lock(flag) ((void) (flag))
    #define tgr_unlock(flag) ((void) (flag))
    #else
    #include <sys/mman.h>
    static void *tgr_obtain(size_t size, size_t alignment) {
        void *base = NULL;
        if (posix_memalign(&base, alignment, size)) return NULL;
    #ifdef MADV_HUGEPAGE
        if (alignment > 4096) madvise(base, size, MADV_HUGEPAGE);
    #endif
        return base;
    }
    #define tgr_release(base) free(base)
    #define tgr_lock(flag) while (__atomic_test_and_set(flag, __ATOMIC_ACQUIRE)) {}
    #define tgr_unlock(flag) __atomic_clear(flag, __ATOMIC_RELEASE)
    #endif
    static char tgr_memory_lock = 0;
    #ifdef _MSC_VER
    static __declspec(thread) void *tgr_offered = NULL;
    #else
    static __thread void *tgr_offered = NULL;
    #endif
    """
    void* tgr_offered
    void* tgr_obtain(size_t size, size_t alignment) noexcept nogil
    void tgr_release(void* base) noexcept nogil
    void tgr_lock(char* flag) noexcept nogil
    void tgr_unlock(char* flag) noexcept nogil
    char tgr_memory_lock

cdef extern from "numpy/arrayobject.h":
    ctypedef struct PyDataMemAllocator:
        void* ctx
        void* (*malloc)(void*, size_t) noexcept nogil
        void* (*calloc)(void*, size_t, size_t) noexcept nogil
        void* (*realloc)(void*, void*, size_t) noexcept nogil
        void (*free)(void*, void*, size_t) noexcept nogil
    ctypedef struct PyDataMem_Handler:
        char name[127]
        unsigned char version
        PyDataMemAllocator allocator
    object PyDataMem_SetHandler(object handler)

cdef enum:
    SMALLEST = 65536            # below, NumPy's own allocation is as fast
    HEADER = 2112               # before the data: the size of the buffer, and what (d) asks for
    HUGE_PAGE = 2097152
    MOST_BUFFERS = 256          # that wait to be used again

cdef struct Buffer:
    size_t size                 # of the whole, header included
    char* base

cdef Buffer[MOST_BUFFERS] waiting       # the one given back longest ago first
cdef int waiting_count = 0
cdef size_t waiting_bytes = 0
cdef size_t limit = 0                   # of waiting_bytes
cdef size_t reused = 0, obtained = 0    # how often a result got a used buffer, and a new one


cdef void forget(int position) noexcept nogil:
    """Take a buffer out of those that wait."""
    global waiting_count, waiting_bytes
    waiting_bytes -= waiting[position].size
    waiting_count -= 1
    memmove(
        &waiting[position], &waiting[position + 1], (waiting_count - position) * sizeof(Buffer)
    )


cdef void* take(void* context, size_t size) noexcept nogil:
    """Return room for `size` bytes."""
    global reused, obtained
    cdef size_t whole = (size + HEADER + 4095) & ~(<size_t> 4095)
    cdef int k, best = -1
    cdef char* base = NULL
    tgr_lock(&tgr_memory_lock)
    for k in range(waiting_count - 1, -1, -1):
        if whole <= waiting[k].size <= whole + whole // 4 and (
            best < 0 or waiting[k].size < waiting[best].size
        ):
            best = k
    if best >= 0:
        base = waiting[best].base
        forget(best)
        reused += 1
    else:
        obtained += 1
    tgr_unlock(&tgr_memory_lock)
    if base is NULL:
        base = <char*> tgr_obtain(whole, HUGE_PAGE if whole >= 2 * HUGE_PAGE else 4096)
        if base is NULL:
            return NULL
        (<size_t*> base)[0] = whole
    return base + HEADER


cdef void give_back(void* context, void* data, size_t size) noexcept nogil:
    """Keep a buffer for the next result of its size, and let go of older ones for it."""
    global waiting_count, waiting_bytes
    cdef Buffer buffer, oldest
    if data is NULL:
        return
    buffer.base = <char*> data - HEADER
    buffer.size = (<size_t*> buffer.base)[0]
    while True:
        tgr_lock(&tgr_memory_lock)
        if buffer.size > limit:
            oldest = buffer
        elif waiting_count == MOST_BUFFERS or waiting_bytes + buffer.size > limit:
            oldest = waiting[0]
            forget(0)
        else:
            waiting[waiting_count] = buffer
            waiting_count += 1
            waiting_bytes += buffer.size
            oldest.base = NULL
        tgr_unlock(&tgr_memory_lock)
        if oldest.base is NULL:
            return
        tgr_release(oldest.base)
        if oldest.base == buffer.base:
            return


cdef void* take_zeros(void* context, size_t count, size_t item) noexcept nogil:
    cdef void* data
    if item and count > <size_t> -1 // item:
        return NULL
    data = take(context, count * item)
    if data is not NULL:
        memset(data, 0, count * item)
    return data


cdef void* resize(void* context, void* data, size_t size) noexcept nogil:
    cdef size_t room
    cdef void* larger
    if data is NULL:
        return take(context, size)
    room = (<size_t*> (<char*> data - HEADER))[0] - HEADER
    if size <= room:
        return data
    larger = take(context, size)
    if larger is not NULL:
        memcpy(larger, data, room)
        give_back(context, data, room)
    return larger


cdef PyDataMem_Handler handler
memcpy(handler.name, b"tinygrad_relu", 14)
handler.version = 1
handler.allocator.ctx = NULL
handler.allocator.malloc = take
handler.allocator.calloc = take_zeros
handler.allocator.realloc = resize
handler.allocator.free = give_back
cdef object capsule = PyCapsule_New(&handler, "mem_handler", NULL)


cdef ndarray empty(int ndim, npy_intp* shape, int dtype):
    """Return an array that is not filled; a large one is in the pool."""
    cdef npy_intp size = sizeof(double)
    cdef int axis
    for axis in range(ndim):
        size *= shape[axis]
    if size < SMALLEST:
        return cnp.PyArray_EMPTY(ndim, shape, dtype, 0)
    before = PyDataMem_SetHandler(capsule)
    try:
        return cnp.PyArray_EMPTY(ndim, shape, dtype, 0)
    finally:
        PyDataMem_SetHandler(before)


cdef ndarray empty_like(ndarray x):
    """Return an array like `x`, which is plain; or `x` itself, if its only holder has offered it."""
    global tgr_offered
    if tgr_offered is <void*> x:
        tgr_offered = NULL
        return x
    return empty(cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x), cnp.PyArray_TYPE(x))


cdef void offer(ndarray x) noexcept:
    """Let the next `empty_like` of `x` in this thread have its memory."""
    global tgr_offered
    tgr_offered = <void*> x


cdef void withdraw() noexcept:
    """Take back what was offered, if nobody took it."""
    global tgr_offered
    tgr_offered = NULL


def memory_stats():
    """Return what the pool of large buffers holds and has done.

    Returns
    -------
    dict
        ``waiting_bytes`` and ``waiting_buffers`` are kept for results to come, at most
        ``limit_bytes``; ``reused`` and ``obtained`` count results that got a used and a new buffer.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> stats = tg.memory_stats()
    >>> stats["waiting_bytes"] <= stats["limit_bytes"]
    True
    """
    return {
        "waiting_bytes": waiting_bytes,
        "waiting_buffers": waiting_count,
        "limit_bytes": limit,
        "reused": reused,
        "obtained": obtained,
    }


def empty_cache():
    """Give all buffers that wait to be used again back to the system."""
    shrink(0)


def set_cache_limit(count):
    """Set how many bytes of large buffers may wait to be used again, 0 for none.

    It begins as the value of the environment variable ``TINYGRAD_RELU_CACHE_BYTES``, else as a
    quarter of the machine's memory, at most 1 GiB.

    Parameters
    ----------
    count : int
    """
    global limit
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise ArgumentError(f"set_cache_limit: {count!r} was given: pass a number of bytes")
    limit = min(count, 1 << 60)
    shrink(limit)


cdef int shrink(size_t most) except -1:
    """Let go of the buffers given back longest ago until `most` bytes are left."""
    cdef Buffer oldest
    while True:
        tgr_lock(&tgr_memory_lock)
        oldest.base = NULL
        if waiting_bytes > most:
            oldest = waiting[0]
            forget(0)
        tgr_unlock(&tgr_memory_lock)
        if oldest.base is NULL:
            return 0
        tgr_release(oldest.base)


def read_environment():
    """Take the limit from the environment, if it is there."""
    wanted = os.environ.get("TINYGRAD_RELU_CACHE_BYTES", "")
    if not wanted:
        try:
            memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (AttributeError, ValueError, OSError):
            memory = 1 << 32
        set_cache_limit(min(memory // 4, 1 << 30))
    elif wanted.isascii() and wanted.isdigit() and len(wanted) < 19:
        set_cache_limit(int(wanted))
    else:
        raise ArgumentError(f"TINYGRAD_RELU_CACHE_BYTES is {wanted[:40]!r}: it is a number of bytes")


read_environment()
