"""The house: floors, public names, what the package may import, what its files say."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import errors
from tinygrad_relu.ops.table import TABLE

ROOT = Path(tg.__file__).parent
PROJECT = ROOT.parent

# A file imports from lower floors and from its own folder; the longest prefix decides.
FLOORS = {
    "errors": -1,       # below all: everybody raises
    "kernels._threads": 0,
    "kernels._memory": 0,
    "kernels.loops": 1,
    "kernels": 2,
    "engine": 3,
    "loading": 0,
    "accelerator": 4,
    "amp": 4,
    "backends": 4,
    "config": 4,
    "cuda": 5,
    "creation": 4,
    "random": 4,
    "grad_mode": 4,
    "backward_modes": 4,
    "execution": 4,
    "trees": 4,
    "ops": 4,
    "sampling": 5,
    "legacy_tensors": 5,
    "custom": 5,
    "utils": 5,
    "io": 5,
    "special": 5,
    "linalg": 5,
    "autograd": 6,
    "distributions": 6,
    "transforms": 6,
    "nn": 6,
    "optim": 6,
    "autograd.functional": 7,
    "autograd.gradcheck": 9,
    "func": 7,
    "interop": 7,
    "distributed": 7,
    "nn.parallel": 8,
    "gradcheck": 8,
    "numpy": 8,
    "testing": 9,
    "demo_pictures": 10,
    "": 10,
    "demo": 11,
    "__main__": 12,
}


def place(module):
    """Return the floor of a module of the package, and the entry that says so."""
    parts = module.split(".")
    for length in range(len(parts), -1, -1):
        name = ".".join(parts[:length])
        if name in FLOORS or not name:
            return FLOORS[name], name
    raise AssertionError


def sources():
    for path in sorted(ROOT.rglob("*.py*")):
        if path.suffix in (".py", ".pyx", ".pxd", ".pxi"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield path, ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path):
    """Yield the modules of this package that a file imports or cimports."""
    text = path.read_text()
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
                yield from ([node.module] if node.module != "tinygrad_relu" else names)
            elif isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
    else:
        for found in re.finditer(r"^\s*(?:from\s+(\S+)\s+c?import|c?import\s+(\S+))", text, re.M):
            yield found[1] or found[2]


def test_every_file_imports_from_lower_floors_only():
    found = 0
    for path, module in sources():
        floor, own = place(module)
        for target in imported(path):
            if not target.startswith("tinygrad_relu") or target == "tinygrad_relu":
                continue
            found += 1
            below, entry = place(target.removeprefix("tinygrad_relu").lstrip("."))
            assert below < floor or entry == own or (entry.startswith(f"{own}.") and own), (
                f"{module or '__init__'} (floor {floor}) imports {target} (floor {below})"
            )
    assert found > 100


def test_every_place_on_a_floor_exists():
    for name in FLOORS:
        target = ROOT.joinpath(*name.split(".")) if name else ROOT
        assert target.is_dir() or any(target.with_suffix(s).exists() for s in (".py", ".pyx"))


def test_only_threads_speaks_openmp():
    for path, module in sources():
        if module != "kernels._threads":
            text = path.read_text()
            assert "cython.parallel" not in text and "omp.h" not in text, module


def test_the_engine_names_no_op():
    for path, module in sources():
        if module.startswith("engine"):
            for node in re.findall(r"from tinygrad_relu\.(\w+)", path.read_text()):
                assert node in ("engine", "kernels", "errors"), module


def test_only_numpy_is_needed_at_run_time():
    code = (
        "import sys, numpy; before = set(sys.modules); import tinygrad_relu;"
        "print(*{m.split('.')[0] for m in set(sys.modules) - before})"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    strangers = set(found.stdout.split()) - set(sys.stdlib_module_names) - {"tinygrad_relu", "numpy"}
    # Cython's shared types live in modules that it makes up.
    assert not {name for name in strangers if not name.startswith(("_cython", "cython_runtime"))}


def test_all_errors_derive_from_ours_and_from_a_builtin():
    for name in errors.__all__:
        kind = getattr(errors, name)
        assert issubclass(kind, errors.TensorError)
        assert kind.__doc__
        if kind is not errors.TensorError:
            assert issubclass(kind, (ValueError, TypeError, RuntimeError, IndexError, ImportError))


def test_public_names_are_documented():
    for name in vars(tg):
        value = getattr(tg, name)
        if name.startswith("_") or value is tg.float32 or not callable(value):
            continue
        assert inspect.getdoc(value), name


def test_the_table_is_a_mini_engines():
    with_rules = [entry for entry in TABLE.values() if any(rule is not None for rule in entry.rules)]
    assert 50 <= len(with_rules) <= 102     # about a hundred


def test_all_packages_are_installed():
    root = Path(tg.__file__).parent
    there = {
        ".".join(("tinygrad_relu", *path.parent.relative_to(root).parts))
        for path in root.rglob("__init__.py")
    }
    settings = tomllib.loads((root.parent / "pyproject.toml").read_text())
    assert set(settings["tool"]["setuptools"]["packages"]) == there


def modules():
    for found in pkgutil.walk_packages(tg.__path__, "tinygrad_relu."):
        if not found.name.endswith("__main__"):
            yield found.name
    yield "tinygrad_relu"


@pytest.mark.parametrize("name", sorted(modules()))
def test_docstrings_run(name):
    try:
        module = importlib.import_module(name)
    except ImportError as missing:      # an optional extra
        pytest.skip(str(missing))
    finder = doctest.DocTestFinder(exclude_empty=True)
    tests = {t.name: t for t in finder.find(module, module=module)}
    for attribute, value in vars(module).items():
        if isinstance(value, tg.relu.__class__) and value.__module__ == name:
            tests.setdefault(
                f"{name}.{attribute}",
                doctest.DocTestParser().get_doctest(value.__doc__, {}, attribute, name, 0),
            )
        elif inspect.isroutine(value) and getattr(value, "__module__", None) == name:
            doc = value.__doc__ or ""
            tests.setdefault(
                f"{name}.{attribute}",
                doctest.DocTestParser().get_doctest(doc, {}, attribute, name, 0),
            )
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    with np.printoptions():
        for test in tests.values():
            runner.run(test)
    assert runner.summarize(verbose=False).failed == 0


def test_doctests_are_found_where_they_are():
    examples = 0
    for path, _ in sources():
        examples += path.read_text().count(">>> ")
    assert examples > 100


def test_version_is_that_of_the_project():
    assert f'version = "{tg.__version__}"' in (PROJECT / "pyproject.toml").read_text()


def test_readme_example_prints_what_it_says():
    text = (PROJECT / "README.md").read_text()
    block = re.search(r"```python\n(>>> .*?)```", text, re.S)[1]
    test = doctest.DocTestParser().get_doctest(block, {}, "README", "README.md", 0)
    runner = doctest.DocTestRunner()
    runner.run(test)
    assert len(test.examples) >= 5 and runner.summarize(verbose=False).failed == 0
