"""The rows of a report: what each figure is, its unit, and where it comes from.

They are apart from what measures them, so that a report can be read without it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from memxc.documents import Amount, Count, OfStage, Part, Share


class Counts(Part):
    """The counts of a bill of materials."""

    crossbars: Count = Field(description="Unit crossbars that are placed.")
    memristors: Count = Field(
        description="Devices on all placed crossbars: weights and biases, both signs. A "
        "BatchNormalization that is kept as a stage has memristors and no unit crossbar."
    )
    memristors_defined: Count = Field(
        description="The same, where equal crossbars count once: each definition of the netlist."
    )
    memristors_off: Count = Field(
        description="Those of `memristors` that the netlist writes with the digits of g_min."
    )
    word_lines: Count = Field(description="Word lines (inputs) of all placed crossbars.")
    bit_lines: Count = Field(description="Bit lines (columns) of all placed crossbars.")
    driven_ends: Count = Field(
        description="Ends of word lines with a feed line from a driver: two where both are driven."
    )
    opamps: Count = Field(description="All op-amps, those that work as inverters among them.")
    inverters: Count = Field(
        description="Those of `opamps` that invert: op-amp 1 of a differential pair, or with "
        "inverted inputs one a net (sequential: one a port)."
    )
    diodes: Count = Field(description="Diodes of the circuits of lane functions, such as ReLU.")
    limiters: Count = Field(description="Limiters behind amplifiers, which clip their volts.")
    multipliers: Count = Field(description="Analog multipliers.")
    converters: Count = Field(
        description="Analog-to-digital and digital-to-analog converters of quantised networks."
    )
    resistors: Count = Field(
        description="Fixed resistors in place of weights (average pooling): neither memristors nor "
        "on crossbars."
    )
    periods: Count = Field(
        description="Calculation periods, one after the other, until every output of a stage is "
        "known; in all, their sum over the stages."
    )


class Bill(Counts):
    """A bill of materials as the report has it."""

    utilisation: Share | None = Field(
        description="Share of the places (rows x columns) of the placed unit crossbars that hold a "
        "device; null without crossbars."
    )


class Kind(OfStage):
    """The first columns of the bills of all stages."""

    kind: str = Field(
        description="What the stage is built of: memristor, resistor or batchnorm, or the name of "
        "the circuit of its lanes."
    )


class StageBill(Bill, Kind):
    """The bill of materials of one stage."""


class Power(Part):
    """Watts; `+` adds them, and keeps the larger neuron."""

    total_w: Amount = Field(description="Watts of crossbars and amplifiers together.")
    crossbar_w: Amount = Field(
        description="Watts of all placed devices: the sum of V^2 G, the mean over the samples "
        "(`power.assumptions` says what it leaves out)."
    )
    amplifier_w: Amount = Field(
        description="Static watts of all op-amps: `target.amplifier.power_w` of each."
    )
    neuron_max_w: Amount = Field(
        description="Watts of the devices of the worst bit line (pair) of memristors, with every "
        "word line at the most volts that can occur on it."
    )

    @classmethod
    def of(
        cls, crossbar_w: float = 0.0, amplifier_w: float = 0.0, neuron_max_w: float = 0.0
    ) -> Power:
        """These watts, and their total."""
        return Power(
            total_w=crossbar_w + amplifier_w,
            crossbar_w=crossbar_w,
            amplifier_w=amplifier_w,
            neuron_max_w=neuron_max_w,
        )

    def __add__(self, other: Power) -> Power:
        return Power.of(
            self.crossbar_w + other.crossbar_w,
            self.amplifier_w + other.amplifier_w,
            max(self.neuron_max_w, other.neuron_max_w),
        )


class StagePower(Power, OfStage):
    """The watts of one stage."""

    @classmethod
    def on(cls, stage: str, power: Power) -> StagePower:
        """The watts of the stage of that name."""
        return cls.model_validate({"stage": stage, **dict(power)})


class Consumption(Power):
    """The watts of a network, and what an inference takes of them."""

    energy_per_inference_j: Amount = Field(
        description="Joules of an inference: total watts times `inference_s` of the latency."
    )

    @classmethod
    def over(cls, power: Power, inference_s: float) -> Consumption:
        """The watts of a network, for as long as an inference takes."""
        energy = power.total_w * inference_s
        return cls.model_validate({**dict(power), "energy_per_inference_j": energy})


class Latency(Part):
    """The critical path: the longest way from an input to an output.

    Renaming, limiters and what stays digital take no time.
    """

    critical_path_stages: Count = Field(
        description="Stages on the critical path: crossbars, resistor networks, circuits of lanes."
    )
    periods: Count = Field(
        description="Calculation periods on it. A sequential stage takes one a place, others one."
    )
    stage_time_s: Amount = Field(description="Seconds of a period: `target.crossbar.stage_time_s`.")
    inference_s: Amount = Field(description="Seconds of an inference: periods times stage time.")


class Area(Part):
    """Square metres."""

    total_m2: Amount = Field(description="Square metres of crossbars and amplifiers together.")
    crossbar_m2: Amount = Field(
        description="Square metres of all places of the unit crossbars, empty or not, and of the "
        "memristors beside them: `target.crossbar.cell_area_m2` of each."
    )
    amplifier_m2: Amount = Field(
        description="Square metres of all op-amps: `target.amplifier.area_m2` of each."
    )


#: What this way of counting says nothing about.
NotCounted = Annotated[None, Field(description="null: the papers do not count these.")]


class KernelBill(Part):
    """A bill of materials as the papers count it; null where they say nothing."""

    kernels: Count = Field(description="Kernels of the network.")
    crossbars: Count = Field(description="One for each kernel.")
    memristors: Count = Field(description="Devices; a weight or a bias of zero counts, too.")
    word_lines: Count = Field(description="Word lines (inputs) of all kernels.")
    bit_lines: Count = Field(description="Bit lines (columns) of all kernels.")
    opamps: Count = Field(description="All op-amps, those that work as inverters among them.")
    inverters: Count = Field(description="Those of `opamps` that invert.")
    inverters_shared: Count = Field(
        description="The inverters that are left where all kernels of a layer take turns at those "
        "of one kernel."
    )
    memristors_defined: Count = Field(description="As `memristors`: nothing is shared.")
    memristors_off: NotCounted
    driven_ends: NotCounted
    diodes: NotCounted
    limiters: NotCounted
    multipliers: NotCounted
    converters: NotCounted
    resistors: NotCounted
    periods: NotCounted
    utilisation: NotCounted


class PerKernel(Part):
    """The network counted as the papers count, with signed weights built in two ways."""

    differential: KernelBill = Field(
        description="(M+1) x 2 devices a kernel, and two op-amps, of which one inverts."
    )
    inverted_inputs: KernelBill = Field(
        description="(2M+1) x 1 devices a kernel, one op-amp and M inverters."
    )


class StageLayout(OfStage):
    """How a kernel of a stage is laid out: what one unit crossbar holds of it, at most."""

    kind: Literal["3D", "2D", "1D", "dense", "irregular"] = Field(
        description="3D (channels x taps), 2D (depthwise), 1D (pointwise), dense (one place) or "
        "irregular (no patches)."
    )
    patch: tuple[Count, ...] = Field(
        description="Places along each axis of the map; empty for one place after the other."
    )
    channels: Count = Field(description="Channels in a block.")
    filters: Count = Field(description="Filters in a block.")
    groups: Count = Field(description="Groups of the convolution in a block.")
    rows: Count = Field(description="Inputs that one crossbar holds.")
    columns: Count = Field(description="Signed outputs that one crossbar holds.")
    crossbars: Count = Field(description="Unit crossbars that are placed for the kernel.")


class RuleCounts(Part):
    """Unit crossbars by kind of kernel. Biases and dense layers are not in the sums."""

    kernels_3d: Count = Field(
        validation_alias="3d", serialization_alias="3d", description="Of 3D convolutions."
    )
    kernels_2d: Count = Field(
        validation_alias="2d", serialization_alias="2d", description="Of depthwise convolutions."
    )
    kernels_1d: Count = Field(
        validation_alias="1d", serialization_alias="1d", description="Of pointwise convolutions."
    )
    dense: Count = Field(description="Of dense layers, as `none` lays them out.")
    irregular: Count = Field(description="Of kernels without patches.")
    total: Count = Field(description="The sum of 3d, 2d and 1d.")
    as_3d: Count = Field(
        description="The total, if every 2D kernel and the 1D kernel behind it were one 3D kernel."
    )
    as_2d_1d: Count = Field(description="The total, if every 3D kernel were a 2D and a 1D kernel.")


class SubImages(Part):
    """Unit crossbars by the sub-image rule of Oh, An and Min (2023): docs/papers.md."""

    square: RuleCounts = Field(description="With square patches, as in the paper.")
    rectangular: RuleCounts = Field(description="With rectangular patches.")


class Baseline(Part):
    """What the same network costs in an older way of building."""

    name: str = Field(description="The older way: inverted inputs, paper rule or im2col.")
    resources: Bill = Field(description="Bill of materials.")
    power: Consumption = Field(description="Watts and joules.")
    latency: Latency = Field(description="Periods and seconds of the critical path.")
