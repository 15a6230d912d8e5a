"""`Edit`: a place in the text of a backward written otherwise, and what that costs."""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass

from tinygrad_relu.gradcheck.diagnosis.edits.syntax import written

#: What an edit costs; see `ranking`.  A sign, a number; a name for another; a call; what is to be put in
#: or taken out as an operand, by a name or by a longer expression; a whole expression for another.
TOKEN, EXCHANGE, CALL, OPERAND, LONG_OPERAND, EXPRESSION = 17.5, 17.8, 18.0, 18.5, 19.2, 19.8
# What is added where the label says little.
VAGUE_COST = 4.6
# What is added where the result of something that went wrong before is put right.
RETURNED_COST = 2.5
# What is added where several places have to be written otherwise.
TOGETHER_COST = 0.6
# What is shorter says little by itself.
SHORT = 6
# What is longer is told in part.
LONGEST = 120
# Of edits of one cost, the shorter one goes first.
LENGTH_COST = 2e-4


@dataclass(frozen=True)
class Edit:
    """A part of the text that is written otherwise.

    Attributes
    ----------
    label : Label or callable
        What is wrong if this is right; a callable gives it, or None, without arguments.
    cost : float
        See `total`.
    place : Place or Body
    new : ast.AST or list of ast.stmt
        What is to stand there.
    """

    label: object
    cost: float
    place: object
    new: object

    @property
    def means(self):
        """Label or None: What is wrong if this is right."""
        return self.label() if isinstance(self.label, Callable) else self.label

    @property
    def total(self):
        """float: The cost, and a little more for a longer text."""
        return self.cost + LENGTH_COST * len(written(self.new))

    def words(self):
        """Return what is to be written, and for what; of a short place, with what is around it."""
        whole = self.place
        if isinstance(whole, Several) and not isinstance(whole.places[0].node, list):
            # What stands side by side is told as a whole.
            if whole.around is None:
                each = [Edit(None, 0.0, place, new) for place, new in zip(whole.places, self.new)]
                return " and ".join(dict.fromkeys(edit.words() for edit in each))
            whole = whole.around
        old = written(whole.node)
        while (len(old) < SHORT or getattr(whole, "is_called", False)) and (
            getattr(whole, "around", None) is not None
        ):
            whole = whole.around
            old = written(whole.node)
        self.place.put(self.new)
        new = written(self.new if whole is self.place else whole.node)
        self.place.restore()
        added = isinstance(self.new, list) and new.startswith(f"{old}; ")
        new = new[len(old) + 2:] if added else new
        old, new = (textwrap.shorten(text, LONGEST, placeholder=" ...") for text in (old, new))
        if added:
            return f"{new} behind {old}"
        if not old:
            return f"{new} {self.place.where}"
        return f"{new} in the place of {old}" if new else f"nothing in the place of {old}"


@dataclass(eq=False)
class Several:
    """Several places at once, of one mistake.

    Attributes
    ----------
    places : list of Place
    """

    places: list

    @property
    def node(self):
        """list of ast.AST: What stands there."""
        return [place.node for place in self.places]

    @property
    def statement(self):
        """ast.stmt: The one of the first."""
        return self.places[0].statement

    @property
    def around(self):
        """Place or None: The expression of which all are parts, next to each other."""
        first, *others = (getattr(place, "around", None) for place in self.places)
        return first if all(other is first for other in others) else None

    def put(self, nodes):
        """Let other things stand there."""
        for place, node in zip(self.places, nodes):
            place.put(node)

    def restore(self):
        """Let stand there what did."""
        for place in self.places:
            place.restore()


def together(edits):
    """Return several edits as one."""
    edits = list(edits)
    first = edits[0]
    several = Several([edit.place for edit in edits])
    return Edit(first.label, first.cost + TOGETHER_COST, several, [edit.new for edit in edits])
