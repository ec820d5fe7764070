"""What the report says of a network: its parameters, its unit crossbars, what was lost."""

from __future__ import annotations

import copy
import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

from memxc import render, target
from memxc.build_folder.page.html import html
from memxc.build_folder.report.build import build
from memxc.build_folder.report.document import Report
from memxc.build_folder.report.text import sizes, text
from memxc.cli import _main
from memxc.compiler.options import Options
from memxc.compiler.run import compile_model

node = helper.make_node


def floats(shape, seed, name):
    values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return numpy_helper.from_array(values, name)


def whole(numbers, name):
    return numpy_helper.from_array(np.array(numbers, dtype=np.int64), name)


def save(path, nodes, inits, shape=(1, 4, 5, 5)):
    """A network x (1, 4, 5, 5) -> y (1, 3), with samples beside it."""
    info = helper.make_tensor_value_info
    ends = [info("x", TensorProto.FLOAT, shape)], [info("y", TensorProto.FLOAT, (1, 3))]
    graph = helper.make_graph(nodes, "net", *ends, inits)
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    x = np.random.default_rng(2).uniform(-1, 1, (6, *shape[1:])).astype(np.float32)
    np.savez(path.with_suffix(".samples.npz"), x=x)
    return path


@pytest.fixture
def split(tmp_path):
    """Conv 4 -> 4, split in two, one half through a conv 2 -> 2, joined, reshaped, dense 100 -> 3.

    Weights and biases 4 * 4 * 9 + 4, 2 * 2 + 2 and 100 * 3 + 3, and four whole numbers of shapes.
    """
    nodes = [
        node("Conv", ["x", "w", "b"], ["a"], name="conv", pads=[1, 1, 1, 1]),
        node("Split", ["a", "halves"], ["p", "q"], name="split", axis=1),
        node("Conv", ["p", "v", "c"], ["r"], name="half"),
        node("Concat", ["r", "q"], ["s"], name="join", axis=1),
        node("Reshape", ["s", "flat"], ["t"], name="flat"),
        node("Gemm", ["t", "u", "d"], ["y"], name="dense"),
    ]
    inits = [
        floats((4, 4, 3, 3), 1, "w"), floats((4,), 2, "b"), floats((2, 2, 1, 1), 3, "v"),
        floats((2,), 4, "c"), floats((100, 3), 5, "u"), floats((3,), 6, "d"),
        whole([2, 2], "halves"), whole([1, 100], "flat"),
    ]  # fmt: skip
    return save(tmp_path / "net.onnx", nodes, inits)


PARAMETERS = 148 + 6 + 303


def tree(path, *args):
    """report.json of a compilation."""
    out = path.parent / "out"
    assert _main._run([str(a) for a in ("compile", path, "-o", out, "--quiet", *args)]) == 0
    return json.loads((out / "report.json").read_text())


def pages(found):
    """The report as text, Markdown and HTML."""
    read = Report.model_validate(found)
    markdown = render.report("report.md", report=read, sizes=sizes(read))
    return {"text": text(read), "report.md": markdown, "report.html": html(read)}


def test_shapes_are_not_counted_as_parameters(split):
    found = tree(split)
    assert found["model"]["parameters"] == PARAMETERS
    assert found["passes"][0]["before"]["parameters"] == PARAMETERS
    assert f"{PARAMETERS} parameters" in pages(found)["report.html"]
    assert f"{PARAMETERS} parameters" in pages(found)["report.md"]


class _Pictures(CalibrationDataReader):
    def __init__(self, x):
        self.left = iter([{"x": row[None]} for row in x])

    def get_next(self):
        return next(self.left, None)


@pytest.mark.parametrize("form", [QuantFormat.QDQ, QuantFormat.QOperator])
def test_quantised_weights_are_parameters(split, tmp_path, form):
    """Weights of 8 bits and biases of 32, and beside them a scale and a zero a tensor."""
    path = tmp_path / "quantised.onnx"
    with np.load(split.with_suffix(".samples.npz")) as held:
        # Other operators it would write as its own.
        asked = {"quant_format": form, "op_types_to_quantize": ["Conv"]}
        quantize_static(split, path, _Pictures(held["x"]), **asked)
        np.savez(path.with_suffix(".samples.npz"), x=held["x"])
    made = compile_model(Options(path, target.load("ideal")), check=False, report_only=True)
    found = build(made, "0" * 64).model.parameters
    assert PARAMETERS <= found < PARAMETERS + 50


def test_a_relative_error_is_not_shown_as_per_cent(split):
    """3.1e-04 is 0.0 % where nobody wants to read that."""
    found = copy.deepcopy(tree(split, "--prune", "ckf:0.3"))
    loss = found["fidelity"]["loss"]
    assert loss["metric"] == "error"
    loss["after"] = 3.14e-4
    for name, page in pages(found).items():
        assert "3.1e-04" in page, name
    page = pages(found)["report.html"]
    assert (
        "<p>error of the outputs, the circuit with ideal wires</p><strong>3.14e-04</strong>" in page
    )


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "128x128"),
        (["--stage-set", "conv.tile=16x8"], "128x128 and 16x8"),
        (["--stage-set", "conv.tile=16x8", "--stage-set", "half.tile=12"],
         "128x128, 16x8 and 12x12"),
        (["--stage-set", "half.tile=256x64", "--stage-set", "conv.schedule=sequential"],
         "256x64 and 128x128"),
        ([f"--stage-set={stage}.tile=16x8" for stage in ("conv", "half", "dense")], "16x8"),
        (["--tile", "40x20", "--stage-set", "dense.tile=128"], "128x128 and 40x20"),
    ],
)  # fmt: skip
def test_all_sizes_of_unit_crossbars_are_said(split, args, words):
    found = tree(split, *args)
    for name, page in pages(found).items():
        (said,) = {line for line in page.splitlines() if f"unit crossbars of {words}" in line}
        after = said.partition(f"unit crossbars of {words}")[2]
        assert after[:1] in {",", ".", " ", ""}, name
        assert not after.startswith(" and"), name
    written = {page: (split.parent / "out" / page).read_text("utf-8") for page in pages(found)
               if page != "text"}  # fmt: skip
    assert written == {page: text for page, text in pages(found).items() if page != "text"}


def test_devices_that_are_off_are_those_of_the_netlist(tmp_path):
    """Weights so small that their conductance is g_min in some of the digits, and not in others."""
    weights = np.random.default_rng(5).uniform(0.2, 1.0, (60, 3)).astype(np.float32)
    weights[:, 1] *= -1
    weights[:50, 0] = np.geomspace(1e-13, 1e-9, 50, dtype=np.float32)
    nodes = [node("Flatten", ["x"], ["f"]), node("Gemm", ["f", "w"], ["y"], name="dense")]
    path = save(tmp_path / "net.onnx", nodes, [numpy_helper.from_array(weights, "w")], (1, 4, 5, 3))
    options = "-o", str(tmp_path / "out"), "--partition", "none", "--quiet", "-t", "paper-128"
    assert _main._run(["compile", str(path), *options]) == 0
    found = json.loads((tmp_path / "out" / "report.json").read_text())["resources"]["total"]
    cells = "".join(p.read_text() for p in (tmp_path / "out" / "netlist" / "cells").glob("s*.cir"))
    ohms = [line.split()[3] for line in cells.splitlines() if line.startswith("R")]
    assert len(ohms) == found["memristors"] == 360
    assert found["memristors_off"] == ohms.count("1.000000000e+06")
    assert 180 < found["memristors_off"] < 230
