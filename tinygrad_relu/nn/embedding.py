"""Rows of a table that is learned."""

from tinygrad_relu.creation import asarray
from tinygrad_relu.engine import checked_call
from tinygrad_relu.errors import IndexingError
from tinygrad_relu.nn.init import fill, normal_
from tinygrad_relu.nn.module import Module
from tinygrad_relu.nn.settings import checked_constructor, new_parameter, truth
from tinygrad_relu.ops.embedding import embedding
from tinygrad_relu.ops.operands import whole, with_axes


class Embedding(Module):
    """Rows of a table by their numbers.

    Parameters
    ----------
    num_embeddings : int
        How many rows there are.
    embedding_dim : int
        How wide they are.
    padding_idx : int, optional
        A row that is 0 to begin with, and gets no gradient; a negative one counts from the end.
    device, dtype, generator
        As in `Linear`; values are drawn from the standard normal distribution.

    Attributes
    ----------
    weight : Parameter of shape (num_embeddings, embedding_dim)

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> table = tg.nn.Embedding(10, 3, padding_idx=0)
    >>> table(tg.tensor([[0, 4], [1, 0]])).shape
    (2, 2, 3)
    """

    @checked_constructor
    def __init__(
        self, num_embeddings, embedding_dim, padding_idx=None, device=None, dtype=None, generator=None
    ):
        super().__init__()
        self.num_embeddings = whole("Embedding", "num_embeddings", num_embeddings, 1)
        self.embedding_dim = whole("Embedding", "embedding_dim", embedding_dim, 1)
        if padding_idx is not None:
            padding_idx = whole("Embedding", "padding_idx", padding_idx)
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise IndexingError(
                    f"Embedding: padding_idx is {padding_idx}, and there are {num_embeddings} rows"
                )
            padding_idx %= num_embeddings
        self.padding_idx = padding_idx
        self.weight = new_parameter("Embedding", device, dtype)(num_embeddings, embedding_dim)
        self.reset_parameters(generator)

    def reset_parameters(self, generator=None):
        """Draw the table anew."""
        normal_(self.weight, generator=generator)
        if self.padding_idx is not None:
            fill(self.weight.detach()[self.padding_idx], 0.0)

    @classmethod
    @checked_call
    def from_pretrained(cls, embeddings, freeze=True, padding_idx=None):
        """Return a layer with the values of a table, which is copied, and not trained if `freeze`.

        Examples
        --------
        >>> import tinygrad_relu as tg
        >>> tg.nn.Embedding.from_pretrained([[1.0, 2.0], [3.0, 4.0]])(tg.tensor([1]))
        tensor([[3., 4.]], dtype=float64)
        """
        values = with_axes("Embedding.from_pretrained", "embeddings", embeddings, 2, 2).detach()
        layer = cls(*values.shape, padding_idx=padding_idx, dtype=values.dtype)
        fill(layer.weight, asarray(values))
        layer.weight.requires_grad = not truth("Embedding.from_pretrained", "freeze", freeze)
        return layer

    def forward(self, input):
        return embedding(input, self.weight, self.padding_idx)

    def extra_repr(self):
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"
