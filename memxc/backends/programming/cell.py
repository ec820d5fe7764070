"""The subcircuit of a memristor with a state, in SPICE and in Verilog-A."""

from __future__ import annotations

from typing import Literal

from scipy.constants import Boltzmann, elementary_charge

from memxc import render
from memxc.target import FilamentDynamics, Target, ThresholdDynamics, VteamDynamics

#: What the cell is called in a netlist.
NAME = "memristor_state"


def definition(target: Target, language: Literal["cir", "va"] = "cir") -> str:
    """Return the text of the cell of a target with [dynamics].

    In SPICE its ports are a and b, and its state is the net x inside; in Verilog-A x is a port.
    The parameter x0 is the state at the start.
    """
    model = target.dynamics
    assert model is not None, "a target without [dynamics] has no such cell"
    template = f"memristor_{model.model}/behavioural"
    return render.cell(template, language, subckt=NAME, **_values(target))


def _values(target: Target) -> dict[str, float]:
    """Return the numbers in the template of the model; lengths in nanometres."""
    device, model = target.device, target.dynamics
    ends = {
        "r_on": device.r_on_ohm,
        "r_off": device.r_off_ohm,
        "span": device.r_off_ohm - device.r_on_ohm,
    }
    match model:
        case ThresholdDynamics():
            rate = model.beta_ohm_per_v_s / ends["span"]
            return {**ends, "threshold": model.threshold_v, "rate": rate}
        case VteamDynamics():
            return {
                **ends,
                "v_set": model.v_set_v,
                "v_reset": model.v_reset_v,
                "k_set": model.k_set_per_s,
                "k_reset": model.k_reset_per_s,
                "alpha_set": model.alpha_set,
                "alpha_reset": model.alpha_reset,
            }
        case FilamentDynamics():
            span = model.gap_max_m - model.gap_min_m
            return {
                "i0": model.i0_a,
                "g0_nm": model.g0_m / 1e-9,
                "v0": model.v0_v,
                "gap_max_nm": model.gap_max_m / 1e-9,
                "span_nm": span / 1e-9,
                "gamma0": model.gamma0,
                "gamma1": model.gamma1,
                "field": model.a0_m / model.thickness_m,
                "ea": model.ea_ev,
                "temperature": model.temperature_k,
                "r_th": model.r_th_k_per_w,
                "k": Boltzmann / elementary_charge,
                "rate": model.nu0_m_per_s / span,
            }
    raise AssertionError(f"no template for {model}")
