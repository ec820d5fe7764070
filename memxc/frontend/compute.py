"""Compute one constant node by ONNX's own reference, in bounded memory and time."""

from __future__ import annotations

import warnings
from math import prod

import numpy as np
import onnx  # noqa: TID251
from onnx import numpy_helper  # noqa: TID251
from onnx.reference import ReferenceEvaluator  # noqa: TID251
from onnx.reference.op_run import RuntimeImplementationError  # noqa: TID251

from memxc import worker
from memxc.errors import fail
from memxc.frontend.network import Network, Shape
from memxc.frontend.tensors import Array, array
from memxc.ir.bounds import MOST_WEIGHTS

Values = dict[str, Array]

#: Bytes that folding may add to those of the file.
_LARGEST = 2**28
#: How often folding may copy the bytes of the file (transposed, cast, scaled ...).
_COPIES = 4
_RANDOM = frozenset({
    "Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform",
    "RandomUniformLike",
})  # fmt: skip
#: Operators with an output whose size depends on the data. Its elements are at most those of the
#: input times the rank of the input.
_SELECTING = frozenset({"Compress", "NonMaxSuppression", "NonZero", "Unique"})
#: Operators that the reference computes with a few calls of numpy for any size.
_QUICK = frozenset({
    "Abs", "Add", "And", "Cast", "CastLike", "Ceil", "Clip", "Concat", "DequantizeLinear", "Div",
    "Equal", "Exp", "Expand", "Flatten", "Floor", "Gather", "Gemm", "Greater", "GreaterOrEqual",
    "Identity", "Less", "LessOrEqual", "Log", "MatMul", "Max", "Min", "Mod", "Mul", "Neg", "Not",
    "Or", "Pad", "Pow", "QuantizeLinear", "Range", "Reciprocal", "ReduceL1", "ReduceL2",
    "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare",
    "Reshape", "Round", "Sigmoid", "Sign", "Slice", "Split", "Sqrt", "Squeeze", "Sub", "Sum",
    "Tanh", "Tile", "Transpose", "Unsqueeze", "Where",
})  # fmt: skip
#: Operators whose older versions the reference does not have, with the first opset that it has. A
#: node of an older opset means the same in that opset.
_LIFTED = {"DequantizeLinear": 19, "QuantizeLinear": 19}
#: Other operators may loop in Python, so their bytes count this many times.
_SLOW = 64


class Budget:
    """Bytes that folding may still make for a network."""

    def __init__(self, network: Network) -> None:
        held = sum(value.nbytes for value in network.constants.values())
        self._left = _LARGEST + _COPIES * held

    def spend(self, size: int, name: str) -> None:
        """Raise MemxcError (unsupported-shape) if `size` bytes are more than what is left."""
        self._left -= size
        if self._left < 0:
            what = f"its constants unfold to {size:.4g} bytes more than memxc takes"
            raise fail("unsupported-shape", name, what)


def value_of(node: onnx.NodeProto, network: Network, budget: Budget) -> Values | None:
    """Return the outputs of a node by name if they can be computed now, otherwise None."""
    names = list(filter(None, node.input))
    if node.op_type in ("Shape", "Size") and names[0] in network.shapes:
        # Only the shape matters, so a view of one zero represents the tensor.
        zero = np.broadcast_to(np.float32(0), network.shapes[names[0]])
        return _computed(node, {names[0]: zero}, network)
    if node.op_type == "CastLike" and names[0] in network.constants:
        # Only the element type of the second input matters.
        kind = onnx.helper.tensor_dtype_to_np_dtype(network.types[names[1]])
        inputs = {names[0]: network.constants[names[0]], names[1]: np.zeros((), kind)}
        return _bounded(node, inputs, network, budget)
    if _is_random(node) or not all(name in network.constants for name in names):
        return None
    inputs = {name: network.constants[name] for name in names}
    if node.op_type == "Constant" and node.attribute[0].name == "value":
        return {node.output[0]: array(node.attribute[0].t, node.name)}
    if node.op_type == "ConstantOfShape":
        return {node.output[0]: _constant_of_shape(node, inputs[names[0]])}
    return _bounded(node, inputs, network, budget)


def _bounded(
    node: onnx.NodeProto, known: Values, network: Network, budget: Budget
) -> Values | None:
    size = _size(node, known, network)
    if size is None:
        return None
    budget.spend(size, node.name)
    if node.op_type in _QUICK:
        return _computed(node, known, network)
    return _computed_elsewhere(node, known, network)


def _is_random(node: onnx.NodeProto) -> bool:
    training = node.op_type == "Dropout" and len(node.input) > 2 and bool(node.input[2])
    return training or node.op_type in _RANDOM


def _constant_of_shape(node: onnx.NodeProto, shape: Array) -> Array:
    """Return one element seen as a whole tensor, so that it takes no memory."""
    value = np.zeros(1, np.float32)
    for attribute in node.attribute:
        value = array(attribute.t, node.name).reshape(-1)
    if prod(map(int, shape.reshape(-1))) > MOST_WEIGHTS:
        what = f"makes a constant of more than {MOST_WEIGHTS:,} numbers"
        raise fail("unsupported-shape", node.name, what)
    try:
        return np.broadcast_to(value[0], tuple(map(int, shape)))
    except (ValueError, IndexError, TypeError) as error:
        what = f"makes a constant of an impossible shape: {shape.tolist()[:8]}"
        raise fail("broken-model", node.name, what) from error


def _size(node: onnx.NodeProto, known: Values, network: Network) -> int | None:
    """Return the weighted bytes that a node takes to compute; None if they are not known."""
    # A view of one element takes its full size once an operator works on it.
    unfolded = sum(value.nbytes for value in known.values() if 0 in value.strides)
    if node.op_type in _SELECTING:
        return unfolded + sum(8 * value.size * (value.ndim + 3) for value in known.values())
    shapes = [network.shapes.get(name) for name in node.output if name]
    if None in shapes:
        return None
    made = zip(filter(None, node.output), shapes, strict=True)
    size = sum(_bytes(network.types.get(name, 0), shape or ()) for name, shape in made)
    if node.op_type in _QUICK:
        return unfolded + size
    return _SLOW * (size + sum(value.nbytes for value in known.values()))


def _bytes(kind: int, shape: Shape) -> int:
    try:
        item = int(onnx.helper.tensor_dtype_to_np_dtype(kind).itemsize)
    except (KeyError, ValueError):
        item = 8
    return item * int(prod(shape))


def _computed(node: onnx.NodeProto, known: Values, network: Network) -> Values | None:
    names = [name for name in node.output if name]
    model = _alone(node, names, network)
    model.graph.input.extend(
        onnx.helper.make_tensor_value_info(
            name, onnx.helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
        )
        for name, value in known.items()
    )
    try:
        values = _evaluated(model, known)
        return {name: _numbers(value) for name, value in zip(names, values, strict=True)}
    except RuntimeImplementationError:  # The reference lacks some versions of operators.
        return None
    # The reference is Python code for many operators and raises anything for hostile input.
    except Exception as error:
        words = " ".join(str(error).split())[:200]
        raise fail("broken-model", node.name, f"cannot be computed: {words}") from error


def _computed_elsewhere(node: onnx.NodeProto, known: Values, network: Network) -> Values | None:
    """Compute a node in the worker, within the allowance that shape inference uses, too.

    Some operators loop in Python as often as an attribute says.
    """
    names = [name for name in node.output if name]
    model = _alone(node, names, network)
    model.graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in known.items()
    )
    try:
        return worker.ask(
            f"{__name__}:computed",
            [model.SerializeToString()],
            network.allowance,
            lambda answer: _unpacked(names, answer, node.name),
        )
    except worker.Died as death:
        raise fail("broken-model", node.name, f"ONNX's evaluator {death}") from death
    except worker.Refused as error:
        words = " ".join(str(error).split())[:200]
        raise fail("broken-model", node.name, f"cannot be computed: {words}") from error


def computed(model: bytes) -> list[bytes]:
    """In the worker: return the outputs of a model without inputs, each as a tensor.

    The list is empty if the reference does not have the operator.
    """
    try:
        values = _evaluated(onnx.ModelProto.FromString(model), {})
    except RuntimeImplementationError:
        return []
    return [numpy_helper.from_array(_numbers(value)).SerializeToString() for value in values]


def _unpacked(names: list[str], answer: list[bytes], node: str) -> Values | None:
    if not answer:
        return None
    tensors = [onnx.TensorProto.FromString(part) for part in answer]
    return {name: array(part, node) for name, part in zip(names, tensors, strict=True)}


def _alone(node: onnx.NodeProto, names: list[str], network: Network) -> onnx.ModelProto:
    """Return a model of one node with these outputs."""
    graph = onnx.GraphProto(name="node", node=[node])
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    opset = max(network.opset, _LIFTED.get(node.op_type, 0))
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)])


def _evaluated(model: onnx.ModelProto, known: Values) -> list[object]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return list(ReferenceEvaluator(model).run(None, known))


def _numbers(value: object) -> Array:
    values = np.asarray(value)
    if values.dtype.kind in "OSU":
        raise TypeError(f"the result is {type(value).__name__}, not numbers")
    return values
