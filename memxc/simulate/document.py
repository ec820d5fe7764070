"""The model of `memxc simulate --json`."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from memxc.documents import Count, Number, Part
from memxc.evaluation.metrics import Metric
from memxc.physics.device.variation import DrawPer
from memxc.simulate import SweepPlan, SweepScores

SCHEMA: Final = "memxc-simulate/1"


class PointRow(Part):
    """A point of the sweep, with the scores of its draws."""

    settings: dict[str, str] = Field(
        description="The value of each key of the sweep at this point."
    )
    reprogrammed: tuple[str, ...] = Field(
        description="Keys for which the network was programmed again for this point."
    )
    mean: Number = Field(description="Mean of the scores.")
    spread: Number = Field(
        description="Standard deviation of the scores (with n - 1); 0 if there is one score."
    )
    scores: tuple[Number, ...] = Field(min_length=1, description="The score of each draw.")


class Simulation(Part):
    """The scores of a circuit on a data set."""

    schema_: Literal["memxc-simulate/1"] = Field(
        validation_alias="schema",
        serialization_alias="schema",
        description="Name and version of this schema.",
    )
    metric: Metric = Field(
        description="top1, dice and iou are scores by the labels, 0 to 1; error is relative to the "
        "largest output of the original network."
    )
    count: Count = Field(description="Number of samples.")
    original: Number | None = Field(
        description="Score of the original network in onnxruntime; null if the metric is error, "
        "or if the folder holds no copy of the model."
    )
    settings: tuple[Annotated[str, Field(pattern="=")], ...] = Field(
        validation_alias="set",
        serialization_alias="set",
        description="The KEY=VALUE of each --set.",
    )
    seed: int = Field(ge=0, description="The seed of all draws.")
    draw_per: DrawPer = Field(
        description="Whether devices are drawn for each placed crossbar or for each definition."
    )
    conductances: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{64}$",
        exclude_if=lambda digest: digest is None,
        description="SHA-256 of the file of measured conductances; absent without one.",
    )
    rows: tuple[PointRow, ...] = Field(min_length=1, description="The points of the sweep.")
    warnings: tuple[str, ...] = Field(description="Warnings about the data.")


def document(result: SweepScores, plan: SweepPlan, measured: str = "") -> Simulation:
    """Return the document of a simulation.

    measured: the SHA-256 of measured conductances, "" if there are none.
    """
    return Simulation(
        schema_=SCHEMA,
        metric=result.metric,
        count=result.count,
        original=result.original,
        settings=plan.settings,
        seed=plan.seed,
        draw_per=plan.draw_per,
        conductances=measured or None,
        rows=tuple(
            PointRow(
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
