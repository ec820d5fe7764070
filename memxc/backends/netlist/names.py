"""Names in a netlist: short, in lower case, and never the unchanged text of a model.

docs/netlist.md lists them.
"""

from __future__ import annotations

import re

from memxc.ir.design import Design


def safe(text: str, limit: int = 24) -> str:
    """Return a model's name as a SPICE word: a-z, 0-9 and _, at most `limit` characters."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:limit].strip("_") or "x"


def stage_id(design: Design, index: int) -> str:
    """Return the name of a stage in files and comments: its number and its name in the model."""
    return f"s{index:02d}_{safe(design.stages[index].name)}"


def definition(number: int) -> str:
    """Return the name of the subcircuit of a crossbar definition."""
    return f"xb{number}"


def tile(stage: int, crossbar: int, group: int, place: int) -> str:
    """Return the name of a placed crossbar, as mapping.csv has it."""
    return f"xs{stage}_k{crossbar}_g{group}_p{place}"
