"""How near vectors are to each other."""

from tinygrad_relu.nn.function_module import FunctionModule
from tinygrad_relu.nn.settings import number
from tinygrad_relu.ops.norms import cosine_similarity, pairwise_distance


class CosineSimilarity(FunctionModule, function=cosine_similarity, axis=1, eps=1e-8):
    """Cosine of the angle between vectors along an axis.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.CosineSimilarity()(tg.tensor([[3.0, 4.0]]), tg.tensor([[1.0, 0.0]]))
    tensor([0.6], dtype=float64)
    """


class PairwiseDistance(FunctionModule, function=pairwise_distance, p=2.0, eps=1e-6, keepdims=False):
    """Norm of the difference of vectors along the last axis; see `nn.functional.pairwise_distance`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> distance = tg.nn.PairwiseDistance(eps=0.0)
    >>> distance(tg.tensor([[3.0, 4.0]]), tg.tensor([[0.0, 0.0]]))
    tensor([5.], dtype=float64)
    """

    own_checks = {"p": number}      # noqa: RUF012
