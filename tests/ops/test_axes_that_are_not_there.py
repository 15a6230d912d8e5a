"""No axes: the empty tuple, tensors without axes, axes of length 0."""

import numpy as np
import pytest

import tinygrad_relu as tg
import tinygrad_relu.numpy as tnp
from tinygrad_relu.errors import ArgumentError, ShapeError

F = tg.nn.functional
X = np.array([[1.0, 4.0, 2.0], [0.5, 3.0, 7.0]])


@pytest.mark.parametrize("name", ["sum", "mean", "var", "std", "amax", "amin", "nansum", "nanmean", "prod"])
def test_the_empty_tuple_names_all_axes_in_torchs_dialect(name):
    function = getattr(tg, name)
    x, whole = (tg.tensor(X, requires_grad=True) for _ in range(2))
    y = function(x, dim=())
    y.backward()
    function(whole).backward()
    assert y.shape == () and y.item() == function(whole).item()
    np.testing.assert_array_equal(x.grad.numpy(), whole.grad.numpy())
    assert function(x, dim=(), keepdim=True).shape == (1, 1)
    assert getattr(tg.tensor([[1, 2]]).float(), name)(()).shape == ()


@pytest.mark.parametrize("name", ["var", "std"])
def test_of_layouts_that_have_no_loop_too(name):
    x = tg.tensor(X)
    assert np.isclose(getattr(x.T, name)(dim=()).item(), getattr(X, name)(ddof=1))


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize(
    "name",
    ["sum", "prod", "all", "any", "max", "min", "ptp", "mean", "var", "std", "nansum", "nanprod", "nanmean",
     "nanvar", "nanstd", "nanmax", "nanmin", "median", "count_nonzero", "average"],
)
def test_the_empty_tuple_names_no_axis_in_numpys_dialect(name, keepdims):
    if name == "count_nonzero":
        expected = (X != 0).astype(int)     # NumPy's own takes no empty tuple
    else:
        expected = getattr(np, name)(X, axis=(), keepdims=keepdims)
    for found in (
        getattr(tnp, name)(X, axis=(), keepdims=keepdims),
        getattr(np, name)(tg.tensor(X), axis=(), keepdims=keepdims),
    ):
        np.testing.assert_array_equal(found.numpy(), expected)


def test_ufuncs_reduce_as_numpy():
    x = tg.tensor(X)
    for ufunc in (np.add, np.multiply, np.maximum, np.minimum):
        for axis in (0, 1, (0, 1), (), None):
            np.testing.assert_allclose(ufunc.reduce(x, axis=axis).numpy(), ufunc.reduce(X, axis=axis))


@pytest.mark.parametrize("name", ["sum", "max", "mean", "std", "nanmin", "count_nonzero"])
def test_a_list_of_axes_is_none_of_numpys(name):
    with pytest.raises(ArgumentError, match=f"{name}: axis is"):
        getattr(tnp, name)(X, axis=[0])


VALUE_AND_PLACE = ["max", "min", "sort", "median", "nanmedian", "mode", "cummax", "cummin"]


@pytest.mark.parametrize("axis", [0, -1])
def test_a_number_is_a_vector_of_one_element(axis):
    for name in VALUE_AND_PLACE:
        x = tg.tensor(3.0, requires_grad=True)
        value, place = getattr(x, name)(axis)
        assert value.shape == place.shape == () and value.item() == 3.0 and place.item() == 0, name
        value.backward()
        assert x.grad.item() == 1.0, name
        with pytest.raises(ShapeError, match=name):
            getattr(x, name)(1)
    for name in ("topk", "kthvalue"):
        value, place = getattr(tg.tensor(3.0), name)(1, axis)
        assert value.shape == place.shape == () and value.item() == 3.0
    for name in ("cumsum", "cumprod", "logcumsumexp"):
        x = tg.tensor(3.0, requires_grad=True)
        y = getattr(tg, name)(x, axis)
        y.backward()
        assert y.shape == () and np.isclose(y.item(), 3.0) and x.grad.item() == 1.0
    assert tg.tensor(3.0).argsort(axis).tolist() == 0
    assert tg.tensor(3.0).quantile(0.5, axis).tolist() == 3.0
    assert tg.tensor(3.0).quantile(tg.tensor([0.5]), axis).tolist() == [3.0]
    assert np.isnan(tg.tensor(3.0).var(axis).item()) and tg.tensor(3.0).var(axis, 0).item() == 0.0


def test_numbers_in_numpys_dialect():
    x = tg.tensor(3.0)
    assert np.cumsum(x, axis=0).tolist() == np.cumsum(np.array(3.0), axis=0).tolist() == [3.0]
    assert np.cumprod(x, axis=-1).tolist() == [3.0]
    for call in (
        lambda x: np.mean(x, axis=0), lambda x: np.var(x, axis=0), lambda x: np.std(x, axis=-1),
        lambda x: np.average(x, axis=0), lambda x: np.sort(x), lambda x: np.cumsum(x, axis=1),
        lambda x: np.median(x, axis=0),
    ):
        with pytest.raises(np.exceptions.AxisError):
            call(np.array(3.0))
        with pytest.raises(ShapeError, match="axis"):
            call(x)
    assert np.sum(x, axis=0).item() == np.sum(np.array(3.0), axis=0)
    assert np.argsort(x).tolist() == np.argsort(np.array(3.0)).tolist()


@pytest.mark.parametrize("name", ["quantile", "percentile", "median", "max", "sum"])
def test_other_axes_may_be_empty(name):
    arguments = [[0.25, 0.5]] if "ile" in name else []
    expected = getattr(np, name)(np.zeros((3, 0)), *arguments, axis=0)
    found = getattr(np, name)(tg.zeros(3, 0), *arguments, axis=0)
    assert found.shape == expected.shape and found.dtype == expected.dtype


def test_quantiles_of_no_elements_still_raise():
    assert tg.quantile(tg.zeros(3, 0, 2), 0.5, 0, keepdim=True).shape == (1, 0, 2)
    for axis in (1, None):
        with pytest.raises(ShapeError, match="quantile: no elements"):
            tg.quantile(tg.zeros(3, 0), 0.5, axis)


@pytest.mark.parametrize(
    "pool, shape, expected",
    [
        (lambda x: F.max_pool1d(x, 2), (0, 2, 4), (0, 2, 2)),
        (lambda x: F.max_pool2d(x, 2), (0, 2, 4, 6), (0, 2, 2, 3)),
        (lambda x: F.adaptive_max_pool2d(x, 2), (0, 2, 4, 6), (0, 2, 2, 2)),
        (lambda x: F.max_pool2d(x, 2, return_indices=True)[1].double() + F.max_pool2d(x, 2), (2, 0, 4, 4),
         (2, 0, 2, 2)),
    ],
)
def test_pooling_an_empty_batch(pool, shape, expected):
    x = tg.zeros(shape, requires_grad=True)
    y = pool(x)
    y.sum().backward()
    assert y.shape == expected and x.grad.shape == shape
