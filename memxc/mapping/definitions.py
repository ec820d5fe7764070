"""Which crossbars are built from one definition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from memxc.ir.stages import Array, Stage
from memxc.ir.windows import ints


def renumbered(stages: Iterable[Stage]) -> Iterator[Stage]:
    """Stages whose crossbars are definitions of their own, numbered from 0; share joins equals."""
    first = 0
    for stage in stages:
        if not isinstance(stage, Array):
            yield stage
            continue
        crossbars = []
        for crossbar in stage.crossbars:
            own = ints(np.arange(first, first + crossbar.groups))
            crossbars.append(replace(crossbar, definition=own))
            first += crossbar.groups
        yield replace(stage, crossbars=tuple(crossbars))
