"""The example examples/relu_in_numpy.py: what it claims about the page's ways is true.

The wanted answers are written here by hand, or come from plain Python, not from the example.
"""

import importlib.util
import math
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rich")
pytest.importorskip("matplotlib")

SCRIPT = Path(__file__).parent.parent / "examples" / "relu_in_numpy.py"
LARGEST = sys.float_info.max
NAN, INF = math.nan, math.inf


def load():
    spec = importlib.util.spec_from_file_location("example_relu_in_numpy", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


example = load()
WAYS = {way.formula: way for way in example.FORWARD + example.BACKWARD}

# Per way, what is the matter where: W wrong, Z negative zero, C another convention.
FLAWS = {
    "np.maximum(x, 0, out=x)": {},
    "x * (x > 0)": {"-inf": "W", "-1": "Z", "-0.0": "Z"},
    "ReLU(x), with dReLU": {"-inf": "W", "-1": "Z", "-0.0": "Z"},
    "(abs(x) + x) / 2": {"-inf": "W", "largest float": "W"},
    "abs(x) * (x > 0)": {"-inf": "W"},
    "x[x < 0] = 0": {"-0.0": "Z"},
    "x*(x>t0)*a1 + x*(x<t0)*a0": {"-inf": "W", "+inf": "W", "at t0": "W"},
    "np.maximum(x, 0)": {},
    "relu(x)": {},
    "relu(x, out=x)": {},
    "thresholded_relu(x, t0, a0, a1)": {},
    "np.where(x > 0, dout, 0)": {"NaN": "C"},
    "dout * dReLU(x)": {"NaN": "C", "-1 (dout -1)": "Z", "-1 (dout inf)": "W"},
    "relu_backward(dout, x)": {},
    "thresholded_relu_backward(...)": {},
}
LETTERS = {
    "W": example.Flaw.WRONG,
    "Z": example.Flaw.NEGATIVE_ZERO,
    "C": example.Flaw.CONVENTION,
}
# NumPy does not promise which zero it returns for the larger of -0.0 and 0.
UNPROMISED = {"np.maximum(x, 0)": {"-0.0"}, "np.maximum(x, 0, out=x)": {"-0.0"}}

# Per edge, what ReLU is, to the sign of its zeros.
RELU = {
    "NaN": "nan",
    "-inf": "0.0",
    "+inf": "inf",
    "-1": "0.0",
    "-0.0": "0.0",
    "+0.0": "0.0",
    "at t0": "0.0",
    "largest float": repr(LARGEST),
}


def shown(answers):
    """Return the answers as Python writes them, which tells the zeros apart."""
    return {edge: repr(answer.value) for edge, answer in answers.items()}


def test_every_way_is_listed_once():
    assert len(WAYS) == len(example.FORWARD) + len(example.BACKWARD)
    assert set(WAYS) == set(FLAWS)


@pytest.mark.parametrize("formula", FLAWS)
def test_flaws(formula):
    answers = example.examine(WAYS[formula])
    for edge, answer in answers.items():
        if edge in UNPROMISED.get(formula, ()):
            assert answer.flaw in (example.Flaw.NONE, example.Flaw.NEGATIVE_ZERO)
        else:
            letter = FLAWS[formula].get(edge)
            assert answer.flaw is LETTERS.get(letter, example.Flaw.NONE), edge
    assert set(FLAWS[formula]) <= set(answers)


@pytest.mark.parametrize(
    "formula, differing",
    [
        ("np.maximum(x, 0)", {}),
        ("np.maximum(x, 0, out=x)", {}),
        ("x * (x > 0)", {"-inf": "nan", "-1": "-0.0", "-0.0": "-0.0"}),
        ("ReLU(x), with dReLU", {"-inf": "nan", "-1": "-0.0", "-0.0": "-0.0"}),
        ("(abs(x) + x) / 2", {"-inf": "nan", "largest float": "inf"}),
        ("abs(x) * (x > 0)", {"-inf": "nan"}),
        ("x[x < 0] = 0", {"-0.0": "-0.0"}),
        ("relu(x)", {}),
        ("relu(x, out=x)", {}),
    ],
)
def test_answers_of_relu(formula, differing):
    answers, wanted = shown(example.examine(WAYS[formula])), RELU | differing
    for edge in UNPROMISED.get(formula, ()):
        assert answers[edge] in ("0.0", "-0.0")
        answers[edge] = wanted[edge]
    assert answers == wanted


def test_answers_with_three_parameters():
    assert (example.T0, example.A0, example.A1) == (0.25, 0.1, 2.0)
    ours = {
        "NaN": "nan",
        "-inf": "-inf",
        "+inf": "inf",
        "-1": "-0.1",
        "-0.0": "-0.0",
        "+0.0": "0.0",
        "at t0": "0.025",
        "largest float": "inf",
    }
    of_page = ours | {"-inf": "nan", "+inf": "nan", "at t0": "0.0"}
    assert shown(example.examine(WAYS["thresholded_relu(x, t0, a0, a1)"])) == ours
    assert shown(example.examine(WAYS["x*(x>t0)*a1 + x*(x<t0)*a0"])) == of_page


def test_answers_of_gradients():
    edges = ["NaN", "-inf", "+inf", "-0.0", "+0.0", "at t0", "-1 (dout -1)", "-1 (dout inf)"]
    wanted = {
        "relu_backward(dout, x)": "1.0 0.0 1.0 0.0 0.0 0.0 0.0 0.0",
        "np.where(x > 0, dout, 0)": "0.0 0.0 1.0 0.0 0.0 0.0 0.0 0.0",
        "dout * dReLU(x)": "0.0 0.0 1.0 0.0 0.0 0.0 -0.0 nan",
        "thresholded_relu_backward(...)": "2.0 0.1 2.0 0.1 0.1 0.1 -0.1 inf",
    }
    for formula, answers in wanted.items():
        assert shown(example.examine(WAYS[formula])) == dict(zip(edges, answers.split())), formula


@pytest.mark.parametrize("way", example.FORWARD, ids=lambda way: way.formula)
def test_every_forward_way_is_right_between_the_edges(way, rng):
    x = rng.standard_normal((7, 9))
    if way.task is example.RELU:
        wanted = [[value if value > 0 else 0 for value in row] for row in x.tolist()]
    else:
        wanted = [[value * 2.0 if value > 0.25 else value * 0.1 for value in row] for row in x]
    np.testing.assert_array_equal(way.function(x.copy()), wanted)


@pytest.mark.parametrize("way", example.BACKWARD, ids=lambda way: way.formula)
def test_every_backward_way_is_right_between_the_edges(way, rng):
    dout, x = rng.standard_normal((2, 7, 9))
    t0, low, high = (0.0, 0.0, 1.0) if way.task is example.RELU_GRADIENT else (0.25, 0.1, 2.0)
    wanted = [g * (high if value > t0 else low) for g, value in zip(dout.flat, x.flat)]
    np.testing.assert_array_equal(way.function(dout, x).ravel(), wanted)


def plant(function, task=example.RELU):
    """Return the words of the example about a way of our own making."""
    return example.verdict(example.examine(example.Way("planted", function, task)))


def test_planted_flaws_are_found():
    right = example.kernels.relu

    def wrong_at_the_end(x):
        result = right(x)
        result[-1] += 1
        return result

    def wrong_in_the_middle(x):
        result = right(x)
        result[1:-1] += 1
        return result

    assert plant(right) == "right everywhere"
    assert plant(lambda x: np.nan_to_num(right(x), posinf=INF)) == "wrong at NaN"
    assert plant(lambda x: 2 * right(x)) == "wrong at largest float"
    assert plant(lambda x: np.copysign(right(x), x)) == "negative zero at -inf, -1, -0.0"
    assert plant(wrong_at_the_end) == "wrong at -inf, -1, -0.0, +0.0, at t0"
    assert plant(wrong_in_the_middle) == "wrong at -inf, -1, -0.0, +0.0, at t0"
    assert plant(lambda dout, x: dout, example.RELU_GRADIENT) == (
        "wrong at -inf, -0.0, +0.0, at t0, -1 (dout -1), -1 (dout inf)"
    )


def test_each_call_gets_fresh_input_whose_cost_is_subtracted(monkeypatch):
    now, seen = [0.0], []

    def copy_slowly(target, source):
        now[0] += 3
        target[...] = source

    def spoil(x):
        now[0] += 5
        seen.append(x.copy())
        x[...] = 7

    monkeypatch.setattr(example, "perf_counter", lambda: now[0])
    monkeypatch.setattr(example.np, "copyto", copy_slowly)
    way = example.Way("spoil", spoil, example.RELU)
    times, baseline = example.measure([way], 4, 6, example.Console(quiet=True))
    assert (times, baseline) == ({way: 5}, 3)
    assert len(seen) == 7
    assert all(np.array_equal(x, seen[0]) and not (x == 7).any() for x in seen)


def test_medians_over_rounds_in_changing_order(monkeypatch):
    now, calls = [0.0], []
    slow_in_round = [100, 1, 9, 2]  # round 0 warms up; the median of the others is 2

    def first(x):
        calls.append("first")
        now[0] += slow_in_round[calls.count("first") - 1]

    def others(name):
        return example.Way(name, lambda x: calls.append(name), example.RELU)

    monkeypatch.setattr(example, "perf_counter", lambda: now[0])
    ways = [example.Way("first", first, example.RELU), *map(others, "abcde")]
    times, _ = example.measure(ways, 2, 3, example.Console(quiet=True))
    rounds = [calls[start : start + 6] for start in range(0, 24, 6)]
    assert times[ways[0]] == 2
    assert all(sorted(names) == [*"abcde", "first"] for names in rounds)
    assert len({tuple(names) for names in rounds}) > 1


def test_closing_sentence_follows_the_measured_times():
    answers = {way: example.examine(way) for way in example.FORWARD}
    times = dict.fromkeys(example.FORWARD, 0.010)
    times[WAYS["x * (x > 0)"]] = 0.005
    times[WAYS["relu(x)"]] = 0.007
    sentence = example.closing_sentence(times, answers)
    assert "0.50 times as long as np.maximum(x, 0)" in sentence
    assert "ways x * (x > 0) is fastest (5.0 ms)" in sentence
    assert sentence.endswith("right at every edge, ours included, relu(x) (7.0 ms).")
    assert "5 of the page's 8 ways" in example.headline(times, answers)


def test_main(tmp_path, capsys):
    example.main(["--size", "300", "--rounds", "3", "--output", str(tmp_path / "new")])
    printed = capsys.readouterr().out
    plot = tmp_path / "new" / "relu_in_numpy.png"
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert plot.stat().st_size > 20_000
    assert max(map(len, printed.splitlines())) <= 100
    for formula in WAYS:
        assert printed.count(f" {formula} ") >= 2, formula  # its answers, and its time
    for line in printed.splitlines():
        if line.startswith(" (abs(x) + x) / 2"):
            assert "nan!" in line or "wrong at -inf, largest float" in line
    assert "Which is fastest?" in printed


def test_main_without_plot(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example.main(["--size", "20", "--rounds", "1", "--no-plot"])
    assert "Plot" not in capsys.readouterr().out
    assert not any(tmp_path.iterdir())


def test_main_refuses_no_rounds(capsys):
    with pytest.raises(SystemExit):
        example.main(["--rounds", "0"])
    assert "at least 1" in capsys.readouterr().err
