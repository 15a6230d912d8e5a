"""Special functions under the names of ``torch.special``."""

from tinygrad_relu.ops.exponential import exp2, expm1, log1p
from tinygrad_relu.ops.neural import log_softmax, softmax
from tinygrad_relu.ops.reductions import logsumexp
from tinygrad_relu.ops.special import (
    digamma,
    entr,
    erf,
    erfc,
    erfinv,
    logit,
    multigammaln,
    ndtr,
    polygamma,
    xlog1py,
    xlogy,
)
from tinygrad_relu.ops.synonyms import expit, gammaln, psi
from tinygrad_relu.ops.trigonometric import sinc

__all__ = [
    "digamma",
    "entr",
    "erf",
    "erfc",
    "erfinv",
    "exp2",
    "expit",
    "expm1",
    "gammaln",
    "log1p",
    "log_softmax",
    "logit",
    "logsumexp",
    "multigammaln",
    "ndtr",
    "polygamma",
    "psi",
    "sinc",
    "softmax",
    "xlog1py",
    "xlogy",
]
