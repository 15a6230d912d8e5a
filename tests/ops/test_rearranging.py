"""Shapes, joining, splitting, rearranging: values by NumPy, gradients by differences, errors by name."""

import numpy as np
import pytest

import tinygrad_relu as tg
import tinygrad_relu.nn.functional as F
from tinygrad_relu.errors import (
    ArgumentError,
    DTypeError,
    IndexingError,
    RangeError,
    ShapeError,
    TensorError,
)


def padded(*widths, **options):
    return lambda x: F.pad(x, widths, **options)


def np_padded(widths, **options):
    return lambda x: np.pad(x, widths, **options)


# What is called, and what NumPy calls it; each on an array of shape (3, 4).
SAME = {
    "roll": (lambda x: tg.roll(x, 5), lambda x: np.roll(x, 5)),
    "roll along": (lambda x: x.roll(-1, 1), lambda x: np.roll(x, -1, 1)),
    "roll along two": (lambda x: tg.roll(x, (1, 2), dims=(0, 1)), lambda x: np.roll(x, (1, 2), (0, 1))),
    "roll twice": (lambda x: tg.roll(x, (1, 1), (0, 0)), lambda x: np.roll(x, 2, 0)),
    "flip": (lambda x: tg.flip(x, dims=[0]), lambda x: np.flip(x, 0)),
    "flip both": (lambda x: x.flip(0, -1), np.flip),
    "fliplr": (tg.fliplr, np.fliplr),
    "flipud": (tg.flipud, np.flipud),
    **{
        f"rot90 {k}": (lambda x, k=k: tg.rot90(x, k), lambda x, k=k: np.rot90(x, k))
        for k in range(-1, 5)
    },
    "rot90 the other way": (lambda x: tg.rot90(x, 1, [1, 0]), lambda x: np.rot90(x, 1, (1, 0))),
    "tile": (lambda x: tg.tile(x, (2, 1, 3)), lambda x: np.tile(x, (2, 1, 3))),
    "tile the last": (lambda x: x.tile(2), lambda x: np.tile(x, 2)),
    "repeat": (lambda x: x.repeat(2, 1, 3), lambda x: np.tile(x, (2, 1, 3))),
    "repeat_interleave": (lambda x: tg.repeat_interleave(x, 2), lambda x: np.repeat(x, 2)),
    "repeat_interleave along": (lambda x: x.repeat_interleave(3, dim=1), lambda x: np.repeat(x, 3, 1)),
    "repeat_interleave each": (
        lambda x: tg.repeat_interleave(x, tg.tensor([2, 0, 1]), 0), lambda x: np.repeat(x, [2, 0, 1], 0)
    ),
    "diagonal": (lambda x: tg.diagonal(x, 1), lambda x: np.diagonal(x, 1)),
    "diagonal below": (lambda x: tg.diagonal(x, -1, 1, 0), lambda x: np.diagonal(x, -1, 1, 0)),
    "diag": (lambda x: tg.diag(x, -1), lambda x: np.diag(x, -1)),
    "diag of one axis": (lambda x: tg.diag(x[0], 2), lambda x: np.diag(x[0], 2)),
    "diagflat": (lambda x: tg.diagflat(x, -1), lambda x: np.diagflat(x, -1)),
    "diag_embed": (
        lambda x: tg.diag_embed(x, -1), lambda x: np.stack([np.diag(row, -1) for row in x])
    ),
    "diag_embed elsewhere": (
        lambda x: tg.diag_embed(x, 1, 0, 2), lambda x: np.stack([np.diag(row, 1) for row in x], 1)
    ),
    "diag_embed swapped": (
        lambda x: tg.diag_embed(x, 1, 1, 0), lambda x: np.stack([np.diag(row, -1) for row in x], 2)
    ),
    **{f"tril {k}": (lambda x, k=k: tg.tril(x, k), lambda x, k=k: np.tril(x, k)) for k in (-1, 0, 2)},
    **{
        f"triu {k}": (lambda x, k=k: tg.triu(x, diagonal=k), lambda x, k=k: np.triu(x, k))
        for k in (-1, 0, 2)
    },
    "pad": (padded(1, 2), np_padded(((0, 0), (1, 2)))),
    "pad both": (padded(1, 0, 2, 3, value=1.5), np_padded(((2, 3), (1, 0)), constant_values=1.5)),
    "pad and crop": (padded(-1, 2, 0, -1, value=-1), lambda x: np.pad(
        x[:2, 1:], ((0, 0), (0, 2)), constant_values=-1)),
    "reflect": (padded(3, 2, 1, 0, mode="reflect"), np_padded(((1, 0), (3, 2)), mode="reflect")),
    "replicate": (padded(5, 2, mode="replicate"), np_padded(((0, 0), (5, 2)), mode="edge")),
    "circular": (padded(4, 3, 3, 0, mode="circular"), np_padded(((3, 0), (4, 3)), mode="wrap")),
    "reflect and crop": (padded(-1, 2, mode="reflect"), lambda x: np.pad(
        x, ((0, 0), (0, 2)), mode="reflect")[:, 1:]),
    "circular and crop": (padded(-1, 2, mode="circular"), lambda x: np.pad(
        x[:, 1:], ((0, 0), (0, 2)), mode="wrap")),
    "movedim": (lambda x: tg.movedim(x[None], 0, -1), lambda x: np.moveaxis(x[None], 0, -1)),
    "moveaxis of two": (
        lambda x: tg.moveaxis(x[None], (0, 1), (2, 0)), lambda x: np.moveaxis(x[None], (0, 1), (2, 0))
    ),
    "movedim in turn": (
        lambda x: tg.movedim(x[None], (0, 1), (1, 0)), lambda x: np.moveaxis(x[None], (0, 1), (1, 0))
    ),
    "swapdims": (lambda x: tg.swapdims(x, 0, 1), lambda x: np.swapaxes(x, 0, 1)),
    "t": (tg.t, np.transpose),
    "ravel": (tg.ravel, np.ravel),
    "unflatten": (lambda x: x.unflatten(1, (2, -1)), lambda x: x.reshape(3, 2, 2)),
    "view_as": (lambda x: x.view_as(np.zeros((2, 6))), lambda x: x.reshape(2, 6)),
    "reshape_as": (lambda x: x.reshape_as(tg.zeros(6, 2)), lambda x: x.reshape(6, 2)),
    "expand_as": (lambda x: x.expand_as(tg.zeros(2, 3, 4)), lambda x: np.broadcast_to(x, (2, 3, 4))),
    "atleast_3d": (tg.atleast_3d, np.atleast_3d),
    "atleast_2d": (lambda x: tg.atleast_2d(x[0]), lambda x: np.atleast_2d(x[0])),
    "atleast_1d": (lambda x: tg.atleast_1d(x[0, 0]), lambda x: np.atleast_1d(x[0, 0])),
    "hstack": (lambda x: tg.hstack([x, x * x]), lambda x: np.hstack([x, x * x])),
    "hstack of one axis": (lambda x: tg.hstack([x[0], x[1, :2]]), lambda x: np.hstack([x[0], x[1, :2]])),
    "vstack": (lambda x: tg.vstack([x, x[0]]), lambda x: np.vstack([x, x[0]])),
    "dstack": (lambda x: tg.dstack([x, x * x]), lambda x: np.dstack([x, x * x])),
    "column_stack": (
        lambda x: tg.column_stack([x, x[:, 0]]), lambda x: np.column_stack([x, x[:, 0]])
    ),
    "split": (lambda x: tg.split(x, 3, 1)[1], lambda x: x[:, 3:]),
    "split by lengths": (lambda x: x.split([1, 0, 2])[2], lambda x: x[1:]),
    "tensor_split": (lambda x: x.tensor_split(3, 1)[0], lambda x: np.array_split(x, 3, 1)[0]),
    "tensor_split before": (
        lambda x: tg.tensor_split(x, (1, -1), 1)[1], lambda x: np.array_split(x, (1, 3), 1)[1]
    ),
    "chunk": (lambda x: x.chunk(3, 1)[1], lambda x: x[:, 2:]),
    "unbind": (lambda x: x.unbind(1)[2], lambda x: x[:, 2]),
    "meshgrid": (
        lambda x: tg.meshgrid(x[0], x[:, 0])[1], lambda x: np.meshgrid(x[0], x[:, 0], indexing="ij")[1]
    ),
    "meshgrid xy": (
        lambda x: tg.meshgrid([x[0], x[:, 0], x[1, :2]], indexing="xy")[0],
        lambda x: np.meshgrid(x[0], x[:, 0], x[1, :2])[0],
    ),
    "broadcast_tensors": (
        lambda x: tg.broadcast_tensors(x[:, :1], x[0])[0],
        lambda x: np.broadcast_arrays(x[:, :1], x[0])[0],
    ),
    "cartesian_prod": (
        lambda x: tg.cartesian_prod(x[0], x[:, 1]),
        lambda x: np.array([(a, b) for a in x[0] for b in x[:, 1]]),
    ),
    "combinations": (
        lambda x: tg.combinations(x[0], 3),
        lambda x: x[0][np.array([(0, 1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3)])],
    ),
    "combinations with": (
        lambda x: tg.combinations(x[:2, 0], with_replacement=True),
        lambda x: x[:2, 0][np.array([(0, 0), (0, 1), (1, 1)])],
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_values_are_numpys_in_every_dtype(name, rng):
    ours, theirs = SAME[name]
    for dtype in (np.float64, np.float32):
        x = rng.standard_normal((3, 4)).astype(dtype)
        expected, found = theirs(x), ours(tg.tensor(x))
        assert found.dtype == dtype and found.shape == expected.shape
        np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize("name", SAME)
def test_derivatives_agree_with_differences_at_first_and_second_order(name, rng):
    ours, _ = SAME[name]
    x = tg.tensor(rng.standard_normal((3, 4)), requires_grad=True)
    assert tg.gradcheck(ours, x)
    assert tg.gradgradcheck(lambda x: ours(x).square(), x)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64])
@pytest.mark.parametrize("name", ["tril 0", "pad", "roll", "diag of one axis", "repeat", "circular"])
def test_other_dtypes_stay(name, dtype):
    ours, theirs = SAME[name]
    x = np.arange(12).reshape(3, 4).astype(dtype)
    found = ours(tg.tensor(x))
    assert found.dtype == dtype
    np.testing.assert_array_equal(found.numpy(), theirs(x))


VIEWS = ["diagonal", "movedim", "t", "split", "chunk", "unbind"]
COPIES = ["flip", "rot90 1", "rot90 2", "diag", "roll"]


@pytest.mark.parametrize("name", COPIES)
def test_copies_are_no_views(name):
    x = tg.zeros(3, 4)
    SAME[name][0](x)[...] = 7.0
    assert not x.numpy().any()


@pytest.mark.parametrize("name", VIEWS)
def test_views_share_memory_and_their_changes_are_seen(name):
    x = tg.zeros(3, 4)
    view = SAME[name][0](x)
    view[...] = 7.0
    assert 0 < int((x == 7.0).sum()) == view.size
    w = tg.tensor(np.ones((3, 4)), requires_grad=True)
    y = w * x                   # keeps x, which is then changed through the view
    view[...] = 5.0
    with pytest.raises(tg.errors.MutationError):
        y.sum().backward()


@pytest.mark.parametrize("name", VIEWS)
def test_what_is_written_into_a_view_is_recorded(name, rng):
    x = tg.tensor(rng.standard_normal((3, 4)), requires_grad=True)
    value = tg.tensor(2.0, requires_grad=True)
    y = x * 3.0
    view = SAME[name][0](y)
    view[...] = value
    y.sum().backward()
    assert value.grad.item() == view.size
    np.testing.assert_array_equal(x.grad.numpy() == 0, y.detach().numpy() == 2.0)
    assert x.grad.sum().item() == 3.0 * (12 - view.size)


def test_a_change_of_a_view_of_the_users_array_stays_here():
    array = np.zeros((2, 2))
    tg.diag(array)[...] = 1.0
    assert not array.any()


def test_splits_put_together_are_the_whole(rng):
    x = rng.standard_normal((7, 2))
    for parts in (
        tg.split(x, 3), tg.split(x, [2, 5]), tg.chunk(x, 3), tg.chunk(x, 9), tg.tensor_split(x, 4),
        tg.tensor_split(x, tg.tensor([1, 1, 4])),
    ):
        assert isinstance(parts, tuple)
        np.testing.assert_array_equal(tg.cat(parts).numpy(), x)
    assert [len(part) for part in tg.tensor_split(x, 3)] == [3, 2, 2]
    assert [len(part) for part in tg.chunk(x, 5)] == [2, 2, 2, 1]
    assert [part.shape for part in tg.chunk(tg.zeros(0), 2)] == [(0,), (0,)]
    assert [part.shape for part in tg.tensor_split(x, (5, 3))] == [(5, 2), (0, 2), (4, 2)]


def test_edges():
    assert tg.diagonal(tg.zeros(2, 2), 5).shape == (0,)
    assert tg.tensor([1.0]).repeat(0).shape == (0,)
    assert tg.atleast_2d(tg.zeros(2), tg.zeros(()))[1].shape == (1, 1)
    x = tg.zeros(2, 3)
    assert x.flatten(start_dim=0, end_dim=1).shape == (6,)
    assert x.contiguous() is x
    assert x.t().contiguous().numpy().flags.c_contiguous
    filled = F.pad(tg.tensor([1.0]), (1, 0), value=-np.inf)
    np.testing.assert_array_equal(filled.numpy(), [-np.inf, 1.0])


Z = np.zeros((3, 4))
WRONG = {
    "roll: 2 shifts for 1 axes": (ArgumentError, lambda: tg.roll(Z, (1, 2), 0)),
    "roll: axis 2 is out of bounds": (ShapeError, lambda: tg.roll(Z, 1, 2)),
    "roll: shifts is 1.5": (ArgumentError, lambda: tg.roll(Z, 1.5)),
    "flip: an axis comes twice": (ShapeError, lambda: tg.flip(Z, (0, -2))),
    "fliplr: axis 1 is out of bounds": (ShapeError, lambda: tg.fliplr(Z[0])),
    "rot90: an axis comes twice": (ShapeError, lambda: tg.rot90(Z, 1, (0, 0))),
    "rot90: 1 axes": (ArgumentError, lambda: tg.rot90(Z, 1, (0,))),
    "tile: .* at least 0": (RangeError, lambda: tg.tile(Z, (-1, 2))),
    "repeat: 1 sizes": (ShapeError, lambda: tg.tensor(Z).repeat(2)),
    "repeat_interleave: repeats has shape": (ShapeError, lambda: tg.repeat_interleave(Z, [1, 2], 0)),
    "repeat_interleave: -1": (RangeError, lambda: tg.repeat_interleave(Z, -1)),
    "repeat_interleave: the index has dtype": (DTypeError, lambda: tg.repeat_interleave(Z, 1.5)),
    "pad: 3 numbers": (ShapeError, lambda: F.pad(Z, (1, 2, 3))),
    "pad: 6 numbers": (ShapeError, lambda: F.pad(Z, (1,) * 6)),
    "pad: mode is 'edge'": (ArgumentError, lambda: F.pad(Z, (1, 1), "edge")),
    "pad: .* takes more": (ShapeError, lambda: F.pad(Z, (-3, -2))),
    "pad: value is for": (ArgumentError, lambda: F.pad(Z, (1, 1), "reflect", 1.0)),
    "pad: value has dtype": (DTypeError, lambda: F.pad(np.arange(3), (1, 1), value=1.5)),
    "pad: .* to reflect": (ShapeError, lambda: F.pad(Z, (4, 0), "reflect")),
    "pad: .* to replicate": (ShapeError, lambda: F.pad(Z[:, :0], (1, 0), "replicate")),
    "pad: .* to go round": (ShapeError, lambda: F.pad(Z, (5, 0), "circular")),
    "diagonal: an axis comes twice": (ShapeError, lambda: tg.diagonal(Z, 0, 1, 1)),
    "diag: x has shape": (ShapeError, lambda: tg.diag(Z[None])),
    "tril: x has shape": (ShapeError, lambda: tg.tril(Z[0])),
    "triu: diagonal is 0.5": (ArgumentError, lambda: tg.triu(Z, 0.5)),
    "movedim: 2 axes": (ArgumentError, lambda: tg.movedim(Z, (0, 1), 0)),
    "movedim: an axis comes twice": (ShapeError, lambda: tg.movedim(Z, (0, 1), (0, 0))),
    "t: x has shape": (ShapeError, lambda: tg.t(Z[None])),
    "unflatten: .* cannot be split": (ShapeError, lambda: tg.unflatten(Z, 1, (3, -1))),
    "unflatten: axis 0 of length 3": (ShapeError, lambda: tg.unflatten(Z, 0, (0, -1))),
    "split: the lengths": (ShapeError, lambda: tg.split(Z, [1, 1])),
    "split: parts of length 0": (RangeError, lambda: tg.split(Z, 0)),
    "tensor_split: 0 sections": (RangeError, lambda: tg.tensor_split(Z, 0)),
    "chunk: 0 chunks": (RangeError, lambda: tg.chunk(Z, 0)),
    "unbind: axis 2": (ShapeError, lambda: tg.unbind(Z, 2)),
    "meshgrid: indexing": (ArgumentError, lambda: tg.meshgrid(Z[0], indexing="ji")),
    "meshgrid: a tensor of shape": (ShapeError, lambda: tg.meshgrid(Z)),
    "broadcast_tensors: the shapes": (ShapeError, lambda: tg.broadcast_tensors(Z, Z[:2])),
    "cartesian_prod: tensors": (ShapeError, lambda: tg.cartesian_prod(Z)),
    "combinations: x has": (ShapeError, lambda: tg.combinations(Z)),
    "combinations: r is -1": (RangeError, lambda: tg.combinations(Z[0], -1)),
    "hstack: pass a list": (ArgumentError, lambda: tg.hstack([])),
    "vstack: the shapes": (ShapeError, lambda: tg.vstack([Z, Z[:, :2]])),
    "narrow: 2 entries from 3": (RangeError, lambda: tg.narrow(Z, 1, 3, 2)),
    "narrow: -1 entries": (RangeError, lambda: tg.narrow(Z, 1, 3, -1)),
    "select: index 3": (IndexingError, lambda: tg.select(Z, 0, 3)),
    "select: index is True": (ArgumentError, lambda: tg.select(Z, 0, True)),
    "unflatten: .*inhomogeneous": (ShapeError, lambda: tg.unflatten([[1.0], [2.0, 3.0]], 0, (1,))),
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_use_raises_with_the_name_of_the_function(message):
    kind, call = WRONG[message]
    with pytest.raises(TensorError, match=message) as caught:
        call()
    assert caught.type is kind
