"""The tables of a target other than the device: the unit crossbar, its wires, its amplifiers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

#: JSON has the word "inf" where it is infinite.
Positive = Annotated[
    float,
    Field(gt=0),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"const": "inf"}]}),
]
#: What a circuit has more than nothing of, and what it may have: no product of them overflows.
Some = Annotated[float, Field(ge=1e-15, le=1e12)]
Amount = Annotated[float, Field(ge=0, le=1e12)]
#: A share of many things, 0 to 1.
Share = Annotated[float, Field(ge=0, le=1)]
Level = Annotated[float, Field(ge=-1e6, le=1e6)]
Resistance = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class TargetTable(BaseModel):
    """A table of the file: known keys only, and where its numbers come from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Where the numbers of the table come from: a publication, a data sheet, "assumed".
    source: str = Field(min_length=1)


class Wire(TargetTable):
    """Resistance of the source, of one segment of a line, and of the neuron's input.

    open_word_line, open_bit_line: the share of the lines that are broken.
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

    offset_sigma_v: standard deviation of the input offset over amplifiers.
    """

    gain: Positive
    swing_v: Some
    power_w: Amount
    area_m2: Amount
    offset_sigma_v: float = Field(ge=0, le=1, default=0.0)


class Converter(TargetTable):
    """Converters on the lines: bits (0: none) of the DACs of word lines and the ADCs of bit lines.

    where: at the network's edges, as between stages all is analog; or at every stage. The ends of
    a range are in volts; None is the read voltage, and 0 where a signal is never below it.
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
        """Whether there are any."""
        return bool(self.dac_bits or self.adc_bits)

    @model_validator(mode="after")
    def _ordered(self) -> Converter:
        for kind, low, high in (
            ("dac", self.dac_min_v, self.dac_max_v),
            ("adc", self.adc_min_v, self.adc_max_v),
        ):
            if (low is not None and low > 0) or (high is not None and high <= 0):
                raise ValueError(f"{kind}_min_v is not above 0 and {kind}_max_v above it")
        if 1 in (self.dac_bits, self.adc_bits):
            raise ValueError("a bit alone leaves a sign and nothing to tell: 0 means no converter")
        return self


class UnitCrossbar(TargetTable):
    """The unit crossbar and the time one stage takes."""

    rows: int = Field(ge=3, le=65536)
    columns: int = Field(ge=2, le=65536)
    cell_area_m2: Amount
    stage_time_s: Some
