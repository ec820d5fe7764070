"""Limits of memory and size: a compilation that is too large is refused before it begins."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from pathlib import Path

from memxc.errors import fail
from memxc.ir.design import Design
from memxc.ir.graph import Graph
from memxc.ir.sizes import DesignSize
from memxc.ir.stages import Linear

#: Bytes that a full compile takes for each connection of a crossbar, each one of a cell, and each
#: weight, rounded up from what benchmarks/memory.py measures: 125 (Conv); 228 (ReLU) and 145
#: (MaxPool); 64 (Gemm).
_CROSSBAR, _CELL, _WEIGHT = 140, 270, 90
#: Bytes that a report takes for each net of the widest signal (227: ReLU), and each weight (3).
_NET, _REPORTED = 240, 10
#: The connections that a full compile takes: so many, and so many more for each number in the file.
#: A file of a hundred bytes must not take minutes and gigabytes. A ResNet-50 has 3 connections for
#: each weight, a DenseNet-121 has 21, and an SE-FCN on pictures of 128 x 128 has 100.
_MOST, _A_WEIGHT = 2**23, 32
#: The file in which Linux gives the limit of a container.
_CONTAINER = Path("/sys/fs/cgroup/memory.max")


def check(graph: Graph, design: Design, model: str, report_only: bool, large: bool) -> None:
    """Raise MemxcError (unsupported-model) if compiling takes more memory than there is.

    Without `large`, also raise it if a full compile would be larger than the model's file allows.
    report_only: whether only a report is made.
    """
    size = DesignSize()
    size.add(design.stages)
    # A broadcast view of one number is one number in the file.
    numbers = sum(value.size for value in graph.weights.values() if 0 not in value.strides)
    limit = _MOST + _A_WEIGHT * numbers
    if size.connections > limit and not (report_only or large):
        what = (
            f"its circuit has {size.connections:,} connections, and a full compile takes {limit:,} "
            f"for a model that holds {numbers:,} numbers"
        )
        hint = "--large compiles it all the same, --report-only says what it costs"
        raise fail("unsupported-model", model, what, hint)
    linear = [stage for stage in design.stages if isinstance(stage, Linear)]
    crossbars = DesignSize()
    crossbars.add(linear)
    cells = size.connections - crossbars.connections
    weights = sum(kernel.values.size for stage in linear for kernel in stage.kernels)
    widest = max(bus.width for bus in design.buses.values())
    report = _NET * widest + _REPORTED * weights
    circuit = _CROSSBAR * crossbars.connections + _CELL * cells
    needed = report if report_only else max(report, circuit) + _WEIGHT * weights
    memory = available_bytes()
    if needed > memory:
        what = (
            f"its circuit of {size.connections:,} connections and {weights:,} weights takes up to "
            f"{needed / 1e9:.1f} GB to compile, and {memory / 1e9:.1f} GB are there"
        )
        hint = "" if report_only else f"--report-only takes up to {report / 1e9:.1f} GB"
        raise fail("unsupported-model", model, what, hint)


def available_bytes() -> int:
    """Return the bytes of memory that this process may use: the machine's, or a set limit."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        limits.append(soft)
    with suppress(OSError, ValueError):  # no such file, or the word max
        limits.append(int(_CONTAINER.read_text("ascii")))
    return min(limits)
