"""memxc.compile: models and samples in all forms, its faults, and parallel compilations."""

from __future__ import annotations

import filecmp
import gc
import sys
import threading
import types
from pathlib import Path

import numpy as np
import onnx
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import memxc
from memxc import target
from memxc.cli import _main
from memxc.compiler.run import compile_model


def files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def faults(call, *args, **kwargs):
    with pytest.raises(memxc.MemxcError) as caught:
        call(*args, **kwargs)
    return [(fault.code, fault.where, fault.what) for fault in caught.value.faults]


def test_the_folder_is_that_of_the_command_line(model, inputs, tmp_path, capfd):
    """A model and samples in memory; the model has the name of a model in memory."""
    named = model.rename(model.with_name("model.onnx"))
    samples = model.with_suffix(".samples.npz")
    options = ["--tile", "12x8", "--schedule", "sequential", "--prune", "ckf:0.3"]
    line = ["compile", str(named), "-o", str(tmp_path / "line"), "--samples", str(samples)]
    assert _main._run([*line, *options, "--quiet"]) == 0
    build = memxc.compile(
        onnx.load(named), samples=inputs, tile=(12, 8), schedule="sequential", prune=("ckf:0.3",)
    )
    assert files(build.folder) == files(tmp_path / "line")
    assert len(files(build.folder)) > 12
    same, *others = filecmp.cmpfiles(
        build.folder, tmp_path / "line", files(build.folder), shallow=False
    )
    assert (len(same), others) == (len(files(build.folder)), [[], []])
    assert capfd.readouterr() == ("", "")


def test_a_temporary_folder_goes_with_its_build(model):
    build = memxc.compile(model.read_bytes(), report_only=True)
    assert files(build.folder) == ["manifest.json", "report.html", "report.json", "report.md"]
    holder = build.folder.parent
    assert files(holder) == [f"build/{name}" for name in files(build.folder)]
    del build
    gc.collect()
    assert not holder.exists()


@pytest.mark.parametrize("output", [None, "out"])
def test_nothing_is_left_of_a_failure(model, tmp_path, monkeypatch, output):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    output = output and tmp_path / output
    assert faults(memxc.compile, model, samples=np.zeros((3, 2)), output=output) == [
        ("bad-samples", "samples:x", "has shape 3x2, the model wants samplesx2x6x5")
    ]
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("given", "keywords", "fault"),
    [
        ("no.onnx", {}, ("broken-model", "no.onnx", "no such file")),
        (b"", {}, ("broken-model", "model", "is empty (no bytes)")),
        ([1], {}, ("usage", "model", "has the type list")),
        (None, {"target": "nothing"}, ("bad-target", "nothing", "no such target")),
        (None, {"samples": "no.npz"}, ("bad-samples", "no.npz", "no such file")),
        (None, {"samples": [["a"]]}, ("bad-samples", "samples:x", "holds <U1, not numbers")),
        (None, {"samples": [[1], [2, 3]]}, ("bad-samples", "samples:x", "is no array")),
        (None, {"dialects": ("abc",)}, ("usage", "--dialect abc", "no such dialect")),
        (None, {"tile": (2, 4)}, ("usage", "--tile 2x4", "3 to 65536 rows")),
        (None, {"schedule": "abc"}, ("usage", "--schedule", "'parallel' or 'sequential'")),
        (None, {"dialects": ()}, ("usage", "dialects", "not a name, or a tuple of names")),
        (None, {"dialects": 3}, ("usage", "dialects", "3 is not a name")),
        (None, {"dialects": "abc"}, ("usage", "--dialect abc", "no such dialect")),
        (None, {"samples": ({"x": [[1]], "y": [1]}, [1])},
         ("usage", "samples", "an input has the name of the labels, y")),
        (None, {"progress": 3}, ("usage", "progress", "3 is not a function")),
        (None, {"progress": None}, ("usage", "progress", "None is not a function")),
        (None, {"prune": "abc"}, ("usage", "--prune abc", "there is no method 'abc'")),
        (None, {"inputs": "abc"}, ("usage", "--inputs abc", "")),
        (None, {"fix": {"x": "abc"}}, ("usage", "--fix", "is not a number")),
        (None, {"prun": ("ckf:0.5",)}, ("usage", "prun", "nexpected keyword")),
    ],
)  # fmt: skip
def test_faults_name_the_argument(model, given, keywords, fault):
    (found,) = faults(memxc.compile, model if given is None else given, **keywords)
    assert found[:2] == fault[:2]
    assert fault[2] in found[2]


def test_one_text_or_number_is_a_tuple_of_one(model):
    """Python would take a text for a tuple of letters."""
    given = {"mitigate": "reorder", "prune": "ckf:0.5", "outputs": "y"}
    build = memxc.compile(model, dialects="ngspice", report_only=True, **given)
    found = build.report.settings
    assert (found.mitigate, found.prune, found.outputs) == (("reorder",), ("ckf:0.5",), ("y",))


@pytest.mark.parametrize(
    ("value", "numbers"),
    [(2, (2.0,)), (np.float32(2), (2.0,)), (np.array(2), (2.0,)), (np.arange(2), (0.0, 1.0))],
)
def test_a_number_to_fix_is_one_number(value, numbers):
    options = memxc.Options(model=Path("x"), target=target.load("ideal"), fix={"gain": value})
    assert options.fix == {"gain": numbers}


def test_all_faults_at_once():
    other = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]>'
        "g (float[1,2] x) => (float[1,2] y) { a = Sin(x) b = Cos(a) y = Tan(b) }"
    )
    found = faults(memxc.compile, other)
    assert [(code, where) for code, where, _ in found] == [
        ("unsupported-op", "Sin_0"), ("unsupported-op", "Cos_1"), ("unsupported-op", "Tan_2"),
    ]  # fmt: skip


class Module:
    """Looks like a torch.nn.Module, with or without torch."""

    training = True

    def eval(self):
        self.training = False

    def modules(self):
        return [self]


def test_a_network_of_torch_without_torch(monkeypatch):
    monkeypatch.setattr(Module, "__module__", "torch.nn.modules.module")
    monkeypatch.setitem(sys.modules, "torch", None)
    ((code, where, what),) = faults(memxc.compile, Module(), example=np.zeros((1, 2)))
    assert (code, where) == ("missing-engine", "model")
    assert "is a network of torch" in what


def test_a_network_of_torch(model, inputs, monkeypatch):
    net = Module()
    monkeypatch.setattr(Module, "__module__", "torch.nn.modules.module")

    def export(module, args, path, verbose):
        assert (module, args, module.training, verbose) == (net, ("x",), False, False)
        Path(path).write_bytes(model.read_bytes())

    torch = types.SimpleNamespace(onnx=types.SimpleNamespace(export=export))
    monkeypatch.setitem(sys.modules, "torch", torch)
    build = memxc.compile(net, example="x", samples=inputs, report_only=True)
    assert build.report.samples == 7
    assert net.training
    assert faults(memxc.compile, net)[0][:2] == ("usage", "example")


def test_compilations_take_turns(model):
    """The second one waits until the first one has ended."""
    within, told = threading.Event(), []
    second = threading.Thread(
        target=memxc.compile, args=(model,),
        kwargs={"report_only": True, "progress": lambda text: told.append("second")},
    )  # fmt: skip

    def progress(text):
        told.append("first")
        if not within.is_set():
            within.set()
            second.start()
            second.join(0.5)

    memxc.compile(model, report_only=True, progress=progress)
    second.join()
    assert told == sorted(told)
    assert set(told) == {"first", "second"}


def test_the_threads_of_the_blas_are_given_back(model):
    def threads():
        return [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]

    seen = []
    with threadpool_limits(2, user_api="blas"):
        before = threads()
        if 2 not in before:
            pytest.skip("this BLAS has one thread only")
        memxc.compile(model, report_only=True, progress=lambda text: seen.append(threads()))
        assert threads() == before
    assert {count for counts in seen for count in counts} == {1}


def test_representations_are_short(model, inputs):
    build = memxc.compile(model, samples=inputs, report_only=True)
    total = build.report.resources.total
    assert repr(build) == (
        f"<memxc.Build 'net' for hfox-128: {total.crossbars} crossbars, "
        f"{total.memristors:,} memristors>"
    )
    compiled = compile_model(memxc.Options(model, target.load("ideal")), report_only=True)
    assert repr(compiled) == "<Compiled 'net' for 'ideal': 6 stages>"
