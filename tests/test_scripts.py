"""Scripts written for PyTorch run after changing their imports, and learn what they learn there."""

import re
import runpy
from pathlib import Path

import pytest

import tinygrad_relu as tg

SCRIPTS = Path(__file__).parent / "scripts"

# Losses of PyTorch 2.13 in scripts whose numbers are NumPy's: the first, the middle, the last.
LOSSES = {
    "bigram": (2.890371757896165, 1.446356956446538, 1.4045758309784004),
    "mlp_names": (2.9845253020187013, 1.7055365945036496, 1.6555660271383947),
    "backprop_by_hand": (2.201899334463861, 2.201899334463861, 2.201899334463861),
    "wavenet": (3.1657677041556966, 2.001406826375212, 1.6882625744610964),
    "gpt": (3.534367269276704, 2.310296211776956, 1.7711370972177172),
    "gpt_config": (3.126247953642155, 2.3471720948884873, 3.3054012675145734),
    "lstm_text": (2.4915164021733878, 3.3833272149634968, 0.136814641104313),
    "polynomial": (2746.0045521720403, 653.2213356941293, 268.9075805002859),
    "transformer_classifier": (0.9235709928230906, 0.11729138353323013, 0.11702204117387824),
}
# Where a table of sines is float32, each library rounds it in its own way.
TOLERANCES = {"transformer_classifier": 1e-6, "lstm_text": 1e-11}

# What the others have learned, each from random numbers of its own.
LEARNED = {
    "cnn_images": lambda found: found["accuracy"] >= 0.9 and found["losses"][-1] < found["losses"][0],
    "dqn": lambda found: found["greedy"] == [1, 1, 1, 1] and found["values"][3, 1] > 0.9,
    "gan": lambda found: abs(found["fake_mean"] - 3) < 0.3,
    "linear_regression": lambda found: found["error"] < 0.1 and found["error_with_nn"] < 0.01,
    "reinforce": lambda found: found["mean_reward"] > 6,
    "training_setup": lambda found: found["same"] and found["restored"] == found["best"] < 0.005,
    "vae": lambda found: found["distance"] < 0.15 and found["losses"][-1] < 0.5 * found["losses"][0],
}


def changed(text):
    """Return a script with its imports of PyTorch changed to ours, and nothing else."""
    text = re.sub(r"^import torch$", "import tinygrad_relu as torch", text, flags=re.M)
    return re.sub(r"^(import|from) torch\b", r"\1 tinygrad_relu", text, flags=re.M)


def run(name, folder):
    """Run a script with changed imports, and return its global names."""
    path = folder / f"{name}.py"
    path.write_text(changed((SCRIPTS / f"{name}.py").read_text()))
    return runpy.run_path(str(path), run_name="__main__")


@pytest.fixture(autouse=True)
def settings_as_before(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dtype = tg.get_default_dtype()
    yield
    tg.set_default_dtype(dtype)
    tg.set_printoptions(profile="default")


def test_every_script_is_run():
    assert {path.stem for path in SCRIPTS.glob("*.py")} == {*LOSSES, *LEARNED}
    for path in SCRIPTS.glob("*.py"):
        assert "tinygrad_relu" not in path.read_text()


def test_only_imports_are_changed():
    assert changed("import torch\nimport torch.nn as nn\nx = torch.ones(1)\n") == (
        "import tinygrad_relu as torch\nimport tinygrad_relu.nn as nn\nx = torch.ones(1)\n"
    )


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_losses_are_those_of_pytorch(name, tmp_path):
    losses = run(name, tmp_path)["losses"]
    found = (losses[0], losses[len(losses) // 2], losses[-1])
    assert found == pytest.approx(LOSSES[name], rel=TOLERANCES.get(name, 1e-13), abs=0)


@pytest.mark.parametrize("dtype", [tg.float64, tg.float32])
@pytest.mark.parametrize("name", sorted(LEARNED))
def test_what_scripts_learn(name, dtype, tmp_path):
    tg.set_default_dtype(dtype)
    assert LEARNED[name](run(name, tmp_path))


def test_gradients_by_hand_are_those_of_backward(tmp_path):
    errors = run("backprop_by_hand", tmp_path)["errors"]
    assert len(errors) == 20 and max(errors.values()) < 1e-15
