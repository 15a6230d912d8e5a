"""Categories as vectors: rows of a table, or unit vectors."""

import numpy as np

from tinygrad_relu.engine import checked_call, sharing
from tinygrad_relu.errors import DTypeError, IndexingError
from tinygrad_relu.ops.arithmetic import where
from tinygrad_relu.ops.indexing import index
from tinygrad_relu.ops.operands import tensor_from, whole, with_axes


def categories(name, word, value, count):
    """Return whole numbers from 0 to before `count` as an array."""
    numbers = tensor_from(name, word, value).detach().numpy()
    if numbers.dtype.kind not in "iu":
        raise DTypeError(f"{name}: {word} is {numbers.dtype}: pass integers")
    if numbers.size and (numbers.min() < 0 or (count is not None and numbers.max() >= count)):
        raise IndexingError(
            f"{name}: {word} goes from {numbers.min()} to {numbers.max()}, and there are "
            f"{'no negative classes' if count is None else f'{count} rows'}"
        )
    return numbers


@checked_call
def embedding(input, weight, padding_idx=None):
    """Rows of `weight` by their numbers.

    Parameters
    ----------
    input : Tensor of integers
    weight : Tensor of shape (rows, width)
    padding_idx : int, optional
        A row that gets no gradient; a negative one counts from the end.

    Returns
    -------
    Tensor of shape (*input.shape, width)

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.functional.embedding(tg.tensor([1, 0, 1]), tg.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[3., 4.],
            [1., 2.],
            [3., 4.]], dtype=float64)
    """
    weight = with_axes("embedding", "weight", weight, 2, 2)
    numbers = categories("embedding", "input", input, weight.shape[0])
    rows = index(weight, (numbers.copy(),))
    if padding_idx is None:
        return rows
    padding = whole("embedding", "padding_idx", padding_idx)
    if not -weight.shape[0] <= padding < weight.shape[0]:
        raise IndexingError(f"embedding: padding_idx is {padding}, and there are {weight.shape[0]} rows")
    return where((numbers == padding % weight.shape[0])[..., None], rows.detach(), rows)


@checked_call
def one_hot(x, num_classes=-1):
    """Unit vectors of integers: 1 at the number of the class, else 0.

    Parameters
    ----------
    x : Tensor of integers
    num_classes : int
        One more than the largest of `x`, if it is -1.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.functional.one_hot(tg.tensor([1, 0]), 3)
    tensor([[0, 1, 0],
            [1, 0, 0]], dtype=int64)
    """
    count = whole("one_hot", "num_classes", num_classes, -1)
    numbers = categories("one_hot", "x", x, None if count == -1 else count)
    if count == -1:
        if numbers.size == 0:
            raise IndexingError("one_hot: x has no elements: say how many classes there are")
        count = int(numbers.max()) + 1
    return sharing((numbers[..., None] == np.arange(count)).astype(np.int64))
