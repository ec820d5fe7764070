"""examples/ci: the Makefile rebuilds what changed, the diff is a comment, the hook refuses."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

EXAMPLE = Path(__file__).parent.parent / "examples" / "ci"
MEMXC = str(Path(sys.executable).parent / "memxc")


def network(path, columns, seed=1):
    weight = np.random.default_rng(seed).normal(size=(3, columns)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["a"], name="dense"),
         helper.make_node("Relu", ["a"], ["y"], name="relu")],
        "net", [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, columns))],
        [numpy_helper.from_array(weight, "w")],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)


def run(folder, *command, fails=False, **environment):
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "MEMXC": MEMXC, **environment},
    )  # fmt: skip
    assert bool(done.returncode) == fails, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    folder = shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("ci") / "head")
    (folder / "models").mkdir()
    network(folder / "models" / "one.onnx", 4)
    network(folder / "models" / "two.onnx", 5)
    run(folder, "make", "-s")
    return folder


def test_only_what_changed_is_built_again(repository, tmp_path, ngspice):
    assert "Nothing to be done" in run(repository, "make")
    base = shutil.copytree(repository, tmp_path / "base", symlinks=True)
    before = (repository / "build" / "one.cir").stat().st_mtime_ns
    network(repository / "models" / "two.onnx", 9)
    said = run(repository, "make")
    assert "models/two.onnx" in said
    assert "models/one.onnx" not in said
    assert (repository / "build" / "one.cir").stat().st_mtime_ns == before
    deck = repository / "build" / "two.cir"
    done = subprocess.run(
        [ngspice, "-n", "-b", deck.name],
        cwd=deck.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "No such file" not in done.stderr + done.stdout
    # The comment of a pull request: one network is the same, the other has grown too much.
    said = run(repository, "make", "-s", "diff", f"BASE={base / 'build'}", fails=True)
    assert "No figure changed." in said
    assert re.search(r"- :x: over budget: power grows from .* and 5 % more is allowed", said)
    assert re.search(r"^\| memristors \| 30 \| 54 \| \W+80\W+0% \|$", said, re.M)
    assert "<summary>4 settings that differ</summary>" in said
    shutil.rmtree(base / "build" / "two")
    said = run(repository, "make", "-s", "diff", f"BASE={base / 'build'}")
    assert "two is new" in said


def test_the_hook_refuses_a_commit_over_the_budget(repository, tmp_path):
    folder = shutil.copytree(repository, tmp_path / "repository", symlinks=True)
    git = (
        "git",
        "-c",
        "user.name=A B",
        "-c",
        "user.email=a@b.c",
        "-c",
        "core.hooksPath=.git/hooks",
    )
    run(folder, "git", "init", "-q")
    run(folder, "make", "-s", "hook")
    run(folder, *git, "add", "models", "Makefile")
    run(folder, *git, "commit", "-qm", "networks")
    makefile = folder / "Makefile"
    makefile.write_text(makefile.read_text().replace("power=20W", "power=1uW"))
    network(folder / "models" / "one.onnx", 6)
    run(folder, *git, "add", "models")
    said = run(folder, *git, "commit", "-qm", "larger", fails=True)
    assert "over budget" in said
    assert "networks" in run(folder, "git", "log", "--oneline", "-1")


def test_the_workflow_calls_the_makefile():
    text = (EXAMPLE / ".github" / "workflows" / "circuits.yml").read_text()
    targets = set(re.findall(r"make (?:-s )?-C head ?(\w*)", text))
    makefile = (EXAMPLE / "Makefile").read_text()
    assert targets == {"", "diff"}
    assert all(re.search(rf"^{name}:", makefile, re.M) for name in ("all", "diff"))
