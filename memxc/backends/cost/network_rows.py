"""The rows of a report about the network: which stage reads which."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from memxc.documents import Amount, Count, OfStage

MadeOf = Literal["crossbars", "memristors", "resistors", "lanes", "island", "digital"]


class NetworkRow(OfStage):
    """A stage of the circuit, and what it reads."""

    made_of: MadeOf = Field(
        description="crossbars, memristors (those of a BatchNormalization, which are on no unit "
        "crossbar), resistors, lanes (one small function on each net), island (a part that stays "
        "digital), or digital (a function at the edge of the network)."
    )
    sources: tuple[str, ...] = Field(
        description="Names of the stages and of the inputs of the network that it reads. Renaming "
        "has no hardware and is left out."
    )
    shape: tuple[Count, ...] = Field(
        description="Shape of the tensor that it computes, with the batch axis first."
    )
    limit_v: Amount | None = Field(
        description="Volts at which the limiters behind it clip; null without limiters."
    )
