"""Masks of one bit: against NumPy's own packing, and against `relu` itself."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import kernels
from tinygrad_relu.errors import ShapeError

EDGES = [np.nan, -0.0, 0.0, np.inf, -np.inf, 1.0, -1.0, 5e-324, -5e-324]


def packed(x):
    return np.packbits(~(x <= 0), axis=None, bitorder="little")


def check(x, signal):
    y, mask = kernels.relu_with_mask(x)
    np.testing.assert_array_equal(y, kernels.relu(x))
    np.testing.assert_array_equal(np.signbit(y), np.signbit(kernels.relu(x)))
    np.testing.assert_array_equal(mask, packed(x))
    passed = kernels.apply_mask(signal, mask)
    assert passed.dtype == signal.dtype
    np.testing.assert_array_equal(passed, np.where(x <= 0, signal.dtype.type(0), signal))
    assert not np.signbit(passed[x <= 0]).any()
    np.testing.assert_array_equal(kernels.unpacked_mask(mask, x.shape), ~(x <= 0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_length_and_offset(dtype, rng):
    base, signal = rng.standard_normal((2, 700)).astype(dtype)
    base[::4] = rng.choice(np.array(EDGES, dtype), base[::4].size)
    signal[::6] = rng.choice(np.array(EDGES, dtype), signal[::6].size)
    for length in (*range(68), 511, 512, 513, 600):
        for offset in range(4):
            check(base[offset : offset + length], signal[offset : offset + length])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble, np.int32, ">f8"])
def test_any_dtype_and_layout(dtype, rng):
    x = (rng.standard_normal((6, 7, 5)) * 3).astype(dtype)
    for view in (x, x.T, x[::2, :, ::-1], x[:0], np.broadcast_to(x[:, :1], x.shape)):
        check(view, np.asarray(rng.standard_normal(view.shape)))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_large_arrays_on_several_threads(threads, rng):
    with kernels.num_threads(threads):
        for size in (1_000_003, 5_000_007):
            check(rng.standard_normal(size), rng.standard_normal(size))


@pytest.mark.parametrize(
    "mask", [np.zeros(1, np.uint8), np.zeros(2, np.int8), np.zeros((1, 2), np.uint8)]
)
def test_a_mask_of_something_else_is_refused(mask):
    with pytest.raises(ShapeError, match="mask has"):
        kernels.apply_mask(np.zeros(9), mask)
    with pytest.raises(ShapeError, match="mask has"):
        tg.apply_mask(tg.zeros(9), mask)


@pytest.mark.parametrize(("dtype", "share"), [(np.float32, 32), (np.float64, 64)])
def test_one_bit_is_all_that_is_kept(dtype, share, rng):
    x = tg.tensor(rng.standard_normal((64, 100)).astype(dtype), requires_grad=True)
    y, mask = tg.relu_with_mask(x)
    kept = [value for value in y.grad_fn.saved_values if value is not None]
    assert len(kept) == 1
    assert kept[0].numpy().nbytes * share == x.detach().numpy().nbytes
    weights = rng.standard_normal((64, 100)).astype(dtype)
    (y * weights).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.where(x.detach().numpy() > 0, weights, 0))
    np.testing.assert_array_equal(mask.numpy(), packed(x.detach().numpy()))


def test_a_mask_that_was_changed_is_found(rng):
    x = tg.tensor(rng.standard_normal(16), requires_grad=True)
    y, mask = tg.relu_with_mask(x)
    mask[0] = 255
    with pytest.raises(tg.errors.MutationError, match="changed in place"):
        y.sum().backward()
