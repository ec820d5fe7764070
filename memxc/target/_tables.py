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
Amount = Annotated[float, Field(ge=0, le=1e12)]
#: A share of many things, 0 to 1.
Share = Annotated[float, Field(ge=0, le=1)]
Level = Annotated[float, Field(ge=-1e6, le=1e6)]
Resistance = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class TargetTable(BaseModel):
    """A table of the file: known keys only, and the source of its numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Where the numbers of the table come from: a publication, a data sheet, "assumed".
    source: str = Field(min_length=1)


class Wire(TargetTable):
    """Resistances of the source, of one segment of a line, and of the neuron's input, in ohms.

    open_word_line, open_bit_line: the share of lines that are broken.
    """

    r_source_ohm: Resistance = 0.0
    r_word_line_ohm: Resistance = 0.0
    r_bit_line_ohm: Resistance = 0.0
    r_neuron_ohm: Resistance = 0.0
    open_word_line: Share = 0.0
    open_bit_line: Share = 0.0

    @property
    def ideal(self) -> bool:
        """Whether every wire is a perfect conductor."""
        return not any(
            (self.r_source_ohm, self.r_word_line_ohm, self.r_bit_line_ohm, self.r_neuron_ohm)
        )


class Amplifier(TargetTable):
    """The op-amp: open-loop gain (inf is ideal), output swing, static power, area.

    offset_sigma_v: standard deviation of the input offset voltage over all amplifiers.
    """

    gain: Positive
    swing_v: Some
    power_w: Amount
    area_m2: Amount
    offset_sigma_v: float = Field(ge=0, le=1, default=0.0)


class Converter(TargetTable):
    """DACs on the word lines and ADCs on the bit lines.

    dac_bits, adc_bits: resolution; 0 means no converter. where: "edges" has converters at the
    network's inputs and outputs only, as everything between stages is analog; "stages" has them
    at every stage. The ends of a range are in volts; None means the read voltage, or 0 for the
    lower end of a signal that is never negative.
    """

    dac_bits: int = Field(ge=0, le=24, default=0)
    adc_bits: int = Field(ge=0, le=24, default=0)
    where: Literal["edges", "stages"] = "edges"
    dac_min_v: Level | None = None
    dac_max_v: Level | None = None
    adc_min_v: Level | None = None
    adc_max_v: Level | None = None

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


class UnitCrossbar(TargetTable):
    """The unit crossbar, and the time that one stage takes."""

    rows: int = Field(ge=3, le=65536)
    columns: int = Field(ge=2, le=65536)
    cell_area_m2: Amount
    stage_time_s: Some
