"""The derivatives of what a text computes, element by element, as they are written."""

import ast

from tinygrad_relu.gradcheck.diagnosis.edits.syntax import called

#: The derivative of a function of one operand, ``{0}``, whose result is called ``{1}``.
OF_FUNCTIONS = {
    "abs": "np.sign({0})", "log": "1 / ({0})", "log1p": "1 / (1 + {0})", "sqrt": "0.5 / ({1})",
    "sin": "np.cos({0})", "cos": "-np.sin({0})", "tanh": "1 - ({1}) ** 2", "exp": "{1}",
    "expm1": "np.exp({0})", "arctan": "1 / (1 + ({0}) ** 2)", "square": "2 * ({0})",
}


def derivatives(nodes):
    """Yield the derivatives of expressions: of functions, powers, maxima, choices.

    Parameters
    ----------
    nodes : iterable of ast.expr
    """
    for node in nodes:
        if isinstance(node, ast.Call):
            yield from map(parsed, of_call(node))
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            base, power = ast.unparse(node.left), ast.unparse(node.right)
            if power == "2":
                yield parsed(f"2 * ({base})")
            else:
                yield parsed(f"{power} * ({base}) ** ({power} - 1)")


def of_call(node):
    """Yield the texts of the derivatives of a call."""
    operands, whole, function = [ast.unparse(one) for one in node.args], ast.unparse(node), called(node)
    if function in OF_FUNCTIONS and len(operands) == 1:
        yield OF_FUNCTIONS[function].format(operands[0], whole)
    if function == "maximum" and len(operands) == 2:
        yield f"({operands[0]}) > ({operands[1]})"
    if function == "minimum" and len(operands) == 2:
        yield f"({operands[0]}) < ({operands[1]})"
    if function == "clip" and len(operands) == 3:
        yield "(({0}) > ({1})) & (({0}) < ({2}))".format(*operands)
    if function == "where" and len(operands) == 3:
        yield f"np.where({operands[0]}, 1, -1)"
        yield operands[0]


def parsed(text):
    """Return an expression by its text."""
    return ast.parse(text, mode="eval").body
