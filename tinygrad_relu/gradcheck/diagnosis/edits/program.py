"""`Program`: a function of the user as text, which can be run with a part of it written otherwise."""

import ast
import contextlib
import functools
import gc
import inspect
import sys
import sysconfig
import textwrap
import types

from tinygrad_relu.gradcheck.diagnosis.recording import MODELS, PACKAGE

#: Where functions lie that the user has not written.
LIBRARIES = tuple(
    sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")
)
LOOPS = (ast.For, ast.While)
# So many rounds all loops may have together while they are only looked at.
MOST_ROUNDS = 1_000_000
ROUNDS = "_tinygrad_relu_rounds"


class Program:
    """A function with its text as a tree, and the code that the tree stands for.

    Parameters
    ----------
    functions : list of function
        All those that have one code.

    Attributes
    ----------
    tree : ast.FunctionDef
        Without what is worked out only once: decorators, annotations, values of defaults.
    most_rounds : int
        After so many rounds of all loops they end: an edit may leave one without an end.
    """

    def __init__(self, functions):
        self.functions, self.code = functions, functions[0].__code__
        self.most_rounds = MOST_ROUNDS
        source = textwrap.dedent(inspect.getsource(self.code))
        named = [
            node for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.FunctionDef) and node.name == self.code.co_name
        ]
        if not named:
            raise ValueError(f"{self.code.co_name} has no text of its own")
        self.tree = bare(named[0])
        self.own_loops = loops_of(self.tree)
        if self.own_loops:
            self.tree.body.insert(0, ast.parse(f"{ROUNDS} = 0").body[0])
        self.module = ast.Module([enclosed(self.tree, self.code.co_freevars)], [])
        ast.fix_missing_locations(self.module)

    @property
    def globals(self):
        """dict: The names that the function finds outside of it."""
        return self.functions[0].__globals__

    @property
    def arguments(self):
        """tuple of str: The names of what the function is given."""
        return self.code.co_varnames[: self.code.co_argcount]

    def line(self, node):
        """Return how a place is called: ``"net.py:12"``."""
        name = self.code.co_filename.replace("\\", "/").rpartition("/")[2].partition(" (")[0]
        return f"{name}:{self.code.co_firstlineno + node.lineno - 1}"

    def compiled(self, new=None):
        """Return the code of the tree as it is now.

        Parameters
        ----------
        new : ast.expr, optional
            All that is new in it, and has no line of its own yet: to look there alone is faster.
        """
        if new is None:
            ast.fix_missing_locations(self.module)
            loops = loops_of(self.tree)
        else:
            located(new, self.tree)
            loops = self.own_loops
        with self.counted(loops):
            return code_within(compile(self.module, self.code.co_filename, "exec"), self.code.co_name)

    @contextlib.contextmanager
    def counted(self, loops):
        """Let loops count their rounds, and end in time."""
        bodies = [loop.body for loop in loops]
        counter = counter_up_to(self.most_rounds)
        try:
            for loop in loops:
                loop.body = [*counter, *loop.body]
            yield
        finally:
            for loop, body in zip(loops, bodies):
                loop.body = body

    @contextlib.contextmanager
    def running(self, code):
        """Let the function do what another code says."""
        try:
            for function in self.functions:
                function.__code__ = code
            yield
        finally:
            for function in self.functions:
                function.__code__ = self.code


def programs(call):
    """Return the functions of the user that a call enters, whose text is at hand.

    Parameters
    ----------
    call : callable
        Without arguments.

    Returns
    -------
    list of Program
    """
    found = []
    for code in codes(call):
        functions = [
            one for one in gc.get_referrers(code)
            if isinstance(one, types.FunctionType) and one.__code__ is code
        ]
        if functions:
            with contextlib.suppress(OSError, TypeError, ValueError, SyntaxError):  # no text to be had
                found.append(Program(functions))
    return found


def codes(call):
    """Return the codes of the functions of the user that a call enters, in order."""
    found = {}

    def note(frame, event, _):
        code = frame.f_code
        if event == "call" and not code.co_name.startswith("<"):
            path = code.co_filename
            if not path.startswith((*LIBRARIES, PACKAGE)) or path.startswith(MODELS):
                found.setdefault(code)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        call()
    finally:
        # cProfile is no function: it takes its place again by itself.
        sys.setprofile(before) if before is None or callable(before) else before.enable()
    return list(found)


def loops_of(tree):
    """Return the loops of a function."""
    return [node for node in ast.walk(tree) if isinstance(node, LOOPS)]


@functools.lru_cache
def counter_up_to(most):
    """Return the statements that count a round, and end all of them if it is one too many."""
    return ast.parse(f"{ROUNDS} += 1\nif {ROUNDS} > {most}: raise RuntimeError").body


def located(new, around):
    """Give expressions that were made a place in the text."""
    for node in ast.walk(new):
        if "lineno" in node._attributes and not hasattr(node, "lineno"):
            ast.copy_location(node, around)


def bare(function):
    """Return a function without what is worked out when it is defined."""
    function.decorator_list, function.returns = [], None
    arguments = function.args
    for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        one.annotation = None
    arguments.defaults = [ast.Constant(None) for _ in arguments.defaults]
    arguments.kw_defaults = [one and ast.Constant(None) for one in arguments.kw_defaults]
    return function


def enclosed(function, names):
    """Return a function inside of another one, which has the names that it takes from around it.

    It names them all once more, so that an edit that has no use for one leaves as many.
    """
    if not names:
        return function
    around = ast.parse(f"def around():\n    {' = '.join(names)} = None").body[0]
    unused = ast.parse(f"if False:\n    {', '.join(names)}").body
    around.body.append(function)
    function.body[:0] = unused
    return around


def code_within(code, name):
    """Return the code of a function that is defined somewhere in a code."""
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            found = one if one.co_name == name else code_within(one, name)
            if found is not None:
                return found
    return None
