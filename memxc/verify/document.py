"""The results of verify, and the model of `memxc verify --json`."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from memxc.documents import Amount, Count, Number, OfStage, Part, Share
from memxc.evaluation.metrics import Metric

SCHEMA: Final = "memxc-verify/1"


class CrossbarWatts(Part):
    """Watts of the crossbars of a stage, computed from the same volts in two ways."""

    engine: Number = Field(description="Watts that the engine summed over the devices.")
    report: Number = Field(description="Watts by the formula of the report.")


class StageResult(Part):
    """One stage: what was simulated, and its error against the design on the same input volts."""

    name: str = Field(description="Name of the stage.")
    decks: Count = Field(description="Number of circuits that the engine simulated.")
    devices: Count = Field(description="Number of devices in these circuits.")
    seconds: Amount = Field(description="Seconds that the simulation took on this machine.")
    max_abs_error_v: Number = Field(description="Largest difference from the design, in volts.")
    max_rel_error: Number = Field(
        description="Largest difference, relative to the largest expected voltage."
    )
    ok: bool = Field(description="Whether the relative error is within the tolerance.")
    crossbar_w: CrossbarWatts | None = Field(
        default=None, description="With --power: watts of the crossbars; null without."
    )


class CellResult(Part):
    """A cell, simulated alone over the whole range of its signals."""

    name: str = Field(description="Name of the cell's template.")
    range_v: Number = Field(
        description="The inputs went from minus to plus this many volts; for an amplifier, its "
        "output."
    )
    max_abs_error_v: Number = Field(
        description="Largest difference from the function of the cell, in volts."
    )
    max_rel_error: Number = Field(
        description="Largest difference, relative to the largest expected voltage."
    )
    ok: bool = Field(description="Whether the relative error is within the tolerance.")


class LimiterResult(Part):
    """A limiter, simulated alone."""

    clip_v: Amount = Field(description="Volts at which it clips.")
    range_v: Number = Field(
        description="The input went from minus to plus this many volts: the swing of the op-amps, "
        "and at least twice `clip_v`."
    )
    max_abs_error_v: Number = Field(
        description="Largest difference from an ideal limiter, in volts."
    )
    max_rel_error: Number = Field(description="Largest difference, relative to `clip_v`.")
    ok: bool = Field(description="Whether the relative error is within the tolerance.")


class TransientResult(OfStage):
    """Two lanes of a stage in SPICE's transient analysis, with `--transient`."""

    settling_s: Amount | None = Field(
        description="Seconds after which the slowest lane stays within 0.1 % of its final value, "
        "when one of its currents steps; null if a lane of the stage never settles."
    )
    expected_s: Amount | None = Field(
        description="The same by the report's calculation, without its guard factor and without "
        "inverters; null as `settling_s`."
    )
    overshoot: Amount | None = Field(
        description="Overshoot of the lane that rings most, relative to its final value, when one "
        "of its currents steps; null as `settling_s`."
    )
    expected_overshoot: Amount | None = Field(
        description="The same by the report's calculation; null as `settling_s`."
    )
    energy_j: Amount | None = Field(
        description="Joules that the rails of the slowest lane's op-amps, as macros, deliver "
        "within `expected_s`, while its word lines step from 0 V to those of the first sample; "
        "null as `settling_s`, and if the target lacks a key of the macro."
    )
    expected_energy_j: Amount | None = Field(
        description="The watts of the report's ledger on this sample times `expected_s`; null as "
        "`energy_j`."
    )
    ok: bool = Field(
        description="Whether the times agree within 2 % and the overshoots within a point, and no "
        "lane overshoots by more than 20 %."
    )


class Outputs(Part):
    """The outputs of the simulated network, compared with onnxruntime and with the design."""

    count: Count = Field(description="Number of samples.")
    max_abs_error: Number = Field(
        description="Largest difference from onnxruntime, in units of the outputs."
    )
    max_rel_error: Number = Field(description="Largest difference, relative to the largest output.")
    argmax_agree: Count = Field(
        description="Number of samples in which the largest number of every output is at the same "
        "index as in onnxruntime."
    )
    evaluate_max_rel_error: Number = Field(
        description="Largest difference from the design (with --wire: from its effective "
        "matrices), relative to the largest output."
    )
    evaluate_argmax_agree: Count = Field(
        description="Number of samples in which the largest number of every output is at the same "
        "index as in the design."
    )
    metric: Metric | None = Field(
        description="The metric of `score` and `original_score`; null without labels."
    )
    score: Share | None = Field(
        description="Score of the first output of the simulated network; null without labels."
    )
    original_score: Share | None = Field(
        description="Score of the first output in onnxruntime; null without labels."
    )


class EngineUsed(Part):
    """The SPICE engine that was used."""

    name: str = Field(description="Its name: `memxc engines` lists them.")
    version: str = Field(description="Its version.")


class Verified(Part):
    """The result of verify for a folder."""

    schema_: Literal["memxc-verify/1"] = Field(
        validation_alias="schema",
        serialization_alias="schema",
        description="Name and version of this schema.",
    )
    engine: EngineUsed = Field(description="The SPICE engine that was used.")
    tolerance: Number = Field(description="The largest relative error that is allowed.")
    changed: tuple[str, ...] = Field(
        description="Files of the folder that were changed since it was compiled."
    )
    stages: tuple[StageResult, ...] = Field(description="The stages that were simulated.")
    cells: tuple[CellResult, ...] = Field(
        description="Each cell of these stages that is not a limiter, simulated alone."
    )
    limiters: tuple[LimiterResult, ...] = Field(
        description="The limiter, simulated alone at each voltage at which these stages clip."
    )
    transients: tuple[TransientResult, ...] = Field(
        description="How the slowest lanes settle in SPICE; empty without --transient."
    )
    outputs: Outputs | None = Field(
        description="The outputs, compared; null with --stage, or if onnxruntime gave no answer."
    )
    differences: Count | None = Field(
        description="Number of places where the netlist or one of its tables differs from the "
        "design, as in `memxc lvs`; null with --stage."
    )
    warnings: tuple[str, ...] = Field(description="Warnings about the data.")
    ok: bool = Field(
        description="Whether every error is within the tolerance, the error against onnxruntime is "
        "a finite number, and the netlist agrees with the design."
    )
