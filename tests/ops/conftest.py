"""ONNX models in memory -> Graph, and the ONNX project's own single-node cases."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from memxc.errors import Fault, MemxcError
from memxc.evaluation import evaluate, reference
from memxc.ir.graph import Graph, Node
from memxc.ops.lower import lower

Arrays = Mapping[str, np.ndarray]
#: Operators of integers, for which ONNX's own reference is a second oracle: onnxruntime's kernels
#: differ from processor to processor.
INTEGER = {"ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul"}


def bind(model: onnx.ModelProto, constants: Arrays) -> onnx.ModelProto:
    """The model with some of its inputs made weights, as a network has them.

    onnxruntime takes the exact way for uint8 by int8 only where it sees that weights are constant.
    """
    bound = onnx.ModelProto()
    bound.CopyFrom(model)
    inputs = [value for value in model.graph.input if value.name not in constants]
    del bound.graph.input[:]
    bound.graph.input.extend(inputs)
    for name, value in constants.items():
        bound.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    return bound


def to_graph(model: onnx.ModelProto, constants: Arrays) -> Graph:
    """A Graph without any folding; `constants` bind further inputs as weights."""
    bound = bind(model, constants)
    # The body that ONNX gives MeanVarianceNormalization fails its own strict inference.
    strict = all(node.op_type != "MeanVarianceNormalization" for node in bound.graph.node)
    bound = onnx.shape_inference.infer_shapes(bound, strict_mode=strict, data_prop=True)
    graph = bound.graph
    weights = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    shapes = {
        v.name: tuple(d.dim_value for d in v.type.tensor_type.shape.dim)
        for v in [*graph.input, *graph.value_info, *graph.output]
    }
    shapes.update({name: value.shape for name, value in weights.items()})
    numbers = {
        v.name: v.type.tensor_type.elem_type
        for v in [*graph.input, *graph.value_info, *graph.output]
    }
    kinds = {
        name: TensorProto.DataType.Name(number).lower()
        for name, number in numbers.items()
        if name not in weights
    }
    real = ("float", "double", "float16", "bfloat16")
    kinds = {name: kind for name, kind in kinds.items() if kind not in real}
    nodes = tuple(
        Node(
            node.name or f"{node.op_type}_{i}",
            node.op_type,
            tuple(node.input),
            tuple(node.output),
            {a.name: _plain(helper.get_attribute_value(a)) for a in node.attribute},
        )
        for i, node in enumerate(graph.node)
    )
    inputs = tuple(v.name for v in graph.input if v.name not in weights)
    outputs = tuple(v.name for v in graph.output)
    opset = next(o.version for o in bound.opset_import if o.domain in ("", "ai.onnx"))
    found = Graph(graph.name or "case", inputs, outputs, nodes, shapes, weights, opset, kinds)
    found.verify()
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    return tuple(map(_plain, value)) if isinstance(value, list) else value


def run_graph(graph: Graph, inputs: Arrays) -> dict[str, np.ndarray]:
    """What the lowered Design makes of one sample, in the shapes of the graph."""
    buses = evaluate.run(lower(graph), {name: inputs[name][None] for name in graph.inputs})
    return {name: buses[name].reshape(graph.shapes[name]) for name in graph.outputs}


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    """max|a-b| / max|b| over a tensor."""
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-30))


def run_node(
    op: str,
    inputs: Arrays,
    constants: Sequence[str] = (),
    opset: int = 17,
    outputs: int = 1,
    **attrs: Any,
) -> tuple[Graph, list[np.ndarray], list[np.ndarray]]:
    """A single node as a Graph, what its Design gives, and what onnxruntime gives."""
    names = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op, list(inputs), names, name=f"the_{op}", **attrs)
    types = {
        name: helper.np_dtype_to_tensor_dtype(np.asarray(v).dtype) for name, v in inputs.items()
    }
    model = helper.make_model(
        helper.make_graph(
            [node],
            "one",
            [helper.make_tensor_value_info(n, types[n], np.shape(v)) for n, v in inputs.items()],
            [onnx.ValueInfoProto(name=name) for name in names],
        ),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=8,
    )
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    weights = {name: inputs[name] for name in constants}
    signals = {name: np.asarray(v) for name, v in inputs.items() if name not in weights}
    bound = bind(model, weights)
    expected = reference.session(bound.SerializeToString()).run(None, signals)
    if op in INTEGER:
        second = ReferenceEvaluator(bound).run(None, signals)
        np.testing.assert_array_equal(expected[0], second[0], "the oracles disagree")
    graph = to_graph(model, weights)
    found = run_graph(graph, inputs)
    return graph, [found[n] for n in names], expected


@pytest.fixture(scope="session")
def check_node() -> Callable[..., Graph]:
    """Run one node both ways and compare; gives the Graph for a closer look."""

    def check(op: str, inputs: Arrays, *args: Any, **attrs: Any) -> Graph:
        graph, found, expected = run_node(op, inputs, *args, **attrs)
        for ours, theirs in zip(found, expected, strict=True):
            assert ours.shape == theirs.shape
            assert relative(ours, theirs) < 1e-5
        return graph

    return check


@pytest.fixture(scope="session")
def one_node() -> Callable[..., tuple[Graph, list[np.ndarray], list[np.ndarray]]]:
    return run_node


@pytest.fixture(scope="session")
def node_cases() -> dict[str, list[Any]]:
    """ONNX's own cases of one node each, by operator."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.loader import load_model_tests  # noqa: PLC0415  (takes seconds)

        cases = load_model_tests(kind="node")
    found: dict[str, list[Any]] = {}
    for case in cases:
        nodes = case.model.graph.node
        if len(nodes) == 1 and not nodes[0].domain:
            found.setdefault(nodes[0].op_type, []).append(case)
    return found


@pytest.fixture(scope="session")
def case_graph() -> Callable[..., Graph]:
    return to_graph


@pytest.fixture(scope="session")
def case_run() -> Callable[..., dict[str, np.ndarray]]:
    return run_graph


@pytest.fixture(scope="session")
def case_error() -> Callable[..., float]:
    return relative


def build(
    op: str,
    inputs: Mapping[str, tuple[int, ...]],
    weights: Arrays,
    outputs: Mapping[str, tuple[int, ...]],
    attrs: Mapping[str, Any] | None = None,
    opset: int = 17,
) -> Graph:
    """A Graph of one node, for what ONNX's own checker would not let through."""
    node = Node(f"the_{op}", op, (*inputs, *weights), tuple(outputs), attrs or {})
    shapes = {**inputs, **{n: np.shape(w) for n, w in weights.items()}, **outputs}
    return Graph("hand", tuple(inputs), tuple(outputs), (node,), shapes, weights, opset)


@pytest.fixture(scope="session")
def hand_graph() -> Callable[..., Graph]:
    return build


@pytest.fixture(scope="session")
def faults_of() -> Callable[[Graph], tuple[Fault, ...]]:
    def faults(graph: Graph) -> tuple[Fault, ...]:
        with pytest.raises(MemxcError) as caught:
            lower(graph)
        return caught.value.faults

    return faults
