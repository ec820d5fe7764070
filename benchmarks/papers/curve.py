"""Beyond paper 3: separate a trained 3D network without training; accuracy against crossbars.

    python benchmarks/papers/curve.py --cifar10 PATH [--out docs/pictures/separated]

Writes OUT.json and OUT.svg. The fit uses training pictures, and the accuracy is over all test
pictures, with onnxruntime. The picture also has trained networks. It needs matplotlib (the extra
`plot`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from runs import ROOT
from table import WANTS_DATA, Row

from memxc import frontend, target
from memxc.backends.cost import paper_rule
from memxc.evaluation import reference
from memxc.evaluation.samples import Samples
from memxc.interfaces import Context
from memxc.ir.graph import Graph, Node
from memxc.ops.lower import lower
from memxc.passes.fold_batchnorm import fold_normalisations
from memxc.passes.separate import Separate

Pictures = tuple[NDArray[Any], NDArray[Any]]
Point = dict[str, Any]

MODEL = "resnet20_r000_s0.onnx"
OUT = ROOT / "docs" / "pictures" / "separated"
TILE, FITTED = 128, 512
RANKS, RATIOS = (1, 2, 3), (0.25, 0.5, 0.75, 1.0)
COUNTS = {"paper": "one (channel, filter) pair a crossbar", "packed": "packed"}


def rows(points: list[Point] | None) -> Iterator[Row]:
    """All layers separated, for each rank. points: the result of `measure`, None without data."""
    for rank in RANKS:
        ours = WANTS_DATA
        if points:
            whole, found = points[0], next(p for p in points if _is(p, rank, 1.0))
            ours = (
                f"{100 * whole['accuracy']:.2f} to {100 * found['accuracy']:.2f} %; paper's rule "
                f"{whole['paper']:,} to {found['paper']:,}, packed "
                f"{whole['packed']:,} to {found['packed']:,}"
            )
        yield Row(
            3, f"3D network separated without training, rank {rank}", "-", "ours", ours,
            "python benchmarks/papers/curve.py --cifar10 ...", data=True,
        )  # fmt: skip


def _is(point: Point, rank: int, ratio: float) -> bool:
    return (point["rank"], point["ratio"]) == (rank, ratio)


def measure(model: Path, fitted: Pictures, test: Pictures) -> Iterator[Point]:
    """The network itself, then each rank and share of its layers."""
    graph = fold_normalisations(frontend.load(model, {}))
    (name,) = graph.inputs
    ctx = Context(
        target.load("paper-128").with_tile(TILE, TILE),
        {name: fitted[0][:64]},
        judged=Samples({name: fitted[0]}, fitted[1]),
    )
    yield _point(graph, ctx, test, 0, 0.0)
    for rank in RANKS:
        for ratio in RATIOS:
            changed = Separate(ratio=ratio, rank=rank, partition="paper").run(graph, ctx).ir
            yield _point(changed, ctx, test, rank, ratio)


def _point(graph: Graph, ctx: Context, test: Pictures, rank: int, ratio: float) -> Point:
    design = lower(graph)
    return {
        "rank": rank, "ratio": ratio,
        "packed": sum(one.crossbars for one in paper_rule.layouts(design, "packed", ctx)),
        "paper": paper_rule.measure(design, ctx).square.total,
        "accuracy": _accuracy(graph, test),
    }  # fmt: skip


def _accuracy(graph: Graph, test: Pictures) -> float:
    session = reference.session(_to_onnx(graph))
    x, y = test
    parts = range(0, len(x), 500)
    answers = [session.run(None, {graph.inputs[0]: x[i : i + 500]})[0].argmax(1) for i in parts]
    return float((np.concatenate(answers) == y).mean())


def _to_onnx(graph: Graph) -> bytes:
    """The graph for any number of samples at once."""
    inputs, outputs = (
        [
            helper.make_tensor_value_info(
                name, onnx.TensorProto.FLOAT, ["n", *graph.shapes[name][1:]]
            )
            for name in names
        ]
        for names in (graph.inputs, graph.outputs)
    )
    made = helper.make_graph(
        [_node(node) for node in graph.nodes],
        "separated", inputs, outputs,
        [numpy_helper.from_array(_single(value), name) for name, value in graph.weights.items()],
    )  # fmt: skip
    opset = [helper.make_opsetid("", graph.opset)]
    return helper.make_model(made, opset_imports=opset, ir_version=8).SerializeToString()


def _node(node: Node) -> onnx.NodeProto:
    return helper.make_node(node.op, list(node.inputs), list(node.outputs), **dict(node.attrs))


def _single(value: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(value.astype(np.float32) if value.dtype.kind == "f" else value)


def trained(fitted: Pictures, test: Pictures) -> dict[str, Point]:
    """The members of models/ that were trained with 2D + 1D kernels, as points."""
    return {
        path.stem: next(measure(path, fitted, test))
        for path in sorted((ROOT / "models").glob("resnet20_r*_s0.onnx"))
        if path.name != MODEL
    }


def draw(points: list[Point], beside: dict[str, Point], path: Path) -> None:
    """Accuracy against unit crossbars, by the paper's rule and packed, as an SVG file."""
    import matplotlib as mpl  # noqa: PLC0415  (an extra, slow)
    from matplotlib import ticker  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(10, 4), layout="constrained")
    both = figure.subplots(1, 2, sharey=True)
    for axes, (count, title) in zip(both, COUNTS.items(), strict=True):
        for rank in RANKS:
            line = [points[0], *(p for p in points if p["rank"] == rank)]
            axes.plot(
                *_xy(line, count), "o-", markersize=4, label=f"separated, not trained: rank {rank}"
            )
        axes.step(*_xy(_front(points, count), count), ":k", where="post", label="best of these")
        for name, point in beside.items():
            axes.plot(*_xy([point], count), "s", label=f"trained: {name}")
        axes.set(xscale="log", xlabel=f"unit crossbars of {TILE} x {TILE}", title=title)
        axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 4, 7)))
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.xaxis.set_minor_locator(ticker.NullLocator())
        axes.grid(alpha=0.25)
    both[0].set_ylabel("accuracy, top-1 (%)")
    both[1].legend(fontsize="small")
    # Without the time and random names, so that the same points give the same file.
    with mpl.rc_context({"svg.hashsalt": "memxc", "svg.fonttype": "none"}):
        figure.savefig(path, format="svg", metadata={"Date": None})


def _xy(points: list[Point], count: str) -> tuple[list[int], list[float]]:
    return [p[count] for p in points], [100 * p["accuracy"] for p in points]


def _front(points: list[Point], count: str) -> list[Point]:
    """The points that no other point beats in both crossbars and accuracy, in order."""
    found: list[Point] = []
    for one in sorted(points, key=lambda p: (p[count], -p["accuracy"])):
        if not found or one["accuracy"] > found[-1]["accuracy"]:
            found.append(one)
    return found


def make(cifar10: Path, out: Path = OUT) -> list[Point]:
    """Measure, write the two files, return the points."""
    sys.path.insert(0, str(ROOT / "models"))
    from cifar10 import load  # noqa: PLC0415  (a module of models/)

    x, y, x_test, y_test = load(cifar10)
    fitted, test = (_pixels(x[:FITTED]), y[:FITTED]), (_pixels(x_test), y_test)
    points = []
    for point in measure(ROOT / "models" / MODEL, fitted, test):
        print(point, flush=True)
        points.append(point)
    beside = trained(fitted, test)
    found = {"model": MODEL, "tile": TILE, "fitted": FITTED, "points": points, "trained": beside}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
    draw(points, beside, out.with_suffix(".svg"))
    return points


def _pixels(x: NDArray[Any]) -> NDArray[Any]:
    return x.astype(np.float32) / np.float32(255)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cifar10", type=Path, required=True, help="the data set")
    parser.add_argument("--out", type=Path, default=OUT, help="the files, without their ends")
    args = parser.parse_args()
    make(args.cifar10, args.out)


if __name__ == "__main__":
    main()
