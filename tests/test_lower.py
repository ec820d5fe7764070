"""Graph -> Design: buses, order, all faults at once, and what may come behind digital stages."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from memxc.errors import MemxcError
from memxc.ir.graph import Graph, Node
from memxc.ops.lower import NodeRow, lower, survey

W = np.arange(12, dtype=np.float32).reshape(3, 4)


def graph(
    *nodes: Node,
    outputs: tuple[str, ...],
    inputs: tuple[str, ...] = ("x",),
    **shapes: tuple[int, ...],
) -> Graph:
    known = {"x": (1, 3), "w": W.shape, **shapes}
    made = Graph("net", inputs, outputs, nodes, known, {"w": W}, 17)
    made.verify()
    return made


def node(op: str, inputs: str, outputs: str, **attrs: object) -> Node:
    return Node(f"the {op}", op, tuple(inputs.split()), tuple(outputs.split()), attrs)


MATMUL = node("MatMul", "x w", "a")


def test_buses_are_the_tensors_in_order():
    design = lower(graph(MATMUL, node("Relu", "a", "b"), outputs=("b", "a"), a=(1, 4), b=(1, 4)))
    assert design.name == "net"
    assert list(design.buses) == ["x", "a", "b"]
    assert design.buses["b"].shape == (1, 4)
    assert (design.inputs, design.outputs) == (("x",), ("b", "a"))
    assert [stage.name for stage in design.stages] == ["the MatMul", "the Relu"]


def test_faults_of_all_nodes_come_at_once_and_add_no_noise():
    broken = graph(
        node("Det", "x", "a"),
        node("Relu", "a", "b", slope=1),
        node("MatMul", "b w", "c"),
        node("ArgMax", "c", "d", axis=1),
        node("Neg", "d", "e"),
        outputs=("e", "w"),
        a=(1, 3),
        b=(1, 3),
        c=(1, 4),
        d=(1, 1),
        e=(1, 1),
    )
    with pytest.raises(MemxcError) as caught:
        lower(broken)
    assert [(fault.code, fault.where) for fault in caught.value.faults] == [
        ("unsupported-op", "the Det"),
        ("unsupported-attribute", "the Relu"),
        ("unsupported-op", "the ArgMax"),
        ("unsupported-model", "w"),
    ]
    rows, faults = survey(broken)
    assert tuple(faults) == caught.value.faults
    assert [row.kind for row in rows] == ["refused", "refused", "crossbar", "refused", "lanes"]
    assert "'the Neg' (Neg)" in rows[3].circuit


def test_a_survey_says_what_becomes_of_each_node():
    rows, faults = survey(
        graph(
            node("ReduceMean", "x", "m"),
            node("MatMul", "x w", "a"),
            node("Split", "a", "b c", axis=1),
            node("Mul", "b c", "d"),
            node("Add", "d m", "e"),
            node("Softmax", "e", "f"),
            outputs=("f",),
            m=(1, 1),
            a=(1, 4),
            b=(1, 2),
            c=(1, 2),
            d=(1, 2),
            e=(1, 2),
            f=(1, 2),
        )
    )
    assert faults == []
    assert rows == [
        NodeRow("the ReduceMean", "ReduceMean", "fixed resistors", "3x1@1"),
        NodeRow("the MatMul", "MatMul", "crossbar", "3x4@1"),
        NodeRow("the Split", "Split", "wires", ""),
        NodeRow("the Mul", "Mul", "lanes", "mul", 2),
        NodeRow("the Add", "Add", "lanes", "add"),
        NodeRow("the Softmax", "Softmax", "digital", "softmax"),
    ]


def test_wires_and_digital_stages_may_follow_a_digital_one():
    design = lower(
        graph(
            MATMUL,
            node("Softmax", "a", "b"),
            node("Transpose", "b", "c"),
            node("ArgMax", "c", "d"),
            outputs=("d",),
            a=(1, 4),
            b=(1, 4),
            c=(4, 1),
            d=(1, 1),
        )
    )
    assert [type(s).__name__ for s in design.stages] == ["Linear", "Digital", "Rename", "Digital"]


@pytest.mark.parametrize("between", [None, "Transpose"])
def test_a_circuit_behind_a_digital_stage_is_refused(between):
    nodes = [MATMUL, node("ArgMax", "a", "b", axis=1)]
    shapes = {"a": (1, 4), "b": (1, 1)}
    if between:
        nodes.append(node(between, "b", "c"))
        shapes["c"] = (1, 1)
    last = list(shapes)[-1]
    nodes.append(node("Relu", last, "d"))
    with pytest.raises(MemxcError) as caught:
        lower(graph(*nodes, outputs=("d",), **shapes, d=shapes[last]))
    (fault,) = caught.value.faults
    assert (fault.code, fault.where) == ("unsupported-op", "the ArgMax")
    assert "'the Relu' (Relu)" in fault.what


def test_a_softmax_is_digital_only_behind_the_last_circuit():
    """Two of them in a row: the first one stays digital only if the second one does."""
    nodes = [
        node("Relu", "x", "m"), node("Softmax", "m", "a"), node("LogSoftmax", "a", "b"),
        node("Flatten", "b", "c", axis=0),
    ]  # fmt: skip
    shapes = dict.fromkeys("mabc", (1, 3))
    kinds = [row.kind for row in survey(graph(*nodes, outputs=("c",), **shapes))[0]]
    assert kinds == ["lanes", "digital", "digital", "wires"]
    more = [*nodes, node("Neg", "c", "d")]
    kinds = [row.kind for row in survey(graph(*more, outputs=("d",), **shapes, d=(1, 3)))[0]]
    softmax = "lanes, fixed resistors"
    assert kinds == ["lanes", softmax, softmax, "wires", "lanes"]


def test_wires_cannot_join_digital_and_analog():
    with pytest.raises(MemxcError, match="'the Concat' \\(Concat\\) reads it"):
        lower(
            graph(
                MATMUL,
                node("ArgMax", "a", "b", axis=1),
                node("Concat", "b a", "c", axis=1),
                outputs=("c",),
                a=(1, 4),
                b=(1, 1),
                c=(1, 5),
            )
        )


def test_an_absent_output_is_not_read_by_who_has_an_absent_input():
    drop = Node("drop", "Dropout", ("x",), ("a", ""))
    clip = Node("clip", "Clip", ("a", "", "high"), ("b",))
    shapes = {"x": (1, 3), "a": (1, 3), "b": (1, 3), "high": ()}
    net = Graph("net", ("x",), ("b",), (drop, clip), shapes, {"high": np.float32(6)}, 17)
    assert [stage.name for stage in lower(net).stages] == ["drop", "clip"]


def test_an_input_may_be_an_output():
    design = lower(graph(MATMUL, outputs=("a", "x"), a=(1, 4)))
    assert design.outputs == ("a", "x")


def test_stages_of_one_name_are_kept_apart():
    """A name made up beside a node's own gives way to a node that has it, and so does a twin."""
    design = lower(
        graph(
            replace(node("Gemm", "x w c", "a"), name="fc"),
            replace(node("Sigmoid", "a", "b"), name="fc/add"),
            replace(node("Relu", "b", "d"), name="fc/add"),
            outputs=("d",),
            inputs=("x", "c"),
            **dict.fromkeys("abcd", (1, 4)),
        )
    )
    made = [stage.name for stage in design.stages]
    assert len(set(made)) == len(made) == 4
    drivers = {stage.dst: stage.name for stage in design.stages}
    assert (drivers["b"], drivers["d"]) == ("fc/add", "fc/add''")
