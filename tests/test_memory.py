"""A full compile that does not fit into the memory is refused before it begins; a report fits."""

from __future__ import annotations

import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from memxc import frontend, target
from memxc.compiler import memory
from memxc.compiler.options import Options
from memxc.compiler.run import compile_model
from memxc.errors import MemxcError
from memxc.ops.lower import lower


@pytest.fixture
def memory_of(monkeypatch):
    """Pretend a machine of a terabyte. memory_of(n) allows n connections."""
    monkeypatch.setattr(memory, "available_bytes", lambda: 10**12)
    return lambda most: monkeypatch.setattr(memory, "_MOST", most)


LENET = Path(__file__).parents[1] / "models" / "lenet_fashion.onnx"


def test_a_full_compile_beyond_the_memory_is_refused(monkeypatch):
    options = Options(model=LENET, target=target.load("ideal"))
    monkeypatch.setattr(memory, "available_bytes", lambda: 4_000_000)
    with pytest.raises(MemxcError, match=r"GB to compile, and 0\.0 GB are there") as caught:
        compile_model(options)
    (fault,) = caught.value.faults
    assert (fault.code, fault.where) == ("unsupported-model", str(LENET))
    assert "--report-only" in fault.hint
    monkeypatch.setattr(memory, "available_bytes", lambda: 100_000)
    with pytest.raises(MemxcError, match="GB to compile"):
        compile_model(options, report_only=True)


def test_the_smallest_limit_counts(monkeypatch, tmp_path):
    """The machine has more than 64 MB; a container and ulimit may leave less."""
    monkeypatch.setattr(memory, "_CONTAINER", tmp_path / "memory.max")
    machine = memory.available_bytes()
    assert machine > 2**26
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.available_bytes() == machine
    (tmp_path / "memory.max").write_text(f"{2**26}\n")
    assert memory.available_bytes() == 2**26
    monkeypatch.setattr(resource, "getrlimit", lambda which: (2**25, 2**25))
    assert memory.available_bytes() == 2**25


def test_a_small_file_asks_for_no_large_circuit(tmp_path, memory_of):
    """A Relu of 3 x 2^22 lanes in a hundred bytes: 2^23 connections and more."""
    info = helper.make_tensor_value_info
    ends = [[info(name, TensorProto.FLOAT, (1, 3, 2048, 2048))] for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "net", *ends)
    opsets = [helper.make_opsetid("", 17)]
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    assert path.stat().st_size < 200
    graph = frontend.load(path)
    design = lower(graph)
    with pytest.raises(MemxcError, match=r"has 25,165,824 connections, .* 8,388,608 for"):
        memory.check(graph, design, "net", report_only=False, large=False)
    memory.check(graph, design, "net", report_only=False, large=True)
    memory.check(graph, design, "net", report_only=True, large=False)


def test_weights_account_for_connections(memory_of):
    """Only numbers in the file count: a broadcast number counts once."""
    graph = frontend.load(LENET)
    empty = replace(graph, weights={"w": np.broadcast_to(np.float32(1), 10**6)})
    design = lower(graph)
    memory_of(0)
    memory.check(graph, design, "net", report_only=False, large=False)
    with pytest.raises(MemxcError, match="takes 0 for a model that holds 0 numbers"):
        memory.check(empty, design, "net", report_only=False, large=False)
