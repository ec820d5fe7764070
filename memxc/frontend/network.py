"""The network between file and Graph: nodes that still compute, constants, what is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx  # noqa: TID251

from memxc.errors import Fault, MemxcError
from memxc.frontend.read import opset_of
from memxc.frontend.tensors import Array, array

Shape = tuple[int, ...]
#: Elements. Twice the largest weight of VGG-19; lower makes several tables of this length.
LARGEST_TENSOR = 2**28


@dataclass
class Network:
    """What is known of a network while it is folded, by tensor name.

    Folding moves what it can from `nodes` to `constants`.
    `inputs` have every axis fixed; `types` are ONNX's numbers of element types.
    """

    opset_imports: Sequence[onnx.OperatorSetIdProto]
    opset: int
    inputs: dict[str, Shape]
    outputs: tuple[str, ...]
    nodes: list[onnx.NodeProto]
    constants: dict[str, Array]
    shapes: dict[str, Shape]
    types: dict[str, int]

    def add(self, name: str, value: Array) -> None:
        """Note a constant, with its shape and type."""
        self.constants[name] = value
        self.shapes[name] = value.shape
        self.types[name] = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)


def network_of(model: onnx.ModelProto, inputs: dict[str, Shape]) -> Network:
    """The network of a checked model. Raises MemxcError with every initialiser that is broken."""
    graph = model.graph
    network = Network(
        model.opset_import,
        opset_of(model),
        inputs,
        tuple(value.name for value in graph.output),
        list(graph.node),
        {},
        dict(inputs),
        {value.name: value.type.tensor_type.elem_type for value in graph.input},
    )
    faults: list[Fault] = []
    for tensor in graph.initializer:
        try:
            network.add(tensor.name, array(tensor, tensor.name))
        except MemxcError as error:
            faults += error.faults
    if faults:
        raise MemxcError(faults)
    return network
