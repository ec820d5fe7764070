"""How a memristor's state changes with the volts across it, and how it is programmed.

The state x of every model is 1 in the low-resistance and 0 in the high-resistance state. Volts
above 0 (SET) raise it. docs/programming.md has the equations.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from memxc.target._tables import Some, TargetTable

#: A rate, a velocity or a scale that no physics bounds closely.
Rate = Annotated[float, Field(gt=0, le=1e30)]
Unsigned = Annotated[float, Field(ge=0, le=1e30)]
Metres = Annotated[float, Field(ge=1e-12, le=1e-3)]
Volts = Annotated[float, Field(ge=1e-6, le=1e3)]


class ThresholdDynamics(TargetTable):
    """Above the threshold, the resistance changes at a rate proportional to the excess volts.

    dR/dt = -beta (v -+ threshold), and 0 in between. The range is the device's r_on to r_off.
    Source of the form: Pershin, Di Ventra, arXiv 1204.2600, with alpha = 0.
    """

    model: Literal["threshold"]
    threshold_v: Volts
    beta_ohm_per_v_s: Rate


class VteamDynamics(TargetTable):
    """Above a threshold for each polarity, the state changes with a power of the excess volts.

    dx/dt = k_set (v / v_set - 1)^alpha_set for v > v_set, and -k_reset (|v| / v_reset -
    1)^alpha_reset for v < -v_reset. The resistance is linear in x, from the device's r_off to r_on.
    Source of the form: Kvatinsky, Ramadan, Friedman, Kolodny, IEEE TCAS-II 62(8):786 (2015), with
    x = (w_off - w) / (w_off - w_on), so k_set is their |k_on| / (w_off - w_on).
    """

    model: Literal["vteam"]
    v_set_v: Volts
    v_reset_v: Volts
    k_set_per_s: Rate
    k_reset_per_s: Rate
    alpha_set: Annotated[float, Field(ge=0.1, le=20)] = 1.0
    alpha_reset: Annotated[float, Field(ge=0.1, le=20)] = 1.0


class FilamentDynamics(TargetTable):
    """A gap between filament and electrode, through which the current tunnels.

    i = i0 exp(-gap / g0) sinh(v / v0), and the gap closes at the velocity 2 nu0 exp(-E / kT)
    sinh(gamma a0 v / (thickness kT)), with kT in volts, gamma = gamma0 - gamma1 (gap / 1 nm)^3 and
    T = temperature_k + r_th |v i|. There is no threshold: the velocity is exponential in the volts.
    Source of the form: Jiang et al., SISPAD 2014 and IEEE TED 63(5):1884 (2016), the
    Stanford-PKU model.
    """

    model: Literal["filament"]
    i0_a: Rate
    g0_m: Metres
    v0_v: Volts
    gap_min_m: Metres
    gap_max_m: Metres
    nu0_m_per_s: Rate
    ea_ev: Annotated[float, Field(gt=0, le=10)]
    gamma0: Annotated[float, Field(gt=0, le=1e3)]
    gamma1: Annotated[float, Field(ge=0, le=1e3)] = 0.0
    a0_m: Metres = 0.25e-9
    thickness_m: Metres
    temperature_k: Annotated[float, Field(ge=1, le=2000)] = 300.0
    r_th_k_per_w: Unsigned = 0.0

    def conductance_s(self, gap_m: float) -> float:
        """Siemens at small volts."""
        return self.i0_a / self.v0_v * math.exp(-gap_m / self.g0_m)

    @model_validator(mode="after")
    def _gap(self) -> FilamentDynamics:
        if not self.gap_min_m < self.gap_max_m:
            raise ValueError("gap_min_m has to be smaller than gap_max_m")
        if self.gap_max_m > 100 * self.g0_m:
            raise ValueError("gap_max_m is more than 100 times g0_m, and no current is left")
        if self.gamma0 - self.gamma1 * (self.gap_max_m / 1e-9) ** 3 <= 0:
            raise ValueError("gamma0 - gamma1 (gap_max / 1 nm)^3 has to be above 0")
        return self


Dynamics = Annotated[
    ThresholdDynamics | VteamDynamics | FilamentDynamics, Field(discriminator="model")
]


class Programming(TargetTable):
    """The pulses of a write-verify scheme, and the array that they go through.

    start: the state of every device before. v_set_v, v_reset_v: volts of the first pulse of each
    polarity; each next one of the same polarity in a row has step_v more, up to most_v. width_s: a
    pulse. tolerance: the relative error of a conductance that is accepted. read_s: time of the read
    after each pulse, at the device's read voltage. most_pulses: a cell that needs more has failed.
    scheme: how the cells that are not selected are biased. "V/2" and "V/3" are those of a passive
    array; in "1T1R" an access transistor of access_ohm in series disconnects them. compliance_a:
    the largest current of the access transistor.
    """

    start: Literal["hrs", "lrs"] = "hrs"
    v_set_v: Volts
    v_reset_v: Volts
    step_v: Annotated[float, Field(ge=0, le=1e3)] = 0.0
    most_v: Volts | None = None
    width_s: Some
    read_s: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    tolerance: Annotated[float, Field(ge=1e-6, le=0.5)] = 0.02
    most_pulses: int = Field(ge=1, le=10_000, default=1000)
    scheme: Literal["V/2", "V/3", "1T1R"] = "V/2"
    access_ohm: Annotated[float, Field(ge=1e-3, le=1e9)] | None = None
    compliance_a: Some | None = None

    @property
    def largest_v(self) -> float:
        """The largest volts of a pulse."""
        return self.most_v if self.most_v is not None else max(self.v_set_v, self.v_reset_v)

    @model_validator(mode="after")
    def _fits(self) -> Programming:
        if (self.scheme == "1T1R") != (self.access_ohm is not None):
            raise ValueError('access_ohm belongs to scheme = "1T1R", which needs it')
        if self.compliance_a is not None and self.scheme != "1T1R":
            raise ValueError('compliance_a needs the access transistors of scheme = "1T1R"')
        if self.step_v and self.most_v is None:
            raise ValueError("step_v needs most_v, the largest volts of a pulse")
        if self.most_v is not None and self.most_v < max(self.v_set_v, self.v_reset_v):
            raise ValueError("most_v is below v_set_v or v_reset_v")
        return self
