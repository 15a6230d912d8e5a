# The error function and its complement, in double also for floats, by blocks and without branches; and
# what is made of them for nets, in the precision of the data.
#
# Schonfelder, "Chebyshev expansions for the error and related functions", Mathematics of Computation,
# 1978: exp(x * x) * erfc(x) * (1 + 2 x), for x >= 0, is a polynomial in (x - 3) / (x + 3); and
# erf(x) / x, for |x| <= 1/2, is one in 8 x * x - 1.  The coefficients, of the powers from 0 on, are those
# of the interpolation in Chebyshev's points, worked out by mpmath in 50 digits.

cdef enum:
    ERROR_BLOCK = 256

cdef double[13] TAIL_FLOAT = [
    1.2530080582697296, -0.13562106822069417, -0.04756229382771763, 0.1296440910249622,
    -0.1192736784315029, 0.06831669729438275, -0.023770388711381683, 0.0024988226113873105,
    0.0018882157008084247, -0.0007261608011693134, -0.00010422117710741312, 7.720413938052222e-05,
    3.891751557197811e-06,
]
cdef double[25] TAIL_DOUBLE = [
    1.2530080582697296, -0.13562110612458117, -0.04756229435345087, 0.1296451587027606,
    -0.11927366341530699, 0.06830802734397848, -0.023770514918645888, 0.002529391816066239,
    0.0018886903591561553, -0.0007798322721083991, -0.00010515979981501177, 0.00012509935235563107,
    4.949484992570595e-06, -2.0100567931289227e-05, -7.315105164159062e-07, 3.472414602875686e-06,
    3.5683839153992204e-07, -6.166496077604353e-07, -1.4160064940265987e-07, 1.0187000600072885e-07,
    4.180784698845582e-08, -1.3326364813003834e-08, -8.500397929772615e-09, 9.885798831139365e-10,
    8.864219016427092e-10,
]
TAIL = list(TAIL_DOUBLE)        # for what is made of ops
cdef double[9] CENTRE_FLOAT = [
    1.0830752376761712, -0.043642058886697886, 0.0016130716680617082, -4.762336934519552e-05,
    1.151603779519474e-06, -2.3472289797042594e-08, 4.1270252134730293e-10, -6.37686858732805e-12,
    8.777299809787717e-14,
]
cdef double[13] CENTRE_DOUBLE = [
    1.0830752376761712, -0.04364205888669792, 0.0016130716680617086, -4.762336934468491e-05,
    1.1516037795137055e-06, -2.3472291635195175e-08, 4.1270254211350677e-10, -6.374417852769556e-12,
    8.774531112408876e-14, -1.0890239919604682e-15, 1.2303489181995682e-17, -1.2757824687555533e-19,
    1.2216678256231158e-21,
]


cdef inline void polynomial(
    const double* coefficients, int degree, const floating* t, floating* y, npy_intp size
) noexcept nogil:
    """Evaluate a polynomial of a degree that is a multiple of 4, by Horner's rule."""
    cdef npy_intp i
    cdef int k
    cdef floating a, b, c, d
    for i in range(size):
        y[i] = <floating> coefficients[degree]
    for k in range(degree - 4, -1, -4):
        a, b = <floating> coefficients[k + 3], <floating> coefficients[k + 2]
        c, d = <floating> coefficients[k + 1], <floating> coefficients[k]
        for i in range(size):
            y[i] = (((y[i] * t[i] + a) * t[i] + b) * t[i] + c) * t[i] + d


cdef inline void tail(
    const floating* x,      # IN   size
    floating* y,            # OUT  size: erfc(abs(x))
    floating* bell,         # OUT  size: exp(-x * x)
    npy_intp size, Exponential* exp, const double* coefficients, int degree,
) noexcept nogil:
    cdef floating[ERROR_BLOCK] t, factor
    cdef char* exp_operands[2]
    cdef npy_intp[2] exp_strides = [sizeof(floating), sizeof(floating)]
    cdef npy_intp i
    cdef floating value, high, low, square, rest
    # One more than two to the power of half of the digits.
    cdef floating splitter = 4097 if floating is float else 134217729
    # Plain numbers would be doubles, and all that is computed with them.
    cdef floating one = 1, two = 2, three = 3, far = 30
    for i in range(size):
        value = -x[i] if x[i] < 0 else x[i]
        value = far if value > far else value   # where erfc is 0, so that infinity is no NaN
        t[i] = (value - three) / (value + three)
        # The square, and what rounding took off it: Veltkamp's and Dekker's products, 1971.
        square = value * value
        high = value * splitter
        high = high - (high - value)
        low = value - high
        rest = ((high * high - square) + two * high * low) + low * low
        bell[i] = -square
        factor[i] = (one - rest) / (one + two * value)
    exp_operands[0] = exp_operands[1] = <char*> bell
    exp.loop(exp_operands, &size, exp_strides, exp.data)
    for i in range(size):
        factor[i] *= bell[i]
    polynomial(coefficients, degree, t, y, size)
    for i in range(size):
        y[i] *= factor[i]


cdef void erfc(
    floating** operands, npy_intp* count, npy_intp* strides, void* settings
) noexcept nogil:
    cdef double[ERROR_BLOCK] x, y, bell
    cdef char* source = <char*> operands[0]
    cdef char* target = <char*> operands[1]
    cdef npy_intp i, size, left = count[0]
    while left > 0:
        size = min(left, ERROR_BLOCK)
        for i in range(size):
            x[i] = (<floating*> (source + i * strides[0]))[0]
        if floating is float:
            tail(x, y, bell, size, <Exponential*> settings, TAIL_FLOAT, 12)
        else:
            tail(x, y, bell, size, <Exponential*> settings, TAIL_DOUBLE, 24)
        for i in range(size):
            (<floating*> (target + i * strides[1]))[0] = <floating> (2 - y[i] if x[i] < 0 else y[i])
        source += size * strides[0]
        target += size * strides[1]
        left -= size


cdef void erf(
    floating** operands, npy_intp* count, npy_intp* strides, void* settings
) noexcept nogil:
    cdef double[ERROR_BLOCK] x, y, bell, t, centre
    cdef char* source = <char*> operands[0]
    cdef char* target = <char*> operands[1]
    cdef npy_intp i, size, left = count[0]
    cdef double value
    while left > 0:
        size = min(left, ERROR_BLOCK)
        for i in range(size):
            x[i] = (<floating*> (source + i * strides[0]))[0]
            value = 0.5 if fabs(x[i]) > 0.5 else x[i]
            t[i] = 8 * (value * value) - 1
        if floating is float:
            tail(x, y, bell, size, <Exponential*> settings, TAIL_FLOAT, 12)
            polynomial(CENTRE_FLOAT, 8, t, centre, size)
        else:
            tail(x, y, bell, size, <Exponential*> settings, TAIL_DOUBLE, 24)
            polynomial(CENTRE_DOUBLE, 12, t, centre, size)
        for i in range(size):
            value = 1 - y[i]
            value = -value if x[i] < 0 else value
            value = x[i] * centre[i] if fabs(x[i]) <= 0.5 else value
            (<floating*> (target + i * strides[1]))[0] = <floating> value
        source += size * strides[0]
        target += size * strides[1]
        left -= size


# The normal distribution function of x is erfc(-x / sqrt(2)) / 2, and its derivative
# exp(-x * x / 2) / sqrt(2 pi).
cdef double ROOT_HALF = 0.7071067811865476
cdef double BELL_TOP = 0.3989422804014327


cdef inline void normal(
    const char* source,     # IN   size, `stride` bytes apart
    floating* x,            # OUT  size
    floating* below,        # OUT  size: the normal distribution function
    floating* bell,         # OUT  size: its derivative, times sqrt(2 pi)
    npy_intp size, npy_intp stride, void* settings,
) noexcept nogil:
    cdef floating[ERROR_BLOCK] scaled
    cdef floating half = <floating> 0.5, two = 2
    cdef npy_intp i
    for i in range(size):
        x[i] = (<const floating*> (source + i * stride))[0]
        scaled[i] = x[i] * <floating> ROOT_HALF
    if floating is float:
        tail(scaled, below, bell, size, <Exponential*> settings, TAIL_FLOAT, 12)
    else:
        tail(scaled, below, bell, size, <Exponential*> settings, TAIL_DOUBLE, 24)
    for i in range(size):
        below[i] = half * (two - below[i] if x[i] > 0 else below[i])


cdef void gelu(
    floating** operands, npy_intp* count, npy_intp* strides, void* settings
) noexcept nogil:
    cdef floating[ERROR_BLOCK] x, below, bell
    cdef char* source = <char*> operands[0]
    cdef char* target = <char*> operands[1]
    cdef npy_intp i, size, left = count[0]
    while left > 0:
        size = min(left, ERROR_BLOCK)
        normal(source, x, below, bell, size, strides[0], settings)
        for i in range(size):
            (<floating*> (target + i * strides[1]))[0] = x[i] * below[i]
        source += size * strides[0]
        target += size * strides[1]
        left -= size


cdef void gelu_cotangent(
    floating** operands, npy_intp* count, npy_intp* strides, void* settings
) noexcept nogil:
    cdef floating[ERROR_BLOCK] x, below, bell
    cdef char* g = <char*> operands[0]
    cdef char* source = <char*> operands[1]
    cdef char* target = <char*> operands[2]
    cdef npy_intp i, size, left = count[0]
    cdef floating slope
    while left > 0:
        size = min(left, ERROR_BLOCK)
        normal(source, x, below, bell, size, strides[1], settings)
        for i in range(size):
            slope = below[i] + x[i] * (<floating> BELL_TOP * bell[i])
            (<floating*> (target + i * strides[2]))[0] = (<floating*> (g + i * strides[0]))[0] * slope
        g += size * strides[0]
        source += size * strides[1]
        target += size * strides[2]
        left -= size
