"""The model of `memxc diff --json`."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field

from memxc.build_folder.quantities import Unit
from memxc.documents import Amount, Count, Number, Part

SCHEMA: Final = "memxc-diff/1"


class SettingRow(Part):
    """A key of the model, the target or the options that differs between the reports."""

    key: str = Field(description="The key, with dots between its parts.")
    a: Any = Field(description="Its value in A; null if A has none.")
    b: Any = Field(description="Its value in B; null if B has none.")


class QuantityRow(Part):
    """A figure of both reports, whether it differs or not."""

    name: str = Field(description="Its name, as in `--budget`.")
    unit: Unit = Field(description="W, J, s or m2; empty for a count or a share.")
    a: Number | None = Field(description="Its value in A; null if it was not measured.")
    b: Number | None = Field(description="Its value in B; null if it was not measured.")


class StageValues(Part):
    """The figures of a stage that are compared: counts from `resources`, and watts from `power`."""

    crossbars: Count = Field(description="Unit crossbars.")
    memristors: Count = Field(description="Memristors.")
    opamps: Count = Field(description="Op-amps.")
    periods: Count = Field(description="Calculation periods.")
    total_w: Amount = Field(description="Watts of the stage.")


class StageRow(Part):
    """A stage that differs, with the stage that corresponds to it in the other report."""

    stage: str = Field(description="Its name in A, or its name in B if A has no such stage.")
    stage_b: str | None = Field(description="Its name in B; null if B has no such stage.")
    a: StageValues | None = Field(description="The stage in A; null if A has no such stage.")
    b: StageValues | None = Field(description="The stage in B; null if B has no such stage.")


class Comparison(Part):
    """The comparison of two reports."""

    a: str = Field(description="The first folder, as it was given.")
    b: str = Field(description="The second folder, as it was given.")
    schema_: Literal["memxc-diff/1"] = Field(
        validation_alias="schema",
        serialization_alias="schema",
        description="Name and version of this schema.",
    )
    settings: tuple[SettingRow, ...] = Field(
        description="Keys of the model, the target and the options that differ."
    )
    quantities: tuple[QuantityRow, ...] = Field(
        description="All figures that are compared, whether they differ or not."
    )
    stages: tuple[StageRow, ...] = Field(description="The stages that differ.")
    over: tuple[str, ...] = Field(description="A sentence for each budget that is exceeded.")

    @property
    def same(self) -> bool:
        """Whether everything that is compared is the same."""
        moved = any(row.a != row.b for row in self.quantities)
        return not (moved or self.settings or self.stages)
