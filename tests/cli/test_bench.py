"""memxc bench: ngspice alone, on the printed test bench, agrees with onnxruntime."""

from __future__ import annotations

import re
import subprocess

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from memxc.evaluation import reference


def weights(shape, seed, name):
    values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return onnx.numpy_helper.from_array(values, name)


def saved(path, nodes, inits, inputs, outputs):
    """Write a model with float32 inputs and outputs, {name: shape}, to a file."""
    ends = [
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in some.items()]
        for some in (inputs, outputs)
    ]
    graph = helper.make_graph(nodes, "net", *ends, inits)
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


@pytest.fixture
def simulated(memxc, ngspice, tmp_path):
    """simulated(folder, *args) -> the bench, and the numbers that ngspice prints for it.

    The expected value behind each number has to agree with it.
    """

    def run(folder, *args):
        done = memxc("bench", folder, *args)
        assert (done.code, done.err) == (0, "")
        (tmp_path / "bench.cir").write_text(done.out)
        # From elsewhere: the bench knows where its netlist is.
        command = [ngspice, "-b", str(tmp_path / "bench.cir")]
        said = subprocess.run(command, check=True, capture_output=True, text=True, cwd="/").stdout
        pairs = re.findall(r"^v\(\S+ = (\S+)\s+expected: (\S+)$", said, re.M)
        found, expected = (list(map(float, numbers)) for numbers in zip(*pairs, strict=True))
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)
        return done.out, found

    return run


def answers(model, **inputs):
    """The outputs of onnxruntime for one sample, all in a row."""
    found = reference.session(model).run(None, inputs)
    return np.concatenate([each.ravel() for each in found])


def test_the_bench_gives_what_onnxruntime_gives(memxc, simulated, tmp_path):
    """5 and 3 inputs; 4 outputs, and 2 that a Gather takes from the signal behind the first."""
    nodes = [
        helper.make_node("Gemm", ["a", "wa", "ba"], ["left"]),
        helper.make_node("Gemm", ["b", "wb"], ["right"]),
        helper.make_node("Add", ["left", "right"], ["sum"]),
        helper.make_node("Gather", ["sum", "which"], ["some"], axis=1),
    ]
    inits = [weights((5, 4), 1, "wa"), weights((4,), 2, "ba"), weights((3, 4), 3, "wb")]
    inits.append(onnx.numpy_helper.from_array(np.array([3, 1]), "which"))
    inputs, outputs = {"a": [1, 5], "b": [1, 3]}, {"sum": [1, 4], "some": [1, 2]}
    model = saved(tmp_path / "two.onnx", nodes, inits, inputs, outputs)
    rng = np.random.default_rng(0)
    samples = {"a": rng.normal(size=(2, 5)), "b": rng.normal(size=(2, 3))}
    samples = {name: values.astype(np.float32) for name, values in samples.items()}
    np.savez(model.with_suffix(".samples.npz"), **samples)
    out = tmp_path / "out"
    assert memxc("compile", model, "-o", out, "--target", "ideal").code == 0
    for number in (1, 2):
        _, found = simulated(out, "--sample", number)
        one = {name: values[number - 1 : number] for name, values in samples.items()}
        wanted = answers(model, **one)
        assert found == pytest.approx(wanted, rel=1e-4, abs=1e-5)
        assert len(set(np.round(wanted[:4], 3))) == 4


def test_places_take_turns(memxc, simulated, tmp_path):
    """Two convolutions in sequence, with 9 and 6 places, and a dense layer."""
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["c"]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Conv", ["r", "l"], ["d"], pads=[0, 1, 0, 0], name="second"),
        helper.make_node("Flatten", ["d"], ["f"]),
        helper.make_node("Gemm", ["f", "w", "b"], ["y"]),
    ]
    inits = [weights((3, 2, 2, 2), 1, "k"), weights((2, 3, 2, 2), 2, "l"),
             weights((12, 4), 3, "w"), weights((4,), 4, "b")]  # fmt: skip
    model = saved(tmp_path / "net.onnx", nodes, inits, {"x": [1, 2, 4, 4]}, {"y": [1, 4]})
    x = np.random.default_rng(4).uniform(-1, 1, (2, 2, 4, 4)).astype(np.float32)
    np.savez(model.with_suffix(".samples.npz"), x=x)
    for signed in ("differential", "inverted-inputs"):
        out = tmp_path / signed
        options = ("--target", "ideal", "--schedule", "sequential", "--signed", signed)
        assert memxc("compile", model, "-o", out, *options).code == 0
        bench, found = simulated(out)
        assert found == pytest.approx(answers(model, x=x[:1]), rel=1e-4)
        periods = re.findall(r"^\* (s\d+)_\w+, period (\d+)$", bench, re.M)
        assert [int(period) for stage, period in periods if stage == "s00"] == [*range(8, -1, -1)]
        assert [int(period) for stage, period in periods if stage == "s02"] == [*range(5, -1, -1)]


@pytest.fixture(scope="module")
def softmax(tmp_path_factory):
    """Conv 2 -> 3 on 3 x 4, dense 18 -> 5, Reshape, Softmax; no netlist may have this name."""
    path = tmp_path_factory.mktemp("softmax") / "net.onnx"
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["c"]),
        helper.make_node("Flatten", ["c"], ["f"]),
        helper.make_node("Gemm", ["f", "w", "b"], ["g"]),
        helper.make_node("Softmax", ["g"], ["s"], name="soft\n.control"),
        helper.make_node("Reshape", ["s", "as"], ["y"]),
    ]
    inits = [weights((3, 2, 2, 2), 1, "k"), weights((18, 5), 2, "w"), weights((5,), 3, "b")]
    inits.append(onnx.numpy_helper.from_array(np.array([1, 5, 1]), "as"))
    saved(path, nodes, inits, {"x": [1, 2, 3, 4]}, {"y": [1, 5, 1]})
    x = np.random.default_rng(4).uniform(-1, 1, (2, 2, 3, 4)).astype(np.float32)
    np.savez(path.with_suffix(".samples.npz"), x=x)
    return path


def test_of_a_softmax_the_bench_prints_the_logits(memxc, simulated, softmax, tmp_path):
    out = tmp_path / "out"
    assert memxc("compile", softmax, "-o", out, "--target", "ideal").code == 0
    (line,) = re.findall(r"^\* output .*$", (out / "netlist" / "net.cir").read_text(), re.M)
    assert re.fullmatch(
        r"\* output 1, lanes 0 to 4: n\d+_0 to n\d+_4, \S+ V a unit, before s\d\d_soft_control",
        line,
    )
    bench, found = simulated(out)
    assert bench.count(".control") == 1
    assert "* output 1 is computed by s03_soft_control: what is printed are its inputs\n" in bench
    power = np.exp(np.array(found) - max(found))
    x = np.load(softmax.with_suffix(".samples.npz"))["x"][:1]
    assert power / power.sum() == pytest.approx(answers(softmax, x=x), rel=1e-4)


def test_what_cannot_be_simulated_is_a_fault(memxc, compiled):
    out = compiled()
    done = memxc("bench", out, "--sample", 8)
    assert (done.code, done.out) == (2, "")
    assert "has only 7 samples" in done.err
    quoted = out.rename(out.with_name('a "quote"'))
    assert memxc("bench", quoted).code == 2
    with (quoted / "netlist" / "net.cir").open("a") as file:
        file.write(".control\nshell true\n.endc\n")
    done = memxc("bench", quoted)
    assert (done.code, done.out) == (3, "")
    assert ".control" in done.err
