"""Look for the edit of the user's backward that makes it right."""

import ast
import contextlib
import functools
import io
import itertools
import time

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.edits.additions import of_lost_statements
from tinygrad_relu.gradcheck.diagnosis.edits.analogies import analogies, weighed
from tinygrad_relu.gradcheck.diagnosis.edits.apart import apart
from tinygrad_relu.gradcheck.diagnosis.edits.axes import (
    of_axes,
    of_axes_put_back,
    of_diagonals,
    of_shapes,
    of_subscripts,
    with_an_operand,
)
from tinygrad_relu.gradcheck.diagnosis.edits.calls import (
    functions_of,
    of_calls,
    of_rounds,
    of_squares,
    of_terms_summed,
    with_functions,
)
from tinygrad_relu.gradcheck.diagnosis.edits.compositions import compositions
from tinygrad_relu.gradcheck.diagnosis.edits.edit import (
    EXCHANGE,
    EXPRESSION,
    RETURNED_COST,
    VAGUE_COST,
    Edit,
    together,
)
from tinygrad_relu.gradcheck.diagnosis.edits.exchanges import (
    crossed_in_rows,
    crossed_numbers,
    crossings,
    exchanges,
    renamings,
)
from tinygrad_relu.gradcheck.diagnosis.edits.guard import FAILED, GUARD, Unending, guarded
from tinygrad_relu.gradcheck.diagnosis.edits.ingredients import ingredients
from tinygrad_relu.gradcheck.diagnosis.edits.insertions import COMMON, insertions, of_what_is_handed_on
from tinygrad_relu.gradcheck.diagnosis.edits.kept import Kept
from tinygrad_relu.gradcheck.diagnosis.edits.meanings import Meanings
from tinygrad_relu.gradcheck.diagnosis.edits.numbered import numbered, of_the_other
from tinygrad_relu.gradcheck.diagnosis.edits.operators import (
    of_arrangement,
    of_operators,
    of_signs,
    of_slopes,
)
from tinygrad_relu.gradcheck.diagnosis.edits.parallel import in_all_additions, in_parallel, wherever_read
from tinygrad_relu.gradcheck.diagnosis.edits.parts import (
    from_a_round_on,
    of_slices,
    parts_crossed,
    under_masks,
    under_masks_together,
    with_limits,
    without_an_end,
    without_diagonal,
)
from tinygrad_relu.gradcheck.diagnosis.edits.program import codes, programs
from tinygrad_relu.gradcheck.diagnosis.edits.quantities import (
    crossed_keys,
    of_all_indices,
    of_comparisons,
    of_index,
    of_numbers,
)
from tinygrad_relu.gradcheck.diagnosis.edits.screen import Screen
from tinygrad_relu.gradcheck.diagnosis.edits.statements import of_conditions, of_statements
from tinygrad_relu.gradcheck.diagnosis.edits.surroundings import in_comparison, is_handed_on
from tinygrad_relu.gradcheck.diagnosis.edits.syntax import LEAVES, called, number, written
from tinygrad_relu.gradcheck.diagnosis.edits.target import Target
from tinygrad_relu.gradcheck.diagnosis.edits.text import Text
from tinygrad_relu.gradcheck.diagnosis.edits.values import is_array, is_float
from tinygrad_relu.gradcheck.diagnosis.labels import Label
from tinygrad_relu.gradcheck.diagnosis.one_call import one_at_a_time
from tinygrad_relu.gradcheck.diagnosis.ranking import Candidate

#: All small ways in which one expression may be meant.
SMALL = (
    of_operators, of_signs, of_slopes, of_comparisons, of_numbers, of_index, of_arrangement, of_calls,
    of_squares, of_terms_summed, of_rounds, of_axes, of_diagonals, of_axes_put_back, of_shapes,
    of_subscripts, of_slices, from_a_round_on, under_masks,
)
# What all may cost, in seconds as estimated beforehand, so that the answer does not depend on how busy
# the machine is; and what a try does, an expression that is worked out in it, more so if it is an array,
# and an element of one.
BUDGET = 15.0
TRY_COST, ARRAY_COST, EXPRESSION_COST, ELEMENT_COST = 2e-4, 5e-7, 1.5e-7, 2e-9
SCREEN_COST, COMPOSED_COST = 5e-5, 5e-2
# A call that takes more seconds is one of those whose cost is not seen in the text; a try is ended after
# so many seconds, and so many times as long as a call takes.
SLOW, PATIENCE, TIMES = 0.1, 1.0, 20
# The same for the first calls, of which it is not known how long they take.
FIRST_PATIENCE = 10.0
# So many places may have to be written otherwise at once; so many edits that help a little are kept.
MOST_ALIKE, MOST_IMPROVING = 6, 24
# Two edits of one label whose costs differ by less are of one kind.
ALIKE_COST = 0.05
# By how much a number is changed to see what depends on it.
SCALE, MOVE = 1.25, 0.375


def edits(case, evidence, budget=BUDGET):
    """Return candidates: what is to be written otherwise in the user's backward for it to be right.

    Parameters
    ----------
    case : Case
    evidence : list of Evidence
    budget : float
        What it may cost, in seconds as estimated beforehand: less where all is explained already.
    """
    with one_at_a_time:
        return with_twins(apart(lambda: found_in_functions(case, evidence, budget)))


def found_in_functions(case, evidence, left):
    """Yield candidates of all functions that the backward calls, those that the forward shares last."""
    def call():
        return case.backward([x.copy() for x in case.inputs], list(case.draws[0].cotangents))

    found, nowhere = False, io.StringIO()
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        with guarded(FIRST_PATIENCE):  # what waits for another thread waits for ever: there is none here
            forward = codes(lambda: case.forward([x.copy() for x in case.inputs]))
            began = time.perf_counter()
            call()
        seconds = time.perf_counter() - began
        GUARD.seconds = PATIENCE + TIMES * seconds
        meanings = Meanings(evidence[0])
        entered = programs(call)
        functions = [function for program in entered for function in program.functions]
        for program in sorted(entered, key=lambda one: one.code in forward):
            try:
                with guarded(FIRST_PATIENCE + TIMES * seconds):
                    text = Text(program, call, meanings)
                    again = functools.partial(Text, program, call, meanings)
                    at_hand = [*text.objects.values(), *text.names.values(), *functions]
                    kept = Kept(at_hand, again, program)
            except FAILED:  # a function that does another thing when it is looked at
                continue
            if found and program.code in forward:
                return
            search = Search(case, evidence, text, kept, forward, left)
            if seconds > SLOW:
                search.cost = max(search.cost, seconds)
            with kept.unwritable(), contextlib.suppress(Exception):  # at values that nobody thought of
                search.run()
            yield from search.found
            found, left = found or bool(search.found), search.left


def with_twins(found):
    """Return candidates of which those know each other that are one mistake, made for several inputs."""
    for one in found:
        alike = [
            other for other in found
            if other.label is one.label and abs(other.cost - one.cost) < ALIKE_COST
        ]
        one.twins = frozenset().union(*(other.inputs for other in alike))
    return found


class Search:
    """The search in one function.

    Parameters
    ----------
    case : Case
    evidence : list of Evidence
    text : Text
    kept : Kept
    forward : list of code
        What the forward is made of.
    left : float
        What it may cost.
    """

    def __init__(self, case, evidence, text, kept, forward, left):
        self.case, self.evidence, self.text, self.kept = case, evidence, text, kept
        self.forward, self.left, self.found, self.improving = forward, left, [], []
        self.screens, self.theirs = {}, {code.co_name for code in forward}
        arrays = [place for place in text.places if isinstance(place.value, np.ndarray)]
        elements = sum(place.value.size for place in arrays)
        calls = sum(place.rounds for place in arrays)
        rounds = sum(place.rounds for place in text.places)
        self.cost = TRY_COST + ARRAY_COST * calls + EXPRESSION_COST * rounds + ELEMENT_COST * elements
        one = evidence[0]
        self.wrong = {
            k for k in range(len(one.expected)) if (np.abs(one.residue(k)) > one.allowed[k]).any()
        }
        self.targets = [[Target(each, k) for k in range(len(each.expected))] for each in evidence]

    def run(self):
        """Try all edits, small ones first, until some put all wrong gradients right."""
        if not self.is_text_of_backward():
            return
        places = [place for place in self.text.places if place.rounds or not place.has_value]
        readable = [
            place for place in places
            if place.is_read and not place.is_called and not place.is_written_to
            and not self.is_of_forward(place)
        ]
        readable = sorted(filter(self.may_be_wrong, readable), key=self.text.turn)
        small = [
            edit for place in readable if not place.is_put_into
            for ways in SMALL for edit in all_of(ways, self.text, place)
        ]
        self.try_all(small)
        self.try_all(all_of(crossed_in_rows, self.text))
        self.try_all(all_of(of_statements, self.text))
        self.try_all(all_of(of_lost_statements, self.text, self.forward))
        valued = [place for place in readable if place.has_value]
        suspects = [place for place in valued if self.reaches_all(place)]
        if not self.is_explained:
            for ways in (weighed, analogies):
                likely = (edit for one in suspects for edit in all_of(ways, self.text, one))
                self.try_all(self.screened(likely))
            self.try_all(all_of(of_conditions, self.text, self.forward))
            handed = (edit for one in valued for edit in all_of(of_what_is_handed_on, self.text, one))
            self.try_all(handed)
            self.try_all(all_of(crossed_numbers, self.text))
            self.try_all(all_of(crossed_keys, self.text))
            self.try_all(all_of(of_all_indices, self.text))
            self.try_all(all_of(under_masks_together, self.text))
            self.try_all(all_of(parts_crossed, self.text))
            self.try_all(all_of(numbered, self.text, valued))
            self.try_all(all_of(of_the_other, self.text, valued))
            self.try_all(alike(small))
            self.try_all(together(pair) for pair in itertools.combinations(self.improving, 2))
        found = ingredients(self.text, self.forward)
        self.put_in(suspects, found)
        if not self.is_explained:
            self.put_in([place for place in valued if place not in suspects], found)
            self.try_all(self.composed(suspects, found))
            self.try_all(together(pair) for pair in itertools.combinations(self.improving, 2))

    def is_text_of_backward(self):
        """Tell whether the text does what the function did: a file may have changed since it was read."""
        place = self.text.places[0]
        self.left -= 2 * self.cost
        try:
            with self.trying(Edit(None, 0.0, place, place.node)):
                found = self.gradients(self.evidence[0])
            with guarded():
                own = self.gradients(self.evidence[0])
        except FAILED:
            return False
        finally:
            self.kept.restore()
        return all(np.allclose(x, y, rtol=1e-9, atol=0, equal_nan=True) for x, y in zip(found, own))

    def put_in(self, places, found):
        """Try ingredients at places, until they explain all that is wrong.

        Parameters
        ----------
        places : list of Place
        found : list of Ingredient
        """
        constants = [one for one in found if isinstance(one.node, ast.Constant)]
        numbers = [one for one in constants if one.value in COMMON]
        rarer = [one for one in constants if one not in numbers]
        names = [one for one in found if one.is_leaf]
        longer = [one for one in found if not one.is_leaf and one not in constants]
        leaves = [
            place for place in places
            if isinstance(place.node, (*LEAVES, ast.Constant)) or called(place.node) == "len"
        ]
        others = [place for place in places if place not in leaves]
        tiers = (
            [
                (exchanges, leaves, names), (insertions, places, numbers),
                (with_functions, places, functions_of(self.text, self.forward)),
                (without_an_end, leaves), (with_limits, places, self.forward),
                (without_diagonal, places, self.forward), (with_an_operand, others),
            ],
            [(exchanges, others, names), (insertions, places, [*names, *rarer])],
            [(exchanges, places, longer), (insertions, places, longer)],
        )
        for tier in tiers:
            for ways, where, *what in tier:
                edits = (edit for place in where for edit in all_of(ways, self.text, place, *what))
                self.try_all(self.screened(edits))
            if self.is_explained:
                return
            if tier is tiers[0]:
                self.try_all(all_of(crossings, places))
                self.try_all(all_of(renamings, self.text, places, names))
                self.try_all(all_of(wherever_read, self.text, places, names))
            if tier is tiers[1]:
                self.try_all(all_of(in_parallel, self.text, names))
                self.try_all(all_of(in_all_additions, self.text, names))

    def composed(self, places, found):
        """Yield products of ingredients at places, as far as the budget goes."""
        for place in places:
            self.left -= COMPOSED_COST
            if self.left < 0:
                return
            yield from all_of(compositions, self.text, place, found, self.screen(place))

    def is_argument_of_forward(self, place):
        """Tell whether something is given to one of the functions of the forward."""
        return getattr(place, "has_value", False) and place.is_given_to(self.theirs)

    def is_of_forward(self, place):
        """Tell whether something is given to the forward, for what it makes, or has its length taken."""
        for here in place.way_up():
            function = called(here.parent) if isinstance(here.parent, ast.Call) else None
            if function == "len":
                return True
            if function in self.theirs:
                made = here.around.value
                if not is_array(made) or self.text.meanings.is_forward(made):
                    return True
        return False

    def may_be_wrong(self, place):
        """Tell whether what stands at a place may be another number, and all right gradients stay so."""
        if len(self.wrong) == len(self.evidence[0].expected) or not is_float(place.value):
            return True
        if is_handed_on(place):
            return True  # a copy may be meant, which is no other number
        if place.rounds > 1 and gives_to_named_entry(place.statement):
            return True  # in one round it is that of a right gradient, in another one that of a wrong one
        scaled = Edit(None, 0.0, place, ast.BinOp(place.node, ast.Mult(), number(SCALE)))
        self.left -= self.cost
        return self.right_after(scaled)

    def right_after(self, edit):
        """Tell whether right gradients stay so with an edit, or cannot be had."""
        try:
            with self.trying(edit):
                found = self.gradients(self.evidence[0])
        except FAILED:
            return True
        targets = enumerate(zip(self.targets[0], found))
        return all(target.is_reached(x) for k, (target, x) in targets if k not in self.wrong)

    def reaches_all(self, place):
        """Tell whether all that is wrong changes with what stands at a place, or cannot be had.

        A single mistake is at such a place.
        """
        node = place.node
        if not is_float(place.value) or in_comparison(place):
            return True
        moved = ast.BinOp(ast.BinOp(node, ast.Mult(), number(SCALE)), ast.Add(), number(MOVE))
        self.left -= self.cost
        try:
            with self.trying(Edit(None, 0.0, place, moved)):
                found = self.gradients(self.evidence[0])
        except FAILED:
            return True
        for k in self.wrong:
            target = self.targets[0][k]
            same = found[k] == target.written
            if np.shape(found[k]) == target.written.shape and (target.missed & same).any():
                return False
        return True

    @contextlib.contextmanager
    def trying(self, edit):
        """Let the function be what an edit makes of it, and put all back."""
        edit.place.put(edit.new)
        try:
            new = edit.new if isinstance(edit.new, ast.expr) else None
            with self.text.program.running(self.text.program.compiled(new)), guarded():
                yield
        except Unending:
            self.pay_for_waiting()
            raise
        finally:
            edit.place.restore()
            self.kept.restore()

    @property
    def is_explained(self):
        """bool: Whether all that is wrong is put right by some edit."""
        return any(candidate.inputs >= self.wrong for candidate in self.found)

    def screen(self, place):
        """Return the screen of a place, which is made once."""
        if id(place) not in self.screens:
            self.screens[id(place)] = Screen(self, place)
        return self.screens[id(place)]

    def screened(self, ways):
        """Yield the edits of single places that may put some gradient right."""
        for edit in ways:
            screen = self.screen(edit.place)
            # What an expression is in each round is worked out.
            self.left -= SCREEN_COST * (1 + screen.is_known * edit.place.rounds / 8)
            if screen.may_be_right(edit.new):
                yield edit
            elif self.left < 0:
                return

    def try_all(self, ways):
        """Try edits, and keep those that put some gradient right."""
        for edit in ways:
            self.left -= self.cost
            if self.left < 0:
                return
            mended = self.effect(edit)
            if mended and (label := meaning(edit)) is not None:
                if getattr(edit.place, "field", "") == "value" and is_memory(edit.place.parent):
                    label = Label.STALE_BUFFER
                line = self.text.program.line(edit.place.statement)
                if label is Label.MISSING_FACTOR and self.is_argument_of_forward(edit.place):
                    label = Label.WRONG_FUNCTION  # a value of the forward is computed of other things
                instead = edit.cost == EXCHANGE or edit.cost >= EXPRESSION
                vague = label is Label.WRONG_FUNCTION and instead
                cost = edit.total + VAGUE_COST * vague + RETURNED_COST * is_returned(edit.place)
                words = f"is wrong because of {line}, in the backward: with {edit.words()} it is right"
                self.found.append(
                    Candidate(label, cost, words, frozenset(mended), details={"backward": line})
                )

    def effect(self, edit):
        """Return which wrong gradients an edit puts right while all right ones stay so."""
        try:
            with self.trying(edit):
                mended = set(self.wrong)
                for one, targets in zip(self.evidence, self.targets):
                    mended &= self.put_right(one, targets, edit)
                    if not mended:
                        return mended
                return mended if self.forward_stays() else set()
        except FAILED:
            return set()

    def pay_for_waiting(self):
        """Take off what a try costs that had to be ended, twice: what waits once does so often."""
        self.left -= 2 * GUARD.seconds

    def gradients(self, one):
        """Return what the backward gives now."""
        return self.case.backward([x.copy() for x in one.inputs], [x.copy() for x in one.cotangents])

    def put_right(self, one, targets, edit):
        """Return which wrong gradients are right now; none if one that was right is no longer."""
        found = self.gradients(one)
        right = {k for k, (target, x) in enumerate(zip(targets, found)) if target.is_reached(x)}
        others = {k for k in range(len(found)) if k not in self.wrong}
        if not others <= right:
            return set()
        more = not right & self.wrong and len(self.improving) < MOST_IMPROVING
        if more and self.improves(targets, found):
            self.improving.append(edit)
        return right & self.wrong

    def improves(self, targets, found):
        """Tell whether some elements of a wrong gradient are right now, and all that were still are."""
        better = False
        for k in self.wrong:
            if found[k] is None or np.shape(found[k]) != targets[k].expected.shape:
                return False
            missed = ~targets[k].elements(found[k])
            if (missed & ~targets[k].missed).any():
                return False
            better = better or missed.sum() < targets[k].missed.sum()
        return better

    def forward_stays(self):
        """Tell whether the forward is what it was, where it is made of the same function."""
        if self.text.program.code not in self.forward:
            return True
        one = self.evidence[0]
        edited = self.case.forward([x.copy() for x in one.inputs])
        with self.text.program.running(self.text.program.code):
            own = self.case.forward([x.copy() for x in one.inputs])
        return all(np.allclose(x, y, rtol=1e-9, atol=0) for x, y in zip(edited, own))


def all_of(ways, *arguments):
    """Yield the edits that some way of making them gives, up to where it makes no sense of some value."""
    with contextlib.suppress(Exception):
        yield from ways(*arguments)


def meaning(edit):
    """Return what is wrong if an edit is right, or None if that cannot be told."""
    try:
        return edit.means
    except Exception:  # of values that nobody thought of
        return None


def gives_to_named_entry(statement):
    """Tell whether a statement gives a value to an entry whose name is another one in each round."""
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    return isinstance(targets[0], ast.Subscript) and isinstance(targets[0].slice, ast.Name)


def is_returned(place):
    """Tell whether a place is what a function returns, or one of several such things."""
    return isinstance(getattr(place, "statement", None), ast.Return) and isinstance(place.node, ast.Name)


def is_memory(node):
    """Tell whether something says where a result is to be written."""
    return isinstance(node, ast.keyword) and node.arg == "out"


def alike(edits):
    """Yield edits of one text for another at all places where it stands."""
    groups = {}
    for edit in edits:
        groups.setdefault((written(edit.place.node), written(edit.new)), []).append(edit)
    for group in groups.values():
        places = {edit.place for edit in group}
        if 1 < len(places) == len(group) <= MOST_ALIKE:
            yield together(group)
