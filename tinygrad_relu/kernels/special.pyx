"""Special functions as ufuncs: the error function's family, and log-gamma with its derivatives.

All compute in double, so that floats are right to their last bit but for rounding.  At poles and edges
the values are PyTorch's.  `erf` and `erfc` are loops of our own (`loops/error_function.pxi`), which take
a fifth of the time of the C library's.
"""

import numpy as np

cimport numpy as cnp
from libc.math cimport (
    INFINITY, NAN, ceil, copysign, erf, erfc, exp, fabs, floor, isnan, lgamma, log, log1p, pow, sqrt,
    tan, tgamma,
)

from tinygrad_relu.kernels.elementwise cimport Elementwise
from tinygrad_relu.kernels.loops.instruction_set cimport own
from tinygrad_relu.kernels.loops.table cimport Exponential

from tinygrad_relu.kernels.elementwise import Elementwise

cnp.import_array()
cnp.import_ufunc()

# --------------------------------------------------------------------------- the error function

cdef double PI = 3.141592653589793
cdef double HALF_ROOT_PI = sqrt(PI) / 2


cdef double inverse_erf_start(double y) noexcept nogil:
    """Return the inverse of erf to three digits, for 0 < y < 1.

    Winitzki, "A handy approximation for the error function and its inverse", 2008.
    """
    cdef double a = 0.147
    cdef double less = -log1p(-y * y)
    cdef double b = 2 / (PI * a) - less / 2
    cdef double root = sqrt(b * b + less / a)
    # The other root of the same equation where this one would be a difference of equals.
    return sqrt(less / a / (root + b) if b > 0 else root - b)


cdef double erfinv(double y) noexcept nogil:
    """Return the inverse of erf: a start, and steps of Halley, each of which triples the digits."""
    cdef double magnitude = fabs(y), x, excess, step
    if not magnitude < 1:
        return copysign(INFINITY, y) if magnitude == 1 else NAN
    if magnitude < 1e-9:
        return y * HALF_ROOT_PI     # the next term is y ** 3
    x = inverse_erf_start(magnitude)
    for _ in range(3):
        # 1 - magnitude is exact from one half on, where erf itself has no digits left to tell.
        if magnitude < 0.5:
            excess = erf(x) - magnitude
        else:
            excess = (1 - magnitude) - erfc(x)
        step = excess * HALF_ROOT_PI * exp(x * x)
        x -= step / (1 + x * step)
    return copysign(x, y)


# ------------------------------------------------------------------- log-gamma and its derivatives

cdef enum:
    TERMS = 14          # of the Euler-Maclaurin formula
    TAYLOR = 60         # of digamma around its root

# B(2k) / (2k)! for k from 1 on, B being Bernoulli's numbers: OEIS A000367 and A002445.
cdef double[TERMS] BERNOULLI = [
    1.0 / 12, -1.0 / 720, 1.0 / 30240, -1.0 / 1209600, 1.0 / 47900160, -691.0 / 1307674368000,
    1.0 / 74724249600, -3617.0 / 10670622842880000, 43867.0 / 5109094217170944000,
    -174611.0 / 802857662698291200000, 77683.0 / 14101100039391805440000,
    -236364091.0 / 1693824136731743669452800000, 657931.0 / 186134520519971831808000000,
    -3392780147.0 / 37893265687455865519472640000000,
]
# -B(2k) / 2k
cdef double[8] DIGAMMA_TERMS = [
    -1.0 / 12, 1.0 / 120, -1.0 / 252, 1.0 / 240, -1.0 / 132, 691.0 / 32760, -1.0 / 12, 3617.0 / 8160,
]
# The only positive root of digamma, and what a double leaves of it: OEIS A030169.
cdef double ROOT = 1.4616321449683622
cdef double ROOT_REST = 9.549995429965697e-17
cdef double[TAYLOR] AROUND_ROOT


cdef double scaled_power(double base, double exponent, double scale) noexcept nogil:
    """Return ``scale * base ** -exponent``; of two steps, where one alone could leave the range."""
    cdef double half, product = base
    if exponent <= 6:
        for _ in range(<int> exponent - 1):
            product *= base
        return scale / product
    if exponent < 22:
        return scale * pow(base, -exponent)
    half = floor(exponent / 2)
    return scale * pow(base, -half) * pow(base, half - exponent)


cdef double scaled_zeta(double s, double q, double scale) noexcept nogil:
    """Return `scale` times Hurwitz' zeta function, the sum of ``(q + k) ** -s``, for s > 1 and q > 0.

    By the Euler-Maclaurin formula: NIST DLMF 25.11.5 and 25.11.28.
    """
    cdef double total = 0, term, factor, end = 12 if s < 12 else s
    cdef int k
    while q < end:
        term = scaled_power(q, s, scale)
        total += term
        if term < total * 1e-18:
            return total
        q += 1
    term = scaled_power(q, s, scale)
    total += term * (0.5 + q / (s - 1))
    factor = term * s / q
    for k in range(TERMS):
        total += factor * BERNOULLI[k]
        if fabs(factor * BERNOULLI[k]) < fabs(total) * 1e-18:
            break
        factor *= (s + 2 * k + 1) * (s + 2 * k + 2) / (q * q)
    return total


cdef double polygamma(double n, double x) noexcept nogil:
    """Return the derivative of order n + 1 of log-gamma, for whole n > 0."""
    cdef double s = n + 1, scale = tgamma(s), odd = 1, sign = -1
    cdef double below, value
    if s - 2 * floor(s / 2) != 0:
        odd = -1        # the sign of (-1) ** s, and of the result
    sign = odd
    if isnan(x) or x == -INFINITY:
        return NAN
    if x == INFINITY:
        return sign * 0.0
    if x > 0:
        return sign * scaled_zeta(s, x, scale)
    if x == floor(x):
        # On both sides of a pole of even order the value is +inf; of odd order it jumps.
        return INFINITY if odd > 0 else (copysign(INFINITY, -x) if x == 0 else NAN)
    # The sum over all whole numbers, on both sides of x, less those terms that are not in the sum.
    below = ceil(x) - x
    value = scaled_zeta(s, x - floor(x), scale)
    value += odd * (scaled_zeta(s, below, scale) - scaled_zeta(s, 1 - x, scale))
    return sign * value


cdef double digamma(double x) noexcept nogil:
    """Return the derivative of log-gamma.

    By its recurrence and asymptotic series (NIST DLMF 5.5.2, 5.11.2), its reflection (5.5.4), and
    around its root by its Taylor series (5.7.4, about another point), so that it keeps its digits there.
    """
    cdef double total = 0, shift = 0, distance, square, power
    cdef int k
    if x == 0:
        return copysign(INFINITY, -x)
    if x < 0:
        if x == floor(x):
            return NAN
        distance = x - floor(x + 0.5)
        return digamma(1 - x) - PI / tan(PI * distance)
    if x == INFINITY or isnan(x):
        return x
    if x < 3:
        # A step into reach of the Taylor series; a longer way up would lose digits.
        if x > 2:
            x -= 1
            shift = 1 / x
        elif x < 1:
            shift = -1 / x
            x += 1
        distance = (x - ROOT) - ROOT_REST
        for k in range(TAYLOR - 1, -1, -1):
            total = (total + AROUND_ROOT[k]) * distance
        return total + shift
    while x < 10:
        total -= 1 / x
        x += 1
    square = 1 / (x * x)
    power = 1
    for k in range(8):
        power *= square
        total += DIGAMMA_TERMS[k] * power
    return total + log(x) - 0.5 / x


cdef int order
for order in range(TAYLOR):
    AROUND_ROOT[order] = (1 if order % 2 == 0 else -1) * scaled_zeta(order + 2, ROOT, 1)


# ------------------------------------------------------------------------------------ as ufuncs

cdef cnp.PyUFuncGenericFunction[2] UNARY = [
    <cnp.PyUFuncGenericFunction> cnp.PyUFunc_f_f_As_d_d, <cnp.PyUFuncGenericFunction> cnp.PyUFunc_d_d
]
cdef cnp.PyUFuncGenericFunction[2] BINARY = [
    <cnp.PyUFuncGenericFunction> cnp.PyUFunc_ff_f_As_dd_d, <cnp.PyUFuncGenericFunction> cnp.PyUFunc_dd_d
]
cdef char[6] TYPES = [
    cnp.NPY_FLOAT, cnp.NPY_FLOAT, cnp.NPY_FLOAT, cnp.NPY_DOUBLE, cnp.NPY_DOUBLE, cnp.NPY_DOUBLE
]
cdef char[4] UNARY_TYPES = [cnp.NPY_FLOAT, cnp.NPY_FLOAT, cnp.NPY_DOUBLE, cnp.NPY_DOUBLE]
cdef cnp.PyUFuncGenericFunction[2] ERF_LOOPS = [
    <cnp.PyUFuncGenericFunction> own.erf[0], <cnp.PyUFuncGenericFunction> own.erf[1]
]
cdef cnp.PyUFuncGenericFunction[2] ERFC_LOOPS = [
    <cnp.PyUFuncGenericFunction> own.erfc[0], <cnp.PyUFuncGenericFunction> own.erfc[1]
]
cdef cnp.PyUFuncGenericFunction[2] GELU_LOOPS = [
    <cnp.PyUFuncGenericFunction> own.gelu[0], <cnp.PyUFuncGenericFunction> own.gelu[1]
]
cdef cnp.PyUFuncGenericFunction[2] GELU_COTANGENT_LOOPS = [
    <cnp.PyUFuncGenericFunction> own.gelu_cotangent[0],
    <cnp.PyUFuncGenericFunction> own.gelu_cotangent[1],
]
cdef Elementwise exponential = Elementwise(np.exp)
cdef Exponential SETTINGS
SETTINGS.loop, SETTINGS.data = exponential.loops[1], exponential.data[1]

# One for each ufunc: NumPy keeps the pointer.
cdef void* DATA[5][2]
DATA[0][0] = DATA[0][1] = <void*> &SETTINGS
DATA[1][0] = DATA[1][1] = <void*> erfinv
DATA[2][0] = DATA[2][1] = <void*> lgamma
DATA[3][0] = DATA[3][1] = <void*> digamma
DATA[4][0] = DATA[4][1] = <void*> polygamma

erf_kernel = Elementwise(cnp.PyUFunc_FromFuncAndData(
    ERF_LOOPS, DATA[0], UNARY_TYPES, 2, 1, 1, -1, "erf", "error function", 0
))
erfc_kernel = Elementwise(cnp.PyUFunc_FromFuncAndData(
    ERFC_LOOPS, DATA[0], UNARY_TYPES, 2, 1, 1, -1, "erfc", "1 - erf(x)", 0
))
gelu_kernel = Elementwise(cnp.PyUFunc_FromFuncAndData(
    GELU_LOOPS, DATA[0], UNARY_TYPES, 2, 1, 1, -1, "gelu", "x times the normal distribution function", 0
))
gelu_cotangent_kernel = Elementwise(cnp.PyUFunc_FromFuncAndData(
    GELU_COTANGENT_LOOPS, DATA[0], TYPES, 2, 2, 1, -1, "gelu_cotangent", "g times its derivative", 0
))
erfinv_kernel = Elementwise(cnp.PyUFunc_FromFuncAndData(
    UNARY, DATA[1], UNARY_TYPES, 2, 1, 1, -1, "erfinv", "inverse of erf", 0
))
lgamma_kernel = Elementwise(cnp.PyUFunc_FromFuncAndData(
    UNARY, DATA[2], UNARY_TYPES, 2, 1, 1, -1, "lgamma", "log(abs(gamma(x)))", 0
))
digamma_kernel = Elementwise(cnp.PyUFunc_FromFuncAndData(
    UNARY, DATA[3], UNARY_TYPES, 2, 1, 1, -1, "digamma", "derivative of lgamma", 0
))
polygamma_kernel = Elementwise(cnp.PyUFunc_FromFuncAndData(
    BINARY, DATA[4], TYPES, 2, 2, 1, -1, "polygamma", "derivative of order n of digamma", 0
))
