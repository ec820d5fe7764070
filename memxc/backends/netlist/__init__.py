"""SPICE: a programmed Design assembled into a Deck and written as netlists."""

from memxc.backends.netlist.assemble import assemble
from memxc.backends.netlist.names import stage_id
from memxc.backends.netlist.write import write

__all__ = ["assemble", "stage_id", "write"]
