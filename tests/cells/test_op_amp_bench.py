"""The bench of op-amps and the fit, on the macro, whose numbers are known."""

import shutil

import pytest

from memxc import cells, target
from memxc.cells import op_amp_bench, skeleton, text
from memxc.cells.bench import Bench
from memxc.cells.op_amp_bench import Condition

CONDITIONS = (
    Condition(1e5, 2e-13, 2.0),
    Condition(2e4, 2e-13, 4.0),
    Condition(1e5, 1e-12, 2.0),
)


@pytest.mark.spice
@pytest.mark.skipif(shutil.which("ngspice") is None, reason="no ngspice")
def test_the_bench_finds_the_numbers_of_the_macro():
    amplifier = target.load("hfox-128").amplifier
    circuits = text.circuits(amplifier, "macro", cells.cells())
    bench = Bench(circuits, "op_amp", "", 27.0)
    points, responses = zip(
        *(op_amp_bench.measure(bench, each) for each in CONDITIONS), strict=True
    )
    light, heavy = points[:2]
    assert light.power_w == pytest.approx(34.6e-6, rel=1e-3)
    # Class AB: a current takes the half of the supply that it flows through, 0.9 V.
    assert light.source_w_per_a == pytest.approx(0.9, rel=2e-3)
    assert heavy.source_a == pytest.approx(110.9e-6, rel=1e-3)
    # The slew holds with the smallest r_f, 20 kohm.
    assert heavy.slew_v_per_s == pytest.approx(16.3e6, rel=0.01)
    # 14,400 without a load, and r2 of 163 kohm beside the load.
    assert light.gain == pytest.approx(14400 * 100 / 263, rel=3e-3)
    found = skeleton.fit(responses, light.c_in_f)
    assert found.error_db < 0.01
    # The numbers of the target that do not depend on the convention of c1.
    assert found.r2_ohm == pytest.approx(163e3, rel=1e-3)
    assert found.c_in_f == pytest.approx(27e-15, rel=1e-3)
    assert found.c2_f + found.c_miller_f == pytest.approx(226e-15, rel=1e-3)
    assert found.gm1_s / found.c_miller_f == pytest.approx(60.4e-6 / 221e-15, rel=1e-3)
    assert found.gm2_s / found.c_miller_f == pytest.approx(213e-6 / 221e-15, rel=1e-3)
