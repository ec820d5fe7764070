"""The model of `memxc simulate --json`."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from memxc.documents import Count, Number, Part
from memxc.evaluation.metrics import Metric
from memxc.physics.device.variation import DrawPer
from memxc.simulate import SweepPlan, SweepScores

SCHEMA: Final = "memxc-simulate/1"


class Point(Part):
    """A point of the sweep: the scores of its draws."""

    settings: dict[str, str] = Field(description="Value of each key of the sweep.")
    reprogrammed: tuple[str, ...] = Field(
        description="Keys for which the network was programmed anew for this point."
    )
    mean: Number = Field(description="Mean of the scores.")
    spread: Number = Field(
        description="Standard deviation of the scores (n - 1); 0 of a single one."
    )
    scores: tuple[Number, ...] = Field(min_length=1, description="The score of each draw.")


class Simulated(Part):
    """What the circuit scores over a data set."""

    schema_: Literal["memxc-simulate/1"] = Field(
        validation_alias="schema",
        serialization_alias="schema",
        description="Name and version of this schema.",
    )
    metric: Metric = Field(
        description="top1, dice and iou are scores by the labels, 0 to 1; error is relative to the "
        "largest output of the original network."
    )
    count: Count = Field(description="Samples.")
    original: Number | None = Field(
        description="Score of the original network in onnxruntime; null where the metric is an "
        "error, or the folder holds no copy of the model."
    )
    settings: tuple[Annotated[str, Field(pattern="=")], ...] = Field(
        validation_alias="set", serialization_alias="set", description="KEY=VALUE of every --set."
    )
    seed: int = Field(ge=0, description="What all draws come from.")
    draw_per: DrawPer = Field(
        description="Whether each placed crossbar has a draw of its own, or each definition."
    )
    rows: tuple[Point, ...] = Field(min_length=1, description="The points of the sweep.")
    warnings: tuple[str, ...] = Field(description="Warnings about the data.")


def document(result: SweepScores, plan: SweepPlan) -> Simulated:
    """Return the document of a simulation."""
    return Simulated(
        schema_=SCHEMA,
        metric=result.metric,
        count=result.count,
        original=result.original,
        settings=plan.settings,
        seed=plan.seed,
        draw_per=plan.draw_per,
        rows=tuple(
            Point(
                settings=dict(text.split("=", 1) for text in row.settings),
                reprogrammed=row.reprogrammed,
                mean=row.mean,
                spread=row.spread,
                scores=row.scores,
            )
            for row in result.rows
        ),
        warnings=result.warnings,
    )
