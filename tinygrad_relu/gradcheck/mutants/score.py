"""How well gradient checkers do on the bank: ``python -m tinygrad_relu score``."""

import json
import sys
import time
from dataclasses import asdict, dataclass, field

from tinygrad_relu.gradcheck import mutants
from tinygrad_relu.gradcheck.mutants.checkers import CHECKERS
from tinygrad_relu.gradcheck.progress import progress


@dataclass
class Score:
    """What became of the exercises of one checker.

    Attributes
    ----------
    checker : str
    wrong, correct : int
        How many exercises of each kind it was given.
    missed, false_alarms : list of str
        Wrong ones that passed, and correct ones that did not; both with those on which a checker failed.
    failures : list of str
        On what it failed, and how.
    misnamed, mislabelled : list of dict
        Wrong ones whose inputs, or whose first label for one of them, are others than those of the
        bank: ``exercise``, what the bank has (``expected``), what the checker said (``said``).
    seconds : float

    Examples
    --------
    >>> from tinygrad_relu.gradcheck.mutants.score import Score
    >>> Score("torch", wrong=264, missed=["linear regression: the 2 of the square is missing"]).caught
    263
    """

    checker: str
    wrong: int = 0
    correct: int = 0
    missed: list = field(default_factory=list)
    false_alarms: list = field(default_factory=list)
    failures: list = field(default_factory=list)
    misnamed: list = field(default_factory=list)
    mislabelled: list = field(default_factory=list)
    seconds: float = 0.0

    @property
    def caught(self):
        """int: How many wrong ones it found."""
        return self.wrong - len(self.missed)

    def add(self, exercise, answer):
        """Count one answer."""
        if answer.failure:
            self.failures.append(f"{exercise.title}: {answer.failure}")
        if not exercise.wrong:
            self.correct += 1
            if not answer.ok:
                self.false_alarms.append(exercise.title)
            return
        self.wrong += 1
        if answer.ok or answer.failure:
            self.missed.append(exercise.title)
        if not CHECKERS[self.checker].explains:
            return
        if set(answer.named) != set(exercise.wrong):
            expected, said = ", ".join(exercise.wrong), ", ".join(answer.named)
            self.misnamed.append({"exercise": exercise.title, "expected": expected, "said": said})
        labels = [answer.named.get(name, "nothing") for name in exercise.wrong]
        if not set(labels) <= set(map(str, exercise.labels)):
            expected, said = " or ".join(exercise.labels), ", ".join(dict.fromkeys(labels))
            self.mislabelled.append({"exercise": exercise.title, "expected": expected, "said": said})


def score(name, seed=0, advance=lambda: None):
    """Return the `Score` of a checker on the whole bank.

    Parameters
    ----------
    name : str
        A key of `CHECKERS`.
    seed : int
        Of the inputs.
    advance : callable
        Called after each exercise.
    """
    checker, found = CHECKERS[name], Score(name)
    start = time.perf_counter()
    for exercise in exercises(name, seed):
        found.add(exercise, checker.answer(exercise))
        advance()
    found.seconds = time.perf_counter() - start
    return found


def exercises(name, seed=0):
    """Return the exercises for a checker: in single precision only where it is made for it."""
    correct = mutants.correct_exercises(seed)
    if not CHECKERS[name].takes_float32:
        correct = [exercise for exercise in correct if not exercise.name.endswith("float32")]
    return [*mutants.wrong_exercises(seed), *correct]


def table(scores, missing):
    """Return the scores as lines of text."""
    lines = [f"{'checker':<32}{'caught':>12}{'false alarms':>15}{'time':>9}"]
    lines += [
        f"{CHECKERS[one.checker].call:<32}{f'{one.caught} of {one.wrong}':>12}"
        f"{f'{len(one.false_alarms)} of {one.correct}':>15}{f'{one.seconds:.1f} s':>9}"
        for one in scores
    ]
    lines += [
        f"{CHECKERS[name].call:<32}   not installed: pip install {CHECKERS[name].package}"
        for name in missing
    ]
    lines.append("In single precision only those are asked that are made for it: ours.")
    for one in scores:
        if CHECKERS[one.checker].explains:
            lines += explained(one)
    return "\n".join(lines)


def explained(one):
    """Return lines on how well a checker explains what it finds."""
    named, labelled = one.wrong - len(one.misnamed), one.wrong - len(one.mislabelled)
    lines = [
        "",
        f"{CHECKERS[one.checker].call}:",
        f"  wrong parameters named, and no others: {named} of {one.wrong} ({named / one.wrong:.1%})",
        f"  first label right for all of them: {labelled} of {one.wrong} ({labelled / one.wrong:.1%})",
    ]
    lines += [f"  failed: {title}" for title in one.failures]
    lines += [f"  missed: {title}" for title in one.missed]
    lines += [f"  false alarm: {title}" for title in one.false_alarms]
    for what, cases in (("parameters", one.misnamed), ("label", one.mislabelled)):
        lines += [
            f"  {what}: {case['exercise']}: {case['expected']}; said {case['said'] or 'nothing'}"
            for case in cases
        ]
    return lines


def run(names, path=None, seed=0):
    """Score the checkers that are named and installed, print the table, and write JSON if asked.

    Parameters
    ----------
    names : list of str
    path : Path, optional
        Where the JSON goes: what the table shows, and every exercise that a checker got wrong.
    seed : int

    Returns
    -------
    int
        0, or 1 if none of them is installed.
    """
    missing = [name for name in names if not CHECKERS[name].is_installed()]
    present = [name for name in names if name not in missing]
    print(f"{len(mutants.MUTANTS)} wrong backwards of {len(mutants.MODELS)} models, and the correct ones")
    if any(CHECKERS[name].explains for name in present):
        print("Ours explains what it finds, which takes about two minutes.", flush=True)
    total = sum(len(exercises(name)) for name in present)
    with progress("checking", sys.stderr, total) as advance:
        scores = [score(name, seed, advance) for name in present]
    print(table(scores, missing))
    if path is not None:
        content = {"seed": seed, "scores": [{**asdict(one), "caught": one.caught} for one in scores],
                   "missing": missing}
        path.write_text(json.dumps(content, indent=1) + "\n")
    return 0 if scores else 1
