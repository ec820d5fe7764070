"""onnxruntime itself: how a session is made, and the worker's functions."""

from __future__ import annotations

import json
from pathlib import Path

import onnxruntime  # noqa: TID251
from onnxruntime.capi.onnxruntime_pybind11_state import (  # noqa: TID251
    NotImplemented as NotImplemented_,
)

from memxc.evaluation.reference.arrays import Described, packed, unpacked

onnxruntime.disable_telemetry_events()  # for versions that do not know the variable

#: The only session of the worker.
_held: onnxruntime.InferenceSession | None = None


def session(
    model: Path | bytes, threads: int = 1, fused: bool = True
) -> onnxruntime.InferenceSession:
    """Return a session; see memxc.evaluation.reference.session."""
    source = model if isinstance(model, bytes) else str(model)

    def made(precise: str) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        options.log_severity_level = 4
        if not fused:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.add_session_config_entry("session.x64quantprecision", precise)
        return onnxruntime.InferenceSession(
            source,
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=["WeightBiasQuantization"],
        )

    try:
        return made("1")
    # onnxruntime has no QLinear operator for int8 signals and uint8 weights. Products of two int8
    # never saturate, so they do not need the option.
    except NotImplemented_:
        return made("0")


def opened(*model: bytes, path: str, threads: int) -> list[bytes]:
    """Open a model from its bytes or from a path, and describe its inputs and outputs."""
    global _held  # noqa: PLW0603 - one process, one session
    _held = None  # Frees the memory of the old session before the new one takes some.
    _held = session(model[0] if model else Path(path), threads)
    values = (_held.get_inputs(), _held.get_outputs())
    return [json.dumps([[(v.name, v.type, v.shape) for v in part] for part in values]).encode()]


def ran(*arrays: bytes, described: Described) -> list[bytes]:
    """Run the open model, and return the description of its outputs, then their bytes."""
    assert _held is not None, "a model was opened"
    names = [output.name for output in _held.get_outputs()]
    outputs = _held.run(names, unpacked(described, arrays))
    described, parts = packed(dict(zip(names, outputs, strict=True)))
    return [json.dumps(described).encode(), *parts]


def closed() -> list[bytes]:
    """Free the memory of the open model."""
    global _held  # noqa: PLW0603
    _held = None
    return []
