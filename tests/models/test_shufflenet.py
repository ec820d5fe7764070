"""ShuffleNetV2 on FER2013 (paper 4): the integers that follow from its structure, and the files.

The counts are those of docs/papers.md; here they are also added up from the shapes in the file.
"""

import functools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from memxc.cli import _main
from memxc.evaluation import reference

MODELS = Path(__file__).parents[2] / "models"
WIDTHS = ("x05", "x10")
SEQUENTIAL = ("--partition", "none", "--schedule", "sequential")
#: Kernels, devices, word lines and inverters of (M+1) x 2 beside (2M+1) x 1, a kernel by itself.
PAPER = {
    "x05": {
        "kernels": (3_983, 3_983),
        "memristors": (689_118, 685_135),
        "word_lines": (344_559, 685_135),
        "bit_lines": (7_966, 3_983),
        "inverters": (3_983, 340_576),
        "inverters_shared": (3_983, 3_292),
        "opamps": (7_966, 344_559),
    },
    "x10": {
        "kernels": (8_097, 8_097),
        "memristors": (2_504_514, 2_496_417),
        "word_lines": (1_252_257, 2_496_417),
        "bit_lines": (16_194, 8_097),
        "inverters": (8_097, 1_244_160),
        "inverters_shared": (8_097, 6_182),
        "opamps": (16_194, 1_252_257),
    },
}


def load(name: str) -> onnx.ModelProto:
    return onnx.load(MODELS / f"shufflenetv2_{name}.onnx")


@functools.cache
def compiled(name: str, out: Path, *options: str) -> dict[str, Any]:
    """report.json of a ShuffleNetV2 compiled by the command line."""
    model = MODELS / f"shufflenetv2_{name}.onnx"
    args = ["compile", str(model), "-o", str(out / name), "--force", "--quiet", *options]
    assert _main._run(args) == 0
    return json.loads((out / name / "report.json").read_text())


def counted(name: str, out: Path, *options: str) -> dict[str, Any]:
    """The report alone: the same numbers, a few times quicker."""
    return compiled(name, out, *options, "--report-only")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shufflenet")


def kernels(name: str) -> list[tuple[int, int]]:
    """(N, M) of each layer that multiplies, from the shapes of its weights."""
    graph = load(name).graph
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    weights = [n.input[1] for n in graph.node if n.op_type in ("Conv", "Gemm")]
    return [(shapes[weight][0], math.prod(shapes[weight][1:])) for weight in weights]


@pytest.mark.parametrize("width", WIDTHS)
def test_paper_counts_from_the_shapes(width: str) -> None:
    layers = kernels(f"{width}_fer2013")
    wanted = PAPER[width]
    assert len(layers) == 57
    assert sum(n for n, _ in layers) == wanted["kernels"][0]
    assert sum(n * 2 * (m + 1) for n, m in layers) == wanted["memristors"][0]
    assert sum(n * (2 * m + 1) for n, m in layers) == wanted["memristors"][1]
    assert sum(n * m for n, m in layers) == wanted["inverters"][1]
    assert sum(m for _, m in layers) == wanted["inverters_shared"][1]


@pytest.mark.parametrize("width", WIDTHS)
def test_paper_counts_of_the_compiled_network(width: str, out: Path) -> None:
    bill = counted(f"{width}_fer2013", out, *SEQUENTIAL)["resources"]["per_kernel"]
    both = bill["differential"], bill["inverted_inputs"]
    found = {key: tuple(scheme[key] for scheme in both) for key in PAPER[width]}
    assert found == PAPER[width]


def test_paper_counts_do_not_depend_on_the_circuit(out: Path) -> None:
    plain = counted("x05_fer2013", out, *SEQUENTIAL)
    kept = counted("x05_fer2013_bn", out, "--batchnorm", "stage", "--signed", "inverted-inputs")
    assert plain["resources"]["per_kernel"] == kept["resources"]["per_kernel"]
    assert plain["resources"]["total"] != kept["resources"]["total"]


def test_devices_of_the_circuit_are_the_papers(out: Path) -> None:
    # One set of crossbars for all places. More devices only where a bias is too large for one line:
    # the paper's counting gives it one, the circuit as many as it takes.
    report = counted("x05_fer2013", out, *SEQUENTIAL)
    devices = PAPER["x05"]["memristors"][0]
    assert devices <= report["resources"]["total"]["memristors"] < 1.02 * devices


@pytest.mark.parametrize("width", WIDTHS)
def test_137_stages_with_batchnorm_and_relu_as_stages(width: str, out: Path) -> None:
    # 4 + 16 (3 + 3 + 2) + 3 + 1 + 1; every place at once: 137 ns at the target's 1 ns a stage.
    report = counted(f"{width}_fer2013_bn", out, "--batchnorm", "stage", "-t", "paper-128")
    assert report["target"]["crossbar"]["stage_time_s"] == 1e-9
    found = report["latency"]
    assert (found["critical_path_stages"], found["periods"]) == (137, 137)
    assert found["inference_s"] == pytest.approx(137e-9)


@pytest.mark.parametrize("width", WIDTHS)
def test_87_stages_with_batchnorm_folded(width: str, out: Path) -> None:
    found = counted(f"{width}_fer2013", out, *SEQUENTIAL, "-t", "paper-128")["latency"]
    assert found["critical_path_stages"] == 87
    # The stem takes 24 x 24 turns, and so on: far from the papers' parallel evaluation.
    assert found["periods"] > 24 * 24


def test_largest_neuron_is_of_the_longest_word_lines(out: Path) -> None:
    # Not the paper's 2.8 uW: V_p and the devices behind that are not public. Ours, by the formula.
    report = counted("x05_fer2013", out, *SEQUENTIAL)
    device, volts = report["target"]["device"], report["target"]["device"]["read_voltage_v"]
    least, most = (1 / device[key] for key in ("r_off_ohm", "r_on_ohm"))
    inputs = 1_024
    found = report["power"]["neuron_max_w"]
    assert 2 * inputs * least * volts**2 < found < 2 * (inputs + 8) * most * volts**2


@pytest.mark.parametrize("width", WIDTHS)
def test_batch_normalization_is_folded_or_kept(width: str) -> None:
    for suffix, norms in (("", 0), ("_bn", 56)):
        operators = [node.op_type for node in load(f"{width}_fer2013{suffix}").graph.node]
        assert operators.count("BatchNormalization") == norms
        assert (operators.count("Conv"), operators.count("Gemm")) == (56, 1)
        assert (operators.count("MaxPool"), operators.count("Split")) == (1, 13)


@pytest.mark.parametrize("width", WIDTHS)
def test_both_files_are_one_network(width: str) -> None:
    x = np.random.default_rng(4).random((3, 1, 48, 48), dtype=np.float32)
    answers = [
        reference.session(MODELS / f"shufflenetv2_{width}_fer2013{suffix}.onnx").run(
            ["logits"], {"x": x}
        )[0]
        for suffix in ("", "_bn")
    ]
    assert answers[0].shape == (3, 7)
    assert np.abs(answers[0] - answers[1]).max() < 1e-4 * np.abs(answers[0]).max()


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    ("suffix", "options"), [("", SEQUENTIAL), ("_bn", ("--batchnorm", "stage"))]
)
def test_the_whole_compilation_counts_the_same(
    width: str, suffix: str, options: tuple[str, ...], out: Path
) -> None:
    name = f"{width}_fer2013{suffix}"
    whole, alone = compiled(name, out, *options), counted(name, out, *options)
    for part in ("resources", "area"):
        assert whole[part] == alone[part]
    assert whole["latency"]["clocked_s"] == pytest.approx(alone["latency"]["clocked_s"], rel=1e-3)
    assert whole["power"]["total_w"] == pytest.approx(alone["power"]["total_w"], rel=1e-5)
