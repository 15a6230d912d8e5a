"""The text of reports: it fits a screen, however many inputs are wrong and however long their names."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.gradcheck.printed import text_of
from tinygrad_relu.gradcheck.report import GradientReport, InputReport, Kink, Verdict, WorstElement
from tinygrad_relu.gradcheck.typesetting import NARROWEST, WIDEST, clipped, number, width_of

LAYERS = [
    f"encoder_layers_{number}_{part}"
    for number in range(6)
    for part in ("self_attn.in_proj_weight", "self_attn.out_proj.weight", "linear1.weight")
]


def chain(names, factor=1.01):
    """Return a net with a layer for each name, whose gradients are all off by one factor, and inputs."""
    rng = np.random.default_rng(0)
    data = rng.standard_normal((3, 2))

    def forward(p):
        states = [data]
        for name in names:
            states.append(np.tanh(states[-1] @ p[name]))
        return states

    def backward(p):
        states, found = forward(p), {}
        flow = states[-1]
        for k in reversed(range(len(names))):
            flow = flow * (1 - states[k + 1] ** 2)
            found[names[k]] = factor * states[k].T @ flow
            flow = flow @ p[names[k]].T
        return found

    def loss(p):
        return 0.5 * np.sum(forward(p)[-1] ** 2)

    return loss, {name: rng.standard_normal((2, 2)) for name in names}, backward


@pytest.fixture(scope="module")
def many():
    loss, inputs, backward = chain(LAYERS)
    return tg.check_gradients(loss, [inputs], backward=backward)


@pytest.mark.parametrize("width", [NARROWEST, 80, WIDEST])
def test_many_wrong_inputs_fit_a_screen_or_two(many, width):
    lines = text_of(many, width).splitlines()
    assert max(map(len, lines)) <= width and len(lines) <= 70
    assert f"WRONG for {len(LAYERS)} of {len(LAYERS)} inputs" in lines[0]


def test_inputs_that_share_an_explanation_share_a_story(many):
    told = " ".join(str(many).split())
    assert told.count("constant factor") == 1 and f"and {len(LAYERS) - 4} others: constant" in told
    assert told.count("in the backward: with") == 1
    alone = InputReport("other", (2,), "float64", remark="other is told of by itself", size=2)
    report = GradientReport([*many.inputs, alone])
    assert "other: other is told of by itself" in str(report)


def test_tables_and_stories_are_capped():
    entries = [
        InputReport(f"w{k}", (2,), "float64", Verdict.WRONG if k % 3 == 0 else Verdict.RIGHT, size=2,
                    remark=f"remark {k}" if k % 3 == 0 else "")
        for k in range(90)
    ]
    text = str(GradientReport(entries))
    assert len(text.splitlines()) <= 50 and "and 66 more: 6 wrong; 60 right" in text
    assert "w69 " in text and "\nw1 " not in text       # the wrong ones go first
    assert "20 others" in text and "report['w18']" in text


def test_names_stay_apart_and_places_are_kept(many):
    rows = [line.split()[0] for line in text_of(many, NARROWEST).splitlines() if "wrong  " in line]
    assert len(set(rows)) == len(LAYERS) + 1        # and the head
    assert f"{LAYERS[0]}[" in text_of(many, NARROWEST)
    assert clipped("the beginning and the end", 9) == "the … end"


def test_zero_has_no_sign_and_what_is_not_known_is_not_shown():
    assert [number(x) for x in (-0.0, 0.0, -1.5)] == ["0", "0", "-1.5"]
    wrong = WorstElement((0,), 0.0, 0.0, 0.0)
    kink = Kink((1,), -0.0, -0.0, 1.0, "on")
    entry = InputReport("x", (2,), "float64", Verdict.WRONG, worst=[wrong], kinks=[kink], size=2,
                        remark="x is odd")
    text = str(GradientReport([entry]))
    assert "nan" not in text and "-0" not in text and "± 0" not in text
    assert "x[0]  analytic 0  numerical 0\n" in text and "slope 0  left 0  right 1" in text


def test_text_is_as_wide_as_the_terminal_within_bounds(monkeypatch):
    class Terminal:
        def isatty(self):
            return True

    for columns, width in ((20, NARROWEST), (80, 80), (300, WIDEST)):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert width_of(Terminal()) == width
        assert width_of(None) == WIDEST       # what is no terminal


@pytest.mark.parametrize("given", [{"y": np.ones(3)}, np.ones(4)])
def test_a_gradient_that_is_not_there_is_no_nan(given):
    report = tg.check_gradients(lambda x: 3 * x, {"x": np.ones(3)}, lambda dout, x: given)
    assert "nan" not in str(report) and "analytic none" in str(report)
    assert report.to_dict()["inputs"][0]["worst"][0]["analytic"] is None
    assert ("for 'y' was not looked at" in str(report)) == isinstance(given, dict)


def test_elements_that_agree_are_not_among_the_worst():
    def loss(x):
        return np.abs(x[0] + x[1]) + x[2]

    def backward(x):
        return np.array([0.5, -0.5, 1.0])       # each is between the sides, and both together are not

    report = tg.check_gradients(loss, {"x": np.array([0.0, 0.0, 1.0])}, backward)
    assert not report.ok and (2,) not in [one.index for one in report["x"].worst]
    assert "nan" not in str(report) and "not all of them may at once" in str(report)
