"""Optimizer steps: one pass over each parameter, in place.

Each function takes lists of arrays, which at one position are of one shape and dtype: parameters,
gradients (None for a parameter to leave alone) and what the optimizer remembers.
"""

import numpy as np

cimport numpy as cnp
from cython cimport floating
from libc.math cimport sqrt
from numpy cimport ndarray

from tinygrad_relu.kernels.elementwise cimport float_slot

from tinygrad_relu.errors import DTypeError

cnp.import_array()


cdef list laid_out(list parameters, list gradients):
    """Return gradients laid out in memory as their parameters are, or raise before any is updated."""
    cdef list fitting = []
    cdef ndarray parameter
    for k in range(len(parameters)):
        parameter = parameters[k]
        gradient = gradients[k]
        if float_slot(parameter) < 0 or not cnp.PyArray_ISWRITEABLE(parameter):
            raise DTypeError(
                f"optimizer step: parameter {k} of dtype {(<object> parameter).dtype} and strides "
                f"{(<object> parameter).strides} cannot be updated in place: parameters are contiguous, "
                "writable float32 or float64 arrays, as tensor() makes them"
            )
        if gradient is not None and float_slot(<ndarray> gradient) != float_slot(parameter):
            gradient = np.ascontiguousarray(gradient, dtype=(<object> parameter).dtype)
        fitting.append(gradient)
    return fitting


cdef void sgd_loop(
    floating* parameter,        # IN, OUT
    const floating* gradient,   # IN
    floating* velocity,         # IN, OUT  NULL without momentum
    Py_ssize_t count, double rate, double momentum, double decay, bint nesterov,
) noexcept nogil:
    cdef Py_ssize_t i
    cdef floating lr = <floating> rate, mu = <floating> momentum, wd = <floating> decay, step
    if velocity is NULL:
        if wd == 0:
            for i in range(count):
                parameter[i] -= lr * gradient[i]
        else:
            for i in range(count):
                parameter[i] -= lr * (gradient[i] + wd * parameter[i])
        return
    for i in range(count):
        step = gradient[i] + wd * parameter[i]
        velocity[i] = mu * velocity[i] + step
        parameter[i] -= lr * (step + mu * velocity[i] if nesterov else velocity[i])


def sgd(list parameters, list gradients, list velocities, double lr, double momentum,
        double weight_decay, bint nesterov):
    """Take one step of gradient descent with momentum, in PyTorch's form.

    ``v = momentum * v + (g + weight_decay * p)``, then ``p -= lr * v`` (Nesterov: ``p -= lr *
    (g + weight_decay * p + momentum * v)``).  `velocities` holds None where there is no momentum.
    """
    cdef ndarray parameter, gradient
    cdef void* velocity
    cdef list fitting = laid_out(parameters, gradients)
    for k in range(len(parameters)):
        if fitting[k] is None:
            continue
        parameter = parameters[k]
        gradient = fitting[k]
        velocity = NULL if velocities[k] is None else cnp.PyArray_DATA(<ndarray> velocities[k])
        if cnp.PyArray_TYPE(parameter) == cnp.NPY_DOUBLE:
            sgd_loop(
                <double*> cnp.PyArray_DATA(parameter), <double*> cnp.PyArray_DATA(gradient),
                <double*> velocity, cnp.PyArray_SIZE(parameter), lr, momentum, weight_decay, nesterov,
            )
        else:
            sgd_loop(
                <float*> cnp.PyArray_DATA(parameter), <float*> cnp.PyArray_DATA(gradient),
                <float*> velocity, cnp.PyArray_SIZE(parameter), lr, momentum, weight_decay, nesterov,
            )


cdef void adam_loop(
    floating* parameter,        # IN, OUT
    const floating* gradient,   # IN
    floating* mean,             # IN, OUT
    floating* square,           # IN, OUT
    Py_ssize_t count, double rate, double beta1, double beta2, double root, double epsilon,
    double decay,
) noexcept nogil:
    cdef Py_ssize_t i
    cdef floating b1 = <floating> beta1, b2 = <floating> beta2, wd = <floating> decay
    cdef floating c1 = <floating> (1 - beta1), c2 = <floating> (1 - beta2)
    cdef floating step = <floating> rate, r = <floating> root, eps = <floating> epsilon, g
    for i in range(count):
        g = gradient[i] + wd * parameter[i]
        mean[i] = b1 * mean[i] + c1 * g
        square[i] = b2 * square[i] + c2 * g * g
        parameter[i] -= step * mean[i] / (<floating> sqrt(square[i]) / r + eps)


def adam(list parameters, list gradients, list means, list squares, list steps, double lr,
         double beta1, double beta2, double eps, double weight_decay):
    """Take one step of Adam, in place, and count it in `steps` for each parameter that takes it.

    Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 1, with the bias
    corrections and the place of `eps` as PyTorch has them.
    """
    cdef double rate, root
    cdef long taken
    cdef ndarray parameter, gradient
    cdef list fitting = laid_out(parameters, gradients)
    for k in range(len(parameters)):
        if fitting[k] is None:
            continue
        parameter = parameters[k]
        taken = steps[k] + 1
        steps[k] = taken
        rate = lr / (1 - beta1 ** taken)
        root = sqrt(1 - beta2 ** taken)
        gradient = fitting[k]
        if cnp.PyArray_TYPE(parameter) == cnp.NPY_DOUBLE:
            adam_loop(
                <double*> cnp.PyArray_DATA(parameter), <double*> cnp.PyArray_DATA(gradient),
                <double*> cnp.PyArray_DATA(<ndarray> means[k]),
                <double*> cnp.PyArray_DATA(<ndarray> squares[k]),
                cnp.PyArray_SIZE(parameter), rate, beta1, beta2, root, eps, weight_decay,
            )
        else:
            adam_loop(
                <float*> cnp.PyArray_DATA(parameter), <float*> cnp.PyArray_DATA(gradient),
                <float*> cnp.PyArray_DATA(<ndarray> means[k]),
                <float*> cnp.PyArray_DATA(<ndarray> squares[k]),
                cnp.PyArray_SIZE(parameter), rate, beta1, beta2, root, eps, weight_decay,
            )
