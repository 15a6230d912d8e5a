# Steps of optimizers: one pass over each parameter.


cdef void sgd(
    floating** operands, npy_intp* count, npy_intp* strides, void* settings
) noexcept nogil:
    cdef SgdSettings* s = <SgdSettings*> settings
    cdef const floating* gradient = operands[0]
    cdef floating* velocity = operands[1]       # NULL without momentum
    cdef floating* parameter = operands[3]
    cdef floating lr = <floating> s.rate, mu = <floating> s.momentum, wd = <floating> s.decay, step
    cdef npy_intp i
    if velocity is NULL:
        if wd == 0:
            for i in range(count[0]):
                parameter[i] -= lr * gradient[i]
        else:
            for i in range(count[0]):
                parameter[i] -= lr * (gradient[i] + wd * parameter[i])
        return
    for i in range(count[0]):
        step = gradient[i] + wd * parameter[i]
        velocity[i] = mu * velocity[i] + step
        parameter[i] -= lr * (step + mu * velocity[i] if s.nesterov else velocity[i])


cdef void adam(
    floating** operands, npy_intp* count, npy_intp* strides, void* settings
) noexcept nogil:
    cdef AdamSettings* s = <AdamSettings*> settings
    cdef const floating* gradient = operands[0]
    cdef floating* mean = operands[1]
    cdef floating* square = operands[2]
    cdef floating* parameter = operands[4]
    cdef floating b1 = <floating> s.beta1, b2 = <floating> s.beta2, wd = <floating> s.decay
    cdef floating c1 = <floating> (1 - s.beta1), c2 = <floating> (1 - s.beta2)
    cdef floating rate = <floating> s.rate, root = <floating> s.root, eps = <floating> s.epsilon
    cdef floating shrinkage = <floating> s.shrinkage, g
    cdef npy_intp i
    for i in range(count[0]):
        g = gradient[i] + wd * parameter[i]
        mean[i] = b1 * mean[i] + c1 * g
        square[i] = b2 * square[i] + c2 * g * g
        parameter[i] = parameter[i] * shrinkage - rate * mean[i] / (
            <floating> sqrt(square[i]) / root + eps
        )
