"""Tensors without axes in functions along an axis: as vectors of one element in `tg`, as in PyTorch."""

import numpy as np
import pytest

import tinygrad_relu as tg
import tinygrad_relu.numpy as tnp
from tinygrad_relu.errors import IndexingError, ShapeError

AXES = [0, -1]

# By name, a function of x, an axis, and an index and a source in the shape of x.
ALONG = {
    "flip": lambda x, axis, index, source: tg.flip(x, (axis,)),
    "squeeze": lambda x, axis, index, source: tg.squeeze(x.reshape(()), axis),
    "movedim": lambda x, axis, index, source: tg.movedim(x, axis, 0),
    "swapaxes": lambda x, axis, index, source: tg.swapaxes(x, axis, 0),
    "transpose": lambda x, axis, index, source: x.transpose(0, axis),
    "gather": lambda x, axis, index, source: tg.gather(x, axis, index),
    "index_select": lambda x, axis, index, source: tg.index_select(x, axis, index),
    "scatter": lambda x, axis, index, source: tg.scatter(x, axis, index, source),
    "scatter_add": lambda x, axis, index, source: tg.scatter_add(x, axis, index, source),
    "scatter_reduce": lambda x, axis, index, source: tg.scatter_reduce(x, axis, index, source, "mean"),
    "index_add": lambda x, axis, index, source: tg.index_add(x, axis, index, source, alpha=3.0),
    "index_copy": lambda x, axis, index, source: tg.index_copy(x, axis, index, source),
    "index_fill": lambda x, axis, index, source: tg.index_fill(x, axis, index, 7.0),
    "index_reduce": lambda x, axis, index, source: tg.index_reduce(x, axis, index, source, "prod"),
    "vector_norm": lambda x, axis, index, source: tg.linalg.vector_norm(x, 3, axis),
    "normalize": lambda x, axis, index, source: tg.nn.functional.normalize(x, axis=axis, eps=10.0),
    "cosine_similarity": lambda x, axis, index, source: tg.cosine_similarity(x, source, axis, eps=10.0),
    "vecdot": lambda x, axis, index, source: tg.linalg.vecdot(x, source, dim=axis),
}


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("name", ALONG)
def test_a_number_counts_as_a_vector_of_one(name, axis):
    function = ALONG[name]
    x, source = (tg.tensor(v, requires_grad=True) for v in (3.0, -5.0))
    vector, of_one = (tg.tensor([v], requires_grad=True) for v in (3.0, -5.0))
    found = function(x, axis, tg.tensor(0), source)
    wanted = function(vector, axis, tg.tensor([0]), of_one)
    assert found.shape == ()
    assert found.item() == wanted.item()
    found.backward()
    wanted.backward()
    assert x.grad.shape == () and x.grad.item() == wanted_gradient(vector)
    assert (0.0 if source.grad is None else source.grad.item()) == wanted_gradient(of_one)


def wanted_gradient(leaf):
    return 0.0 if leaf.grad is None else leaf.grad.item()


@pytest.mark.parametrize("axis", [1, -2])
@pytest.mark.parametrize("name", ALONG)
def test_other_axes_raise(name, axis):
    with pytest.raises(ShapeError):
        ALONG[name](tg.tensor(3.0), axis, tg.tensor(0), tg.tensor(2.0))


def test_what_is_taken_has_the_shape_of_the_index():
    assert tg.gather(tg.tensor(3.0), 0, tg.tensor([0, 0])).tolist() == [3.0, 3.0]
    assert tg.gather(tg.tensor([3.0, 4.0]), 0, tg.tensor(1)).shape == ()
    assert tg.gather(tg.tensor([3.0, 4.0]), -1, tg.tensor(1)).item() == 4.0
    for x, index in ((tg.tensor(3.0), [[0]]), (tg.tensor([[3.0]]), 0)):
        with pytest.raises(ShapeError, match=r"^gather: "):
            tg.gather(x, 0, tg.tensor(index))


def test_indices_are_checked():
    x = tg.tensor(3.0)
    for function in (tg.gather, tg.index_select):
        for index in (1, -1):
            with pytest.raises(IndexingError):
                function(x, 0, tg.tensor(index))
    for index in ([], [0, 0]):
        with pytest.raises(ShapeError, match="without axes: pass one"):
            tg.index_select(x, 0, tg.tensor(index, dtype=tg.int64))


def test_a_source_without_axes_goes_into_a_vector():
    x, five = tg.tensor([1.0, 2.0]), tg.tensor(5.0)
    assert tg.scatter(x, 0, tg.tensor(1), five).tolist() == [1.0, 5.0]
    assert tg.index_copy(x, 0, tg.tensor([1]), five).tolist() == [1.0, 5.0]
    with pytest.raises(ShapeError):
        tg.index_copy(x, 0, tg.tensor([0, 1]), five)


def test_changes_of_a_number_in_place():
    x = tg.tensor(3.0)
    assert x.scatter_add_(0, tg.tensor(0), tg.tensor(4.0)) is x and x.item() == 7.0
    assert x.index_fill_(-1, tg.tensor([0]), 2.0).item() == 2.0


def test_the_transpose_of_a_number_is_a_view_of_it():
    x = tg.tensor(3.0)
    x.transpose(0, -1).fill_(4.0)
    x.movedim(0, 0).add_(1.0)
    assert x.item() == 5.0


def test_flatten_counts_axes_of_a_number_too():
    assert tg.tensor(3.0).flatten(0, -1).shape == (1,)
    with pytest.raises(ShapeError):
        tg.tensor(3.0).flatten(0, 1)


@pytest.mark.parametrize(
    "call",
    [
        lambda m, x: m.flip(x, 0), lambda m, x: m.squeeze(x, 0), lambda m, x: m.squeeze(x, 1),
        lambda m, x: m.swapaxes(x, 0, 0), lambda m, x: m.moveaxis(x, 0, 0), lambda m, x: m.flip(x),
        lambda m, x: m.linalg.norm(x, axis=0), lambda m, x: m.linalg.vector_norm(x, axis=-1),
        lambda m, x: m.linalg.vector_norm(x), lambda m, x: m.vecdot(x, x),
    ],
)
def test_the_other_dialect_follows_numpy(call):
    try:
        expected = call(np, np.array(3.0))
    except ValueError:
        with pytest.raises(ShapeError):
            call(tnp, tg.tensor(3.0))
    else:
        found = call(tnp, tg.tensor(3.0))
        assert found.shape == expected.shape and found.item() == expected
