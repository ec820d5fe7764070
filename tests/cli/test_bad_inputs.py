"""Every mistake is a clear fault with the right exit code, and leaves nothing behind."""

import io
import json
import math
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from memxc.compiler.declaration import fields_of
from memxc.compiler.options import Options

TRAP = "x\n.control\nshell touch pwned\n.endc\n*"


def tree(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def change(model, edit):
    loaded = onnx.load(model)
    edit(loaded)
    onnx.save(loaded, model)


def nan_weights(m):
    m.graph.initializer[0].CopyFrom(
        numpy_helper.from_array(np.full((3, 2, 3, 2), np.nan, np.float32), "w")
    )


def cycle(m):
    m.graph.node[1].input[0] = "g"


def unknown(m):
    m.graph.node[1].op_type = "Fancy"
    m.graph.node[2].op_type = "Fancier"


def attribute(m):
    m.graph.node[1].attribute.append(helper.make_attribute("colour", "red"))


BAD = {
    "zero bytes": (lambda p: p.write_bytes(b""), "broken-model"),
    "random bytes": (lambda p: p.write_bytes(np.random.default_rng(1).bytes(999)), "broken-model"),
    "a picture": (lambda p: p.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(300)), "broken-model"),
    "truncated": (lambda p: p.write_bytes(p.read_bytes()[:-40]), "broken-model"),
    "unknown operators": (lambda p: change(p, unknown), "unsupported-op"),
    "undeclared attribute": (lambda p: change(p, attribute), ""),
    "a cycle": (lambda p: change(p, cycle), "broken-model"),
    "NaN weights": (lambda p: change(p, nan_weights), ""),
}


@pytest.mark.parametrize(("spoil", "code"), BAD.values(), ids=list(BAD))
@pytest.mark.parametrize("command", ["check", "compile"])
def test_bad_models(memxc, model, tmp_path, spoil, code, command):
    spoil(model)
    before = tree(tmp_path)
    done = memxc(command, model, *(["-o", tmp_path / "new" / "out"] * (command == "compile")))
    assert done.code == 3
    assert f"error[{code}" in done.err
    assert str(model) in done.err
    assert ("nothing was written" in done.err) == (command == "compile")
    assert tree(tmp_path) == before


def test_every_unknown_operator_is_named_at_once(memxc, model):
    change(model, unknown)
    done = memxc("check", model, "--json")
    assert {"Fancy", "Fancier"} <= set(done.out.replace('"', " ").split())


@pytest.mark.parametrize("name", [TRAP, "n" * 10_000, "../../up", "名前", ""])
def test_hostile_names_reach_no_netlist(memxc, model, tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def rename(m):
        m.graph.name = name or "net"
        m.graph.node[0].name = name
        for node in m.graph.node:
            for names in (node.input, node.output):
                for i, old in enumerate(names):
                    names[i] = name or old if old == "a" else old

    change(model, rename)
    assert memxc("compile", model, "-o", "out").code == 0
    assert memxc("verify", "out", "--count", "1").code == 0
    assert memxc("lvs", "out").code == 0
    for command in (
        ["report", "out"],
        ["show", "out"],
        ["show", "out", "--at", "deck"],
        ["check", model],
    ):
        assert "\nshell" not in memxc(*command).out
    assert not (tmp_path / "pwned").exists()
    for path in (tmp_path / "out" / "netlist").rglob("*.cir"):
        assert not re.search(rb"^[\s+]*(\.control|shell)", path.read_bytes(), re.M)
        assert len(path.name) < 100
    assert not (tmp_path.parent / "up").exists()


def _saved(save, *args, **arrays):
    with io.BytesIO() as file:
        save(file, *args, **arrays)
        return file.getvalue()


_ZIP = _saved(np.savez, x=np.zeros((3, 2, 6, 5)))
SAMPLES = {
    "not an archive": b"hello",
    "empty": b"",
    "a single array": _saved(np.save, np.zeros((3, 2, 6, 5))),
    "objects": _saved(np.savez, x=np.array([{}])),
    "cut short": _ZIP[:-40],
    "a member that is no array": _ZIP.replace(b"NUMPY", b"NUMPI", 1),
}


@pytest.mark.parametrize("content", SAMPLES.values(), ids=list(SAMPLES))
def test_bad_samples(memxc, model, tmp_path, content):
    (tmp_path / "s.npz").write_bytes(content)
    done = memxc("compile", model, "-o", tmp_path / "out", "--samples", tmp_path / "s.npz")
    assert done.code == 3
    assert f"error[bad-samples] {tmp_path / 's.npz'}: cannot be read as .npz" in done.err
    assert "numpy.savez" in done.err


@pytest.mark.parametrize("at", [6, 8, 10])
def test_a_zip_with_features_that_are_not_read(memxc, model, tmp_path, at):
    """Change the needed version, the flags and the method in the zip's central directory."""
    raw = bytearray(_ZIP)
    raw[raw.index(b"PK\1\2") + at] = 99
    (tmp_path / "s.npz").write_bytes(raw)
    done = memxc("compile", model, "-o", tmp_path / "out", "--samples", tmp_path / "s.npz")
    assert done.code == 3
    assert "error[bad-samples]" in done.err


@pytest.mark.parametrize(
    "text",
    ["", "name = 1", "[device]\nr_on_ohm = -5", "not toml at all {", "\x00"],
)
def test_bad_targets(memxc, model, tmp_path, text):
    (tmp_path / "t.toml").write_text(text)
    done = memxc("compile", model, "-o", tmp_path / "out", "-t", tmp_path / "t.toml")
    assert done.code == 3
    assert "error[bad-target]" in done.err


@pytest.mark.parametrize(
    "args",
    [
        ["--tile", "0"], ["--tile", "4x5x6"], ["--tile", "128xlots"], ["--input-range", "1,0"],
        ["--input-range", "1"], ["--stage-set", "conv"], ["--stage-set", "conv.schedule=often"],
        ["--stage-set", "nosuch.tile=64"], ["--budget", "money=5"], ["--budget", "power=5s"],
        ["--shape", "1x2"], ["--shape", "x=1x-2"], ["--dialect", "esperanto"], ["--seed", "-1"],
        ["--input-range", "0,1e400"], ["--input-range", "0,3.5e38"], ["--input-range=-1e39,0"],
        ["--budget", "power=1e9999999999999999999W"], ["--budget", "power=5,loss=1,power=6"],
        ["--passes", "nosuch"], ["--passes", "tile{nosuch=3}"], ["--schedule", "often"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_usage(memxc, model, tmp_path, args):
    done = memxc("compile", model, "-o", tmp_path / "out", *args)
    assert done.code == 2
    assert done.err
    assert not (tmp_path / "out").exists()


def test_inputs_up_to_the_end_of_float32():
    largest = float(np.finfo(np.float32).max)
    read = fields_of(Options)["input_range"].read
    assert read(f"{-largest!r},{largest!r}") == (-largest, largest)
    with pytest.raises(ValueError, match="float32"):
        read(f"0,{math.nextafter(largest, math.inf)!r}")


def test_the_output_is_a_file(memxc, model, tmp_path):
    (tmp_path / "out").write_text("mine")
    assert memxc("compile", model, "-o", tmp_path / "out", "--force").code == 2
    assert (tmp_path / "out").read_text() == "mine"


def test_an_output_that_cannot_be_made(memxc, model, tmp_path):
    (tmp_path / "file").write_text("mine")
    before = tree(tmp_path)
    done = memxc("compile", model, "-o", tmp_path / "file" / "deeper" / "out")
    assert done.code == 5
    assert "error[cannot-write]" in done.err
    assert tree(tmp_path) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_place(memxc, model, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    assert memxc("compile", model, "-o", tmp_path / "locked" / "out").code == 5


def test_a_full_disk(model, tmp_path):
    """Files of this process may not exceed 8 kB, so the write fails as on a full disk."""
    (tmp_path / "out").mkdir()
    before = tree(tmp_path)

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))

    done = subprocess.run(
        [sys.executable, "-m", "memxc", "compile", str(model), "-o", str(tmp_path / "out")],
        check=False, capture_output=True, text=True, timeout=300, preexec_fn=limit,
    )  # fmt: skip
    assert done.returncode == 5
    assert "error[cannot-write]" in done.stderr
    assert tree(tmp_path) == before


def test_a_target_in_the_output_folder_is_not_lost(memxc, model, tmp_path):
    assert memxc("compile", model, "-o", tmp_path / "out").code == 0
    mine = tmp_path / "out" / "mine.toml"
    mine.write_text("")
    done = memxc("compile", model, "-o", tmp_path / "out", "-t", mine, "--force")
    assert done.code != 0
    assert mine.is_file()


def test_a_folder_with_the_name_of_a_target(memxc, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert memxc("compile", model, "-o", "ideal", "-t", "ideal", "--report-only").code == 0
    assert memxc("compile", model, "-o", "paper-128", "--report-only").code == 0


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_stopped_while_writing(tmp_path, number):
    """Writing the reference network takes long enough that a signal arrives meanwhile."""
    model = Path(__file__).parents[2] / "models" / "msccnn_fashion.onnx"
    command = [
        sys.executable,
        "-m",
        "memxc",
        "compile",
        str(model),
        "-o",
        str(tmp_path / "new" / "out"),
    ]
    running = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # Behind a shell's & an interrupt is ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # noqa: PLW1509
    )  # fmt: skip
    while running.poll() is None and not list(tmp_path.glob("new/.memxc-*/new/netlist")):
        time.sleep(0.002)
    running.send_signal(number)
    _, err = running.communicate(timeout=300)
    assert running.returncode == {signal.SIGTERM: 143, signal.SIGINT: 130}[number]
    assert "Traceback" not in err
    assert tree(tmp_path) == []


@pytest.mark.parametrize("command", ["verify", "lvs", "report"])
def test_a_folder_that_is_not_ours(memxc, tmp_path, command):
    done = memxc(command, tmp_path)
    assert done.code == 3
    assert "not an output folder of memxc" in done.err


@pytest.mark.parametrize("name", ["manifest.json", "design.json", "design.npz", "samples.npz"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"[1, 2]", b"\xff\xfe"])
def test_a_folder_that_was_damaged(memxc, compiled, name, content):
    out = compiled()
    path = Path(out / name)
    path.unlink() if content is None else path.write_bytes(content)
    done = memxc("verify", out, "--count", "1")
    assert done.code == 3
    assert "error[bad-" in done.err


@pytest.fixture
def codes(tmp_path):
    """A model with a quantised input: x (1, 6) uint8, converted to float, times a matrix."""
    info = helper.make_tensor_value_info
    weight = np.random.default_rng(3).normal(size=(6, 4)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Cast", ["x"], ["f"], to=1), helper.make_node("MatMul", "fw", ["y"])],
        "net",
        [info("x", onnx.TensorProto.UINT8, (1, 6))],
        [info("y", onnx.TensorProto.FLOAT, (1, 4))],
        [numpy_helper.from_array(weight, "w")],
    )
    opset = [helper.make_opsetid("", 17)]
    path = tmp_path / "codes.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


@pytest.mark.parametrize("value", [0.5, -1, 256])
@pytest.mark.parametrize("command", ["compile", "verify", "simulate"])
def test_samples_that_are_no_codes(memxc, codes, tmp_path, command, value):
    out, other = tmp_path / "out", tmp_path / "other.npz"
    np.savez(other, x=np.full((3, 6), value), y=np.zeros(3, int))
    if command == "compile":
        done = memxc("compile", codes, "-o", out, "--samples", other)
    else:
        assert memxc("compile", codes, "-o", out).code == 0
        flag = {"verify": "--samples", "simulate": "--data"}[command]
        done = memxc(command, out, flag, other)
    assert done.code == 3
    assert f"holds {value:g}, the model takes uint8" in done.err


def test_a_folder_whose_samples_are_no_codes(memxc, codes, tmp_path):
    out = tmp_path / "out"
    assert memxc("compile", codes, "-o", out).code == 0
    assert memxc("verify", out, "--count", "1").code == 0
    np.savez(out / "samples.npz", x=np.full((3, 6), 0.5))
    done = memxc("verify", out)
    assert done.code == 3
    assert "the model takes uint8" in done.err
    manifest = json.loads((out / "manifest.json").read_text())
    for kinds in (None, ["x"], 3):
        (out / "manifest.json").write_text(json.dumps({**manifest, "kinds": kinds}))
        assert "error[bad-design]" in memxc("verify", out).err


def test_outputs_that_are_nan_are_told(memxc, model, tmp_path):
    """The square root of a negative number is reported in every message about the compilation."""

    def root(m):
        m.graph.node[5].op_type = "Sqrt"

    change(model, root)
    done = memxc("compile", model, "-o", tmp_path / "out", "-t", "ideal")
    assert done.code == 1
    assert "outputs are NaN" in done.err
    assert "error of a step: nan (lowered)" in done.out
    shown = memxc("report", tmp_path / "out")
    assert shown.code == 0
    assert "error of a step: nan (lowered)" in shown.out
    assert "outputs are NaN" in shown.out
    assert memxc("report", tmp_path / "out", "--json").json["fidelity"]["rungs"][0] == {
        "from": "onnxruntime", "to": "lowered", "max_abs_error": "nan", "max_rel_error": "nan",
    }  # fmt: skip


def test_outputs_that_are_infinite_are_told(memxc, model, tmp_path):
    """e to the power of 10000 and more."""

    def power(m):
        m.graph.node[1].op_type = "Exp"
        m.graph.initializer[0].CopyFrom(
            numpy_helper.from_array(np.full((3, 2, 3, 2), 1e4, np.float32), "w")
        )

    change(model, power)
    done = memxc("compile", model, "-o", tmp_path / "out", "-t", "ideal")
    assert done.code == 1
    assert "NaN or infinite on the samples" in done.err
