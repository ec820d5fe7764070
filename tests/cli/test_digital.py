"""--digital on the command line."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper


@pytest.fixture
def cosine(tmp_path):
    """A Gemm, an operator without a circuit, a Relu behind it, and a Gemm."""
    nodes = [
        helper.make_node("Gemm", ["x", "a"], ["h"], "first"),
        helper.make_node("Cos", ["h"], ["c"], "wave"),
        helper.make_node("Relu", ["c"], ["r"], "cut"),
        helper.make_node("Gemm", ["r", "b"], ["y"], "last"),
    ]
    weights = {"a": (3, 5), "b": (5, 2)}
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
        [
            numpy_helper.from_array(np.linspace(-1, 1, a * b, dtype=np.float32).reshape(a, b), k)
            for k, (a, b) in weights.items()
        ],
    )
    path = tmp_path / "cosine.onnx"
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def test_check_tells_what_stays_digital_and_at_how_many_converters(memxc, cosine):
    done = memxc("check", cosine, "--json", "--digital", "auto")
    assert done.code == 0
    rows = {row["node"]: (row["kind"], row["circuit"]) for row in done.json["nodes"]}
    assert rows["wave"] == ("digital", "island 1, 5 ADCs, 5 DACs")
    assert [rows[name][0] for name in ("first", "cut", "last")] == ["crossbar", "lanes", "crossbar"]
    refused = memxc("check", cosine, "--digital", "none")
    assert refused.code == 3
    assert "--digital auto keeps it digital, in an island of 1 node behind 5 ADCs" in refused.err


def test_the_report_says_what_stays_digital(memxc, cosine, tmp_path):
    out = tmp_path / "out"
    done = memxc("compile", cosine, "-o", out, "--digital", "auto", "--target", "ideal")
    assert done.code == 0
    text = memxc("report", out).out
    assert (
        "stays digital: island_1 (1 Cos), with 5 ADCs of no error and 5 DACs of no error; "
        "not known: converter.adc_energy_j; converter.dac_energy_j; what a processor takes" in text
    )
    for suffix in ("md", "html"):
        assert "1 Cos" in (out / f"report.{suffix}").read_text()


def test_an_island_is_programmed_again_for_another_target(memxc, cosine, tmp_path):
    out, data = tmp_path / "out", tmp_path / "data.npz"
    memxc("compile", cosine, "-o", out, "--digital", "auto")
    np.savez(data, x=np.linspace(0, 1, 12, dtype=np.float32).reshape(4, 3))
    more = "--set", "device.r_on_ohm=2e5", "--set", "converter.adc_bits=6"
    done = memxc("simulate", out, "--data", data, "--json", *more)
    assert done.code == 0
    assert 0 < done.json["rows"][0]["mean"] < 0.2
