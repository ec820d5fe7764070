"""The registry: discovery, duplicates, and the faults that no column has to think of."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

import memxc.ops
from memxc import ops
from memxc.ops.lower import survey

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
    assert rooms == {"errors", "ir", "ops", "plugins"}


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


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("op", ["LeakyRelu", "Elu", "HardSigmoid", "ThresholdedRelu", "Selu"])
def test_attributes_that_are_no_finite_numbers(op, value, hand_graph, faults_of):
    graph = hand_graph(op, {"x": (2, 3)}, {}, {"y": (2, 3)}, {"alpha": value})
    (fault,) = faults_of(graph)
    assert fault.code == "unsupported-attribute"
    assert f"alpha = {value}" in fault.what


def test_all_attributes_that_are_no_finite_numbers_are_listed(hand_graph, faults_of):
    attrs = {"alpha": np.nan, "beta": np.inf, "gamma": np.inf}
    faults = faults_of(hand_graph("HardSigmoid", {"x": (2, 3)}, {}, {"y": (2, 3)}, attrs))
    assert [word for fault in faults for word in attrs if word in fault.what] == [
        "gamma", "alpha", "beta",
    ]  # fmt: skip


def test_no_column_takes_a_number_that_is_none(hand_graph, faults_of):
    """Whatever an operator declares: lists and tensors of numbers too."""
    for column in ops.available().values():
        for name in column.attrs:
            for value in (np.nan, (1.0, np.nan), np.array([np.nan])):
                graph = hand_graph(column.name, {"x": (2, 3)}, {}, {"y": (2, 3)}, {name: value}, 28)
                codes = [f.code for f in faults_of(graph) if f"{name} = " in f.what]
                assert codes == ["unsupported-attribute"], (column.name, name)


@pytest.mark.parametrize("value", [2, -1, (1, 1), np.array([0, 1]), np.array([1])])
def test_flags_that_are_neither_yes_nor_no(value, hand_graph, faults_of):
    graph = hand_graph("ArgMax", {"x": (2, 3)}, {}, {"y": (2, 1)}, {"keepdims": value})
    (fault,) = faults_of(graph)
    assert fault.code == "unsupported-attribute"
    assert "neither 0 nor 1" in fault.what


def test_refused_operators_say_why(hand_graph, faults_of):
    assert "TopK" in ops.refusals()
    assert not set(ops.refusals()) & set(ops.available())
    for name, reason in ops.refusals().items():
        graph = hand_graph(name, {"x": (1, 2, 3, 5)}, {}, {"y": (1, 2, 3, 5)}, {"any": 1}, 28)
        (fault,) = faults_of(graph)
        assert fault.code == "unsupported-op"
        assert fault.what == f"{name}: {reason}"
        assert fault.hint
        assert survey(graph)[0][0].circuit == fault.what


@pytest.mark.skipif(onnx.defs.onnx_opset_version() < 23, reason="some are of opset 23")
def test_refused_operators_are_onnxs_own():
    assert set(ops.refusals()) <= {schema.name for schema in onnx.defs.get_all_schemas()}


def test_an_operator_with_a_column_and_a_reason_is_refused(tmp_path):
    (tmp_path / "zz.py").write_text(COLUMN.format(name="TopK"), "utf-8")
    done = discover(tmp_path)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("ImportError")]
    assert "'TopK'" in line
    assert str(tmp_path / "zz.py") in line
