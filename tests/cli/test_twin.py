"""memxc twin writes the circuit that simulate scored, also if --set programs it again."""

from __future__ import annotations

import json
import shutil
from importlib import resources

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from memxc import __version__
from memxc.cli import _main
from memxc.evaluation import reference
from memxc.simulate.points import _PROGRAMMED

#: A setting for every key that decides programming, far enough from what is compiled to show.
SET = {
    "device.r_on_ohm": "device.r_on=2e4",
    "device.r_off_ohm": "device.r_off=2e4",
    "device.levels": "device.levels=4",
    "device.states": "device.states_csv={states}",
    "device.read_voltage_v": "device.read_voltage=0.1",
    "device.threshold_v": "device.threshold=0.2",
    "crossbar.rows": "crossbar.rows=9",
    "crossbar.columns": "crossbar.columns=4",
    "amplifier.gain": "amplifier.gain=1000",
    "amplifier.swing_v": "amplifier.swing=0.05",
}
#: Wires, so that what is cut otherwise answers otherwise.
WIRES = ("wire.r_word_line=4", "wire.r_bit_line=7")


def weights(shape, seed, name):
    values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return numpy_helper.from_array(values, name)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("twin")


@pytest.fixture(scope="module")
def net(place):
    """Dense 13 -> 5, relu, dense 5 -> 3: no matrix is square."""
    info, node = helper.make_tensor_value_info, helper.make_node
    nodes = [
        node("Gemm", ["x", "w", "b"], ["a"], name="first"),
        node("Relu", ["a"], ["r"], name="relu"),
        node("Gemm", ["r", "v", "c"], ["y"], name="last"),
    ]
    inits = [weights((13, 5), 1, "w"), weights((5,), 2, "b"), weights((5, 3), 3, "v"),
             weights((3,), 4, "c")]  # fmt: skip
    ends = [info("x", TensorProto.FLOAT, (1, 13))], [info("y", TensorProto.FLOAT, (1, 3))]
    graph = helper.make_graph(nodes, "net", *ends, inits)
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), place / "net.onnx")
    x = np.random.default_rng(9).uniform(-1, 1, (7, 13))
    np.savez(place / "net.samples.npz", x=x)
    return place / "net.onnx"


@pytest.fixture(scope="module")
def out(net, place):
    """paper-128 with op-amps of so little gain that their load has an effect."""
    text = (resources.files("memxc") / "targets" / "paper-128.toml").read_text()
    (place / "weak.toml").write_text(text.replace("gain = 1.0e5", "gain = 60"))
    args = "-o", place / "out", "-t", place / "weak.toml", "--quiet"
    assert _main._run([str(arg) for arg in ("compile", net, *args)]) == 0
    return place / "out"


@pytest.fixture(scope="module")
def x(place):
    """Inputs beyond those of the calibration, so that limiters clip."""
    found = np.random.default_rng(3).uniform(-1.3, 1.3, (20, 13)).astype(np.float32)
    np.savez(place / "data.npz", x=found)
    return found


@pytest.fixture
def states(tmp_path):
    (tmp_path / "states.csv").write_text("mean_ohm,sigma_ohm\n1e4,100\n3e4,300\n4e5,4000\n")
    return tmp_path / "states.csv"


def score(model, twin, x):
    """The mean over samples of max|a - b| / max|b|, both files in onnxruntime."""
    right, got = (
        [reference.session(path).run(None, {"x": row[None]})[0] for row in x]
        for path in (model, twin)
    )
    return np.mean([np.abs(a - b).max() / np.abs(b).max() for a, b in zip(got, right, strict=True)])


def simulated(memxc, out, *settings, draws=1):
    """The scores of simulate's draws, and the keys for which it programmed the network again."""
    data = out.parent / "data.npz"
    args = [word for setting in settings for word in ("--set", setting)]
    done = memxc("simulate", out, "--data", data, *args, "--draws", draws, "--seed", 5, "--json")
    assert done.code == 0, done.err
    (row,) = done.json["rows"]
    return row["scores"], row["reprogrammed"]


def twinned(memxc, net, out, x, *settings, draw=1):
    """The score of the file that twin writes with the same settings, and twin's messages."""
    path = out.parent / f"{draw}.onnx"
    args = [word for setting in settings for word in ("--set", setting)]
    done = memxc("twin", out, "-o", path, *args, "--draw", draw, "--seed", 5)
    assert done.code == 0, done.err
    return score(net, path, x), done.out


def test_every_key_that_decides_programming_has_a_case():
    assert set(SET) == {f"{table}.{key}" for table, keys in _PROGRAMMED.items() for key in keys}


@pytest.mark.parametrize("key", SET)
def test_a_key_that_decides_programming(memxc, net, out, x, states, key):
    settings = *WIRES, SET[key].format(states=states)
    (as_compiled,), _ = simulated(memxc, out, *WIRES)
    (asked,), again = simulated(memxc, out, *settings)
    assert key in again
    assert asked != pytest.approx(as_compiled, rel=1e-2)  # or the key would not show below
    found, said = twinned(memxc, net, out, x, *settings)
    assert found == pytest.approx(asked, rel=1e-4)
    assert f"Programmed again, because --set changes {', '.join(again)}." in said


def test_several_keys_and_draws(memxc, net, out, x):
    settings = (
        "device.levels=4", "device.r_on=2e4", "crossbar.rows=9", "crossbar.columns=4",
        "device.sigma=0.2",
    )  # fmt: skip
    scores, again = simulated(memxc, out, *settings, draws=3)
    assert again == ["device.r_on_ohm", "device.levels", "crossbar.rows", "crossbar.columns"]
    assert len(set(scores)) == 3
    for draw in (1, 3):
        found, _ = twinned(memxc, net, out, x, *settings, draw=draw)
        assert found == pytest.approx(scores[draw - 1], rel=1e-4)


def test_another_resistance_range_with_drawn_devices(memxc, net, out, x):
    """Devices of the compiled range would be outside the range of the target."""
    settings = "device.r_on=2e4", "device.sigma=0.1"
    scores, _ = simulated(memxc, out, *settings)
    assert twinned(memxc, net, out, x, *settings)[0] == pytest.approx(scores[0], rel=1e-4)


def test_nothing_is_programmed_again_for_other_keys(memxc, net, out, x):
    scores, again = simulated(memxc, out, *WIRES, "device.levels=0")
    found, said = twinned(memxc, net, out, x, *WIRES, "device.levels=0")
    assert again == []
    assert "rogrammed again" not in said
    assert found == pytest.approx(scores[0], rel=1e-4)


def faults(done):
    """Only the faults, without simulate's warnings and twin's note that nothing was written."""
    found = [line for line in done.err.splitlines() if line.startswith(("error[", "  hint: "))]
    assert found
    return found


@pytest.mark.parametrize("lost", ["gone", "another"])
def test_what_cannot_be_programmed_again_is_the_fault_of_simulate(memxc, out, x, tmp_path, lost):
    data, file = out.parent / "data.npz", tmp_path / "twin.onnx"
    out = shutil.copytree(out, tmp_path / "out", ignore=shutil.ignore_patterns("simulate"))
    model = out / "model.onnx"
    if lost == "gone":
        model.unlink()
    else:
        changed = onnx.load(model)
        changed.graph.initializer[0].CopyFrom(weights((13, 5), 8, "w"))
        onnx.save(changed, model)
    asked = "--set", "device.levels=4"
    twin = memxc("twin", out, "-o", file, *asked)
    simulate = memxc("simulate", out, "--data", data, *asked)
    assert (twin.code, faults(twin)) == (simulate.code, faults(simulate))
    assert twin.code == 2
    assert ("device.levels" if lost == "gone" else "gives another design") in twin.err
    assert not file.exists()
    assert memxc("twin", out, "-o", file).code == 0


def constant(values, kind, name):
    return numpy_helper.from_array(np.array(values, dtype=kind), name)


#: Nodes, weights, and the ends: name, type and shape of the input and of each output. No two axes
#: of a sample are equal, and batches are open, of one, or missing.
OF_TYPES = {
    "uint8 in, one picture": (
        [("DequantizeLinear", ["x", "s", "z"], ["d"]), ("Gemm", ["d", "w", "b"], ["y"]),
         ("ArgMax", ["y"], ["i"], {"axis": 1, "keepdims": 0})],
        [constant(0.02, "f4", "s"), constant(3, "u1", "z"), weights((13, 5), 1, "w"),
         weights((5,), 2, "b")],
        ("x", "UINT8", (1, 13)), [("y", "FLOAT", (1, 5)), ("i", "INT64", (1,))],
    ),
    "uint8 in and out": (
        [("DequantizeLinear", ["x", "s", "z"], ["d"]), ("Gemm", ["d", "w", "b"], ["g"]),
         ("QuantizeLinear", ["g", "t", "z"], ["y"])],
        [constant(0.02, "f4", "s"), constant(0.1, "f4", "t"), constant(3, "u1", "z"),
         weights((13, 5), 1, "w"), weights((5,), 2, "b")],
        ("x", "UINT8", ("pictures", 13)), [("y", "UINT8", ("pictures", 5))],
    ),
    "float16, any batch": (
        [("Gemm", ["x", "w", "b"], ["g"]), ("Relu", ["g"], ["y"])],
        [numpy_helper.from_array(numpy_helper.to_array(weights((13, 5), 1, "w")).astype("f2"), "w"),
         constant([0, 1, 2, 3, 4], "f2", "b")],
        ("x", "FLOAT16", ("n", 13)), [("y", "FLOAT16", ("n", 5))],
    ),
    "bool out, rows of a sample": (
        [("Gemm", ["x", "w", "b"], ["g"]), ("Reshape", ["g", "as"], ["y"]),
         ("Greater", ["y", "t"], ["p"])],
        [weights((13, 6), 1, "w"), weights((6,), 2, "b"), constant([-1, 2], "i8", "as"),
         constant(0.3, "f4", "t")],
        ("x", "FLOAT", ("n", 13)), [("y", "FLOAT", ("rows", 2)), ("p", "BOOL", ("rows", 2))],
    ),
}  # fmt: skip


@pytest.fixture(params=OF_TYPES)
def typed(request, tmp_path):
    nodes, inits, *ends = OF_TYPES[request.param]
    nodes = [helper.make_node(*node[:3], **(node[3:] or [{}])[0]) for node in nodes]
    ends = [
        [helper.make_tensor_value_info(n, TensorProto.DataType.Value(k), s) for n, k, s in some]
        for some in ([ends[0]], ends[1])
    ]
    graph = helper.make_graph(nodes, "net", *ends, inits)
    path, opsets = tmp_path / "net.onnx", [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def taken_and_given(session):
    return [(v.name, v.type, v.shape) for v in (*session.get_inputs(), *session.get_outputs())]


def test_the_twin_takes_and_gives_what_the_model_does(memxc, typed, tmp_path):
    """Same names, types and shapes; the circuit of an ideal target also gives the same numbers."""
    assert memxc("compile", typed, "-o", tmp_path / "out", "-t", "ideal").code == 0
    assert memxc("twin", tmp_path / "out", "-o", tmp_path / "twin.onnx").code == 0
    right, twin = (reference.session(path) for path in (typed, tmp_path / "twin.onnx"))
    assert taken_and_given(twin) == taken_and_given(right)
    (x,) = right.get_inputs()
    count = 1 if x.shape[0] == 1 else 4
    values = np.random.default_rng(6).uniform(0, 1 if "float" in x.type else 255, (count, 13))
    kind = {"tensor(uint8)": "u1", "tensor(float16)": "f2"}.get(x.type, "f4")
    pairs = zip(*(s.run(None, {"x": values.astype(kind)}) for s in (twin, right)), strict=True)
    for found, wanted in pairs:
        assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
        numbers = wanted.astype(float)
        assert found.astype(float) == pytest.approx(numbers, rel=2e-3, abs=2e-3)


def test_the_twin_says_what_it_is(memxc, out, tmp_path):
    paths = [tmp_path / "1.onnx", tmp_path / "2.onnx"]
    asked = "--seed", 5, "--draw", 3, "--set", "device.sigma=0.125", "--draw-per", "definition"
    for path in paths:
        assert memxc("twin", out, "-o", path, *asked).code == 0
    assert paths[0].read_bytes() == paths[1].read_bytes()
    about = {p.key: p.value for p in onnx.load(paths[0]).metadata_props}
    found = json.loads(about.pop("target.json"))
    assert found["device"]["programming_sigma"] == 0.125
    assert about == {
        "memxc": __version__, "target": found["name"], "seed": "5", "draw": "3",
        "draw_per": "definition",
    }  # fmt: skip


@pytest.mark.parametrize("change", ["gone", "other"])
def test_a_folder_whose_model_is_not_there(memxc, out, tmp_path, change):
    out = shutil.copytree(out, tmp_path / "out", ignore=shutil.ignore_patterns("simulate"))
    model = out / "model.onnx"
    if change == "gone":
        model.unlink()
    else:
        changed = onnx.load(model)
        changed.graph.output[0].name = changed.graph.node[-1].output[0] = "z"
        onnx.save(changed, model)
    done = memxc("twin", out, "-o", tmp_path / "twin.onnx")
    if change == "gone":
        assert done.code == 0
        assert "float32, batches of any size" in done.out
        session = reference.session(tmp_path / "twin.onnx")
        assert [v.shape for v in session.get_inputs()] == [["N", 13]]
    else:
        assert (done.code, (tmp_path / "twin.onnx").exists()) == (3, False)
        assert "other inputs and outputs" in done.err


def test_a_setting_that_is_none_is_the_fault_of_simulate(memxc, out, x):
    asked = "--set", "device.levels=1", "--set", "crossbar.rows=x"
    twin = memxc("twin", out, "-o", out.parent / "twin.onnx", *asked)
    simulate = memxc("simulate", out, "--data", out.parent / "data.npz", *asked)
    assert (twin.code, faults(twin)) == (2, faults(simulate))


def test_a_package_that_is_not_installed_any_more_is_named(memxc, compiled, tmp_path):
    """Only its pass is missing, and to name another pass would not help."""
    out = compiled()
    tree = json.loads((out / "manifest.json").read_text())
    tree["options"]["passes"] = "drop-small,calibrate,program"
    tree["plugins"] = {"memxc-small": "1.2"}
    (out / "manifest.json").write_text(json.dumps(tree))
    asked = ("twin", out, "-o", tmp_path / "twin.onnx", "--set", "device.levels=4")
    done = memxc(*asked)
    assert (done.code, "error[missing-engine]" in done.err) == (4, True)
    assert "memxc-small 1.2, not installed here" in done.err
    assert "hint: install the package memxc-small 1.2 to program it again" in done.err
    assert "drop-small" not in done.err
    # Anybody may have written the manifest.
    tree["plugins"] = ["memxc-small"]
    (out / "manifest.json").write_text(json.dumps(tree))
    assert "no pass 'drop-small'" in memxc(*asked).err
