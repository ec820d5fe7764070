"""The floor plan of a folder's circuit."""

from __future__ import annotations

from memxc.backends import layout
from memxc.backends.cost import resources
from memxc.backends.layout import Floor
from memxc.build_folder.read import Loaded
from memxc.compiler.stage_set import by_stage


def plan(loaded: Loaded, suffix: str) -> tuple[Floor, tuple[int, int]]:
    """Return the floor plan, and how many unit crossbars and memristors the design has."""
    target = loaded.target
    unit = target.crossbar.rows, target.crossbar.columns
    own = by_stage(str(text) for text in loaded.options.get("stage_set") or ())

    def tile(stage: str) -> tuple[int, int]:
        rows, columns = own.get(stage, {}).get("tile", unit)
        return rows, columns

    bills = resources.measure(loaded.design, target.device.g_min, tile)
    total = resources.total(bills)
    found = layout.layout(loaded.design, bills, target, tile, suffix)
    return found, (total.crossbars, total.memristors)
