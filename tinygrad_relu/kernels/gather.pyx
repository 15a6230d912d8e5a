"""Elements picked along an axis by an array of indices, and put back.

An index counts from 0 and lies within its axis; a negative one is refused, as in PyTorch's
``gather``, because in a list of classes it is a mistake more often than a wish.
"""

import math

import numpy as np

cimport cython
cimport numpy as cnp
from cpython.ref cimport PyObject
from cython cimport floating
from numpy cimport ndarray, npy_intp

from tinygrad_relu.kernels._memory cimport empty
from tinygrad_relu.kernels.elementwise cimport float_slot
from tinygrad_relu.kernels.kernel cimport Kernel, plain

from tinygrad_relu.errors import DTypeError, IndexingError, ShapeError

cnp.import_array()


cdef struct Layout:
    npy_intp outer      # product of the lengths before the axis
    npy_intp length     # of the axis
    npy_intp picked     # of the axis, in the indices
    npy_intp inner      # product of the lengths after the axis


cdef bint lay_out(
    object indices, tuple shape, object axis, Layout* layout
) except -1:
    """Tell whether indices are plain and span all of `shape` but for `axis`, and how."""
    cdef int k, position, ndim = len(shape)
    cdef npy_intp length
    if (
        type(indices) is not ndarray or cnp.PyArray_TYPE(<ndarray> indices) != cnp.NPY_INTP
        or not plain(<ndarray> indices) or type(axis) is not int
        or cnp.PyArray_NDIM(<ndarray> indices) != ndim or not -ndim <= axis < ndim
    ):
        return False
    position = axis + ndim if axis < 0 else axis
    layout.outer = layout.inner = 1
    for k in range(ndim):
        length = shape[k]
        if k == position:
            layout.length = length
            layout.picked = cnp.PyArray_DIM(<ndarray> indices, k)
        elif length != cnp.PyArray_DIM(<ndarray> indices, k):
            return False
        elif k < position:
            layout.outer *= length
        else:
            layout.inner *= length
    return True


cdef npy_intp move(
    floating* whole,                # IN or OUT  outer * length * inner
    floating* part,                 # OUT or IN  outer * picked * inner
    const npy_intp* indices,        # IN         outer * picked * inner
    Layout layout,
    bint picking,
) noexcept nogil:
    """Copy from `whole` into `part`, or add `part` to `whole`; return -1, or where an index is off."""
    cdef npy_intp o, i, place, position = 0
    for o in range(layout.outer):
        for _ in range(layout.picked):
            for i in range(layout.inner):
                if not 0 <= indices[position] < layout.length:
                    return position
                place = (o * layout.length + indices[position]) * layout.inner + i
                if picking:
                    part[position] = whole[place]
                else:
                    whole[place] += part[position]
                position += 1
    return -1


cdef int moved(ndarray whole, ndarray part, ndarray indices, Layout layout, bint picking) except -1:
    cdef npy_intp off
    if cnp.PyArray_TYPE(whole) == cnp.NPY_DOUBLE:
        off = move[double](
            <double*> cnp.PyArray_DATA(whole), <double*> cnp.PyArray_DATA(part),
            <npy_intp*> cnp.PyArray_DATA(indices), layout, picking,
        )
    else:
        off = move[float](
            <float*> cnp.PyArray_DATA(whole), <float*> cnp.PyArray_DATA(part),
            <npy_intp*> cnp.PyArray_DATA(indices), layout, picking,
        )
    if off >= 0:
        raise IndexingError(
            f"index {(<npy_intp*> cnp.PyArray_DATA(indices))[off]} is out of bounds for an axis of "
            f"length {layout.length}"
        )
    return 0


def open_grid(shape, indices, axis):
    """Return the key that names, for each element of `indices`, the element at it along `axis`."""
    indices = np.asarray(indices)
    if indices.dtype.kind not in "iu":
        raise DTypeError(f"indices have dtype {indices.dtype}: pass integers")
    if indices.ndim != len(shape):
        raise ShapeError(f"indices have {indices.ndim} axes, and {len(shape)} are indexed")
    grid = list(np.ogrid[tuple([slice(n) for n in indices.shape])])
    length = shape[axis]
    if indices.size and not 0 <= indices.min() <= indices.max() < length:
        raise IndexingError(
            f"indices from {indices.min()} to {indices.max()} are out of bounds for an axis of "
            f"length {length}"
        )
    grid[axis] = indices
    return tuple(grid)


@cython.final
cdef class TakeAlong(Kernel):
    """``x`` at `indices` along an axis; arrays: (x, indices), static: (axis,)."""

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef object x = <object> arrays[0]
        cdef object indices = <object> arrays[1]
        cdef Layout layout
        cdef ndarray part
        if (
            type(x) is ndarray and float_slot(<ndarray> x) >= 0
            and lay_out(indices, x.shape, statics[0], &layout)
        ):
            part = empty(
                cnp.PyArray_NDIM(<ndarray> indices), cnp.PyArray_DIMS(<ndarray> indices),
                cnp.PyArray_TYPE(<ndarray> x)
            )
            moved(<ndarray> x, part, <ndarray> indices, layout, True)
            return part
        x = np.asarray(x)
        return x[open_grid(x.shape, indices, statics[0])]


@cython.final
cdef class AddAlong(Kernel):
    """Zeros with values added at `indices`; arrays: (values, indices), statics: (shape, axis)."""

    cdef object run(self, PyObject** arrays, Py_ssize_t count, tuple statics):
        cdef object part = <object> arrays[0]
        cdef object indices = <object> arrays[1]
        cdef tuple shape = statics[0]
        cdef Layout layout
        whole = np.zeros(shape, part.dtype)
        if (
            type(part) is ndarray and float_slot(<ndarray> part) >= 0
            and lay_out(indices, shape, statics[1], &layout)
            and cnp.PyArray_SAMESHAPE(<ndarray> part, <ndarray> indices)
        ):
            moved(<ndarray> whole, <ndarray> part, <ndarray> indices, layout, False)
        else:
            np.add.at(whole, open_grid(shape, indices, statics[1]), part)
        return whole


cdef void add_each(
    floating* whole,                # IN, OUT   outer * length * inner
    const floating* part,           # IN        outer * picked * inner
    const npy_intp* numbers,        # IN        picked, from 0 to before length
    Layout layout,
) noexcept nogil:
    cdef npy_intp o, p, i
    cdef floating* row
    for o in range(layout.outer):
        for p in range(layout.picked):
            row = whole + (o * layout.length + numbers[p]) * layout.inner
            for i in range(layout.inner):
                row[i] += part[i]
            part += layout.inner


def add_rows(whole, numbers, part, int axis):
    """Add each of `part` to what `numbers` name along an axis: any shape of them, negative ones, too.

    Row by row: several times as fast as ``np.add.at``, which does it element by element.

    Parameters
    ----------
    whole : ndarray
        Is changed.
    numbers : ndarray of int
    part : ndarray
        Of the shape of `whole`, with that of `numbers` in the place of `axis`.
    """
    cdef Layout layout
    length = whole.shape[axis]
    numbers = np.ascontiguousarray(np.where(numbers < 0, numbers + length, numbers), np.intp)
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < length:
        raise IndexingError(f"an index is out of bounds for an axis of length {length}")
    part = np.ascontiguousarray(part)
    if float_slot(<ndarray> whole) < 0 or cnp.PyArray_TYPE(<ndarray> part) != cnp.PyArray_TYPE(
        <ndarray> whole
    ):
        np.add.at(whole, (*[slice(None)] * axis, numbers), part)
        return
    layout.outer, layout.length, layout.picked = math.prod(whole.shape[:axis]), length, numbers.size
    layout.inner = math.prod(whole.shape[axis + 1 :])
    if cnp.PyArray_TYPE(<ndarray> whole) == cnp.NPY_DOUBLE:
        add_each[double](
            <double*> cnp.PyArray_DATA(<ndarray> whole), <double*> cnp.PyArray_DATA(<ndarray> part),
            <npy_intp*> cnp.PyArray_DATA(<ndarray> numbers), layout,
        )
    else:
        add_each[float](
            <float*> cnp.PyArray_DATA(<ndarray> whole), <float*> cnp.PyArray_DATA(<ndarray> part),
            <npy_intp*> cnp.PyArray_DATA(<ndarray> numbers), layout,
        )
