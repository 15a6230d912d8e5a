"""The demo: its page, its pictures, and that both ways to take a step are the same step."""

import importlib
import struct
import subprocess
import sys

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.__main__ import main

for package in ("matplotlib", "rich", "sklearn"):
    pytest.importorskip(package)
demo = importlib.import_module("tinygrad_relu.demo")    # needs all of them

PICTURES = ("answers.png", "first_layer.png", "learning_curves.png")


@pytest.fixture
def start():
    """Return an untrained net, and rows to train it on."""
    generator = np.random.default_rng(1)
    training, _ = demo.digit_rows(generator)
    return demo.digit_net((64, 32, 16, 10), generator), training


def png_size(path):
    """Return width and height as a PNG file states them."""
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", head[16:])


def test_the_demo_prints_its_page_and_draws_its_pictures(tmp_path, capsys):
    folder = tmp_path / "new" / "pictures"
    assert main(["demo", "--quick", "--output", str(folder)]) == 0
    page = capsys.readouterr().out
    for line in (
        "Gradient check: passed",
        "all 2,778 derivatives",
        "Held-out accuracy: ",
        "of 359 digits",
        "times the speed of NumPy by hand",
        "the same step: in 20 steps losses differ by at most ",
    ):
        assert line in page
    assert len(page.splitlines()) < 40
    assert sorted(path.name for path in folder.iterdir()) == sorted(PICTURES)
    for name in PICTURES:
        assert str(folder / name) in page
        assert min(png_size(folder / name)) >= 250
        assert (folder / name).stat().st_size > 10_000


def test_a_run_can_be_repeated():
    curves = []
    for _ in range(2):
        generator = np.random.default_rng(5)
        parts = demo.digit_rows(generator)
        net = demo.digit_net((64, 32, 16, 10), generator)
        curves.append(demo.train(net, *parts, 2, generator, lambda: None))
    assert curves[0] == curves[1]


def test_no_row_is_both_trained_on_and_held_out():
    training, held_out = demo.digit_rows(np.random.default_rng(0))
    assert (len(training), len(held_out)) == (1438, 359)
    pixels = np.concatenate([training.pixels, held_out.pixels])
    assert len(np.unique(pixels, axis=0)) == 1797
    assert pixels.min() == 0 and pixels.max() == 1


def test_the_step_by_hand_is_the_step_of_the_engine(start):
    of_losses, of_parameters = demo.largest_differences(*start)
    assert of_losses < 1e-10
    assert of_parameters < 1e-10


class SlightlyWrongReLU(tg.nn.ReLU):
    """A ReLU whose gradient is too large by a thousandth of the cotangent."""

    def forward(self, x):
        return tg.relu(x) + 0.001 * (x - x.detach())


@pytest.mark.parametrize("position", [1, 3])
def test_a_wrong_gradient_of_the_engine_is_noticed(start, position):
    net, rows = start
    setattr(net, str(position), SlightlyWrongReLU())
    of_losses, of_parameters = demo.largest_differences(net, rows)
    assert of_losses > 1e-8
    assert of_parameters > 1e-8


def test_a_wrong_gradient_by_hand_is_noticed(start, monkeypatch):
    step = demo.numpy_step

    def wrong(parameters, velocities, pixels, digits):
        loss = step(parameters, velocities, pixels, digits)
        parameters[1] += 1e-6 * velocities[1]
        return loss

    monkeypatch.setattr(demo, "numpy_step", wrong)
    of_losses, of_parameters = demo.largest_differences(*start)
    assert of_losses > 1e-10
    assert of_parameters > 1e-8


def test_comparing_leaves_the_net_as_it_was(start):
    net, rows = start
    before = [parameter.detach().numpy().copy() for parameter in net.parameters()]
    demo.largest_differences(net, rows)
    demo.check_gradients(net, rows, lambda: None)
    assert all(np.array_equal(a, b.detach()) for a, b in zip(before, net.parameters()))


def test_the_gradient_check_finds_a_wrong_gradient(start):
    net, rows = start
    setattr(net, "1", SlightlyWrongReLU())
    with pytest.raises(tg.errors.GradientError):
        demo.check_gradients(net, rows, lambda: None)


def test_the_gradient_check_takes_as_many_losses_as_its_bar_shows(start):
    net, rows = start
    losses = []
    check = demo.check_gradients(net, rows, lambda: losses.append(1))
    assert check.derivatives == 2778
    assert len(losses) == 2 * check.derivatives + 2
    assert check.derivatives / 4 < check.not_zero <= check.derivatives
    assert check.kink > 100 * demo.STEP


@pytest.mark.parametrize("seed", [0, 1])
def test_full_training_reads_97_of_100_held_out_digits(seed):
    generator = np.random.default_rng(seed)
    settings = demo.Settings(seed, epochs=60)
    parts = demo.digit_rows(generator)
    net = demo.digit_net(settings.widths, generator)
    _, held_out = demo.train(net, *parts, settings.epochs, generator, lambda: None)
    assert held_out.accuracy[0] < 30
    assert held_out.accuracy[-1] >= 97


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path, capsys):
    occupied = tmp_path / "file"
    occupied.write_text("")
    assert main(["demo", "--quick", "--output", str(occupied)]) == 1
    assert capsys.readouterr().err.startswith("demo: no folder for the pictures: ")


@pytest.mark.parametrize(
    ("module", "package"),
    [("matplotlib", "matplotlib"), ("rich", "rich"), ("sklearn", "scikit-learn")],
)
def test_a_missing_package_is_one_clear_line(module, package):
    program = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from tinygrad_relu.__main__ import main; sys.exit(main(['demo']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f'demo: {package} is not installed: pip install "tinygrad_relu[demo]"\n'
    )


def test_the_package_itself_needs_none_of_them():
    program = (
        "import sys, tinygrad_relu, tinygrad_relu.__main__\n"
        "print({'matplotlib', 'rich', 'sklearn', 'tinygrad_relu.demo'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "set()\n"


def test_no_command_prints_the_help(capsys):
    assert main([]) == 0
    assert "demo" in capsys.readouterr().out


@pytest.mark.parametrize("argument", [["--epochs", "0"], ["--seed", "-1"], ["--epochs", "many"]])
def test_a_wrong_number_is_a_usage_error(argument, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["demo", *argument])
    assert stop.value.code == 2
    assert "is not a whole number from" in capsys.readouterr().err
