"""The registry: discovery, duplicates, and the faults that no column has to think of."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

import memxc.ops
from memxc import ops
from memxc.lower import lower, survey

COLUMN = '''
from memxc.ir.stages import Circuit
from memxc.ops._nets import each
from memxc.ops._registry import operator

@operator({name!r})
def column(call):
    """Twice the signal."""
    return [each(call, "2*x0", Circuit("twice", opamps=1))]
'''

#: Adds a folder to the package's own, and says what the registry holds then.
DISCOVER = """
import sys
from importlib.machinery import PathFinder
find = PathFinder.find_spec
def with_folder(name, path=None, target=None):
    spec = find(name, path, target)
    if name == "memxc.ops":
        spec.submodule_search_locations.append(sys.argv[1])
    return spec
PathFinder.find_spec = with_folder
from memxc import ops
print(" ".join(ops.available()))
"""


def discover(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", DISCOVER, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_new_operator_is_one_new_file(tmp_path):
    (tmp_path / "twice.py").write_text(COLUMN.format(name="Twice"), "utf-8")
    done = discover(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Twice" in done.stdout.split()
    assert set(done.stdout.split()) == {*ops.available(), "Twice"}


def test_an_operator_with_two_columns_is_refused_with_both_files(tmp_path):
    (tmp_path / "again.py").write_text(COLUMN.format(name="Relu"), "utf-8")
    done = discover(tmp_path)
    assert done.returncode != 0
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("ImportError")]
    assert "'Relu'" in line
    assert str(tmp_path / "again.py") in line
    assert str(Path("ops") / "activation.py") in line


def test_columns_import_the_ir_and_nothing_heavy():
    code = "import sys, memxc.ops; print(*(n for n in sys.modules if '.' not in n or 'memxc' in n))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"onnx", "onnxruntime", "scipy", "pydantic", "jinja2", "click", "neospice"}
    rooms = {name.split(".")[1] for name in loaded if name.startswith("memxc.")}
    assert rooms == {"errors", "ir", "ops"}


def test_every_column_says_what_it_does():
    assert len(ops.available()) >= 35
    assert list(ops.available()) == sorted(ops.available())
    for column in ops.available().values():
        assert column.lower.__doc__, column.name
        assert Path(column.file).parent == Path(memxc.ops.__file__).parent


def test_an_unknown_operator_has_the_nearest_known_as_a_hint(hand_graph, faults_of):
    (fault,) = faults_of(hand_graph("HardSwiss", {"x": (2, 3)}, {}, {"y": (2, 3)}))
    assert fault.code == "unsupported-op"
    assert fault.where == "the_HardSwiss"
    assert "HardSwish" in fault.hint


def test_an_operator_of_another_domain_is_not_onnxs(hand_graph, faults_of):
    graph = hand_graph("Relu", {"x": (2, 3)}, {}, {"y": (2, 3)})
    graph = replace(graph, nodes=(replace(graph.nodes[0], domain="com.example"),))
    (fault,) = faults_of(graph)
    assert "com.example.Relu" in fault.what
    assert lower(replace(graph, nodes=(replace(graph.nodes[0], domain="ai.onnx"),))).stages


def test_all_undeclared_attributes_are_listed(hand_graph, faults_of):
    attrs = {"alpa": 0.1, "beta": 0.5, "consumed": 1}
    faults = faults_of(hand_graph("HardSigmoid", {"x": (2, 3)}, {}, {"y": (2, 3)}, attrs))
    assert [fault.code for fault in faults] == ["unsupported-attribute"] * 2
    assert "alpa" in faults[0].what
    assert "alpha" in faults[0].hint
    assert "consumed" in faults[1].what


def test_an_older_opset_than_covered(hand_graph, faults_of):
    (fault,) = faults_of(hand_graph("HardSwish", {"x": (2, 3)}, {}, {"y": (2, 3)}, {}, 13))
    assert "opset 14" in fault.what


def test_empty_tensors_are_refused(hand_graph, faults_of):
    faults = faults_of(hand_graph("Relu", {"x": (2, 0)}, {}, {"y": (2, 0)}))
    assert {fault.code for fault in faults} == {"unsupported-shape"}


def test_a_node_of_constants_only_is_refused(hand_graph, faults_of):
    graph = hand_graph("Relu", {}, {"w": np.ones((2, 3), np.float32)}, {"y": (2, 3)})
    (fault,) = faults_of(graph)
    assert "constant" in fault.what
    assert survey(graph)[0][0].kind == "refused"
