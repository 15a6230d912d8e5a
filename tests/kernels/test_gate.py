"""The gate against its definition, written here once more in plain Python."""

import math
import os
import threading
from array import array

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_relu import kernels
from tinygrad_relu.errors import ArgumentError, DTypeError, ShapeError, TensorError

NAN, INF = math.nan, math.inf
EDGES = [NAN, -0.0, 0.0, INF, -INF, 1.0, -1.0, 5e-324, -5e-324, 2.2e-308, 1.7e308, -1.7e308, 1.5]
DTYPES = [np.float32, np.float64]


def gate_by_definition(signal, control, t0, a0, a1):
    """Return the gate of single numbers: the reference that the kernels are held to."""
    dtype = np.asarray(signal).dtype.type
    if math.isnan(control):
        return signal * dtype(a1)
    slope = a1 if control > t0 else a0
    return dtype(0.0) if slope == 0 else signal * dtype(slope)


def by_definition(signal, control, t0, a0, a1):
    operands = np.broadcast_arrays(signal, control, t0, a0, a1)
    result = np.empty(operands[0].shape, np.asarray(signal).dtype)
    with np.errstate(all="ignore"):
        for index in np.ndindex(result.shape):
            result[index] = gate_by_definition(*(operand[index] for operand in operands))
    return result


def same_bits(a, b):
    """Tell whether two arrays are equal bit for bit, with all NaN alike."""
    a, b = np.asarray(a), np.asarray(b)
    unsigned = np.uint32 if a.dtype == np.float32 else np.uint64
    return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(
        np.where(np.isnan(a), 0, np.ascontiguousarray(a).view(unsigned)) + np.isnan(a),
        np.where(np.isnan(b), 0, np.ascontiguousarray(b).view(unsigned)) + np.isnan(b),
    )


def edges(dtype):
    with np.errstate(over="ignore"):
        return np.array(EDGES, dtype)


# ------------------------------------------------------------------------------- truth table

@pytest.mark.parametrize("dtype", DTYPES)
def test_relu_truth_table(dtype):
    x = edges(dtype)
    y = kernels.relu(x)
    assert y.dtype == dtype
    assert same_bits(y, by_definition(x, x, 0.0, 0.0, 1.0))
    assert not np.signbit(y[~np.isnan(y)]).any()     # every zero is +0.0
    assert np.isnan(y[0]) and y[4] == 0              # NaN stays, -inf does not become NaN


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("t0", [0.0, 1.0, -1.0, INF, -INF, 1.5])
@pytest.mark.parametrize("a0", [0.0, 0.1, -2.0, 1.0])
@pytest.mark.parametrize("a1", [1.0, 0.0, 2.0, -0.5])
def test_thresholded_relu_truth_table(dtype, t0, a0, a1):
    x = edges(dtype)
    expected = by_definition(x, x, t0, a0, a1)
    assert same_bits(kernels.thresholded_relu(x, t0, a0, a1), expected)
    # Slopes per element take another loop, and give the same.
    full = [np.full(x.shape, v, dtype) for v in (t0, a0, a1)]
    assert same_bits(kernels.thresholded_relu(x, *full), expected)
    assert same_bits(kernels.thresholded_relu(np.repeat(x, 2)[::2], t0, a0, a1), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_backward_truth_table(dtype):
    dout, x = (v.ravel() for v in np.meshgrid(edges(dtype), edges(dtype)))
    assert same_bits(kernels.relu_backward(dout, x), by_definition(dout, x, 0.0, 0.0, 1.0))
    assert same_bits(
        kernels.thresholded_relu_backward(dout, x, 1.0, 0.3, 2.0),
        by_definition(dout, x, 1.0, 0.3, 2.0),
    )


def test_the_gate_is_shut_at_the_threshold():
    assert kernels.thresholded_relu(np.array([1.0]), 1.0, 0.1, 2.0)[0] == 0.1
    assert kernels.relu_backward(np.array([7.0]), np.array([0.0]))[0] == 0.0


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_length_and_offset(dtype, rng):
    base = rng.standard_normal(200).astype(dtype)
    for length in range(68):
        for offset in range(4):
            x = base[offset : offset + length]
            assert same_bits(kernels.relu(x), np.where(x > 0, x, dtype(0)))
            assert same_bits(kernels.relu(x[::-1]), np.where(x > 0, x, dtype(0))[::-1])


# -------------------------------------------------------------------------- layouts and overlap

@pytest.mark.parametrize("dtype", DTYPES)
def test_any_layout(dtype, rng):
    x = rng.standard_normal((6, 7, 8)).astype(dtype)
    for view in (x.T, x[::2, ::-1, 1:5], x[:, 3], np.broadcast_to(x[:, :1], x.shape), x[:0], x[0, 0, 0]):
        view = np.asarray(view)
        assert same_bits(kernels.relu(view), np.where(view > 0, view, dtype(0)))
        assert same_bits(
            kernels.thresholded_relu(view, 0.2, 0.5, 3.0),
            by_definition(view, view, 0.2, 0.5, 3.0),
        )


def test_read_only_and_foreign_byte_order(rng):
    x = rng.standard_normal(10)
    x.flags.writeable = False
    swapped = x.astype(x.dtype.newbyteorder())
    assert same_bits(kernels.relu(x), np.maximum(x, 0))
    assert np.array_equal(kernels.relu(swapped), np.maximum(x, 0))


def test_unaligned_memory(rng):
    memory = np.zeros(8 * 11, np.uint8)
    x = memory[1 : 1 + 80].view(np.float64)
    x[:] = rng.standard_normal(10)
    assert not x.flags.aligned
    assert same_bits(kernels.relu(x), np.maximum(x, 0))


def test_thresholds_and_slopes_broadcast(rng):
    x = rng.standard_normal((4, 5))
    t0, a0, a1 = rng.standard_normal(5), rng.standard_normal((4, 1)), rng.standard_normal((1, 1))
    expected = by_definition(x, x, t0, a0, a1)
    assert same_bits(kernels.thresholded_relu(x, t0, a0, a1), expected)
    dout = rng.standard_normal(5)       # broadcasts as well
    assert same_bits(
        kernels.thresholded_relu_backward(dout, x, t0, a0, a1),
        by_definition(np.broadcast_to(dout, x.shape), x, t0, a0, a1),
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [5, 1000, 300_003])
def test_out_may_be_the_input_or_overlap_it(dtype, size, rng):
    values = rng.standard_normal(size + 3).astype(dtype)
    expected = np.maximum(values, 0)

    x = values.copy()
    assert kernels.relu(x, out=x) is x
    assert same_bits(x, expected)

    for source, target in ((slice(0, -3), slice(3, None)), (slice(3, None), slice(0, -3))):
        x = values.copy()
        kernels.relu(x[source], out=x[target])
        assert same_bits(x[target], expected[source])

    x = values.copy()
    kernels.relu(x, out=x[::-1])
    assert same_bits(x[::-1], expected)

    for place in (0, 1):
        pair = [values.copy(), values[::-1].copy()]
        right = by_definition(pair[0][:50], pair[1][:50], 0.0, 0.0, 1.0)
        result = kernels.relu_backward(*pair, out=pair[place])
        assert result is pair[place]
        assert same_bits(result[:50], right)


def test_out_of_other_layout_and_dtype(rng):
    x = rng.standard_normal((3, 4))
    out = np.empty((4, 3)).T
    assert kernels.relu(x, out=out) is out
    assert same_bits(out, np.maximum(x, 0))
    wide = np.empty((3, 4), np.float64)
    kernels.relu(x.astype(np.float32), out=wide)
    assert np.array_equal(wide, np.maximum(x.astype(np.float32), 0))


# -------------------------------------------------------------------------------- other dtypes

@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64, np.uint8, np.bool_, np.float16])
def test_other_dtypes_give_numpys_answer(dtype):
    x = np.array([0, 1, 2, 100, 0]).astype(dtype) if dtype in (np.uint8, np.bool_) else (
        np.array([-3, -1, 0, 1, 100]).astype(dtype)
    )
    dout = np.arange(5).astype(dtype)
    for ours, theirs in [
        (kernels.relu(x), np.maximum(x, 0)),
        (kernels.relu_backward(dout, x), np.where(x > 0, dout, 0)),
        (kernels.thresholded_relu(x, 1, 0.5, 2.0), np.where(x > 1, x * 2.0, x * 0.5)),
    ]:
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def test_python_numbers_do_not_widen_float32():
    x = np.ones((3, 3), np.float32)
    assert kernels.thresholded_relu(x, 0, 1, 2).dtype == np.float32
    assert kernels.thresholded_relu(x.T[::2], 0.5, 0.1).dtype == np.float32


def test_lists_are_taken():
    np.testing.assert_array_equal(kernels.relu([[-1.0, 2.0]]), [[0.0, 2.0]])


# ---------------------------------------------------------------------------- large and parallel

@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "size", [65_536, 786_431, 786_432, 786_433, 1_000_003, 1_572_863, 1_572_864, 1_572_865]
)
def test_large_arrays_around_the_grain(dtype, size, rng):
    x = rng.standard_normal(size).astype(dtype)
    x[:: size // 7] = NAN
    assert same_bits(kernels.relu(x), np.where(x <= 0, dtype(0), x))
    slopes = np.where(x <= 0.5, dtype(0.25), dtype(2))
    assert same_bits(kernels.thresholded_relu(x, 0.5, 0.25, 2.0), x * slopes)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("threads", [1, 3])
def test_results_that_are_written_past_the_cache(dtype, threads, rng):
    size = (40 << 20) // np.dtype(dtype).itemsize + 13
    x = rng.standard_normal(size + 5, dtype)
    x[:: size // 11] = NAN
    with kernels.num_threads(threads):
        for offset in (0, 1, 5):        # of which some are not aligned for streaming
            source = x[offset : offset + size]
            expected = np.where(source <= 0, dtype(0), source)
            assert np.array_equal(kernels.relu(source), expected, equal_nan=True)
            out = np.empty(size + 5, dtype)[offset : offset + size]
            assert np.array_equal(kernels.relu(source, out=out), expected, equal_nan=True)
        slopes = np.where(x <= 0.5, dtype(0.25), dtype(2))
        y = kernels.thresholded_relu(x, 0.5, 0.25, 2.0)
        assert np.array_equal(y, x * slopes, equal_nan=True)
        dx = kernels.relu_backward(x[::-1].copy(), x)
        assert np.array_equal(dx, np.where(x <= 0, dtype(0), x[::-1]), equal_nan=True)
        overlapping = x.copy()
        kernels.relu(overlapping[:-3], out=overlapping[3:])
        assert np.array_equal(overlapping[3:], np.where(x <= 0, dtype(0), x)[:-3], equal_nan=True)


@pytest.mark.skipif("TINYGRAD_RELU_LARGE" not in os.environ, reason="takes 9 GB: set TINYGRAD_RELU_LARGE")
def test_more_elements_than_32_bits_can_count():
    x = np.zeros(2**31 + 11, np.float32)
    x[[5, 2**31 - 1, 2**31 + 1, -1]] = [-4, -3, 7, NAN]
    kernels.relu(x, out=x)
    assert x[5] == x[2**31 - 1] == 0 and x[2**31 + 1] == 7 and np.isnan(x[-1])
    kernels.thresholded_relu(x, 1.0, 0.5, 2.0, out=x)
    kernels.gate_view(x, x, x, 0.0, 0.0, 0.5)
    assert x[2**31 + 1] == 7 and np.isnan(x[-1])


def test_kernels_run_in_several_threads_at_once(rng):
    inputs = [rng.standard_normal(300_000) for _ in range(4)]
    results = [None] * 4

    def work(k):
        for _ in range(5):
            results[k] = kernels.relu(inputs[k])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for x, y in zip(inputs, results):
        assert same_bits(y, np.maximum(x, 0))


# ------------------------------------------------------------------------------ memoryview door

def test_gate_view_takes_anything_that_exports_a_buffer():
    x, y = array("f", [-1.0, 0.0, 2.0]), array("f", [9.0, 9.0, 9.0])
    kernels.gate_view(x, x, y, 0.0, 0.5, 1.0)
    assert list(y) == [-0.5, 0.0, 2.0]
    with pytest.raises(ShapeError, match="3, 3 and 2 elements"):
        kernels.gate_view(x, x, array("f", [0.0, 0.0]))
    kernels.gate_view(array("d"), array("d"), array("d"))


def test_gate_view_is_parallel_and_right_on_large_views(rng):
    x = rng.standard_normal(300_001)
    y = np.empty_like(x)
    kernels.gate_view(x, x, y, 0.0, 0.0, 1.0)
    assert same_bits(y, np.maximum(x, 0))


# ----------------------------------------------------------------------------------- bad input

def test_bad_input_raises_and_changes_nothing():
    x = np.ones((2, 3))
    out = np.full((2, 2), 7.0)
    with pytest.raises(ShapeError, match=r"relu.*\(2, 3\).*\(2, 2\)"):
        kernels.relu(x, out=out)
    assert (out == 7).all()
    with pytest.raises(ShapeError, match="do not fit"):
        kernels.relu_backward(np.ones(4), x)
    with pytest.raises(DTypeError, match="no order"):
        kernels.relu(np.ones(2, complex))
    with pytest.raises(DTypeError, match="no order"):
        kernels.thresholded_relu(np.ones(2, complex), 0.0)
    with pytest.raises(ArgumentError, match="out is a list"):
        kernels.thresholded_relu(x, 0.0, out=[1.0])
    frozen = np.zeros((2, 3))
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        kernels.relu(x, out=frozen)
    with pytest.raises(TypeError):
        kernels.relu(x, out=np.zeros((2, 3), np.int64))


# --------------------------------------------------------------------- whatever people come up with

numbers = st.floats(width=32) | st.sampled_from(EDGES)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(numbers, min_size=1, max_size=12), numbers.filter(lambda v: v == v),
    st.floats(-4, 4, width=32), st.floats(-4, 4, width=32), st.sampled_from(DTYPES),
    st.sampled_from([1, 2, -1]),
)
def test_any_values_slopes_and_strides(values, t0, a0, a1, dtype, stride):
    with np.errstate(over="ignore"):
        x = np.array(values).astype(dtype)[::stride]
        t0 = float(dtype(t0))       # the kernel compares in the dtype of x
    expected = by_definition(x, x, t0, a0, a1)
    assert same_bits(kernels.thresholded_relu(x, t0, a0, a1), expected)


def test_what_strangers_passed_is_refused_by_our_own_errors():
    x = np.ones(3)
    for call in (
        lambda: kernels.relu([[1.0], [1.0, 2.0]]), lambda: kernels.relu(x, out=[1]),
        lambda: kernels.relu(np.ones(3, int), out=[1]),
        lambda: kernels.relu(np.ones(3, np.float16), out=np.ones(3, int)),
        lambda: kernels.relu_backward([[1.0], [1.0, 2.0]], x), lambda: kernels.relu_with_mask(["a"]),
        lambda: kernels.apply_mask([["a"]], np.zeros(1, np.uint8)),
        lambda: kernels.thresholded_relu(x, 10**400), lambda: kernels.thresholded_relu(x, 0.0, 10**400),
        lambda: kernels.unpacked_mask(np.zeros(1, np.uint8), None),
        lambda: kernels.unpacked_mask(np.zeros(1, np.uint8), (-1, -3)),
        lambda: kernels.unpacked_mask(np.zeros(1, np.uint8), (2**32, 2**32)),
    ):
        with pytest.raises(TensorError):
            call()


def test_column_major_arrays_are_not_copied_first(rng):
    x = np.asfortranarray(rng.standard_normal((300, 200)))
    y = kernels.relu(x)
    assert y.flags.f_contiguous and same_bits(np.ascontiguousarray(y), np.maximum(x, 0) + 0.0)
