# Steps of optimizers: one pass over each parameter.  An operand that an optimizer does without is NULL.


cdef void sgd(
    floating** operands, npy_intp* count, npy_intp* strides, void* settings
) noexcept nogil:
    cdef SgdSettings* s = <SgdSettings*> settings
    cdef const floating* gradient = operands[0]
    cdef floating* velocity = operands[1]       # NULL without momentum
    cdef floating* parameter = operands[3]
    cdef floating sign = <floating> s.sign, lr = <floating> (s.sign * s.rate)
    cdef floating mu = <floating> s.momentum, share = <floating> s.share, wd = <floating> s.decay, step
    cdef npy_intp i
    if velocity is NULL:
        if wd == 0:
            for i in range(count[0]):
                parameter[i] -= lr * gradient[i]
        else:
            lr = <floating> s.rate
            for i in range(count[0]):
                parameter[i] -= lr * (sign * gradient[i] + wd * parameter[i])
        return
    lr = <floating> s.rate
    for i in range(count[0]):
        step = sign * gradient[i] + wd * parameter[i]
        velocity[i] = mu * velocity[i] + share * step
        parameter[i] -= lr * (step + mu * velocity[i] if s.nesterov else velocity[i])


cdef void adam(
    floating** operands, npy_intp* count, npy_intp* strides, void* settings
) noexcept nogil:
    cdef AdamSettings* s = <AdamSettings*> settings
    cdef const floating* gradient = operands[0]
    cdef floating* mean = operands[1]
    cdef floating* square = operands[2]
    cdef floating* largest = operands[3]        # NULL but for amsgrad
    cdef floating* parameter = operands[5]
    cdef floating b1 = <floating> s.beta1, b2 = <floating> s.beta2, wd = <floating> s.decay
    cdef floating c1 = <floating> (1 - s.beta1), c2 = <floating> (1 - s.beta2)
    cdef floating rate = <floating> s.rate, root = <floating> s.root, eps = <floating> s.epsilon
    cdef floating shrinkage = <floating> s.shrinkage, sign = <floating> s.sign, g
    cdef npy_intp i
    if largest is NULL:
        for i in range(count[0]):
            g = sign * gradient[i] + wd * parameter[i]
            mean[i] = b1 * mean[i] + c1 * g
            square[i] = b2 * square[i] + c2 * g * g
            parameter[i] = parameter[i] * shrinkage - rate * mean[i] / (
                <floating> sqrt(square[i]) / root + eps
            )
        return
    for i in range(count[0]):
        g = sign * gradient[i] + wd * parameter[i]
        mean[i] = b1 * mean[i] + c1 * g
        square[i] = b2 * square[i] + c2 * g * g
        # NaN is not less or equal, so that it goes on.
        largest[i] = largest[i] if square[i] <= largest[i] else square[i]
        parameter[i] = parameter[i] * shrinkage - rate * mean[i] / (
            <floating> sqrt(largest[i]) / root + eps
        )


cdef void rmsprop(
    floating** operands, npy_intp* count, npy_intp* strides, void* settings
) noexcept nogil:
    cdef RmspropSettings* s = <RmspropSettings*> settings
    cdef const floating* gradient = operands[0]
    cdef floating* square = operands[1]
    cdef floating* mean = operands[2]           # NULL unless centered
    cdef floating* velocity = operands[3]       # NULL without momentum
    cdef floating* parameter = operands[5]
    cdef floating alpha = <floating> s.alpha, rest = <floating> (1 - s.alpha), mu = <floating> s.momentum
    cdef floating lr = <floating> s.rate, eps = <floating> s.epsilon, wd = <floating> s.decay
    cdef floating sign = <floating> s.sign, g, spread
    cdef npy_intp i
    for i in range(count[0]):
        g = sign * gradient[i] + wd * parameter[i]
        square[i] = alpha * square[i] + rest * g * g
        spread = square[i]
        if mean is not NULL:
            mean[i] += rest * (g - mean[i])
            spread -= mean[i] * mean[i]
            # A variance is negative by rounding only.
            spread = 0 if spread < 0 else spread
        g /= <floating> sqrt(spread) + eps
        if velocity is not NULL:
            velocity[i] = mu * velocity[i] + g
            g = velocity[i]
        parameter[i] -= lr * g


cdef void adagrad(
    floating** operands, npy_intp* count, npy_intp* strides, void* settings
) noexcept nogil:
    cdef AdagradSettings* s = <AdagradSettings*> settings
    cdef const floating* gradient = operands[0]
    cdef floating* total = operands[1]
    cdef floating* parameter = operands[3]
    cdef floating lr = <floating> s.rate, eps = <floating> s.epsilon, wd = <floating> s.decay
    cdef floating sign = <floating> s.sign, g
    cdef npy_intp i
    for i in range(count[0]):
        g = sign * gradient[i] + wd * parameter[i]
        total[i] += g * g
        parameter[i] -= lr * g / (<floating> sqrt(total[i]) + eps)
