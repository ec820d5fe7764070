"""onnxruntime on the original model: the first rung of the ladder, and the only user of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime  # noqa: TID251
from numpy.typing import NDArray

from memxc.errors import MemxcError, fail

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
    if not answers:
        raise fail("bad-samples", where, "there is not a single sample to run it on")
    return {name: np.stack([_unbatched(answer[name]) for answer in answers]) for name in answers[0]}


def predict(
    model: bytes, inputs: Mapping[str, NDArray[Any]], batch: int = 100
) -> dict[str, NDArray[Any]]:
    """The outputs (samples, ...) for whole data sets (samples, *shape), all cores at work.

    In batches where the model leaves its batch open, else sample by sample. Raises MemxcError as
    `run`.
    """
    try:
        session = _session(model, threads=0)
        opened = all(not isinstance(value.shape[0], int) for value in session.get_inputs())
        step, found = batch if opened else 1, list[_Named]()
        names = [output.name for output in session.get_outputs()]
        typed = _typed(session, {value.name: inputs[value.name] for value in session.get_inputs()})
        for first in range(0, len(next(iter(typed.values()))), step):
            part = {name: values[first : first + step] for name, values in typed.items()}
            found.append(dict(zip(names, session.run(names, part), strict=True)))
    except MemxcError:
        raise
    # onnxruntime throws C++ errors of many kinds; what it says is what the user needs.
    except Exception as error:
        line = " ".join(str(error).split("\n", 1)[0].split()) or type(error).__name__
        raise fail("unsupported-model", "the model", f"onnxruntime refuses it: {line}") from error
    return {name: np.concatenate([answer[name] for answer in found]) for name in names}


def _session(model: Path | bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    options.log_severity_level = 4
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def _answers(model: Path | bytes, inputs: Mapping[str, NDArray[Any]]) -> list[_Named]:
    """What the model says to each sample, the batch axis of 1 included."""
    session = _session(model, threads=1)
    names = [output.name for output in session.get_outputs()]
    typed = _typed(session, inputs)
    counts = {len(values) for values in inputs.values()}
    if len(counts) > 1:
        raise ValueError(f"the inputs have different numbers of samples: {sorted(counts)}")
    return [
        dict(
            zip(names, session.run(names, {n: v[i : i + 1] for n, v in typed.items()}), strict=True)
        )
        for i in range(max(counts, default=0))
    ]


def _typed(session: onnxruntime.InferenceSession, inputs: Mapping[str, NDArray[Any]]) -> _Named:
    """The inputs in the model's types: real numbers rounded, any other as it is or a fault."""
    kinds = {value.name: _dtype(value.type) for value in session.get_inputs()}
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


def _unbatched(value: NDArray[Any]) -> NDArray[Any]:
    return value[0] if value.ndim and value.shape[0] == 1 else value


def _dtype(kind: str) -> np.dtype[Any]:
    names = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16"}
    return np.dtype(names.get(kind, kind.removeprefix("tensor(").removesuffix(")")))
