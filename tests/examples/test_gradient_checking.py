"""The walk through the gradient checker says what it promises, and its page runs."""

import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.gradcheck.diagnosis import Label

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs" / "gradient_checking.md"


@pytest.fixture(scope="module")
def example():
    sys.path.insert(0, str(PROJECT / "examples"))
    try:
        import gradient_checking
    finally:
        sys.path.pop(0)
    return gradient_checking


LABELS = [
    ("b1", Label.AVERAGED), ("W1 b1", Label.MASK_FORGOTTEN), ("W1 b1", Label.MASK_FROM_WRONG_TENSOR),
    ("W1", Label.TRANSPOSED), ("W1", Label.MISSING_TERM), ("W1 b1 W2 b2", Label.CONSTANT_FACTOR),
]


def test_walk_finds_every_mistake_and_draws_them(example, tmp_path, capsys):
    example.main(["--output", str(tmp_path / "new")])
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 106
    _, *steps = re.split(r"\n(?=.+\n=+\n)", text)
    assert len(steps) == 1 + 6 + 2 + 2 + 2 + 1
    assert max(step.count("\n") for step in steps) <= 50      # a screen
    for step, mistake, (names, label) in zip(steps[1:], example.MISTAKES, LABELS):
        assert f"  -  {mistake.right}\n  +  {mistake.wrong}\n" in step
        for name in names.split():
            assert re.search(rf"^[\w, ]*\b{name}\b[\w, ]*: {label}\. ", step, re.M), step
        rest = f"WRONG for {len(names.split())} of 4 inputs"
        assert rest in step
        line = next(x for x in steps[-1].splitlines() if x.startswith(mistake.title))
        assert line.split("  ")[-1].strip() == str(label)
    for words in ("right, on a kink", "kinks meet", "cannot tell", "no simple explanation"):
        assert sum(words in step for step in steps) == 1, words
    picture = tmp_path / "new" / "gradient_checking.png"
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 20_000


def test_walk_can_be_quick(example, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example.main(["--quick"])
    text = capsys.readouterr().out
    assert text.count("Mistake ") == 2 and "picture" not in text
    assert not any(tmp_path.iterdir())


def test_walk_does_without_matplotlib(example, monkeypatch, capsys):
    monkeypatch.setattr(example, "MISTAKES", [])
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    example.main([])
    assert "pip install matplotlib" in capsys.readouterr().out


def test_net_of_the_walk_is_right_by_complex_steps(example):
    # Lyness and Moler, 1967: no difference is taken, so nothing is lost by rounding.
    params = {name: value.astype(complex) for name, value in example.PARAMS.items()}

    def loss(params):
        z1 = example.X @ params["W1"] + params["b1"]
        z2 = z1 * (z1.real > 0) @ params["W2"] + params["b2"]
        log_p = z2 - np.log(np.exp(z2).sum(axis=1, keepdims=True))
        picked = log_p[np.arange(len(z2)), example.LABELS]
        return -picked.mean() + example.DECAY / 2 * (params["W1"] ** 2).sum()

    _, gradients = example.loss_and_grad(example.PARAMS)
    for name, g in gradients.items():
        for index in np.ndindex(g.shape):
            moved = {key: value.copy() for key, value in params.items()}
            moved[name][index] += 1e-30j
            assert g[index] == pytest.approx(loss(moved).imag / 1e-30, rel=1e-12, abs=1e-15)


def test_page_runs_and_names_what_there_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text()
    block = re.search(r"```python\n(.*?)```", text, re.S)[1].replace("print(report)\n", "")
    space = {}
    exec(block, space)
    report = space["report"]
    assert report["x"].label is Label.TRANSPOSED and report["b"].label is Label.AVERAGED
    assert report["W"].ok and (tmp_path / "report.png").stat().st_size > 10_000
    for label in Label:
        assert str(label) in text, label
    for picture in re.findall(r"\]\((\w+\.png)\)", text):
        assert (PAGE.parent / picture).read_bytes().startswith(b"\x89PNG")


def test_pictures_of_the_page_are_drawn(tmp_path, monkeypatch):
    space = runpy.run_path(str(PROJECT / "docs" / "draw_gradient_checking.py"))
    monkeypatch.setitem(space["main"].__globals__, "__file__", str(tmp_path / "here.py"))
    space["main"]()
    named = set(re.findall(r"\]\((gradient_checking_\w+\.png)\)", PAGE.read_text()))
    assert {path.name for path in tmp_path.iterdir()} == named


def test_pictures_of_reports_tell_right_from_wrong_by_colour():
    x = np.arange(1.0, 5.0).reshape(2, 2)
    report = tg.check_gradients(
        lambda x, y: np.sum(x**2 * y), [x, x], names=["x", "y"],
        backward=lambda x, y: (2 * x * y * [[1, 1.5], [1, 1]], x**2),
    )
    left, right, bar = report.plot().axes
    assert left.get_title().startswith("x: ") and right.get_title() == "y: right"
    assert bar.get_ylabel() == "relative error"
    shown = left.images[0]
    red, green, blue, _ = shown.cmap.get_under()
    assert green > max(red, blue)
    below = np.array(shown.norm(shown.get_array()) < 0)
    assert (below == [[True, False], [True, True]]).all()
    assert (right.images[0].norm(right.images[0].get_array()) < 0).all()
