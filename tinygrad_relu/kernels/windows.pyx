"""Windows that slide over images: unrolled into columns, added back, and their first maxima.

Images are (channels, height, width), one beside the other.  Unrolled, each element of a window and each
channel has a row, and each place of the window a column, so that a convolution is one product with BLAS.
It is done image by image: the columns of one stay in the cache, those of a batch would not.
"""

import math
from operator import index

import numpy as np

cimport numpy as cnp
from cython cimport floating
from libc.math cimport isnan
from numpy cimport ndarray, npy_intp

from tinygrad_relu.kernels._memory cimport empty

from tinygrad_relu.errors import ArgumentError, DTypeError, RangeError, ShapeError

cnp.import_array()


cdef struct Axis:
    npy_intp length     # of the image
    npy_intp places     # of the window
    npy_intp window     # elements of the window
    npy_intp stride     # from place to place
    npy_intp padding    # before the image
    npy_intp dilation   # from element to element of the window


cdef struct Sliding:
    npy_intp channels
    Axis down
    Axis across


cdef Axis axis_of(npy_intp length, npy_intp window, npy_intp stride, tuple padding, npy_intp dilation):
    cdef Axis axis
    cdef npy_intp before = padding[0], after = padding[1]
    axis.length, axis.window, axis.stride, axis.dilation = length, window, stride, dilation
    axis.padding = before
    axis.places = (length + before + after - dilation * (window - 1) - 1) // stride + 1
    return axis


def pair(str word, object numbers, int least):
    """Return two whole numbers that are not smaller than `least`, or raise."""
    if not isinstance(numbers, tuple) or len(numbers) != 2:
        raise ArgumentError(f"{word} is {numbers!r}: it is a pair of whole numbers")
    if min(index(numbers[0]), index(numbers[1])) < least:
        raise RangeError(f"{word} is {numbers!r}: each is at least {least}")
    return numbers


def check_groups(groups):
    """Raise unless channels can be divided into so many groups."""
    if groups < 1:
        raise RangeError(f"groups is {groups}: there is at least one")


cdef Sliding sliding(npy_intp channels, object size, object window, object layout) except *:
    """Return how a window slides; `layout` is (stride, padding, dilation), one of each for each axis."""
    cdef Sliding how
    if not isinstance(layout, tuple) or len(layout) != 3:
        raise ArgumentError(f"layout is {layout!r}: it is (stride, padding, dilation)")
    stride, padding, dilation = layout
    size, window = pair("size", size, 0), pair("window", window, 1)
    stride, dilation = pair("stride", stride, 1), pair("dilation", dilation, 1)
    if not isinstance(padding, tuple) or len(padding) != 2:
        raise ArgumentError(f"padding is {padding!r}: it is a pair for each of two axes")
    # Less than none crops the image; the reach is checked below.
    padding = pair("padding", padding[0], -size[0]), pair("padding", padding[1], -size[1])
    how.channels = channels
    how.down = axis_of(size[0], window[0], stride[0], padding[0], dilation[0])
    how.across = axis_of(size[1], window[1], stride[1], padding[1], dilation[1])
    reach = [d * (n - 1) + 1 for d, n in zip(dilation, window)]
    padded = [n + sum(p) for n, p in zip(size, padding)]
    if reach[0] > padded[0] or reach[1] > padded[1]:
        raise ShapeError(
            f"a window that reaches over {reach[0]} x {reach[1]} does not fit into an image of "
            f"{padded[0]} x {padded[1]}, padding included"
        )
    return how


cdef void covered(Axis axis, npy_intp element, npy_intp* first, npy_intp* stop) noexcept nogil:
    """Find from which place up to which one an element of the window lies within the image."""
    cdef npy_intp offset = element * axis.dilation - axis.padding
    first[0] = 0 if offset >= 0 else (-offset + axis.stride - 1) // axis.stride
    stop[0] = 0 if axis.length <= offset else (axis.length - 1 - offset) // axis.stride + 1
    first[0] = min(first[0], axis.places)
    stop[0] = max(min(stop[0], axis.places), first[0])


cdef void move_image(
    floating* image,            # IN or OUT  channels * length * length
    floating* columns,          # OUT or IN  channels * window * window * places * places
    Sliding how,
    bint unrolling,
) noexcept nogil:
    """Copy an image into columns, or add columns to an image."""
    cdef Axis down = how.down, across = how.across
    cdef npy_intp i, j, y, x, row, offset, first, stop, top, bottom
    cdef floating* column = columns
    cdef floating* line
    for _ in range(how.channels):
        for i in range(down.window):
            covered(down, i, &top, &bottom)
            for j in range(across.window):
                covered(across, j, &first, &stop)
                offset = j * across.dilation - across.padding
                for y in range(down.places):
                    row = y * down.stride + i * down.dilation - down.padding
                    line = image + row * across.length + offset
                    if y < top or y >= bottom:
                        if unrolling:
                            for x in range(across.places):
                                column[x] = 0
                    elif unrolling:
                        for x in range(first):
                            column[x] = 0
                        if across.stride == 1:
                            for x in range(first, stop):
                                column[x] = line[x]
                        else:
                            for x in range(first, stop):
                                column[x] = line[x * across.stride]
                        for x in range(stop, across.places):
                            column[x] = 0
                    elif across.stride == 1:
                        for x in range(first, stop):
                            line[x] += column[x]
                    else:
                        for x in range(first, stop):
                            line[x * across.stride] += column[x]
                    column += across.places
        image += down.length * across.length


cdef void move(ndarray image, ndarray columns, Sliding how, bint unrolling) noexcept:
    if cnp.PyArray_TYPE(image) == cnp.NPY_DOUBLE:
        move_image[double](
            <double*> cnp.PyArray_DATA(image), <double*> cnp.PyArray_DATA(columns), how, unrolling
        )
    else:
        move_image[float](
            <float*> cnp.PyArray_DATA(image), <float*> cnp.PyArray_DATA(columns), how, unrolling
        )


def computed_with(*arrays):
    """Return arrays in memory order and one dtype that there are loops for."""
    dtype = np.result_type(*arrays)
    if dtype.kind in "biu":
        dtype = np.dtype(np.float64)
    if dtype not in (np.float32, np.float64):
        raise DTypeError(f"there is no loop for {dtype}: pass float32 or float64")
    return [np.require(a, dtype, "CA") for a in arrays]


cdef object columns_for(Sliding how, dtype, npy_intp groups):
    cdef npy_intp window = how.down.window * how.across.window
    return np.empty(
        (groups, how.channels // groups * window, how.down.places * how.across.places), dtype
    )


def convolved(x, weight, layout, npy_intp groups):
    """Return the correlation of images with windows of weights.

    Parameters
    ----------
    x : ndarray of shape (images, channels, height, width)
    weight : ndarray of shape (outputs, channels / groups, window height, window width)
    layout : tuple
        (stride, padding, dilation), for each axis one; padding is (before, after).
    groups : int
    """
    cdef Sliding how
    cdef Py_ssize_t n
    cdef npy_intp[4] shape
    x, weight = computed_with(x, weight)
    fitting(x, weight, groups)
    how = sliding(x.shape[1], x.shape[2:], weight.shape[2:], layout)
    outputs = weight.shape[0]
    shape = [x.shape[0], groups, outputs // groups, how.down.places * how.across.places]
    y = empty(4, shape, cnp.PyArray_TYPE(<ndarray> x))
    columns = columns_for(how, x.dtype, groups)
    rows = weight.reshape(groups, outputs // groups, columns.shape[1])
    for n in range(x.shape[0]):
        move(x[n], columns, how, True)
        product(rows, columns, y[n])
    return y.reshape(x.shape[0], outputs, how.down.places, how.across.places)


def convolved_adjoint(g, weight, size, layout, npy_intp groups):
    """Return what `convolved` does to images of `size`, reversed: its adjoint in them."""
    cdef Sliding how
    cdef Py_ssize_t n
    g, weight = computed_with(g, weight)
    check_groups(groups)
    if weight.ndim != 4 or g.ndim != 4 or g.shape[1] != weight.shape[0] or g.shape[1] % groups:
        raise ShapeError(f"{groups} groups of channels of {g.shape} do not fit weights of {weight.shape}")
    how = sliding(groups * weight.shape[1], size, weight.shape[2:], layout)
    if g.shape[2:] != (how.down.places, how.across.places):
        raise ShapeError(f"images of {size} are not what images of {g.shape[2:]} come from")
    x = np.zeros((g.shape[0], how.channels, *size), g.dtype)
    columns = columns_for(how, g.dtype, groups)
    rows = weight.reshape(groups, weight.shape[0] // groups, columns.shape[1]).swapaxes(1, 2)
    outputs = g.reshape(g.shape[0], groups, weight.shape[0] // groups, columns.shape[2])
    for n in range(g.shape[0]):
        product(rows, outputs[n], columns)
        move(x[n], columns, how, False)
    return x


def convolved_weight(g, x, window, layout, npy_intp groups):
    """Return the adjoint of `convolved` in the weights of a `window`."""
    cdef Sliding how
    cdef Py_ssize_t n
    g, x = computed_with(g, x)
    check_groups(groups)
    if g.ndim != 4 or x.ndim != 4 or g.shape[0] != x.shape[0] or x.shape[1] % groups:
        raise ShapeError(f"{groups} groups of channels of {x.shape} do not give images of {g.shape}")
    how = sliding(x.shape[1], x.shape[2:], window, layout)
    if g.shape[2:] != (how.down.places, how.across.places):
        raise ShapeError(f"images of {x.shape[2:]} do not give images of {g.shape[2:]}")
    columns = columns_for(how, g.dtype, groups)
    outputs = g.reshape(g.shape[0], groups, g.shape[1] // groups, columns.shape[2])
    # Transposed, because BLAS takes twice as long where the second factor is the large transposed one.
    total = np.zeros((groups, columns.shape[1], g.shape[1] // groups), g.dtype)
    part = np.empty_like(total)
    for n in range(g.shape[0]):
        move(x[n], columns, how, True)
        product(columns, outputs[n].swapaxes(1, 2), part)
        with np.errstate(all="ignore"):
            total += part
    return total.swapaxes(1, 2).reshape(g.shape[1], x.shape[1] // groups, *window)


cdef int product(object a, object b, object out) except -1:
    """Multiply stacks of matrices: one alone by the shorter way to BLAS, outer products without it."""
    with np.errstate(all="ignore"):
        if len(a) == 1:
            np.dot(a[0], b[0], out[0])
        elif a.shape[2] == 1:
            np.multiply(a, b, out)
        else:
            np.matmul(a, b, out)
    return 0


def fitting(x, weight, groups):
    """Raise where images and weights do not fit each other."""
    check_groups(groups)
    if x.ndim != 4 or weight.ndim != 4:
        raise ShapeError(f"x has shape {x.shape} and the weight {weight.shape}: both need 4 axes")
    if weight.shape[1] * groups != x.shape[1] or weight.shape[0] % groups:
        raise ShapeError(
            f"weights of shape {weight.shape} in {groups} groups take {weight.shape[1] * groups} "
            f"channels and give a multiple of {groups}, and x of shape {x.shape} has {x.shape[1]}"
        )


def unrolled(x, window, layout):
    """Return images as columns: (images, channels * window, places)."""
    cdef Sliding how
    cdef Py_ssize_t n
    (x,) = computed_with(x)
    if x.ndim != 4:
        raise ShapeError(f"x has shape {x.shape}: images have 4 axes")
    how = sliding(x.shape[1], x.shape[2:], window, layout)
    rows = how.channels * how.down.window * how.across.window
    columns = np.empty((x.shape[0], rows, how.down.places * how.across.places), x.dtype)
    for n in range(x.shape[0]):
        move(x[n], columns[n], how, True)
    return columns


def rolled_up(columns, size, window, layout):
    """Return images of `size` with columns added to where `unrolled` took them: its adjoint."""
    cdef Sliding how
    cdef Py_ssize_t n
    (columns,) = computed_with(columns)
    pair("size", size, 0)
    area = math.prod(pair("window", window, 1))
    if columns.ndim != 3 or columns.shape[1] % area:
        raise ShapeError(f"columns have shape {columns.shape}, not (images, channels * {area}, places)")
    how = sliding(columns.shape[1] // area, size, window, layout)
    if columns.shape[2] != how.down.places * how.across.places:
        raise ShapeError(
            f"columns of shape {columns.shape} have {columns.shape[2]} places, and a window has "
            f"{how.down.places} x {how.across.places} in an image of {size}"
        )
    x = np.zeros((columns.shape[0], how.channels, *size), columns.dtype)
    for n in range(columns.shape[0]):
        move(x[n], columns[n], how, False)
    return x


cdef void find_maxima(
    const floating* image,      # IN   length * length
    npy_intp* positions,        # OUT  places * places
    Sliding how,
) noexcept nogil:
    cdef Axis down = how.down, across = how.across
    cdef npy_intp y, x, i, j, row, column, best
    for y in range(down.places):
        for x in range(across.places):
            best = -1
            for i in range(down.window):
                row = y * down.stride + i * down.dilation - down.padding
                if row < 0 or row >= down.length:
                    continue
                for j in range(across.window):
                    column = x * across.stride + j * across.dilation - across.padding
                    if column < 0 or column >= across.length:
                        continue
                    column += row * across.length
                    if best < 0 or image[column] > image[best] or isnan(image[column]):
                        best = column
            positions[0] = best
            positions += 1


def first_maxima(x, window, layout):
    """Return where in each flattened image the maximum of each window is: the first, or a NaN.

    The result has shape (images, channels, places down, places across).  Padding is never chosen; a
    window that lies in it altogether has -1.
    """
    cdef Sliding how
    cdef Py_ssize_t n
    cdef ndarray images, found
    (x,) = computed_with(x)
    if x.ndim != 4:
        raise ShapeError(f"x has shape {x.shape}: images have 4 axes")
    how = sliding(1, x.shape[2:], window, layout)
    positions = np.empty((*x.shape[:2], how.down.places, how.across.places), np.intp)
    planes = x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])
    places = positions.reshape(len(planes), how.down.places, how.across.places)
    for n in range(len(planes)):
        images, found = planes[n], places[n]
        if cnp.PyArray_TYPE(images) == cnp.NPY_DOUBLE:
            find_maxima[double](
                <double*> cnp.PyArray_DATA(images), <npy_intp*> cnp.PyArray_DATA(found), how
            )
        else:
            find_maxima[float](
                <float*> cnp.PyArray_DATA(images), <npy_intp*> cnp.PyArray_DATA(found), how
            )
    return positions
