"""The rows of a report: what each figure is, its unit, and where it comes from.

The code that measures them is elsewhere, so that a report can be read without importing it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from memxc.backends.cost.latency_rows import Latency
from memxc.backends.cost.power_rows import Consumption
from memxc.documents import Amount, Count, OfStage, Part, Share


class Counts(Part):
    """The counts of a bill of materials."""

    crossbars: Count = Field(description="Number of unit crossbars in the circuit.")
    memristors: Count = Field(
        description="Number of devices on all placed crossbars, for weights and biases of both "
        "signs. A BatchNormalization that is a stage of its own has memristors and no unit "
        "crossbar."
    )
    memristors_defined: Count = Field(
        description="Number of memristors if each definition of the netlist counts once, however "
        "often it is placed."
    )
    memristors_off: Count = Field(
        description="Those of `memristors` that the netlist writes with the same digits as g_min."
    )
    word_lines: Count = Field(description="Word lines (inputs) of all placed crossbars.")
    bit_lines: Count = Field(description="Bit lines (columns) of all placed crossbars.")
    driven_ends: Count = Field(
        description="Ends of word lines with a feed line from a driver. A word line that is driven "
        "at both ends counts two."
    )
    opamps: Count = Field(description="Number of op-amps, inverters and row drivers included.")
    inverters: Count = Field(
        description="Those of `opamps` that invert: op-amp 1 of each differential pair; with "
        "inverted inputs one for each net, or in a sequential stage one for each port."
    )
    diodes: Count = Field(description="Diodes in the circuits of lane functions such as ReLU.")
    limiters: Count = Field(
        description="Limiters behind amplifiers, which clip their output voltages."
    )
    multipliers: Count = Field(
        description="Analog multipliers. Their op-amps are counted in `opamps`."
    )
    converters: Count = Field(
        description="Analog-to-digital and digital-to-analog converters of quantised networks."
    )
    drivers: Count = Field(
        description="Those of `opamps` that are row drivers: behind each multiplexer of a stage "
        "that takes turns, and behind each held net that a stage without turns reads. The netlist "
        "does not have them, nor the sample-and-holds and multiplexers."
    )
    holds: Count = Field(
        description="Sample-and-hold cells: one for each net that a stage computes in turns."
    )
    switches: Count = Field(
        description="Inputs of the analog multiplexers of stages that take turns: one for each "
        "input line and turn."
    )
    resistors: Count = Field(
        description="Fixed resistors in place of weights, as in average pooling. They are not on "
        "crossbars and are not among the memristors."
    )
    periods: Count = Field(
        description="Calculation periods until every output of a stage is known; in the total, the "
        "sum over all stages."
    )


class Bill(Counts):
    """A bill of materials in the report."""

    utilisation: Share | None = Field(
        description="Share of the places (rows x columns) of the placed unit crossbars that hold a "
        "device; null without crossbars."
    )


class Kind(OfStage):
    """The first columns of the bill of materials of a stage."""

    kind: str = Field(
        description="What the stage is made of: memristor, resistor or batchnorm, or the name of "
        "the circuit of its lanes."
    )


class StageBill(Bill, Kind):
    """The bill of materials of one stage."""


class StageArea(OfStage):
    """Square metres of one stage."""

    crossbar_m2: Amount = Field(description="As `area.crossbar_m2`.")
    amplifier_m2: Amount = Field(
        description="As `area.amplifier_m2`, with every op-amp at its single strength."
    )
    hold_m2: Amount = Field(description="As `area.hold_m2`; 0 where that is null.")


class Area(Part):
    """Square metres."""

    total_m2: Amount = Field(
        description="Square metres of crossbars, amplifiers and sample-and-holds together."
    )
    crossbar_m2: Amount = Field(
        description="Square metres of all places of the unit crossbars, empty ones included, and "
        "of memristors that are on no unit crossbar: `target.crossbar.cell_area_m2` for each."
    )
    amplifier_m2: Amount = Field(
        description="Square metres of all op-amps, `target.amplifier.area_m2` for each."
    )
    hold_m2: Amount | None = Field(
        description="Square metres of the sample-and-holds and the inputs of multiplexers of "
        "stages that take turns, from `target.hold`; null if the target does not say, and then it "
        "is not in the total."
    )
    stages: tuple[StageArea, ...] = Field(
        default=(), description="Square metres of each stage; empty in older reports."
    )


#: A figure that the papers do not give.
NotCounted = Annotated[None, Field(description="null: the papers do not count these.")]


class KernelBill(Part):
    """A bill of materials as the papers count it. What they do not count is null."""

    kernels: Count = Field(description="Kernels of the network.")
    crossbars: Count = Field(description="Crossbars, one for each kernel.")
    memristors: Count = Field(
        description="Number of devices; weights and biases of zero count as well."
    )
    word_lines: Count = Field(description="Word lines (inputs) of all kernels.")
    bit_lines: Count = Field(description="Bit lines (columns) of all kernels.")
    opamps: Count = Field(description="Number of op-amps, inverters included.")
    inverters: Count = Field(description="Those of `opamps` that invert.")
    inverters_shared: Count = Field(
        description="Number of inverters if the kernels of a layer use the inverters of one kernel "
        "in turn."
    )
    memristors_defined: Count = Field(
        description="The same as `memristors`, for nothing is shared."
    )
    memristors_off: NotCounted
    driven_ends: NotCounted
    diodes: NotCounted
    limiters: NotCounted
    multipliers: NotCounted
    converters: NotCounted
    drivers: NotCounted
    holds: NotCounted
    switches: NotCounted
    resistors: NotCounted
    periods: NotCounted
    utilisation: NotCounted


class PerKernel(Part):
    """The network counted as the papers count, with signed weights built in two ways."""

    differential: KernelBill = Field(
        description="(M+1) x 2 devices and two op-amps for each kernel; one of the op-amps inverts."
    )
    inverted_inputs: KernelBill = Field(
        description="(2M+1) x 1 devices, one op-amp and M inverters for each kernel."
    )


class StageLayout(OfStage):
    """How a kernel of a stage is laid out: the largest part of it on one unit crossbar."""

    kind: Literal["3D", "2D", "1D", "dense", "irregular"] = Field(
        description="3D (channels x taps), 2D (depthwise), 1D (pointwise), dense (one place) or "
        "irregular (no patches)."
    )
    patch: tuple[Count, ...] = Field(
        description="Number of places along each axis of the output; empty if one crossbar serves "
        "one place."
    )
    channels: Count = Field(description="Input channels in a block.")
    filters: Count = Field(description="Output channels in a block.")
    groups: Count = Field(description="Groups of the convolution in a block.")
    rows: Count = Field(description="Inputs that one crossbar holds.")
    columns: Count = Field(description="Signed outputs that one crossbar holds.")
    crossbars: Count = Field(description="Unit crossbars that are placed for the kernel.")


class RuleCounts(Part):
    """Unit crossbars by kind of kernel. The sums do not include biases and dense layers."""

    kernels_3d: Count = Field(
        validation_alias="3d",
        serialization_alias="3d",
        description="Unit crossbars of 3D convolutions.",
    )
    kernels_2d: Count = Field(
        validation_alias="2d",
        serialization_alias="2d",
        description="Unit crossbars of depthwise convolutions.",
    )
    kernels_1d: Count = Field(
        validation_alias="1d",
        serialization_alias="1d",
        description="Unit crossbars of pointwise convolutions.",
    )
    dense: Count = Field(
        description="Unit crossbars of dense layers, laid out as with `--partition none`."
    )
    irregular: Count = Field(description="Unit crossbars of kernels without patches.")
    total: Count = Field(description="The sum of 3d, 2d and 1d.")
    as_3d: Count = Field(
        description="The total, if every 2D kernel and the 1D kernel behind it were one 3D kernel."
    )
    as_2d_1d: Count = Field(description="The total, if every 3D kernel were a 2D and a 1D kernel.")


class SubImages(Part):
    """Unit crossbars by the sub-image rule of Oh, An and Min (2023). See docs/papers.md."""

    square: RuleCounts = Field(description="With square patches, as in the paper.")
    rectangular: RuleCounts = Field(description="With rectangular patches.")


class Baseline(Part):
    """What the same network costs if it is built in another, older way."""

    name: str = Field(description="The other way: inverted inputs, paper rule or im2col.")
    resources: Bill = Field(description="Bill of materials.")
    power: Consumption = Field(description="Watts and joules.")
    latency: Latency = Field(description="Periods and seconds of the critical path.")


class IslandRow(Part):
    """A part of the network that stays digital, between converters."""

    island: str = Field(description="Name of the island.")
    operators: dict[str, Count] = Field(
        description="The operators of its nodes, each with the number of nodes."
    )
    stages: tuple[str, ...] = Field(description="Its stages, one for each tensor that leaves it.")
    adcs: Count = Field(
        description="Numbers that enter it from analog nets; each takes an ADC, which is that of "
        "the stage before it if the target has converters at every stage. A signal that several "
        "islands read counts for each of them."
    )
    dacs: Count = Field(description="Numbers that leave it to analog nets; each takes a DAC.")
    adc_bits: Count = Field(description="Bits of its ADCs; 0 is exact, and has no circuit.")
    dac_bits: Count = Field(description="Bits of its DACs; 0 is exact, and has no circuit.")
    conversions: Count = Field(description="Conversions for an inference: one for each converter.")
    conversion_j: Amount | None = Field(
        description="Joules of the conversions of an inference; null if `missing` has a key of the "
        "target. They are not in the energy of the circuit."
    )
    conversion_s: Amount | None = Field(
        description="Seconds that a signal takes through an ADC and a DAC, for all converters work "
        "at the same time; null if `missing` has a key of the target. They are not in the time of "
        "the circuit."
    )
    missing: tuple[str, ...] = Field(description="What the figures lack.")
