"""Targets whose memristors have a state, and ngspice in time."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest

from memxc import target

#: Volts of a sine that programs each model, its period, and a voltage that only reads it.
THRESHOLD = {"model": "threshold", "threshold_v": 1.6, "beta_ohm_per_v_s": 1e13, "source": "s"}
VTEAM = {"model": "vteam", "v_set_v": 0.7, "v_reset_v": 0.4, "k_set_per_s": 3e6,
         "k_reset_per_s": 1e6, "alpha_set": 3.0, "alpha_reset": 2.0, "source": "s"}  # fmt: skip
#: Parameters of the ReRAM of SkyWater's 130 nm process, see docs/programming.md.
FILAMENT = {"model": "filament", "i0_a": 6.14e-5, "g0_m": 0.2751e-9, "v0_v": 0.43,
            "gap_min_m": 0.7e-9, "gap_max_m": 1.7e-9, "nu0_m_per_s": 150.0, "ea_ev": 1.5,
            "gamma0": 16.5, "gamma1": 1.25, "a0_m": 0.25e-9, "thickness_m": 5e-9,
            "r_th_k_per_w": 7.227e5, "source": "s"}  # fmt: skip
DYNAMICS = {"threshold": THRESHOLD, "vteam": VTEAM, "filament": FILAMENT}
DEVICE = {
    "threshold": {"r_on_ohm": 1e3, "r_off_ohm": 1e4, "read_voltage_v": 1.28, "threshold_v": 1.6},
    "vteam": {"r_on_ohm": 1e4, "r_off_ohm": 3e5, "read_voltage_v": 0.2, "threshold_v": 0.25},
    "filament": {"r_on_ohm": 1e5, "r_off_ohm": 3.3e6, "read_voltage_v": 0.2, "threshold_v": 0.25,
                 "iv": "sinh", "sinh_v0_v": 0.43},
}  # fmt: skip


@pytest.fixture(scope="session")
def dynamic():
    """dynamic(model) -> hfox-128 with the device and the dynamics of a model.

    `device` and `dynamics` are other keys of these tables. Other keywords are keys of its
    [programming] table, which it has only if there are any.
    """

    def made(model, device=None, dynamics=None, **programming):
        data = target.load("hfox-128").model_dump()
        data["device"] |= DEVICE[model] | (device or {})
        data["dynamics"] = DYNAMICS[model] | (dynamics or {})
        if programming:
            data["programming"] = {"source": "s", **programming}
        return target.Target.model_validate(data)

    return made


@pytest.fixture
def tran(ngspice, tmp_path):
    """tran(deck, *vectors) -> their values at each point in time, time first."""

    def run(deck, *vectors):
        out = tmp_path / "out.txt"
        names = " ".join(vectors)
        text = (
            f"* deck\n{deck}\n.options reltol=1e-6 method=gear\n.control\nset wr_singlescale\n"
            f"set numdgt=15\nrun\nwrdata {out} {names}\nquit\n.endc\n.end\n"
        )
        (tmp_path / "deck.cir").write_text(text)
        done = subprocess.run([ngspice, "-n", "-b", "deck.cir"], cwd=tmp_path,
                              capture_output=True, text=True, check=False)  # fmt: skip
        assert out.exists(), done.stdout + done.stderr
        return np.loadtxt(out).T

    return run
