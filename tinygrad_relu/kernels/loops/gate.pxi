# The ReLU family: see `tinygrad_relu.kernels.gate` for what it computes and how it is written.


cdef inline floating gate_one(
    floating signal, floating control, floating t0, floating a0, floating a1
) noexcept nogil:
    if control <= t0:
        return signal * a0 if a0 != 0 else <floating> 0
    return signal * a1 if a1 != 0 or control != control else <floating> 0


cdef inline void gate_contiguous(
    const floating* signal,     # IN
    const floating* control,    # IN   may be signal
    floating* result,           # OUT  may be signal, control or both
    npy_intp count,
    floating t0, floating a0, floating a1,
) noexcept nogil:
    cdef npy_intp i
    cdef floating zero = 0, value
    if a0 == 0 and a1 == 1:
        if result == signal and result == control:
            for i in range(count):
                value = result[i]
                result[i] = zero if value <= t0 else value
        elif signal == control:
            for i in range(count):
                value = signal[i]
                result[i] = zero if value <= t0 else value
        elif result == signal:
            for i in range(count):
                value = result[i]
                result[i] = zero if control[i] <= t0 else value
        else:
            for i in range(count):
                value = signal[i]
                result[i] = zero if control[i] <= t0 else value
    elif a0 == 0 or a1 == 0:
        for i in range(count):
            result[i] = gate_one(signal[i], control[i], t0, a0, a1)
    elif result == signal and result == control:
        for i in range(count):
            value = result[i]
            result[i] = value * (a0 if value <= t0 else a1)
    else:
        for i in range(count):
            value = signal[i]
            result[i] = value * (a0 if control[i] <= t0 else a1)


cdef void gate(
    floating** operands, npy_intp* count, npy_intp* strides, void* settings
) noexcept nogil:
    cdef char* signal = <char*> operands[0]
    cdef char* control = <char*> operands[1]
    cdef char* t0 = <char*> operands[2]
    cdef char* a0 = <char*> operands[3]
    cdef char* a1 = <char*> operands[4]
    cdef char* result = <char*> operands[5]
    cdef npy_intp item = sizeof(floating)
    if strides[2] == strides[3] == strides[4] == 0 and strides[0] == strides[1] == strides[5] == item:
        gate_contiguous(
            operands[0], operands[1], operands[5], count[0],
            operands[2][0], operands[3][0], operands[4][0],
        )
        return
    for _ in range(count[0]):
        (<floating*> result)[0] = gate_one(
            (<floating*> signal)[0], (<floating*> control)[0],
            (<floating*> t0)[0], (<floating*> a0)[0], (<floating*> a1)[0],
        )
        signal += strides[0]
        control += strides[1]
        t0 += strides[2]
        a0 += strides[3]
        a1 += strides[4]
        result += strides[5]


cdef void relu(
    floating** operands, npy_intp* count, npy_intp* strides, void* settings
) noexcept nogil:
    cdef floating t0 = 0, a0 = 0, a1 = 1
    cdef floating* all_operands[6]
    cdef npy_intp[6] all_strides = [strides[0], strides[0], 0, 0, 0, strides[1]]
    all_operands[:] = [operands[0], operands[0], &t0, &a0, &a1, operands[1]]
    gate(all_operands, count, all_strides, settings)


cdef void limit(
    floating** operands, npy_intp* count, npy_intp* strides, void* settings
) noexcept nogil:
    """At least `low`, then at most `high`; NaN stays NaN."""
    cdef const floating* x = operands[0]
    cdef floating* y = operands[3]
    cdef floating low = operands[1][0], high = operands[2][0], value
    cdef npy_intp i
    for i in range(count[0]):
        value = x[i]
        value = low if value < low else value
        y[i] = high if value > high else value


cdef void relu_with_mask(
    floating** operands, npy_intp* count, npy_intp* strides, void* settings
) noexcept nogil:
    """Rectify, and set one bit for each element whose gate is open, the lowest bit first.

    Eight flags are eight bytes of a number; the product moves the flag of byte k to bit 56 + k.
    """
    cdef const floating* x = operands[0]
    cdef unsigned char* mask = <unsigned char*> operands[1]
    cdef floating* y = operands[2]
    cdef floating value
    cdef unsigned char[512] flags
    cdef unsigned long long eight
    cdef npy_intp i, size, left = count[0]
    while left > 0:
        size = min(left, 64)
        for i in range(8 * size):
            value = x[i]
            y[i] = 0 if value <= 0 else value
            flags[i] = not value <= 0
        for i in range(size):
            memcpy(&eight, &flags[8 * i], 8)
            mask[i] = eight * <unsigned long long> 0x0102040810204080 >> 56
        x += 8 * size
        y += 8 * size
        mask += size
        left -= size


cdef extern from *:
    """
    #include <string.h>
    /* Writes the bits of 8 floats that are set in lanes, too; y may be x. */
    #if defined(__GNUC__)
    typedef unsigned int tgr_eight __attribute__((vector_size(32), aligned(4), may_alias));
    static inline void tgr_pass(void *y, const void *x, const void *lanes) {
        *(tgr_eight *) y = *(const tgr_eight *) x & *(const tgr_eight *) lanes;
    }
    #else
    static void tgr_pass(void *y, const void *x, const void *lanes) {
        unsigned int a[8], b[8];
        int k;
        memcpy(a, x, 32);
        memcpy(b, lanes, 32);
        for (k = 0; k < 8; k++) a[k] &= b[k];
        memcpy(y, a, 32);
    }
    #endif
    """
    void tgr_pass(void* y, const void* x, const void* lanes) noexcept nogil

# For each byte of a mask, all bits of those elements that pass, and none of the others.
cdef unsigned int[256][8] FLOAT_LANES
cdef unsigned long long[256][8] DOUBLE_LANES
cdef int byte, bit
for byte in range(256):
    for bit in range(8):
        FLOAT_LANES[byte][bit] = 0xFFFFFFFF if byte >> bit & 1 else 0
        DOUBLE_LANES[byte][bit] = 0xFFFFFFFFFFFFFFFF if byte >> bit & 1 else 0


cdef void apply_mask(
    floating** operands, npy_intp* count, npy_intp* strides, void* settings
) noexcept nogil:
    """Let the elements pass whose bits are set: as patterns of bits, so that the others are +0.0."""
    cdef const floating* signal = operands[0]
    cdef const unsigned char* mask = <unsigned char*> operands[1]
    cdef floating* y = operands[2]
    cdef npy_intp i
    for i in range(count[0]):
        if floating is double:
            tgr_pass(y, signal, DOUBLE_LANES[mask[i]])
            tgr_pass(y + 4, signal + 4, &DOUBLE_LANES[mask[i]][4])
        else:
            tgr_pass(y, signal, FLOAT_LANES[mask[i]])
        signal += 8
        y += 8


cdef void sigmoid(
    floating** operands, npy_intp* count, npy_intp* strides, void* settings
) noexcept nogil:
    """With ``e = exp(-|x|)``: ``1 / (1 + e)`` for ``x >= 0``, ``e / (1 + e)`` below.

    No overflow, no cancellation; by blocks that stay in the first-level cache.
    """
    cdef Exponential* exp = <Exponential*> settings
    cdef floating[512] values
    cdef floating[512] block
    cdef char* exp_operands[2]
    cdef npy_intp[2] exp_strides = [sizeof(floating), sizeof(floating)]
    cdef char* x = <char*> operands[0]
    cdef char* y = <char*> operands[1]
    cdef npy_intp i, size, left = count[0]
    cdef floating value, e, one = 1
    while left > 0:
        size = min(left, 512)
        if strides[0] == sizeof(floating):
            memcpy(values, x, size * sizeof(floating))
        else:
            for i in range(size):
                values[i] = (<floating*> (x + i * strides[0]))[0]
        for i in range(size):
            value = values[i]
            block[i] = -value if value > 0 else value
        exp_operands[0] = exp_operands[1] = <char*> block
        exp.loop(exp_operands, &size, exp_strides, exp.data)
        for i in range(size):
            e = block[i]
            block[i] = (one if values[i] >= 0 else e) / (one + e)
        if strides[1] == sizeof(floating):
            memcpy(y, block, size * sizeof(floating))
        else:
            for i in range(size):
                (<floating*> (y + i * strides[1]))[0] = block[i]
        x += size * strides[0]
        y += size * strides[1]
        left -= size
