"""Elements put into a copy of a tensor by their indices or by a mask: set, added or reduced.

A copy, always: the methods that change a tensor in place (``scatter_``, ``index_add_``) call these.
Indices count from 0, and raise where they lie outside of the axis.
"""

import numpy as np

from tinygrad_relu.engine import Tensor, checked_call
from tinygrad_relu.errors import ArgumentError, DTypeError, IndexingError, RangeError, ShapeError
from tinygrad_relu.kernels.gather import open_grid
from tinygrad_relu.ops.arithmetic import where
from tinygrad_relu.ops.assignment import assign
from tinygrad_relu.ops.domain import case, distinct
from tinygrad_relu.ops.indexing import (
    add_along_axis,
    indices_of_three,
    place,
    take_along_axis,
    tensor_of,
    whole_numbers,
)
from tinygrad_relu.ops.indexing import index as at
from tinygrad_relu.ops.shapes import (
    broadcast_to,
    cast,
    checked_axis,
    concat,
    numbers_as_vectors,
    reshape,
)
from tinygrad_relu.ops.table import ZERO, op
from tinygrad_relu.ops.taking import along, array_of, mask_of


def lowest_of(dtype, largest):
    """Return the number of a dtype that any other replaces as an extremum."""
    if dtype.kind == "f":
        return -np.inf if largest else np.inf
    if dtype.kind == "b":
        return not largest
    return np.iinfo(dtype).min if largest else np.iinfo(dtype).max


def extreme(x, src, indices, axis, largest, include_self):
    """Return a copy of `x`, with the extremum of what `src` brings to each element."""
    x = np.array(x, order="C")
    key = open_grid(x.shape, indices, axis)
    if not include_self:
        x[key] = lowest_of(x.dtype, largest)
    (np.maximum if largest else np.minimum).at(x, key, src)
    return x


def shares(g, x, src, indices, y, axis, include_self):
    """Return the share of `g` of each element that equals the extremum `y`, and who equals it."""
    own = x == y
    if not include_self:
        own = assign(own, False, open_grid(own.shape, indices, axis))
    theirs = src == take_along_axis(y, indices, axis)
    ones = where(theirs, np.ones((), g.dtype), 0.0)
    count = where(own, 1.0, 0.0) + add_along_axis(ones, indices, g.shape, axis)
    return where(count > 0, g / count, 0.0), own, theirs


def share_of_self(g, x, src, indices, y, axis, include_self):
    """Return the cotangent of `x` under an extremum that `src` may have replaced."""
    share, own, _ = shares(g, x, src, indices, y, axis, include_self)
    return where(own, share, 0.0)


def share_of_source(g, x, src, indices, y, axis, include_self):
    """Return the cotangent of `src`, of which several elements may be the extremum."""
    share, _, theirs = shares(g, x, src, indices, y, axis, include_self)
    return where(theirs, take_along_axis(share, indices, axis), 0.0)


@op(
    extreme,
    domain=[
        case(distinct(2, 3), distinct(2, 4), indices_of_three(2, 4), axis=1, largest=True,
             include_self=False),
        case(distinct(3, 2), distinct(2, 2), indices_of_three(2, 2), axis=0, largest=False,
             include_self=True),
    ],
    x=lambda g, x, src, indices, y, axis, include_self: share_of_self(
        g, x, src, indices, y, axis, include_self
    ),
    src=lambda g, x, src, indices, y, axis, include_self: share_of_source(
        g, x, src, indices, y, axis, include_self
    ),
    indices=ZERO,
)
def extreme_along_axis(x, src, indices, /, axis, largest, include_self):
    """The extremum of what `src` brings to each element of `x` along `axis`; `scatter_reduce`.

    Elements that tie share the gradient equally, as in PyTorch.
    """


def of_dtype(name, word, source, x):
    """Return `source` as a tensor of the dtype of `x`, or raise where that would change its kind."""
    if isinstance(source, (bool, int, float)):
        kind = np.result_type(x.dtype, source).kind
        source = Tensor(source) if kind != x.dtype.kind else Tensor(source, dtype=x.dtype)
    source = tensor_of(name, source)
    if np.result_type(x.dtype, source.dtype).kind != x.dtype.kind:
        raise DTypeError(f"{name}: {word} has dtype {source.dtype} and x has dtype {x.dtype}")
    return source if source.dtype == x.dtype else cast(source, x.dtype)


def scattering(name, x, axis, index, src):
    """Check what scatters along an axis, and return it as tensors: x, axis, index, src."""
    x = tensor_of(name, x)
    axis = checked_axis(name, axis, x.ndim)
    index = whole_numbers(name, index, x.shape[axis])
    src = of_dtype(name, "src", src, x)
    if x.ndim == 1 and index.ndim == 0:
        index = index.reshape(1)
    if src.ndim == 0 and index.ndim > 0:
        src = broadcast_to(src, index.shape)
    if index.size == 0:
        index = index.reshape((0,) * x.ndim)
    if index.ndim != x.ndim or src.ndim != x.ndim:
        raise ShapeError(
            f"{name}: x, index and src have shapes {x.shape}, {index.shape} and {src.shape}: give as "
            "many axes"
        )
    for k, length in enumerate(index.shape):
        if length > src.shape[k] or (length > x.shape[k] and k != axis):
            raise ShapeError(
                f"{name}: an index of shape {index.shape} is longer along axis {k} than src of shape "
                f"{src.shape} or x of shape {x.shape}"
            )
    if src.shape != index.shape:
        src = at(src, tuple(slice(length) for length in index.shape))
    return x, axis, index, src


@checked_call
@numbers_as_vectors
def scatter(x, axis, index, src=None, value=None, *, reduce=None):
    """A copy of `x` with `src` at `index` along `axis`: ``out[index[i, j], j] = src[i, j]`` for axis 0.

    Parameters
    ----------
    x : Tensor
    axis : int
    index : Tensor of int
        As many axes as `x`, not longer than it along others than `axis`, nor longer than `src`.
    src : Tensor or number
    value : number, optional
        Another name for `src`.
    reduce : {"add", "multiply"}, optional
        What to do with the element of `x` instead: see `scatter_reduce`, which can do more.

    Returns
    -------
    Tensor
        Where an element is named twice, PyTorch leaves open which value stays.  Here it is the last,
        and those overwritten have gradient 0, while PyTorch gives all of them that of the one.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.scatter(tg.zeros(2, 3), 1, tg.tensor([[0], [2]]), 5.0)
    tensor([[5., 0., 0.],
            [0., 0., 5.]], dtype=float64)
    """
    if (src is None) == (value is None):
        raise ArgumentError("scatter: pass one of src and value")
    if reduce not in (None, "add", "multiply"):
        raise ArgumentError(f"scatter: reduce is {reduce!r}: it is 'add', 'multiply' or None")
    if reduce is not None:
        how = "sum" if reduce == "add" else "prod"
        return scatter_reduce(x, axis, index, value if src is None else src, how)
    x, axis, index, src = scattering("scatter", x, axis, index, value if src is None else src)
    return assign(x, src, open_grid(x.shape, index, axis))


@checked_call
@numbers_as_vectors
def scatter_add(x, axis, index, src):
    """A copy of `x` to which `src` is added at `index` along `axis`, as often as an element is named.

    The arguments are those of `scatter`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.scatter_add(tg.zeros(3), 0, tg.tensor([0, 2, 0]), tg.tensor([1.0, 2.0, 3.0]))
    tensor([4., 0., 2.], dtype=float64)
    """
    x, axis, index, src = scattering("scatter_add", x, axis, index, src)
    return x + add_along_axis(src, index, x.shape, axis)


@checked_call
@numbers_as_vectors
def scatter_reduce(x, axis, index, src, reduce, include_self=True):
    """A copy of `x`, with what `src` brings to each element reduced along `axis`.

    Parameters
    ----------
    x, axis, index, src
        As in `scatter`.
    reduce : {"sum", "prod", "mean", "amax", "amin"}
    include_self : bool, default True
        Whether the element of `x` takes part in the reduction.  Those that nothing is brought to
        stay, in any case.

    Returns
    -------
    Tensor
        Elements that tie for an extremum share the gradient equally.  An element of `x` that takes
        no part has no share, while PyTorch takes one away for it where it ties.  The derivatives of
        "prod" are right where factors are 0, too, at every order.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> x, index = tg.tensor([1.0, 9.0]), tg.tensor([0, 0])
    >>> tg.scatter_reduce(x, 0, index, tg.tensor([3.0, 5.0]), "mean")
    tensor([3., 9.], dtype=float64)
    """
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise ArgumentError(
            f"scatter_reduce: reduce is {reduce!r}: it is 'sum', 'prod', 'mean', 'amax' or 'amin'"
        )
    x, axis, index, src = scattering("scatter_reduce", x, axis, index, src)
    if reduce == "prod":
        return with_products(x, axis, index, src, include_self)
    if reduce in ("amax", "amin"):
        return extreme_along_axis(x, src, index, axis, reduce == "amax", bool(include_self))
    key = open_grid(x.shape, index, axis)
    base = x if include_self else assign(x, False, key)
    total = base + add_along_axis(src, index, x.shape, axis)
    if reduce == "sum":
        return total
    counts = np.zeros(x.shape, x.dtype)
    np.add.at(counts, key, 1)
    counts = counts + 1 if include_self else np.maximum(counts, 1)
    return total / counts if x.dtype.kind == "f" else total // counts


def with_products(x, axis, index, src, include_self):
    """Return a copy of `x` with the products of what `src` brings to each element."""
    key = np.broadcast_arrays(*open_grid(x.shape, index, axis))
    targets = np.ravel_multi_index(key, x.shape).reshape(-1)
    named = np.unique(targets)
    flat, values = reshape(x, -1), reshape(src, -1)
    if include_self:
        targets = np.concatenate([named, targets])
        values = concat([at(flat, (named,)), values])
    order = np.argsort(targets, kind="stable")
    products = products_of_groups(at(values, (order,)), targets[order])
    return reshape(assign(flat, products, (named,)), *x.shape)


def products_of_groups(values, groups):
    """Return the product of each run of equal numbers in `groups`, pair by pair.

    There is no division, so a factor of 0 or infinity does no harm, and the pairs halve what is left.
    """
    while (again := groups[1:] == groups[:-1]).any():
        starts = np.flatnonzero(np.append(True, ~again))
        rank = np.arange(len(groups)) - np.repeat(starts, np.diff(np.append(starts, len(groups))))
        left = np.flatnonzero(rank % 2 == 0)
        right = np.minimum(left + 1, len(groups) - 1)
        paired = (groups[right] == groups[left]) & (right > left)
        values = at(values, (left,)) * where(paired, at(values, (right,)), np.ones((), values.dtype))
        groups = groups[left]
    return values


@checked_call
@numbers_as_vectors
def index_reduce(x, axis, index, source, reduce, include_self=True):
    """A copy of `x` with the entries of `source` reduced into those along `axis` that `index` lists.

    Parameters
    ----------
    x, axis, index, source
        As in `index_add`.
    reduce : {"prod", "mean", "amax", "amin"}
    include_self : bool, default True
        As in `scatter_reduce`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.index_reduce(tg.tensor([2.0, 9.0]), 0, [0, 0], tg.tensor([3.0, 5.0]), "prod")
    tensor([30.,  9.], dtype=float64)
    """
    x, axis, key = along_one_axis("index_reduce", x, axis, index)
    source = entries_for("index_reduce", x, axis, key, source)
    places = key[-1].reshape(-1, *[1] * (x.ndim - axis - 1))
    return scatter_reduce(x, axis, np.broadcast_to(places, source.shape), source, reduce, include_self)


def along_one_axis(name, x, axis, index, negative=False):
    """Check a list of indices into an axis, and return x, the axis, and the key that names them."""
    x = tensor_of(name, x)
    axis = checked_axis(name, axis, x.ndim)
    index = whole_numbers(name, index, x.shape[axis], negative)
    if index.ndim > 1:
        raise ShapeError(f"{name}: the index has shape {index.shape}: pass one axis of numbers")
    return x, axis, along(axis, index.reshape(-1))


def entries_for(name, x, axis, key, source):
    """Return `source` of the dtype of `x`, if it has an entry for each that `key` names."""
    source = of_dtype(name, "source", source, x)
    wanted = (*x.shape[:axis], len(key[-1]), *x.shape[axis + 1 :])
    if source.ndim == 0 and wanted == (1,):
        return reshape(source, 1)
    if source.shape != wanted:
        raise ShapeError(
            f"{name}: source has shape {source.shape}: for this index and x of shape {x.shape} it is "
            f"{wanted}"
        )
    return source


@checked_call
@numbers_as_vectors
def index_add(x, axis, index, source, alpha=1):
    """A copy of `x` to which ``alpha * source`` is added, entry by entry along `axis`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.index_add(tg.zeros(3), 0, [0, 2, 0], tg.tensor([1.0, 2.0, 3.0]))
    tensor([4., 0., 2.], dtype=float64)
    """
    x, axis, key = along_one_axis("index_add", x, axis, index)
    source = entries_for("index_add", x, axis, key, source)
    if alpha != 1:
        source = of_dtype("index_add", "alpha * source", source * alpha, x)
    return x + place(source, x.shape, key)


@checked_call
@numbers_as_vectors
def index_copy(x, axis, index, source):
    """A copy of `x` with the entries of `source` along `axis`; of several for one, the last stays.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.index_copy(tg.zeros(3), 0, [0, 2], tg.tensor([1.0, 2.0]))
    tensor([1., 0., 2.], dtype=float64)
    """
    x, axis, key = along_one_axis("index_copy", x, axis, index)
    return assign(x, entries_for("index_copy", x, axis, key, source), key)


@checked_call
@numbers_as_vectors
def index_fill(x, axis, index, value):
    """A copy of `x` with one number in the entries along `axis`; indices may count from the end.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.index_fill(tg.zeros(3), 0, [0, -1], 5.0)
    tensor([5., 0., 5.], dtype=float64)
    """
    x, axis, key = along_one_axis("index_fill", x, axis, index, negative=True)
    value = of_dtype("index_fill", "value", value, x)
    if value.ndim:
        raise ShapeError(f"index_fill: value has shape {value.shape}: pass one number")
    key = along(axis, np.unique(key[-1]))       # which spares the gradient a search for the last
    return assign(x, value, key)


def key_of(name, x, indices):
    """Check a tuple of index arrays and masks, one for each of the first axes."""
    if not isinstance(indices, (tuple, list)) or not indices:
        raise ArgumentError(f"{name}: indices is a tuple with one array of indices for each axis")
    key, axis = [], 0
    for part in indices:
        mask = array_of(name, part)
        if axis + (mask.ndim if mask.dtype == bool else 1) > x.ndim:
            raise IndexingError(f"{name}: the indices are for more axes than x of shape {x.shape} has")
        if mask.dtype != bool:
            key.append(whole_numbers(name, part, x.shape[axis], negative=True))
            axis += 1
            continue
        if mask.shape != x.shape[axis : axis + mask.ndim]:
            raise IndexingError(f"{name}: a mask of shape {mask.shape} does not fit x of shape {x.shape}")
        key.append(mask.copy())
        axis += mask.ndim
    return tuple(key)


@checked_call
def index_put(x, indices, values, accumulate=False):
    """A copy of `x` with ``x[indices] = values``, or with the values added there.

    Parameters
    ----------
    x : Tensor
    indices : tuple of Tensor of int or bool
        One for each of the first axes, broadcast against each other.  They may count from the end.
    values : Tensor or number
        Broadcast to what the indices name.
    accumulate : bool, default False
        Add the values, as often as an element is named.  If not, the last one stays, and those
        before it have gradient 0.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> x, twice = tg.zeros(2, 2), [tg.tensor([0, 0]), tg.tensor([1, 1])]
    >>> tg.index_put(x, twice, tg.tensor([3.0, 4.0]))
    tensor([[0., 4.],
            [0., 0.]], dtype=float64)
    >>> tg.index_put(x, twice, tg.tensor([3.0, 4.0]), accumulate=True)
    tensor([[0., 7.],
            [0., 0.]], dtype=float64)
    """
    x = tensor_of("index_put", x)
    key = key_of("index_put", x, indices)
    values = of_dtype("index_put", "values", values, x)
    try:
        wanted = np.broadcast_to(np.empty((), bool), x.shape)[key].shape
        fits = np.broadcast_shapes(wanted, values.shape) == wanted
    except (ValueError, IndexError):
        fits = False
    if not fits:
        raise ShapeError(
            f"index_put: values of shape {values.shape} do not fit what indices of shapes "
            f"{[part.shape for part in key]} name in x of shape {x.shape}"
        )
    return x + place(values, x.shape, key) if accumulate else assign(x, values, key)


@checked_call
def put(x, index, source, accumulate=False):
    """A copy of `x` with the elements of `source` at indices into the flattened tensor.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.zeros(2, 2).put([1, 2], tg.tensor([3.0, 4.0]))
    tensor([[0., 3.],
            [4., 0.]], dtype=float64)
    """
    x = tensor_of("put", x)
    index = whole_numbers("put", index, x.size, negative=True)
    source = of_dtype("put", "source", source, x)
    if source.size != index.size:
        raise ShapeError(f"put: {source.size} elements of source for {index.size} indices: give one each")
    flat = index_put(reshape(x, -1), (index.reshape(-1),), reshape(source, -1), accumulate)
    return reshape(flat, *x.shape)


@checked_call
def masked_fill(x, mask, value):
    """`x`, but `value` where `mask` is true; the two are broadcast against each other.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.masked_fill(tg.zeros(3), [True, False, True], 5.0)
    tensor([5., 0., 5.], dtype=float64)
    """
    x, mask = tensor_of("masked_fill", x), mask_of("masked_fill", mask)
    # A number that any float can hold needs no look at dtypes; the cast of others must not warn.
    if type(value) is not float or x.dtype.kind != "f" or 6e4 < abs(value) < np.inf:
        value = of_dtype("masked_fill", "value", value, x)
        if value.ndim:
            raise ShapeError(f"masked_fill: value has shape {value.shape}: pass one number, or use where")
    return where(mask, value, x)


@checked_call
def masked_scatter(x, mask, source):
    """A copy of `x` with the first elements of `source` where `mask` is true, in row-major order.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.masked_scatter(tg.zeros(3), [True, False, True], tg.tensor([1.0, 2.0, 3.0]))
    tensor([1., 0., 2.], dtype=float64)
    """
    x, mask = tensor_of("masked_scatter", x), mask_of("masked_scatter", mask)
    source = of_dtype("masked_scatter", "source", source, x)
    try:
        mask = np.broadcast_to(mask, x.shape).copy()
    except ValueError:
        raise ShapeError(
            f"masked_scatter: a mask of shape {mask.shape} does not fit x of shape {x.shape}"
        ) from None
    count = int(mask.sum())
    if source.size < count:
        raise RangeError(f"masked_scatter: {source.size} elements of source for {count} in the mask")
    return assign(x, at(reshape(source, -1), (slice(count),)), (mask,))
