"""examples/character_transformer.py: it learns, looks back only, and resumes to the bit."""

import runpy
from pathlib import Path

import numpy as np
import pytest

import tinygrad_relu as tg

pytest.importorskip("rich")
pytest.importorskip("matplotlib")

SCRIPT = Path(__file__).parents[2] / "examples" / "character_transformer.py"


@pytest.fixture
def example():
    return runpy.run_path(str(SCRIPT))


@pytest.fixture
def whole(example, tmp_path, capsys):
    """Return the folder of a run without a stop, and what it printed."""
    example["main"](["--quick", "--output", str(tmp_path / "whole")])
    return tmp_path / "whole", capsys.readouterr().out


def test_no_paragraph_is_both_trained_on_and_held_out(example):
    seen, unseen = (set(text.split("\n\n")[1:-1]) for text in example["read_text"]())
    assert len(seen) > 1000 and len(unseen) > 100
    assert not seen & unseen


def test_nobody_looks_ahead(example, rng):
    net = example["Transformer"](7, 16, 2, 12)
    codes = rng.integers(7, size=(1, 12))
    changed = codes.copy()
    changed[0, 8] = (codes[0, 8] + 1) % 7
    with tg.no_grad():
        before, after = (net(tg.tensor(rows)).numpy()[0] for rows in (codes, changed))
    np.testing.assert_array_equal(before[:8], after[:8])
    assert (np.abs(before[8:] - after[8:]).max(1) > 1e-9).all()


def test_it_learns_and_leaves_a_picture(whole):
    folder, printed = whole
    judged = tg.load(folder / "character_transformer.npz")["story"]["judged"]
    assert len(judged) == 3
    assert 6 < judged[0] < 8        # about the logarithm of the number of characters
    assert judged[-1] < 5
    assert f"held out: {judged[-1]:.2f} bits" in printed
    assert (folder / "character_transformer.png").stat().st_size > 20_000


def leaves(value, path=""):
    """Yield the path and the value of each leaf of a nested structure."""
    if isinstance(value, (dict, list, tuple)):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in pairs:
            yield from leaves(part, f"{path}/{key}")
    else:
        yield path, value


def test_a_run_that_was_stopped_ends_as_one_that_was_not(example, whole, tmp_path, capsys):
    folder, training = tmp_path / "stopped", example["Training"]
    step = training.step

    def stopped_step(self):
        if len(self.story["losses"]) == 27:
            raise KeyboardInterrupt
        step(self)

    training.step = stopped_step
    example["main"](["--quick", "--output", str(folder)])
    assert "--resume" in capsys.readouterr().out
    training.step = step
    path = "character_transformer.npz"
    assert len(tg.load(folder / path)["story"]["losses"]) == 20
    example["main"](["--quick", "--resume", "--output", str(folder)])
    wanted = dict(leaves(tg.load(whole[0] / path)))
    found = dict(leaves(tg.load(folder / path)))
    assert wanted.keys() == found.keys() and len(wanted) > 100
    for name, value in wanted.items():
        np.testing.assert_array_equal(np.asarray(found[name]), np.asarray(value), err_msg=name)


def test_nothing_to_resume_is_one_clear_line(example, tmp_path, capsys):
    with pytest.raises(SystemExit):
        example["main"](["--resume", "--output", str(tmp_path / "none")])
    assert "begin without --resume" in capsys.readouterr().err
