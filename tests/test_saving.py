"""`save` and `load`: what comes back, what is refused, and what a kill or a wrong bit leaves."""

import importlib.util
import io
import json
import os
import pickle
import stat
import subprocess
import sys
import zipfile
from collections import OrderedDict, namedtuple
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import tinygrad_relu as tg
from tinygrad_relu.errors import ArgumentError, DTypeError, FileError, GraphError, MissingPackage

HAS_SAFETENSORS = importlib.util.find_spec("safetensors") is not None
NAMES = ["point.npz", "without an ending"] + ["point.safetensors"] * HAS_SAFETENSORS
DTYPES = [
    np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64,
    np.float16, np.float32, np.float64,
]


def same(a, b):
    """Tell whether two structures are one in kinds, values, dtypes and bits."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(map(repr, a)) == list(map(repr, b)) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, tg.Tensor):
        return a.requires_grad == b.requires_grad and same(a.detach().numpy(), b.detach().numpy())
    if isinstance(a, (np.ndarray, np.generic)):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return repr(a) == repr(b)


def saved_and_loaded(tree, path):
    tg.save(tree, path)
    return tg.load(path)


@pytest.fixture(params=NAMES)
def path(request, tmp_path):
    return str(tmp_path / request.param)


def example():
    rng, twister = np.random.default_rng(0), np.random.Generator(np.random.MT19937(1))
    return {
        "plain": [None, True, False, 0, -7, 2**200, 1.5, -0.0, float("nan"), float("-inf"), 5e-324, ""],
        "words": ("é", "a\nb", "\ud800", "\0", "x" * 2000),
        "empty": [{}, [], (), OrderedDict()],
        3: {2.5: 1, True: 2, None: [3]},
        "ordered": OrderedDict([("b", 1), ("a", tg.tensor([1.0, 2.0], requires_grad=True))]),
        "a": {"b": np.ones(2), "b.c": np.zeros(1)}, "a.b": np.full(3, 7), "a.b.c": np.arange(2),
        "__metadata__": np.arange(4), "../../x": np.arange(5), "A": np.arange(1), "a/b": np.arange(9),
        "x" * 3000: np.arange(6), "x" * 2999 + "y": np.arange(7),
        "scalar": np.float32(0.1), "0-d": tg.tensor(2.0), "int": tg.tensor([1, 2]),
        "generators": [rng.bit_generator.state, twister.bit_generator.state, tg.Generator(3).get_state()],
        "dtypes": [np.arange(3).astype(dtype) for dtype in DTYPES],
        "sizes": [np.zeros((0, 3), np.int8), np.zeros((2, 0, 4)), np.array(5, np.int16)],
        "strided": [np.arange(12).reshape(3, 4).T, np.arange(10.0)[::-3], np.zeros((2, 3))[:, :1]],
    }


def test_structures_come_back(path):
    tree = example()
    assert same(saved_and_loaded(tree, path), tree)


def test_single_values_come_back(path):
    for tree in (3, "word", None, [], tg.ones(2, 2), np.arange(3), np.float16(1.5), float("inf")):
        assert same(saved_and_loaded(tree, path), tree)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_of_arrays_come_back(path, dtype, rng):
    bits = rng.bytes(24 * np.dtype(dtype).itemsize) if dtype is not np.bool_ else bytes([0, 1] * 12)
    array = np.frombuffer(bits, dtype).reshape(2, 3, 4)
    for view in (array, array[:, ::-1], array.transpose(2, 0, 1), array[1, 2, 3], array[:, :0]):
        loaded = saved_and_loaded(np.asarray(view), path)
        assert same(loaded, np.array(view)) and loaded.flags.writeable


plain = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | npst.arrays(st.sampled_from(DTYPES), npst.array_shapes(min_dims=0, min_side=0, max_side=3))
)
keys = st.text(max_size=4) | st.integers(-3, 3) | st.booleans() | st.none()
trees = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner)
    | st.dictionaries(keys, inner, max_size=3), max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(trees)
def test_any_structure_comes_back(tree):
    file = io.BytesIO()
    tg.save(tree, file)
    file.seek(0)
    assert same(tg.load(file), tree)


def test_the_order_of_bytes_becomes_that_of_the_machine(path):
    loaded = saved_and_loaded(np.arange(3, dtype=">f4"), path)
    assert loaded.dtype == np.float32 and loaded.tolist() == [0, 1, 2]


def test_numpy_and_safetensors_read_the_arrays(tmp_path):
    tree = {"0.weight": tg.ones(2, 3, dtype=np.float32), "deep": {"x": [np.arange(3)]}}
    tg.save(tree, tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        assert arrays["0.weight"].shape == (2, 3) and arrays["deep.x.0"].tolist() == [0, 1, 2]
    library = pytest.importorskip("safetensors.numpy")
    tg.save(tree, tmp_path / "a.safetensors")
    arrays = library.load_file(tmp_path / "a.safetensors")
    assert arrays["0.weight"].dtype == np.float32 and arrays["deep.x.0"].tolist() == [0, 1, 2]
    library.save_file({"w": np.eye(2)}, tmp_path / "theirs.safetensors", metadata={"format": "pt"})
    loaded = tg.load(tmp_path / "theirs.safetensors", map_location="cpu", weights_only=True)
    assert same(loaded, {"w": tg.tensor(np.eye(2))})


def test_equal_content_gives_equal_files(tmp_path):
    for name in ("a.npz", "b.npz"):
        tg.save(example(), tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_what_is_loaded_shares_no_memory(path):
    loaded = saved_and_loaded({"a": tg.ones(3), "b": tg.ones(3)}, path)
    loaded["a"] += 1
    assert loaded["b"].tolist() == [1, 1, 1] and tg.load(path)["a"].tolist() == [1, 1, 1]


def test_the_package_is_only_needed_for_its_format(tmp_path):
    code = (
        "import sys; sys.modules['safetensors'] = None; import tinygrad_relu as tg\n"
        f"tg.save([1], {str(tmp_path / 'a.npz')!r})\n"
        f"try: tg.save([1], {str(tmp_path / 'a.safetensors')!r})\n"
        "except tg.errors.MissingPackage as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "tinygrad_relu[safetensors]"' in done.stdout
    assert os.listdir(tmp_path) == ["a.npz"] and issubclass(MissingPackage, ImportError)


# ------------------------------------------------------------------------------- what is refused

Pair = namedtuple("Pair", "a b")
circle = []
circle.append({"again": circle})
REFUSED = {
    "function": (lambda: None, ArgumentError, "function"),
    "object": (object(), ArgumentError, "object"),
    "complex": (1j, ArgumentError, "complex"),
    "set": ({1}, ArgumentError, "set"),
    "named tuple": (Pair(1, 2), ArgumentError, "Pair"),
    "generator": (np.random.default_rng(0), ArgumentError, r"bit_generator\.state"),
    "our generator": (tg.Generator(0), ArgumentError, r"get_state\(\)"),
    "masked array": (np.ma.array([1.0]), ArgumentError, "MaskedArray"),
    "optimizer": (tg.optim.SGD([tg.ones(1, requires_grad=True)]), ArgumentError, r"state_dict\(\)"),
    "key": ({(1, 2): 3}, ArgumentError, r"\(1, 2\)"),
    "complex array": (np.ones(2, complex), DTypeError, "complex128"),
    "objects": (np.array([None]), DTypeError, "object"),
    "words": (np.array(["a"]), DTypeError, "<U1"),
    "long double": (np.ones(1, np.longdouble), DTypeError, "float128|longdouble"),
    "recorded": (tg.ones(2, requires_grad=True) * 2, GraphError, r"detach\(\)"),
    "circle": (circle, ArgumentError, "hold itself"),
    "digits": (10**5000, ArgumentError, "digits"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_saved_is_named_with_its_place(name, path):
    value, kind, words = REFUSED[name]
    tg.save("old", path)
    with pytest.raises(kind, match=words) as raised:
        tg.save({"model": [1, value]}, path)
    assert "['model']" in str(raised.value) or name == "digits"
    assert tg.load(path) == "old" and len(os.listdir(Path(path).parent)) == 1


def test_places_that_are_no_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        tg.save(1, tmp_path / "missing" / "a.npz")
    with pytest.raises(IsADirectoryError):
        tg.save(1, tmp_path)
    with pytest.raises(FileNotFoundError):
        tg.load(tmp_path / "a.npz")
    with pytest.raises(ArgumentError, match="device"):
        tg.save(1, os.devnull)
    for title, call in (("save", lambda: tg.save(1, 2.5)), ("load", lambda: tg.load(None))):
        with pytest.raises(ArgumentError, match=f"{title}: path is a"):
            call()
    with pytest.raises(ArgumentError, match="'wb'"):
        tg.save(1, io.StringIO())
    with pytest.raises(ArgumentError, match="'rb'"):
        tg.load(io.StringIO("{}"))


def test_files_that_somebody_else_opened(tmp_path):
    tree = {"a": np.arange(100_000.0)}
    with open(tmp_path / "raw", "wb", buffering=0) as file:
        tg.save(tree, file)
    with open(tmp_path / "raw", "rb") as file:
        assert same(tg.load(file), tree)


# ------------------------------------------------------------------------ files and their places


def test_permissions_are_kept_and_new_files_are_made_as_others(tmp_path):
    path = tmp_path / "a.npz"
    before = os.umask(0o027)
    try:
        tg.save(1, path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o604)
        tg.save(2, path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o604
    finally:
        os.umask(before)


def test_links_stay_and_what_they_point_to_is_replaced(tmp_path):
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "a.npz", tmp_path / "link.npz"
    link.symlink_to(target)
    tg.save("first", link)          # the link led nowhere
    assert link.is_symlink() and tg.load(target) == "first"
    tg.save("second", link)
    assert link.is_symlink() and tg.load(target) == "second" == tg.load(link)
    assert os.listdir(tmp_path / "real") == ["a.npz"]


@pytest.mark.parametrize("function", ["fsync", "replace", "fchmod"])
def test_a_save_that_fails_leaves_the_old_file_alone(function, path, monkeypatch):
    tg.save("old", path)

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(OSError, match="No space"):
        tg.save("new", path)
    monkeypatch.undo()
    assert tg.load(path) == "old" and os.listdir(Path(path).parent) == [Path(path).name]


def test_content_and_name_are_brought_to_the_disk_in_this_order(tmp_path, monkeypatch):
    done, fsync, replace = [], os.fsync, os.replace

    def watched_fsync(number):
        done.append("folder" if stat.S_ISDIR(os.fstat(number).st_mode) else os.fstat(number).st_size)
        fsync(number)

    def watched_replace(*names):
        done.append("rename")
        replace(*names)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    tg.save(list(range(1000)), tmp_path / "a.npz")
    assert done == [(tmp_path / "a.npz").stat().st_size, "rename", "folder"]


# A process that saves, killed at its k-th call or return of anything written in C: every tenth at first,
# and then each, because the file is renamed near the end.  Forks are quicker than new processes.
KILLED_EVERYWHERE = """
import os, signal, sys
import numpy as np
import tinygrad_relu as tg
path = sys.argv[1]
old, new = {"step": 1, "w": np.arange(3)}, {"step": 2, "w": np.arange(4), "v": tg.ones(2)}
calls = 0
def save_and_die(moment):
    global calls
    calls = 0
    def count(frame, event, argument):
        global calls
        if event in ("c_call", "c_return"):
            calls += 1
            if calls == moment:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.setprofile(count)
    tg.save(new, path)
    sys.setprofile(None)
save_and_die(None), tg.load(path)
save_and_die(None)
moments = [*range(1, calls - 80, 10), *range(calls - 80, calls)]
outcomes = []
for moment in moments:
    tg.save(old, path)
    child = os.fork()
    if child == 0:
        save_and_die(moment)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    found = tg.load(path)
    assert os.WIFSIGNALED(status), moment
    assert sorted(found) == (["step", "w"] if found["step"] == 1 else ["step", "v", "w"])
    assert found["w"].tolist() == list(range(2 + found["step"]))
    outcomes.append(found["step"])
print(len(outcomes), outcomes == sorted(outcomes), outcomes[0], outcomes[-1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_kill_at_any_moment_leaves_the_old_or_the_new_file(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", KILLED_EVERYWHERE, str(tmp_path / "a.npz")],
        capture_output=True, text=True, timeout=120,
    )
    assert done.returncode == 0, done.stderr
    count, *rest = done.stdout.split()
    assert int(count) > 100 and rest == ["True", "1", "2"]


# ---------------------------------------------------------------------------------- damaged files


def small():
    return {"w": tg.tensor([1.5, -2.0], requires_grad=True), "n": [3, "ab", None], "i": np.arange(2)}


@pytest.mark.parametrize("name", [name for name in NAMES if "." in name])
def test_any_wrong_bit_is_found_or_changes_nothing(name, tmp_path):
    tree, path, found = small(), str(tmp_path / name), 0
    tg.save(tree, path)
    content = Path(path).read_bytes()
    with open(path, "r+b", buffering=0) as file:
        for place in range(8 * len(content)):
            at, bit = divmod(place, 8)
            file.seek(at)
            file.write(bytes([content[at] ^ 1 << bit]))
            try:
                loaded = tg.load(path)
            except FileError:
                found += 1
            else:
                assert same(loaded, tree), place
            file.seek(at)
            file.write(content[at:at + 1])
    assert found > 1000


def test_a_file_that_is_cut_off_or_has_more_is_found(path):
    tree = small()
    tg.save(tree, path)
    content = Path(path).read_bytes()
    for length in range(0, len(content), 3):
        Path(path).write_bytes(content[:length])
        with pytest.raises(FileError, match="load: "):
            tg.load(path)
    Path(path).write_bytes(content[:200] + bytes(50) + content[250:])
    with pytest.raises(FileError):
        tg.load(path)


class Trap:
    def __reduce__(self):
        return os.mkdir, ("made by loading",)


def test_foreign_files_are_refused_and_never_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.npz"
    np.savez(path, a=np.array([Trap()], object), allow_pickle=True)
    with pytest.raises(FileError, match=r"numpy\.load"):
        tg.load(path)
    with zipfile.ZipFile(path, "w") as archive:     # as torch.save writes it
        archive.writestr("archive/data.pkl", pickle.dumps(Trap()))
    with pytest.raises(FileError, match=r"torch\.save"):
        tg.load(path)
    for content in (b"", b"PK", pickle.dumps(Trap()), b"\x93NUMPY\x01\x00", b"hello" * 1000):
        path.write_bytes(content)
        with pytest.raises(FileError, match="damaged"):
            tg.load(path)
    assert os.listdir(tmp_path) == ["a.npz"]


def npz_of(path, text, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("structure.json", text)
        for name, content in members.items():
            archive.writestr(name, content)


def npy(header):
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()


def claim(shape, dtype="<f8", order=False):
    return npy(f"{{'descr': {dtype!r}, 'fortran_order': {order}, 'shape': {shape}, }}\n") + bytes(16)


def text_of(tree, arrays=(("a", ["float64", [2]]),), version=1):
    return json.dumps({"tinygrad_relu": version, "tree": tree, "arrays": dict(arrays)})


GOOD = text_of({"array": "a"})
BAD = {
    "huge claim": (GOOD, {"a.npy": claim("(10**15,)".replace("10**15", "1000000000000000"))}),
    "overflowing claim": (GOOD, {"a.npy": claim((2**40, 2**40))}),
    "negative claim": (GOOD, {"a.npy": claim((-2,))}),
    "zero of a huge shape": (text_of({"array": "a"}, [("a", ["float64", [0, 2**62]])]),
                             {"a.npy": claim((0, 2**62))[:-16]}),
    "objects": (GOOD, {"a.npy": claim((2,), "|O")}),
    "other order": (GOOD, {"a.npy": claim((2,), order=True)}),
    "program for a header": (GOOD, {"a.npy": npy("__import__('os').mkdir('never')\n") + bytes(16)}),
    "other dtype": (GOOD, {"a.npy": claim((2,), "<i8")}),
    "missing array": (GOOD, {}),
    "one array too many": (GOOD, {"a.npy": claim((2,)), "b.npy": claim((2,))}),
    "array of no place": (text_of(3), {"a.npy": claim((2,))}),
    "array used twice": (text_of([{"array": "a"}, {"array": "a"}]), {"a.npy": claim((2,))}),
    "newer version": (text_of({"array": "a"}, version=2), {"a.npy": claim((2,))}),
    "unknown kind": (text_of({"pickle": "a"}), {"a.npy": claim((2,))}),
    "no kind": (text_of({}), {"a.npy": claim((2,))}),
    "two kinds": (text_of({"array": "a", "list": []}), {"a.npy": claim((2,))}),
    "gradient of whole numbers": (text_of({"parameter": "a"}, [("a", ["int64", [2]])]),
                                  {"a.npy": claim((2,), "<i8")}),
    "no JSON": ("{", {"a.npy": claim((2,))}),
    "a list": ("[]", {}),
    "no text": (b"\xff\xfe", {}),
    "deep": ('{"tinygrad_relu": 1, "arrays": {}, "tree": ' + "[" * 100_000 + "]" * 100_000 + "}", {}),
    "bad key": (text_of({"dict": [[[1], 2]]}, ()), {}),
}


@pytest.mark.parametrize("name", BAD)
def test_files_that_lie_are_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text, arrays = BAD[name]
    npz_of(tmp_path / "a.npz", text, arrays)
    with pytest.raises(FileError, match=r"a\.npz"):
        tg.load(tmp_path / "a.npz")
    assert os.listdir(tmp_path) == ["a.npz"]


def test_the_bad_files_differ_from_a_good_one_by_what_is_bad(tmp_path):
    npz_of(tmp_path / "a.npz", GOOD, {"a.npy": claim((2,))})
    assert tg.load(tmp_path / "a.npz").tolist() == [0, 0]
    npz_of(tmp_path / "a.npz", GOOD, {"a.npy": claim((2,))}, zipfile.ZIP_DEFLATED)
    with pytest.raises(FileError, match="compressed"):
        tg.load(tmp_path / "a.npz")


@pytest.mark.skipif(not HAS_SAFETENSORS, reason="safetensors is not installed")
def test_metadata_of_safetensors_is_checked(tmp_path):
    library = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "a.safetensors"
    tg.save({"a": np.arange(3.0)}, path)
    from safetensors import safe_open
    with safe_open(path, framework="np") as file:
        good = file.metadata()
    arrays = {"a": np.arange(3.0)}
    library.save_file(arrays, path, good)
    assert same(tg.load(path), arrays)
    for change in ({"tinygrad_relu": None}, {"tinygrad_relu.crc32": None}, {"tinygrad_relu.crc32": "[]"}):
        changed = {k: v for k, v in {**good, **change}.items() if v is not None}
        library.save_file(arrays, path, changed)
        with pytest.raises(FileError, match="damaged"):
            tg.load(path)
    library.save_file({"a": np.arange(3)}, path, good)
    with pytest.raises(FileError, match="checksum"):
        tg.load(path)
