"""Special functions under the names of ``torch.special``."""

from tinygrad_relu.ops.exponential import exp2, expm1, log1p
from tinygrad_relu.ops.exponential import sigmoid as expit
from tinygrad_relu.ops.neural import log_softmax, softmax
from tinygrad_relu.ops.reductions import logsumexp
from tinygrad_relu.ops.special import (
    digamma,
    entr,
    erf,
    erfc,
    erfinv,
    logit,
    polygamma,
    xlog1py,
    xlogy,
)
from tinygrad_relu.ops.special import digamma as psi
from tinygrad_relu.ops.special import lgamma as gammaln
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
    "polygamma",
    "psi",
    "sinc",
    "softmax",
    "xlog1py",
    "xlogy",
]
