"""The memristor: its range, its states, and how real ones differ from them (docs/targets.md)."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from memxc.target import _curves
from memxc.target._curves import Curve
from memxc.target._tables import Positive, Share, Some, TargetTable

Floats = NDArray[np.float64]
#: A relative standard deviation; above 1 the model itself would fail.
Spread = Annotated[float, Field(ge=0, le=1)]
#: From a good wire to a good insulator; a value outside means that a unit is wrong.
Ohms = Annotated[float, Field(ge=1e-3, le=1e15)]

#: The largest read voltage in units of v0. A sinh device carries about e to this power more
#: current than its conductance at small voltages gives.
_MOST_BENT = 20


class State(BaseModel):
    """Mean and standard deviation of the conductance after programming to one state, siemens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mean_s: float = Field(gt=0, allow_inf_nan=False)
    sigma_s: float = Field(ge=0, allow_inf_nan=False)


class Device(TargetTable):
    """The memristor. LRS is `r_on_ohm`, HRS is `r_off_ohm`; levels = 0 means continuous.

    states: measured states, ascending, instead of levels; they give the range, too.
    iv: the I-V law. sinh_v0_v belongs to the law "sinh", curves to the law "table".
    """

    r_on_ohm: Ohms
    r_off_ohm: Ohms
    levels: int = Field(ge=0, default=0)
    read_voltage_v: Some
    threshold_v: Positive
    states: tuple[State, ...] = ()
    iv: Literal["linear", "sinh", "table"] = "linear"
    sinh_v0_v: Some | None = None
    curves: tuple[Curve, ...] = ()

    programming_sigma: Spread = 0.0
    programming_model: Literal["normal", "lognormal"] = "normal"
    r_on_sigma: Spread = 0.0
    r_off_sigma: Spread = 0.0
    stuck_at_lrs: Share = 0.0
    stuck_at_hrs: Share = 0.0
    drift_time_s: float = Field(ge=0, le=1e12, default=0.0)
    drift_t0_s: float = Field(ge=1e-9, le=1e12, default=1.0)
    drift_nu: Spread = 0.0
    drift_nu_sigma: Spread = 0.0
    temperature_k: float = Field(gt=0, le=2000, default=300.0)
    reference_temperature_k: float = Field(gt=0, le=2000, default=300.0)
    temperature_coefficient_per_k: float = Field(ge=-1, le=1, default=0.0)
    read_noise: Spread = 0.0

    @model_validator(mode="before")
    @classmethod
    def _range_of_states(cls, data: Any) -> Any:
        """Take the range from the measured states if the file does not give it."""
        try:
            means = sorted(float(state["mean_s"]) for state in data["states"])
            whole = {"r_on_ohm": 1 / means[-1], "r_off_ohm": 1 / means[0]}
            return whole | dict(data)
        except (KeyError, TypeError, ValueError, IndexError, ZeroDivisionError):
            return data  # no states, or malformed: the fields' own checks report it

    @model_validator(mode="after")
    def _measured(self) -> Device:
        if not self.states:
            return self
        means = [state.mean_s for state in self.states]
        if any(low >= high for low, high in pairwise(means)):
            raise ValueError("states have to ascend, and no two of them may have the same mean")
        if self.levels or self.programming_sigma:
            raise ValueError("states replace levels and programming_sigma: leave these out")
        for name, ohms, mean in (
            ("r_on_ohm", self.r_on_ohm, means[-1]),
            ("r_off_ohm", self.r_off_ohm, means[0]),
        ):
            if not math.isclose(ohms * mean, 1, rel_tol=1e-9):
                raise ValueError(f"{name} comes from the states ({1 / mean:.6g}): leave it out")
        return self

    @model_validator(mode="after")
    def _ordered(self) -> Device:
        if not self.r_on_ohm < self.r_off_ohm:
            raise ValueError("r_on_ohm (LRS) has to be smaller than r_off_ohm (HRS)")
        if self.levels == 1:
            raise ValueError("levels = 1 leaves nothing to program; 0 means continuous")
        if self.read_voltage_v > self.threshold_v:
            raise ValueError("read_voltage_v above threshold_v would disturb the states")
        return self

    @model_validator(mode="after")
    def _law(self) -> Device:
        if self.iv == "sinh" and self.sinh_v0_v is None:
            raise ValueError('iv = "sinh" needs sinh_v0_v')
        if self.sinh_v0_v is not None and self.read_voltage_v > _MOST_BENT * self.sinh_v0_v:
            raise ValueError(f"read_voltage_v is more than {_MOST_BENT} times sinh_v0_v")
        if self.iv == "table" and not self.curves:
            raise ValueError('iv = "table" needs iv_csv')
        _curves.check(self.curves, self.read_voltage_v)
        return self

    @model_validator(mode="after")
    def _possible(self) -> Device:
        if self.stuck_at_lrs + self.stuck_at_hrs > 1:
            raise ValueError("stuck_at_lrs and stuck_at_hrs are more than all devices together")
        if 0 < self.drift_time_s < self.drift_t0_s:
            raise ValueError("drift_time_s is before drift_t0_s, when the states were programmed")
        if self.temperature_factor <= 0:
            raise ValueError("the temperature leaves no conductance")
        return self

    @property
    def g_max(self) -> float:
        """Conductance of the low-resistance state, siemens."""
        return 1.0 / self.r_on_ohm

    @property
    def g_min(self) -> float:
        """Conductance of the high-resistance state, siemens."""
        return 1.0 / self.r_off_ohm

    @property
    def means(self) -> Floats:
        """Mean conductances of the measured states, ascending, (states,) siemens."""
        return np.array([state.mean_s for state in self.states])

    def nearest(self, g: Floats) -> NDArray[np.intp]:
        """Return the index of the measured state nearest to each conductance.

        A tie takes the lower.
        """
        means = self.means
        return np.searchsorted((means[:-1] + means[1:]) / 2, g)

    @property
    def temperature_factor(self) -> float:
        """The factor that the temperature multiplies every conductance by."""
        above = self.temperature_k - self.reference_temperature_k
        return 1.0 + self.temperature_coefficient_per_k * above
