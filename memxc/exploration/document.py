"""The model of explore.json and `memxc explore --json`."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from memxc.documents import Number, Part
from memxc.evaluation.metrics import Metric

SCHEMA: Final = "memxc-explore/1"


class ExploredPoint(Part):
    """One way to compile the network, and what came of it."""

    settings: dict[str, str] = Field(
        description="The text of each option; empty if the option is left out."
    )
    command: str = Field(description="The command that compiles this circuit again.")
    folder: str = Field(description="The folder of the circuit, in the exploration's folder.")
    figures: dict[str, Number | None] = Field(
        description="Figures by name, in SI units: those of the report (loss, power, energy, area, "
        "clocked, latency, crossbars, memristors, erc), and score. null: not measured."
    )
    metric: Metric | None = Field(description="The metric of the score; null without a score.")
    over: tuple[str, ...] = Field(description="A sentence for each budget that is exceeded.")
    refused: tuple[str, ...] = Field(
        description="Why the network cannot be compiled in this way; empty if it can."
    )
    best: bool = Field(
        description="Whether it is within the budgets, and no other point within them is at least "
        "as good in all objectives and better in one."
    )


class Explored(Part):
    """The points of an exploration."""

    schema_: Literal["memxc-explore/1"] = Field(
        validation_alias="schema",
        serialization_alias="schema",
        description="Name and version of this schema.",
    )
    model: str = Field(description="The model, as it was given.")
    objectives: tuple[str, ...] = Field(
        description="The figures that decide which points are best. A score is better the larger "
        "it is, unless it is an error; any other figure the smaller it is."
    )
    metric: Metric | None = Field(description="The metric of the scores; null without scores.")
    points: tuple[ExploredPoint, ...] = Field(description="All combinations, in their order.")

    @property
    def best(self) -> tuple[ExploredPoint, ...]:
        """The points that no other is better than."""
        return tuple(point for point in self.points if point.best)
