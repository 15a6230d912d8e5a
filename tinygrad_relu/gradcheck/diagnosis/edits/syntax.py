"""Expressions of Python: how they are made, and what is read from them."""

import ast
import copy

#: Names, and parts of what has one.
LEAVES = (ast.Name, ast.Subscript, ast.Attribute)


def written(node):
    """Return a piece of text in one line."""
    rows = node if isinstance(node, list) else [node]
    lines = (line.strip() for one in rows for line in ast.unparse(one).splitlines())
    return "; ".join(lines).replace(":;", ":")


def fresh(node):
    """Return a copy of an expression, to be put somewhere else and read there."""
    node = copy.deepcopy(node)
    for one in ast.walk(node):
        if hasattr(one, "ctx"):
            one.ctx = ast.Load()
    return node


def name(text):
    """Return the expression of a name."""
    return ast.Name(text, ast.Load())


def number(x):
    """Return the expression of a plain number, a tuple of them, or None."""
    return ast.parse(repr(x), mode="eval").body


def negative(node):
    """Return an expression with a minus in front."""
    return ast.UnaryOp(ast.USub(), node)


def attribute(node, text):
    """Return ``node.text``."""
    return ast.Attribute(node, text, ast.Load())


def call(function, *arguments, **keywords):
    """Return a call of an expression."""
    named = [ast.keyword(key, value) for key, value in keywords.items()]
    return ast.Call(function, list(arguments), named)


def called(node):
    """Return the last name of a function that is called: ``"sum"`` of ``np.sum(x)`` and ``x.sum()``."""
    function = node.func if isinstance(node, ast.Call) else node
    return getattr(function, "attr", getattr(function, "id", ""))


def root(node):
    """Return the name of which an expression is a part, or None."""
    while isinstance(node, (ast.Subscript, ast.Attribute)):
        node = node.value
    return getattr(node, "id", None)


def names_of(node):
    """Return the names that an expression, or a statement, has; none if there is none."""
    parts = ast.walk(node) if node is not None else ()
    return {part.id for part in parts if isinstance(part, ast.Name)}


def target_of(statement):
    """Return the text of what a statement gives a value, or None."""
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    return ast.unparse(targets[0]) if targets[0] is not None else None


def of_module(node):
    """Tell whether a function is called by the name of its module, and not as a method."""
    function = node.func
    return isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and (
        function.value.id in ("np", "numpy")
    )


def data_of(node, function):
    """Return of what a function of an array is called, or None where it is not."""
    if not isinstance(node, ast.Call) or called(node) != function:
        return None
    return node.args[0] if of_module(node) else getattr(node.func, "value", None)


def with_data(node, data):
    """Return a call of a function of an array with another array."""
    if of_module(node):
        return ast.Call(node.func, [data, *node.args[1:]], node.keywords)
    return ast.Call(attribute(data, called(node)), node.args, node.keywords)


def is_product(node):
    """Tell whether an expression is a product."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)


def factors_of(node):
    """Yield the factors of a product or quotient, but for what it is divided by."""
    while isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
        if isinstance(node.op, ast.Mult):
            yield node.right
        node = node.left
    yield node


def parts_of_product(node):
    """Yield what is multiplied in a product or quotient, and what divides."""
    while isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
        yield node.right
        node = node.left
    yield node


def is_rest(node):
    """Tell whether an expression is 1 less another one."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and (
        ast.unparse(node.left) in ("1", "1.0")
    )


def is_turned(node):
    """Tell whether an expression is the transpose of something."""
    return getattr(node, "attr", None) in ("T", "mT")


def is_number(node):
    """Tell whether an expression is a plain number."""
    return isinstance(node, ast.Constant)
