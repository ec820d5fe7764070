"""The state of memristors: how volts change it, and what pulses cost.

x is 1 in the low-resistance and 0 in the high-resistance state; volts above 0 (SET) raise it.

    threshold:  dx/dt = beta (|v| - v_t) sign(v) / (r_off - r_on)        for |v| > v_t, else 0
    vteam:      dx/dt = k_set (v / v_set - 1)^a_set                      for v > v_set
                dx/dt = -k_reset (-v / v_reset - 1)^a_reset              for v < -v_reset, else 0
    filament:   dx/dt = 2 nu0 exp(-E / kT) sinh(gamma a0 v / (L kT)) / (gap_max - gap_min)
                gamma = gamma0 - gamma1 (gap / 1 nm)^3,   T = T0 + r_th |v i|,   kT in volts

x stays within 0 and 1. R is linear in x for the first two. For the third
g = i0 / v0 exp(-gap / g0) with gap = gap_max - x (gap_max - gap_min). memxc/target/_dynamics.py
names the sources of the forms.

    pulse       access            device
    source ----/\\/\\/\\/----o----[ x ]---- 0        v = applied - access_ohm i, |i| <= compliance
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count as count_from
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.constants import Boltzmann, elementary_charge
from scipy.integrate import solve_ivp

from memxc.errors import MemxcError, fail
from memxc.physics.device.iv_laws import LinearLaw, SinhLaw
from memxc.target import Device, FilamentDynamics, Target, ThresholdDynamics, VteamDynamics

Floats = NDArray[np.float64]

#: Volts of one electron volt per kelvin.
_K = Boltzmann / elementary_charge
#: Exponents above this are not needed: exp of it is beyond every rate, and no overflow yet.
_MOST = 600.0
#: Newton's steps for the divider: each takes at least v0 off, and at most 20 v0 are left to take.
_STEPS = 64
#: Rates that are computed for one pulse at most. Ordinary models need some hundreds.
_MOST_RATES = 20_000


class StateModel(Protocol):
    """A memristor with a state. All arguments and results are arrays of one shape."""

    @property
    def law(self) -> LinearLaw | SinhLaw:
        """The current at a conductance and a voltage."""

    def conductance(self, x: Floats) -> Floats:
        """Return siemens at small volts; it rises with x."""

    def state(self, g: Floats) -> Floats:
        """Return the state with a conductance; below 0 or above 1 if there is none."""

    def rate(self, x: Floats, volts: Floats) -> Floats:
        """Return dx/dt in 1 / s, without the bounds of x."""


@dataclass(frozen=True)
class _Resistive:
    """R = r_off - (r_off - r_on) x."""

    device: Device
    law = LinearLaw()

    @property
    def span(self) -> float:
        """Ohms between both ends."""
        return self.device.r_off_ohm - self.device.r_on_ohm

    def conductance(self, x: Floats) -> Floats:
        """As in StateModel."""
        return 1.0 / (self.device.r_off_ohm - self.span * x)

    def state(self, g: Floats) -> Floats:
        """As in StateModel."""
        return (self.device.r_off_ohm - 1.0 / g) / self.span


@dataclass(frozen=True)
class Threshold(_Resistive):
    """The bipolar memristor with threshold of Pershin and Di Ventra."""

    model: ThresholdDynamics

    def rate(self, x: Floats, volts: Floats) -> Floats:
        """As in StateModel."""
        excess = np.maximum(np.abs(volts) - self.model.threshold_v, 0.0)
        return self.model.beta_ohm_per_v_s / self.span * np.sign(volts) * excess


@dataclass(frozen=True)
class Vteam(_Resistive):
    """VTEAM of Kvatinsky and others, with a linear resistance."""

    model: VteamDynamics

    def rate(self, x: Floats, volts: Floats) -> Floats:
        """As in StateModel."""
        m = self.model
        up = np.maximum(volts / m.v_set_v - 1.0, 0.0) ** m.alpha_set
        down = np.maximum(-volts / m.v_reset_v - 1.0, 0.0) ** m.alpha_reset
        return m.k_set_per_s * up - m.k_reset_per_s * down


@dataclass(frozen=True)
class Filament:
    """A gap that closes and opens, as in the Stanford-PKU model."""

    model: FilamentDynamics

    @property
    def law(self) -> SinhLaw:
        """As in StateModel."""
        return SinhLaw(self.model.v0_v)

    @property
    def span(self) -> float:
        """Metres between both ends of the gap."""
        return self.model.gap_max_m - self.model.gap_min_m

    def conductance(self, x: Floats) -> Floats:
        """As in StateModel."""
        m = self.model
        return m.i0_a / m.v0_v * np.exp(-(m.gap_max_m - self.span * x) / m.g0_m)

    def state(self, g: Floats) -> Floats:
        """As in StateModel."""
        m = self.model
        gap = -m.g0_m * np.log(g * m.v0_v / m.i0_a)
        return (m.gap_max_m - gap) / self.span

    def rate(self, x: Floats, volts: Floats) -> Floats:
        """As in StateModel."""
        m = self.model
        amperes, _ = self.law(self.conductance(x), volts)
        kt = _K * (m.temperature_k + m.r_th_k_per_w * np.abs(volts * amperes))
        gap = m.gap_max_m - self.span * x
        gamma = m.gamma0 - m.gamma1 * (gap / 1e-9) ** 3
        pull = np.minimum(gamma * m.a0_m / m.thickness_m * np.abs(volts) / kt, _MOST)
        # exp(-E / kT) sinh(pull), with the exponents added before exp is taken.
        speed = np.exp(pull - m.ea_ev / kt) - np.exp(-pull - m.ea_ev / kt)
        return np.asarray(m.nu0_m_per_s / self.span * np.sign(volts) * speed)


@dataclass(frozen=True)
class Access:
    """What is in series with a device: ohms, and the largest current in amperes."""

    ohm: float = 0.0
    compliance_a: float = np.inf

    def volts(self, model: StateModel, x: Floats, applied: Floats) -> tuple[Floats, Floats]:
        """Return the volts across a device and its amperes, with `applied` volts across both."""
        g, law = model.conductance(x), model.law
        volts = np.abs(applied)
        # The current is convex in the volts, so Newton's method comes down from the applied volts.
        for _ in range(_STEPS if self.ohm else 0):
            amperes, slope = law(g, volts)
            step = (volts + self.ohm * amperes - np.abs(applied)) / (1.0 + self.ohm * slope)
            volts = volts - step
            if np.abs(step).max(initial=0.0) < 1e-14:
                break
        if np.isfinite(self.compliance_a):
            limit = self.compliance_a / g
            if isinstance(law, SinhLaw):
                limit = law.v0 * np.arcsinh(limit / law.v0)
            volts = np.minimum(volts, limit)
        volts = np.sign(applied) * volts
        return volts, law(g, volts)[0]


def of(target: Target) -> StateModel | None:
    """Return the model of a target's memristors, None if the target has none."""
    match target.dynamics:
        case ThresholdDynamics():
            return Threshold(target.device, target.dynamics)
        case VteamDynamics():
            return Vteam(target.device, target.dynamics)
        case FilamentDynamics():
            return Filament(target.dynamics)
    return None


@np.errstate(all="ignore")
def pulsed(
    model: StateModel, x: Floats, applied: Floats, seconds: float, access: Access
) -> tuple[Floats, Floats]:
    """Return states after one rectangular pulse, and the joules that its sources gave.

    x, applied: (devices,), states and volts across device and access. The result is solved by
    Dormand and Prince's method (scipy.integrate.solve_ivp) to 1e-8. Raises MemxcError (bad-target)
    if the numbers of the model overflow, or if its rates need too many steps.
    """
    count = len(x)
    # Joules are integrated in units of what the device in its low-resistance state would take.
    most = np.abs(applied * access.volts(model, np.ones(count), applied)[1]) * seconds
    unit = np.where(most > 0, most, 1.0)

    rates = count_from(1)

    def slope(_: float, y: Floats) -> Floats:
        if next(rates) > _MOST_RATES:
            raise _unsolved(applied, seconds)
        inside = np.clip(y[:count], 0.0, 1.0)
        volts, amperes = access.volts(model, inside, applied)
        # Beyond a bound the rate stays as at the bound, so it has no step; x is clipped at the end.
        moved = model.rate(inside, volts) * seconds
        return np.concatenate([moved, applied * amperes * seconds / unit])

    start = np.concatenate([x, np.zeros(count)])
    done = solve_ivp(slope, (0.0, 1.0), start, rtol=1e-8, atol=1e-10)
    end = done.y[:, -1]
    if not (done.success and np.isfinite(end).all()):
        raise _unsolved(applied, seconds)
    return np.clip(end[:count], 0.0, 1.0), end[count:] * unit


def _unsolved(applied: Floats, seconds: float) -> MemxcError:
    what = f"a pulse of {seconds:g} s and {np.abs(applied).max():g} V cannot be integrated"
    return fail("bad-target", "dynamics", what, "check the units of its keys")
