"""The figures of programming: a table of the report, and the document of `memxc program --json`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from memxc.documents import Amount, Count, Number, Part


class ProgrammingCost(Part):
    """What a write-verify scheme needs to program all memristors of a network once."""

    cells: Count = Field(description="Number of memristors, those of every placed crossbar.")
    failed: Count = Field(
        description="Those that do not reach their conductance within `programming.tolerance` in "
        "`programming.most_pulses` pulses."
    )
    pulses: Count = Field(description="SET and RESET pulses of all memristors together.")
    longest_pulses: Count = Field(description="Pulses of the memristor that needs most of them.")
    serial_s: Amount = Field(
        description="Seconds if one memristor is programmed after the other: for each pulse "
        "`programming.width_s` and one read, and one read before the first pulse."
    )
    parallel_s: Amount = Field(
        description="Seconds if all crossbars are programmed at the same time, each one memristor "
        "after the other: those of the slowest crossbar."
    )
    energy_j: Amount = Field(
        description="Joules that the sources give to the programmed memristors and their access "
        "transistors: volts times the model's current, integrated over every pulse."
    )
    bystander_energy_j: Amount = Field(
        description="Joules in memristors that share a line with the programmed one (V/2), or in "
        "all others (V/3), while a crossbar is programmed row by row; 0 for 1T1R, where access "
        "transistors disconnect them."
    )
    disturb: Number = Field(
        description="Largest relative change of a memristor's conductance by the pulses of the "
        "others in its crossbar: a bound, from all their time at the largest volts."
    )
    sources: tuple[str, ...] = Field(
        description="The sources of `target.dynamics` and `target.programming`."
    )
    missing: tuple[str, ...] = Field(description="What these figures do not include.")


class Programmed(ProgrammingCost):
    """The document of `memxc program --json`."""

    schema_: Literal["memxc-program/1"] = Field(
        validation_alias="schema",
        serialization_alias="schema",
        description="Name and version of this schema.",
    )
    files: tuple[str, ...] = Field(description="The files that were written.")
