"""Products of vectors, matrices and tensors: sums over axes that two operands share."""

import math
from itertools import pairwise

import numpy as np

from tinygrad_relu.engine import Tensor, checked_call
from tinygrad_relu.errors import ArgumentError, ShapeError
from tinygrad_relu.ops.indexing import index
from tinygrad_relu.ops.linalg import matmul
from tinygrad_relu.ops.operands import tensor_from, whole
from tinygrad_relu.ops.reductions import sum
from tinygrad_relu.ops.shapes import (
    broadcast_to,
    checked_axis,
    concat,
    part,
    permute,
    reshape,
    sequence_of_tensors,
)


def of_axes(name, count_a, count_b, a, b):
    """Return two tensors that have so many axes, or raise."""
    a, b = tensor_from(name, "a", a), tensor_from(name, "b", b)
    for word, x, count in (("a", a, count_a), ("b", b, count_b)):
        if x.ndim != count:
            raise ShapeError(f"{name}: {word} has shape {x.shape}: it needs {count} axes")
    return a, b


def check_lengths(name, a, axis_a, b, axis_b):
    """Raise where two axes that are summed over together differ."""
    if a.shape[axis_a] != b.shape[axis_b]:
        raise ShapeError(
            f"{name}: a of shape {a.shape} has length {a.shape[axis_a]} where b of shape {b.shape} has "
            f"{b.shape[axis_b]}"
        )


@checked_call
def dot(a, b):
    """Sum of the products of two vectors; unlike NumPy's, of vectors only.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.dot(tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0]))
    tensor(11., dtype=float64)
    """
    a, b = of_axes("dot", 1, 1, a, b)
    check_lengths("dot", a, 0, b, 0)
    return matmul(a, b)


@checked_call
def mv(a, b):
    """Matrix times vector.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.mv(tg.tensor([[1.0, 2.0]]), tg.tensor([3.0, 4.0]))
    tensor([11.], dtype=float64)
    """
    a, b = of_axes("mv", 2, 1, a, b)
    check_lengths("mv", a, 1, b, 0)
    return matmul(a, b)


@checked_call
def mm(a, b):
    """Matrix times matrix; `matmul` for exactly two axes each.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.mm(tg.tensor([[1.0, 2.0]]), tg.tensor([[3.0], [4.0]]))
    tensor([[11.]], dtype=float64)
    """
    a, b = of_axes("mm", 2, 2, a, b)
    check_lengths("mm", a, 1, b, 0)
    return matmul(a, b)


@checked_call
def bmm(a, b):
    """Stack of matrices times a stack of as many; `matmul` for exactly three axes each.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.bmm(tg.ones(5, 2, 3), tg.ones(5, 3, 4)).shape
    (5, 2, 4)
    """
    a, b = of_axes("bmm", 3, 3, a, b)
    check_lengths("bmm", a, 0, b, 0)
    check_lengths("bmm", a, 2, b, 1)
    return matmul(a, b)


@checked_call
def outer(a, b):
    """All products of an element of one vector with one of another: PyTorch's ``ger``, too.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.outer(tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0]))
    tensor([[3., 4.],
            [6., 8.]], dtype=float64)
    """
    a, b = of_axes("outer", 1, 1, a, b)
    return reshape(a, a.size, 1) * b


@checked_call
def inner(a, b):
    """Sums of products over the last axes of both; of one number with a tensor their product.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.inner(tg.tensor([[1.0, 2.0], [0.0, 1.0]]), tg.tensor([3.0, 4.0]))
    tensor([11.,  4.], dtype=float64)
    """
    a, b = tensor_from("inner", "a", a), tensor_from("inner", "b", b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    check_lengths("inner", a, -1, b, -1)
    return tensordot(a, b, ([-1], [-1]))


@checked_call
def vecdot(a, b, axis=-1):
    """Sums of products along one axis of both, which broadcast.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.vecdot(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), tg.tensor([1.0, 1.0]))
    tensor([3., 7.], dtype=float64)
    """
    a, b = tensor_from("vecdot", "a", a), tensor_from("vecdot", "b", b)
    ndim = max(a.ndim, b.ndim, 1)
    axis = checked_axis("vecdot", axis, ndim)
    a, b = (reshape(x, *[1] * (ndim - x.ndim), *x.shape) for x in (a, b))
    check_lengths("vecdot", a, axis, b, axis)
    return sum(a * b, axis)


@checked_call
def kron(a, b):
    """Kronecker's product: every element of `a` times the whole of `b`, in its place.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.kron(tg.tensor([1.0, 10.0]), tg.tensor([1.0, 2.0]))
    tensor([ 1.,  2., 10., 20.], dtype=float64)
    """
    a, b = tensor_from("kron", "a", a), tensor_from("kron", "b", b)
    ndim = max(a.ndim, b.ndim)
    left, right = ((1,) * (ndim - x.ndim) + x.shape for x in (a, b))
    y = reshape(a, *[k for n in left for k in (n, 1)]) * reshape(b, *[k for n in right for k in (1, n)])
    return reshape(y, *[n * k for n, k in zip(left, right)])


@checked_call
def cross(a, b, axis=-1):
    """Vector product along an axis of length 3; the others broadcast.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.linalg.cross(tg.tensor([1.0, 0.0, 0.0]), tg.tensor([0.0, 1.0, 0.0]))
    tensor([0., 0., 1.], dtype=float64)
    """
    a, b = tensor_from("cross", "a", a), tensor_from("cross", "b", b)
    if a.ndim != b.ndim:
        raise ShapeError(f"cross: a has shape {a.shape}, b has shape {b.shape}: give them as many axes")
    axis = checked_axis("cross", axis, a.ndim)
    if a.shape[axis] != 3 or b.shape[axis] != 3:
        raise ShapeError(
            f"cross: axis {axis} has length {a.shape[axis]} in a and {b.shape[axis]} in b: it needs 3"
        )

    def turned(x, first):
        return concat([part(x, axis, first, 3), part(x, axis, 0, first)], axis)

    return turned(a, 1) * turned(b, 2) - turned(a, 2) * turned(b, 1)


@checked_call
def cross_along_first_of_three(a, b, axis=None):
    """Vector product, as ``linalg.cross``; without `axis`, along the first axis of length 3.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.cross(tg.tensor([1.0, 0.0, 0.0]), tg.tensor([0.0, 1.0, 0.0]))
    tensor([0., 0., 1.], dtype=float64)
    """
    a = tensor_from("cross", "a", a)
    if axis is None:
        if 3 not in a.shape:
            raise ShapeError(f"cross: a of shape {a.shape} has no axis of length 3")
        axis = a.shape.index(3)
    return cross(a, b, axis)


@checked_call
def multi_dot(tensors):
    """Product of several matrices in the order that takes the fewest multiplications.

    Parameters
    ----------
    tensors : list of Tensor
        Two or more matrices; the first and the last may be vectors.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.linalg.multi_dot([tg.ones(2, 9), tg.ones(9, 9), tg.ones(9)])
    tensor([81., 81.], dtype=float64)
    """
    tensors = sequence_of_tensors("multi_dot", tensors)
    if len(tensors) < 2:
        raise ArgumentError("multi_dot: pass two matrices or more")
    for k, x in enumerate(tensors):
        if x.ndim != 2 and not (x.ndim == 1 and k in (0, len(tensors) - 1)):
            raise ShapeError(f"multi_dot: tensor {k} has shape {x.shape}: a matrix is needed")
    vectors = tensors[0].ndim == 1, tensors[-1].ndim == 1
    if vectors[0]:
        tensors[0] = reshape(tensors[0], 1, -1)
    if vectors[1]:
        tensors[-1] = reshape(tensors[-1], -1, 1)
    for a, b in pairwise(tensors):
        check_lengths("multi_dot", a, 1, b, 0)
    y = chained(tensors)
    return reshape(y, *[n for n, lost in zip(y.shape, vectors) if not lost]) if any(vectors) else y


def chained(matrices):
    """Return the product of matrices, in the cheapest order of all (Cormen et al., chapter 15.2)."""
    sizes = [matrices[0].shape[0], *[x.shape[1] for x in matrices]]
    count = len(matrices)
    cost, split = np.zeros((count, count)), np.zeros((count, count), int)
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            costs = [
                cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1] for k in range(i, j)
            ]
            split[i, j] = i + int(np.argmin(costs))
            cost[i, j] = min(costs)

    def product(i, j):
        if i == j:
            return matrices[i]
        k = split[i, j]
        return product(i, k) @ product(k + 1, j)

    return product(0, count - 1)


@checked_call
def tensordot(a, b, axes=2):
    """Sums of products over several axes of both.

    Parameters
    ----------
    a, b : Tensor
    axes : int, or pair of sequences of int
        The last so many of `a` with the first so many of `b`; or which of `a` with which of `b`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.tensordot(tg.ones(2, 3, 4), tg.ones(4, 3, 5), ([1, 2], [1, 0])).shape
    (2, 5)
    """
    a, b = tensor_from("tensordot", "a", a), tensor_from("tensordot", "b", b)
    if isinstance(axes, (tuple, list)):
        if len(axes) != 2:
            raise ArgumentError(f"tensordot: axes is {axes!r}: pass those of a and those of b")
        of_a, of_b = ([k] if isinstance(k, (int, np.integer)) else list(k) for k in axes)
    else:
        count = whole("tensordot", "axes", axes, 0)
        if count > min(a.ndim, b.ndim):
            raise ShapeError(f"tensordot: shapes {a.shape} and {b.shape} have no {count} axes")
        of_a, of_b = list(range(a.ndim - count, a.ndim)), list(range(count))
    of_a = [checked_axis("tensordot", k, a.ndim) for k in of_a]
    of_b = [checked_axis("tensordot", k, b.ndim) for k in of_b]
    if len(of_a) != len(of_b) or len(set(of_a)) < len(of_a) or len(set(of_b)) < len(of_b):
        raise ShapeError(f"tensordot: axes {axes!r} name an axis twice, or not as many of a as of b")
    for k, j in zip(of_a, of_b):
        check_lengths("tensordot", a, k, b, j)
    kept_a = [k for k in range(a.ndim) if k not in of_a]
    kept_b = [k for k in range(b.ndim) if k not in of_b]
    summed = math.prod(a.shape[k] for k in of_a)
    shape = [a.shape[k] for k in kept_a] + [b.shape[k] for k in kept_b]
    left = reshape(permuted(a, kept_a + of_a), math.prod(shape[: len(kept_a)]), summed)
    right = reshape(permuted(b, of_b + kept_b), summed, math.prod(shape[len(kept_a) :]))
    return reshape(left @ right, *shape)


def permuted(x, order):
    """Return `x` with its axes in another order, which may be that they are in."""
    return permute(x, *order) if list(order) != list(range(x.ndim)) else x


# ------------------------------------------------------------------------------------------- einsum

def by_letters(given):
    """Return an equation and operands, from operands that stand before lists of numbers for axes."""
    from string import ascii_letters  # which takes long to import, and few calls come here

    if len(given) < 2:
        raise ArgumentError("einsum: pass an equation first, or after each operand the list of its axes")
    words = []
    for axes in (*given[1::2], *given[-1:] * (len(given) % 2)):
        if not isinstance(axes, (tuple, list)):
            raise ArgumentError(f"einsum: axes are {axes!r}: give a list of them after each operand")
        numbers = [whole("einsum", "an axis", k) for k in axes if k is not Ellipsis]
        if not all(0 <= k < len(ascii_letters) for k in numbers):
            raise ArgumentError(f"einsum: axes are {axes!r}: they are numbers from 0 to 51, or ...")
        words.append("".join("..." if k is Ellipsis else ascii_letters[k] for k in axes))
    count = len(given) // 2
    equation = ",".join(words[:count]) + (f"->{words[count]}" if len(words) > count else "")
    return equation, *given[: 2 * count : 2]


@checked_call
def einsum(equation, *operands):
    """Sums of products over the axes that a letter names and the result does not.

    Parameters
    ----------
    equation : str
        A letter for each axis of each operand, and of the result: ``"ij,jk->ik"``.  Without an arrow
        the result has the letters that are there once, in alphabetical order.  A letter twice in one
        operand takes its diagonal; ``...`` stands for further axes, which broadcast, as lengths of 1 do.
    *operands : Tensor
        Or, without an equation, each operand before the list of its axes, which are whole numbers, and
        perhaps that of the result at the end: ``einsum(a, [0, 1], b, [1], [0])``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> a, b = tg.tensor([[1.0, 2.0], [3.0, 4.0]]), tg.tensor([1.0, 10.0])
    >>> tg.einsum("ij,j->i", a, b)
    tensor([21., 43.], dtype=float64)
    >>> tg.einsum("ii", a)
    tensor(5., dtype=float64)
    """
    if isinstance(equation, (Tensor, np.ndarray)) and operands:
        equation, *operands = by_letters((equation, *operands))
    if not isinstance(equation, str):
        raise ArgumentError("einsum: pass the equation first, as a string such as 'ij,jk->ik'")
    if len(operands) == 1 and isinstance(operands[0], (tuple, list)):
        operands = operands[0]
    tensors = sequence_of_tensors("einsum", list(operands))
    words, result = letters(equation, tensors)
    tensors, words = map(list, zip(*(diagonal(x, word) for x, word in zip(tensors, words))))
    tensors = common_lengths(tensors, words)
    for step in contraction_order(tensors, words, result):
        taken = sorted(step, reverse=True)
        pair = [(tensors.pop(k), words.pop(k)) for k in taken]
        needed = set(result).union(*words)
        x, word = pair.pop()
        while pair:
            other = pair.pop()
            x, word = contracted(x, word, *other, needed.union(*[later for _, later in pair]))
        tensors.append(x)
        words.append(word)
    x, word = tensors[0], words[0]
    x, word = summed(x, word, set(result))
    return permuted(x, [word.index(letter) for letter in result])


def letters(equation, tensors):
    """Return the axes of operands and result as lists of letters; those of an ellipsis are numbers."""
    inputs, arrow, result = equation.replace(" ", "").partition("->")
    inputs = inputs.split(",")
    if len(inputs) != len(tensors):
        raise ArgumentError(f"einsum: {equation!r} is for {len(inputs)} operands, got {len(tensors)}")
    for term in [*inputs, result]:
        if not all(letter.isalpha() and letter.isascii() for letter in term.replace("...", "", 1)):
            raise ArgumentError(f"einsum: {term!r} in {equation!r} is not letters and one '...'")
    extra = 0
    for term, x in zip(inputs, tensors):
        named = len(term.replace("...", ""))
        if x.ndim != named and ("..." not in term or x.ndim < named):
            raise ShapeError(f"einsum: {term!r} is for {named} axes, the operand has shape {x.shape}")
        extra = max(extra, x.ndim - named)

    def spelled(term, count):
        before, dots, after = term.partition("...")
        return [*before, *(range(extra - count, extra) if dots else ()), *after]

    words = [spelled(t, x.ndim - len(t.replace("...", ""))) for t, x in zip(inputs, tensors)]
    every = [letter for word in words for letter in word]
    if not arrow:
        once = sorted(k for k in set(every) if isinstance(k, str) and every.count(k) == 1)
        return words, [*range(extra), *once]
    if len(set(result.replace("...", ""))) < len(result.replace("...", "")):
        raise ArgumentError(f"einsum: a letter is twice in the result of {equation!r}")
    result = spelled(result, extra)
    if not set(result) <= set(every):
        raise ArgumentError(f"einsum: the result of {equation!r} has a letter that no operand has")
    return words, result


def diagonal(x, word):
    """Return `x` with one axis for each letter, where several have the same."""
    for letter in dict.fromkeys(word):
        places = [k for k, other in enumerate(word) if other == letter]
        if len(places) == 1:
            continue
        lengths = {x.shape[k] for k in places}
        if len(lengths) > 1:
            raise ShapeError(f"einsum: {letter!r} stands for lengths {sorted(lengths)} of one operand")
        rest = [k for k in range(x.ndim) if k not in places]
        numbers = np.arange(lengths.pop())
        x = index(permuted(x, places + rest), (numbers,) * len(places))
        word = [letter, *[word[k] for k in rest]]
    return x, word


def common_lengths(tensors, words):
    """Return tensors whose axes have one length for each letter; those of 1 broadcast."""
    lengths = {}
    for x, word in zip(tensors, words):
        for n, letter in zip(x.shape, word):
            if lengths.setdefault(letter, n) == 1:
                lengths[letter] = n
            elif n not in (1, lengths[letter]):
                raise ShapeError(f"einsum: {letter!r} stands for the lengths {lengths[letter]} and {n}")
    wanted = [tuple(lengths[letter] for letter in word) for word in words]
    return [x if x.shape == shape else broadcast_to(x, shape) for x, shape in zip(tensors, wanted)]


def contraction_order(tensors, words, result):
    """Return which operands to take together, one step after the other, as NumPy would."""
    if len(tensors) < 3:
        return [tuple(range(len(tensors)))]
    numbers = {letter: k for k, letter in enumerate(dict.fromkeys(k for word in words for k in word))}
    arguments = []
    for x, word in zip(tensors, words):
        arguments += [x.detach().numpy(), [numbers[letter] for letter in word]]
    return np.einsum_path(*arguments, [numbers[letter] for letter in result], optimize="greedy")[0][1:]


def summed(x, word, needed):
    """Return `x` summed over the axes whose letters nobody needs."""
    lost = tuple(k for k, letter in enumerate(word) if letter not in needed)
    return (sum(x, lost) if lost else x), [letter for letter in word if letter in needed]


def contracted(a, word_a, b, word_b, needed):
    """Return the product of two operands, summed over what nobody else needs, by one matrix product."""
    a, word_a = summed(a, word_a, needed | set(word_b))
    b, word_b = summed(b, word_b, needed | set(word_a))
    batch = [k for k in word_a if k in word_b and k in needed]
    inside = [k for k in word_a if k in word_b and k not in needed]
    left = [k for k in word_a if k not in word_b]
    right = [k for k in word_b if k not in word_a]
    if not inside:
        # Nothing is summed: broadcasting does it.
        order = batch + left + right
        return along(a, word_a, order) * along(b, word_b, order), order
    a = permuted(a, [word_a.index(k) for k in batch + left + inside])
    b = permuted(b, [word_b.index(k) for k in batch + inside + right])
    shape, rows = a.shape[: len(batch)], a.shape[len(batch) : len(batch) + len(left)]
    columns = b.shape[len(batch) + len(inside) :]
    depth = math.prod(b.shape[len(batch) : len(batch) + len(inside)])
    y = reshape(a, *shape, math.prod(rows), depth) @ reshape(b, *shape, depth, math.prod(columns))
    return reshape(y, *shape, *rows, *columns), batch + left + right


def along(x, word, order):
    """Return `x` with an axis for each letter of `order`, of length 1 where it has none."""
    x = permuted(x, [word.index(k) for k in order if k in word])
    lengths = iter(x.shape)
    return reshape(x, *[next(lengths) if k in word else 1 for k in order])
