"""The score: what is counted, what is printed, and that other checkers are asked as they should be."""

import importlib.util
import io
import json

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu.__main__ import CHECKER_NAMES, main
from tinygrad_relu.gradcheck.mutants import MUTANTS, correct_exercises
from tinygrad_relu.gradcheck.mutants.checkers import CHECKERS, Answer, Checker
from tinygrad_relu.gradcheck.mutants.score import exercises, score, table
from tinygrad_relu.gradcheck.progress import progress


def in_place_of_ours(monkeypatch, check, **options):
    options = {"takes_float32": True, "explains": True, **options}
    monkeypatch.setitem(
        CHECKERS, "ours", Checker("ours", "a checker", "numpy", "numpy", check, **options)
    )


def knowing(exercise):
    return Answer(not exercise.wrong, {name: str(exercise.labels[0]) for name in exercise.wrong})


def test_one_that_knows_everything_has_the_full_score(monkeypatch):
    in_place_of_ours(monkeypatch, knowing)
    found = score("ours")
    assert found.caught == found.wrong == len(MUTANTS)
    assert found.correct == len(correct_exercises())
    assert not (found.missed or found.false_alarms or found.misnamed or found.mislabelled)


@pytest.mark.parametrize("said", [True, False])
def test_one_that_always_says_the_same(monkeypatch, said):
    in_place_of_ours(monkeypatch, lambda exercise: said)
    found = score("ours")
    assert found.caught == (0 if said else found.wrong)
    assert len(found.false_alarms) == (0 if said else found.correct)
    assert len(found.misnamed) == len(found.mislabelled) == found.wrong


@pytest.mark.parametrize("explains", [False, True])
def test_one_that_raises_says_no_unless_it_could_explain(monkeypatch, explains):
    def check(exercise):
        print("all sorts of things")
        np.log(np.zeros(1))
        raise ValueError("no")

    in_place_of_ours(monkeypatch, check, explains=explains)
    found = score("ours")
    assert len(found.false_alarms) == len(correct_exercises())
    assert found.caught == (0 if explains else len(MUTANTS))
    assert len(found.failures) == (found.correct + found.wrong if explains else 0)
    assert ("ValueError: no" in table([found], [])) == explains


def test_labels_and_parameters_are_counted_one_by_one(monkeypatch):
    titles = [e.title for e in exercises("ours") if len(e.wrong) > 1]

    def half_knowing(exercise):
        answer = knowing(exercise)
        if exercise.title == titles[0]:
            answer.named[exercise.wrong[1]] = "no simple explanation"
        if exercise.title == titles[1]:
            del answer.named[exercise.wrong[1]]
        if exercise.title == titles[2]:
            answer.named["another"] = "zeros"
        return answer

    in_place_of_ours(monkeypatch, half_knowing)
    found = score("ours")
    assert [case["exercise"] for case in found.mislabelled] == titles[:2]
    assert [case["exercise"] for case in found.misnamed] == titles[1:3]
    text = table([found], [])
    assert found.mislabelled[0]["said"].endswith("no simple explanation")
    assert f"label: {titles[0]}" in text and f"parameters: {titles[2]}" in text


def test_words_that_are_as_true_count_as_right(monkeypatch):
    def second_word(exercise):
        return Answer(not exercise.wrong, {name: str(exercise.labels[-1]) for name in exercise.wrong})

    in_place_of_ours(monkeypatch, second_word)
    assert not score("ours").mislabelled


def test_single_precision_is_for_those_who_take_it():
    every, double = exercises("ours"), exercises("torch")
    assert len(every) - len(double) > 40
    assert not [e for e in double if any(x.dtype == np.float32 for x in e.inputs.values())]


def test_the_command_prints_a_table_and_writes_json(monkeypatch, capsys, tmp_path):
    in_place_of_ours(monkeypatch, knowing)
    monkeypatch.setitem(
        CHECKERS, "torch", Checker("torch", "torch...gradcheck", "torch", "no_such_module", knowing)
    )
    path = tmp_path / "score.json"
    assert main(["score", "--checker", "ours", "torch", "--json", str(path)]) == 0
    printed = capsys.readouterr()
    assert f"{len(MUTANTS)} of {len(MUTANTS)}" in printed.out and "(100.0%)" in printed.out
    assert "torch...gradcheck" in printed.out and "not installed: pip install torch" in printed.out
    assert not printed.err and max(map(len, printed.out.splitlines())) <= 80
    assert printed.out.index("about two minutes") < printed.out.index("checker")
    content = json.loads(path.read_text())
    assert content["missing"] == ["torch"] and content["scores"][0]["caught"] == len(MUTANTS)
    assert main(["score", "--checker", "torch"]) == 1 and "minutes" not in capsys.readouterr().out


def test_the_command_knows_all_checkers(capsys):
    assert list(CHECKERS) == CHECKER_NAMES
    with pytest.raises(SystemExit):
        main(["score", "--checker", "nobody"])
    assert "nobody" in capsys.readouterr().err


def test_progress_is_shown_on_a_terminal_only():
    pytest.importorskip("rich")

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for console, shown in ((io.StringIO(), False), (Terminal(), True)):
        with progress("checking", console, 2) as advance:
            advance()
            advance()
        assert bool(console.getvalue()) == shown


# What each of them, as it is called here, is known to miss or to be wrong about.
@pytest.mark.parametrize("name", ["autograd", "scipy"])
def test_other_checkers_are_asked_in_earnest(name):
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    found = score(name)
    assert found.caught > 0.85 * found.wrong
    # Their differences straddle kinks; none is for smooth models at usual points.
    assert 5 < len(found.false_alarms) < 0.4 * found.correct
    assert all(any(w in t for w in ("kink", "ill-scaled", "large")) for t in found.false_alarms)
    # Nobody else looks at dtypes, or at what is handed out twice.
    assert any("single precision" in title for title in found.missed)
    assert not CHECKERS[name].explains and not found.mislabelled


@pytest.mark.skipif(not hasattr(tg, "check_gradients"), reason="check_gradients is not there")
def test_ours_misses_nothing_and_raises_no_alarm():
    every = exercises("ours")
    for exercise in every[::9]:
        answer = CHECKERS["ours"].answer(exercise)
        assert answer.ok == (not exercise.wrong), exercise.title
        assert set(answer.named) == set(exercise.wrong), exercise.title
