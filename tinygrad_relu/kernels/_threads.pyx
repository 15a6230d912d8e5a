"""The only file that speaks OpenMP: how many threads work on a loop, and on which part of it.

Design
------
a) Work below a grain is done by the caller.  An explicit branch costs nothing, where ``prange`` with a
   condition that turns it off still costs 0.6 microseconds.
b) Each thread has one contiguous share, and does it chunk by chunk.  A thread that has done its own
   takes chunks of others: so nothing waits for a thread that was woken late, where other programs
   keep the processors busy.  No two threads write into the same cache line.
c) Without OpenMP ``prange`` compiles to a plain loop, and there is one thread.
d) A result larger than the cache is written past it: block by block into a buffer on the stack, and
   from there by streaming stores, which do not read first what they overwrite.  That is a third of
   the traffic of a pass over memory.  Blocks of 4 KiB and more are slower, by up to a half.
e) A forked process inherits OpenMP's record of the threads that its parent had woken, whoever did,
   but not the threads, and OpenMP would wait for them for ever.  There the loops are serial.
f) Where other programs keep the processors busy, a second thread may come late, or push the first one
   aside, and OpenMP waits for it even when there is nothing left to do.  So an account is kept of the
   time that threads have saved, against what the caller would have needed alone.  When it is
   overdrawn, loops are serial until `DEBT_RATE` times as much work has been done so.
"""

import os

from cython.parallel cimport prange
from numpy cimport npy_intp

from tinygrad_relu.errors import ArgumentError

cdef extern from *:
    """
    #include <string.h>
    #if defined(__SSE2__) || defined(_M_X64)
    #include <emmintrin.h>
    /* Copies to memory aligned at 16 bytes without taking it into the cache. */
    static void tgr_stream(char *to, const char *from, size_t size) {
        size_t k, whole = size & ~(size_t) 63;
        for (k = 0; k < whole; k += 64) {
            __m128i a = _mm_load_si128((const __m128i *) (from + k));
            __m128i b = _mm_load_si128((const __m128i *) (from + k + 16));
            __m128i c = _mm_load_si128((const __m128i *) (from + k + 32));
            __m128i d = _mm_load_si128((const __m128i *) (from + k + 48));
            _mm_stream_si128((__m128i *) (to + k), a);
            _mm_stream_si128((__m128i *) (to + k + 16), b);
            _mm_stream_si128((__m128i *) (to + k + 32), c);
            _mm_stream_si128((__m128i *) (to + k + 48), d);
        }
        memcpy(to + whole, from + whole, size - whole);
    }
    #define tgr_stream_end() _mm_sfence()
    #define tgr_can_stream 1
    #else
    #define tgr_stream(to, from, size) memcpy(to, from, size)
    #define tgr_stream_end() ((void) 0)
    #define tgr_can_stream 0
    #endif
    #if defined(__GNUC__)
    #define tgr_aligned __attribute__((aligned(64)))
    #else
    #define tgr_aligned
    #endif
    typedef struct { tgr_aligned char bytes[2048 + 4096]; } tgr_block;

    #ifdef _OPENMP
    #include <omp.h>
    #define tgr_openmp _OPENMP
    #else
    #define omp_get_thread_num() 0
    #define omp_get_max_threads() 1
    #define omp_set_num_threads(count) ((void) (count))
    #define tgr_openmp 0
    #endif

    /* Seconds by the clock on the wall, and seconds in which this thread was at work. */
    #if defined(_OPENMP) && !defined(_WIN32)
    #include <time.h>
    static double tgr_seconds(clockid_t clock) {
        struct timespec now;
        clock_gettime(clock, &now);
        return (double) now.tv_sec + 1e-9 * (double) now.tv_nsec;
    }
    #define tgr_wall_time() tgr_seconds(CLOCK_MONOTONIC)
    #define tgr_work_time() tgr_seconds(CLOCK_THREAD_CPUTIME_ID)
    #else
    #define tgr_wall_time() 0.0
    #define tgr_work_time() 0.0
    #endif

    /* Adds 1 and returns what was there before, for one thread at a time. */
    #if !defined(_OPENMP)
    #define tgr_next(counter) ((*(counter))++)
    #elif defined(_MSC_VER)
    #include <intrin.h>
    #define tgr_next(counter) _InterlockedExchangeAdd64((volatile __int64 *) (counter), 1)
    #else
    #define tgr_next(counter) __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED)
    #endif

    static int tgr_forked = 0;      /* whether this process was forked from one that had us loaded */
    #ifdef _MSC_VER
    #define tgr_of_thread static __declspec(thread)
    #else
    #define tgr_of_thread static __thread
    #endif
    tgr_of_thread int tgr_in_block = 0;     /* threads in a block of `num_threads`; 0 outside */
    tgr_of_thread int tgr_told = 0;         /* what this thread has told OpenMP last; 0 for nothing */
    #ifndef _WIN32
    #include <pthread.h>
    static void tgr_after_fork(void) { tgr_forked = 1; }
    #define tgr_watch_forks() pthread_atfork(NULL, NULL, tgr_after_fork)
    #else
    #define tgr_watch_forks() 0
    #endif
    """
    void tgr_stream(char* to, const char* start, size_t size) noexcept nogil
    void tgr_stream_end() noexcept nogil
    bint tgr_can_stream
    ctypedef struct tgr_block:
        char bytes[6144]
    int tgr_openmp
    int omp_get_max_threads() noexcept nogil
    int omp_get_thread_num() noexcept nogil
    void omp_set_num_threads(int count) noexcept nogil
    double tgr_wall_time() noexcept nogil
    double tgr_work_time() noexcept nogil
    npy_intp tgr_next(npy_intp* counter) noexcept nogil
    int tgr_forked, tgr_in_block, tgr_told
    int tgr_watch_forks()

OPENMP_VERSION = tgr_openmp     # year and month of its specification; 0 without OpenMP

cdef int wanted = 0                         # threads, as set for the whole process; 0 for OpenMP's number
cdef int at_first = omp_get_max_threads()   # OpenMP's number when we were loaded

tgr_watch_forks()


cdef int available() noexcept nogil:
    """Return on how many threads a large loop may run in this thread.

    It is the number of the block, else of the process, else OpenMP's.  OpenMP's number is one of each
    thread; where somebody else has changed it, as threadpoolctl does, it is a limit.
    """
    cdef int openmp = omp_get_max_threads(), number = tgr_in_block if tgr_in_block else wanted
    if tgr_forked:
        return 1
    if number == 0 or not (openmp == at_first or openmp == tgr_told):
        number = min(number, openmp) if number else openmp
    return min(number, MOST_THREADS)


cdef void tell_openmp(int number) noexcept:
    """Let OpenMP, and who asks it, know how many threads this thread is given."""
    global tgr_told
    omp_set_num_threads(number)
    tgr_told = number

cdef enum:
    CACHE_LINE = 64
    BLOCK = 2048                # bytes that are computed before they are streamed
    CHUNKS = 8                  # in the share of a thread, at the least
    LARGEST_CHUNK = 1048576     # bytes of the result
    MOST_THREADS = 64           # that have shares of their own
    DEBT_RATE = 8

cdef double account = 0         # seconds that threads have saved, as far as they are remembered
cdef double debt = 0            # seconds of serial work to be done before threads are tried again
cdef double MOST_CREDIT = 0.005
cdef double MOST_DEBT = 0.05

cdef struct Taken:
    npy_intp chunks             # of one share, also those that turned out to be beyond it
    char[56] padding            # so that threads do not write into one cache line

cdef struct Shares:             # one loop, cut up for threads
    Loop loop
    void* data
    int operand_count
    char** operands
    npy_intp* strides
    npy_intp count
    bint streaming
    int threads
    npy_intp share              # elements for each thread
    npy_intp chunk              # elements that are done at once
    Taken[MOST_THREADS] taken
    npy_intp by_caller          # elements that the caller did itself

# The size of a result from which on it is written past the cache.
cdef npy_intp streamed_bytes = 16777216


cdef bint worth_streaming(
    int operand_count, char** operands, npy_intp count, npy_intp* strides
) noexcept nogil:
    """Tell whether the result, the last operand, is best written past the cache.

    It has to be large, aligned, cut into blocks without a rest, and apart from what is read.
    """
    cdef char* result = operands[operand_count - 1]
    cdef npy_intp item = strides[operand_count - 1]
    cdef npy_intp size = count * item
    cdef int k
    if not tgr_can_stream or size < streamed_bytes or BLOCK % item != 0:
        return False
    if <size_t> result & 15:
        return False
    for k in range(operand_count - 1):
        if strides[k] < 0:
            return False
        if operands[k] < result + size and result < operands[k] + count * strides[k]:
            return False
    return True


cdef void run_streaming(
    Loop loop, void* data, int operand_count, char** operands, npy_intp count, npy_intp* strides
) noexcept nogil:
    """Run `loop` block by block, and stream each block to where the result belongs."""
    cdef tgr_block memory
    cdef char* shifted[MOST_OPERANDS]
    cdef int k, last = operand_count - 1
    cdef npy_intp start = 0, size
    cdef npy_intp most = BLOCK // strides[last]
    # As far as can be, within a page, from where it is read; see (d) in `_memory`.
    cdef size_t distance = <size_t> operands[0] + 2048 - <size_t> memory.bytes
    cdef char* block = memory.bytes + (distance & 4095 & ~<size_t> (CACHE_LINE - 1))
    while start < count:
        size = min(most, count - start)
        for k in range(last):
            shifted[k] = operands[k] + start * strides[k]
        shifted[last] = block
        loop(shifted, &size, strides, data)
        tgr_stream(operands[last] + start * strides[last], block, size * strides[last])
        start += size
    tgr_stream_end()


cdef void run_part(
    Loop loop, void* data, int operand_count, char** operands, npy_intp start, npy_intp stop,
    npy_intp* strides, bint streaming
) noexcept nogil:
    """Run `loop` over the elements from `start` to before `stop`."""
    cdef char* shifted[MOST_OPERANDS]
    cdef npy_intp count = stop - start
    cdef int k
    if count <= 0:
        return
    for k in range(operand_count):
        shifted[k] = operands[k] + start * strides[k]
    if streaming:
        run_streaming(loop, data, operand_count, shifted, count, strides)
    else:
        loop(shifted, &count, strides, data)


cdef void run_share(Shares* work, int own) noexcept nogil:
    """Do the share of thread `own`, and then what is left of the shares of others."""
    cdef npy_intp start, stop, end, done = 0
    cdef int k, owner
    for k in range(work.threads):
        owner = (own + k) % work.threads
        end = min((owner + 1) * work.share, work.count)
        while True:
            start = owner * work.share + tgr_next(&work.taken[owner].chunks) * work.chunk
            if start >= end:
                break
            stop = min(start + work.chunk, end)
            run_part(
                work.loop, work.data, work.operand_count, work.operands, start, stop, work.strides,
                work.streaming,
            )
            done += stop - start
    if omp_get_thread_num() == 0:
        work.by_caller += done


cdef void keep_account(double passed, double worked, double part) noexcept nogil:
    """Take note of what threads have saved, if the caller did a `part` of all in `worked` seconds."""
    global account, debt
    account = min(account + worked / part - passed, MOST_CREDIT)
    if account < 0:
        debt = min(-DEBT_RATE * account, MOST_DEBT)
        account = 0


cdef void run_loop_without_gil(
    Loop loop,              # IN
    void* data,             # IN   handed to the loop
    int operand_count,      # IN   inputs and outputs; outputs in place are there twice
    char** operands,        # IN   first element of each; the loop may change this array
    npy_intp count,         # IN
    npy_intp* strides,      # IN   bytes; the last operand, the result, has no gaps
    npy_intp grain=GRAIN,   # IN   bytes of the widest operand below which one thread does it
) noexcept nogil:
    """Run `loop` over all elements, on several threads where there is enough to do."""
    global debt
    cdef Shares work
    cdef int k
    cdef npy_intp item = max(strides[operand_count - 1], 1), alignment
    cdef double start, work_start
    if count * widest(operand_count, strides) < grain:
        loop(operands, &count, strides, data)
        return
    work.threads = available()
    work.streaming = worth_streaming(operand_count, operands, count, strides)
    if work.threads == 1 or debt > 0:
        start = tgr_wall_time()
        run_part(loop, data, operand_count, operands, 0, count, strides, work.streaming)
        debt = max(debt - (tgr_wall_time() - start), 0)
        return
    alignment = CACHE_LINE if item < CACHE_LINE else 1
    work.loop, work.data = loop, data
    work.operand_count, work.operands, work.strides = operand_count, operands, strides
    work.count, work.by_caller = count, 0
    work.share = rounded_up((count + work.threads - 1) // work.threads, alignment)
    work.chunk = rounded_up(
        max(min(work.share // CHUNKS, LARGEST_CHUNK // item), 1), alignment
    )
    for k in range(work.threads):
        work.taken[k].chunks = 0
    start, work_start = tgr_wall_time(), tgr_work_time()
    for k in prange(work.threads, schedule="static", num_threads=work.threads):
        run_share(&work, k)
    # Of a caller who did less than its share, one cannot tell how long all would have taken it.
    keep_account(
        tgr_wall_time() - start, tgr_work_time() - work_start,
        max(<double> work.by_caller / count, 1.0 / work.threads),
    )


cdef inline npy_intp widest(int operand_count, npy_intp* strides) noexcept nogil:
    cdef npy_intp most = 0
    cdef int k
    for k in range(operand_count):
        most = max(most, strides[k])
    return most


cdef inline npy_intp rounded_up(npy_intp number, npy_intp step) noexcept nogil:
    return (number + step - 1) // step * step


cdef void run_loop(
    Loop loop, void* data, int operand_count, char** operands, npy_intp count, npy_intp* strides,
    npy_intp grain=GRAIN,
) noexcept:
    """Do as `run_loop_without_gil` for a caller who holds the GIL: large work lets go of it."""
    if count * widest(operand_count, strides) < grain:
        loop(operands, &count, strides, data)
        return
    with nogil:
        run_loop_without_gil(loop, data, operand_count, operands, count, strides, grain)


def measure_cache():
    """Set the size of a result that is streamed to half of the last cache, if the system tells it.

    Virtual machines tell the cache of the whole processor, of which they have a part: no more than 32
    MiB is believed.
    """
    global streamed_bytes
    try:
        size = os.sysconf("SC_LEVEL3_CACHE_SIZE")
    except (AttributeError, ValueError, OSError):
        return
    if size > 0:
        streamed_bytes = min(max(size // 2, 1 << 20), 1 << 25)


measure_cache()


def get_num_threads():
    """Return on how many threads a large kernel runs: 1 without OpenMP, and in a forked process.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.get_num_threads() >= 1
    True
    """
    return available()


def checked_count(name, count):
    """Return a number of threads, or raise."""
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise ArgumentError(f"{name}: {count!r} was given: pass a whole number from 1 on")
    return min(count, <int> MOST_THREADS)


def set_num_threads(count):
    """Set on how many threads a large kernel may run, in the whole process.

    It begins as the value of the environment variable ``TINYGRAD_RELU_NUM_THREADS``, else as OpenMP
    has it (``OMP_NUM_THREADS``, or all processors).  Small work is done by one thread in any case, and
    results do not depend on the number.  The threads of BLAS are its own: see threadpoolctl, which
    sees ours, too, and may limit them further.  A forked process has one.

    Parameters
    ----------
    count : int
        At least 1; more than 64 are taken as 64.
    """
    global wanted
    wanted = checked_count("set_num_threads", count)
    tell_openmp(wanted)


class num_threads:
    """Set the number of threads within a ``with`` block, in this thread; see `set_num_threads`.

    Parameters
    ----------
    count : int

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> with tg.num_threads(1):
    ...     tg.get_num_threads()
    1
    """

    def __init__(self, count):
        self.count = checked_count("num_threads", count)
        self.before = []

    def __enter__(self):
        global tgr_in_block
        self.before.append((tgr_in_block, tgr_told, omp_get_max_threads()))
        tgr_in_block = self.count
        tell_openmp(self.count)
        return self

    def __exit__(self, *error):
        global tgr_in_block, tgr_told
        tgr_in_block, told, openmp = self.before.pop()
        tell_openmp(openmp)
        tgr_told = told


def read_environment():
    """Take the number of threads from the environment, if it is there and not empty."""
    text = os.environ.get("TINYGRAD_RELU_NUM_THREADS", "")
    if not text:
        return
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
        raise ArgumentError(
            f"TINYGRAD_RELU_NUM_THREADS is {text[:40]!r}: it is a whole number from 1 on"
        )
    set_num_threads(int(text))


read_environment()
