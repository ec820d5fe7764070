"""The cells around the crossbars: their contracts, their circuits, and their benches.

This room knows the contract of each cell (`library/`, one file a cell, found by discovery), fills
the templates of the levels macro and transistor, and runs them in SPICE. It imports what describes
circuits (target, netlist_reader, render, pdk, engines) and nothing that knows networks. `memxc
characterize` asks it for the table that a target reads.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from memxc.cells import library
from memxc.cells.contract import Cell


@cache
def cells() -> dict[str, Cell]:
    """Return the contracts of all cells by their names, sorted."""
    found = sorted(module.name for module in pkgutil.iter_modules(library.__path__))
    return {name: importlib.import_module(f"{library.__name__}.{name}").CELL for name in found}
