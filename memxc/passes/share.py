"""share: crossbars with equal conductances become one definition of the netlist."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from memxc.ir.design import Design
from memxc.ir.kernel import Crossbar
from memxc.ir.stages import Array
from memxc.ir.windows import ints
from memxc.passes import Context, DesignPass

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Share(DesignPass):
    """Number the definitions so that equal ones, anywhere in the network, are written once."""

    name = "share"
    programmed = True

    def run(self, design: Design, ctx: Context) -> Design:
        """The design with shared definition numbers, counted in order of first use."""
        numbers: dict[bytes, int] = {}
        return design.with_stages(
            replace(stage, crossbars=tuple(numbered(c, numbers) for c in stage.crossbars))
            if isinstance(stage, Array)
            else stage
            for stage in design.stages
        )


def numbered(crossbar: Crossbar, numbers: dict[bytes, int]) -> Crossbar:
    """A stack with the numbers of its definitions; `numbers` are those found before, and grow."""
    wiring = hashlib.sha256(np.array(crossbar.cell.shape).tobytes() + crossbar.cell.tobytes())
    used = np.unique(crossbar.cell[crossbar.cell >= 0])
    g = crossbar.g if len(used) == crossbar.g.shape[1] else crossbar.g[:, used]
    first, which = _equal(g)
    found = []
    for block in g[first]:
        key = wiring.copy()
        key.update(block.tobytes())
        found.append(numbers.setdefault(key.digest(), len(numbers)))
    return replace(crossbar, definition=ints(np.array(found)[which]))


def _equal(g: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The first of each set of equal blocks, in order, and the set that each block is in."""
    words = np.ascontiguousarray(g).view(np.uint64)
    odd = np.random.default_rng(0).integers(0, 1 << 63, words.shape[1], dtype=np.uint64) * 2 + 1
    # It overflows, as it should.
    sums = (words * odd).sum(axis=1)
    _, first, which = np.unique(sums, return_index=True, return_inverse=True)
    if not (words[first[which]] == words).all():
        first = which = np.arange(len(g))
    order = np.argsort(first)
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(len(order))
    return first[order], rank[which]
