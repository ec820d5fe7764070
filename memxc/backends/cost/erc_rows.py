"""The rows of the electrical rule check."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from memxc.documents import Amount, Count, OfStage, Part

Case = Literal["samples", "worst case"]


class Violation(OfStage):
    """A rule that lanes of one stage break."""

    rule: str = Field(description="The rule that is broken.")
    case: Case = Field(
        description="`samples`: it is broken on the samples. `worst case`: only if every word line "
        "is at its largest volts at once."
    )
    lanes: Count = Field(description="Number of lanes that break it.")
    value: Amount = Field(description="The worst value, in `unit`.")
    limit: Amount = Field(description="The limit, in `unit`.")
    unit: str = Field(description="Unit of `value` and `limit`; empty for a ratio.")
    remedy: str = Field(description="What to change.")


class ElectricalRules(Part):
    """The electrical rule check: what the op-amps and devices of the circuit can bear."""

    violations: tuple[Violation, ...] = Field(description="Rules that are broken, by stage.")
    missing: tuple[str, ...] = Field(
        description="Rules that are not checked, because the target does not give their limit."
    )
    strengths: dict[str, Count] = Field(
        description="Number of op-amps by their strength: how many equal ones work in parallel."
    )
