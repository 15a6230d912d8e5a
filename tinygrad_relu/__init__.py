"""A Cython-accelerated autograd mini-engine for NumPy people, in PyTorch's words.

>>> import tinygrad_relu as tg
>>> x = tg.tensor([[1.0, -2.0], [3.0, 4.0]], requires_grad=True)
>>> loss = tg.relu(x).square().sum()
>>> loss.backward()
>>> x.grad
tensor([[2., 0.],
        [6., 8.]], dtype=float64)

This file holds names only: what each does stands in `engine`, `ops`, `nn`, `optim`, `gradcheck`.
"""

from numpy import bool_ as bool
from numpy import float32, float64, int32, int64, uint8

from tinygrad_relu import autograd, errors, kernels, linalg, nn, optim
from tinygrad_relu.config import show_config
from tinygrad_relu.creation import (
    arange,
    asarray,
    eye,
    from_numpy,
    full,
    get_default_dtype,
    linspace,
    manual_seed,
    ones,
    ones_like,
    rand,
    randint,
    randn,
    randperm,
    set_default_dtype,
    tensor,
    zeros,
    zeros_like,
)
from tinygrad_relu.engine import Tensor
from tinygrad_relu.grad_mode import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from tinygrad_relu.gradcheck import gradcheck, gradgradcheck
from tinygrad_relu.kernels import (
    empty_cache,
    get_num_threads,
    memory_stats,
    num_threads,
    set_cache_limit,
    set_num_threads,
)
from tinygrad_relu.nn.dropout import dropout
from tinygrad_relu.ops.arithmetic import absolute as abs
from tinygrad_relu.ops.arithmetic import add, ceil, clamp, floor, isfinite, isinf, isnan, maximum
from tinygrad_relu.ops.arithmetic import clamp as clip
from tinygrad_relu.ops.arithmetic import divide as div
from tinygrad_relu.ops.arithmetic import equal as eq
from tinygrad_relu.ops.arithmetic import greater as gt
from tinygrad_relu.ops.arithmetic import greater_equal as ge
from tinygrad_relu.ops.arithmetic import less as lt
from tinygrad_relu.ops.arithmetic import less_equal as le
from tinygrad_relu.ops.arithmetic import minimum, remainder, sign, where
from tinygrad_relu.ops.arithmetic import multiply as mul
from tinygrad_relu.ops.arithmetic import negative as neg
from tinygrad_relu.ops.arithmetic import not_equal as ne
from tinygrad_relu.ops.arithmetic import rint as round
from tinygrad_relu.ops.arithmetic import subtract as sub
from tinygrad_relu.ops.convolution import conv1d, conv2d, conv_transpose1d, conv_transpose2d
from tinygrad_relu.ops.embedding import embedding
from tinygrad_relu.ops.exponential import (
    cos,
    exp,
    exp2,
    expm1,
    log,
    log1p,
    log2,
    log10,
    reciprocal,
    sigmoid,
    sin,
    sqrt,
    square,
    tanh,
)
from tinygrad_relu.ops.exponential import power as pow
from tinygrad_relu.ops.gates import (
    apply_mask,
    gate,
    leaky_relu,
    prelu,
    relu,
    relu_with_mask,
    threshold,
    thresholded_relu,
)
from tinygrad_relu.ops.indexing import gather
from tinygrad_relu.ops.linalg import linear, linear_relu, matmul
from tinygrad_relu.ops.losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cosine_embedding_loss,
    cross_entropy,
    hinge_embedding_loss,
    huber_loss,
    kl_div,
    l1_loss,
    margin_ranking_loss,
    mse_loss,
    nll_loss,
    poisson_nll_loss,
    smooth_l1_loss,
)
from tinygrad_relu.ops.matrices import cholesky, det, logdet, matrix_exp, matrix_power, slogdet, trace
from tinygrad_relu.ops.matrices import inv as inverse
from tinygrad_relu.ops.matrices import pinv as pinverse
from tinygrad_relu.ops.matrices import qr
from tinygrad_relu.ops.neural import log_softmax, softmax
from tinygrad_relu.ops.normalization import batch_norm, group_norm, instance_norm, layer_norm, rms_norm
from tinygrad_relu.ops.norms import cosine_similarity, pairwise_distance
from tinygrad_relu.ops.pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_max_pool2d,
    avg_pool1d,
    avg_pool2d,
    max_pool1d,
    max_pool2d,
)
from tinygrad_relu.ops.products import bmm, dot, einsum, inner, kron, mm, mv, outer, tensordot, vecdot
from tinygrad_relu.ops.products import cross_along_first_of_three as cross
from tinygrad_relu.ops.products import outer as ger
from tinygrad_relu.ops.reductions import (
    all,
    amax,
    amin,
    any,
    argmax,
    argmin,
    logsumexp,
    mean,
    prod,
    std,
    sum,
    var,
)
from tinygrad_relu.ops.reductions import largest as max
from tinygrad_relu.ops.reductions import smallest as min
from tinygrad_relu.ops.shapes import concat, expand, flatten, permute, reshape, squeeze, stack, unsqueeze
from tinygrad_relu.ops.shapes import concat as cat
from tinygrad_relu.ops.shapes import swapaxes as transpose

__version__ = "0.1.0"
