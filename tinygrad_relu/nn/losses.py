"""Losses: modules of the functions that say how far off predictions are."""

from tinygrad_relu.nn.function_module import FunctionModule
from tinygrad_relu.nn.settings import number, one_of, truth, whole
from tinygrad_relu.ops.losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    gaussian_nll_loss,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
    nll_loss,
    poisson_nll_loss,
    smooth_l1_loss,
)
from tinygrad_relu.ops.margins import (
    cosine_embedding_loss,
    hinge_embedding_loss,
    margin_ranking_loss,
    multi_margin_loss,
    triplet_margin_loss,
)

# ------------------------------------------------------------------------------------------ distances


class MSELoss(FunctionModule, function=mse_loss, reduction="mean"):
    """Squared difference: 'mean', 'sum' or 'none' of them.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.MSELoss()(tg.tensor([1.0, 3.0]), tg.tensor([1.0, 1.0]))
    tensor(2., dtype=float64)
    """


class L1Loss(FunctionModule, function=l1_loss, reduction="mean"):
    """Absolute difference.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.L1Loss()(tg.tensor([1.0, 3.0]), tg.tensor([1.0, 1.0]))
    tensor(1., dtype=float64)
    """


class HuberLoss(FunctionModule, function=huber_loss, reduction="mean", delta=1.0):
    """Half of the squared difference up to `delta`, and beyond that linear; see `huber_loss`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.HuberLoss("none")(tg.tensor([0.5, 3.0]), tg.tensor([0.0, 0.0]))
    tensor([0.125, 2.5  ], dtype=float64)
    """


class SmoothL1Loss(FunctionModule, function=smooth_l1_loss, reduction="mean", beta=1.0):
    """`HuberLoss` divided by `beta`, its delta.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.SmoothL1Loss("none", beta=2.0)(tg.tensor([1.0, 3.0]), tg.tensor([0.0, 0.0]))
    tensor([0.25, 2.  ], dtype=float64)
    """


# -------------------------------------------------------------------------------------------- classes


class CrossEntropyLoss(
    FunctionModule, function=cross_entropy,
    weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0,
):
    """Negative log-likelihood of classes under a softmax over scores; see `cross_entropy`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.CrossEntropyLoss()(tg.tensor([[0.0, 0.0], [9.0, 9.0]]), tg.tensor([0, 1]))
    tensor(0.69314718, dtype=float64)
    """


class NLLLoss(FunctionModule, function=nll_loss, weight=None, ignore_index=-100, reduction="mean"):
    """Negative log-likelihood of classes, of logarithms; see `nll_loss`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.NLLLoss()(tg.tensor([[-1.0, -2.0]]), tg.tensor([1]))
    tensor(2., dtype=float64)
    """


class BCELoss(FunctionModule, function=binary_cross_entropy, weight=None, reduction="mean"):
    """Cross-entropy of two classes, of probabilities; see `binary_cross_entropy`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.BCELoss()(tg.tensor([0.5, 0.5]), tg.tensor([1.0, 0.0]))
    tensor(0.69314718, dtype=float64)
    """


class BCEWithLogitsLoss(
    FunctionModule, function=binary_cross_entropy_with_logits,
    weight=None, reduction="mean", pos_weight=None,
):
    """Cross-entropy of two classes, of scores; see `binary_cross_entropy_with_logits`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.BCEWithLogitsLoss()(tg.tensor([0.0, 800.0]), tg.tensor([1.0, 1.0]))
    tensor(0.34657359, dtype=float64)
    """


# ------------------------------------------------------------------------------------- distributions


class KLDivLoss(FunctionModule, function=kl_div, reduction="mean", log_target=False):
    """Kullback and Leibler's divergence, of logarithms; see `kl_div`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> loss = tg.nn.KLDivLoss("batchmean")
    >>> loss(tg.tensor([[-1.0, -1.0]]), tg.tensor([[1.0, 0.0]]))
    tensor(1., dtype=float64)
    """

    @staticmethod
    def checked_reduction(title, name, value):
        """Return a reduction, one of which the other losses do not have, or raise."""
        return one_of(title, name, value, ("mean", "batchmean", "sum", "none"))

    own_checks = {"reduction": checked_reduction}       # noqa: RUF012


class PoissonNLLLoss(
    FunctionModule, function=poisson_nll_loss, log_input=True, full=False, eps=1e-8, reduction="mean"
):
    """Negative log-likelihood of counts under Poisson's distribution; see `poisson_nll_loss`.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.PoissonNLLLoss()(tg.tensor([0.0]), tg.tensor([2.0]))
    tensor(1., dtype=float64)
    """


class GaussianNLLLoss(
    FunctionModule, function=gaussian_nll_loss, full=False, eps=1e-6, reduction="mean"
):
    """Negative log-likelihood under normal distributions; called with means, targets and variances.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> one = tg.tensor([1.0])
    >>> tg.nn.GaussianNLLLoss()(one, tg.tensor([3.0]), one)
    tensor(2., dtype=float64)
    """


# -------------------------------------------------------------------------------------------- margins


class HingeEmbeddingLoss(
    FunctionModule, function=hinge_embedding_loss, margin=1.0, reduction="mean"
):
    """The input where the target is 1, and ``max(margin - input, 0)`` where it is -1.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.HingeEmbeddingLoss(reduction="none")(tg.tensor([0.5, 0.25]), tg.tensor([1, -1]))
    tensor([0.5 , 0.75], dtype=float64)
    """


class MarginRankingLoss(FunctionModule, function=margin_ranking_loss, margin=0.0, reduction="mean"):
    """``max(margin - target * (input1 - input2), 0)``.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.MarginRankingLoss(0.5)(tg.tensor([1.0]), tg.tensor([3.0]), tg.tensor([1]))
    tensor(2.5, dtype=float64)
    """


class CosineEmbeddingLoss(
    FunctionModule, function=cosine_embedding_loss, margin=0.0, reduction="mean"
):
    """``1 - cosine`` where the target is 1, and ``max(cosine - margin, 0)`` where it is -1.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> x = tg.tensor([[1.0, 0.0]])
    >>> tg.nn.CosineEmbeddingLoss()(x, tg.tensor([[0.0, 2.0]]), tg.tensor([1]))
    tensor(1., dtype=float64)
    """


class TripletMarginLoss(
    FunctionModule, function=triplet_margin_loss,
    margin=1.0, p=2.0, eps=1e-6, swap=False, reduction="mean",
):
    """Called with an anchor, what should be near it, and what should be farther off by a margin.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> a, near, far = tg.tensor([[0.0, 0.0]]), tg.tensor([[0.0, 1.0]]), tg.tensor([[1.5, 0.0]])
    >>> round(tg.nn.TripletMarginLoss()(a, near, far).item(), 5)
    0.5
    """

    own_checks = {"p": number, "swap": truth}       # noqa: RUF012


class MultiMarginLoss(
    FunctionModule, function=multi_margin_loss, p=1, margin=1.0, weight=None, reduction="mean"
):
    """What the scores of all classes but the right one lack of a margin below it.

    Examples
    --------
    >>> import tinygrad_relu as tg
    >>> tg.nn.MultiMarginLoss()(tg.tensor([[0.5, 1.0, -3.0]]), tg.tensor([0]))
    tensor(0.5, dtype=float64)
    """

    own_checks = {"p": whole}       # noqa: RUF012
