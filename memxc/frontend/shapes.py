"""Fix every axis of the inputs: the batch is 1, the other sizes are the model's or the user's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod

import onnx  # noqa: TID251

from memxc.errors import Fault, MemxcError, pasted
from memxc.frontend.network import Shape
from memxc.ir.bounds import MOST

#: Sizes that the model gives; None for an open one.
_Sizes = Sequence[int | None]


def fixed_inputs(
    model: onnx.ModelProto, given: Mapping[str, Shape], where: str
) -> dict[str, Shape]:
    """Return static shapes of the inputs that are not weights, in the model's order.

    Raises MemxcError with everything that is wrong: unsupported-shape, or usage for a wrong
    `given`.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    values = {v.name: v for v in model.graph.input if v.name not in weights}
    faults = list(_unknown(given, list(values)))
    if not values:
        faults.append(Fault("broken-model", where, "the network has no inputs"))
    shapes = {}
    for name, value in values.items():
        shape_or_fault = _kind_fault(value) or _fixed(name, sizes(value), given.get(name))
        if isinstance(shape_or_fault, Fault):
            faults.append(shape_or_fault)
        else:
            shapes[name] = shape_or_fault
    if faults:
        raise MemxcError(faults)
    return shapes


def _unknown(given: Mapping[str, Shape], names: list[str]) -> Iterator[Fault]:
    for name in sorted(set(given) - set(names)):
        hint = f"its inputs are {', '.join(names[:8])}"
        yield Fault("usage", f"--shape {name}", "the model has no such input", hint)


def _kind_fault(value: onnx.ValueInfoProto) -> Fault | None:
    if not value.type.HasField("tensor_type"):
        return Fault("unsupported-model", value.name, "the input is not a tensor")
    if value.type.tensor_type.elem_type == onnx.TensorProto.STRING:
        what = "the input is text, a circuit works on numbers"
        return Fault("unsupported-model", value.name, what)
    return None


def sizes(value: onnx.ValueInfoProto) -> _Sizes | None:
    """Return the declared sizes; -1 is open, because some exporters write that."""
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    # Some exporters write -1 for an axis that they leave open.
    dims = tensor.shape.dim
    return [d.dim_value if d.HasField("dim_value") and d.dim_value != -1 else None for d in dims]


def _fixed(name: str, sizes: _Sizes | None, given: Shape | None) -> Shape | Fault:
    """Return the shape of one input, or the fault that keeps it from having one."""
    if given is None:
        if sizes is None:
            hint = f"say it with {pasted('--shape', f'{name}=1x3x48x192')}"
            return Fault("unsupported-shape", name, "the model leaves its whole shape open", hint)
        given = tuple(1 if i == 0 and size is None else size or 0 for i, size in enumerate(sizes))
        axes = [str(i) for i, size in enumerate(sizes) if size is None and i > 0]
        if axes:
            word = "axes" if len(axes) > 1 else "axis"
            what = f"the model leaves {word} {', '.join(axes)} of {words(sizes)} open"
            example = "x".join(str(n or "SIZE") for n in given)
            hint = f"say it with {pasted('--shape', f'{name}={example}')}"
            return Fault("unsupported-shape", name, what, hint)
    elif sizes is not None and not _agree(sizes, given):
        what = f"{words(given)} does not fit the model's {words(sizes)}"
        return Fault("usage", f"--shape {name}", what)
    elif sizes is not None and sizes[:1] == [given[0]]:
        return _usable(name, given, whole=True)
    return _usable(name, given)


def _usable(name: str, shape: Shape, whole: bool = False) -> Shape | Fault:
    """Return a shape if a circuit can have it. whole: the user says that it is that of a sample."""
    what, hint = "", ""
    if not shape:
        what = "the input is a single number: it has no batch axis"
        fix = pasted("--fix", f"{name}=VALUE")
        hint = f"make it a constant with {fix}, or export the model with a batch axis of 1"
    elif min(shape) < 1:
        what = f"the input has the shape {words(shape)}, which holds nothing"
    elif shape[0] != 1 and not whole:
        what = f"the input has a fixed batch of {shape[0]} (shape {words(shape)})"
        hint = (
            "a circuit computes one sample at a time: export with batch 1, or with an open batch. "
            "If the first axis is no batch (steps, layers of a state), say that all of it is one "
            f"sample: {pasted('--shape', f'{name}={words(shape)}')}"
        )
    elif prod(shape) > MOST:
        what = (
            f"the input claims {words(shape)}: more than the {MOST:,} nets that a signal may have"
        )
    return Fault("unsupported-shape", name, what, hint) if what else shape


def _agree(sizes: _Sizes, given: Shape) -> bool:
    return len(sizes) == len(given) and all(
        size in (None, n) for size, n in zip(sizes, given, strict=True)
    )


def words(shape: _Sizes) -> str:
    """A shape for people: 1x?x28."""
    return "x".join("?" if size is None else str(size) for size in shape) or "(no axes)"
