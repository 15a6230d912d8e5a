"""Functions that give floats: of integers and booleans they give the default dtype, as in PyTorch."""

import numpy as np
import pytest

import tinygrad_relu as tg
import tinygrad_relu.numpy as tnp

F = tg.nn.functional
X = np.array([[1, 2], [3, 1]])

#: Each with NumPy's answer for floats.
FUNCTIONS = {
    "exp": (tg.exp, np.exp),
    "sqrt": (tg.sqrt, np.sqrt),
    "sigmoid": (tg.sigmoid, lambda x: 1 / (1 + np.exp(-x))),
    "divide": (lambda x: x / 3, lambda x: x / 3),
    "of two": (lambda x: x / x.T, lambda x: x / x.T),
    "reflected": (lambda x: 1 / x, lambda x: 1 / x),
    "float beside": (lambda x: x * 2.5, lambda x: x * 2.5),
    "chosen": (lambda x: tg.where(x > 1, 1.5, 0.0), lambda x: np.where(x > 1, 1.5, 0.0)),
    "mean": (tg.mean, np.mean),
    "mean along": (lambda x: x.mean(0), lambda x: x.mean(0)),
    "std": (tg.std, lambda x: np.std(x, ddof=1)),
    "logsumexp": (lambda x: tg.logsumexp(x, 0), lambda x: np.log(np.exp(x).sum(0))),
    "softmax": (lambda x: tg.softmax(x, 0), lambda x: np.exp(x) / np.exp(x).sum(0)),
    "mse_loss": (lambda x: F.mse_loss(x, x.T), lambda x: ((x - x.T) ** 2).mean()),
    "l1_loss": (lambda x: F.l1_loss(x, x.T), lambda x: np.abs(x - x.T).mean()),
    "xlogy": (lambda x: tg.xlogy(x, x), lambda x: x * np.log(x)),
    "copysign": (lambda x: tg.copysign(x, x), lambda x: x),
    "ldexp": (lambda x: tg.ldexp(x, x), lambda x: x * 2.0**x),
    "norm": (lambda x: tg.linalg.vector_norm(x), lambda x: np.sqrt((x**2).sum())),
    "the other dialect": (tnp.exp, np.exp),
}


@pytest.fixture
def default_dtype(request):
    before = tg.get_default_dtype()
    tg.set_default_dtype(request.param)
    yield np.dtype(request.param)
    tg.set_default_dtype(before)


@pytest.mark.parametrize(
    ("default_dtype", "dtype"),
    [("float32", "int64"), ("float32", "int32"), ("float32", "uint8"), ("float64", "int64")],
    indirect=["default_dtype"],
)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_integers_give_the_default_dtype(name, dtype, default_dtype):
    function, of_floats = FUNCTIONS[name]
    found = function(tg.tensor(X.astype(dtype)))
    assert found.dtype == default_dtype
    np.testing.assert_allclose(
        found.numpy(), of_floats(X.astype(float)), rtol=8 * np.finfo(default_dtype).eps
    )


@pytest.mark.parametrize("default_dtype", ["float32", "float64"], indirect=True)
def test_floats_keep_their_dtype(default_dtype):
    for dtype in (np.float32, np.float64, np.float16):
        x = tg.tensor(X.astype(dtype))
        for y in (tg.exp(x), x / 3, x.mean(), x.T + 1, tg.where(x > 1, x, 0.0), tg.exp(x.numpy())):
            assert y.dtype == dtype


@pytest.mark.parametrize("default_dtype", ["float32"], indirect=True)
def test_what_is_asked_for_is_given(default_dtype):
    x = tg.tensor(X)
    assert x.double().dtype == x.to(tg.float64).dtype == np.float64
    assert x.mean(dtype=tg.float64).dtype == np.float64
    assert tg.float_power(x, 2).dtype == np.float64
    assert (x + 1).dtype == (x // 2).dtype == x.sum().dtype == np.int64
    assert (x == 1).dtype == tg.isfinite(x).dtype == bool


@pytest.mark.parametrize("default_dtype", ["float32"], indirect=True)
def test_pythons_floats_get_it(default_dtype):
    assert tg.exp(1.0).dtype == np.float32
    assert tg.exp(np.float64(1.0)).dtype == np.float64


@pytest.mark.parametrize("default_dtype", ["float32"], indirect=True)
def test_bytes_are_not_computed_with_in_halves(default_dtype):
    x = tg.tensor([0, 12, 80], dtype=tg.uint8)      # NumPy's own answer to 12 is infinite
    np.testing.assert_allclose(x.exp().numpy(), np.exp([0.0, 12.0, 80.0]), rtol=1e-6)
    np.testing.assert_allclose(tg.tensor([True, False]).cos().numpy(), np.cos([1.0, 0.0]), rtol=1e-7)


@pytest.mark.parametrize("default_dtype", ["float32"], indirect=True)
def test_gradients_beside_integers(default_dtype):
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    (x * (tg.tensor([3, 5]) / 2)).sum().backward()
    assert x.grad.dtype == np.float32 and x.grad.tolist() == [1.5, 2.5]
