"""SPICE: `assemble` makes a Deck of a programmed Design, `write` makes netlist files of it."""

from memxc.backends.netlist.assemble import assemble
from memxc.backends.netlist.names import stage_id
from memxc.backends.netlist.write import write

__all__ = ["assemble", "stage_id", "write"]
