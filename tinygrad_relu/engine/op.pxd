from cpython.ref cimport PyObject
from numpy cimport ndarray

from tinygrad_relu.engine.graph cimport Node
from tinygrad_relu.engine.tensor cimport Tensor
from tinygrad_relu.kernels.kernel cimport Kernel

# Which op answers Python's operators on a Tensor, and what the walk back itself calls.
cdef enum:
    NEGATIVE, ABSOLUTE, INVERT
    ADD, SUBTRACT, MULTIPLY, DIVIDE, FLOOR_DIVIDE, REMAINDER, POWER, MATMUL, AND, OR, XOR
    LEFT_SHIFT, RIGHT_SHIFT
    LESS, LESS_EQUAL, EQUAL, NOT_EQUAL, GREATER, GREATER_EQUAL
    ITEM, TRANSPOSE, SWAP, CAST, SUM_TO, COPY, ASSIGN, OVERWRITE
    SLOTS

cdef PyObject* slots[SLOTS]

cdef Tensor one(int slot, object x)
cdef Tensor one_with(int slot, object x, tuple statics)
cdef object two(int slot, object a, object b)

cdef class Op:
    cdef void* vectorcall       # how Python calls an Op; see `allow_vectorcall`
    cdef dict __dict__
    cdef readonly str name
    cdef object declaration         # the function that has its signature
    cdef readonly Kernel kernel
    cdef readonly int inputs            # how many; -1: any number
    cdef readonly int required          # how many inputs must be given
    cdef readonly tuple names           # of the inputs, then of the static parameters
    cdef readonly tuple static_defaults
    cdef readonly tuple defaults        # the same; None where a static parameter must be given
    cdef readonly bint gathers          # the last static takes all further positional arguments
    cdef readonly tuple rules           # for each input a function, or None: always zero
    cdef tuple plans                    # for each rule what its parameters are, as RuleNames
    cdef readonly object shared_rule    # what a cotangent goes through before all rules, or None
    cdef tuple shared_plan
    cdef unsigned long long shared_saves
    cdef unsigned long long[8] saves    # for each rule a bit for each input that it names
    cdef unsigned long long zeros       # a bit for each input whose rule is always zero
    cdef bint only_zeros                # so it is for all of them, and zeros flow back
    cdef object wider                   # answers calls with keywords that the op lacks, or None
    cdef public object diversion        # answers calls in its place, if not None; or NotImplemented

    cdef Tensor apply(self, PyObject** arguments, Py_ssize_t count, tuple statics)
    cdef list as_arrays(self, PyObject** arrays, Py_ssize_t count)
    cdef ndarray in_default_dtype(
        self, ndarray result, PyObject** arrays, Py_ssize_t count, tuple statics
    )
    cdef int note_owner(self, Tensor output, object argument, object array, tuple statics) except -1
    cdef int record(
        self, PyObject** arguments, PyObject** arrays, Py_ssize_t count, tuple statics,
        unsigned long long active, Tensor output
    ) except -1
    cdef tuple keep(
        self, Node node, PyObject** arguments, PyObject** arrays, Py_ssize_t count,
        unsigned long long saves
    )
    cdef object by_position(self, PyObject** arguments, Py_ssize_t count)
    cdef object bind(self, PyObject** arguments, Py_ssize_t count, PyObject* keywords)
    cdef object misfit(self, problem)
    cdef bint knows(self, dict named) except -1
