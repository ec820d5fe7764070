"""The results that the page shows beside the report. Their models are in build_folder.kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the models import simulate and verify, which compile does not need
    from memxc.build_folder.kept import KeptResult


@dataclass(frozen=True)
class Results:
    """All results of one compilation, by command, and how many belong to another one."""

    verified: tuple[KeptResult, ...] = ()
    compared: tuple[KeptResult, ...] = ()
    simulated: tuple[KeptResult, ...] = ()
    other: int = 0
