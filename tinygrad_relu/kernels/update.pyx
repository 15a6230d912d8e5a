"""Optimizer steps: one pass over each parameter, in place.

Each function takes lists of arrays, which at one position are of one shape and dtype: parameters,
gradients (None for a parameter to leave alone) and what the optimizer remembers.
"""

import numpy as np

cimport numpy as cnp
from libc.math cimport sqrt
from numpy cimport ndarray, npy_intp

from tinygrad_relu.kernels._threads cimport MOST_OPERANDS, Loop, run_loop
from tinygrad_relu.kernels.elementwise cimport float_slot
from tinygrad_relu.kernels.loops.instruction_set cimport own
from tinygrad_relu.kernels.loops.table cimport AdamSettings, SgdSettings

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


cdef void update(
    ndarray parameter, Loop* loops, void* settings, int operand_count, char** operands
) noexcept:
    """Run a loop over all elements of a parameter and what goes with it."""
    cdef npy_intp[MOST_OPERANDS] strides
    cdef int k
    for k in range(operand_count):
        # What is not there has nowhere to go.
        strides[k] = 0 if operands[k] is NULL else cnp.PyArray_ITEMSIZE(parameter)
    run_loop(
        loops[cnp.PyArray_TYPE(parameter) == cnp.NPY_DOUBLE], settings, operand_count,
        operands, cnp.PyArray_SIZE(parameter), strides,
    )


def sgd(list parameters, list gradients, list velocities, double lr, double momentum,
        double weight_decay, bint nesterov):
    """Take one step of gradient descent with momentum, in PyTorch's form.

    ``v = momentum * v + (g + weight_decay * p)``, then ``p -= lr * v`` (Nesterov: ``p -= lr *
    (g + weight_decay * p + momentum * v)``).  `velocities` holds None where there is no momentum.
    """
    cdef ndarray parameter
    cdef SgdSettings settings
    cdef char* operands[4]
    cdef list fitting = laid_out(parameters, gradients)
    settings.rate, settings.momentum = lr, momentum
    settings.decay, settings.nesterov = weight_decay, nesterov
    for k in range(len(parameters)):
        if fitting[k] is None:
            continue
        parameter = parameters[k]
        operands[0] = cnp.PyArray_BYTES(<ndarray> fitting[k])
        operands[1] = NULL if velocities[k] is None else cnp.PyArray_BYTES(<ndarray> velocities[k])
        operands[2] = operands[3] = cnp.PyArray_BYTES(parameter)
        update(parameter, own.sgd, &settings, 4, operands)


def adam(list parameters, list gradients, list means, list squares, list steps, double lr,
         double beta1, double beta2, double eps, double weight_decay, bint decoupled):
    """Take one step of Adam, in place, and count it in `steps` for each parameter that takes it.

    Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 1, with the bias
    corrections and the place of `eps` as PyTorch has them.  Decoupled, the decay goes past the running
    means, straight to the parameter: Loshchilov and Hutter, "Decoupled weight decay regularization",
    2019.
    """
    cdef long taken
    cdef ndarray parameter
    cdef AdamSettings settings
    cdef char* operands[5]
    cdef list fitting = laid_out(parameters, gradients)
    settings.beta1, settings.beta2, settings.epsilon = beta1, beta2, eps
    settings.decay = 0 if decoupled else weight_decay
    settings.shrinkage = 1 - lr * weight_decay if decoupled else 1
    for k in range(len(parameters)):
        if fitting[k] is None:
            continue
        parameter = parameters[k]
        taken = steps[k] + 1
        steps[k] = taken
        settings.rate = lr / (1 - beta1 ** taken)
        settings.root = sqrt(1 - beta2 ** taken)
        operands[0] = cnp.PyArray_BYTES(<ndarray> fitting[k])
        operands[1] = cnp.PyArray_BYTES(<ndarray> means[k])
        operands[2] = cnp.PyArray_BYTES(<ndarray> squares[k])
        operands[3] = operands[4] = cnp.PyArray_BYTES(parameter)
        update(parameter, own.adam, &settings, 5, operands)
