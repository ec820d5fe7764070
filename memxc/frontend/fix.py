"""Inputs that become constants: their numbers come from the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
import onnx  # noqa: TID251
from onnx import numpy_helper  # noqa: TID251

from memxc import units
from memxc.errors import Fault, MemxcError, fail, like
from memxc.frontend.convert import kind_name
from memxc.frontend.shapes import sizes, words
from memxc.frontend.tensors import Array
from memxc.ir import kinds

#: Before this IR version a weight is listed among the inputs as well.
_APART = 4


#: The types of real numbers.
_REAL = frozenset(onnx.TensorProto.DataType.values()) - {
    onnx.TensorProto.UNDEFINED,
    onnx.TensorProto.STRING,
    onnx.TensorProto.COMPLEX64,
    onnx.TensorProto.COMPLEX128,
}


def fix(model: onnx.ModelProto, values: Mapping[str, Sequence[float]]) -> None:
    """Make a constant of each input that `values` names, in the model itself.

    Raises MemxcError (usage) with every name and number that does not fit.
    """
    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    inputs = {value.name: value for value in graph.input if value.name not in weights}
    faults: list[Fault] = []
    for name, numbers in values.items():
        try:
            if name not in inputs:
                hint = like(name, inputs) or f"its inputs are {', '.join([*inputs][:8])}"
                raise fail("usage", f"--fix {name}", "the model has no such input", hint)
            constant = _constant(inputs[name], numbers)
            graph.initializer.append(numpy_helper.from_array(constant, name))
            if model.ir_version >= _APART:
                graph.input.remove(inputs[name])
        except MemxcError as error:
            faults += error.faults
    if not faults and values.keys() >= inputs.keys():
        what = "no input of the network is left"
        faults.append(Fault("usage", "--fix", what, "leave out the one that the circuit reads"))
    if faults:
        raise MemxcError(faults)


def _constant(value: onnx.ValueInfoProto, numbers: Sequence[float]) -> Array:
    """The tensor of an input, of its type and shape; an open axis has the size 1.

    Raises MemxcError (usage) where the numbers do not fit.
    """
    where, tensor = f"--fix {value.name}", value.type.tensor_type
    dims = sizes(value)
    # A type that ONNX does not know, or knows for text or complex numbers, has no kind.
    if dims is None or tensor.elem_type not in _REAL or any(n is not None and n < 1 for n in dims):
        raise fail("usage", where, "the model declares no numbers of a known shape for this input")
    shape = tuple(1 if size is None else size for size in dims)
    if prod(shape) != len(numbers):
        hint = "give all of them with commas between them"
        are = "is" if len(numbers) == 1 else "are"
        what = f"{units.some(len(numbers), 'number')} {are} given, and the input has {prod(shape)}"
        raise fail("usage", where, f"{what} (shape {words(dims)})", hint)
    kind = kind_name(tensor.elem_type)
    wide, given = kinds.bits(kind), np.array(numbers, np.float64)
    low, high = kinds.code_range(kind) if wide else (-np.inf, np.inf)
    if wide and not ((given == np.trunc(given)) & (given >= low) & (given <= high)).all():
        raise fail("usage", where, f"the input takes whole numbers from {low} to {high} ({kind})")
    if wide and (np.abs(given) > 2.0**53).any():
        raise fail("usage", where, "numbers beyond 2^53 are not read exactly")
    with np.errstate(over="ignore"):
        made = given.astype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)).reshape(shape)
    if not np.isfinite(made.astype(np.float64)).all():
        raise fail("usage", where, f"a number is beyond what {kind} holds")
    return made
