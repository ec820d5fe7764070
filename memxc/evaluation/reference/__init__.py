"""onnxruntime on the original model: the first rung of the ladder of oracles.

Only this package uses onnxruntime. A user's model runs in the worker (memxc.worker), memxc's own
models run in this process.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from memxc import worker
from memxc.errors import fail, why
from memxc.evaluation.reference.arrays import unbatched
from memxc.evaluation.reference.remote import Runner, opened

if TYPE_CHECKING:
    import onnxruntime  # noqa: TID251

# Its telemetry starts at the import: it writes a device name and a queue to the home directory.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

_Named = dict[str, NDArray[Any]]

#: onnxruntime's error codes, and the place in its source: a file, a line and a function.
_INNER = re.compile(
    r"\[ONNXRuntimeError\] : \d+ : \w+ : |\S+\.(?:cc|cpp|h):\d+ [^()\n]*\([^()\n]*\)(?: const)? "
)


def run(model: Path | bytes, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the model's outputs (samples, *shape without batch) for inputs (samples, *shape).

    It runs sample by sample on one thread, so that an answer does not depend on the batch. Raises
    MemxcError: unsupported-model if onnxruntime refuses the model or the inputs or does not return,
    bad-samples if an input does not have the model's type.
    """
    where = "the model" if isinstance(model, bytes) else str(model)
    counts = {len(values) for values in inputs.values()}
    if len(counts) > 1:
        what = f"the inputs have different numbers of samples: {sorted(counts)}"
        raise fail("unsupported-model", where, what)
    with _told(where), opened(model, threads=1) as runner:
        typed = _typed(runner, inputs)
        answers = [_ask(runner, _part(typed, i, 1)) for i in range(max(counts, default=0))]
    return _stacked(answers, where)


def each(model: bytes, inputs: Mapping[str, NDArray[Any]], output: str, where: str) -> NDArray[Any]:
    """Return one output of an island, (samples, *shape), for inputs (samples, *shape).

    The shapes have the batch axis of the model. It runs sample by sample on one thread. where: the
    place of the island, for faults. Raises MemxcError as `run` does.
    """
    with _told(where), opened(model, threads=1) as runner:
        typed = _typed(runner, inputs)
        count = len(next(iter(typed.values())))
        # A sample of a single number is an array as well.
        parts = ({name: values[i, ...] for name, values in typed.items()} for i in range(count))
        return np.stack([runner.run([output], part)[0] for part in parts])


def predict(
    model: bytes, inputs: Mapping[str, NDArray[Any]], batch: int = 100, trusted: bool = False
) -> dict[str, NDArray[Any]]:
    """Return the outputs (samples, ...) for whole data sets (samples, *shape), on all cores.

    It runs in batches if the model leaves its batch open and answers each sample of a batch as it
    does alone, otherwise sample by sample. trusted: the model is memxc's own (memxc.backends.twin),
    so it may run in batches and in this process. Raises MemxcError as `run` does.
    """
    if trusted:
        return _predicted(session(model, threads=0), inputs, batch, trusted)
    with _told("the model"), opened(model, threads=0) as runner:
        return _predicted(runner, inputs, batch, trusted)


def _predicted(
    runner: Runner, inputs: Mapping[str, NDArray[Any]], batch: int, trusted: bool
) -> _Named:
    names = [value.name for value in runner.get_inputs()]
    typed = _typed(runner, {name: inputs[name] for name in names if name in inputs})
    count = len(next(iter(typed.values())))
    batched = not _whole(runner, typed)
    first = None
    if batched:
        first = _ask(runner, _part(typed, 0, batch)) if trusted else _batch(runner, typed, batch)
    start, step = (0, 1) if first is None else (batch, batch)
    rest = [_ask(runner, _part(typed, at, step)) for at in range(start, count, step)]
    if first is None:
        return _stacked(rest, "the model")
    return {name: np.concatenate([first[name], *(part[name] for part in rest)]) for name in first}


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Turn the worker's errors into faults of the model `where`."""
    try:
        yield
    except worker.Died as death:
        raise fail("unsupported-model", where, f"onnxruntime {death}") from death
    except OSError as error:
        raise fail("broken-model", where, why(error)) from error
    except worker.Refused as error:
        what = f"onnxruntime refuses it: {_words(error, where)}"
        raise fail("unsupported-model", where, what) from error


def _words(error: worker.Refused, where: str) -> str:
    """Return onnxruntime's message without paths, the user's or its developers'."""
    # Reports must not contain paths.
    text = str(error).replace(str(Path(where).absolute()), "the model").replace(where, "the model")
    text = _INNER.sub("", text.split("Status Message: ")[-1])
    return " ".join(text.split("\n", 1)[0].split())[:200]


def _batch(runner: Runner, inputs: _Named, batch: int) -> _Named | None:
    """Return the answer to the first batch, or None.

    It is None unless the first and the last sample get the same answers alone: a model may compute
    over its batch axis, for example divide by the largest value of all samples.
    """
    part = _part(inputs, 0, batch)
    count = len(next(iter(part.values())))
    if any(isinstance(value.shape[0], int) for value in runner.get_inputs()) or count < 2:
        return None
    try:
        together = _ask(runner, part)
    # A fixed shape inside the model, or not enough memory for a batch. A real fault shows sample by
    # sample, too.
    except (worker.Refused, worker.Died):
        return None
    ends = [_ask(runner, _part(part, at, 1)) for at in (0, count - 1)]
    alike = all(
        values.shape[:1] == (count,)
        and _close(values[[0, -1]], np.concatenate([end[name] for end in ends]))
        for name, values in together.items()
    )
    return together if alike else None


def _close(some: NDArray[Any], others: NDArray[Any]) -> bool:
    """Return whether answers differ only as much as the order of sums in float32 explains."""
    if some.shape != others.shape or some.dtype.kind != "f":
        return np.array_equal(some, others)
    size = np.abs(others, where=np.isfinite(others), out=np.zeros_like(others)).max(initial=0.0)
    return np.allclose(some, others, rtol=0.0, atol=1e-4 * float(size), equal_nan=True)


def _ask(runner: Runner, inputs: _Named) -> _Named:
    names = [output.name for output in runner.get_outputs()]
    inputs = {**inputs, **{name: inputs[name][0] for name in _whole(runner, inputs)}}
    return dict(zip(names, runner.run(names, inputs), strict=True))


def _whole(runner: Runner, inputs: _Named) -> list[str]:
    """Return inputs of the model that have no batch axis: all of one is a single sample."""
    ranks = {value.name: len(value.shape) for value in runner.get_inputs()}
    return [name for name, values in inputs.items() if ranks.get(name) == values.ndim - 1 > 0]


def _part(inputs: _Named, first: int, count: int) -> _Named:
    return {name: values[first : first + count] for name, values in inputs.items()}


def session(
    model: Path | bytes, threads: int = 1, fused: bool = True
) -> onnxruntime.InferenceSession:
    """Return a session that computes the same on every processor.

    threads: 0 uses all cores. fused: False runs every node of the model as it is.

    Every session of memxc, its tests and its benchmarks is made here. On x86 processors without
    VNNI, onnxruntime multiplies uint8 by int8 with an instruction that saturates the sum of two
    products at 16 bits. `x64quantprecision` turns constant weights into uint8, which is exact.
    float32 weights between quantised signals stay float32; by default onnxruntime would quantise
    them.
    """
    from memxc.evaluation.reference import native  # noqa: PLC0415 - most commands have the worker import it

    return native.session(model, threads, fused)


def _typed(runner: Runner, inputs: Mapping[str, NDArray[Any]]) -> _Named:
    """Return the inputs in the model's types: real numbers rounded, others only if they fit."""
    kinds = {value.name: _dtype(value.type) for value in runner.get_inputs()}
    typed = {}
    for name, values in inputs.items():
        kind = kinds.get(name, values.dtype)
        with np.errstate(all="ignore"):
            converted = values.astype(kind)
        unchanged = (
            np.isfinite(converted) | ~np.isfinite(values)
            if kind.kind == "f"
            else converted == values
        )
        if not unchanged.all():
            what = f"holds {values[~unchanged].flat[0]:g}, the model takes {kind}"
            raise fail("bad-samples", name, what)
        typed[name] = converted
    return typed


def _stacked(answers: list[_Named], where: str) -> _Named:
    """Return the answers to single samples as (samples, *shape without batch)."""
    if not answers:
        raise fail("bad-samples", where, "there is not a single sample to run it on")
    return {name: np.stack([unbatched(answer[name]) for answer in answers]) for name in answers[0]}


def _dtype(kind: str) -> np.dtype[Any]:
    names = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16"}
    return np.dtype(names.get(kind, kind.removeprefix("tensor(").removesuffix(")")))
