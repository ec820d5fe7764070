"""A session of onnxruntime in the worker, with the interface of one in this process."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from memxc import worker
from memxc.evaluation.reference.arrays import packed, unpacked

_NATIVE = "memxc.evaluation.reference.native"
#: Seconds of each core to open a model or to run it on one sample (a network of 100 GFLOP a sample
#: takes five); then the seconds for each further sample (a large network is as fast sample by
#: sample), and for each byte of the model's file.
_SECONDS, _A_SAMPLE, _A_BYTE = 10.0, 0.2, 5e-8
#: Bytes of memory for the signals of a run, or for a model in addition to its file.
_MEMORY = 2**31
#: Copies of a file's content that may be in memory: parsed, rearranged, compiled.
_COPIES = 4
#: Bytes of memory of a thread: its stack and its own heap.
_THREAD = 2**25


class Value(NamedTuple):
    """An input or an output of a model, as onnxruntime describes it."""

    name: str
    type: str
    shape: Sequence[int | str | None]


class Runner(Protocol):
    """The part of a session's interface that is used, here or in the worker."""

    def get_inputs(self) -> Sequence[Value]:
        """Return the inputs of the model."""

    def get_outputs(self) -> Sequence[Value]:
        """Return the outputs of the model."""

    def run(self, names: Sequence[str], inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Return the outputs with these names."""


class Remote:
    """A Runner in the worker; `threads` as in memxc.evaluation.reference.session."""

    def __init__(self, model: Path | bytes, threads: int) -> None:
        self._bytes = [model] if isinstance(model, bytes) else []
        self._path = "" if isinstance(model, bytes) else str(model.absolute())
        self._size = len(model) if isinstance(model, bytes) else model.stat().st_size
        self._threads = threads
        self._inputs, self._outputs = self._open()
        self._lost = False

    def get_inputs(self) -> list[Value]:
        """Return the inputs of the model."""
        return self._inputs

    def get_outputs(self) -> list[Value]:
        """Return the outputs of the model."""
        return self._outputs

    def run(self, names: Sequence[str], inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Return the outputs with these names. Raises worker.Refused, worker.Died."""
        if self._lost:
            self._open()
            self._lost = False
        described, parts = packed(inputs)
        samples = max((len(values) for values in inputs.values() if values.ndim), default=1)
        try:
            outputs = worker.ask(
                f"{_NATIVE}:ran",
                parts,
                self._allowance(_SECONDS + _A_SAMPLE * samples, 0),
                lambda answer: unpacked(json.loads(answer[0]), answer[1:]),
                described=described,
            )
        except worker.Died:
            self._lost = True
            raise
        return [outputs[name] for name in names]

    def close(self) -> None:
        """Free the memory of the model."""
        worker.ask(f"{_NATIVE}:closed", [], self._allowance(_SECONDS, 0), lambda answer: None)

    def _open(self) -> tuple[list[Value], list[Value]]:
        return worker.ask(
            f"{_NATIVE}:opened",
            self._bytes,
            self._allowance(_SECONDS + _A_BYTE * self._size, _COPIES * self._size),
            _described,
            path=self._path,
            threads=self._threads,
        )

    def _allowance(self, seconds: float, memory: int) -> worker.Allowance:
        cores = self._threads or os.cpu_count() or 1
        return worker.Allowance(seconds, _MEMORY + cores * _THREAD + memory, cores)


def _described(answer: list[bytes]) -> tuple[list[Value], list[Value]]:
    inputs, outputs = json.loads(answer[0])
    return [Value(*value) for value in inputs], [Value(*value) for value in outputs]


@contextmanager
def opened(model: Path | bytes, threads: int) -> Iterator[Remote]:
    """Open a model in the worker while the block lasts."""
    with worker.alone():
        remote = Remote(model, threads)
        yield remote
        # Only after success, because after a failed call the worker may be gone.
        remote.close()
