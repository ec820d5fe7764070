"""SPICE: a programmed Design assembled into a Deck and written as netlists."""

from memxc.backends.spice.assemble import assemble
from memxc.backends.spice.names import stage_id
from memxc.backends.spice.write import write

__all__ = ["assemble", "stage_id", "write"]
