"""Sequences of several lengths as one tensor."""

from tinygrad_relu.engine import Tensor, checked_call
from tinygrad_relu.errors import ArgumentError, ShapeError
from tinygrad_relu.nn.settings import one_of, truth
from tinygrad_relu.nn.utils.clipping import tensors_of
from tinygrad_relu.ops.rearranging import pad
from tinygrad_relu.ops.shapes import stack


@checked_call
def pad_sequence(sequences, batch_first=False, padding_value=0.0, padding_side="right"):
    """Return sequences of several lengths as one tensor, the shorter ones filled up; it is recorded.

    Parameters
    ----------
    sequences : list of Tensor of shape (steps, ...)
        All axes but the first have one length each.
    batch_first : bool
        Whether the result is (batch, steps, ...), rather than (steps, batch, ...).
    padding_value : float
    padding_side : {'right', 'left'}
        Whether it stands behind the steps of a sequence, or before them.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> from tinygrad_relu.nn.utils.rnn import pad_sequence
    >>> pad_sequence([tg.tensor([1.0, 2.0]), tg.tensor([3.0])], batch_first=True)
    tensor([[1., 2.],
            [3., 0.]], dtype=float64)
    """
    name = "pad_sequence"
    batch_first = truth(name, "batch_first", batch_first)
    behind = one_of(name, "padding_side", padding_side, ("right", "left")) == "right"
    sequences = list(sequences) if isinstance(sequences, Tensor) else tensors_of(name, sequences)
    if not sequences:
        raise ArgumentError(f"{name}: sequences is empty: pass one or more")
    shapes = [x.shape for x in sequences]
    if any(not shape or shape[1:] != shapes[0][1:] for shape in shapes):
        raise ShapeError(
            f"{name}: sequences have the shapes {', '.join(map(str, shapes))}: they have one axis or "
            "more, and all axes but the first have one length"
        )
    most = max(len(x) for x in sequences)
    padded = []
    for x in sequences:
        added = (0, most - len(x)) if behind else (most - len(x), 0)
        padded.append(pad(x, (0, 0) * (x.ndim - 1) + added, value=padding_value))
    return stack(padded, 0 if batch_first else 1)
