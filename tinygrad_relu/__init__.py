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
from numpy import (
    dtype, e, finfo, float16, float32, float64, iinfo, inf, int8, int16, int32, int64, nan, newaxis, pi,
    uint8, uint16, uint32, uint64,
)
from numpy import float16 as half
from numpy import float32 as float
from numpy import float64 as double
from numpy import int16 as short
from numpy import int32 as int
from numpy import int64 as long

from builtins import tuple as Size

from tinygrad_relu import autograd, errors, kernels
from tinygrad_relu.config import show_config
from tinygrad_relu.loading import on_demand
from tinygrad_relu.ops.conversion import (
    broadcast_shapes,
    can_cast,
    clone,
    detach,
    is_floating_point,
    is_nonzero,
    is_same_size,
    is_signed,
    is_tensor,
    numel,
    promote_types,
    result_type,
)
from tinygrad_relu.creation import asarray as as_tensor
from tinygrad_relu.creation import (
    arange,
    asarray,
    empty,
    empty_like,
    eye,
    from_numpy,
    full,
    full_like,
    get_default_dtype,
    linspace,
    logspace,
    ones,
    ones_like,
    set_default_dtype,
    tensor,
    tril_indices,
    triu_indices,
    zeros,
    zeros_like,
)
from tinygrad_relu.engine import Tensor, set_printoptions
from tinygrad_relu.engine import Device as device    # noqa: N813, PyTorch's name
from tinygrad_relu.grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from tinygrad_relu.gradcheck import gradcheck, gradgradcheck
from tinygrad_relu.kernels import (
    empty_cache,
    get_num_threads,
    memory_stats,
    num_threads,
    set_cache_limit,
    set_num_threads,
)
from tinygrad_relu.ops.activations import celu, hardshrink, selu
from tinygrad_relu.ops.arithmetic import (
    absolute,
    add,
    addcdiv,
    addcmul,
    bitwise_and,
    bitwise_or,
    bitwise_xor,
    ceil,
    clamp,
    clamp_max,
    clamp_min,
    copysign,
    divide,
    floor,
    floor_divide,
    fmax,
    fmin,
    fmod,
    frac,
    greater,
    greater_equal,
    heaviside,
    isfinite,
    isinf,
    isnan,
    lerp,
    less,
    less_equal,
    maximum,
    minimum,
    multiply,
    nan_to_num,
    negative,
    nextafter,
    not_equal,
    positive,
    remainder,
    sign,
    signbit,
    subtract,
    trunc,
)
from tinygrad_relu.ops.arithmetic import rounded as round
from tinygrad_relu.ops.counting import bincount, histc, histogram
from tinygrad_relu.ops.covariance import corrcoef, cov
from tinygrad_relu.ops.cumulative import (
    cummax,
    cummin,
    cumprod,
    cumsum,
    cumulative_trapezoid,
    diff,
    logcumsumexp,
    trapezoid,
)
from tinygrad_relu.ops.affine import addbmm, addmm, addmv, addr, baddbmm
from tinygrad_relu.ops.convolution import conv1d, conv2d, conv_transpose1d, conv_transpose2d
from tinygrad_relu.ops.embedding import embedding
from tinygrad_relu.ops.exchange import from_dlpack
from tinygrad_relu.ops.exponential import (
    cos,
    exp,
    exp2,
    expm1,
    float_power,
    ldexp,
    log,
    log10,
    log1p,
    log2,
    logaddexp,
    logaddexp2,
    reciprocal,
    rsqrt,
    sigmoid,
    sin,
    sqrt,
    square,
    tanh,
)
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
from tinygrad_relu.ops.joining import (
    block_diag,
    cartesian_prod,
    chunk,
    column_stack,
    dsplit,
    dstack,
    hsplit,
    hstack,
    split,
    tensor_split,
    unbind,
    vsplit,
    vstack,
)
from tinygrad_relu.ops.matrices import svd
from tinygrad_relu.ops.kink_slope import get_kink_slope, kink_slope, set_kink_slope
from tinygrad_relu.ops.linalg import linear, linear_relu, matmul
from tinygrad_relu.ops.logical import (
    allclose,
    bitwise_left_shift,
    bitwise_right_shift,
    gcd,
    isclose,
    isin,
    isneginf,
    isposinf,
    lcm,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
)
from tinygrad_relu.ops.logical import equal_wholes as equal
from tinygrad_relu.ops.ordering import (
    argsort,
    bucketize,
    kthvalue,
    mode,
    msort,
    searchsorted,
    sort,
    topk,
    unique,
    unique_consecutive,
)
from tinygrad_relu.ops.quantiles import median, nanmedian, nanquantile, quantile
from tinygrad_relu.ops.losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
    nll_loss,
    poisson_nll_loss,
    smooth_l1_loss,
)
from tinygrad_relu.ops.matrices import cholesky, det, logdet, slogdet, trace
from tinygrad_relu.ops.matrix_functions import matrix_exp, matrix_power
from tinygrad_relu.ops.matrices import qr
from tinygrad_relu.ops.neural import log_softmax, softmax
from tinygrad_relu.ops.normalization import batch_norm, group_norm, instance_norm, layer_norm, rms_norm
from tinygrad_relu.ops.norms import cdist, cosine_similarity, dist, pairwise_distance
from tinygrad_relu.ops.overwriting import diagonal_scatter, select_scatter, slice_scatter
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
from tinygrad_relu.ops.products import dot as vdot
from tinygrad_relu.ops.putting import (
    index_add,
    index_copy,
    index_fill,
    index_put,
    index_reduce,
    masked_fill,
    masked_scatter,
    put,
    scatter,
    scatter_add,
    scatter_reduce,
)
from tinygrad_relu.ops.rearranging import (
    diag,
    diag_embed,
    diagflat,
    diagonal,
    flip,
    fliplr,
    flipud,
    repeat_interleave,
    roll,
    rot90,
    tile,
    tril,
    triu,
)
from tinygrad_relu.ops.reductions import (
    all,
    amax,
    amin,
    aminmax,
    any,
    argmax,
    argmin,
    count_nonzero,
    logsumexp,
    mean,
    nanmean,
    nansum,
    norm,
    prod,
    std,
    std_mean,
    sum,
    var,
    var_mean,
)
from tinygrad_relu.ops.reductions import largest as max
from tinygrad_relu.ops.reductions import smallest as min
from tinygrad_relu.ops.shapes import (
    atleast_1d,
    atleast_2d,
    atleast_3d,
    broadcast_tensors,
    broadcast_to,
    concat,
    expand,
    flatten,
    meshgrid,
    movedim,
    permute,
    ravel,
    reshape,
    squeeze,
    stack,
    t,
    unflatten,
    unsqueeze,
)
from tinygrad_relu.ops.shapes import swapaxes
from tinygrad_relu.ops.special import (
    digamma,
    erf,
    erfc,
    erfinv,
    lgamma,
    logit,
    polygamma,
    xlogy,
)
from tinygrad_relu.ops.special import multigammaln as mvlgamma
from tinygrad_relu.ops.trigonometric import (
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cosh,
    deg2rad,
    hypot,
    rad2deg,
    sinc,
    sinh,
    tan,
)
from tinygrad_relu.ops.synonyms import (
    abs,
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctan2,
    arctanh,
    bitwise_not,
    cat,
    clip,
    concatenate,
    cross,
    div,
    eq,
    fix,
    ge,
    ger,
    gt,
    inverse,
    le,
    lt,
    moveaxis,
    mul,
    ne,
    neg,
    pinverse,
    pow,
    row_stack,
    sgn,
    sub,
    swapdims,
    transpose,
    trapz,
    true_divide,
)
from tinygrad_relu.ops.taking import (
    argwhere,
    combinations,
    gather,
    index_select,
    masked_select,
    narrow,
    nonzero,
    select,
    take,
    take_along_dim,
    where,
)
from tinygrad_relu.random import (
    Generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)
from tinygrad_relu.sampling import (
    bernoulli,
    multinomial,
    normal,
    poisson,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
)

__version__ = "0.1.0"

# Loaded when they are first asked for, because a program needs few of them, and they take as long to load
# as the rest: submodules (None), and functions, with the submodule that has them.
LATER = {
    "BoolTensor": "legacy_tensors",
    "ByteTensor": "legacy_tensors",
    "DoubleTensor": "legacy_tensors",
    "FloatTensor": "legacy_tensors",
    "IntTensor": "legacy_tensors",
    "LongTensor": "legacy_tensors",
    "ShortTensor": "legacy_tensors",
    "accelerator": None,
    "amp": None,
    "are_deterministic_algorithms_enabled": "execution",
    "autocast": "amp",
    "backends": None,
    "bfloat16": "amp",
    "check_gradients": "gradcheck.check",
    "compile": "execution",
    "cosine_embedding_loss": "ops.margins",
    "cuda": None,
    "distributed": None,
    "distributions": None,
    "dropout": "nn.dropout",
    "func": None,
    "get_default_device": "execution",
    "get_float32_matmul_precision": "execution",
    "hinge_embedding_loss": "ops.margins",
    "interop": None,
    "kink_sensitivity": "gradcheck.sensitivity",
    "linalg": None,
    "load": "io",
    "margin_ranking_loss": "ops.margins",
    "nn": None,
    "optim": None,
    "save": "io",
    "set_default_device": "execution",
    "set_float32_matmul_precision": "execution",
    "special": None,
    "testing": None,
    "transforms": None,
    "triplet_margin_loss": "ops.margins",
    "use_deterministic_algorithms": "execution",
    "utils": None,
}
__getattr__, __dir__ = on_demand(__name__, LATER)
del LATER, on_demand
