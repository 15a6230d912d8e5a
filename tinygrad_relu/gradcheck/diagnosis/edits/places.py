"""`Place`: an expression in the text of a function, where it stands and what its value was."""

import ast
from dataclasses import dataclass, field

from tinygrad_relu.gradcheck.diagnosis.edits.syntax import LEAVES, called, is_turned
from tinygrad_relu.gradcheck.diagnosis.edits.values import is_array, is_float, is_one_number


@dataclass(eq=False)
class Place:
    """Where an expression stands.

    Attributes
    ----------
    parent, field, index
        It is ``parent.field``, or ``parent.field[index]``.
    node : ast.expr
    statement : ast.stmt
        The one that it is in.
    around : Place or None
        The expression that it is a part of.
    value : object
        What it was when it was worked out first; arrays are copied.
    rounds : int
        How often it was worked out.
    numbers : set of float
        What plain numbers it was in all rounds, up to `MOST_NUMBERS`.
    values : list of bytes
        What it was in the first rounds, if it is a name, or a part of one, of floats.
    is_compared : bool
        Whether it makes a value that is looked at in comparisons alone.
    """

    parent: ast.AST
    field: str
    index: int | None
    node: ast.expr
    statement: ast.stmt
    around: "Place | None"
    value: object = None
    rounds: int = 0
    numbers: set = field(default_factory=set)
    values: list = field(default_factory=list)
    is_compared: bool = False

    def put(self, node):
        """Let another expression stand there."""
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node

    def restore(self):
        """Let stand there what did."""
        self.put(self.node)

    def way_up(self):
        """Yield the place and those that it is a part of, from the inside."""
        here = self
        while here is not None:
            yield here
            here = here.around

    @property
    def is_subscript(self):
        """bool: Whether it is the whole index of something."""
        return isinstance(self.parent, ast.Subscript) and self.field == "slice"

    @property
    def is_read(self):
        """bool: Whether it has a value, and is not a name to be given one."""
        return isinstance(getattr(self.node, "ctx", ast.Load()), ast.Load)

    @property
    def is_called(self):
        """bool: Whether it is the name of a function that is called there."""
        return isinstance(self.parent, ast.Call) and self.field == "func"

    @property
    def is_written_to(self):
        """bool: Whether it is the array that a function such as `np.add.at` writes to."""
        return isinstance(self.parent, ast.Call) and called(self.parent) == "at" and self.index == 0

    @property
    def is_put_into(self):
        """bool: Whether it is an array to a part of which a statement gives a value."""
        return isinstance(self.parent, ast.Subscript) and self.field == "value" and (
            isinstance(self.parent.ctx, ast.Store)
        )

    @property
    def is_picked_from(self):
        """bool: Whether it is an array of which one element is taken."""
        within = isinstance(self.parent, ast.Subscript) and self.field == "value"
        return within and is_one_number(self.around.value)

    @property
    def is_argument(self):
        """bool: Whether it is all that a function is given."""
        return isinstance(self.parent, ast.Call) and self.field == "args" and len(self.parent.args) == 1

    def is_given_to(self, names):
        """Tell whether it is, or is part of, an argument of a function of one of some names."""
        return any(
            isinstance(here.parent, ast.Call) and called(here.parent) in names for here in self.way_up()
        )

    @property
    def is_key(self):
        """bool: Whether it is an index, or part of one."""
        return any(here.is_subscript for here in self.way_up())

    @property
    def names_an_array(self):
        """bool: Whether it is the whole name of an array of floats, or of a part of one."""
        within = isinstance(self.parent, ast.Subscript) and self.field == "value"
        named = isinstance(self.node, LEAVES) and not is_turned(self.node) and not within
        array = is_array(self.value) and is_float(self.value)
        return named and array and self.is_read and self.rounds > 0

    @property
    def has_value(self):
        """bool: Whether its value can be looked at: not a slice, nor a row of indices."""
        row = isinstance(self.node, ast.Tuple) and isinstance(self.parent, ast.Subscript)
        return (
            self.is_read and not self.is_called and not row
            and not isinstance(self.node, (ast.Slice, ast.Starred, ast.JoinedStr, ast.FormattedValue))
        )


def places(tree):
    """Return the places of all expressions of a function, but for its own arguments."""
    found = []

    def walk(node, statement, around):
        for name, value in ast.iter_fields(node):
            row = value if isinstance(value, list) else [value]
            for number, child in enumerate(row):
                if not isinstance(child, ast.AST) or isinstance(child, ast.arguments):
                    continue
                inside, index = around, number if isinstance(value, list) else None
                if isinstance(child, ast.expr):
                    inside = Place(node, name, index, child, statement, around)
                    found.append(inside)
                walk(child, child if isinstance(child, ast.stmt) else statement, inside)

    walk(tree, None, None)
    for key in only_compared(found):
        for place in found:
            targets = getattr(place.statement, "targets", [])
            place.is_compared |= len(targets) == 1 and getattr(targets[0], "id", None) == key
    return found


def only_compared(found):
    """Return the names that are read in comparisons, and nowhere else."""
    reads = {}
    for place in found:
        if isinstance(place.node, ast.Name) and place.is_read:
            compared = any(isinstance(here.parent, ast.Compare) for here in place.way_up())
            reads.setdefault(place.node.id, []).append(compared)
    return [key for key, compared in reads.items() if all(compared)]
