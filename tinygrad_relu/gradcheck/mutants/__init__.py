"""A bank of wrong backwards, each with what is wrong, and of the right ones they were made from.

Every family of models has a file: functions in plain NumPy as somebody would write them who learns how,
their correct backwards, and below each what is written wrong in its place.

>>> from tinygrad_relu.gradcheck import mutants
>>> mutant = mutants.MUTANTS[0]
>>> mutant.model.name, mutant.name, str(mutant.label)
('linear regression', 'the 2 of the square is missing', 'constant factor')
>>> exercise = mutant.exercise()
>>> exercise.wrong, [dw.shape for dw in exercise.backward(*exercise.inputs.values())]
(('W', 'b'), [(3, 3), (3,)])
"""

import numpy as np

from tinygrad_relu.gradcheck.mutants import (
    classification,
    convolution,
    nets,
    normalization,
    rectifiers,
    regression,
    sequences,
    tables,
)
from tinygrad_relu.gradcheck.mutants.model import OF_BEHAVIOUR, Exercise, Model, Mutant

__all__ = [
    "MODELS", "MUTANTS", "OF_BEHAVIOUR", "Exercise", "Model", "Mutant", "correct_exercises",
    "wrong_exercises",
]

FAMILIES = (
    regression, classification, nets, rectifiers, convolution, normalization, sequences, tables,
)

# Points that are checked in float64 only, where the squares of their values have room.
EXTREME = ("ill-scaled", "large logits", "large scores", "saturated")

#: Every model, and every mutant of one.
MODELS = [model for family in FAMILIES for model in family.MODELS]
MUTANTS = [mutant for model in MODELS for mutant in model.mutants]


def wrong_exercises(seed=0):
    """Return every mutant at a point, with a memory of its own.

    Examples
    --------
    >>> from tinygrad_relu.gradcheck import mutants
    >>> all(exercise.wrong for exercise in mutants.wrong_exercises())
    True
    """
    return [mutant.exercise(seed) for mutant in MUTANTS]


def correct_exercises(seed=0):
    """Return every correct backward at all its points, in float64 and in float32.

    Among the points are kinks, sizes of zero, and values from 1e-8 to 1e8.

    Examples
    --------
    >>> from tinygrad_relu.gradcheck import mutants
    >>> {exercise.wrong for exercise in mutants.correct_exercises()}
    {()}
    """
    return [
        model.exercise(at, dtype, seed)
        for model in MODELS for at in model.points for dtype in (np.float64, np.float32)
        if dtype is np.float64 or at not in EXTREME
    ]
