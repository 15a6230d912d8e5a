"""Special functions under the names of ``torch.special``."""

from tinygrad_relu.ops.bessel import i0, i0e, i1, i1e
from tinygrad_relu.ops.exponential import exp2, expm1, log1p
from tinygrad_relu.ops.neural import log_softmax, softmax
from tinygrad_relu.ops.reductions import logsumexp
from tinygrad_relu.ops.special import (
    digamma,
    entr,
    erf,
    erfc,
    erfcx,
    erfinv,
    log_ndtr,
    logit,
    multigammaln,
    ndtr,
    ndtri,
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
    "erfcx",
    "erfinv",
    "exp2",
    "expit",
    "expm1",
    "gammaln",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "log1p",
    "log_ndtr",
    "log_softmax",
    "logit",
    "logsumexp",
    "multigammaln",
    "ndtr",
    "ndtri",
    "polygamma",
    "psi",
    "sinc",
    "softmax",
    "xlog1py",
    "xlogy",
]
