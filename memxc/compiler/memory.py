"""Whether a full compile is too large, for its file or for this machine: told before it begins."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from pathlib import Path

from memxc.errors import fail
from memxc.ir.design import Design
from memxc.ir.graph import Graph
from memxc.ir.sizes import Size
from memxc.ir.stages import Linear

#: Bytes that a full compile takes for each connection and each weight, rounded up from 262 (ReLU),
#: 103 (Conv), 147 (MaxPool) and 83 (Gemm).
_CONNECTION, _WEIGHT = 270, 90
#: Bytes that a report takes for each net of the widest signal (200: ReLU), and each weight.
_NET, _REPORTED = 210, 10
#: Connections of a full compile: so many, and so many more for each number that the file holds, so
#: that a hundred bytes cannot ask for minutes and gigabytes. A ResNet-50 has 3 for each weight, a
#: DenseNet-121 21, an SE-FCN 100 on pictures of 128 x 128.
_MOST, _A_WEIGHT = 2**23, 32
#: The limit that a container sets, as Linux tells it to those inside.
_CONTAINER = Path("/sys/fs/cgroup/memory.max")


def check(graph: Graph, design: Design, model: str, report_only: bool, large: bool) -> None:
    """Raise MemxcError (unsupported-model) where there is less memory than compile takes; and, if
    not `large`, where a full compile would be larger than the model's file can account for."""
    size = Size()
    size.add(design.stages)
    # A view of one number that stands for many holds one.
    held = sum(value.size for value in graph.weights.values() if 0 not in value.strides)
    most = _MOST + _A_WEIGHT * held
    if size.connections > most and not (report_only or large):
        what = (
            f"its circuit has {size.connections:,} connections, and a full compile takes {most:,} "
            f"for a model that holds {held:,} numbers"
        )
        hint = "--large compiles it all the same, --report-only says what it costs"
        raise fail("unsupported-model", model, what, hint)
    linear = [stage for stage in design.stages if isinstance(stage, Linear)]
    weights = sum(kernel.values.size for stage in linear for kernel in stage.kernels)
    widest = max(bus.width for bus in design.buses.values())
    report = _NET * widest + _REPORTED * weights
    needed = report if report_only else max(report, _CONNECTION * size.connections)
    needed += 0 if report_only else _WEIGHT * weights
    there = available()
    if needed > there:
        what = (
            f"its circuit of {size.connections:,} connections and {weights:,} weights takes up to "
            f"{needed / 1e9:.1f} GB to compile, and {there / 1e9:.1f} GB are there"
        )
        hint = "" if report_only else f"--report-only takes up to {report / 1e9:.1f} GB"
        raise fail("unsupported-model", model, what, hint)


def available() -> int:
    """Bytes of memory that this process may have: the machine's, or a limit that was set."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        found.append(soft)
    with suppress(OSError, ValueError):  # no such file, or the word max
        found.append(int(_CONTAINER.read_text("ascii")))
    return min(found)
