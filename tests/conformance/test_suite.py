"""ONNX's own cases on memxc's Design: no case fails, and none passes without a circuit."""

from __future__ import annotations

import unittest
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from memxc import ops
from memxc.conformance import MemxcBackend, page, suite
from memxc.errors import MemxcError

PAGE = Path(__file__).parents[2] / "docs" / "operators.md"

#: Of ONNX 1.23's 2,024 cases 879 pass; older versions have fewer.
FEWEST = 560


def model(nodes, inputs, outputs, inits=()):
    def values(shapes):
        return [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]

    graph = helper.make_graph(nodes, "net", values(inputs), values(outputs), list(inits))
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def test_no_case_fails(cases):
    assert [(case.name, case.reason) for case in cases if case.outcome == "failed"] == []


def test_enough_cases_pass_and_each_has_a_circuit(cases):
    passed = [case for case in cases if case.outcome == "passed"]
    assert len(passed) >= FEWEST
    for case in passed:
        design = case.circuit.design
        assert {stage.dst for stage in design.stages} >= set(design.outputs), case.name
        assert case.circuit.signals, case.name


def test_every_skipped_case_says_why(cases):
    assert all(case.reason for case in cases if case.outcome == "skipped")


def test_the_page_is_what_the_suite_says(cases):
    written = PAGE.read_text("utf-8")
    if f"ONNX {onnx.__version__}'s own" not in written:
        pytest.skip(f"docs/operators.md was written with another onnx than {onnx.__version__}")
    assert written == page.text(cases)


def test_every_operator_has_a_case_or_is_known_to_have_none(cases):
    held = page.held(cases)
    # ONNX has no case of these operators, or only cases of a newer form.
    assert set(ops.available()) - set(held) <= {
        "GlobalLpPool", "GroupNormalization", "MeanVarianceNormalization", "Not",
    }  # fmt: skip


def test_inputs_are_signals_wherever_possible():
    add = model(
        [helper.make_node("Add", ["a", "b"], ["y"])], {"a": (2, 3), "b": (1, 3)}, {"y": (2, 3)}
    )
    rep = MemxcBackend.prepare(add)
    a, b = np.arange(6, dtype=np.float32).reshape(2, 3), np.float32([[10, 20, 30]])
    assert set(rep.circuit([a, b]).signals) == {"a", "b"}
    assert rep.run([a, b])[0] == pytest.approx(a + b)
    power = model(
        [helper.make_node("Pow", ["a", "b"], ["y"])], {"a": (2, 3), "b": (1, 1)}, {"y": (2, 3)}
    )
    b = np.float32([[3]])
    assert set(MemxcBackend.prepare(power).circuit([a, b]).signals) == {"a"}
    assert MemxcBackend.prepare(power).run([a, b])[0] == pytest.approx(a**3)


@pytest.mark.parametrize(
    ("nodes", "why"),
    [
        (
            [("Relu", "a", "c"), ("Relu", "b", "d"), ("Pow", "c d", "y")],
            "computed from bound inputs",
        ),
        ([("Shape", "a", "s"), ("ConstantOfShape", "s", "y")], "does not depend"),
        ([("Sin", "a", "c"), ("MatMul", "c b", "y")], "it repeats"),
    ],
)
def test_a_case_without_a_circuit_does_not_pass(nodes, why):
    made = model(
        [helper.make_node(op, reads.split(), [dst]) for op, reads, dst in nodes],
        {"a": (2, 2), "b": (2, 2)},
        {"y": (2, 2)},
    )
    values = [np.ones((2, 2), np.float32), np.ones((2, 2), np.float32)]
    with pytest.raises(MemxcError, match=why):
        MemxcBackend.prepare(made).run(values)


def test_a_refusal_is_a_skip_in_the_suite():
    made = model([helper.make_node("Sin", ["a"], ["y"])], {"a": (2, 3)}, {"y": (2, 3)})
    with pytest.raises(unittest.SkipTest):
        suite._Suite.prepare(made).run([np.ones((2, 3), np.float32)])


def test_only_the_device_cpu_is_supported():
    assert MemxcBackend.supports_device("CPU")
    assert not MemxcBackend.supports_device("CUDA")
