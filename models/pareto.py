"""Accuracy against unit crossbars of a network whose 3D kernels are separated without training.

    python models/pareto.py models/resnet20_r000_s0.onnx --data cifar-10-batches-py --out pareto

Writes OUT.json and OUT.svg: for each rank and share of the layers, unit crossbars (packed, and by
the sub-image rule of paper 3) and accuracy over the test pictures. The fit sees training pictures
only. Needs matplotlib (the project's extra `plot`).
"""

import argparse
import json
from pathlib import Path

import cifar10
import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from memxc import frontend, target
from memxc.backends import subimages
from memxc.lower import lower
from memxc.passes import Context
from memxc.passes.fold_batchnorm import fold
from memxc.passes.separate import Separate
from memxc.samples import Samples

RANKS, RATIOS = (1, 2, 3), (0.25, 0.5, 0.75, 1.0)


def to_onnx(graph):
    """Return the bytes of an ONNX model of a memxc Graph, any number of samples at once."""
    nodes = [
        helper.make_node(node.op, list(node.inputs), list(node.outputs), **dict(node.attrs))
        for node in graph.nodes
    ]
    inputs, outputs = (
        [
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", *graph.shapes[name][1:]])
            for name in names
        ]
        for names in (graph.inputs, graph.outputs)
    )
    weights = [
        numpy_helper.from_array(
            value.astype(np.float32) if value.dtype.kind == "f" else np.ascontiguousarray(value), name
        )
        for name, value in graph.weights.items()
    ]
    made = helper.make_graph(nodes, "separated", inputs, outputs, weights)
    opset = [helper.make_opsetid("", graph.opset)]
    return helper.make_model(made, opset_imports=opset, ir_version=8).SerializeToString()


def hits(graph, x, y):
    """Return how many of the pictures have their largest output at the label."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        to_onnx(graph), options, providers=["CPUExecutionProvider"]
    )
    return sum(
        int((session.run(None, {graph.inputs[0]: x[i : i + 500]})[0].argmax(1) == y[i : i + 500]).sum())
        for i in range(0, len(x), 500)
    )


def row(graph, ctx, x, y, **what):
    """Return one point of the curve."""
    design = lower(graph)
    return {
        **what,
        "packed": sum(one["crossbars"] for one in subimages.layouts(design, "packed", ctx)),
        "paper": subimages.measure(design, ctx)["square"]["total"],
        "accuracy": hits(graph, x, y) / len(y),
    }


def pareto(
    model, tile, samples, test, ranks=RANKS, ratios=RATIOS, partition="paper", say=lambda row: None
):
    """Return the points of a model (path), the network itself first.

    tile: rows and columns of the unit crossbar. samples, test: (pictures (N, C, H, W) float32,
    labels (N,)); the fit is made on the samples, the accuracy is over `test`. partition: the layout
    whose unit crossbars choose the layers.
    """
    graph = frontend.load(Path(model), {})
    graph = fold(graph)
    unit = target.load("hfox-128").with_tile(tile, tile)
    inputs = {graph.inputs[0]: samples[0]}
    ctx = Context(unit, {graph.inputs[0]: samples[0][:64]}, judged=Samples(inputs, samples[1]))
    rows = [row(graph, ctx, *test, rank=0, ratio=0.0)]
    say(rows[-1])
    for rank in ranks:
        for ratio in ratios:
            changed = Separate(ratio=ratio, rank=rank, partition=partition).run(graph, ctx)
            rows.append(row(changed, ctx, *test, rank=rank, ratio=ratio))
            say(rows[-1])
    return rows


def best(rows, count):
    """Return the points that no other one beats in crossbars (`count`) and accuracy, in order."""
    found = []
    for one in sorted(rows, key=lambda r: (r[count], -r["accuracy"])):
        if not found or one["accuracy"] > found[-1]["accuracy"]:
            found.append(one)
    return found


def draw(rows, beside, tile, path):
    """Draw accuracy against unit crossbars, by the paper's rule and packed, as an SVG file."""
    import matplotlib

    matplotlib.use("svg")
    # No clock and no random names: the same points give the same file.
    matplotlib.rcParams["svg.hashsalt"] = "memxc"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), sharey=True)
    for axis, count, title in zip(
        axes, ("paper", "packed"), ("one (channel, filter) pair a crossbar", "packed"), strict=True
    ):
        whole = rows[0]
        for rank in sorted({one["rank"] for one in rows[1:]}):
            line = [whole, *(one for one in rows if one["rank"] == rank)]
            axis.plot(
                [one[count] for one in line],
                [100 * one["accuracy"] for one in line],
                "o-",
                label=f"separated, rank {rank}",
            )
        front = best(rows, count)
        axis.step(
            [one[count] for one in front],
            [100 * one["accuracy"] for one in front],
            ":k",
            where="post",
            label="best",
        )
        for name, one in beside.items():
            axis.plot(one[count], 100 * one["accuracy"], "s", label=f"trained: {name}")
        axis.set(xscale="log", xlabel=f"unit crossbars, {tile} x {tile}", title=title)
    axes[0].set_ylabel("accuracy, %")
    axes[0].legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def main():
    """Read the command line, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="cifar-10-batches-py or an .npz")
    parser.add_argument("--out", type=Path, default=Path("pareto"))
    parser.add_argument("--tile", type=int, default=128)
    parser.add_argument("--samples", type=int, default=256, help="training pictures for the fit")
    parser.add_argument("--partition", default="paper", help="whose crossbars choose the layers")
    parser.add_argument("--ranks", type=int, nargs="+", default=list(RANKS))
    parser.add_argument("--ratios", type=float, nargs="+", default=list(RATIOS))
    parser.add_argument("--beside", type=Path, nargs="*", default=[], help="trained models, to compare")
    args = parser.parse_args()
    x, y, *test = cifar10.load(args.data)
    pictures = [(part / np.float32(255)).astype(np.float32) for part in (x[: args.samples], test[0])]
    samples, held = (pictures[0], y[: args.samples]), (pictures[1], test[1])
    rows = pareto(
        args.model, args.tile, samples, held, args.ranks, args.ratios, args.partition,
        say=lambda one: print(one, flush=True),
    )
    beside = {
        path.stem: pareto(path, args.tile, samples, held, ranks=())[0] for path in args.beside
    }
    found = {"model": args.model.stem, "tile": args.tile, "samples": args.samples, "rows": rows}
    args.out.with_suffix(".json").write_text(json.dumps({**found, "beside": beside}, indent=1) + "\n")
    draw(rows, beside, args.tile, args.out.with_suffix(".svg"))


if __name__ == "__main__":
    main()
