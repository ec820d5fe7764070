"""The network that the options ask for: a whole file, or a part of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from memxc.frontend.cut import cut
from memxc.frontend.fix import fix as fix_inputs
from memxc.frontend.network import Shape
from memxc.frontend.order import order_faults
from memxc.frontend.part import ModelPart, serialised
from memxc.frontend.read import read


def choose_part(
    path: Path,
    shapes: Mapping[str, Shape],
    fix: Mapping[str, Sequence[float]],
    inputs: Sequence[str],
    outputs: Sequence[str],
) -> tuple[Path | ModelPart, Mapping[str, Shape]]:
    """The network with inputs fixed, or a part of it, and the shapes of its inputs for `load`.

    Raises MemxcError (usage, and as `read`).
    """
    if not (fix or inputs or outputs):
        return path, shapes
    model = read(path)
    if order_faults(model.graph, str(path)):
        return path, shapes  # no network at all: `load` says why
    fix_inputs(model, fix)
    if inputs or outputs:
        before = {value.name for value in model.graph.input}
        model = cut(model, inputs, outputs, shapes, str(path))
        # A shape of an input that the part has no more has told the shapes of its own inputs.
        gone = before - {value.name for value in model.graph.input}
        shapes = {name: shape for name, shape in shapes.items() if name not in gone}
    return ModelPart(path, serialised(model, str(path))), shapes
