"""The text of the user's forward, of which parts may be missing in the backward."""

import ast
import copy
import inspect
import textwrap

PARTS = (ast.BinOp, ast.Call, ast.Compare, ast.Subscript)


def expressions(codes, kinds=PARTS):
    """Yield the nodes of some kinds in the text of some functions.

    Parameters
    ----------
    codes : list of code
    kinds : tuple of type
    """
    for code in codes:
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(code)))
        except (OSError, TypeError, SyntaxError):
            continue
        for node in ast.walk(tree):
            read = isinstance(getattr(node, "ctx", ast.Load()), ast.Load)
            if isinstance(node, kinds) and read:
                yield node


def conditions(codes):
    """Yield the conditions in the text of some functions, and with what their names stand for."""
    for code in codes:
        nodes = list(expressions([code], (ast.If, ast.IfExp, ast.Assign)))
        made = {}
        for node in nodes:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                made[node.targets[0].id] = node.value
        for node in nodes:
            if not isinstance(node, ast.Assign):
                passed_over = isinstance(node, ast.If) and isinstance(node.body[0], ast.Continue)
                test = ast.UnaryOp(ast.Not(), node.test) if passed_over else node.test
                yield test
                yield Spelled(made).visit(copy.deepcopy(test))


class Spelled(ast.NodeTransformer):
    """Writes for a name what it stands for."""

    def __init__(self, made):
        self.made = made

    def visit_Name(self, node):
        """Return what a name stands for, or the name."""
        return copy.deepcopy(self.made.get(node.id, node))
