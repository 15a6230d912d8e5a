"""`Body`: a row of statements, of which some are exchanged."""

import ast
from dataclasses import dataclass


@dataclass(eq=False)
class Body:
    """A row of statements.

    Attributes
    ----------
    parent, field
        It is ``parent.field``.
    first, last : int
        Which of its statements are exchanged.
    whole : list of ast.stmt
    """

    parent: ast.AST
    field: str
    first: int
    last: int
    whole: list

    @property
    def node(self):
        """list of ast.stmt: What stands there, or what did."""
        return self.whole[self.first:self.last]

    @property
    def statement(self):
        """ast.stmt: The first one, or what they are in if there is none."""
        return self.whole[self.first] if self.first < len(self.whole) else self.parent

    @property
    def where(self):
        """str: Where it is, if none of its statements is exchanged."""
        if isinstance(self.parent, ast.If):
            return "in the other case, too,"
        if 0 < self.first < len(self.whole):
            return f"behind {ast.unparse(self.whole[self.first - 1]).splitlines()[0]}"
        return "last in each round" if self.first else "first in each round"

    def put(self, statements):
        """Let other statements stand there, also if others of the row have been exchanged before."""
        row = getattr(self.parent, self.field)
        here = [k for k, one in enumerate(row) if one is self.statement]
        first = here[0] if here else self.first
        row = [*row[:first], *statements, *row[first + len(self.node):]]
        setattr(self.parent, self.field, row or [ast.Pass()])

    def restore(self):
        """Let stand there what did."""
        setattr(self.parent, self.field, self.whole)
