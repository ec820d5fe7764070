"""Inputs with every axis fixed: the batch is 1, the rest is the model's or the user's."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import onnx  # noqa: TID251

from memxc.errors import Fault, MemxcError

_LARGEST = 2**31


def fixed_inputs(
    model: onnx.ModelProto, shapes: Mapping[str, tuple[int, ...]], where: str
) -> dict[str, tuple[int, ...]]:
    """Static shapes of the inputs that are not initialisers, in the model's order."""
    weights = {tensor.name for tensor in model.graph.initializer}
    values = [value for value in model.graph.input if value.name not in weights]
    faults: list[Fault] = []
    unknown = set(shapes) - {value.name for value in values}
    faults += [
        Fault("usage", f"--shape {name}", "the model has no such input") for name in sorted(unknown)
    ]
    found = {value.name: _shape(value, shapes.get(value.name), where, faults) for value in values}
    if not found:
        faults.append(Fault("broken-model", where, "the network has no inputs"))
    if faults:
        raise MemxcError(faults)
    return found


def _shape(
    value: onnx.ValueInfoProto, given: tuple[int, ...] | None, where: str, faults: list[Fault]
) -> tuple[int, ...]:
    place = f"{where}:{value.name}"
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type") or tensor.elem_type == onnx.TensorProto.STRING:
        faults.append(Fault("unsupported-model", place, "the input is not a tensor of numbers"))
        return ()
    option = f"say it with --shape {value.name}=1x3x..."
    if not tensor.HasField("shape"):
        if given is None:
            faults.append(
                Fault("unsupported-shape", place, "the model leaves its shape open", option)
            )
        return given or ()
    dims = [d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim]
    if given is not None and (
        len(given) != len(dims)
        or any(d not in (None, g) for d, g in zip(dims, given, strict=False))
    ):
        faults.append(Fault("usage", f"--shape {value.name}", f"the model says {_words(dims)}"))
        return given
    return _fixed(dims, given, place, option, faults)


def _fixed(
    dims: list[int | None],
    given: tuple[int, ...] | None,
    place: str,
    option: str,
    faults: list[Fault],
) -> tuple[int, ...]:
    shape = []
    for axis, dim in enumerate(dims):
        size = dim if dim is not None else given[axis] if given else 1 if axis == 0 else None
        if size is None:
            faults.append(Fault("unsupported-shape", place, f"leaves axis {axis} open", option))
        elif size < 1:
            faults.append(Fault("broken-model", place, f"axis {axis} is {size}"))
        shape.append(size or 1)
    if prod(shape) > _LARGEST:
        faults.append(Fault("unsupported-shape", place, f"claims {_words(list(shape))} elements"))
    elif len(shape) > 1 and shape[0] != 1:
        faults.append(
            Fault(
                "unsupported-shape",
                place,
                f"has a fixed batch of {shape[0]}",
                "a circuit computes one sample at a time: export with batch 1",
            )
        )
    return tuple(shape)


def _words(dims: list[int | None]) -> str:
    return "x".join("?" if dim is None else str(dim) for dim in dims)
