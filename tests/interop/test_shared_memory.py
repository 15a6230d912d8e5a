"""Memory shared with NumPy and others: DLPack, and the array interface."""

import gc

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, DTypeError, GraphError

LAYOUTS = {
    "whole": lambda t: t,
    "transposed": lambda t: t.T,
    "backwards": lambda t: t[::-1, ::2],
    "a column": lambda t: t[:, 1],
    "one element": lambda t: t[1, 2],
    "empty": lambda t: t[1:1],
    "repeated": lambda t: tg.asarray(np.broadcast_to(t.numpy()[0], (3, 4))),
}
DTYPES = ["float16", "float32", "float64", "int8", "int64", "uint16", "bool"]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("taken", [np.asarray, np.from_dlpack])
def test_numpy_shares_memory_of_any_layout(layout, taken):
    t = layout(tg.asarray(np.arange(12.0).reshape(3, 4)))
    array, own = taken(t), t.numpy()
    np.testing.assert_array_equal(array, own)
    assert (array.shape, array.strides, array.dtype) == (own.shape, own.strides, own.dtype)
    assert array.flags.writeable == own.flags.writeable
    assert array.size == 0 or np.shares_memory(array, own)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes(dtype):
    t = tg.asarray(np.ones((2, 3), dtype).T)
    for back in (np.asarray(t), np.from_dlpack(t), tg.from_dlpack(np.ones((2, 3), dtype).T).numpy()):
        assert back.dtype == np.dtype(dtype) and back.shape == (3, 2) and (back == 1).all()


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_from_dlpack_shares_memory_of_any_layout(layout):
    array = layout(tg.asarray(np.arange(12.0).reshape(3, 4))).numpy()
    t = tg.from_dlpack(array)
    assert t.shape == array.shape and t.numpy().strides == array.strides
    assert t.numpy().flags.writeable == array.flags.writeable
    if array.size and array.flags.writeable:
        array[...] = 7
        assert (t == 7).all()


def test_the_arguments_of_the_standard():
    t = tg.asarray(np.arange(3.0))
    assert t.__dlpack_device__() == (1, 0)
    assert "versioned" in repr(t.__dlpack__(max_version=(1, 0)))
    assert "versioned" not in repr(t.__dlpack__())
    copied = np.from_dlpack(t, copy=True, device="cpu")
    assert not np.shares_memory(copied, t.numpy())
    assert np.shares_memory(np.from_dlpack(t, copy=False), t.numpy())
    with pytest.raises(BufferError):
        t.__dlpack__(dl_device=(2, 0))
    read_only = tg.asarray(np.broadcast_to(1.0, 3))
    assert not np.from_dlpack(read_only).flags.writeable
    with pytest.raises(BufferError, match="readonly"):
        read_only.__dlpack__()


def test_from_dlpack_with_device_and_copy():
    array = np.arange(3.0)
    assert np.shares_memory(tg.from_dlpack(array, device="cpu", copy=False).numpy(), array)
    assert not np.shares_memory(tg.from_dlpack(array, copy=True).numpy(), array)
    with pytest.raises(ArgumentError, match="from_dlpack: device 'cuda'"):
        tg.from_dlpack(array, device="cuda")


@pytest.mark.parametrize(
    "given, error, words",
    [
        ([1.0, 2.0], ArgumentError, "a list has no __dlpack__"),
        (np.ones(2, ">f8"), ArgumentError, "numpy.ndarray was not handed over"),
        (np.ones(2, complex), DTypeError, "complex"),
    ],
)
def test_what_from_dlpack_refuses(given, error, words):
    with pytest.raises(error, match=words):
        tg.from_dlpack(given)


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize(
    "share", [np.asarray, np.from_dlpack, tg.from_dlpack, lambda t: t.__array_interface__]
)
def test_a_tensor_that_requires_a_gradient_is_not_shared(recorded, share):
    t = tg.ones(2, requires_grad=True)
    with pytest.raises(GraphError, match=r"detach\(\)"):
        share(t * 2 if recorded else t)
    assert (share(t.detach()) is not None) and not t.detach().requires_grad


@pytest.mark.parametrize("step", [1, -2])
def test_shared_memory_outlives_what_the_tensor_is_given(step):
    t = tg.asarray(np.arange(2000.0))
    view = t[::step]
    shared = [np.asarray(view), np.from_dlpack(view)]
    view.data = tg.zeros(view.shape)
    t.data = np.zeros(2000)
    del t, view
    gc.collect()
    others = [np.full(2000, 5.0) for _ in range(50)]
    for array in shared:
        np.testing.assert_array_equal(array, np.arange(2000.0)[::step])
    assert len(others) == 50


def test_changes_in_place_are_seen_on_both_sides():
    t = tg.zeros(3)
    array = np.asarray(t)
    t += 2
    array[0] = 5
    assert t.tolist() == [5, 2, 2]


def test_matplotlib_and_pandas_take_a_detached_tensor():
    figure = pytest.importorskip("matplotlib.figure", reason="matplotlib is not installed")
    axes = figure.Figure().subplots()
    x = tg.arange(4.0)
    (line,) = axes.plot(x, (x * x).detach())
    np.testing.assert_array_equal(line.get_xydata(), [[0, 0], [1, 1], [2, 4], [3, 9]])
    assert axes.imshow(tg.eye(3)).get_array().sum() == 3


def test_pandas_takes_a_detached_tensor():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame({"x": tg.arange(3.0), "n": tg.arange(3)})
    assert frame["x"].dtype == float and frame["n"].sum() == 3
    assert pandas.DataFrame(tg.eye(2)).shape == (2, 2)
    assert pandas.Series(tg.tensor([1.0, 2.0])).mean() == 1.5


def test_pytorch_shares_memory_both_ways():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    for layout in ("whole", "transposed", "a column", "one element", "repeated"):
        t = LAYOUTS[layout](tg.asarray(np.arange(12.0).reshape(3, 4)))
        theirs = torch.from_dlpack(t)
        assert theirs.data_ptr() == t.numpy().ctypes.data
        assert theirs.stride() == t.stride() and theirs.tolist() == t.tolist()
        back = tg.from_dlpack(theirs)
        assert back.numpy().ctypes.data == theirs.data_ptr() and back.tolist() == t.tolist()
    with pytest.raises(ArgumentError, match=r"torch\.Tensor was not handed over.*detach"):
        tg.from_dlpack(torch.ones(2, requires_grad=True))


def test_jax_shares_memory_both_ways():
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    theirs = jax.numpy.arange(3.0)
    t = tg.from_dlpack(theirs)
    assert t.numpy().ctypes.data == theirs.unsafe_buffer_pointer()
    assert not t.numpy().flags.writeable
    back = jax.dlpack.from_dlpack(tg.ones(3, dtype=tg.float32))
    assert back.tolist() == [1, 1, 1]
