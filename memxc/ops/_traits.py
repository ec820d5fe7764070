"""Traits that an operator declares beside its column, for passes that look at a graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from memxc.ops._call import Call


@dataclass(frozen=True)
class Channelwise:
    """Channel k (axis 1) of the output depends on channel k of each signal and on no other.

    further: the inputs behind the first. operands are signals, or constants that are broadcast as
    numpy does; vectors are constants of one number a channel; settings are constants that say
    nothing about single channels.
    when: tells whether a node works so, for an operator whose nodes do not all; None if all do.
    """

    further: Literal["operands", "vectors", "settings"] = "operands"
    when: Callable[[Call], bool] | None = None


OPERANDS = Channelwise("operands")
VECTORS = Channelwise("vectors")
SETTINGS = Channelwise("settings")


def beside_channels(axes: Callable[[Call], tuple[int, ...]]) -> Channelwise:
    """Return the trait of an operator whose nodes work along axes, in `axes`.

    A node is channelwise if none of its axes is the batch or the channels.
    """
    return Channelwise("settings", lambda call: min(axes(call), default=2) > 1)
