"""The model of report.json. The rows of costs are in backends/cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from memxc.backends.cost.erc_rows import ElectricalRules
from memxc.backends.cost.latency_rows import Latency, StageSettling
from memxc.backends.cost.network_rows import NetworkRow
from memxc.backends.cost.power_rows import Consumption, Ledger, StagePower
from memxc.backends.cost.rows import (
    Area,
    Baseline,
    Bill,
    IslandRow,
    PerKernel,
    StageBill,
    StageLayout,
    SubImages,
)
from memxc.backends.cost.storage_rows import Storage
from memxc.backends.programming.rows import ProgrammingCost
from memxc.documents import Amount, Count, Number, OfStage, Part, Share
from memxc.errors import fail
from memxc.evaluation.losses import Loss
from memxc.target import Target

if TYPE_CHECKING:
    from memxc.compiler.options import Settings

SCHEMA: Final = "memxc-report/1"


class Tensor(Part):
    """An input or an output of the network."""

    name: str = Field(description="Its name in the model.")
    shape: tuple[Count, ...] = Field(description="Its shape, with the batch axis first.")


class Model(Part):
    """The network that was compiled."""

    name: str = Field(description="The name of the model's file, without `.onnx`.")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the model's file.")
    opset: Count = Field(description="Version of ONNX's operators that the model asks for.")
    parameters: Count = Field(
        description="Number of values in the model's constant tensors, zeros included, each tensor "
        "once. Shapes, axes and indices (int64, bool) do not count."
    )
    macs: Count = Field(
        description="Multiplications for an inference before pruning, those by zero included."
    )
    inputs: tuple[Tensor, ...] = Field(description="Inputs of the network.")
    outputs: tuple[Tensor, ...] = Field(description="Outputs of the network.")


class Rung(Part):
    """How much a step of the compilation changed the outputs of the network."""

    start: str = Field(
        validation_alias="from",
        serialization_alias="from",
        description="The name of the step before.",
    )
    end: str = Field(
        validation_alias="to", serialization_alias="to", description="The name of the step."
    )
    max_abs_error: Number = Field(
        description="Largest |a-b| over all outputs and samples, in units of the outputs, where a "
        "is after the step and b before it."
    )
    max_rel_error: Number = Field(description="Largest |a-b|, relative to the largest |b|.")


class Fidelity(Part):
    """How much the circuit differs from the network."""

    reference: Literal["onnxruntime", "onnx.reference"] | None = Field(
        description="The program that computed the original network; null if none could, or if "
        "none was asked."
    )
    passed: bool | None = Field(
        description="Whether the first rung was measured and its relative error is at most 1e-3; "
        "null with --report-only."
    )
    rungs: tuple[Rung, ...] = Field(
        description="How much each step of the compilation changed the outputs. The first rung "
        "compares the lowered network with `reference`. Empty with --report-only."
    )
    loss: Loss | None = Field(
        description="What all lossy passes lost together; null if there was no such pass, or if "
        "losses were not measured."
    )


class Nothing(Part):
    """An object without keys, in place of a loss that was not measured."""

    def __bool__(self) -> Literal[False]:
        return False


class Size(Part):
    """The size of a network before or after a pass, and figures that the pass adds by name."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Number]

    crossbars: Count = Field(description="Unit crossbars.")
    memristors: Count = Field(
        description="Memristors; before programming, the number that will be needed."
    )
    multiplications: Count = Field(
        description="Multiplications for an inference by weights other than zero, over all places."
    )
    parameters: Count = Field(
        description="Weights and biases other than zero, once for each definition; a batch "
        "normalization has a scale and a bias for each channel."
    )
    saturated: Count | None = Field(
        default=None,
        description="Number of pairs that `compensate` left at a limit of their range.",
    )
    circuit_error: Number | None = Field(
        default=None,
        description="Error of the circuit with its wires, relative to the largest output. Only "
        "passes against wire resistance have it.",
    )
    circuit_top1: Share | None = Field(
        default=None, description="Accuracy of the circuit with its wires."
    )
    circuit_dice: Share | None = Field(
        default=None, description="Dice score of the circuit with its wires."
    )

    @model_serializer(mode="wrap")
    def _measured(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out the keys of figures that were not measured."""
        return {key: value for key, value in whole(self).items() if value is not None}


class PassRow(Part):
    """The record of a pass."""

    name: str = Field(description="Name of the pass: `memxc passes` lists them.")
    options: dict[str, Any] = Field(description="Options of the pass.")
    exact: bool = Field(description="Whether the pass keeps the outputs.")
    before: Size = Field(description="Size of the network before the pass.")
    after: Size = Field(
        description="Size of the network after the pass, and the figures of the pass by their "
        "names."
    )
    loss: Loss | Nothing = Field(
        description="What a lossy pass lost; a table without keys if it was not measured."
    )


class ResourceSection(Part):
    """The parts of the circuit, as it was compiled and as the papers count."""

    total: Bill = Field(description="Bill of materials of the circuit.")
    stages: tuple[StageBill, ...] = Field(description="Bill of materials of each stage.")
    layouts: tuple[StageLayout, ...] = Field(description="How each kernel is laid out.")
    per_kernel: PerKernel = Field(
        description="The parts of the network as the papers count them: each kernel of M inputs on "
        "its own, before pruning and separation."
    )
    sub_images: SubImages = Field(
        description="Unit crossbars by the sub-image rule of Oh, An and Min (2023). See "
        "docs/papers.md."
    )


class PowerSection(Consumption):
    """The watts of the circuit, and of each stage."""

    energy_gated_j: Amount | None = Field(
        default=None,
        description="Joules for an inference in which a stage is powered only while it settles: "
        "the sum of watts times periods times settling time. What `total_w` has beyond the watts "
        "of the stages is shared out in proportion to these. null without settling times.",
    )
    ledger: Ledger | None = Field(
        default=None,
        description="Watts by their source and by where they become heat; null in older reports.",
    )
    assumptions: tuple[str, ...] = Field(
        description="What the watts include and what they leave out."
    )
    stages: tuple[StagePower, ...] = Field(description="Watts of each stage.")


class LatencySection(Latency):
    """The time of an inference, and of each stage."""

    stages: tuple[StageSettling, ...] = Field(
        description="How each stage with op-amps settles; empty if `missing` has a key of the "
        "target."
    )


class DigitalRow(OfStage):
    """A stage at the edge of the network that stays digital."""

    function: str = Field(description="The function that it computes, such as softmax.")
    options: dict[str, Any] = Field(description="Attributes of the function.")


class Report(Part):
    """The report of a compilation: report.json."""

    schema_: Literal["memxc-report/1"] = Field(
        validation_alias="schema",
        serialization_alias="schema",
        description="Name and version of this schema.",
    )
    memxc: str = Field(description="Version of memxc that wrote the report.")
    model: Model = Field(description="The network that was compiled.")
    target: Target = Field(description="The devices, wires and amplifiers of the circuit.")
    options: dict[str, Any] = Field(
        description="Options of the compilation. In Python, `settings` has them with their types."
    )
    samples: Count = Field(description="Number of samples for calibration, losses and power.")
    fidelity: Fidelity = Field(description="How much the circuit differs from the network.")
    passes: tuple[PassRow, ...] = Field(description="All passes, in their order.")
    resources: ResourceSection = Field(description="The parts of the circuit.")
    power: PowerSection = Field(description="Watts of the circuit.")
    latency: LatencySection = Field(description="Periods and seconds of the critical path.")
    area: Area = Field(description="Square metres of the circuit.")
    erc: ElectricalRules | None = Field(
        default=None,
        description="Electrical rules: currents, resistors, gains and volts of the op-amps and "
        "devices; null in older reports.",
    )
    storage: Storage | None = Field(
        default=None,
        description="Devices and bits for each weight of the network; null in older reports.",
    )
    baselines: tuple[Baseline, ...] = Field(
        description="The same network built in other, older ways; empty with --report-only."
    )
    programming: ProgrammingCost | None = Field(
        default=None,
        exclude_if=lambda cost: cost is None,
        description="What it takes to program the memristors; absent if the target has no "
        "`programming`, and with --report-only.",
    )
    costs: Mapping[str, Mapping[str, bool | int | float | str | None]] = Field(
        default_factory=dict,
        exclude_if=lambda costs: not costs,
        description="Figures of plug-ins, by the names of the cost and the figure; absent if there "
        "are none.",
    )
    islands: tuple[IslandRow, ...] | None = Field(
        default=None,
        description="Parts of the network that stay digital, between converters; null in older "
        "reports.",
    )
    network: tuple[NetworkRow, ...] | None = Field(
        default=None,
        description="Which stage reads which, in order; null in older reports.",
    )
    digital: tuple[DigitalRow, ...] = Field(
        description="Stages at the edge of the network that stay digital."
    )
    warnings: tuple[str, ...] = Field(description="What the user has to know about the figures.")

    @property
    def settings(self) -> Settings:
        """The options with their types; an option that an older report lacks has its default.

        Raises MemxcError (bad-design) with the names of the options that have a wrong value.
        """
        from memxc.compiler import manifest, stage_set  # noqa: PLC0415 - they import all passes

        try:
            found = manifest.read(self.options)
            for text in found.stage_set:
                stage_set.parse(text)
        except ValueError as error:
            hint = "compile the model again"
            raise fail("bad-design", "report.json", f"options: {error}", hint) from error
        return found

    @model_validator(mode="after")
    def _same_stages(self) -> Self:
        names = [[row.stage for row in part.stages] for part in (self.resources, self.power)]
        if names[0] != names[1]:
            raise ValueError("resources and power list different stages")
        return self
