"""Optimizer steps: one pass over each parameter, in place.

Each function takes lists of arrays, which at one position are of one shape and dtype: parameters,
gradients (None for a parameter to leave alone) and what the optimizer remembers.  `laid_out` and
`remembered` look at all of them first, so that a step is taken by every parameter or by none.
"""

import numpy as np

cimport numpy as cnp
from libc.math cimport sqrt
from numpy cimport ndarray, npy_intp

from tinygrad_relu.kernels._threads cimport MOST_OPERANDS, Loop, run_loop
from tinygrad_relu.kernels.elementwise cimport float_slot
from tinygrad_relu.kernels.loops.instruction_set cimport own
from tinygrad_relu.kernels.loops.table cimport (
    AdagradSettings, AdamSettings, RmspropSettings, SgdSettings
)

from tinygrad_relu.errors import ArgumentError, DTypeError, ShapeError

cnp.import_array()


def laid_out(list parameters, list gradients):
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


def states_of(states, list keys, list gradients):
    """Return what is remembered under each of `keys`: a dict, or None where there is no gradient."""
    return [None if gradients[k] is None else states[keys[k]] for k in range(len(keys))]


def remembered(list parameters, list states, str name):
    """Return what each state has under `name`, or zeros where it has nothing; None where it is none.

    Raises if it does not fit its parameter, such as something that was put there from outside.
    """
    cdef list found = []
    cdef ndarray parameter
    for k in range(len(parameters)):
        state = states[k]
        if state is None:
            found.append(None)
            continue
        parameter = parameters[k]
        kept = (<dict> state).get(name)
        if kept is None:
            kept = np.zeros_like(parameter)
        elif not fits(kept, parameter):
            raise ShapeError(
                f"optimizer step: state {name!r} of parameter {k} is {type(kept).__name__} of shape "
                f"{np.shape(kept)}: it is a contiguous, writable array of the shape and dtype of the "
                f"parameter, {(<object> parameter).shape} and {(<object> parameter).dtype}; "
                "load_state_dict() checks what it takes"
            )
        found.append(kept)
    return found


cdef bint fits(object memory, ndarray parameter):
    """Tell whether something is an array that can be updated along with a parameter."""
    cdef ndarray array
    if not isinstance(memory, ndarray):
        return False
    array = memory
    return (
        float_slot(array) == float_slot(parameter) and cnp.PyArray_ISWRITEABLE(array)
        and cnp.PyArray_SAMESHAPE(array, parameter)
    )


def next_steps(list states):
    """Return the how manieth step this is for each parameter, 0 for one that does not take it."""
    return [0 if state is None else (<dict> state).get("step", 0) + 1 for state in states]


def keep(list states, dict memories):
    """Put what is remembered into the states of those parameters that have a gradient."""
    cdef list values
    for name, values in memories.items():
        for k in range(len(states)):
            if states[k] is not None:
                (<dict> states[k])[name] = values[k]


def settings_of(dict group, tuple names):
    """Return settings of a group as floats, pairs of them one after the other."""
    cdef list found = []
    cdef double number
    try:
        for name in names:
            value = group[name]
            if type(value) is float:
                found.append(value)
                continue
            for part in value if isinstance(value, (tuple, list)) else (value,):
                number = part
                found.append(number)
    except (TypeError, ValueError, KeyError) as error:
        raise ArgumentError(
            f"optimizer step: the setting {name!r} of a group is missing or no number: {error}"
        ) from error
    return found


cdef char* bytes_of(object array):
    """Return where the memory of an array begins: nowhere if it is None."""
    return NULL if array is None else cnp.PyArray_BYTES(<ndarray> array)


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


def sgd(list parameters, list gradients, list velocities, list shares, double lr, double momentum,
        double weight_decay, bint nesterov, bint maximize):
    """Take one step of gradient descent with momentum, in PyTorch's form.

    ``g += weight_decay * p``, ``v = momentum * v + share * g``, then ``p -= lr * v`` (Nesterov: ``p -= lr
    * (g + momentum * v)``), where the share of the gradient is 1 less the dampening.  `velocities` and
    `shares` are None where there is no momentum.
    """
    cdef ndarray parameter
    cdef SgdSettings settings
    cdef char* operands[4]
    settings.rate, settings.momentum, settings.decay = lr, momentum, weight_decay
    settings.nesterov, settings.sign = nesterov, -1 if maximize else 1
    for k in range(len(parameters)):
        if gradients[k] is None:
            continue
        parameter = parameters[k]
        settings.share = 1 if shares is None else shares[k]
        operands[0] = bytes_of(gradients[k])
        operands[1] = NULL if velocities is None else bytes_of(velocities[k])
        operands[2] = operands[3] = cnp.PyArray_BYTES(parameter)
        update(parameter, own.sgd, &settings, 4, operands)


def adam(list parameters, list gradients, list means, list squares, list largest, list steps, double lr,
         double beta1, double beta2, double eps, double weight_decay, bint decoupled, bint maximize):
    """Take one step of Adam, in place; `steps` says the how manieth it is for each parameter.

    Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 1, with the bias
    corrections and the place of `eps` as PyTorch has them.  Decoupled, the decay goes past the running
    means, straight to the parameter: Loshchilov and Hutter, "Decoupled weight decay regularization",
    2019.  With `largest`, the largest mean square so far takes the place of the last one: Reddi, Kale
    and Kumar, "On the convergence of Adam and beyond", 2018.
    """
    cdef long taken
    cdef ndarray parameter
    cdef AdamSettings settings
    cdef char* operands[6]
    settings.beta1, settings.beta2, settings.epsilon = beta1, beta2, eps
    settings.sign = -1 if maximize else 1
    settings.decay = 0 if decoupled else weight_decay
    settings.shrinkage = 1 - lr * weight_decay if decoupled else 1
    for k in range(len(parameters)):
        if gradients[k] is None:
            continue
        parameter = parameters[k]
        taken = steps[k]
        settings.rate = lr / (1 - beta1 ** taken)
        settings.root = sqrt(1 - beta2 ** taken)
        operands[0] = bytes_of(gradients[k])
        operands[1] = bytes_of(means[k])
        operands[2] = bytes_of(squares[k])
        operands[3] = NULL if largest is None else bytes_of(largest[k])
        operands[4] = operands[5] = cnp.PyArray_BYTES(parameter)
        update(parameter, own.adam, &settings, 6, operands)


def rmsprop(list parameters, list gradients, list squares, list means, list velocities, double lr,
            double alpha, double eps, double weight_decay, double momentum, bint maximize):
    """Take one step of RMSprop, in place; `means` is None unless centered, `velocities` without momentum.

    Hinton, "Neural networks for machine learning", lecture 6e, 2012; centered as in Graves, "Generating
    sequences with recurrent neural networks", 2013, equations 38 to 40, with PyTorch's place of `eps`.
    """
    cdef ndarray parameter
    cdef RmspropSettings settings
    cdef char* operands[6]
    settings.rate, settings.alpha, settings.epsilon, settings.decay = lr, alpha, eps, weight_decay
    settings.momentum, settings.sign = momentum, -1 if maximize else 1
    for k in range(len(parameters)):
        if gradients[k] is None:
            continue
        parameter = parameters[k]
        operands[0] = bytes_of(gradients[k])
        operands[1] = bytes_of(squares[k])
        operands[2] = NULL if means is None else bytes_of(means[k])
        operands[3] = NULL if velocities is None else bytes_of(velocities[k])
        operands[4] = operands[5] = cnp.PyArray_BYTES(parameter)
        update(parameter, own.rmsprop, &settings, 6, operands)


def adagrad(list parameters, list gradients, list sums, list steps, double lr, double lr_decay,
            double eps, double weight_decay, bint maximize):
    """Take one step of Adagrad, in place; `steps` says the how manieth it is for each parameter.

    Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic
    optimization", 2011, with PyTorch's decay of the rate.
    """
    cdef ndarray parameter
    cdef AdagradSettings settings
    cdef char* operands[4]
    settings.epsilon, settings.decay, settings.sign = eps, weight_decay, -1 if maximize else 1
    for k in range(len(parameters)):
        if gradients[k] is None:
            continue
        parameter = parameters[k]
        settings.rate = lr / (1 + (steps[k] - 1) * lr_decay)
        operands[0] = bytes_of(gradients[k])
        operands[1] = bytes_of(sums[k])
        operands[2] = operands[3] = cnp.PyArray_BYTES(parameter)
        update(parameter, own.adagrad, &settings, 4, operands)
