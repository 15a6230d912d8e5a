"""How an op is declared, and the table of all that were.

An op is one declaration: the forward kernel, one derivative rule per input, a domain, a docstring.

    @op(Elementwise(np.exp), domain=elementwise(real), x=lambda g, y: g * y)
    def exp(x, /):
        \"\"\"Elementwise exponential.\"\"\"

Parameters before the ``/`` (or a leading ``*parameters``) are inputs, tensors all of them; those
after it are static.  A rule gives the cotangent of its input from what its own parameters name:

    g            the cotangent of the output
    spare_g      the same, for a rule whose first op takes it, once, and may write over it
    spare_sum    the sum of what has come to the input by other ways, which the rule may add to and
                 return; None if there is none that can be written to
    y            the output
    i            the position of the input, for an op with ``*parameters``
    an input     its value
    a static     its value
    <own>_shape  the shape of the input whose rule it is

What no rule names is not kept alive.  A rule calls ops only, so it can be differentiated in turn.
It does not sum over broadcast axes and does not mind dtypes: the engine does both, in one place.
What all rules would begin with is written once, as a rule of the name ``g``: the others get its result.
A derivative that is always zero is written `ZERO`: such an input is no reason to record, and gets no
gradient, unless the rules of all inputs are `ZERO`, as for `sign`: then zeros flow back.

A composition of ops is a plain function under `checked_call`, so that it takes the same keywords.
"""

import functools
import inspect

from tinygrad_relu.engine import Op, Tensor, recording, sharing
from tinygrad_relu.engine.calling import parameter_names
from tinygrad_relu.engine.graph import RuleName
from tinygrad_relu.errors import DeclarationError

ZERO = "zero"

#: Every op, by name.
TABLE = {}


def op(kernel, *, domain, g=None, **rules):
    """Declare an op: the decorated function gives its name, its signature and its docstring.

    Parameters
    ----------
    kernel : Kernel or callable
        Takes the input arrays, then the static parameters, and returns an array.
    domain : list of Case
        Where the rules are checked against finite differences; see `tinygrad_relu.ops.domain`.
    g : callable, optional
        What the cotangent goes through before it reaches the rules.
    **rules : callable or ZERO
        For each input its derivative rule.

    Raises
    ------
    DeclarationError
        An input has no rule, a rule has no input, or a rule names something unknown.
    """

    def declare(function):
        name = function.__name__
        names, statics, defaults, variadic = parameters_of(function)
        if set(rules) != set(names):
            raise DeclarationError(
                f"op {name}: the rules are for {sorted(rules)} and the inputs are {sorted(names)}: "
                "write one rule for each, or ZERO where the derivative is always zero"
            )
        if not domain:
            raise DeclarationError(f"op {name}: no domain is stated, so no test would check it")
        known = () if variadic else names
        plans = [
            None if rules[own] is ZERO else plan(name, own, rules[own], known, statics)
            for own in names
        ]
        shared = plan(name, "g", g, known, statics) if g is not None else None
        declared = Op(
            name,
            function,
            kernel,
            -1 if variadic else len(names),
            sum(own not in defaults for own in names),
            names + statics,
            tuple(defaults.get(word, inspect.Parameter.empty) for word in statics),
            not variadic and bool(function.__code__.co_flags & inspect.CO_VARARGS),
            tuple(None if rules[own] is ZERO else rules[own] for own in names),
            tuple(plans),
            [saved_bits(codes, len(names)) for codes in plans],
            g,
            shared,
            saved_bits(shared, len(names)),
        )
        for attribute in ("__name__", "__qualname__", "__module__", "__doc__"):
            setattr(declared, attribute, getattr(function, attribute))
        declared.domain = domain
        if name in TABLE:
            raise DeclarationError(f"op {name}: the name is taken by {TABLE[name].__module__}")
        TABLE[name] = declared
        return declared

    return declare


def fused(kernel):
    """Let a kernel do at once, where nothing is recorded, what the decorated composition of ops does.

    Parameters
    ----------
    kernel : Kernel
        Takes the arrays of the leading arguments, tensors, and the other arguments as statics.  Returns
        None where it has no short cut for them.
    """

    def decorate(composition):
        @functools.wraps(composition)
        def call(*arguments):
            if not recording():
                count = sum(isinstance(x, Tensor) for x in arguments)
                arrays = [x.detach().numpy() for x in arguments[:count]]
                found = kernel(*arrays, statics=arguments[count:])
                if found is not None:
                    return sharing(found)
            return composition(*arguments)

        return call

    return decorate


def parameters_of(function):
    """Return the names of a function's inputs and statics, the defaults, and whether it has ``*inputs``.

    They are read from the code: a signature takes ten times as long, and there are over a hundred.
    """
    code = function.__code__
    positional = code.co_varnames[: code.co_argcount]
    named = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    gathering = parameter_names(function)[len(named):]
    given = function.__defaults__ or ()
    defaults = dict(zip(positional[len(positional) - len(given) :], given))
    defaults.update(function.__kwdefaults__ or {})
    inputs = code.co_posonlyargcount
    if not inputs:
        return gathering, named, defaults, True
    defaults.update(dict.fromkeys(gathering, ()))
    return named[:inputs], named[inputs:] + gathering, defaults, False


def plan(name, own, rule, inputs, statics):
    """Return what each parameter of `rule` stands for, as the engine's codes."""
    codes = {
        "g": RuleName.COTANGENT,
        "spare_g": RuleName.SPARE_COTANGENT,
        "spare_sum": RuleName.SPARE_SUM,
        "y": RuleName.OUTPUT,
        "i": RuleName.POSITION,
        f"{own}_shape": RuleName.OWN_SHAPE,
    }
    for first, words in ((RuleName.FIRST_INPUT, inputs), (RuleName.FIRST_STATIC, statics)):
        for position, word in enumerate(words):
            if word in codes:
                raise DeclarationError(f"op {name}: {word} is the name of something else in a rule")
            codes[word] = first + position
    wanted = parameter_names(rule)
    for word in wanted:
        if word not in codes:
            raise DeclarationError(
                f"op {name}: the rule of {own} names {word}, and knows {', '.join(codes)}"
            )
    if len(wanted) > RuleName.MOST_RULE_NAMES:
        raise DeclarationError(f"op {name}: the rule of {own} names more than it can be given")
    return tuple(int(codes[word]) for word in wanted)


def saved_bits(codes, count):
    """Return a bit for each input that a rule names, and one for the output."""
    bits = 0
    for code in codes or ():
        if code == RuleName.OUTPUT:
            bits |= 1 << RuleName.OUTPUT_BIT
        elif RuleName.FIRST_INPUT <= code < RuleName.FIRST_INPUT + count:
            bits |= 1 << (code - RuleName.FIRST_INPUT)
    return bits
