"""Check that a model is a network: its operators exist, tensors are made once and before use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx  # noqa: TID251

from memxc import worker
from memxc.errors import Fault, MemxcError, fail
from memxc.frontend import native
from memxc.frontend.order import order_faults
from memxc.frontend.read import opset_of
from memxc.frontend.subgraphs import RESOLVED, subgraphs

#: Operators that do not work on tensors of numbers with a static shape.
_SEQUENCES = frozenset({
    "Optional", "OptionalGetElement", "OptionalHasElement", "SequenceMap",
})  # fmt: skip
_TEXT = frozenset({
    "RegexFullMatch", "StringConcat", "StringNormalizer", "StringSplit", "TfIdfVectorizer",
})  # fmt: skip
_TEXT_VALUES = frozenset(("value_string", "value_strings"))


def check(model: onnx.ModelProto, where: str) -> None:
    """Raise MemxcError with everything that keeps the model from being a network.

    It reports all unknown operators (unsupported-op) and all tensors that are made twice, never,
    too late or in a circle (broken-model); if there are none, the first fault of ONNX's checker.
    """
    faults = [
        *operator_faults(model.graph.node, opset_of(model)),
        *order_faults(model.graph, where),
    ]
    if faults:
        raise MemxcError(faults)
    try:
        native.ask("checked", without_weights(model), native.allowance(len(model.graph.node)))
    except worker.Refused as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        what = f"ONNX's checker says: {'; '.join(lines[:2])}"
        raise fail("broken-model", where, what) from error
    except worker.Died as death:
        raise native.fault("ONNX's checker", death, where) from death


def operator_faults(nodes: Iterable[onnx.NodeProto], opset: int) -> Iterator[Fault]:
    """Yield a fault (unsupported-op) for each node that no circuit can have."""
    for node in nodes:
        what = _unknown(node.domain, node.op_type, opset) or _unworkable(node)
        if what:
            yield Fault("unsupported-op", node.name, what, _hint(node))
        if node.op_type == "Split":
            yield from _parts_faults(node)


def _parts_faults(node: onnx.NodeProto) -> Iterator[Fault]:
    """Yield faults of a Split that onnx's shape inference does not check, but crashes on."""
    for attribute in node.attribute:
        if attribute.name == "num_outputs" and attribute.i != len(node.output):
            what = f"num_outputs = {attribute.i}, but it has {len(node.output)} outputs"
            yield Fault("broken-model", node.name, what)


def _hint(node: onnx.NodeProto) -> str:
    if node.domain == "com.microsoft":
        if node.op_type in ("DequantizeLinear", "QuantizeLinear"):
            return "quantise a model of opset 21 or newer, whose own operators cover 4 and 16 bits"
        if node.op_type == "DynamicQuantizeLSTM":
            return "compile the float model: quantize_dynamic(..., op_types_to_quantize=['MatMul'])"
        if node.op_type.startswith("Q"):
            return (
                "quantise with quant_format=QuantFormat.QDQ, which needs none of onnxruntime's own"
            )
    return "memxc ops lists what can be mapped; --digital auto cannot keep it digital either"


def _unknown(domain: str, kind: str, opset: int) -> str:
    if domain:
        return f"{domain}.{kind} is not an operator of ai.onnx"
    if not onnx.defs.has(kind, opset, ""):
        known = onnx.defs.has(kind, "")
        return f"{kind} is unknown in opset {opset}{'' if known else ' and in every other'}"
    if onnx.defs.get_schema(kind, opset, "").deprecated:
        return f"{kind} was withdrawn from ONNX; opset {opset} no longer has it"
    return ""


def _unworkable(node: onnx.NodeProto) -> str:
    kind = node.op_type
    if kind in _SEQUENCES:
        return f"{kind} works on sequences or optional values, a circuit on tensors"
    if kind not in RESOLVED and any(subgraphs(node)):
        return f"{kind} chooses its path at run time, and a circuit has one path"
    if kind in _TEXT or any(_is_text(kind, attribute) for attribute in node.attribute):
        return f"{kind} works on text, a circuit on numbers"
    if any(a.HasField("sparse_tensor") or a.sparse_tensors for a in node.attribute):
        return f"{kind} holds a sparse tensor; store it as an ordinary one"
    return ""


def _is_text(kind: str, attribute: onnx.AttributeProto) -> bool:
    tensor = attribute.t.data_type == onnx.TensorProto.STRING
    cast = kind == "Cast" and attribute.name == "to" and attribute.i == onnx.TensorProto.STRING
    return tensor or cast or (kind == "Constant" and attribute.name in _TEXT_VALUES)


def without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the same network with initialisers as inputs, because the checker copies the model."""
    graph = onnx.GraphProto(name=model.graph.name)
    graph.node.extend(model.graph.node)
    graph.input.extend(model.graph.input)
    graph.output.extend(model.graph.output)
    for value in (*graph.input, *graph.output):
        if value.type.HasField(
            "tensor_type"
        ):  # The checker needs a shape; --shape may give it later.
            value.type.tensor_type.shape.SetInParent()
    listed = {value.name for value in model.graph.input}
    graph.input.extend(
        onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        for tensor in model.graph.initializer
        if tensor.name not in listed
    )
    return onnx.ModelProto(
        ir_version=model.ir_version, opset_import=model.opset_import, graph=graph
    )
