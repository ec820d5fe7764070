"""The results of verify, and the model of `memxc verify --json`."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from memxc.documents import Amount, Count, Number, Part, Share
from memxc.evaluation.metrics import Metric

SCHEMA: Final = "memxc-verify/1"


class CrossbarWatts(Part):
    """Watts of the crossbars of a stage, from the same volts in two ways."""

    engine: Number = Field(description="Watts that the engine summed over the devices.")
    report: Number = Field(description="Watts by the formula of the report.")


class StageResult(Part):
    """One stage: what was simulated, and how far it is from evaluate on the same input volts."""

    name: str = Field(description="Name of the stage.")
    decks: Count = Field(description="Circuits that the engine was given.")
    devices: Count = Field(description="Devices in them.")
    seconds: Amount = Field(description="Seconds that the simulation took here.")
    max_abs_error_v: Number = Field(description="Largest distance from evaluate in volts.")
    max_rel_error: Number = Field(description="The same relative to the largest volts.")
    ok: bool = Field(description="Whether the relative error is within the tolerance.")
    crossbar_w: CrossbarWatts | None = Field(
        default=None, description="With --power: watts of the crossbars; null without."
    )


class CellResult(Part):
    """A cell alone, over the whole range that its signals may take."""

    name: str = Field(description="Name of the cell's template.")
    range_v: Number = Field(
        description="Volts up to which its inputs went to both sides; of an amplifier its output."
    )
    max_abs_error_v: Number = Field(description="Largest distance in volts from what is right.")
    max_rel_error: Number = Field(
        description="The same relative to the largest volts that it should have given."
    )
    ok: bool = Field(description="Whether the relative error is within the tolerance.")


class LimiterResult(Part):
    """A limiter alone."""

    clip_v: Amount = Field(description="Volts at which it clips.")
    range_v: Number = Field(
        description="Volts up to which its input went to both sides: the swing of the op-amps, at "
        "least twice the clip."
    )
    max_abs_error_v: Number = Field(description="Largest distance in volts from what is right.")
    max_rel_error: Number = Field(description="The same relative to the clip.")
    ok: bool = Field(description="Whether the relative error is within the tolerance.")


class Outputs(Part):
    """The simulated network against onnxruntime, and against evaluate from the inputs on."""

    count: Count = Field(description="Samples.")
    max_abs_error: Number = Field(
        description="Largest distance from onnxruntime, in units of the outputs."
    )
    max_rel_error: Number = Field(description="The same relative to the largest output.")
    argmax_agree: Count = Field(
        description="Samples whose largest number is at the same place as in onnxruntime, in every "
        "output."
    )
    evaluate_max_rel_error: Number = Field(
        description="Largest distance from evaluate (with --wire: of the effective matrices), "
        "relative to the largest output."
    )
    evaluate_argmax_agree: Count = Field(
        description="Samples whose largest number is at the same place as in evaluate."
    )
    metric: Metric | None = Field(
        description="How `score` and `original_score` are measured; null without labels."
    )
    score: Share | None = Field(
        description="Score of the first output of the simulated network; null without labels."
    )
    original_score: Share | None = Field(
        description="Score of onnxruntime's first output; null without labels."
    )


class Engine(Part):
    """The SPICE engine that simulated."""

    name: str = Field(description="Its name: `memxc engines` lists them.")
    version: str = Field(description="Its version.")


class Verified(Part):
    """What verify found of a folder."""

    schema_: Literal["memxc-verify/1"] = Field(
        validation_alias="schema",
        serialization_alias="schema",
        description="Name and version of this schema.",
    )
    engine: Engine = Field(description="The SPICE engine that simulated.")
    tolerance: Number = Field(description="Largest relative error that is allowed.")
    changed: tuple[str, ...] = Field(
        description="Files of the folder that are not what the manifest says."
    )
    stages: tuple[StageResult, ...] = Field(description="The stages that were simulated.")
    cells: tuple[CellResult, ...] = Field(
        description="Every other cell of the stages above, alone."
    )
    limiters: tuple[LimiterResult, ...] = Field(
        description="Each limiter cell alone, once for each clip of the stages above."
    )
    outputs: Outputs | None = Field(
        description="null with --stage, and where onnxruntime gave no answer."
    )
    differences: Count | None = Field(
        description="Places where the netlist, or a table of it, is not the design, as `memxc lvs` "
        "finds them; null with --stage."
    )
    warnings: tuple[str, ...] = Field(description="Warnings about the data.")
    ok: bool = Field(
        description="Whether every part is within the tolerance, the distance from onnxruntime is "
        "finite, and the netlist is the design."
    )
