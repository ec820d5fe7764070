"""The numbers of crossbar definitions: crossbars with one number share one subcircuit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from memxc.ir.stages import Array, Stage
from memxc.ir.windows import ints


def renumbered(stages: Iterable[Stage]) -> Iterator[Stage]:
    """Yield the stages with a number of its own for every crossbar definition, counted from 0.

    A pass that changes conductances calls this, because equal crossbars may then differ. The pass
    `share` joins those that are still equal.
    """
    first = 0
    for stage in stages:
        if not isinstance(stage, Array):
            yield stage
            continue
        crossbars = []
        for crossbar in stage.crossbars:
            numbers = ints(np.arange(first, first + crossbar.groups))
            crossbars.append(replace(crossbar, definition=numbers))
            first += crossbar.groups
        yield replace(stage, crossbars=tuple(crossbars))
