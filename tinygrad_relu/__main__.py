"""The command line: ``python -m tinygrad_relu COMMAND``."""

import argparse
import os
import sys
from pathlib import Path

# What `demo` needs beside NumPy: the module to import, and the package that brings it.
DEMO_PACKAGES = {"matplotlib": "matplotlib", "rich": "rich", "sklearn": "scikit-learn"}

# The gradient checkers that `score` knows.
CHECKER_NAMES = ["ours", "torch", "jax", "autograd", "scipy"]


def main(arguments=None):
    """Run the command that `arguments` (by default those of the process) name.

    Returns
    -------
    int
        The exit status: 0 for success.
    """
    parser = command_line()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    return options.run(options)


def command_line():
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="python -m tinygrad_relu",
        description="A Cython-accelerated autograd mini-engine for NumPy people.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    add_check(commands)
    add_demo(commands)
    add_score(commands)
    return parser


def add_check(commands):
    """Add ``check`` to `commands`."""
    purpose = "check the gradients in a file of NumPy functions: every name beside its name_backward"
    parser = commands.add_parser(
        "check", help=purpose, description=f"{purpose.capitalize()}.",
        epilog="The inputs are what a function name_inputs() returns, or a dict INPUTS in the file, or "
        "defaults and annotations.  Exit status: 0 if all is right, 1 if a gradient is wrong, 2 if "
        "none is, but one could not be checked.",
    )
    parser.add_argument("target", metavar="FILE.py[:name]", help="the file, or one function of it")
    parser.add_argument(
        "--seed", type=whole_number_from(0), default=0, metavar="N",
        help="of cotangents and directions (default: %(default)s)",
    )
    parser.add_argument(
        "--fast", action="store_true", default=None, help="random directions, and not each element"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object for each function")
    parser.set_defaults(run=run_check)


def run_check(options):
    """Run ``check``."""
    from tinygrad_relu.gradcheck.files import run

    return run(options.target, options.seed, options.fast, options.json)


def add_demo(commands):
    """Add ``demo`` to `commands`."""
    purpose = "train a ReLU net on handwritten digits, check and time it, and draw what it learned"
    parser = commands.add_parser("demo", help=purpose, description=f"{purpose.capitalize()}.")
    parser.add_argument(
        "--seed", type=whole_number_from(0), default=0, metavar="N",
        help="of the split, the initial weights and the batches (default: %(default)s)",
    )
    parser.add_argument(
        "--epochs", type=whole_number_from(1), metavar="N",
        help="passes over the training digits (default: 60, or 8 with --quick)",
    )
    parser.add_argument(
        "--output", type=Path, default=Path("demo_pictures"), metavar="FOLDER",
        help="where the pictures go; made if it is not there (default: %(default)s)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="a smaller net and fewer epochs: a second or two"
    )
    parser.set_defaults(run=run_demo)


def add_score(commands):
    """Add ``score`` to `commands`."""
    purpose = "let gradient checkers look at a bank of wrong and of correct gradients, and count"
    parser = commands.add_parser("score", help=purpose, description=f"{purpose.capitalize()}.")
    parser.add_argument(
        "--checker", nargs="+", choices=CHECKER_NAMES, default=CHECKER_NAMES, metavar="NAME",
        help=f"which ones, of {', '.join(CHECKER_NAMES)} (default: all that are installed)",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the result, with every exercise that went wrong"
    )
    parser.add_argument(
        "--seed", type=whole_number_from(0), default=0, metavar="N",
        help="of the values at which gradients are checked (default: %(default)s)",
    )
    parser.set_defaults(run=run_score)


def run_score(options):
    """Run ``score``."""
    from tinygrad_relu.gradcheck.mutants.score import run

    return run(options.checker, options.json, options.seed)


def whole_number_from(least):
    """Return the reader of an argument that is a whole number, `least` or larger."""

    def read(text):
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} up")
        return int(text)

    return read


def run_demo(options):
    """Run ``demo``, or say which package it misses."""
    try:
        # Here, so that neither the package nor another command needs what the demo needs.
        from tinygrad_relu.demo import run
    except ModuleNotFoundError as error:
        package = DEMO_PACKAGES.get((error.name or "").partition(".")[0])
        if package is None:
            raise
        print(
            f'demo: {package} is not installed: pip install "tinygrad_relu[demo]"', file=sys.stderr
        )
        return 1
    return run(options)


def as_a_process():
    """Run `main`; end quietly where nobody reads what is printed any more, as after ``| head``.

    Returns
    -------
    int
        The exit status; 141 in that case, which is what shells report of a command that ended so.
    """
    try:
        try:
            return main()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # What is left is flushed once more as Python ends, and has to go somewhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


if __name__ == "__main__":
    sys.exit(as_a_process())
