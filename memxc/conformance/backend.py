"""memxc as a backend of ONNX's test suite: the lowered Design computes the answers of a case.

The suite gives weights as run-time inputs, so a case is compiled when it runs: as many of its
inputs as possible become signals of the circuit, and the others become constants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx  # noqa: TID251
from numpy.typing import NDArray
from onnx.backend.base import Backend, BackendRep  # noqa: TID251

from memxc import frontend
from memxc.errors import Fault, MemxcError
from memxc.evaluation import evaluate
from memxc.ir.design import Design
from memxc.ir.graph import Graph
from memxc.ops.lower import lower

Array = NDArray[Any]
Values = Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class CompiledCase:
    """A case as a circuit. `signals` are the values of the inputs that did not become constants."""

    graph: Graph
    design: Design
    signals: Values

    def outputs(self) -> dict[str, Array]:
        """Return what the Design computes from the signals, in the shapes of the graph."""
        buses = evaluate.run(self.design, {n: v[None] for n, v in self.signals.items()})
        return {n: buses[n].reshape(self.graph.shapes[n]) for n in self.graph.outputs}


def circuit(model: bytes, values: Values) -> CompiledCase:
    """Return the case as a circuit with as many signals as possible.

    Raises MemxcError if there is no circuit, or if an answer does not depend on a signal. It says
    why the first input alone cannot be a signal.
    """
    ways, reason = _ways(values), _fault("it has no inputs, so there is nothing to compute")
    alone = next((way for way in ways if len(way) == 1), ())
    for names in ways:
        signals = {name: values[name] for name in names}
        constants = {name: value for name, value in values.items() if name not in signals}
        try:
            graph = frontend.load_whole(model, signals, constants)
            design = lower(graph)
            _check_answers(design)
            return CompiledCase(graph, design, signals)
        except MemxcError as error:
            reason = error if names == alone else reason
    raise reason


def _ways(values: Values) -> list[tuple[str, ...]]:
    """Return which inputs to try as signals: all, the real numbers, then each alone."""
    numbers = [name for name, value in values.items() if value.dtype.kind != "O"]
    kinds = {name: values[name].dtype for name in numbers}
    real = [name for name in numbers if kinds[name].kind == "f" or "float" in kinds[name].name]
    ways = [tuple(numbers), tuple(real), *((name,) for name in (*real, *numbers))]
    return list(dict.fromkeys(way for way in ways if way))


def _check_answers(design: Design) -> None:
    """Check that a stage of the circuit computes every answer from a signal.

    Otherwise a case could pass without any computation.
    """
    alive = set(design.inputs)
    for stage in design.stages:
        if alive.intersection(stage.srcs):
            alive.add(stage.dst)
    driven = {stage.dst for stage in design.stages}
    for name in design.outputs:
        if name not in driven or name not in alive:
            raise _fault(f"no stage of the circuit computes {name!r} from a signal")


class MemxcRep(BackendRep):
    """A model that is compiled once its inputs are known."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model

    def run(self, inputs: Any, **_: Any) -> tuple[Array, ...]:
        """Return the outputs for inputs in the model's order, in its types. Raises MemxcError."""
        outputs = self.circuit(inputs).outputs()
        answers = []
        for value in self._model.graph.output:
            kind = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
            answers.append(outputs[value.name].astype(kind))
        return tuple(answers)

    def circuit(self, inputs: Sequence[Any]) -> CompiledCase:
        """Return the circuit for inputs in the model's order. Raises MemxcError."""
        bound = {tensor.name for tensor in self._model.graph.initializer}
        names = [v.name for v in self._model.graph.input if v.name not in bound]
        values = {}
        for name, value in zip(names, inputs, strict=False):
            if not isinstance(value, (np.ndarray, np.generic)):
                raise _fault(f"its input {name!r} is {type(value).__name__}, not a tensor")
            values[name] = np.asarray(value)
        return circuit(self._model.SerializeToString(), values)


class MemxcBackend(Backend):
    """ONNX's backend interface (onnx.backend.base), computed by the lowered Design."""

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Return whether the device is "CPU": a circuit is only one device."""
        return device == "CPU"

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **_: Any) -> MemxcRep:
        """Return the model as it is; it is compiled when its inputs are known."""
        return MemxcRep(model)


def _fault(what: str) -> MemxcError:
    return MemxcError(Fault("unsupported-model", "model", what))
