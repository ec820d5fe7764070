"""onnxruntime on the original model: the first rung of the ladder, and the only user of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memxc.errors import MemxcError, fail

# Its telemetry begins with the import: a name for this device and a queue, in the home directory.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime  # noqa: TID251
from onnxruntime.capi.onnxruntime_pybind11_state import (  # noqa: TID251
    NotImplemented as NotImplemented_,
)

onnxruntime.disable_telemetry_events()  # for versions that do not know the variable

_Named = dict[str, NDArray[Any]]


def run(model: Path | bytes, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The model's outputs (samples, *shape without batch) for inputs (samples, *shape).

    Sample by sample on one thread, so that the answer does not depend on the batch. Raises
    MemxcError: unsupported-model where onnxruntime refuses the model or the inputs, bad-samples
    where an input is not of the model's type.
    """
    where = "the model" if isinstance(model, bytes) else str(model)
    try:
        answers = _answers(model, inputs)
    except MemxcError:
        raise
    # onnxruntime throws C++ errors of many kinds; what it says is what the user needs.
    except Exception as error:
        # Its words go into reports, which hold no path.
        words = str(error).replace(where, "the model").split("Status Message: ")[-1]
        line = " ".join(words.split("\n", 1)[0].split()) or type(error).__name__
        raise fail("unsupported-model", where, f"onnxruntime refuses it: {line[:200]}") from error
    return _stacked(answers, where)


def predict(
    model: bytes, inputs: Mapping[str, NDArray[Any]], batch: int = 100, trusted: bool = False
) -> dict[str, NDArray[Any]]:
    """The outputs (samples, ...) for whole data sets (samples, *shape), all cores at work.

    In batches where the model leaves its batch open and answers each sample of one as it answers it
    alone, else sample by sample. trusted: it is known to (memxc.backends.twin writes such models).
    Raises MemxcError as `run`.
    """
    try:
        runner = session(model, threads=0)
        typed = _typed(runner, {value.name: inputs[value.name] for value in runner.get_inputs()})
        count = len(next(iter(typed.values())))
        first = _ask(runner, _part(typed, 0, batch)) if trusted else _batch(runner, typed, batch)
        start, step = (0, 1) if first is None else (batch, batch)
        rest = [_ask(runner, _part(typed, at, step)) for at in range(start, count, step)]
    except MemxcError:
        raise
    # onnxruntime throws C++ errors of many kinds; what it says is what the user needs.
    except Exception as error:
        line = " ".join(str(error).split("\n", 1)[0].split()) or type(error).__name__
        raise fail("unsupported-model", "the model", f"onnxruntime refuses it: {line}") from error
    if first is None:
        return _stacked(rest, "the model")
    return {name: np.concatenate([first[name], *(part[name] for part in rest)]) for name in first}


def _batch(runner: onnxruntime.InferenceSession, inputs: _Named, batch: int) -> _Named | None:
    """The answer to the first batch; None unless its ends are answered as each of them alone.

    A model may reach over its batch axis, divide by the largest of all samples, say.
    """
    part = _part(inputs, 0, batch)
    count = len(next(iter(part.values())))
    if any(isinstance(value.shape[0], int) for value in runner.get_inputs()) or count < 2:
        return None
    try:
        together = _ask(runner, part)
    # A fixed shape within the model, perhaps; what is really wrong shows sample by sample, too.
    except Exception:  # noqa: BLE001
        return None
    ends = [_ask(runner, _part(part, at, 1)) for at in (0, count - 1)]
    alike = all(
        values.shape[:1] == (count,)
        and _close(values[[0, -1]], np.concatenate([end[name] for end in ends]))
        for name, values in together.items()
    )
    return together if alike else None


def _close(some: NDArray[Any], others: NDArray[Any]) -> bool:
    """Whether answers differ by no more than the order of sums in float32 explains."""
    if some.shape != others.shape or some.dtype.kind != "f":
        return np.array_equal(some, others)
    size = np.abs(others, where=np.isfinite(others), out=np.zeros_like(others)).max(initial=0.0)
    return np.allclose(some, others, rtol=0.0, atol=1e-4 * float(size), equal_nan=True)


def _ask(runner: onnxruntime.InferenceSession, inputs: _Named) -> _Named:
    names = [output.name for output in runner.get_outputs()]
    return dict(zip(names, runner.run(names, inputs), strict=True))


def _part(inputs: _Named, first: int, count: int) -> _Named:
    return {name: values[first : first + count] for name, values in inputs.items()}


def session(
    model: Path | bytes, threads: int = 1, fused: bool = True
) -> onnxruntime.InferenceSession:
    """A session that computes the same on every processor.

    threads: 0 takes all cores. fused: False runs every node of the model as it stands.

    Every session of memxc, its tests and its benchmarks is made here. On x86 processors without
    VNNI, onnxruntime multiplies uint8 by int8 with an instruction that saturates the sum of two
    products at 16 bits. `x64quantprecision` turns constant weights into uint8, which is exact.
    Weights in float32 between quantised signals stay in float32: by itself it quantises them.
    """
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
    # It has no QLinear operator for int8 signals and uint8 weights. Two int8 never saturate.
    except NotImplemented_:
        return made("0")


def _answers(model: Path | bytes, inputs: Mapping[str, NDArray[Any]]) -> list[_Named]:
    """What the model says to each sample, the batch axis of 1 included."""
    runner = session(model)
    typed = _typed(runner, inputs)
    counts = {len(values) for values in inputs.values()}
    if len(counts) > 1:
        raise ValueError(f"the inputs have different numbers of samples: {sorted(counts)}")
    return [_ask(runner, _part(typed, i, 1)) for i in range(max(counts, default=0))]


def _typed(runner: onnxruntime.InferenceSession, inputs: Mapping[str, NDArray[Any]]) -> _Named:
    """The inputs in the model's types: real numbers rounded, any other as it is or a fault."""
    kinds = {value.name: _dtype(value.type) for value in runner.get_inputs()}
    typed = {}
    for name, values in inputs.items():
        kind = kinds.get(name, values.dtype)
        with np.errstate(all="ignore"):
            found = values.astype(kind)
        kept = np.isfinite(found) | ~np.isfinite(values) if kind.kind == "f" else found == values
        if not kept.all():
            what = f"holds {values[~kept].flat[0]:g}, the model takes {kind}"
            raise fail("bad-samples", name, what)
        typed[name] = found
    return typed


def _stacked(answers: list[_Named], where: str) -> _Named:
    """The answers to single samples, as (samples, *shape without batch)."""
    if not answers:
        raise fail("bad-samples", where, "there is not a single sample to run it on")
    return {name: np.stack([_unbatched(answer[name]) for answer in answers]) for name in answers[0]}


def _unbatched(value: NDArray[Any]) -> NDArray[Any]:
    return value[0] if value.ndim and value.shape[0] == 1 else value


def _dtype(kind: str) -> np.dtype[Any]:
    names = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16"}
    return np.dtype(names.get(kind, kind.removeprefix("tensor(").removesuffix(")")))
