"""`Text`: a function while it is looked at, with the values of its expressions."""

import ast
import copy
import functools
import types

import numpy as np

from tinygrad_relu.gradcheck.diagnosis.edits.algebra import SUMS
from tinygrad_relu.gradcheck.diagnosis.edits.places import places
from tinygrad_relu.gradcheck.diagnosis.edits.program import MOST_ROUNDS, ROUNDS
from tinygrad_relu.gradcheck.diagnosis.edits.surroundings import is_beside, is_stopping
from tinygrad_relu.gradcheck.diagnosis.edits.syntax import called, is_rest, root, target_of
from tinygrad_relu.gradcheck.diagnosis.edits.values import is_array, is_float, is_whole

# Of so many numbers it is noted which ones an expression was.
MOST_NUMBERS = 3
# So many names that count rounds are put to each other.
MOST_COUNTERS = 6
# Of so many rounds it is noted what an expression was.
MOST_VALUES = 16
#: Things that have no state.
UNCHANGING = (types.ModuleType, int, float, np.integer, np.floating, str, bytes, type(None), slice)
#: What makes arrays of its indices, and would be gone through for ever as an array itself.
ENDLESS = tuple(type(one) for one in (np.r_, np.c_, np.s_, np.mgrid, np.ogrid))
#: Functions that make an array to be filled.
EMPTY = ("zeros", "zeros_like", "empty", "empty_like")
# Names of ours in the text while it is looked at.
SEEN, ENDED = "_tinygrad_relu_seen", "_tinygrad_relu_ended"


class Text:
    """A function while it is looked at: its places, with their values.

    Parameters
    ----------
    program : Program
    call : callable
        Without arguments: it comes to the function.
    meanings : Meanings

    Attributes
    ----------
    places : list of Place
    names : dict of str to object
        What the function has in the end.
    objects : dict of int to object
        All that places had and that may be changed, by its identity.
    """

    def __init__(self, program, call, meanings):
        self.program, self.meanings = program, meanings
        self.places = places(program.tree)
        self.by_node = {id(place.node): place for place in self.places}
        self.names, self.objects = {}, {}
        self.observe(call)
        program.most_rounds = 4 * self.names.get(ROUNDS, MOST_ROUNDS) + 100

    def turn(self, place):
        """Return what to sort places by: what is made of statements whose value is right comes last."""
        statement = place.statement
        made = self.by_node.get(id(getattr(statement, "value", None)))
        right = made is None or self.meanings.is_known(made.value)
        return right, statement.lineno

    def at(self, node):
        """Return the place of an expression."""
        return self.by_node[id(node)]

    def value_of(self, node):
        """Return the first value of an expression that stands in the text, or of a name; or None."""
        written = ast.unparse(node)
        return self.names.get(written, self.values.get(written))

    @functools.cached_property
    def values(self):
        """dict of str to object: The first values of all expressions, by their text."""
        found = {}
        for place in self.places:
            if place.rounds:
                found.setdefault(ast.unparse(place.node), place.value)
        return found

    @functools.cached_property
    def definitions(self):
        """dict of str to ast.expr: What names stand for that are given a value once, or filled once."""
        found, filled = {}, {}
        for node in ast.walk(self.program.tree):
            for target in node.targets if isinstance(node, ast.Assign) else ():
                pairs = [(target, node.value)]
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    pairs = zip(target.elts, node.value.elts)
                for one, value in pairs:
                    if isinstance(one, ast.Name):
                        found.setdefault(one.id, []).append(value)
                    elif isinstance(one, ast.Subscript) and root(one):
                        filled.setdefault(root(one), []).append(value)
        once = {key: values[0] for key, values in found.items() if len(values) == 1}
        parts = {key: values[0] for key, values in filled.items() if len(values) == 1}
        return once | {key: value for key, value in parts.items() if called(once.get(key)) in EMPTY}

    @functools.cached_property
    def changed(self):
        """set of str: The names of what is added to, or taken from, bit by bit."""
        return {
            node.target.id for node in ast.walk(self.program.tree)
            if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name)
            and isinstance(node.op, (ast.Add, ast.Sub))
        }

    @functools.cached_property
    def functions(self):
        """dict of str to ast.expr: Functions of one operand, those that may be forgotten."""
        found = {text: ast.parse(text, mode="eval").body for text in ("np.exp", "np.tanh")}
        for place in self.places:
            node = place.node
            if isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords and place.rounds:
                pair = place.value, self.at(node.args[0]).value
                if all(isinstance(x, np.ndarray) for x in pair) and pair[0].shape == pair[1].shape:
                    found.setdefault(ast.unparse(node.func), node.func)
        return found

    @functools.cached_property
    def whole_names(self):
        """list of str: The names of plain whole numbers, such as a stride, that stay what they are."""
        return [
            key for key, x in self.names.items()
            if isinstance(x, (int, np.integer)) and x > 0 and not key.startswith("_")
        ][:6]

    @functools.cached_property
    def counters(self):
        """list of str: The names of whole numbers that are other ones in other rounds."""
        varying = {
            place.node.id for place in self.places
            if isinstance(place.node, ast.Name) and is_whole(place.value) and len(place.numbers) > 1
        }
        return sorted(varying)[:MOST_COUNTERS]

    @functools.cached_property
    def arrays(self):
        """list of str: The names of arrays of floats."""
        return [key for key, x in self.names.items() if is_array(x) and is_float(x)]

    @functools.cached_property
    def named_arrays(self):
        """dict of tuple to list of ast.expr: Names of float arrays, and 1 less these, by shape."""
        found = {}
        for place in self.places:
            rest = is_rest(place.node) and self.at(place.node.right).names_an_array
            if place.names_an_array or rest:
                alike = found.setdefault(np.shape(place.value), {})
                alike.setdefault(ast.unparse(place.node), place.node)
        return {shape: list(names.values()) for shape, names in found.items()}

    @functools.cached_property
    def products(self):
        """dict of tuple to list of ast.expr: Products of two arrays that are added up, by their shape.

        One of each form: ``a * b``, ``a @ W.T``.
        """
        found = {}
        for place in self.places:
            added = is_beside(place, (ast.Add, ast.Sub)) and is_float(place.value) and place.rounds > 1
            sides = [getattr(place.node, side, None) for side in ("left", "right")]
            if added and all(id(side) in self.by_node for side in sides):
                sides = [self.at(side).value for side in sides]
                form = type(place.node.op), *map(np.shape, sides)
                found.setdefault(np.shape(place.value), {}).setdefault(form, place.node)
        return {shape: list(forms.values()) for shape, forms in found.items()}

    @functools.cached_property
    def all_names(self):
        """dict of str to object: The names of the function, and of arrays outside of it that it reads."""
        read = {place.node.id for place in self.places if isinstance(place.node, ast.Name)}
        outside = {key: self.program.globals.get(key) for key in sorted(read)}
        return {key: x for key, x in outside.items() if is_array(x)} | self.names

    @functools.cached_property
    def sizes(self):
        """set of int: How many there are of something, three or more."""
        found = {x for x in self.names.values() if isinstance(x, (int, np.integer))}
        for x in self.all_names.values():
            found |= {*np.shape(x)} if isinstance(x, np.ndarray) else set()
            found |= {len(x)} if isinstance(x, (list, tuple, dict)) else set()
        return {n for n in found if n > 2}

    @functools.cached_property
    def adds_up(self):
        """bool: Whether something is added up step by step in the text, or in that of the forward."""
        texts = [place.node for place in self.places]
        return any(isinstance(node, ast.Call) and called(node) == "cumsum" for node in texts) or (
            self.meanings.one.graph is not None
            and any(step.function is np.cumsum for step in self.meanings.one.graph.steps)
        )

    def is_forward_target(self, statement):
        """Tell whether a statement changes a value of the forward, in place."""
        if not isinstance(statement, ast.AugAssign):
            return False
        target = ast.unparse(statement.target)
        if target in self.program.arguments:
            return True
        return any(
            self.meanings.is_forward(place.value)
            for place in self.places if place.rounds and ast.unparse(place.node) == target
        )

    @functools.cached_property
    def switches(self):
        """set of str: The expressions that are 0 in some rounds or elements, and 1 in all others."""
        found = {ast.unparse(place.node) for place in self.places if place.numbers == {0.0, 1.0}}
        return found | {key for key, made in self.definitions.items() if ast.unparse(made) in found}

    def in_another_round(self, place, other):
        """Tell whether an expression is in some rounds what a place is in others."""
        theirs = [one.values for one in self.places if one.values and ast.unparse(one.node) == other]
        shared = {*place.values} & {value for values in theirs for value in values}
        return len([one for one in shared if one.strip(b"\0")]) > 1 and place.values not in theirs

    def in_one_case(self, place):
        """Tell whether a place belongs to one of two cases, of each of which something is worked out."""
        choices = (here for here in place.way_up() if isinstance(here.parent, ast.IfExp))
        cases = (node for node in ast.walk(self.program.tree) if isinstance(node, ast.If) and node.orelse)
        return any(here.field in ("body", "orelse") for here in choices) or any(
            place.statement in (*case.body, *case.orelse) for case in cases
        )

    def is_turned_round(self, statement):
        """Tell whether what a statement gives a name is turned round later: a mask of what is stopped."""
        key = target_of(statement)
        return any(is_stopping(place) for place in self.places if ast.unparse(place.node) == key)

    def is_cotangent(self, key):
        """Tell whether a name is that of the cotangent that a backward is given."""
        x, arriving = self.names.get(key), self.meanings.one.cotangents
        return key in self.program.arguments[:1] and isinstance(x, np.ndarray) and any(
            x.size > 1 and np.shape(x) == np.shape(one) and np.array_equal(x, one) for one in arriving
        )

    def is_added_to(self, key):
        """Tell whether something is added to an array, or a part of it."""
        return any(
            isinstance(node, ast.AugAssign) and root(node.target) == key
            for node in ast.walk(self.program.tree)
        )

    def is_given_anew(self, key):
        """Tell whether a name is given a value in the function, and not an argument that stays."""
        return any(
            isinstance(node, ast.Name) and node.id == key and isinstance(node.ctx, ast.Store)
            for node in ast.walk(self.program.tree)
        )

    def is_made_from(self, key, base):
        """Tell whether an array, or a part of it, is given a sum of which a part of another is a term."""
        for node in ast.walk(self.program.tree):
            if isinstance(node, ast.Assign) and root(node.targets[0]) == key:
                sums = [one for one in ast.walk(node.value) if isinstance(getattr(one, "op", None), SUMS)]
                if any(root(side) == base for one in sums for side in (one.left, one.right)):
                    return True
        return False

    @functools.cached_property
    def kept_names(self):
        """set of str: The names of what is taken out of containers that were filled bit by bit."""
        found = set()
        for node in ast.walk(self.program.tree):
            if isinstance(node, ast.Assign):
                popped = isinstance(node.value, ast.Call) and called(node.value) == "pop"
                taken = node.value.func if popped else node.value
                is_part = popped or isinstance(taken, ast.Subscript)
                if is_part and self.is_filled(getattr(taken, "value", taken)):
                    parts = (one for target in node.targets for one in ast.walk(target))
                    found |= {one.id for one in parts if isinstance(one, ast.Name)}
        return found

    def is_left_behind(self, key):
        """Tell whether a name is given a value in some loop, and is read in another one that does not."""
        loops = [node for node in ast.walk(self.program.tree) if isinstance(node, (ast.For, ast.While))]
        uses = [
            {type(one.ctx) for one in ast.walk(loop) if isinstance(one, ast.Name) and one.id == key}
            for loop in loops
        ]
        return {ast.Load} in uses and any(ast.Store in use for use in uses)

    def is_copy(self, place):
        """Tell whether the statement of a place gives its target just what another one gives another."""
        whole = getattr(place.statement, "value", None)
        if not isinstance(whole, (ast.BinOp, ast.Call)):
            return False
        same = [
            node for node in ast.walk(self.program.tree)
            if isinstance(node, (ast.Assign, ast.AugAssign)) and ast.dump(node.value) == ast.dump(whole)
        ]
        return len(same) > 1

    def is_filled(self, node):
        """Tell whether an expression is a container that was filled bit by bit, such as by a loop."""
        place, key = self.by_node.get(id(node)), getattr(node, "id", None)
        if isinstance(self.names.get(key) if place is None else place.value, (list, tuple, dict)):
            return key not in self.program.arguments
        return any(
            isinstance(place.parent, ast.Subscript) and not place.around.is_read
            and not isinstance(place.statement, ast.AugAssign)
            and ast.unparse(place.node) == ast.unparse(node)
            for place in self.places if place.field == "value" and place.around is not None
        )

    def observe(self, call):
        """Fill in the values."""
        whole, told = self.program.module, self.program.globals
        for number, place in enumerate(self.places):
            place.node.number = number if place.has_value else None
        try:
            with self.program.counted(self.program.own_loops):
                self.program.module = Telling().visit(copy.deepcopy(whole))
            code = self.program.compiled()
        finally:
            self.program.module = whole
            for place in self.places:
                del place.node.number
        told.update({SEEN: self.seen, ENDED: self.ended})
        try:
            with self.program.running(code):
                call()
        finally:
            del told[SEEN], told[ENDED]

    def seen(self, number, x):
        """Note the value of a place, and return it."""
        place = self.places[number]
        place.rounds += 1
        if isinstance(x, ENDLESS):
            return x
        if not isinstance(x, UNCHANGING):
            self.objects[id(x)] = x
        elif isinstance(x, (int, float, np.integer, np.floating)) and len(place.numbers) < MOST_NUMBERS:
            place.numbers.add(float(x))
        if is_array(x) and x.size <= MOST_VALUES and len(place.numbers) < MOST_NUMBERS:
            place.numbers.update(x.ravel()[:MOST_NUMBERS].tolist())
        if len(place.values) < MOST_VALUES and isinstance(place.node, (ast.Name, ast.Subscript)):
            place.values.append(np.asarray(x).tobytes() if is_float(x) else b"")
        if place.rounds == 1:
            place.value = x.copy() if isinstance(x, np.ndarray) else x
        return x

    def ended(self, names, x):
        """Note the names that a function has, and return what it returns."""
        self.names.update(names)
        return x


class Telling(ast.NodeTransformer):
    """Makes each expression tell its value, and each function its names when it returns."""

    def visit(self, node):
        """Return a node that tells."""
        number = getattr(node, "number", None)
        node = self.generic_visit(node)
        if number is not None:
            return ast.Call(ast.Name(SEEN, ast.Load()), [ast.Constant(number), node], [])
        if isinstance(node, ast.Return) and node.value is not None:
            names = ast.Call(ast.Name("locals", ast.Load()), [], [])
            node.value = ast.Call(ast.Name(ENDED, ast.Load()), [names, node.value], [])
        return node
