"""Examples that train small nets and draw them: what they compute, and that they leave good pictures."""

import importlib.util
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import nn

pytest.importorskip("rich")
pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")
image = pytest.importorskip("PIL.Image")

EXAMPLES = Path(__file__).parents[2] / "examples"
PICTURES = {
    "two_moons": ["two_moons.gif", "two_moons.png"],
    "digits": ["digits.png", "filters.png"],
    "dead_relus": ["dead_relus.png"],
    "linear_regions": ["kinks.png", "regions.png"],
}


def load(name):
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


two_moons, digits, dead_relus, linear_regions = map(load, PICTURES)


def at_once(steps):
    """Show no progress."""
    return steps


def values_by_hand(net, x):
    """Return what each linear layer of `net` gives for the rows of `x`, in NumPy."""
    given = []
    for layer in net:
        if isinstance(layer, nn.Linear):
            x = x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
            given.append(x)
            x = np.maximum(x, 0)
    return given


# ------------------------------------------------------------------------------------ all of them


@pytest.mark.parametrize("name", PICTURES)
def test_quick_run_tells_and_draws(name, tmp_path, capsys):
    folder = tmp_path / "new" / "pictures"
    load(name).main(["--quick", "--output", str(folder)])
    told = capsys.readouterr().out
    assert sorted(path.name for path in folder.iterdir()) == PICTURES[name]
    for picture in PICTURES[name]:
        assert picture in told
        with image.open(folder / picture) as drawn:
            assert min(drawn.size) > 250
            pixels = np.asarray(drawn.convert("RGB")).reshape(-1, 3)
            assert np.mean(pixels.min(axis=1) < 250) > 0.02         # ink, and not a little
            assert len(np.unique(pixels, axis=0)) > 50
    *lines, _ = told.splitlines()           # the last names the folder
    assert len(lines) >= 3 and max(map(len, lines)) <= 80


@pytest.mark.parametrize("name, arguments", [
    ("two_moons", ["--epochs", "0"]), ("digits", ["--epochs", "0"]), ("dead_relus", ["--seeds", "0"]),
])
def test_nothing_to_do_is_refused(name, arguments, tmp_path, capsys):
    with pytest.raises(SystemExit):
        load(name).main([*arguments, "--output", str(tmp_path / "new")])
    assert "at least 1" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


# -------------------------------------------------------------------------------------- two moons


def test_moons_are_learned_and_the_border_moves():
    options = two_moons.argparse.Namespace(seed=0, points=600, epochs=20)
    held_out = two_moons.moons(400, 1)
    story = two_moons.train(options, held_out, at_once)
    shares = [right for _, right in story]
    assert len(story) == 21
    assert shares[0] < 80 and shares[-1] > 96
    answers, _ = story[-1]
    rows, columns = ((held_out[0].numpy() - [two_moons.LEFT, two_moons.BOTTOM]) / [
        two_moons.RIGHT - two_moons.LEFT, two_moons.TOP - two_moons.BOTTOM
    ] * (two_moons.SIDE - 1)).round().astype(int).T[::-1]
    # What is drawn under a held-out point is what the net answers there.
    seen = 100 * np.mean((answers[rows, columns] > 0.5) == (held_out[1].numpy()[:, 0] > 0.5))
    assert abs(seen - shares[-1]) < 1


def test_film_shows_every_epoch(tmp_path):
    held_out = two_moons.moons(40, 1)
    x = np.linspace(0, 1, two_moons.SIDE)
    story = [(np.broadcast_to(x > k / 5, (len(x), len(x))).astype(float), 50.0) for k in range(1, 5)]
    two_moons.draw_film(tmp_path / "film.gif", story, held_out, at_once)
    assert [path.name for path in tmp_path.iterdir()] == ["film.gif"]
    with image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == 4
        durations = []
        for frame in range(film.n_frames):
            film.seek(frame)
            durations.append(film.info["duration"])
    assert durations[-1] > 10 * durations[0]


# ----------------------------------------------------------------------------------------- digits


def test_held_out_digits_are_not_trained_on():
    (training, known), (held_out, asked) = digits.digit_data()
    assert training.shape == (1437, 1, 8, 8) and held_out.shape == (360, 1, 8, 8)
    assert len(known) == 1437 and len(asked) == 360
    pixels = np.concatenate([training.numpy(), held_out.numpy()]).reshape(-1, 64)
    assert len(np.unique(pixels, axis=0)) == 1797


def test_shifts_are_all_shifts_by_a_pixel(rng):
    images = rng.uniform(1, 2, (300, 1, 8, 8))
    framed = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    found = set()
    for number, shifted in enumerate(digits.shifted(tg.asarray(images), 1, rng).numpy()):
        ways = [
            (down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)
            if np.array_equal(np.roll(framed[number], (down, right), (1, 2))[:, 1:-1, 1:-1], shifted)
        ]
        assert len(ways) == 1
        found.update(ways)
    assert len(found) == 9
    assert np.array_equal(digits.shifted(tg.asarray(images), 0, rng).numpy(), images)


def test_convolutional_net_reads_985_of_1000_digits():
    training, (images, known) = digits.digit_data()
    generator = np.random.default_rng(0)
    net = digits.convolutional_net(generator)
    digits.train(net, training, 1, 14, generator, at_once)
    with tg.no_grad():
        right = np.mean(net(images).numpy().argmax(axis=1) == known.numpy())
    assert right >= 0.985


# ------------------------------------------------------------------------------------- dead ReLUs


@pytest.fixture
def pixels(rng):
    return rng.uniform(0, 1, (80, 64)).astype(np.float32)


def test_dead_units_are_those_that_numpy_finds_dead(pixels, rng):
    net = dead_relus.deep_net("He, biases -0.2", rng)
    found = dead_relus.look(net, tg.asarray(pixels), tg.zeros(80))
    alive = np.stack([given > 0 for given in values_by_hand(net, pixels)[:-1]])
    np.testing.assert_allclose(found.alive, alive.mean(axis=1), atol=1e-12)
    np.testing.assert_allclose(found.dead(), 100 * (~alive.any(axis=1)).mean(axis=1), atol=1e-12)
    assert 0 < found.dead()[-1] < 100


def test_a_start_is_what_its_name_says():
    spreads = {}
    for start in dead_relus.STARTS:
        layer = dead_relus.deep_net(start, np.random.default_rng(3))[2]
        spreads[start] = layer.weight.detach().numpy().std()
        if "biases" in start:
            assert np.all(layer.bias.detach().numpy() == np.float32(-0.2))
    he = np.sqrt(2 / 50)
    wanted = {"nn.Linear's own": he / np.sqrt(6), "Glorot": he / np.sqrt(2), "He": he,
              "He, twice as wide": 2 * he, "He, biases -0.2": he}
    assert spreads == pytest.approx(wanted, rel=0.06)


def test_dead_units_of_the_first_layer_stay_dead():
    pixels, known = dead_relus.load_digits(return_X_y=True)
    data = dead_relus.TensorDataset(tg.asarray((pixels / 16).astype(np.float32)), tg.asarray(known))
    generator = np.random.default_rng(0)
    net = dead_relus.deep_net("He", generator)
    seen = [dead_relus.look(net, *data.tensors)]
    for _ in range(2):
        dead_relus.train(net, data, 0.3, 2, generator)
        seen.append(dead_relus.look(net, *data.tensors))
    first = [found.alive[0] == 0 for found in seen]
    assert first[-1].sum() > first[0].sum()
    assert all(np.all(later[sooner]) for sooner, later in pairwise(first))


def test_a_net_that_diverged_is_not_counted(pixels, rng):
    net = dead_relus.deep_net("He", rng)
    with tg.no_grad():
        net[0].weight[0, 0] = np.inf
    with np.errstate(invalid="ignore"):
        found = dead_relus.look(net, tg.asarray(pixels), tg.zeros(80))
    assert np.isnan(found.right) and np.isnan(found.dead()).all()
    assert dead_relus.mean([np.array([2.0]), found.dead()[:1], np.array([4.0])]) == 3
    assert np.isnan(dead_relus.mean([found.dead()])).all()


# --------------------------------------------------------------------------------- linear regions


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_net_is_linear_between_its_kinks_and_nowhere_else(seed):
    net = linear_regions.net_of(1, np.random.default_rng(seed))
    kinks = linear_regions.kinks_of(net)
    ends, slopes = linear_regions.pieces_of(net, kinks)
    at_ends = values_by_hand(net, ends[:, None])[-1][:, 0]
    secants = np.diff(at_ends) / np.diff(ends)
    np.testing.assert_allclose(slopes, np.tile(secants, (7, 1)), rtol=1e-6, atol=1e-8)
    x = np.linspace(linear_regions.LOW, linear_regions.HIGH, 20_001)
    given = values_by_hand(net, x[:, None])
    np.testing.assert_allclose(np.interp(x, ends, at_ends), given[-1][:, 0], atol=1e-12)
    # Each switch of a unit on a fine grid is a kink, and each kink such a switch.
    for layer, found in zip(given, kinks):
        place, _ = np.nonzero(np.diff(layer > 0, axis=0))
        np.testing.assert_allclose(np.sort(found), x[place], atol=x[1] - x[0])


def test_regions_of_two_lines_are_four_quadrants():
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(mask=True), nn.Linear(2, 1))
    with tg.no_grad():
        net[0].weight[...] = np.eye(2)
        net[0].bias[...] = [0.01, 0.01]
    answers, on, region = linear_regions.look(net, 40)
    assert answers.shape == region.shape == (40, 40) and on.shape == (1600, 2)
    quadrants = [region[:20, :20], region[:20, 20:], region[20:, :20], region[20:, 20:]]
    assert sorted(number for part in quadrants for number in np.unique(part)) == [0, 1, 2, 3]
    picture = linear_regions.stained_glass(on, region)
    assert np.all(picture[20] == 1) and np.all(picture[:, 20] == 1)         # the lines between
    assert len(np.unique(np.delete(np.delete(picture, 20, 0), 20, 1).reshape(-1, 3), axis=0)) == 4


def test_training_fits_the_curve_and_leaves_the_first_net_alone():
    generator = np.random.default_rng(0)
    data, net = linear_regions.curve(generator), linear_regions.net_of(1, generator)
    before = net(data[0]).detach().numpy()
    after = linear_regions.trained(net, nn.MSELoss(), *data, 1000, at_once)
    assert np.array_equal(net(data[0]).detach().numpy(), before)
    assert tg.mse_loss(after(data[0]), data[1]).item() < 0.015      # the noise alone is 0.0064
