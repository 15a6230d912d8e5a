"""The derivatives of what a text computes, element by element, as they are written."""

import ast

from tinygrad_relu.gradcheck.diagnosis.edits.syntax import called, names_of

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
        names = names_of(node.args[0])
        for key in sorted(names - {"np"}):
            arms = [slope(arm, key) for arm in node.args[1:]]
            if None not in arms:
                yield f"np.where({operands[0]}, {arms[0]}, {arms[1]})"


def slope(node, key):
    """Return the text of the derivative of a short expression by a name, or None if it is a long one."""
    if isinstance(node, (ast.Name, ast.Constant)):
        return "1" if getattr(node, "id", None) == key else "0"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = slope(node.operand, key)
        return inner and (inner if inner == "0" else f"-({inner})")
    if isinstance(node, ast.BinOp):
        left, right = slope(node.left, key), slope(node.right, key)
        if None in (left, right) or isinstance(node.op, ast.Pow):
            return None
        if isinstance(node.op, (ast.Add, ast.Sub)):
            sign = "+" if isinstance(node.op, ast.Add) else "-"
            return left if right == "0" else f"{left} {sign} {right}"
        constant, moved = (node.left, right) if left == "0" else (node.right, left)
        if isinstance(node.op, ast.Mult) and "0" in (left, right):
            return ast.unparse(constant) if moved == "1" else f"{ast.unparse(constant)} * ({moved})"
        return None
    of_one = isinstance(node, ast.Call) and len(node.args) == 1
    formula = OF_FUNCTIONS.get(called(node)) if of_one else None
    inner = slope(node.args[0], key) if formula else None
    if inner is None or inner == "0":
        return inner
    outer = formula.format(ast.unparse(node.args[0]), ast.unparse(node))
    return outer if inner == "1" else f"({outer}) * ({inner})"


def parsed(text):
    """Return an expression by its text."""
    return ast.parse(text, mode="eval").body
