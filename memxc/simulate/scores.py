"""The result of simulate: the score of each point of a sweep, and of each draw."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from memxc.errors import fail
from memxc.evaluation.metrics import Metric


@dataclass(frozen=True)
class SweepRow:
    """One point of the sweep: its settings, and the score of each draw.

    reprogrammed: the keys for which the network was programmed again.
    """

    settings: tuple[str, ...]
    scores: tuple[float, ...]
    reprogrammed: tuple[str, ...] = ()

    @property
    def mean(self) -> float:
        """Mean score of the draws."""
        return float(np.mean(self.scores))

    @property
    def spread(self) -> float:
        """Standard deviation of the draws (with n - 1); 0 for a single draw."""
        return float(np.std(self.scores, ddof=1)) if len(self.scores) > 1 else 0.0


@dataclass(frozen=True)
class SweepScores:
    """The result of simulate. original: the score of the original network in onnxruntime, or None.

    count: how many samples were scored. warnings: about the data, and about results that were kept
    before and changed since.
    """

    metric: Metric
    count: int
    original: float | None
    rows: tuple[SweepRow, ...]
    warnings: tuple[str, ...] = ()

    def to_pandas(self) -> Any:
        """A pandas.DataFrame: a row a point, with a column for each key of the sweep, as text.

        The other columns are mean, spread and draws. Raises MemxcError (missing-engine) where
        pandas is not installed.
        """
        try:
            pandas = importlib.import_module("pandas")
        except ImportError as error:
            raise fail("missing-engine", "pandas", str(error), "pip install pandas") from error
        return pandas.DataFrame(
            {
                **dict(setting.split("=", 1) for setting in row.settings),
                "mean": row.mean,
                "spread": row.spread,
                "draws": len(row.scores),
            }
            for row in self.rows
        )
