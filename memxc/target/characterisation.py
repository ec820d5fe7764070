"""The table of a characterised op-amp, and what a target takes from it (docs/cells.md)."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from memxc.documents import Part, place, said
from memxc.errors import Fault, MemxcError, fail, why

#: The largest file that is read, and the largest number of points.
_BYTES, _POINTS = 2**20, 4096

Above = Annotated[float, Field(gt=1e-30, lt=1e15)]
#: A figure that could be negative.
Figure = Annotated[float, Field(gt=-1e15, lt=1e15)]
Word = Annotated[str, Field(max_length=200)]


class CurvePoint(Part):
    """A point of the transfer curve of an op-amp without feedback."""

    input_v: Figure = Field(description="Volts from inn to inp.")
    output_v: Figure = Field(description="Volts at the output.")


class OpAmpPoint(Part):
    """What was measured of an op-amp under one condition. null: it could not be measured."""

    corner: Word = Field(description='Corner of the process; "" without a process.')
    temperature_k: Above = Field(description="Temperature, kelvin.")
    r_load_ohm: Above = Field(description="Resistance at the output, also of the feedback.")
    c_load_f: Above = Field(description="Capacitance at the output, farads.")
    noise_gain: Annotated[float, Field(gt=1, le=1e6)] = Field(
        description="Noise gain of the feedback, for the phase margin and the settling time."
    )
    offset_v: Figure = Field(description="Volts from inp to inn at an output of 0 V.")
    power_w: Figure = Field(description="Watts from the rails without an output current.")
    source_w_per_a: Figure = Field(description="Watts more for each ampere sourced, at 10 uA.")
    sink_w_per_a: Figure = Field(description="Watts more for each ampere sunk, at 10 uA.")
    transfer: tuple[CurvePoint, ...] = Field(max_length=256, description="Curve without feedback.")
    output_low_v: Figure = Field(description="Lowest output at 5 mV of input into the load.")
    output_high_v: Figure = Field(description="Highest output at 5 mV of input into the load.")
    source_a: Figure = Field(
        description="Current that the output sources at 5 mV of input, the least over a third of "
        "the supply around mid rail."
    )
    sink_a: Figure = Field(description="The same for a current that the output sinks.")
    gain: Above = Field(description="Volts per volt at 10 Hz into the load.")
    gain_bandwidth_hz: Above | None = Field(description="Frequency at which the gain is 1.")
    phase_margin_deg: Figure | None = Field(description="Degrees where gain and noise gain meet.")
    c_in_f: Figure = Field(description="Capacitance of inn at 1 MHz, farads.")
    slew_v_per_s: Above | None = Field(description="The slower slope after a large step.")
    settling_s: Above | None = Field(description="Seconds to 0.1 % after a step of 50 mV.")
    overshoot: Figure | None = Field(description="Overshoot of the same step, as a share of it.")


class Skeleton(Part):
    """The two-stage Miller skeleton that was fitted to the gain over frequency of all loads.

    No measurement at the terminals tells the impedance inside the op-amp, so c1_f is a tenth of
    c_miller_f by convention. Any other choice has the same response into every load.
    """

    gm1_s: Above = Field(description="Transconductance of stage 1, siemens.")
    r1_ohm: Above = Field(description="Resistance at the output of stage 1.")
    c1_f: Above = Field(description="Capacitance there, farads.")
    c_miller_f: Above = Field(description="Capacitance between the outputs of both stages, farads.")
    gm2_s: Above = Field(description="Transconductance of stage 2, siemens.")
    r2_ohm: Above = Field(description="Resistance at the output.")
    c2_f: Above = Field(description="Capacitance at the output, farads.")
    c_in_f: Above = Field(description="Capacitance of an input, as measured, farads.")
    error_db: Figure = Field(description="Largest error of the gain where it is above 0.5.")
    error_deg: Figure = Field(description="Largest error of the phase there.")


class CellPoint(Part):
    """What was measured of a cell other than the op-amp, at the first condition of each corner."""

    cell: Word = Field(description="Name of the cell.")
    sha256: Word = Field(description="Hash of its text, with that of its op-amp.")
    corner: Word = Field(description='Corner of the process; "" without a process.')
    temperature_k: Above = Field(description="Temperature, kelvin.")
    offset_v: Figure = Field(
        description="Error of the output in the middle of the range of inputs."
    )
    error_v: Figure = Field(
        description="Largest error over the range of inputs and parameters, without the offset."
    )
    power_w: Figure = Field(description="Watts from the rails in the middle of the range.")
    power_low_w: Figure = Field(description="Watts from the rails at the lowest input.")
    power_high_w: Figure = Field(description="Watts from the rails at the highest input.")
    settling_s: Above | None = Field(
        description="The longer of the times to 0.1 % after steps over the range, up and down."
    )
    overshoot: Figure | None = Field(
        description="The larger overshoot of them, as a share; null if the function rises and "
        "falls."
    )
    fits: bool = Field(
        description="Whether the error is small enough for the cell's contract, and it settles."
    )


class Characterisation(Part):
    """A table that `memxc characterize` writes, and that the amplifier of a target can read."""

    schema_: Literal["memxc-characterisation/1"] = Field(
        default="memxc-characterisation/1", alias="schema", description="Version of the format."
    )
    cell: Literal["op_amp"] = Field(default="op_amp", description="What the points are of.")
    level: Literal["macro", "transistor"] = Field(description="Level of the circuit.")
    variant: Word = Field(description='"own" for a user\'s own op-amp, otherwise "".')
    sha256: Word = Field(description="Hash of the op-amp's text.")
    engine: Word = Field(description="The SPICE engine.")
    engine_version: Word = Field(description="Its version.")
    process: Word = Field(description='The process with its version, or "".')
    process_sha256: Word = Field(description='Hash of the manifest of its models, or "".')
    supply_v: Above = Field(description="The rails are at plus and minus this voltage.")
    output_class: Literal["A", "AB"] = Field(
        description="A if sinking takes less from the rails, AB if it takes more."
    )
    skeleton: Skeleton | None = Field(description="null: no two-stage op-amp is near the points.")
    points: tuple[OpAmpPoint, ...] = Field(
        min_length=1, max_length=_POINTS, description="The first one is the nominal one."
    )
    cells: tuple[CellPoint, ...] = Field(max_length=_POINTS, description="The other cells.")

    @property
    def unfit(self) -> tuple[str, ...]:
        """The cells that do not do what they have to; an op-amp has to settle with every load."""
        names = ["op_amp"] if any(point.settling_s is None for point in self.points) else []
        return tuple(dict.fromkeys(names + [each.cell for each in self.cells if not each.fits]))

    def amplifier(self) -> dict[str, Any]:
        """Return the keys of a target's amplifier that the table gives.

        Watts are those of the nominal point. Limits of the current and the slew are the least over
        all corners and temperatures with the nominal load.
        """
        found: dict[str, Any] = {
            "supply_v": self.supply_v,
            "output_class": self.output_class,
            "power_w": self.points[0].power_w,
        }
        first = self.points[0]
        loaded = [
            point
            for point in self.points
            if (point.r_load_ohm, point.c_load_f) == (first.r_load_ohm, first.c_load_f)
        ]
        for key in ("source_a", "sink_a", "slew_v_per_s"):
            values = [getattr(point, key) for point in loaded]
            if given := [value for value in values if value is not None]:
                found[key] = min(given)
        if self.skeleton is not None:
            skeleton = self.skeleton.model_dump(exclude={"error_db", "error_deg"})
            gain = skeleton["gm1_s"] * skeleton["r1_ohm"] * skeleton["gm2_s"] * skeleton["r2_ohm"]
            found |= skeleton | {"gain": float(f"{gain:.3g}")}
        return found


def read(path: Path) -> Characterisation:
    """Read a table. Raises MemxcError (bad-target) with one fault for each wrong key."""
    try:
        with path.open("rb") as file:
            raw = file.read(_BYTES + 1)
    except (OSError, ValueError) as error:
        hint = "memxc characterize writes such a file"
        raise fail("bad-target", str(path), f"cannot be read: {why(error)}", hint) from error
    if len(raw) > _BYTES:
        raise fail("bad-target", str(path), "is larger than 1 MiB")
    try:
        return Characterisation.model_validate_json(raw)
    except ValidationError as error:
        raise MemxcError(
            Fault("bad-target", f"{path}: {place(e['loc'])}".rstrip(": "), said(dict(e)))
            for e in error.errors()[:20]
        ) from error


def filled(table: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return an [amplifier] with the keys of its characterisation that it does not give itself.

    folder: of the target's file; a copy of a shipped target reads the table that memxc ships.
    Raises MemxcError (bad-target) as `read` does.
    """
    name = str(table["characterisation"])
    shipped = Path(str(resources.files("memxc") / "targets")) / Path(name).name
    found = read(
        shipped if shipped.name == name and not (folder / name).exists() else folder / name
    )
    rest = {key: value for key, value in table.items() if key != "characterisation"}
    made = " ".join(word for word in (found.engine, found.engine_version, found.process) if word)
    note = f"Characterised: {name}, op-amp of level {found.level}, {made}."
    if "source" in rest:
        rest["source"] = f"{rest['source']} ({note})"
    return found.amplifier() | rest
