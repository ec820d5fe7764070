"""memxc simulate: what it prints, stores, reuses and refuses."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from importlib import resources

import jsonschema
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from memxc.evaluation import reference

node = helper.make_node


def weights(shape, seed, name):
    values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return numpy_helper.from_array(values, name)


def save(path, nodes, inits, ins, outs, kind=TensorProto.FLOAT):
    """Write a model file. ins and outs are shapes by name; outputs have one element type."""
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        path.stem,
        [info(name, TensorProto.FLOAT, shape) for name, shape in ins.items()],
        [info(name, kind, shape) for name, shape in outs.items()],
        inits,
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def schema():
    text = (resources.files("memxc") / "schemas" / "memxc-simulate-1.json").read_text()
    return json.loads(text)


def ask(memxc, *args):
    """Run simulate --json, and check the document with the schema."""
    done = memxc("simulate", *args, "--json")
    assert done.code == 0, done.err
    jsonschema.validate(done.json, schema())
    return done.json


def inputs(count=40, shape=(2, 6, 5), seed=3):
    return np.random.default_rng(seed).uniform(-1, 1, (count, *shape)).astype(np.float32)


def answers(path, x, name="x"):
    """onnxruntime on the file itself, sample by sample."""
    session = reference.session(path)
    return np.concatenate([session.run(None, {name: x[i : i + 1]})[0] for i in range(len(x))])


@pytest.fixture
def out(compiled):
    return compiled()


@pytest.fixture
def data(model, tmp_path):
    """Labels are the network's own answers, except for every fifth."""
    x = inputs()
    y = answers(model, x).argmax(axis=1)
    y[::5] = (y[::5] + 1) % 4
    np.savez(tmp_path / "data.npz", x=x, y=y)
    return tmp_path / "data.npz"


def lines(out):
    return (out / "simulate" / "results.jsonl").read_text().splitlines()


def test_the_original_scores_what_its_labels_say(memxc, out, data):
    found = ask(memxc, out, "--data", data)
    assert (found["metric"], found["count"], found["original"]) == ("top1", 40, 0.8)
    (row,) = found["rows"]
    assert (row["settings"], row["reprogrammed"], row["spread"]) == ({}, [], 0)
    assert row["scores"] == [row["mean"]]


def test_an_ideal_circuit_scores_what_the_network_does(memxc, model, data, tmp_path):
    out = tmp_path / "ideal"
    assert memxc("compile", model, "-o", out, "-t", "ideal", "--quiet").code == 0
    assert ask(memxc, out, "--data", data)["rows"][0]["mean"] == 0.8


def test_a_sweep_goes_through_all_combinations(memxc, out, data):
    args = "--sweep", "device.sigma=0,0.4", "--sweep", "wire.r_bit_line=1,30,500"
    rows = ask(memxc, out, "--data", data, *args, "--draws", "3")["rows"]
    sigmas, ohms = ["0", "0.4"], ["1", "30", "500"]
    assert [row["settings"] for row in rows] == [
        {"device.sigma": sigma, "wire.r_bit_line": ohm} for sigma in sigmas for ohm in ohms
    ]
    # Without variation all draws are one.
    assert [len(row["scores"]) for row in rows] == [1, 1, 1, 3, 3, 3]
    for row in rows[3:]:
        a, b, c = row["scores"]
        mean = (a + b + c) / 3
        assert row["mean"] == pytest.approx(mean)
        square = ((a - mean) ** 2 + (b - mean) ** 2 + (c - mean) ** 2) / 2
        assert row["spread"] == pytest.approx(square**0.5)
    assert len({tuple(row["scores"]) for row in rows[3:]}) > 1


def test_nothing_to_draw_is_told(memxc, out, data):
    told = (
        "the target has no variation, so there is nothing to draw, and one draw stands for all "
        "1,000; try --set device.sigma=0.1\n"
    )
    for more in ((), ("--json",), ("--sweep", "wire.r_bit_line=1,2")):
        done = memxc("simulate", out, "--data", data, "--draws", "1000", *more)
        assert (done.code, done.err) == (0, told)
    assert memxc("simulate", out, "--data", data).err == ""
    some = "--sweep", "device.sigma=0,0.4"
    assert memxc("simulate", out, "--data", data, "--draws", "2", *some).err == ""


def test_draws_are_those_of_the_seed(memxc, out, data):
    def scores(*args):
        return ask(memxc, out, "--data", data, "--set", "device.sigma=0.5", *args)["rows"][0]

    five = scores("--draws", "5")["scores"]
    assert scores("--draws", "2")["scores"] == five[:2]
    assert len(set(five)) > 1
    assert scores("--draws", "5", "--seed", "8")["scores"] != five


@pytest.mark.parametrize(
    ("places", "value", "said"),
    [
        (slice(None), 200, "100 % of the values of 'x' are beyond +-1.25 (up to 200), and"),
        (slice(7, None, 500), -1.5, "0.208 % of the values of 'x' are beyond +-1.25 (up to 1.5)"),
        (slice(7, 8), -99, "0.0417 % of the values of 'x' are beyond +-1.25 (up to 99)"),
        (slice(7, 8), -1.5, None),
        (slice(0), 0, None),
    ],
    ids=["all", "many", "far", "one", "none"],
)
def test_data_beyond_the_inputs_are_told(memxc, out, data, places, value, said):
    x, y = np.load(data).values()
    x.reshape(-1)[places] = value
    np.savez(data, x=x, y=y)
    warnings = ask(memxc, out, "--data", data)["warnings"]
    assert len(warnings) == (said is not None)
    for warning in warnings:
        assert warning.startswith(said)
        assert f"warning: {warning}\n" == memxc("simulate", out, "--data", data).err
        done = memxc("verify", out, "--count", "1", "--samples", data, "--json")
        assert done.code == 0
        assert "of the values of 'x' are beyond +-1.25" in done.json["warnings"][0]


def test_an_ideal_target_warns_of_no_large_input(memxc, model, data, tmp_path):
    out = tmp_path / "ideal"
    assert memxc("compile", model, "-o", out, "-t", "ideal", "--quiet").code == 0
    x, y = np.load(data).values()
    np.savez(tmp_path / "far.npz", x=200 * x, y=y)
    assert ask(memxc, out, "--data", tmp_path / "far.npz")["warnings"] == []


def test_labels_by_another_name_are_told(memxc, model, out, tmp_path):
    path = tmp_path / "named.npz"
    np.savez(path, x=inputs(), labels=np.zeros(40))
    words = "named.npz holds 'labels', neither an input (x) nor y: ignored; labels are called y"
    assert ask(memxc, out, "--data", path)["warnings"] == [words]
    assert words in memxc("verify", out, "--samples", path, "--count", "1").err
    compiled = memxc("compile", model, "-o", tmp_path / "new", "--samples", path, "--json")
    assert words in compiled.err
    assert words in compiled.json["warnings"]


def test_the_error_against_the_network_without_labels(memxc, model, out, tmp_path):
    x = inputs()
    np.savez(tmp_path / "x.npz", x=x)
    found = ask(memxc, out, "--data", tmp_path / "x.npz")
    assert (found["metric"], found["original"]) == ("error", None)
    twin = tmp_path / "twin.onnx"
    assert memxc("twin", out, "-o", twin).code == 0
    right, got = answers(model, x), answers(twin, x)
    by_hand = np.mean(
        [np.max(np.abs(b - a)) / np.max(np.abs(a)) for a, b in zip(right, got, strict=True)]
    )
    assert found["rows"][0]["mean"] == pytest.approx(by_hand, rel=1e-3)
    assert by_hand > 1e-5


def test_a_twin_of_a_draw_scores_what_that_draw_scored(memxc, model, out, tmp_path):
    x = inputs()
    np.savez(tmp_path / "x.npz", x=x)
    args = ("--set", "device.sigma=0.3", "--seed", "5")
    scores = ask(memxc, out, "--data", tmp_path / "x.npz", *args, "--draws", "2")["rows"][0][
        "scores"
    ]
    right = answers(model, x)
    for draw, score in enumerate(scores, 1):
        twin = tmp_path / f"{draw}.onnx"
        assert memxc("twin", out, "-o", twin, *args, "--draw", str(draw)).code == 0
        by_hand = np.mean(
            [
                np.max(np.abs(b - a)) / np.max(np.abs(a))
                for a, b in zip(right, answers(twin, x), strict=True)
            ]
        )
        assert by_hand == pytest.approx(score, rel=1e-3)
    assert scores[0] != pytest.approx(scores[1], rel=1e-2)


def test_count_takes_the_first_samples(memxc, out, data):
    assert ask(memxc, out, "--data", data, "--count", "7")["count"] == 7
    # Labels 0 and 5 of the seven are wrong.
    assert ask(memxc, out, "--data", data, "--count", "7")["original"] == pytest.approx(5 / 7)


def _masks(path):
    """A 1x1 convolution and a sigmoid, which give a mask of one channel."""
    nodes = [node("Conv", ["x", "w"], ["a"], name="conv"), node("Sigmoid", ["a"], ["y"], name="s")]
    inits = [weights((1, 2, 1, 1), 5, "w")]
    return save(path, nodes, inits, {"x": (1, 2, 6, 5)}, {"y": (1, 1, 6, 5)})


@pytest.mark.parametrize("metric", ["dice", "iou"])
def test_masks(memxc, tmp_path, metric):
    path = _masks(tmp_path / "mask.onnx")
    x = inputs(9)
    np.savez(tmp_path / "mask.samples.npz", x=x)
    right = answers(path, x)
    y = (right > 0.5).astype(np.uint8)
    y[:, :, 0] ^= 1
    np.savez(tmp_path / "d.npz", x=x, y=y)
    out = tmp_path / "out"
    assert memxc("compile", path, "-o", out, "-t", "ideal", "--quiet").code == 0
    found = ask(memxc, out, "--data", tmp_path / "d.npz", "--metric", metric)
    scores = []
    for a, b in zip(right > 0.5, y > 0.5, strict=True):
        both = np.logical_and(a, b).sum()
        either = np.logical_or(a, b).sum()
        scores.append(both / either if metric == "iou" else 2 * both / (a.sum() + b.sum()))
    assert found["original"] == pytest.approx(np.mean(scores))
    assert found["rows"][0]["mean"] == pytest.approx(np.mean(scores))
    assert 0.2 < np.mean(scores) < 0.95


def test_labels_of_the_shape_of_a_mask_choose_dice(memxc, tmp_path):
    path = _masks(tmp_path / "mask.onnx")
    np.savez(tmp_path / "d.npz", x=inputs(4), y=np.ones((4, 1, 6, 5)))
    assert memxc("compile", path, "-o", tmp_path / "out", "--quiet").code == 0
    assert ask(memxc, tmp_path / "out", "--data", tmp_path / "d.npz")["metric"] == "dice"


def test_several_inputs_and_outputs(memxc, tmp_path):
    """The first output is scored, and inputs are found by their names."""
    nodes = [
        node("Concat", ["p", "q"], ["c"], axis=1, name="both"),
        node("MatMul", ["c", "w"], ["y"], name="dense"),
        node("Relu", ["y"], ["z"], name="relu"),
    ]
    w = weights((7, 5), 6, "w")
    path, outs = tmp_path / "two.onnx", {"y": (1, 5), "z": (1, 5)}
    save(path, nodes, [w], {"p": (1, 3), "q": (1, 4)}, outs)
    p, q = inputs(30, (3,)), inputs(30, (4,), seed=4)
    y = (np.concatenate([p, q], 1) @ numpy_helper.to_array(w)).argmax(1)
    y[:6] = (y[:6] + 1) % 5
    np.savez(tmp_path / "two.samples.npz", p=p, q=q)
    np.savez(tmp_path / "d.npz", p=p, q=q, y=y)
    out = tmp_path / "out"
    assert memxc("compile", path, "-o", out, "-t", "ideal", "--quiet").code == 0
    found = ask(memxc, out, "--data", tmp_path / "d.npz")
    # y is an output of the model and the labels of the file.
    assert (found["metric"], found["original"], found["rows"][0]["mean"]) == ("top1", 0.8, 0.8)


def test_outputs_that_are_integers(memxc, tmp_path):
    """With ArgMax at the end, the answer is the class itself."""
    nodes = [
        node("Flatten", ["x"], ["f"], name="flat"),
        node("Gemm", ["f", "w"], ["g"], name="dense"),
        node("ArgMax", ["g"], ["y"], axis=1, keepdims=0, name="arg"),
    ]
    path, outs = tmp_path / "arg.onnx", {"y": (1,)}
    save(path, nodes, [weights((60, 4), 7, "w")], {"x": (1, 2, 6, 5)}, outs, TensorProto.INT64)
    x = inputs(20)
    np.savez(tmp_path / "arg.samples.npz", x=x)
    np.savez(tmp_path / "d.npz", x=x)
    out = tmp_path / "out"
    assert memxc("compile", path, "-o", out, "-t", "ideal", "--quiet").code == 0
    found = ask(memxc, out, "--data", tmp_path / "d.npz")
    assert (found["metric"], found["rows"][0]["mean"]) == ("error", 0)


def test_a_sweep_computes_only_scores_that_are_not_stored(memxc, out, data):
    first = ask(memxc, out, "--data", data, "--sweep", "device.sigma=0.1,0.2", "--draws", "2")
    # The original network, and two draws of two points.
    assert len(lines(out)) == 5
    assert (
        ask(memxc, out, "--data", data, "--sweep", "device.sigma=0.1,0.2", "--draws", "2") == first
    )
    assert len(lines(out)) == 5
    ask(memxc, out, "--data", data, "--sweep", "device.sigma=0.1,0.2", "--draws", "3")
    assert len(lines(out)) == 7


def test_a_stored_score_needs_no_circuit(memxc, out, data, monkeypatch):
    found = ask(memxc, out, "--data", data)
    monkeypatch.setattr("memxc.simulate.answers", None)
    assert ask(memxc, out, "--data", data) == found


@pytest.mark.parametrize(
    "what", ["design", "target", "data", "seed", "metric", "draw-per", "count"]
)
def test_other_settings_are_computed_again(memxc, model, out, data, what, tmp_path):
    def asked(*args):
        return memxc("simulate", out, "--data", data, "--set", "device.sigma=0.3", *args).code

    assert asked() == 0
    kept = lines(out)
    args = {
        "target": ["--set", "wire.r_word_line=7"], "seed": ["--seed", "4"],
        "metric": ["--metric", "error"], "draw-per": ["--draw-per", "definition"],
        "count": ["--count", "39"],
    }.get(what, [])  # fmt: skip
    if what == "data":
        held = dict(np.load(data))
        held["x"][0, 0, 0, 0] += 0.01
        np.savez(data, **held)
    if what == "design":
        kept_file = (out / "simulate" / "results.jsonl").read_text()
        assert memxc("compile", model, "-o", out, "--tile", "20x12", "--quiet", "--force").code == 0
        (out / "simulate").mkdir(exist_ok=True)
        (out / "simulate" / "results.jsonl").write_text(kept_file)
    assert asked(*args) == 0
    new = lines(out)[len(kept) :]
    assert lines(out)[: len(kept)] == kept
    assert sum("target" in json.loads(line) for line in new) == 1


def test_setting_a_key_to_its_own_value_computes_nothing_again(memxc, out, data):
    """paper-128 has 1 ohm for each segment, so only the source of the number differs."""
    first = ask(memxc, out, "--data", data)
    kept = lines(out)
    again = ask(memxc, out, "--data", data, "--set", "wire.r_word_line=1.0")
    assert again["rows"] == first["rows"]
    assert lines(out) == kept


def test_another_version_of_memxc_computes_again(memxc, out, data, monkeypatch):
    ask(memxc, out, "--data", data)
    kept = len(lines(out))
    monkeypatch.setattr("memxc.simulate.__version__", "99.0")
    ask(memxc, out, "--data", data)
    assert len(lines(out)) == 2 * kept


def test_a_last_line_cut_short_is_computed_again(memxc, out, data):
    found = ask(memxc, out, "--data", data, "--sweep", "device.sigma=0.1,0.2")
    path = out / "simulate" / "results.jsonl"
    path.write_text(path.read_text()[:-30])
    again = ask(memxc, out, "--data", data, "--sweep", "device.sigma=0.1,0.2")
    assert again["rows"] == found["rows"]
    assert "(3)" in again["warnings"][0]
    assert sum(line.endswith("}") for line in lines(out)) == 3


def test_levels_are_programmed_again(memxc, model, out, data, tmp_path):
    found = ask(memxc, out, "--data", data, "--metric", "error", "--sweep", "device.levels=0,2,5")
    rows = found["rows"]
    assert [row["reprogrammed"] for row in rows] == [[], ["device.levels"], ["device.levels"]]
    for levels, row in zip((2, 5), rows[1:], strict=True):
        text = (resources.files("memxc") / "targets" / "hfox-128.toml").read_text()
        target = tmp_path / f"l{levels}.toml"
        target.write_text(text.replace("levels = 0", f"levels = {levels}"))
        own = tmp_path / f"l{levels}"
        assert memxc("compile", model, "-o", own, "-t", target, "--quiet").code == 0
        alone = ask(memxc, own, "--data", data, "--metric", "error")
        assert row["mean"] == alone["rows"][0]["mean"]
    done = memxc("simulate", out, "--data", data, "--sweep", "device.levels=0,2")
    assert "device.levels=2 *" in done.out
    assert "device.levels=0 *" not in done.out
    assert "* programmed again for this point, because it changes device.levels" in done.out


def test_levels_of_a_network_calibrated_on_random_inputs(memxc, model, data, tmp_path):
    (model.parent / "net.samples.npz").unlink()
    out = tmp_path / "out"
    assert memxc("compile", model, "-o", out, "--seed", "3", "--quiet").code == 0
    rows = ask(memxc, out, "--data", data, "--set", "device.levels=16")["rows"]
    assert rows[0]["reprogrammed"] == ["device.levels"]


def test_without_the_model_nothing_can_be_programmed_again(memxc, out, data):
    (out / "model.onnx").unlink()
    done = memxc("simulate", out, "--data", data, "--set", "device.levels=16")
    assert done.code == 2
    assert "device.levels" in done.err
    assert "compile the model with such a target" in done.err


def test_another_model_in_the_folder_is_not_taken_for_its_own(memxc, out, data, model):
    changed = onnx.load(model)
    values = onnx.numpy_helper.to_array(changed.graph.initializer[0]) * 2
    changed.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(values, "w"))
    onnx.save(changed, out / "model.onnx")
    done = memxc("simulate", out, "--data", data, "--set", "device.levels=16")
    assert done.code == 2
    assert "gives another design" in done.err


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("stage_set", 5), ("stage_set", [5]), ("mitigate", ["x"]), ("prune", "ckf:0.5"),
        ("schedule", "often"), ("partition", []), ("signed", None), ("batchnorm", 5),
        ("separate", 5), ("separate", True), ("refit", 1), ("zeros", "parket"),
        ("passes", ["tile"]), ("shapes", [1]), ("shapes", {"x": [1, "2"]}),
        ("shapes", {"x": [0]}), ("input_range", [1, 0]), ("input_range", [0, 1e39]),
        ("input_range", [0, 1, 2]), ("seed", -1), ("seed", 0.5),
    ],
)  # fmt: skip
def test_options_that_are_none(memxc, out, data, key, value):
    path = out / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["options"][key] = value
    path.write_text(json.dumps(manifest))
    done = memxc("simulate", out, "--data", data, "--set", "device.levels=16", "--json")
    assert done.code == 3
    (fault,) = done.json["faults"]
    assert (fault["code"], fault["where"]) == ("bad-design", str(path))
    assert fault["what"].endswith(f": {key}")
    assert not (out / "simulate").exists()


def test_all_faults_of_a_sweep_at_once(memxc, out, data):
    args = "--sweep", "wire.r_word_line=1,x", "--sweep", "device.sigma=0,7"
    done = memxc("simulate", out, "--data", data, *args)
    assert done.code == 2
    for words in ("r_word_line_ohm", "programming_sigma"):
        assert words in done.err
    assert not (out / "simulate").exists()


def test_silent_in_a_pipe(memxc, out, data):
    assert memxc("simulate", out, "--data", data, "--set", "device.sigma=0.1").err == ""


def _command(out, data, *args):
    return [sys.executable, "-m", "memxc", "simulate", str(out), "--data", str(data), *args]


def test_time_left_on_a_terminal(memxc, out, data):
    """Simulate more draws than any machine can, and stop when the remaining time is shown."""
    master, slave = pty.openpty()
    args = "--set", "device.sigma=0.1", "--draws", "100000"
    with subprocess.Popen(
        _command(out, data, *args), stderr=slave, stdout=subprocess.PIPE, text=True
    ) as process:
        os.close(slave)
        shown = b""
        while b" left" not in shown:
            part = os.read(master, 4096)
            assert part, shown
            shown += part
        process.terminate()
        told = process.stdout.read()
    os.close(master)
    assert b"point 1 of 1, draw 2 of 100000" in shown
    assert told == ""


@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(signal.SIGINT, 130, id="INT"),
        pytest.param(signal.SIGTERM, 143, id="TERM", marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_run_goes_on(memxc, out, data, number, code):
    """Kill a real process in the middle, then run the same command again."""
    args = "--set", "device.sigma=0.2", "--draws", "30", "--json"
    path = out / "simulate" / "results.jsonl"
    with subprocess.Popen(
        _command(out, data, *args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # Behind a shell's & an interrupt is ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    ) as process:  # fmt: skip
        while process.poll() is None and not (path.is_file() and len(lines(out)) > 3):
            time.sleep(0.02)
        process.send_signal(number)
        told, error = process.communicate()
    assert process.returncode == code
    assert told == ""
    assert "stopped; run it again" in error
    kept = lines(out)
    assert 3 < len(kept) < 31
    again = ask(memxc, out, "--data", data, *args[:-1])
    assert lines(out)[: len(kept)] == kept
    assert len(lines(out)) == len({json.loads(line)["key"] for line in lines(out)}) == 31
    scores = again["rows"][0]["scores"]
    assert len(scores) == 30
    (out / "simulate" / "results.jsonl").unlink()
    assert ask(memxc, out, "--data", data, *args[:-1]) == again
