"""The text of the user's forward, of which parts may be missing in the backward."""

import ast
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
