"""Pictures of reports: a panel for each input, a colour for each verdict, and no more than fit a page."""

import io

import numpy as np
import pytest
from test_fast_mode import net

import tinygrad_relu as tg
from tinygrad_relu.gradcheck.report import GradientReport, InputReport, Verdict

pytest.importorskip("matplotlib")


def legend(figure):
    """Return the words of the legend."""
    return {words.get_text() for words in figure.legends[0].get_texts()}


def panels(figure):
    """Return the titles of the panels."""
    return [axis.get_title() for axis in figure.axes if axis.get_title()]


def test_the_picture_has_a_map_for_each_input():
    rng = np.random.default_rng(0)
    shapes = {"x": (4, 3), "w": (3, 2), "b": (2,)}
    inputs = {name: rng.standard_normal(shape) for name, shape in shapes.items()}

    def backward(d, x, w, b):
        return d @ w.T, x.T @ d * np.array([1.0, 1.5]), d.sum(axis=0)

    report = tg.check_gradients(lambda x, w, b: x @ w + b, inputs, backward=backward)
    figure = report.plot()
    maps = [axis for axis in figure.axes if axis.images]
    # A long title has several lines.
    titles = [axis.get_title().replace(":", "").split() for axis in maps]
    assert titles == [["x", "right"], ["w", *report["w"].label.split()], ["b", "right"]]
    assert figure._suptitle.get_text() == "wrong: w"
    shown = np.asarray(maps[1].images[0].get_array())
    assert (shown[:, 1] > 0.1).all() and (shown[:, 0] < 1e-5).all()
    assert legend(figure) == {"right"}


def test_elements_on_kinks_and_those_that_cannot_be_told_are_not_pale():
    x = np.array([[0.0, 1.0], [2.0, -1.0]])
    figure = tg.check_gradients(lambda x: np.maximum(x, 0), {"x": x}, lambda d, x: d * (x > 0)).plot()
    error, bent = (image.get_array() for image in figure.axes[0].images)
    assert (error < 1e-6).all() and np.argwhere(~np.ma.getmaskarray(bent)).tolist() == [[0, 0]]
    assert legend(figure) == {"right", "on a kink: no mistake"}
    figure = tg.check_gradients(np.floor, {"x": np.ones(3)}, lambda d, x: d * 0).plot()
    assert figure.axes[0].images[0].get_array().mask.all() and "cannot tell" in str(legend(figure))
    assert figure._suptitle.get_text() == "nothing can be told"
    assert figure._suptitle.get_color() != "#2e7d32"        # the green of what is right


def test_the_fast_mode_has_a_panel_of_words_for_each_input():
    def change(found):
        found["w"] *= 1.5

    function, parameters = net(change=change)
    figure = tg.check_gradients(function, [parameters]).plot()
    assert panels(figure) == ["w: constant factor", "b: right", "v: right", "c: right"]
    words = [axis.texts[0].get_text() for axis in figure.axes if axis.texts]
    assert all("random directions" in said for said in words) and ", not " in words[0]
    assert legend(figure) == {"right", "wrong"}


def test_what_was_not_compared_is_said_to_be():
    rng = np.random.default_rng(0)
    report = tg.check_gradients(lambda x: rng.standard_normal() * x, [np.ones(2)], lambda d, x: d)
    figure = report.plot()
    assert "not deterministic" in " ".join(figure._suptitle.get_text().split())
    assert len(panels(figure)) == 1 and figure.axes[0].texts[0].get_text() == "not compared"


def test_many_inputs_fit_a_page():
    entries = [
        InputReport(f"a_very_long_parameter_name_number_{k}", (2,), "float64", size=2,
                    verdict=Verdict.WRONG if k in (7, 29) else Verdict.RIGHT,
                    relative_error=np.full(2, 0.01 if k in (7, 29) else 1e-12))
        for k in range(30)
    ]
    figure = GradientReport(entries).plot()
    figure.savefig(io.BytesIO())       # lays it out
    height = figure.get_figheight()
    assert height < 12 and "and 14 more: 14 right" in " ".join(figure._suptitle.get_text().split())
    bar = figure.axes[-1].get_position()
    assert bar.height < 0.5 and bar.width < 0.05
    titles = panels(figure)
    assert len(set(titles)) == 16 and max(len(line) for one in titles for line in one.split("\n")) <= 30
    assert any(title.split("\n")[0].endswith("_29") for title in titles)
