# cython: boundscheck=False, wraparound=False, cdivision=True
"""A driven oscillator whose force is a trained ReLU net, simulated without Python's help.

Each step waits for the one before it, so there is nothing to vectorise: what costs time in Python is
not the arithmetic of a small net but the calls.  Here the net is a loop, the kernel `gate_uniform` of
tinygrad_relu, and another loop.
"""

import numpy as np

from libc.math cimport cos

from tinygrad_relu.kernels.gate cimport gate_uniform


cdef class Oscillator:
    """``x'' = net(x) - damping * x' + drive * cos(t)``, with a net of one hidden layer.

    Parameters
    ----------
    weight, bias, outward : ndarray of shape (units,)
        Of the hidden layer, and from there to the force.
    constant : float
        What is added to the force.
    damping, drive : float
    """

    cdef double[::1] weight, bias, outward, hidden
    cdef double constant, damping, drive

    def __init__(self, weight, bias, outward, double constant, double damping, double drive):
        self.weight, self.bias, self.outward = (np.array(x, np.float64) for x in (weight, bias, outward))
        if not self.weight.shape[0] == self.bias.shape[0] == self.outward.shape[0] > 0:
            raise ValueError("weight, bias and outward need one length, and at least one unit")
        self.hidden = np.empty(self.weight.shape[0])
        self.constant, self.damping, self.drive = constant, damping, drive

    cdef double force(self, double x) noexcept nogil:
        cdef Py_ssize_t k, units = self.weight.shape[0]
        cdef double* hidden = &self.hidden[0]
        cdef double total = self.constant
        for k in range(units):
            hidden[k] = self.weight[k] * x + self.bias[k]
        # signal, control and result are one array; below 0 the slope is 0, above it is 1
        gate_uniform[double](hidden, hidden, hidden, units, 0.0, 0.0, 1.0)
        for k in range(units):
            total += self.outward[k] * hidden[k]
        return total

    cdef double acceleration(self, double t, double x, double v) noexcept nogil:
        return self.force(x) - self.damping * v + self.drive * cos(t)

    def flashes(self, double x, double v, Py_ssize_t count, Py_ssize_t steps, double period):
        """Return where it is at the end of each of `count` periods of `steps` steps: (count, 2).

        The steps are those of Runge and Kutta's fourth-order method.
        """
        cdef double[:, ::1] seen = np.empty((count, 2))
        cdef double h = period / steps
        cdef double t, v2, v3, v4, a1, a2, a3, a4
        cdef Py_ssize_t flash, step
        with nogil:
            for flash in range(count):
                for step in range(steps):
                    t = step * h
                    a1 = self.acceleration(t, x, v)
                    v2 = v + 0.5 * h * a1
                    a2 = self.acceleration(t + 0.5 * h, x + 0.5 * h * v, v2)
                    v3 = v + 0.5 * h * a2
                    a3 = self.acceleration(t + 0.5 * h, x + 0.5 * h * v2, v3)
                    v4 = v + h * a3
                    a4 = self.acceleration(t + h, x + h * v3, v4)
                    x += h / 6 * (v + 2 * v2 + 2 * v3 + v4)
                    v += h / 6 * (a1 + 2 * a2 + 2 * a3 + a4)
                seen[flash, 0] = x
                seen[flash, 1] = v
        return np.asarray(seen)
