"""Constants folded and every shape made known: what is left are the nodes that really compute.

Rounds of two steps until nothing changes: ONNX's shape inference over what is known, then every
node all of whose inputs are constant (and Shape, Size of a known shape) is computed by ONNX's own
reference. Large constants stay out of the inference, so they are never copied.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import onnx  # noqa: TID251
from numpy.typing import NDArray
from onnx import numpy_helper, shape_inference  # noqa: TID251
from onnx.reference import ReferenceEvaluator  # noqa: TID251

from memxc.errors import fail

Array = NDArray[Any]

_RANDOM = {
    "RandomNormal",
    "RandomUniform",
    "RandomNormalLike",
    "RandomUniformLike",
    "Multinomial",
    "Bernoulli",
}
#: Bytes; a constant that unfolds to more is no weight but a trap.
_LARGEST = 2**28
#: Elements; larger constants take no part in shape inference but by their shape.
_SMALL = 4096


@dataclass
class Folded:
    """The nodes that remain, the constants by name, and the static shapes known so far."""

    model: onnx.ModelProto
    inputs: dict[str, tuple[int, ...]]
    nodes: list[onnx.NodeProto]
    constants: dict[str, Array]
    shapes: dict[str, tuple[int, ...]]
    types: dict[str, int]

    @property
    def outputs(self) -> list[str]:
        """The network's outputs."""
        return [value.name for value in self.model.graph.output]


def fold(model: onnx.ModelProto, inputs: dict[str, tuple[int, ...]], where: str) -> Folded:
    """Fold until nothing changes. Raises MemxcError where a shape makes no sense."""
    constants = {t.name: _array(t, where) for t in model.graph.initializer}
    types = {value.name: value.type.tensor_type.elem_type for value in model.graph.input}
    state = Folded(model, inputs, list(model.graph.node), constants, dict(inputs), types)
    changed = True
    while changed:
        _infer(state, where)
        changed = _fold_once(state, where)
    _drop_dead(state)
    return state


def _infer(state: Folded, where: str) -> None:
    graph = onnx.helper.make_graph(
        state.nodes,
        "g",
        [
            onnx.helper.make_tensor_value_info(name, state.types[name], shape)
            for name, shape in state.inputs.items()
        ],
        [
            onnx.helper.make_empty_tensor_value_info(name)
            for name in state.outputs
            if name not in state.constants
        ],
    )
    for name, value in state.constants.items():
        if value.size <= _SMALL:
            graph.initializer.append(numpy_helper.from_array(value, name))
        else:
            kind = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
            graph.input.append(onnx.helper.make_tensor_value_info(name, kind, value.shape))
    model = onnx.helper.make_model(
        graph, opset_imports=state.model.opset_import, ir_version=max(state.model.ir_version, 4)
    )
    try:
        done = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    # Inference throws C++ types of many kinds, and what it reads is hostile input.
    except Exception as error:
        words = str(error).strip().splitlines()
        raise fail("broken-model", where, f"shapes do not fit: {(words or ['?'])[0]}") from error
    for value in (*done.graph.value_info, *done.graph.output):
        shape = _static(value)
        if shape is not None:
            state.shapes[value.name] = shape
            state.types[value.name] = value.type.tensor_type.elem_type


def _static(value: onnx.ValueInfoProto) -> tuple[int, ...] | None:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape") or not all(d.HasField("dim_value") for d in tensor.shape.dim):
        return None
    return tuple(d.dim_value for d in tensor.shape.dim)


def _fold_once(state: Folded, where: str) -> bool:
    left = []
    for node in state.nodes:
        found = _value(node, state, where)
        if found is None:
            left.append(node)
        else:
            state.constants.update(found)
    changed = len(left) < len(state.nodes)
    state.nodes = left
    return changed


def _value(node: onnx.NodeProto, state: Folded, where: str) -> dict[str, Array] | None:
    """The outputs of a node that can be computed now, or None."""
    inputs = [name for name in node.input if name]
    if node.op_type in ("Shape", "Size") and node.input[0] in state.shapes:
        # Only the shape matters, so a view of one zero stands for the tensor.
        known = {node.input[0]: np.broadcast_to(np.float32(0), state.shapes[node.input[0]])}
    elif node.op_type in _RANDOM or not all(name in state.constants for name in inputs):
        return None
    else:
        known = {name: state.constants[name] for name in inputs}
    place = f"{where}:{node.name or node.op_type}"
    for name in node.output:
        if prod(state.shapes.get(name, ())) * 8 > _LARGEST and node.op_type != "ConstantOfShape":
            raise fail("unsupported-shape", place, f"a constant of {state.shapes[name]} elements")
    if node.op_type == "ConstantOfShape":
        return {node.output[0]: _constant_of_shape(node, known[inputs[0]])}
    return _computed(node, known, state, place)


def _constant_of_shape(node: onnx.NodeProto, shape: Array) -> Array:
    given = [numpy_helper.to_array(a.t).reshape(-1)[0] for a in node.attribute if a.name == "value"]
    return np.broadcast_to(given[0] if given else np.float32(0), tuple(shape.tolist()))


def _computed(
    node: onnx.NodeProto, known: dict[str, Array], state: Folded, place: str
) -> dict[str, Array]:
    names = [name for name in node.output if name]
    infos = [
        onnx.helper.make_tensor_value_info(
            name, onnx.helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
        )
        for name, value in known.items()
    ]
    graph = onnx.helper.make_graph(
        [node], "g", infos, [onnx.helper.make_empty_tensor_value_info(n) for n in names]
    )
    model = onnx.helper.make_model(graph, opset_imports=state.model.opset_import)
    try:
        values = ReferenceEvaluator(model).run(None, known)
    # The reference is Python code of many operators; whatever it throws is the model's fault.
    except Exception as error:
        raise fail("broken-model", place, f"cannot be computed: {error}") from error
    return {name: np.asarray(value) for name, value in zip(names, values, strict=True)}


def _array(tensor: onnx.TensorProto, where: str) -> Array:
    try:
        return numpy_helper.to_array(tensor)
    except (ValueError, TypeError, RuntimeError) as error:
        raise fail("broken-model", f"{where}:{tensor.name}", f"cannot be read: {error}") from error


def _drop_dead(state: Folded) -> None:
    needed, live = set(state.outputs), []
    for node in reversed(state.nodes):
        if needed.intersection(node.output):
            needed.update(node.input)
            live.append(node)
    state.nodes = live[::-1]
