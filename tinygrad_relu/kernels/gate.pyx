"""The one kernel of the ReLU family, for its forward and its backward.

With `signal` the values that pass and `control` the values that decide,

    gate(signal, control, t0, a0, a1) = signal * a1   where control > t0    (the gate is open)
                                        signal * a0   elsewhere             (the gate is shut)

It is linear in `signal` and flat in `control`, so its derivative is itself, at every order.

Design
------
a) A slope that is exactly 0 writes +0.0 whatever the signal, so ``relu(-inf)`` is 0 and never NaN,
   and ``relu(-1.0)`` is +0.0.  A slope of exactly 1 copies.
b) The comparison is ``control <= t0`` for *shut*, so that a NaN finds the gate open and passes.
   A NaN in `control` multiplies out even where ``a1 == 0``: it is never turned into a number.
c) The choice between slopes is made once for a whole loop, so that each loop has one comparison,
   at most one multiplication a side, and no branch: compilers turn all of them into SIMD.  They do
   so only if both sides are at hand before the comparison, which is why `value` is read first: read
   behind the comparison it is a branch, and on random data six times as slow.
d) When signal, control and result are one array, as in ``relu(x, out=x)``, the loop is written on
   one pointer, because a compiler cannot know that three pointers are equal.
"""

import numpy as np

cimport cython
cimport numpy as cnp
from cpython.ref cimport PyObject
from cython cimport floating
from numpy cimport ndarray, npy_intp

from tinygrad_relu.kernels._memory cimport empty, empty_like
from tinygrad_relu.kernels._threads cimport run_loop, run_loop_without_gil
from tinygrad_relu.kernels.elementwise cimport Elementwise, float_slot
from tinygrad_relu.kernels.loops.instruction_set cimport own
from tinygrad_relu.kernels.kernel cimport Kernel, real_array

from tinygrad_relu.errors import ArgumentError, DTypeError, RangeError, ShapeError
from tinygrad_relu.kernels.elementwise import Elementwise

cnp.import_array()
cnp.import_ufunc()


# -------------------------------------------------------------------------------- as ufuncs

cdef cnp.PyUFuncGenericFunction[2] GATE_LOOPS = [
    <cnp.PyUFuncGenericFunction> own.gate[0], <cnp.PyUFuncGenericFunction> own.gate[1]
]
cdef cnp.PyUFuncGenericFunction[2] RELU_LOOPS = [
    <cnp.PyUFuncGenericFunction> own.relu[0], <cnp.PyUFuncGenericFunction> own.relu[1]
]
cdef enum:
    F = cnp.NPY_FLOAT
    D = cnp.NPY_DOUBLE
cdef char[12] GATE_TYPES = [F, F, F, F, F, F, D, D, D, D, D, D]
cdef char[4] RELU_TYPES = [F, F, D, D]
cdef void* NO_DATA[2]   # zero, as all static memory is

gate_ufunc = cnp.PyUFunc_FromFuncAndData(
    GATE_LOOPS, NO_DATA, GATE_TYPES, 2, 5, 1, -1, "gate", "signal * (a1 if control > t0 else a0)", 0
)
relu_ufunc = cnp.PyUFunc_FromFuncAndData(
    RELU_LOOPS, NO_DATA, RELU_TYPES, 2, 1, 1, -1, "relu", "x where x > 0, else +0.0", 0
)


# ------------------------------------------------------------------------ the engine's doors

cdef Elementwise _relu_kernel = Elementwise(relu_ufunc)


@cython.final
cdef class Rectify(Kernel):
    """The kernel of the op `relu`: integers stay integers, as in `relu`."""

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef object x = <object> arrays[0]
        cdef int slot = float_slot(<ndarray> x) if type(x) is ndarray else -1
        if slot >= 0:
            return _relu_kernel.unary(<ndarray> x, slot)
        return relu(x)


@cython.final
cdef class Gate(Kernel):
    """The kernel of the op `gate`, called with (signal, control, t0, a0, a1)."""

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef ndarray result
        cdef object signal = <object> arrays[0]
        cdef object control = <object> arrays[1]
        cdef object t0 = <object> arrays[2]
        cdef object a0 = <object> arrays[3]
        cdef object a1 = <object> arrays[4]
        if matching(signal, control) and numbers(t0, a0, a1):
            result = empty_like(<ndarray> signal)
            gate_plain(<ndarray> signal, <ndarray> control, result, t0, a0, a1)
            return result
        return gate_general(signal, control, t0, a0, a1, None)


@cython.final
cdef class Limit(Kernel):
    """The kernel of ops that limit `x` to between two numbers; statics: (low, high)."""

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef object x = <object> arrays[0]
        cdef double[2] doubles
        cdef float[2] singles
        cdef char* operands[4]
        cdef npy_intp[4] strides
        cdef npy_intp item
        cdef ndarray y
        cdef int slot = float_slot(<ndarray> x) if type(x) is ndarray else -1
        low, high = statics
        # A limit that is NaN makes everything NaN, as in NumPy; the loop would let it pass.
        if slot < 0 or not numbers(low, high, 0) or low != low or high != high:
            with np.errstate(all="ignore"):
                return np.minimum(np.maximum(x, low), high)
        doubles[:] = [low, high]
        singles[:] = [<float> doubles[0], <float> doubles[1]]
        item = cnp.PyArray_ITEMSIZE(<ndarray> x)
        y = empty(
            cnp.PyArray_NDIM(<ndarray> x), cnp.PyArray_DIMS(<ndarray> x), cnp.PyArray_TYPE(<ndarray> x)
        )
        strides[:] = [item, 0, 0, item]
        operands[0], operands[3] = cnp.PyArray_BYTES(<ndarray> x), cnp.PyArray_BYTES(y)
        operands[1] = <char*> &doubles[0] if slot else <char*> &singles[0]
        operands[2] = <char*> &doubles[1] if slot else <char*> &singles[1]
        run_loop(own.limit[slot], NULL, 4, operands, cnp.PyArray_SIZE(y), strides)
        return y


cdef bint matching(object a, object b) noexcept:
    """Tell whether `a` and `b` are plain float or double arrays of one dtype and shape."""
    if type(a) is not ndarray or type(b) is not ndarray:
        return False
    return (
        float_slot(<ndarray> a) >= 0
        and float_slot(<ndarray> a) == float_slot(<ndarray> b)
        and cnp.PyArray_SAMESHAPE(<ndarray> a, <ndarray> b)
    )


cdef bint numbers(object t0, object a0, object a1) noexcept:
    """Tell whether all three are Python numbers, which take the dtype of the arrays they meet."""
    return type(t0) in (float, int) and type(a0) in (float, int) and type(a1) in (float, int)


cdef void gate_plain(
    ndarray signal, ndarray control, ndarray result, double t0, double a0, double a1
) noexcept:
    """Gate plain arrays of one dtype and shape, in parallel when they are large."""
    cdef float[3] singles = [<float> t0, <float> a0, <float> a1]
    cdef bint double_precision = cnp.PyArray_TYPE(signal) == cnp.NPY_DOUBLE
    cdef npy_intp item = cnp.PyArray_ITEMSIZE(signal)
    cdef char* operands[6]
    cdef npy_intp[6] strides = [item, item, 0, 0, 0, item]
    operands[:] = [
        cnp.PyArray_BYTES(signal), cnp.PyArray_BYTES(control),
        <char*> &t0, <char*> &a0, <char*> &a1, cnp.PyArray_BYTES(result),
    ]
    if not double_precision:
        operands[2:5] = [<char*> &singles[0], <char*> &singles[1], <char*> &singles[2]]
    run_loop(
        own.gate[double_precision], NULL, 6, operands,
        cnp.PyArray_SIZE(signal), strides,
    )


def times(signal, slope):
    """Multiply, where a slope of exactly 0 gives 0 whatever the signal."""
    return np.where(np.equal(slope, 0), 0, signal * slope)


def gate_general(signal, control, t0, a0, a1, out):
    """Gate arrays of any dtype, layout and (broadcastable) shape.

    One float dtype throughout runs through the ufunc.  Mixed dtypes follow the formula in NumPy's
    own arithmetic: `control` meets `t0` and `signal` meets the slopes, each by NumPy's promotion.
    """
    operands = (signal, control, t0, a0, a1)
    dtypes = {np.asarray(operand).dtype for operand in operands if type(operand) not in (int, float)}
    for dtype in dtypes:
        if dtype.kind not in "biuf":
            raise DTypeError(
                f"a {dtype} value has no order, so no gate decides on it: pass real numbers "
                "(for complex ones, their real part or modulus)"
            )
    with np.errstate(all="ignore"):
        if dtypes == {np.dtype(np.float32)} or dtypes == {np.dtype(np.float64)}:
            return gate_ufunc(*operands, out=out)
        signal, control = np.asarray(signal), np.asarray(control)
        passing = np.where(control != control, signal * a1, times(signal, a1))
        result = np.where(np.less_equal(control, t0), times(signal, a0), passing)
        if out is None:
            return result
        np.copyto(out, result, casting="same_kind")
        return out


# --------------------------------------------------------------------- doors for other Cython code

cdef void gate_uniform(
    const floating* signal,     # IN
    const floating* control,    # IN   may be signal
    floating* result,           # OUT  may be signal, control or both
    Py_ssize_t count,
    floating t0, floating a0, floating a1,
) noexcept nogil:
    """Gate `count` elements in the caller's own thread."""
    cdef npy_intp item = sizeof(floating), size = count
    cdef char* operands[6]
    cdef npy_intp[6] strides = [item, item, 0, 0, 0, item]
    operands[:] = [
        <char*> signal, <char*> control, <char*> &t0, <char*> &a0, <char*> &a1, <char*> result
    ]
    own.gate[floating is double](operands, &size, strides, NULL)


cpdef int gate_view(
    const floating[::1] signal, const floating[::1] control, floating[::1] result,
    floating t0=0, floating a0=0, floating a1=1
) except -1 nogil:
    """Gate contiguous typed memoryviews of one length, without the GIL.

    The door for Cython code and for anything that exports a buffer (``array.array``, ``bytearray``
    casts, ctypes arrays).  `result` may be the same memory as `signal`, as `control` or as both,
    but must not overlap them in part.

    Examples
    --------
    >>> from array import array
    >>> from tinygrad_relu.kernels import gate_view
    >>> x = array("d", [-1.0, 2.0])
    >>> gate_view(x, x, x, 0.0, 0.0, 1.0)
    0
    >>> x
    array('d', [0.0, 2.0])
    """
    cdef Py_ssize_t count = signal.shape[0]
    cdef npy_intp item = sizeof(floating)
    cdef char* operands[6]
    cdef npy_intp[6] strides = [item, item, 0, 0, 0, item]
    if control.shape[0] != count or result.shape[0] != count:
        with gil:
            raise ShapeError(
                f"gate_view: signal, control and result have {count}, {control.shape[0]} and "
                f"{result.shape[0]} elements: pass views of one length"
            )
    if count == 0:
        return 0
    operands[:] = [
        <char*> &signal[0], <char*> &control[0], <char*> &t0, <char*> &a0, <char*> &a1,
        <char*> &result[0],
    ]
    run_loop_without_gil(own.gate[floating is double], NULL, 6, operands, count, strides)
    return 0


cdef object gated(str name, object signal, object control, object t0, object a0, object a1, object out):
    """Gate what people pass: sequences, any array, with or without `out`."""
    cdef ndarray source, decider, result
    signal, control = real_array(name, signal), real_array(name, control)
    if out is not None and not isinstance(out, np.ndarray):
        raise ArgumentError(f"{name}: out is a {type(out).__name__}: pass a NumPy array or leave it out")
    try:
        if matching(signal, control) and numbers(t0, a0, a1):
            source, decider = signal, control
            if out is None:
                result = empty(
                    cnp.PyArray_NDIM(source), cnp.PyArray_DIMS(source), cnp.PyArray_TYPE(source)
                )
                gate_plain(source, decider, result, t0, a0, a1)
                return result
            if (
                matching(source, out) and cnp.PyArray_ISWRITEABLE(<ndarray> out)
                and equal_or_apart(source, <ndarray> out) and equal_or_apart(decider, <ndarray> out)
            ):
                gate_plain(source, decider, <ndarray> out, t0, a0, a1)
                return out
        return np.asarray(gate_general(signal, control, t0, a0, a1, out)) if out is None else (
            gate_general(signal, control, t0, a0, a1, out)
        )
    except ValueError as error:
        raise ShapeError(
            f"{name}: shapes {np.shape(signal)}, {np.shape(control)} and parameters of shapes "
            f"{np.shape(t0)}, {np.shape(a0)}, {np.shape(a1)} do not fit"
            f"{'' if out is None else f' or cannot be written into out of shape {out.shape}'}: {error}"
        ) from error
    except TypeError as error:
        raise DTypeError(f"{name}: {error}") from error
    except OverflowError as error:
        raise RangeError(f"{name}: a threshold or slope is larger than any float: {error}") from error


cdef bint equal_or_apart(ndarray a, ndarray b) noexcept:
    """Tell whether two plain arrays of one size are the same memory, or share none."""
    cdef char* start = cnp.PyArray_BYTES(a)
    cdef char* other = cnp.PyArray_BYTES(b)
    cdef npy_intp size = cnp.PyArray_NBYTES(a)
    return start == other or start + size <= other or other + size <= start


def relu(x, out=None):
    """Rectify: `x` where ``x > 0``, else +0.0.

    Parameters
    ----------
    x : array_like
        Real numbers of any shape, stride and byte order.  float32 and float64 keep their dtype and
        run through the fused kernel; every other dtype gives NumPy's answer, ``np.maximum(x, 0)``.
    out : ndarray, optional
        Where to write.  May be `x` itself, or overlap it in any way.

    Returns
    -------
    ndarray
        `out` if it was given, else a new array of the shape of `x`.

    Notes
    -----
    NaN stays NaN, -0.0 and -inf become +0.0, +inf stays.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_relu import kernels
    >>> kernels.relu(np.array([-np.inf, -1.0, 0.0, 2.0, np.nan]))
    array([ 0.,  0.,  0.,  2., nan])
    """
    cdef int slot
    if out is None and type(x) is ndarray:
        slot = float_slot(<ndarray> x)
        if slot >= 0:
            return _relu_kernel.unary(<ndarray> x, slot)
    x = real_array("relu", x)
    if out is None and x.flags.f_contiguous and not x.flags.c_contiguous:
        return relu(x.T).T
    if out is not None and not isinstance(out, np.ndarray):
        raise ArgumentError(f"relu: out is a {type(out).__name__}: pass a NumPy array or leave it out")
    if x.dtype.kind == "f" and x.dtype.itemsize in (4, 8):
        return gated("relu", x, x, 0.0, 0.0, 1.0, out)
    try:
        return np.asarray(np.maximum(x, 0)) if out is None else np.maximum(x, 0, out=out)
    except ValueError as error:
        raise ShapeError(
            f"relu: x has shape {x.shape}, out has shape {np.shape(out)}: {error}"
        ) from error
    except TypeError as error:
        raise DTypeError(f"relu: {error}") from error


def relu_backward(dout, x, out=None):
    """Return the gradient of `relu` at `x`: `dout` where ``x > 0``, else +0.0.

    Parameters
    ----------
    dout : array_like
        The gradient of the loss with respect to ``relu(x)``.
    x : array_like
        What `relu` was given (its output serves as well), broadcastable against `dout`.
    out : ndarray, optional
        Where to write.  May be `dout` or `x` itself, or overlap them in any way.

    Returns
    -------
    ndarray
        At the kink ``x == 0`` the gradient is 0, as in PyTorch and JAX.  Where `x` is NaN, `dout`
        passes.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_relu import kernels
    >>> kernels.relu_backward(np.array([5.0, 5.0, 5.0]), np.array([-1.0, 0.0, 1.0]))
    array([0., 0., 5.])
    """
    dout = real_array("relu_backward", dout)
    if (<ndarray> dout).dtype.kind in "biu":
        return gated("relu_backward", dout, x, 0, 0, 1, out)
    return gated("relu_backward", dout, x, 0.0, 0.0, 1.0, out)


def thresholded_relu(x, t0, a0=0.0, a1=1.0, out=None):
    """Return ``x * a1`` where ``x > t0``, and ``x * a0`` elsewhere.

    Parameters
    ----------
    x : array_like
        Real numbers of any shape, stride and byte order.
    t0 : float or array_like
        The threshold, broadcastable against `x`.
    a0, a1 : float or array_like
        The slopes of the shut and of the open side, broadcastable against `x`.
    out : ndarray, optional
        Where to write.  May be `x` itself, or overlap it in any way.

    Returns
    -------
    ndarray
        float32 and float64 keep their dtype against Python numbers.  Integers meet the slopes by
        NumPy's rules of promotion.

    Notes
    -----
    At ``x == t0`` the gate is shut.  A slope of exactly 0 gives exactly +0.0 (also for infinite
    `x`), a slope of exactly 1 gives `x` itself, and NaN stays NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_relu import kernels
    >>> kernels.thresholded_relu(np.array([-2.0, 0.5, 1.0, 3.0]), t0=1.0, a0=0.1, a1=2.0)
    array([-0.2 ,  0.05,  0.1 ,  6.  ])
    """
    return gated("thresholded_relu", x, x, t0, a0, a1, out)


def thresholded_relu_backward(dout, x, t0, a0=0.0, a1=1.0, out=None):
    """Return the gradient of `thresholded_relu` with respect to `x`.

    Parameters
    ----------
    dout : array_like
        The gradient of the loss with respect to ``thresholded_relu(x, t0, a0, a1)``.
    x, t0, a0, a1 : array_like
        What `thresholded_relu` was given.
    out : ndarray, optional
        Where to write.  May be `dout` or `x` itself, or overlap them in any way.

    Returns
    -------
    ndarray
        ``dout * a1`` where ``x > t0``, and ``dout * a0`` elsewhere, the point ``x == t0`` included.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_relu import kernels
    >>> x = np.array([-2.0, 1.0, 3.0])
    >>> kernels.thresholded_relu_backward(np.ones(3), x, t0=1.0, a0=0.1, a1=2.0)
    array([0.1, 0.1, 2. ])
    """
    return gated("thresholded_relu_backward", dout, x, t0, a0, a1, out)
