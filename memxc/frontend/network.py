"""The network between file and Graph: nodes that still compute, constants, what is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import onnx  # noqa: TID251

from memxc.errors import Fault, MemxcError
from memxc.frontend.read import opset_of
from memxc.frontend.tensors import Array, array

Shape = tuple[int, ...]
#: Elements. Nets are numbered in 32 bits.
LARGEST_TENSOR = 2**31 - 1


@dataclass
class Network:
    """What is known of a network while it is folded.

    Folding moves what it can from `nodes` to `constants`. Shapes and types are by tensor name.

    `inputs` have every axis fixed; `types` are ONNX's numbers of element types.
    """

    where: str
    opset_imports: Sequence[onnx.OperatorSetIdProto]
    opset: int
    inputs: dict[str, Shape]
    outputs: tuple[str, ...]
    nodes: list[onnx.NodeProto]
    constants: dict[str, Array]
    shapes: dict[str, Shape] = field(default_factory=dict)
    types: dict[str, int] = field(default_factory=dict)


def network_of(model: onnx.ModelProto, inputs: dict[str, Shape], where: str) -> Network:
    """The network of a checked model. Raises MemxcError with every initialiser that is broken."""
    constants: dict[str, Array] = {}
    faults: list[Fault] = []
    for tensor in model.graph.initializer:
        try:
            constants[tensor.name] = array(tensor, tensor.name)
        except MemxcError as error:
            faults += error.faults
    if faults:
        raise MemxcError(faults)
    return Network(
        where,
        model.opset_import,
        opset_of(model),
        inputs,
        tuple(value.name for value in model.graph.output),
        list(model.graph.node),
        constants,
        dict(inputs),
        {value.name: value.type.tensor_type.elem_type for value in model.graph.input},
    )
