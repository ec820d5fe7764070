"""Quantised networks of onnxruntime's own tool: codes, converters, SPICE."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

from memxc import target
from memxc.cli import _main
from memxc.compiler.options import Options
from memxc.compiler.run import compile_model
from memxc.errors import MemxcError
from memxc.evaluation import evaluate, samples
from memxc.evaluation import reference as runtime
from memxc.frontend import load
from memxc.ir.stages import Lanes
from memxc.ops.lower import lower

MODELS = Path(__file__).parent.parent / "models"
#: What quantize_static is asked for. Where a type is not covered by ONNX itself, or pooling by its
#: operators, it writes operators of its own, so these parts stay in float.
WAYS = {
    "qdq": {"quant_format": QuantFormat.QDQ},
    "qdq, a scale a channel": {"quant_format": QuantFormat.QDQ, "per_channel": True},
    "qdq, uint8": {"quant_format": QuantFormat.QDQ, "activation_type": QuantType.QUInt8},
    "operators": {
        "quant_format": QuantFormat.QOperator,
        "op_types_to_quantize": ["Conv", "MatMul", "MaxPool"],
    },
    "operators, a scale a channel": {
        "quant_format": QuantFormat.QOperator,
        "op_types_to_quantize": ["Conv", "MatMul", "MaxPool"],
        "activation_type": QuantType.QUInt8,
        "per_channel": True,
    },
}
every_way = pytest.mark.parametrize("way", WAYS)


def run(*words):
    """One command of memxc; its exit code."""
    return _main._run([str(word) for word in words])


class Pictures(CalibrationDataReader):
    def __init__(self, name, pictures):
        self.left = iter([{name: picture[None]} for picture in pictures])

    def get_next(self):
        return next(self.left, None)


def quantised(model, pictures, way, folder):
    """The file that quantize_static makes, with its samples beside it."""
    logging.disable(logging.WARNING)  # it recommends preprocessing
    path = folder / "net.onnx"
    name = onnx.load(model).graph.input[0].name
    quantize_static(model, path, Pictures(name, pictures), **WAYS[way])
    np.savez(folder / "net.samples.npz", x=pictures)
    logging.disable(logging.NOTSET)
    return path


@pytest.fixture
def small(tmp_path):
    """Conv with a border, Relu, MaxPool, depthwise Conv, Relu, Flatten, MatMul."""
    rng = np.random.default_rng(4)
    weights = {
        "w1": rng.normal(size=(4, 2, 3, 2)) * 0.4,
        "b1": rng.normal(size=4) * 0.2,
        "w2": rng.normal(size=(4, 1, 2, 2)) * 0.6,
        "w3": rng.normal(size=(24, 5)) * 0.3,
    }
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["a"], pads=[1, 0, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("MaxPool", ["b"], ["c"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["c", "w2"], ["d"], group=4),
        helper.make_node("Relu", ["d"], ["e"]),
        helper.make_node("Flatten", ["e"], ["f"]),
        helper.make_node("MatMul", ["f", "w3"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 2, 6, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 5])],
        [numpy_helper.from_array(v.astype(np.float32), n) for n, v in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "float.onnx")
    pictures = rng.uniform(-1, 1, (12, 2, 6, 8)).astype(np.float32)
    return tmp_path / "float.onnx", pictures


def reference(path, pictures, wanted):
    """Tensors by name as onnxruntime computes them.

    Float operators between converters are run as they stand; networks of QLinear operators are
    optimised, for only then does onnxruntime multiply them exactly on every processor.
    """
    model = onnx.load(path)
    fused = any(node.op_type.startswith("QLinear") for node in model.graph.node)
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
    session = runtime.session(model.SerializeToString(), fused=fused)
    name = session.get_inputs()[0].name
    runs = [session.run(wanted, {name: picture[None]}) for picture in pictures]
    return {n: np.stack([run[i].reshape(-1) for run in runs]) for i, n in enumerate(wanted)}


def off_by(path, pictures):
    """How far the codes of a network are from onnxruntime's: {tensor: (codes, off, most)}."""
    graph = load(path)
    found = evaluate.run(lower(graph), {graph.inputs[0]: pictures})
    names = [name for name in found if name in graph.kinds]
    wanted = reference(path, pictures, names)
    apart = {name: np.abs(found[name] - wanted[name].astype(float)) for name in names}
    return {n: (v.size, int(np.count_nonzero(v)), int(v.max())) for n, v in apart.items()}


@every_way
def test_the_codes_of_a_small_network_are_onnxruntimes(small, tmp_path, way):
    path = quantised(*small, way, tmp_path)
    found = off_by(path, small[1])
    assert len(found) >= 5
    assert {off for _, off, _ in found.values()} == {0}, found


@every_way
def test_the_codes_of_msccnn_are_onnxruntimes_but_for_ties(tmp_path, way):
    """A tie in float32 may be rounded the other way: one code, and its consequences."""
    pictures = np.load(MODELS / "msccnn_fashion.samples.npz")["x"][:8].astype(np.float32)
    path = quantised(MODELS / "msccnn_fashion.onnx", pictures, way, tmp_path)
    found = off_by(path, pictures)
    total, off = sum(n for n, _, _ in found.values()), sum(k for _, k, _ in found.values())
    first = next((most for _, k, most in found.values() if k), 0)
    print(f"{way}: {off} of {total} codes differ")
    assert total > 400_000
    assert first <= 1
    assert off <= total / 500


@pytest.mark.parametrize("way", ["qdq", "qdq, a scale a channel", "qdq, uint8"])
def test_a_converter_differs_from_onnxruntimes_in_ties_only(tmp_path, way):
    """Each converter given what onnxruntime's got: codes that differ are those of float32 ties."""
    pictures = np.load(MODELS / "msccnn_fashion.samples.npz")["x"][:32].astype(np.float32)
    path = quantised(MODELS / "msccnn_fashion.onnx", pictures[:8], way, tmp_path)
    graph = load(path)
    design = lower(graph)
    adcs = [s for s in design.stages if isinstance(s, Lanes) and s.circuit.name == "adc"]
    sources = {stage.srcs[0] for stage in adcs} - {"x"}
    wanted = reference(path, pictures, [stage.dst for stage in adcs])
    given = reference(path, pictures, sorted(sources)) | {"x": pictures.reshape(32, -1)}
    quantizers = [node for node in graph.nodes if node.op == "QuantizeLinear"]
    scale = {node.outputs[0]: graph.weights[node.inputs[1]] for node in quantizers}
    total = off = 0
    for stage in adcs:
        source = given[stage.srcs[0]].astype(np.float64)
        found = evaluate.step(stage, design.buses, [source])
        apart = np.abs(found - wanted[stage.dst])
        exact = source / float(scale[stage.dst])
        assert apart.max() <= 1
        beside = np.abs(exact - np.floor(exact) - 0.5)[apart > 0]
        assert (beside < 2e-5).all(), "not a tie in float32"
        total, off = total + apart.size, off + np.count_nonzero(apart)
    print(f"{way}: {off} of {total} codes are ties that fall otherwise")
    assert total > 1_500_000
    assert off <= 20


def test_both_formats_take_the_same_converters(small, tmp_path):
    """A network's codes are read and written at the same places, whichever way it is written."""
    counts = {}
    for way in ("qdq", "operators"):
        folder = tmp_path / way
        folder.mkdir()
        design = lower(load(quantised(*small, way, folder)))
        lanes = [stage for stage in design.stages if isinstance(stage, Lanes)]
        layers = [s.src for s in design.stages if not isinstance(s, Lanes) and hasattr(s, "src")]
        counts[way] = [
            design.buses[s.dst].width for s in lanes if s.circuit.name == "dac" and s.dst in layers
        ]
    assert counts["qdq"] == counts["operators"] == [2 * 6 * 8, 4 * 3 * 4, 24]


@pytest.mark.parametrize("engine", ["neospice", "ngspice"])
@pytest.mark.parametrize("way", ["qdq", "operators, a scale a channel"])
@pytest.mark.parametrize("goal", ["ideal", "paper-128"])
def test_through_spice(small, tmp_path, ngspice, capsys, one_process, engine, way, goal):
    path, out = quantised(*small, way, tmp_path), tmp_path / "out"
    assert run("compile", path, "-o", out, "-t", goal, "--schedule", "sequential") == 0
    capsys.readouterr()
    assert run("verify", out, "--engine", engine, "--count", 3, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"]
    adcs = [stage for stage in found["stages"] if stage["name"].endswith(("Linear", "/adc"))]
    assert adcs
    assert all(stage["max_rel_error"] < 1e-9 for stage in adcs)
    assert run("lvs", out) == 0
    report = json.loads((out / "report.json").read_text())["resources"]["total"]
    assert report["converters"] > 250


def test_ties_do_not_break_the_exact_passes(tmp_path):
    """Scales that are powers of two: sums lie in the middle between two codes, again and again."""
    rng = np.random.default_rng(1)
    weights = {
        "w": rng.integers(-3, 4, (5, 2, 2, 3)).astype(np.float32),
        "s": np.float32(2),
        "z": np.int8(1),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"]),
        helper.make_node("QuantizeLinear", ["a", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "ties",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 4, 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 5, 3, 3])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    path = tmp_path / "net.onnx"
    imports = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), path)
    pictures = rng.integers(-3, 4, (8, 2, 4, 5)).astype(np.float32)
    np.savez(tmp_path / "net.samples.npz", x=pictures)
    sums = reference(path, pictures, ["a"])["a"]
    assert np.count_nonzero(sums % 2) > 100, "no ties"
    done = compile_model(Options(path, target.load("ideal")))
    assert max(rung.max_abs_error for rung in done.rungs) < 1e-6
    assert off_by(path, pictures) == {"q": (8 * 45, 0, 0)}


@pytest.fixture
def picture_net(tmp_path):
    """uint8 pictures: Cast, Conv, and their largest pixel beside it."""
    weight = np.random.default_rng(0).normal(size=(3, 2, 2, 2)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["x"], ["a"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["a", "w"], ["y"]),
        helper.make_node("MaxPool", ["x"], ["m"], kernel_shape=[2, 3]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [1, 2, 4, 5])],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 3, 4]),
            helper.make_tensor_value_info("m", TensorProto.UINT8, [1, 2, 3, 3]),
        ],
        [numpy_helper.from_array(weight, "w")],
    )
    path = tmp_path / "net.onnx"
    imports = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), path)
    return path


def test_pictures_of_bytes(picture_net, tmp_path, capsys):
    done = compile_model(Options(picture_net, target.load("ideal")))
    assert done.samples["x"].max() > 200
    assert (done.samples["x"] == np.floor(done.samples["x"])).all()
    assert max(rung.max_rel_error for rung in done.rungs) <= 1e-6
    out = tmp_path / "out"
    assert run("compile", picture_net, "-o", out) == 0
    assert "between 0 and 255" in capsys.readouterr().err
    assert run("verify", out, "--engine", "neospice", "--count", 2) == 0


@pytest.mark.parametrize("bad", [0.5, -1.0, 256.0])
def test_samples_that_are_no_bytes(picture_net, bad):
    pictures = np.zeros((2, 2, 4, 5))
    pictures[1, 1, 2, 3] = bad
    np.savez(picture_net.with_suffix(".samples.npz"), x=pictures)
    with pytest.raises(MemxcError, match=f"holds {bad:g}, the model takes uint8"):
        compile_model(Options(picture_net, target.load("ideal")))


def test_random_inputs_of_integers():
    kinds = {"a": "int8", "b": "bool", "c": "int64", "d": "uint16"}
    shapes = dict.fromkeys([*kinds, "e"], (1, 40, 5))
    found = samples.seeded(shapes, -3.5, 9.0, 0, kinds=kinds).inputs
    ends = {name: (values.min(), values.max()) for name, values in found.items()}
    assert ends["a"] == (-128, 127)
    assert ends["b"] == (0, 1)
    assert ends["c"] == (-3, 9)
    assert ends["d"] == (0, 9)
    assert all((values == np.floor(values)).all() for n, values in found.items() if n in kinds)
    assert not (found["e"] == np.floor(found["e"])).any()
