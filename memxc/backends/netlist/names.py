"""Names in a netlist: short, lower case, never a model's own text. docs/netlist.md lists them."""

from __future__ import annotations

import re

from memxc.ir.design import Design


def safe(text: str, limit: int = 24) -> str:
    """A model's name as a SPICE-safe word."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:limit].strip("_") or "x"


def stage_id(design: Design, index: int) -> str:
    """The name of a stage in files and comments: its number, then what the model calls it."""
    return f"s{index:02d}_{safe(design.stages[index].name)}"


def definition(number: int) -> str:
    """The subcircuit of crossbar definition `number`."""
    return f"xb{number}"
