"""A full compile that does not fit into the memory is refused before it begins; a report fits."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from memxc import pipeline, target
from memxc.errors import MemxcError
from memxc.pipeline import memory

LENET = Path(__file__).parents[1] / "models" / "lenet_fashion.onnx"


def test_a_full_compile_beyond_the_memory_is_refused(monkeypatch):
    options = pipeline.Options(model=LENET, target=target.load("ideal"))
    monkeypatch.setattr(memory, "available", lambda: 4_000_000)
    with pytest.raises(MemxcError, match=r"GB to compile, and 0\.0 GB are there") as caught:
        pipeline.compile_model(options)
    (fault,) = caught.value.faults
    assert (fault.code, fault.where) == ("unsupported-model", str(LENET))
    assert "--report-only" in fault.hint
    monkeypatch.setattr(memory, "available", lambda: 100_000)
    with pytest.raises(MemxcError, match="GB to compile"):
        pipeline.compile_model(options, report_only=True)


def test_the_smallest_limit_counts(monkeypatch, tmp_path):
    """The machine has more than 64 MB; a container and ulimit may leave less."""
    monkeypatch.setattr(memory, "_CONTAINER", tmp_path / "memory.max")
    machine = memory.available()
    assert machine > 2**26
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.available() == machine
    (tmp_path / "memory.max").write_text(f"{2**26}\n")
    assert memory.available() == 2**26
    monkeypatch.setattr(resource, "getrlimit", lambda which: (2**25, 2**25))
    assert memory.available() == 2**25
