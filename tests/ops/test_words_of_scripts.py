"""Arguments that scripts for PyTorch and NumPy use, against NumPy or the longer way to say it."""

import numpy as np
import pytest

import tinygrad_relu as tg
import tinygrad_relu.numpy as tnp
from tinygrad_relu.errors import ArgumentError, DTypeError, RangeError

F = tg.nn.functional
rng = np.random.default_rng(3)
X = rng.normal(size=(3, 4))


@pytest.fixture
def floats_are_singles():
    tg.set_default_dtype(tg.float32)
    yield
    tg.set_default_dtype(tg.float64)


@pytest.mark.parametrize("name", ["var", "std", "var_mean", "std_mean"])
def test_unbiased_is_the_older_word_for_a_correction(name):
    function = getattr(tg, name) if "mean" not in name else lambda *a, **k: getattr(tg, name)(*a, **k)[0]
    for unbiased in (True, False):
        expected = getattr(np, name[:3])(X, axis=1, ddof=int(unbiased), keepdims=True)
        found = function(tg.tensor(X), 1, unbiased=unbiased, keepdim=True)
        np.testing.assert_allclose(found.numpy(), expected)
    with pytest.raises(ArgumentError, match="two words"):
        function(tg.tensor(X), correction=0, unbiased=True)


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.int8])
def test_sums_in_a_dtype(dtype):
    x = np.array([[1.75, 2.5], [3.25, -4.0]])
    for name in ("sum", "prod", "cumsum", "cumprod"):
        found = getattr(tg, name)(tg.tensor(x), 0, dtype=dtype)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found.numpy(), getattr(np, name)(x.astype(dtype), 0, dtype=dtype))
    assert tg.tensor(x).sum(dim=1, keepdim=True, dtype=dtype).shape == (2, 1)


def test_means_and_softmax_in_a_dtype():
    x = tg.tensor(X, requires_grad=True)
    y = x.mean(0, dtype=np.float32)
    y.sum().backward()
    assert y.dtype == np.float32 and x.grad.dtype == np.float64
    np.testing.assert_allclose(x.grad.numpy(), 1 / 3, rtol=1e-6)
    with pytest.raises(DTypeError, match="mean: dtype is int64"):
        tg.mean(tg.tensor(X), dtype=np.int64)
    exact = np.exp(X) / np.exp(X).sum(1, keepdims=True)
    for softmax in (tg.softmax, F.softmax, tg.Tensor.softmax):
        y = softmax(tg.tensor(X), 1, dtype=np.float32)
        assert y.dtype == np.float32
        np.testing.assert_allclose(y.numpy(), exact, rtol=1e-6)
    y = F.log_softmax(tg.tensor([[1, 2]]), dim=1, dtype=np.float64)
    np.testing.assert_allclose(np.exp(y.numpy()).sum(), 1.0)


@pytest.mark.parametrize("reduce, ufunc", [("add", np.add), ("multiply", np.multiply)])
def test_what_is_scattered_may_be_added_and_multiplied(reduce, ufunc):
    index, src = np.array([0, 2, 0, 1]), np.array([2.0, 3.0, 5.0, 7.0])
    expected = np.array([1.0, 2.0, 3.0])
    x = tg.tensor(expected, requires_grad=True)
    ufunc.at(expected, index, src)
    y = x.scatter(0, tg.tensor(index), tg.tensor(src), reduce=reduce)
    assert y.tolist() == expected.tolist()
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [1, 1, 1] if reduce == "add" else [10, 7, 3])
    assert tg.ones(3).scatter_(0, tg.tensor([1]), 4.0, reduce=reduce).tolist()[1] == ufunc(1.0, 4.0)
    with pytest.raises(ArgumentError, match="scatter: reduce is 'mean'"):
        x.scatter(0, tg.tensor(index), tg.tensor(src), reduce="mean")


def test_einsum_of_lists_of_axes():
    a, b = rng.normal(size=(2, 3, 4)), rng.normal(size=(4, 5))
    for given in (
        (a, [0, 1, 2], b, [2, 3], [3, 0]), (a, [7, 8, 9], b, [9, 10]), (a, [..., 2], b, [2, 1], [..., 1]),
        (a, [0, 1, 2], []), (b, [1, 0]),
    ):
        tensors = [tg.tensor(x) if isinstance(x, np.ndarray) else x for x in given]
        np.testing.assert_allclose(tg.einsum(*tensors).numpy(), np.einsum(*given))
        np.testing.assert_allclose(tnp.einsum(*given).numpy(), np.einsum(*given))
    for bad in ((tg.ones(2),), (tg.ones(2), 0), (tg.ones(2), [99]), (tg.ones(2), ["i"])):
        with pytest.raises(ArgumentError, match="einsum: "):
            tg.einsum(*bad)


def test_matrices_of_which_one_triangle_is_meant():
    x = rng.normal(size=(2, 3, 3))
    for triangle in "LU":
        values, vectors = tg.linalg.eigh(tg.tensor(x), UPLO=triangle)
        expected = np.linalg.eigh(x, triangle)
        np.testing.assert_allclose(values.numpy(), expected[0])
        np.testing.assert_allclose(np.abs(vectors.numpy()), np.abs(expected[1]))
        np.testing.assert_allclose(tg.linalg.eigvalsh(tg.tensor(x), triangle).numpy(), expected[0])
    with pytest.raises(ArgumentError, match="eigh: UPLO is 'X'"):
        tg.linalg.eigh(tg.tensor(x), "X")
    even = x + x.swapaxes(-1, -2)
    found = tg.linalg.pinv(tg.tensor(even), hermitian=True)
    np.testing.assert_allclose(found.numpy(), np.linalg.pinv(even, hermitian=True))


def test_least_squares_for_a_vector():
    a, b = rng.normal(size=(5, 2)), rng.normal(size=5)
    fit = tg.linalg.lstsq(tg.tensor(a), tg.tensor(b))
    expected = np.linalg.lstsq(a, b)
    np.testing.assert_allclose(fit.solution.numpy(), expected[0])
    np.testing.assert_allclose(fit.residuals.numpy(), expected[1])
    stack = tg.linalg.lstsq(tg.tensor(np.stack([a, 2 * a])), tg.tensor(np.stack([b, b])))
    np.testing.assert_allclose(stack.solution.numpy(), np.stack([expected[0], expected[0] / 2]))


def test_jacobians_by_either_name():
    x = tg.tensor([1.0, 2.0])
    assert tg.func.jacfwd(lambda x: x * x)(x).tolist() == [[2.0, 0.0], [0.0, 4.0]]


def test_blocks_are_numpys():
    a, b, c = np.ones((2, 2)), np.zeros((2, 1)), np.array([1.0, 2.0, 3.0])
    for blocks in ([[a, b], [c[None]]], [c, c], [[c], [c]], a, 5.0, [1.0, 2.0], [[[a]], [[a]]]):
        np.testing.assert_array_equal(tnp.block(blocks).numpy(), np.block(blocks))
    x = tg.tensor([[3.0]], requires_grad=True)
    np.block([[x, 2.0 * x]]).sum().backward()
    assert x.grad.tolist() == [[3.0]]
    for bad in ([], [[a], b], (a, a)):
        with pytest.raises(ArgumentError, match="block: "):
            tnp.block(bad)


def test_select_is_numpys():
    x = np.array([1.0, 5.0, 9.0, 3.0])
    conditions, choices = [x < 2, x < 6, x > 8], [x, 10 * x, np.array(7.0)]
    np.testing.assert_array_equal(tnp.select(conditions, choices, -1.0).numpy(),
                                  np.select(conditions, choices, -1.0))
    t = tg.tensor(x, requires_grad=True)
    np.select([x < 2, x < 6], [t, 10 * t]).sum().backward()
    assert t.grad.tolist() == [1.0, 10.0, 0.0, 10.0]
    with pytest.raises(ArgumentError, match="select: 1 conditions and 2 choices"):
        tnp.select([x < 2], [x, x])
    with pytest.raises(DTypeError, match="select: a condition is float64"):
        tnp.select([x], [x])


def test_places_beyond_an_end_are_numpys():
    x, places = X, np.array([[5, -1], [-9, 2]])
    for mode in ("wrap", "clip"):
        for axis in (None, 0, 1):
            np.testing.assert_array_equal(
                tnp.take(x, places, axis, mode=mode).numpy(), np.take(x, places, axis, mode=mode)
            )
    with pytest.raises(ArgumentError, match="take: mode is 'bounce'"):
        tnp.take(x, [0], mode="bounce")


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("endpoint", [False, True])
def test_even_spaces_are_numpys(axis, endpoint):
    start, stop = np.array([0.0, 1.0]), np.array([1.0, 5.0])
    values, step = np.linspace(start, stop, 4, endpoint, True, axis=axis)
    for ends in ((start, stop), (tg.tensor(start), tg.tensor(stop))):
        found = tnp.linspace(*ends, 4, endpoint, retstep=True, axis=axis)
        np.testing.assert_allclose(found[0].numpy(), values)
        np.testing.assert_allclose(found[1].numpy(), step)


@pytest.mark.usefixtures("floats_are_singles")
def test_python_floats_get_the_default_dtype():
    for made in (
        tg.tensor([1.0]), tg.tensor(1.0), tg.as_tensor([[1, 2.0]]), tg.asarray(2.5), tg.tensor([]),
        tg.tensor([True, 1.5], requires_grad=True), tg.arange(0.0, 1.0, 0.5), tnp.asarray([1.0]),
    ):
        assert made.dtype == np.float32
    for made in (
        tg.tensor(np.ones(2)), tg.tensor([np.float64(1.0)]), tg.tensor([np.ones(2)]),
        tg.as_tensor(np.ones(2)), tg.tensor([1.0], dtype=np.float64),
    ):
        assert made.dtype == np.float64
    assert tg.tensor([1, 2]).dtype == tg.arange(3).dtype == np.int64 and tg.tensor([True]).dtype == bool


def test_floats_beside_singles_keep_these():
    for operands in ((2.5, np.ones(2, np.float32)), (np.ones(2, np.float32), 0.5)):
        assert tnp.heaviside(*operands).dtype == np.heaviside(*operands).dtype == np.float32


def test_generators_of_either_kind_draw():
    generator = tg.Generator(3)
    drawn = tg.multinomial(tg.ones(50), 5, generator=generator)
    again = tg.multinomial(tg.ones(50), 5, generator=np.random.default_rng(3))
    assert drawn.tolist() == again.tolist()
    with pytest.raises(RangeError, match="randperm: count is -1"):
        tg.randperm(-1)


def test_dlpack_of_the_numpy_dialect():
    x = np.ones(2)
    shared, own = tnp.from_dlpack(x), tnp.from_dlpack(x, copy=True)
    x[0] = 5.0
    assert shared.tolist() == [5.0, 1.0] and own.tolist() == [1.0, 1.0]
    with pytest.raises(ArgumentError, match="from_dlpack"):
        tnp.from_dlpack(np.array(["a"]))


def test_flags_are_true_or_false():
    x = tg.ones(1)
    with pytest.raises(ArgumentError, match="requires_grad: 'no' was given"):
        x.requires_grad_("no")
    assert not x.requires_grad and x.requires_grad_(np.True_).requires_grad


def test_errors_have_the_name_that_was_called():
    for call, message in [
        (lambda: tnp.max(X, axis=7), r"^max: axis 7"), (lambda: tnp.amax(X, axis=7), r"^max: axis 7"),
        (lambda: tnp.permute_dims(X, (0, 0)), "^permute_dims: repeated"),
        (lambda: tnp.percentile(X, 200), "^percentile: q is"),
        (lambda: np.quantile(tg.tensor(X), 0.5, method="hazen"), "^quantile: method is 'hazen'"),
        (lambda: tnp.nanquantile(X, 0.5, method="hazen"), "^nanquantile: method is 'hazen'"),
    ]:
        with pytest.raises((ValueError, ArgumentError), match=message):
            call()


def test_means_are_no_integers():
    for name in ("mean", "var", "std"):
        with pytest.raises(DTypeError, match=f"{name}: dtype is int64"):
            getattr(tnp, name)(X, dtype=np.int64)


def test_modules_show_what_they_are_for():
    for module in (tnp.linalg, tg.autograd.functional):
        assert dir(module) == sorted(module.__all__)
