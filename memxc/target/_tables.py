"""The tables of a target other than the device: unit crossbar, wires, amplifiers, converters."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

#: JSON has the word "inf" where it is infinite.
Positive = Annotated[
    float,
    Field(gt=0),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"const": "inf"}]}),
]
#: A quantity above zero, and one that may be zero. No product of these bounds overflows.
Some = Annotated[float, Field(ge=1e-15, le=1e12)]
#: A capacitance in farads.
Tiny = Annotated[float, Field(ge=1e-21, le=1)]
Amount = Annotated[float, Field(ge=0, le=1e12)]
#: A share of many things, 0 to 1.
Share = Annotated[float, Field(ge=0, le=1)]
Level = Annotated[float, Field(ge=-1e6, le=1e6)]
#: Joules or seconds of one conversion.
Spent = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Resistance = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class TargetTable(BaseModel):
    """A table of the file: known keys only, and the source of its numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Where the numbers of the table come from: a publication, a data sheet, "assumed".
    source: str = Field(min_length=1)


class Wire(TargetTable):
    """Resistances of the source, of one segment of a line, and of the neuron's input, in ohms.

    open_word_line, open_bit_line: the share of lines that are broken.
    c_word_line_f, c_bit_line_f: capacitance of one segment of a line to ground; None is not known.
    """

    r_source_ohm: Resistance = 0.0
    r_word_line_ohm: Resistance = 0.0
    r_bit_line_ohm: Resistance = 0.0
    r_neuron_ohm: Resistance = 0.0
    open_word_line: Share = 0.0
    open_bit_line: Share = 0.0
    c_word_line_f: Tiny | None = None
    c_bit_line_f: Tiny | None = None

    @property
    def ideal(self) -> bool:
        """Whether every wire is a perfect conductor."""
        return not any(
            (self.r_source_ohm, self.r_word_line_ohm, self.r_bit_line_ohm, self.r_neuron_ohm)
        )


class Amplifier(TargetTable):
    """The op-amp: open-loop gain (inf is ideal), output swing, static power, area.

    swing_v: the largest output of op-amp 1 of a pair, which chooses the joining resistors.
    offset_sigma_v: standard deviation of the input offset voltage over all amplifiers.

    The other keys are those of a characterised op-amp. None means that the target does not say,
    and then the report lists the figures that need it as missing.
    supply_v: the rails are at plus and minus this voltage around the level of the virtual grounds.
    output_class: the output stage; A draws a constant current from the negative rail, AB draws
    what the load takes from one rail and returns it to the other.
    source_a, sink_a: limits of the output current. slew_v_per_s: the slowest slope of the output.
    gm1_s ... c2_f: the two-stage Miller skeleton. Stage 1 is gm1_s into r1_ohm and c1_f, stage 2
    is gm2_s into r2_ohm and c2_f, and c_miller_f joins the output to the output of stage 1.
    c_in_f: capacitance of an input. r_f_min_ohm: the smallest feedback resistor it can drive.
    r_average_min_ohm: the smallest fixed resistor in place of a weight (average pooling).
    strength_max: up to so many equal op-amps in parallel work as one of that strength (1, 2, 4 and
    so on), with so many times the current and area. An output gets the least that drives its load.
    noise_gain_max: a larger noise gain is a violation of the electrical rules.
    """

    gain: Positive
    swing_v: Some
    power_w: Amount
    area_m2: Amount
    offset_sigma_v: float = Field(ge=0, le=1, default=0.0)
    supply_v: Some | None = None
    output_class: Literal["A", "AB"] = "AB"
    source_a: Some | None = None
    sink_a: Some | None = None
    slew_v_per_s: Some | None = None
    gm1_s: Some | None = None
    r1_ohm: Some | None = None
    c1_f: Tiny | None = None
    c_miller_f: Tiny | None = None
    gm2_s: Some | None = None
    r2_ohm: Some | None = None
    c2_f: Tiny | None = None
    c_in_f: Tiny | None = None
    r_f_min_ohm: Some | None = None
    r_average_min_ohm: Some | None = None
    strength_max: int = Field(ge=1, le=1024, default=1)
    noise_gain_max: Some | None = None


class Converter(TargetTable):
    """DACs on the word lines and ADCs on the bit lines.

    dac_bits, adc_bits: resolution; 0 means no converter. where: "edges" has converters at the
    network's inputs and outputs only, as everything between stages is analog; "stages" has them
    at every stage. The ends of a range are in volts; None means the read voltage, or 0 for the
    lower end of a signal that is never negative. adc_energy_j, dac_energy_j, adc_time_s,
    dac_time_s: joules and seconds of one conversion; None means that the target does not say.
    """

    dac_bits: int = Field(ge=0, le=24, default=0)
    adc_bits: int = Field(ge=0, le=24, default=0)
    where: Literal["edges", "stages"] = "edges"
    dac_min_v: Level | None = None
    dac_max_v: Level | None = None
    adc_min_v: Level | None = None
    adc_max_v: Level | None = None
    adc_energy_j: Spent | None = None
    dac_energy_j: Spent | None = None
    adc_time_s: Spent | None = None
    dac_time_s: Spent | None = None

    @property
    def needed(self) -> bool:
        """Whether there are any converters."""
        return bool(self.dac_bits or self.adc_bits)

    @model_validator(mode="after")
    def _ordered(self) -> Converter:
        for kind, low, high in (
            ("dac", self.dac_min_v, self.dac_max_v),
            ("adc", self.adc_min_v, self.adc_max_v),
        ):
            if (low is not None and low > 0) or (high is not None and high <= 0):
                raise ValueError(f"{kind}_min_v has to be at most 0, and {kind}_max_v above 0")
        if 1 in (self.dac_bits, self.adc_bits):
            raise ValueError("one bit leaves nothing but a sign; 0 means no converter")
        return self


class Hold(TargetTable):
    """What keeps the outputs of stages that take turns, and what selects among them.

    capacitance_f: of one sample-and-hold. droop_v_per_s: how fast its volts change. step_v: by how
    much they step when it begins to hold. settling_s: its time to follow to 0.1 %. area_m2: of one.
    switch_area_m2: of one input of an analog multiplexer.
    """

    capacitance_f: Annotated[float, Field(ge=1e-16, le=1)]
    droop_v_per_s: Amount
    step_v: Amount
    settling_s: Spent
    area_m2: Amount
    switch_area_m2: Amount


class UnitCrossbar(TargetTable):
    """The unit crossbar, and the time that one stage takes.

    stage_time_s: an assumed time of a stage, whatever its amplifiers are.
    guard: what settling times of the op-amp's skeleton are multiplied by, because a circuit of
    transistors may be slower than its skeleton. None: the target does not say.
    """

    rows: int = Field(ge=3, le=65536)
    columns: int = Field(ge=2, le=65536)
    cell_area_m2: Amount
    stage_time_s: Some
    guard: Annotated[float, Field(ge=1, le=100)] | None = None
