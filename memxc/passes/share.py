"""share: crossbars with equal conductances become one definition of the netlist."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from memxc.interfaces import Context, DesignPass, Result
from memxc.ir.design import Design
from memxc.ir.kernel import Crossbar
from memxc.ir.stages import Array
from memxc.ir.windows import ints


@dataclass(frozen=True)
class Share(DesignPass):
    """Number the definitions so that equal ones, anywhere in the network, are written once."""

    name = "share"
    programmed = True

    def run(self, design: Design, ctx: Context) -> Result[Design]:
        """Return the design with shared definition numbers, in the order of first use."""
        numbers: dict[bytes, int] = {}
        stages = (
            replace(stage, crossbars=tuple(numbered(c, numbers) for c in stage.crossbars))
            if isinstance(stage, Array)
            else stage
            for stage in design.stages
        )
        return Result(design.with_stages(stages))


def numbered(crossbar: Crossbar, numbers: dict[bytes, int]) -> Crossbar:
    """Return a stack with the numbers of its definitions.

    numbers: the definitions so far, by a digest of wiring and conductances. New ones are added.
    """
    wiring = hashlib.sha256(np.array(crossbar.cell.shape).tobytes() + crossbar.cell.tobytes())
    used = crossbar.uses > 0
    first, which = crossbar.equal
    of_distinct = []
    for block in crossbar.g[first]:
        key = wiring.copy()
        key.update(block[used].tobytes())
        of_distinct.append(numbers.setdefault(key.digest(), len(numbers)))
    return replace(crossbar, definition=ints(np.array(of_distinct)[which]))
