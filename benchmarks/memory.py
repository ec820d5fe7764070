"""Measure memory and time of a full compile: the figures in docs/cli.md, Limits.

    python benchmarks/memory.py                  # a full compile
    python benchmarks/memory.py --report-only    # a report

Each kind of network is compiled in two sizes, each in a process of its own with one thread. The
difference of their peaks of memory, and of their processor time, is divided by the difference of
what they have most of: weights, or connections (nets at inputs and outputs of crossbars or cells).
A report has no connections; there it is the nets of the widest signal.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import parser

from memxc.ir.sizes import DesignSize
from memxc.ops.lower import load_graph, lower

THREADS = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
#: By name: the shape of the input, the shape of the weights, the node, and two sizes N.
NETWORKS = {
    "ReLU": ("1,N", "1", "Relu(x)", (200_000, 400_000)),
    "MaxPool": ("1,4,N,100", "1", "MaxPool<kernel_shape=[2,2]>(x)", (400, 800)),
    "Conv": ("1,4,N,60", "8,4,3,3", "Conv(x,w)", (400, 1200)),
    "Gemm": ("1,N", "N,1000", "Gemm(x,w)", (1000, 2500)),
}


def main(options: list[str]) -> None:
    print(f"{'network':9}{'more of':>20}    {'bytes each':>12}{'s a million':>13}")
    for name, (shape, weights, node, sizes) in NETWORKS.items():
        small, large = (measured(shape, weights, node, size, options) for size in sizes)
        nets, values, peak, seconds = (b - a for a, b in zip(small, large, strict=True))
        more = max(nets, values)
        unit = "weights" if values == more else "nets" if options else "connections"
        figures = f"{peak / more:12.0f}{1e6 * seconds / more:13.1f}"
        print(f"{name:9}{more:>12,} {unit:11}{figures}", flush=True)


def measured(
    shape: str, weights: str, node: str, size: int, options: list[str]
) -> tuple[int, int, int, float]:
    """Connections (of a report: nets), weights, peak of memory in bytes, and processor seconds."""
    axes = weights.replace("N", str(size))
    made = parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]>'
        f"net (float[{shape.replace('N', str(size))}] x) => (float y) {{ y = {node} }}"
    )
    made.graph.output[0].type.tensor_type.ClearField("shape")
    values = np.random.default_rng(0).normal(size=tuple(map(int, axes.split(","))))
    if "w)" in node:
        made.graph.initializer.append(onnx.numpy_helper.from_array(values.astype(np.float32), "w"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.onnx"
        onnx.save(made, path)
        design = lower(load_graph(path))
        counted = DesignSize()
        counted.add(design.stages)
        nets = max(bus.width for bus in design.buses.values()) if options else counted.connections
        command = [sys.executable, "-m", "memxc", "compile", path, "-o", Path(folder) / "out"]
        process = subprocess.Popen(
            [*map(str, command), "--quiet", "--large", *options],
            env=os.environ | THREADS,
            stderr=subprocess.DEVNULL,
        )
        _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{node}: memxc failed with {os.waitstatus_to_exitcode(status)}")
    weighed = values.size if "w)" in node else 0
    return nets, weighed, 1024 * used.ru_maxrss, used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main(sys.argv[1:])
