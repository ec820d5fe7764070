"""The rows of a report about how weights are stored."""

from __future__ import annotations

from pydantic import Field

from memxc.documents import Amount, Count, Part


class Storage(Part):
    """How many devices hold a weight, and how finely."""

    weights: Count = Field(
        description="Weights and biases of the network on memristors that are not zero, as pruning "
        "left them. Each counts once, wherever the circuit holds it."
    )
    devices_per_weight: Amount | None = Field(
        description="`resources.total.memristors` for each of `weights`. It is about 2 (a pair) if "
        "every place takes its turn at one crossbar, more by the places that are computed at once "
        "and by devices for weights of zero; null without weights."
    )
    weight_bits: Amount | None = Field(
        description="Bits that a pair of devices can hold: log2(2 L - 1), for one of the two is at "
        "the lowest of the L levels or states; null for a device without levels. How exactly these "
        "are programmed is not in it."
    )
