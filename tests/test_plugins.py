"""Plug-ins: the example package installed and used, and packages that cannot be used."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from memxc import plugins
from memxc.backends.cost import plugged
from memxc.errors import MemxcError

EXAMPLE = Path(__file__).parents[1] / "examples" / "plugin"

#: Runs command lines, given as JSON, in one process; prints [exit code, output, errors] of each.
#: Neither an import nor the help looks for plug-ins.
RUN = """
import contextlib, io, json, sys
import memxc.engines, memxc.interfaces, memxc.ops, memxc.passes, memxc.plugins, memxc.target
from memxc.cli import _main
with contextlib.redirect_stdout(io.StringIO()):
    _main._run(["--help"])
assert memxc.plugins._installed.cache_info().misses == 0
done = []
for arguments in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = _main._run(arguments)
    done.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(done))
"""


def run(folder, *commands, **environment):
    """The exit code, output and errors of each command, where a folder holds more packages."""
    lines = json.dumps([[str(word) for word in command] for command in commands])
    done = subprocess.run(
        [sys.executable, "-c", RUN, lines],
        env={**os.environ, "PYTHONPATH": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The example, built to a wheel and installed in a folder of its own."""
    folder = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(EXAMPLE, folder / "source")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    # A wheel of Python files alone is installed by unpacking it.
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Dense 6 -> 5, Asinh, dense 5 -> 3; with samples."""
    rng = np.random.default_rng(5)
    path = tmp_path_factory.mktemp("model") / "net.onnx"
    inits = [
        numpy_helper.from_array(rng.normal(size=size).astype(np.float32), name)
        for name, size in (("a", (6, 5)), ("b", (5, 3)))
    ]
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["h"]),
        helper.make_node("Asinh", ["h"], ["g"]),
        helper.make_node("MatMul", ["g", "b"], ["y"]),
    ]
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, width])]
        for name, width in (("x", 6), ("y", 3))
    ]
    graph = helper.make_graph(nodes, "net", *ends, inits)
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    np.savez(path.with_suffix(".samples.npz"), x=rng.uniform(-1, 1, (6, 6)))
    return path


PASSES = "fold-batchnorm,round-weights{bits=3},calibrate,schedule,partition,tile,program,share"


def test_the_example_is_installed_and_used(installed, model, tmp_path):
    out, decks = tmp_path / "out", tmp_path / "decks"
    decks.mkdir()
    asked = ["--target", "coarse-64", "--passes", PASSES, "--dialect", "ngspice"]
    lists = ("ops", "passes", "dialects", "engines", "targets")
    *listed, doctor, compiled, verified = run(
        installed,
        *((name, "--json") for name in lists),
        ("doctor",),
        ("compile", model, "-o", out, *asked, "--dialect", "smartspice"),
        ("verify", out, "--engine", "recorder", "--count", "2", "--json"),
        EXAMPLE_DECKS=str(decks),
    )
    names = {"Asinh", "round-weights", "smartspice", "recorder", "coarse-64"}
    rows = [row for done in listed for row in json.loads(done[1])]
    assert {row["name"] for row in rows if row["distribution"] == "memxc-example"} == names
    assert {row["distribution"] for row in rows} == {"memxc", "memxc-example"}
    assert doctor[0] == 0
    assert doctor[1].count("memxc-example 0.1\n") == 6
    assert (compiled[0], compiled[2]) == (0, "")
    # The operator is what onnxruntime computes; the pass lost something, and it is in the report.
    report = json.loads((out / "report.json").read_text("utf-8"))
    assert report["fidelity"]["passed"] is True
    (rounded,) = (row for row in report["passes"] if row["name"] == "round-weights")
    assert rounded["options"] == {"bits": 3}
    assert 0.001 < rounded["loss"]["after"] < 0.3
    # 6 x 5 and 5 x 3 weights of two devices each.
    figures = {"devices": 90, "time_s": pytest.approx(9e-5), "energy_j": pytest.approx(9e-10)}
    assert report["costs"] == {"programming": figures}
    for page in ("report.md", "report.html"):
        assert "Figures of plug-ins" in (out / page).read_text("utf-8")
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    assert manifest["plugins"] == {"memxc-example": "0.1"}
    assert ".inc 'cells/periphery.in'\n" in (out / "netlist" / "net.in").read_text("ascii")
    # The engine solved the netlist, in a process of its own.
    assert verified[0] == 0, verified
    assert json.loads(verified[1])["ok"] is True
    assert any("vk k 0 0" in deck.read_text() for deck in decks.iterdir())


def package(folder, name, group, entry, value, source=""):
    """A package that is installed in a folder: one module, one entry point."""
    module = value.partition(":")[0]
    (folder / f"{module}.py").write_text(source, "utf-8")
    info = folder / f"{name.replace('-', '_')}-2.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.5\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{entry} = {value}\n")


OPERATOR = """
from memxc.interfaces import operator

@operator({name!r})
def column(call):
    "Nothing."
    return []
"""
#: (group, name, source of the module, what the warning says behind the distribution's name)
UNUSABLE = {
    "missing": ("memxc.ops", "Asinh", "import nowhere_to_be_found", "ModuleNotFoundError"),
    "syntax": ("memxc.passes", "odd", "def :", "SyntaxError"),
    "leaves": ("memxc.passes", "odd", "import sys; sys.exit(3)", "SystemExit: 3"),
    "our-operator": ("memxc.ops", "Relu", OPERATOR.format(name="Relu"), "memxc itself uses"),
    "other-operator": ("memxc.ops", "Sinh", OPERATOR.format(name="Cosh"), "'Sinh'"),
    "our-pass": ("memxc.passes", "tile", "column = 1", "memxc itself uses this name"),
    "no-pass": ("memxc.passes", "odd", "column = int", "is not a class that is a GraphPass"),
    "our-engine": ("memxc.engines", "ngspice", "column = 1", "memxc itself uses this name"),
    "no-engine": ("memxc.engines", "odd", "column = 1", "it has no name"),
    "our-target": ("memxc.targets", "ideal", "column = 1", "memxc itself uses this name"),
    "no-target": ("memxc.targets", "odd", "column = 'odd.toml'", "is not the pathlib.Path"),
    "base": ("memxc.dialects", "base", "column = 1", "memxc itself uses this name"),
    "no-dialect": ("memxc.dialects", "odd", "column = 1", "is not a pathlib.Path"),
    "no-cost": ("memxc.costs", "odd", "column = 1", "is not a class that is a Cost"),
    "name": ("memxc.costs", "a\x1b[31m b", "column = 1", "letters, digits"),
}


def test_what_cannot_be_used_is_named_and_left_out(tmp_path):
    for number, (name, (group, entry, source, _)) in enumerate(UNUSABLE.items()):
        package(tmp_path, name, group, entry, f"unusable{number}:column", source)
    # Of two packages with one name the second is left out, and not even imported.
    for name in ("beta", "alpha"):
        source = f"import sys; sys.stderr.write('{name} runs.\\n')\n" + OPERATOR.format(name="Acos")
        package(tmp_path, name, "memxc.ops", "Acos", f"of_{name}:column", source)
    doctor, ops, passes, engines = run(
        tmp_path,
        ("doctor", "--json"),
        ("ops", "--json"),
        ("passes", "--json"),
        ("engines", "--json"),
    )
    assert doctor[0] == 0
    for name, (group, entry, _, said) in UNUSABLE.items():
        (line,) = [line for line in doctor[2].splitlines() if f"plug-in {name}: " in line]
        assert line.startswith("warning: ")
        assert line.isprintable()
        assert said in line
        assert entry.partition("\x1b")[0] in line
        assert plugins.KINDS[group] in line
    assert "plug-in beta: its operator 'Acos' is left out: alpha 2.5 uses this" in ops[2]
    assert ("alpha runs." in doctor[2], "beta runs." in doctor[2]) == (True, False)
    others = [row for row in json.loads(ops[1]) if row["distribution"] != "memxc"]
    assert [(row["name"], row["distribution"]) for row in others] == [("Acos", "alpha")]
    assert not {"Asinh", "Sinh", "Cosh"} & {row["name"] for row in json.loads(ops[1])}
    assert {row["distribution"] for row in json.loads(passes[1])} == {"memxc"}
    known = {row["name"]: row["distribution"] for row in json.loads(engines[1])}
    assert known == dict.fromkeys(("neospice", "ngspice", "vacask"), "memxc")


FAILING = """
from dataclasses import dataclass
from memxc.interfaces import Cost, GraphPass

class Bad(Cost):
    name = "bad"
    def measure(self, design, context):
        return {body}

@dataclass(frozen=True)
class Breaks(GraphPass):
    name = "breaks"
    def run(self, graph, context):
        return graph.no_such_thing
"""


@pytest.mark.parametrize(
    ("body", "said"),
    [("1 / 0", "failed: ZeroDivisionError"), ("{}", "gives dict, not a dataclass")],
)
def test_a_cost_that_fails_is_a_fault_with_its_package(body, said, tmp_path, monkeypatch):
    package(tmp_path, "bad", "memxc.costs", "bad", f"failing_{len(body)}:Bad",
            FAILING.format(body=body))  # fmt: skip
    monkeypatch.syspath_prepend(tmp_path)
    plugins._installed.cache_clear()
    try:
        with pytest.raises(MemxcError) as caught:
            plugged.measure(None, None)
    finally:
        monkeypatch.undo()
        plugins._installed.cache_clear()
        plugins._added.clear()
    (fault,) = caught.value.faults
    assert (fault.code, fault.where) == ("bad-plugin", "cost bad of bad 2.5")
    assert said in fault.what


def test_a_pass_that_raises_names_its_package(model, tmp_path):
    package(tmp_path, "broken-pass", "memxc.passes", "breaks", "broken_pass:Breaks",
            FAILING.format(body="0"))  # fmt: skip
    # Without Asinh the network has no circuit, so another one is taken: its passes are not reached.
    loaded = onnx.load(model)
    loaded.graph.node[1].op_type = "Relu"
    onnx.save(loaded, tmp_path / "net.onnx")
    asked = ("--passes", f"breaks,{PASSES.replace('round-weights{bits=3},', '')}")
    ((code, _, said),) = run(
        tmp_path,
        ("compile", tmp_path / "net.onnx", "-o", tmp_path / "out", *asked),
        TMPDIR=str(tmp_path),
    )
    assert code == 70
    assert "the plug-in broken-pass 2.5 has failed; nothing was written: AttributeError" in said
    assert "memxc has failed" not in said
    assert "Traceback" not in said
