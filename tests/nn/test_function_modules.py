"""Modules that are functions with settings: activations, losses, poolings, shapes."""

import inspect

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import nn
from tinygrad_relu.errors import ArgumentError, DTypeError, RangeError, TensorError
from tinygrad_relu.nn import functional as F
from tinygrad_relu.nn.function_module import FunctionModule
from tinygrad_relu.nn.settings import CHECKS, WINDOWS

X = np.random.default_rng(5).standard_normal((4, 6)) * 3
IMAGES = np.random.default_rng(6).standard_normal((2, 3, 9, 8))
ROWS = IMAGES[:, :, 0]
SIGNS = np.array([1, -1, 1, -1])
SHARES = np.abs(np.tanh(X))


def spread_maxima(x):
    """Return the maxima of the corners of windows of 5 x 6, every third one, with one row around."""
    x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    corners = [x[:, :, i:, j:] for i in (0, 4) for j in (0, 5)]
    return np.maximum.reduce([corner[:, :, [0, 3]][..., [0, 3]] for corner in corners])


#: Each module, made with settings other than the defaults, and what NumPy or the function says.
CASES = [
    (nn.ReLU(), (X,), lambda x: np.maximum(x, 0)),
    (nn.ReLU(mask=True), (X,), lambda x: np.maximum(x, 0)),
    (nn.ReLU6(), (X,), lambda x: np.clip(x, 0, 6)),
    (nn.LeakyReLU(0.3), (X,), lambda x: np.where(x > 0, x, 0.3 * x)),
    (nn.PReLU(init=0.1), (X,), lambda x: np.where(x > 0, x, 0.1 * x)),
    (nn.PReLU(6, 0.1), (X,), lambda x: np.where(x > 0, x, 0.1 * x)),
    (nn.Threshold(0.5, -7.0), (X,), lambda x: np.where(x > 0.5, x, -7)),
    (nn.ThresholdedReLU(0.5, 0.1, a1=2.0), (X,), lambda x: np.where(x > 0.5, 2 * x, 0.1 * x)),
    (nn.ELU(2.0), (X,), lambda x: np.where(x > 0, x, 2 * np.expm1(x))),
    (nn.CELU(2.0), (X,), lambda x: np.where(x > 0, x, 2 * np.expm1(x / 2))),
    (nn.SELU(), (X,),
     lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x))),
    (nn.GELU("tanh"), (X,),
     lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))),
    (nn.GELU(), (X,), lambda x: F.gelu(tg.tensor(x)).numpy()),
    (nn.SiLU(), (X,), lambda x: x / (1 + np.exp(-x))),
    (nn.Mish(), (X,), lambda x: x * np.tanh(np.log1p(np.exp(x)))),
    (nn.Softplus(2.0, 3.0), (X,), lambda x: np.where(2 * x > 3, x, np.log1p(np.exp(2 * x)) / 2)),
    (nn.Softsign(), (X,), lambda x: x / (1 + np.abs(x))),
    (nn.Sigmoid(), (X,), lambda x: 1 / (1 + np.exp(-x))),
    (nn.LogSigmoid(), (X,), lambda x: -np.log1p(np.exp(-x))),
    (nn.Tanh(), (X,), np.tanh),
    (nn.Tanhshrink(), (X,), lambda x: x - np.tanh(x)),
    (nn.Hardtanh(-2.0, max_val=0.5), (X,), lambda x: np.clip(x, -2, 0.5)),
    (nn.Hardsigmoid(), (X,), lambda x: np.clip(x + 3, 0, 6) / 6),
    (nn.Hardswish(), (X,), lambda x: x * np.clip(x + 3, 0, 6) / 6),
    (nn.Hardshrink(0.9), (X,), lambda x: np.where(np.abs(x) > 0.9, x, 0)),
    (nn.Softshrink(0.9), (X,), lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.9, 0)),
    (nn.GLU(dim=0), (X,), lambda x: x[:2] / (1 + np.exp(-x[2:]))),
    (nn.Softmax(dim=0), (X,), lambda x: np.exp(x) / np.exp(x).sum(0)),
    (nn.LogSoftmax(1), (X,), lambda x: x - np.log(np.exp(x).sum(1, keepdims=True))),
    (nn.Softmin(axis=0), (X,), lambda x: np.exp(-x) / np.exp(-x).sum(0)),
    (nn.Softmax2d(), (IMAGES,), lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True)),
    (nn.Flatten(), (IMAGES,), lambda x: x.reshape(2, -1)),
    (nn.Flatten(0, end_dim=1), (IMAGES,), lambda x: x.reshape(6, 9, 8)),
    (nn.Unflatten(1, (2, -1)), (X,), lambda x: x.reshape(4, 2, 3)),
    (nn.ZeroPad1d((1, -2)), (ROWS,), lambda x: np.pad(x, ((0, 0), (0, 0), (1, 0)))[..., :-2]),
    (nn.ConstantPad1d(2, 7.0), (ROWS,),
     lambda x: np.pad(x, ((0, 0), (0, 0), (2, 2)), constant_values=7)),
    (nn.ReflectionPad1d(2), (ROWS,), lambda x: np.pad(x, ((0, 0), (0, 0), (2, 2)), mode="reflect")),
    (nn.ReplicationPad1d(2), (ROWS,), lambda x: np.pad(x, ((0, 0), (0, 0), (2, 2)), mode="edge")),
    (nn.CircularPad1d(2), (ROWS,), lambda x: np.pad(x, ((0, 0), (0, 0), (2, 2)), mode="wrap")),
    (nn.ZeroPad2d((1, 2, 3, 4)), (IMAGES,), lambda x: np.pad(x, ((0, 0), (0, 0), (3, 4), (1, 2)))),
    (nn.ConstantPad2d((1, 0, 0, 2), -3.0), (IMAGES,),
     lambda x: np.pad(x, ((0, 0), (0, 0), (0, 2), (1, 0)), constant_values=-3)),
    (nn.ReflectionPad2d(1), (IMAGES,),
     lambda x: np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="reflect")),
    (nn.ReplicationPad2d(1), (IMAGES,),
     lambda x: np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")),
    (nn.CircularPad2d(1), (IMAGES,), lambda x: np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="wrap")),
    (nn.CosineSimilarity(dim=0), (X, X[::-1].copy()),
     lambda x, y: (x * y).sum(0) / np.sqrt((x * x).sum(0) * (y * y).sum(0))),
    (nn.PairwiseDistance(1.0, eps=0.0, keepdim=True), (X, X[::-1].copy()),
     lambda x, y: np.abs(x - y).sum(-1, keepdims=True)),
    (nn.MSELoss("sum"), (X, X + 1), lambda x, y: ((x - y) ** 2).sum()),
    (nn.L1Loss(reduction="none"), (X, X + 1), lambda x, y: np.abs(x - y)),
    (nn.HuberLoss("sum", 0.25), (X, SHARES),
     lambda x, y: np.where(np.abs(x - y) < 0.25, (x - y) ** 2 / 2, 0.25 * (np.abs(x - y) - 0.125)).sum()),
    (nn.SmoothL1Loss("none", beta=2.0), (X, X + 1), lambda x, y: np.full(x.shape, 0.25)),
    (nn.CrossEntropyLoss(label_smoothing=0.1, reduction="sum", ignore_index=1),
     (X, np.array([0, 1, 5, 1])),
     lambda x, y: -sum((0.9 * row[c] + 0.1 * row.mean()) for row, c in
                       zip(x - np.log(np.exp(x).sum(1, keepdims=True)), y) if c != 1)),
    (nn.CrossEntropyLoss([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], reduction="none"), (X, np.array([0, 1, 5, 1])),
     lambda x, y: -(y + 1) * (x - np.log(np.exp(x).sum(1, keepdims=True)))[np.arange(4), y]),
    (nn.NLLLoss(np.arange(6.0), 2, "sum"), (X, np.array([0, 2, 5, 1])),
     lambda x, y: -5 * x[2, 5] - x[3, 1]),
    (nn.BCELoss(reduction="none"), (SHARES, np.round(SHARES)),
     lambda p, y: -np.log(np.where(y == 1, p, 1 - p))),
    (nn.BCEWithLogitsLoss(reduction="none", pos_weight=[3.0]), (X, np.round(SHARES)),
     lambda x, y: np.where(y == 1, 3 * np.log1p(np.exp(-x)), np.log1p(np.exp(x)))),
    (nn.KLDivLoss("batchmean", log_target=True), (X, X / 2),
     lambda x, y: (np.exp(y) * (y - x)).sum() / 4),
    (nn.PoissonNLLLoss(False, eps=0.5, reduction="sum"), (SHARES, SHARES),
     lambda x, y: (x - y * np.log(x + 0.5)).sum()),
    (nn.GaussianNLLLoss(full=True, reduction="none"), (X, X + 1, SHARES + 1),
     lambda x, y, v: (np.log(v) + 1 / v + np.log(2 * np.pi)) / 2),
    (nn.HingeEmbeddingLoss(2.0, "none"), (X[:, 0], SIGNS),
     lambda x, y: np.where(y == 1, x, np.maximum(2 - x, 0))),
    (nn.MarginRankingLoss(0.5, "none"), (X[:, 0], X[:, 1], SIGNS),
     lambda a, b, y: np.maximum(0.5 - y * (a - b), 0)),
    (nn.CosineEmbeddingLoss(0.1, reduction="none"), (X, X + 1, SIGNS),
     lambda a, b, y: np.where(
         y == 1, 1 - (c := (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))),
         np.maximum(c - 0.1, 0))),
    (nn.TripletMarginLoss(9.0, p=1, eps=0.0, swap=True, reduction="none"), (X, X + 1, X - 2),
     lambda a, b, c: 9 + np.abs(a - b).sum(1) - np.abs(a - c).sum(1)),
    (nn.MultiMarginLoss(2, 0.5, [2.0] * 6, "sum"), (X, np.array([0, 5, 2, 2])),
     lambda x, y: (np.maximum(0.5 + x - x[range(4), y][:, None], 0) ** 2).sum() / 3 - 4 * 0.25 / 3),
    (nn.Upsample(scale_factor=(2, 3)), (IMAGES,), lambda x: x.repeat(2, 2).repeat(3, 3)),
    (nn.PixelShuffle(3), (IMAGES.reshape(2, 27, 8, 1),),
     lambda x: x.reshape(2, 3, 3, 3, 8, 1).transpose(0, 1, 4, 2, 5, 3).reshape(2, 3, 24, 3)),
    (nn.PixelUnshuffle(2), (IMAGES[:, :, 1:],),
     lambda x: x.reshape(2, 3, 4, 2, 4, 2).transpose(0, 1, 3, 5, 2, 4).reshape(2, 12, 4, 4)),
    (nn.LocalResponseNorm(1, alpha=2.0, beta=0.5, k=3.0), (IMAGES,),
     lambda x: x / np.sqrt(3 + 2 * x * x)),
    (nn.MaxPool1d(4, padding=2), (ROWS,), lambda x: np.pad(
        x, ((0, 0), (0, 0), (2, 2)), constant_values=-np.inf).reshape(2, 3, 3, 4).max(-1)),
    (nn.MaxPool2d((3, 2), ceil_mode=True), (IMAGES,), lambda x: x.reshape(2, 3, 3, 3, 4, 2).max((3, 5))),
    (nn.MaxPool2d(2, stride=3, dilation=(4, 5), padding=1), (IMAGES[:, :, :8],), spread_maxima),
    (nn.AvgPool1d(4, padding=2, count_include_pad=False), (ROWS,), lambda x: np.stack(
        [x[..., :2].mean(-1), x[..., 2:6].mean(-1), x[..., 6:].mean(-1)], -1)),
    (nn.AvgPool2d((3, 2), divisor_override=2), (IMAGES,),
     lambda x: x.reshape(2, 3, 3, 3, 4, 2).sum((3, 5)) / 2),
    (nn.AdaptiveAvgPool1d(4), (ROWS,), lambda x: x.reshape(2, 3, 4, 2).mean(-1)),
    (nn.AdaptiveAvgPool2d((3, None)), (IMAGES,), lambda x: x.reshape(2, 3, 3, 3, 8).mean(3)),
    (nn.AdaptiveMaxPool2d((None, 2)), (IMAGES,), lambda x: x.reshape(2, 3, 9, 2, 4).max(-1)),
    (nn.Unfold((9, 1), stride=2), (IMAGES,), lambda x: x[..., ::2].reshape(2, 27, 4)),
    (nn.Fold((9, 8), (9, 1)), (IMAGES.reshape(2, 27, 8),), lambda x: x.reshape(2, 3, 9, 8)),
]


def ids(case):
    return repr(case[0])


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_values_are_those_of_the_formula(case):
    module, inputs, formula = case
    found = module(*[tg.tensor(x) for x in inputs]).detach().numpy()
    np.testing.assert_allclose(found, formula(*inputs), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_gradients_are_those_of_finite_differences(case):
    module, inputs, _ = case
    x, *others = (tg.tensor(x) for x in inputs)
    if isinstance(module, nn.BCELoss):
        x = x * 0.9 + 0.05          # away from the ends, where differences would leave [0, 1]
    x.requires_grad = True
    weights = tg.tensor(np.random.default_rng(7).standard_normal(module(x, *others).shape))
    assert tg.gradcheck(lambda x: (module(x, *others) * weights).sum(), x)


def test_every_function_module_is_among_the_cases():
    kinds = {type(case[0]) for case in CASES}
    for name in nn.__all__:
        kind = getattr(nn, name)
        if isinstance(kind, type) and issubclass(kind, FunctionModule):
            assert kind in kinds, name


def test_every_setting_is_checked():
    for case in CASES:
        module = case[0]
        for name in getattr(module, "settings", ()):
            assert name in {*CHECKS, *WINDOWS, *module.own_checks, "output_size"}, (module, name)


def test_functions_of_the_users_become_modules():
    def powered(x, y, power, shift=0):
        return (x - y) ** power + shift

    class Powered(FunctionModule, function=powered, power=2):
        pass

    assert Powered(3)(tg.tensor(5.0), tg.tensor(3.0)).item() == 8
    assert repr(Powered()) == "Powered(power=2)"

    def skipping(x, a, b, c):
        return x

    with pytest.raises(ArgumentError, match="Skipping: its settings leave out a parameter"):
        class Skipping(FunctionModule, function=skipping, a=1, c=2):
            pass


def test_signatures_are_those_of_the_settings():
    assert str(inspect.signature(nn.ELU)) == "(alpha=1.0, inplace=False)"
    assert str(inspect.signature(nn.Softmax)) == "(axis)"
    assert str(inspect.signature(nn.Tanh)) == "()"
    assert str(inspect.signature(nn.BCEWithLogitsLoss)) == (
        "(weight=None, reduction='mean', pos_weight=None)"
    )
    assert nn.ELU.__init__.__qualname__ == "ELU.__init__"

    class Mine(nn.ELU):
        def __init__(self, strength):
            super().__init__(alpha=strength)

    assert str(inspect.signature(Mine)) == "(strength)"
    assert Mine(2.0).alpha == 2.0 and repr(Mine(2.0)) == "Mine(alpha=2.0)"
    assert Mine(2.0)(tg.tensor(-1.0)).item() == pytest.approx(2 * np.expm1(-1))


def test_settings_are_attributes_that_count():
    layer = nn.LeakyReLU(0.5)
    layer.negative_slope = 0.25
    assert layer(tg.tensor(-4.0)).item() == -1
    assert nn.MaxPool2d(2, ceil_mode=True).ceil_mode is True and nn.MaxPool2d(2).stride is None


def test_weights_of_losses_are_buffers():
    loss = nn.CrossEntropyLoss(weight=tg.tensor([1.0, 2.0]))
    assert list(loss.state_dict()) == ["weight"] and list(loss.parameters()) == []
    assert loss.float().weight.dtype == np.float32
    assert list(nn.CrossEntropyLoss().state_dict()) == [] and nn.CrossEntropyLoss().weight is None


@pytest.mark.parametrize(("module", "text"), [
    (nn.ReLU(inplace=True), "ReLU()"), (nn.ELU(), "ELU(alpha=1.0)"), (nn.SiLU(), "SiLU()"),
    (nn.Softplus(beta=2), "Softplus(beta=2)"), (nn.Softplus(threshold=2),
     "Softplus(beta=1.0, threshold=2)"),
    (nn.MaxPool2d((2, 3), stride=1), "MaxPool2d(kernel_size=(2, 3), stride=1)"),
    (nn.CrossEntropyLoss(), "CrossEntropyLoss()"), (nn.MSELoss(), "MSELoss(reduction='mean')"),
    (nn.NLLLoss([1, 2]), "NLLLoss(weight of shape (2,))"), (nn.Dropout(0.1), "Dropout(p=0.1)"),
    (nn.PReLU(3), "PReLU(num_parameters=3)"), (nn.Softmax(1), "Softmax(axis=1)"),
    (nn.ConstantPad1d(1, 2.0), "ConstantPad1d((1, 1), value=2.0)"), (nn.Threshold(0, 1),
     "Threshold(threshold=0, value=1)"),
])
def test_repr_shows_what_matters(module, text):
    assert repr(module) == text


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: nn.ELU("x"), ArgumentError, "ELU: alpha is 'x': it is a number"),
    (lambda: nn.ELU(1, 2, 3), ArgumentError, "ELU: too many positional arguments: the signature is ELU"),
    (lambda: nn.ELU(beta=1), ArgumentError, "ELU: unknown keyword 'beta': the signature is ELU"),
    (lambda: nn.Softmax(), ArgumentError, "Softmax: missing a required argument: 'axis'"),
    (lambda: nn.Softmax(dim=1, axis=1), ArgumentError, "axis is given twice"),
    (lambda: nn.Softmax(1.5), ArgumentError, "Softmax: axis is 1.5"),
    (lambda: nn.ReLU(inplace=3), ArgumentError, "ReLU: inplace is 3: it is True or False"),
    (lambda: nn.ReLU6(inplace="no"), ArgumentError, "ReLU6: inplace is 'no'"),
    (lambda: nn.GELU("erf"), ArgumentError, "GELU: approximate is 'erf': it is 'none' or 'tanh'"),
    (lambda: nn.PReLU(0), RangeError, "PReLU: num_parameters is 0"),
    (lambda: nn.MSELoss("average"), ArgumentError,
     "MSELoss: reduction is 'average': it is 'mean', 'sum' or"),
    (lambda: nn.MSELoss(False), ArgumentError, "MSELoss: reduction is False"),
    (lambda: nn.KLDivLoss("batch"), ArgumentError, "KLDivLoss: reduction is 'batch'"),
    (lambda: nn.CrossEntropyLoss(label_smoothing=2), RangeError,
     "CrossEntropyLoss: label_smoothing is 2"),
    (lambda: nn.CrossEntropyLoss(weight="x"), DTypeError, "CrossEntropyLoss: weight"),
    (lambda: nn.HuberLoss(delta=-1), RangeError, "HuberLoss: delta is -1"),
    (lambda: nn.MaxPool2d(0), RangeError, "MaxPool2d: kernel_size is 0: it is at least 1"),
    (lambda: nn.MaxPool2d((1, 2, 3)), ArgumentError,
     "MaxPool2d: kernel_size is .*: pass one number, or 2"),
    (lambda: nn.MaxPool1d(2, padding=-1), RangeError, "MaxPool1d: padding is -1"),
    (lambda: nn.AvgPool2d(2, stride=0), RangeError, "AvgPool2d: stride is 0"),
    (lambda: nn.AvgPool2d(2, divisor_override=0), RangeError, "AvgPool2d: divisor_override is 0"),
    (lambda: nn.AdaptiveAvgPool2d((1, 0)), RangeError, "AdaptiveAvgPool2d: output_size is 0"),
    (lambda: nn.AdaptiveAvgPool1d((1, 2)), ArgumentError, "AdaptiveAvgPool1d: output_size"),
    (lambda: nn.ZeroPad2d((1, 2)), ArgumentError,
     r"ZeroPad2d: padding is \(1, 2\): pass one number, or 4"),
    (lambda: nn.ConstantPad1d(1, "x"), ArgumentError, "ConstantPad1d: value is 'x'"),
    (lambda: nn.Dropout(1.5), RangeError, "Dropout: p is 1.5: it lies between 0 and 1"),
    (lambda: nn.Dropout2d("x"), RangeError, "Dropout2d: p is 'x'"),
    (lambda: nn.Dropout(generator=5), ArgumentError, "Dropout: generator is a int"),
    (lambda: nn.Unflatten(1, (2, -3)), RangeError, "Unflatten: unflattened_size is -3"),
])
def test_bad_settings_are_refused_with_their_name(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_call_that_does_not_fit_names_the_function():
    with pytest.raises(TensorError, match="mse_loss"):
        nn.MSELoss()(tg.ones(2))
    with pytest.raises(TensorError, match="sigmoid"):
        nn.Sigmoid()()


# ------------------------------------------------------------------------------------------ dropout

@pytest.mark.parametrize(("kind", "shape", "whole"), [
    (nn.Dropout, (200, 50), ()), (nn.Dropout1d, (50, 40, 7), (2,)),
    (nn.Dropout2d, (50, 40, 3, 4), (2, 3)),
])
def test_dropout_leaves_out_and_makes_up_for_it(kind, shape, whole):
    layer = kind(0.25, generator=np.random.default_rng(0))
    x = tg.ones(*shape, requires_grad=True)
    y = layer(x)
    values = y.detach().numpy()
    np.testing.assert_allclose(np.unique(values), [0, 4 / 3])
    assert (values == 0).mean() == pytest.approx(0.25, abs=0.03)
    if whole:
        assert (values.min(whole) == values.max(whole)).all()
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), values)
    assert layer.eval()(x) is x and kind(0.0)(x) is x
    assert not kind(1.0)(x).detach().numpy().any()
    again = kind(0.25, generator=np.random.default_rng(0))
    np.testing.assert_array_equal(again(x).detach().numpy(), values)
    tg.manual_seed(3)
    first = kind()(x).tolist()
    tg.manual_seed(3)
    assert kind()(x).tolist() == first
