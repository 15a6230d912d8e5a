"""`interpolate`, `pixel_shuffle` and `pixel_unshuffle`: against NumPy, SciPy, differences."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, RangeError, ShapeError

F = tg.nn.functional
LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


def image(*shape):
    return np.random.default_rng(0).normal(size=(2, 3, *shape))


def along_each(x, lengths, places_of, take):
    """Return `x` with ``take(vector, places)`` for every vector along each axis from the third on."""
    for axis, length in enumerate(lengths, 2):
        places = places_of(x.shape[axis], length)
        x = np.apply_along_axis(take, axis, x, places)
    return x


def interpolated(vector, places):
    return np.interp(places, np.arange(len(vector)), vector)


@pytest.mark.parametrize(
    ("old", "new"),
    [((5,), (8,)), ((5,), (3,)), ((1,), (4,)), ((4,), (1,)), ((4, 5), (7, 3)), ((2, 3, 4), (3, 5, 2))],
)
def test_linear_modes_are_numpys_interp_along_each_axis(old, new):
    x, mode = image(*old), LINEAR[len(old)]
    corners = F.interpolate(tg.tensor(x), new, mode=mode, align_corners=True)
    wanted = along_each(x, new, lambda n, m: np.linspace(0, n - 1, m), interpolated)
    np.testing.assert_allclose(corners.numpy(), wanted, rtol=1e-12, atol=1e-13)
    edges = F.interpolate(tg.tensor(x), new, mode=mode)
    wanted = along_each(x, new, lambda n, m: (np.arange(m) + 0.5) * n / m - 0.5, interpolated)
    np.testing.assert_allclose(edges.numpy(), wanted, rtol=1e-12, atol=1e-13)


def test_bilinear_is_scipys_interpolation_on_a_grid():
    interpolate = pytest.importorskip("scipy.interpolate")
    x = image(4, 5)
    found = F.interpolate(tg.tensor(x), (9, 6), mode="bilinear", align_corners=True).numpy()
    rows, columns = np.linspace(0, 3, 9), np.linspace(0, 4, 6)
    grid = np.stack(np.meshgrid(rows, columns, indexing="ij"), -1)
    for place in np.ndindex(2, 3):
        of = interpolate.RegularGridInterpolator((np.arange(4), np.arange(5)), x[place])
        np.testing.assert_allclose(found[place], of(grid), rtol=1e-12)


@pytest.mark.parametrize("factor", [1, 2, 3])
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
def test_nearest_by_a_whole_factor_is_numpys_repeat(mode, factor):
    x = image(3, 2)
    wanted = x.repeat(factor, 2).repeat(factor, 3)
    for sizes in ({"scale_factor": factor}, {"size": (3 * factor, 2 * factor)}):
        np.testing.assert_array_equal(F.interpolate(tg.tensor(x), **sizes, mode=mode).numpy(), wanted)


def test_which_pixel_is_nearest():
    for old in range(1, 9):
        x = tg.arange(float(old)).reshape(1, 1, old)
        for new in range(1, 20):
            before = [k * old // new for k in range(new)]
            centre = [(2 * k + 1) * old // (2 * new) for k in range(new)]
            assert F.interpolate(x, new).reshape(-1).tolist() == before
            assert F.interpolate(x, new, mode="nearest-exact").reshape(-1).tolist() == centre


def test_a_scale_factor_says_where_unless_it_is_recomputed():
    x = image(5)
    found = F.interpolate(tg.tensor(x), scale_factor=1.3, mode="linear").numpy()
    wanted = along_each(x, (6,), lambda n, m: (np.arange(m) + 0.5) / 1.3 - 0.5, interpolated)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    again = F.interpolate(tg.tensor(x), scale_factor=1.3, mode="linear", recompute_scale_factor=True)
    np.testing.assert_array_equal(again.numpy(), F.interpolate(tg.tensor(x), 6, mode="linear").numpy())
    assert np.abs(again.numpy() - found).max() > 0.01
    lengths = F.interpolate(tg.tensor(image(5, 4)), scale_factor=(0.5, 2)).shape[2:]
    assert lengths == (2, 8)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.interpolate(x, (4, 5)),
        lambda x: F.interpolate(x, (4, 2), mode="nearest-exact"),
        lambda x: F.interpolate(x, (4, 2), mode="bilinear"),
        lambda x: F.interpolate(x, (4, 2), mode="bilinear", align_corners=True),
        lambda x: F.interpolate(x, scale_factor=1.7, mode="bilinear"),
        lambda x: F.pixel_shuffle(x.reshape(2, 9, 1, 1), 3),
        lambda x: F.pixel_unshuffle(x, 3),
    ],
)
def test_derivatives(function):
    tg.check_gradients(lambda x: (function(x) ** 2).sum(), image(3, 3)[:, :1], raise_exception=True)


def test_pixels_come_from_channels():
    x = image(2, 4)[:, :1].repeat(18, 1) + np.arange(18).reshape(1, 18, 1, 1)
    y = F.pixel_shuffle(tg.tensor(x), 3).numpy()
    assert y.shape == (2, 2, 6, 12)
    for row, channel, i, j in np.ndindex(y.shape):
        assert y[row, channel, i, j] == x[row, channel * 9 + i % 3 * 3 + j % 3, i // 3, j // 3]
    np.testing.assert_array_equal(F.pixel_unshuffle(tg.tensor(y), 3).numpy(), x)
    assert F.pixel_shuffle(tg.zeros(5, 2, 8, 3, 3), 2).shape == (5, 2, 2, 6, 6)


def test_layers():
    x = tg.tensor(image(4, 4))
    for layer, wanted in (
        (tg.nn.Upsample(scale_factor=2), F.interpolate(x, scale_factor=2)),
        (tg.nn.Upsample((3, 5), mode="bilinear", align_corners=True),
         F.interpolate(x, (3, 5), mode="bilinear", align_corners=True)),
        (tg.nn.PixelUnshuffle(2), F.pixel_unshuffle(x, 2)),
        (tg.nn.PixelShuffle(1), x),
    ):
        np.testing.assert_array_equal(layer(x).numpy(), wanted.numpy())
    for make in (
        lambda: tg.nn.Upsample(mode="cubic"), lambda: tg.nn.Upsample(size=0),
        lambda: tg.nn.Upsample(scale_factor="2"), lambda: tg.nn.PixelShuffle(),
        lambda: tg.nn.PixelShuffle(0), lambda: tg.nn.PixelUnshuffle(1.5),
    ):
        with pytest.raises((ArgumentError, RangeError), match=r"^(Upsample|Pixel(Unsh|Sh)uffle): "):
            make()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: F.interpolate(x), ArgumentError, "one of size and scale_factor"),
        (lambda x: F.interpolate(x, 2, 2), ArgumentError, "one of size and scale_factor"),
        (lambda x: F.interpolate(x, 2, mode="cubic"), ArgumentError, "'nearest', 'nearest-exact'"),
        (lambda x: F.interpolate(x, 2, mode="linear"), ShapeError, "'linear' is for 3 axes"),
        (lambda x: F.interpolate(x, 2, align_corners=True), ArgumentError, "for the linear modes"),
        (lambda x: F.interpolate(x, (2, 2, 2)), ArgumentError, "pass one number, or 2"),
        (lambda x: F.interpolate(x, 0), RangeError, "at least 1"),
        (lambda x: F.interpolate(x, scale_factor=-1), RangeError, "a positive number"),
        (lambda x: F.interpolate(x, scale_factor=0.1), RangeError, "leaves nothing"),
        (lambda x: F.interpolate(x, scale_factor=(2, 2, 2)), ArgumentError, "pass one number, or 2"),
        (lambda x: F.interpolate(x, 2, recompute_scale_factor=True), ArgumentError, "for scale_factor"),
        (lambda x: F.interpolate(x[0, 0], 2), ShapeError, "it needs 3 to 5 axes"),
        (lambda x: F.interpolate(x[:, :, :0], 2), ShapeError, "nothing can be interpolated"),
        (lambda x: F.pixel_shuffle(x, 2), ShapeError, "no multiple of 4"),
        (lambda x: F.pixel_shuffle(x, 0), RangeError, "at least 1"),
        (lambda x: F.pixel_unshuffle(x, 3), ShapeError, "no multiples of 3"),
    ],
)
def test_what_is_wrong_is_said(call, error, words):
    with pytest.raises(error, match=words):
        call(tg.zeros(1, 3, 4, 5))
