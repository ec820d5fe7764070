"""The cells of the macro level compute their functions; one that does not is found."""

import pytest

from memxc import cells, target
from memxc.cells import cell_bench, text
from memxc.cells.bench import Bench


@pytest.fixture(scope="module")
def circuits():
    return text.circuits(target.load("hfox-128").amplifier, "macro", cells.cells())


def measured(circuits, name):
    bench = Bench(circuits, name, "", 27.0)
    return cell_bench.measure(bench, circuits.cells[name], 2e4, 1.5e-13, 5e-7)


def test_every_contract_has_a_macro_with_its_ports(circuits):
    assert len(circuits.cells) == 19
    for name, cell in circuits.cells.items():
        words = circuits.text(name).partition(f"\n.subckt {name} ")[2].partition("\n")[0].split()
        assert tuple(word for word in words if "=" not in word) == cell.ports
        given = {word.partition("=")[0] for word in words if "=" in word}
        assert {each.name for each in cell.parameters} <= given
        assert cell.opamps == placed(circuits.text(name), name)


def placed(text, name):
    """The number of op-amps in a subcircuit and in those that it places."""
    lines = text.partition(f"\n.subckt {name} ")[2].partition("\n.ends")[0].split("\n")
    kinds = [line.split()[-1] for line in lines if line.startswith("x")]
    return sum(1 if kind == "op_amp" else placed(text, kind) for kind in kinds)


@pytest.mark.spice
@pytest.mark.parametrize(
    ("name", "idle_w", "busy_w"),
    # 34.6 uW an op-amp; 0.9 V times 0.2 V over 20 and 100 kohm, 0.25 V over 20 and 20 kohm.
    [("inverter", 34.6e-6, 45.4e-6), ("relu", 34.6e-6, 57.1e-6), ("tia", 69.2e-6, 78.2e-6)],
)
def test_a_cell_computes_its_function(ngspice, circuits, name, idle_w, busy_w):
    point = measured(circuits, name)
    assert point.fits
    assert 1e-5 < point.error_v < 1e-3
    assert point.power_w == pytest.approx(idle_w, rel=1e-3)
    assert point.power_high_w == pytest.approx(busy_w, rel=1e-2)
    assert 1e-8 < point.settling_s < 3e-7


@pytest.mark.spice
@pytest.mark.parametrize(
    ("name", "opamps", "slowest_s"),
    [
        ("sum", 2, 2e-7), ("row_driver", 1, 3e-7), ("max_selector", 2, 5e-7),
        ("difference", 1, 1e-7), ("scale", 1, 1e-7), ("full_wave", 2, 3e-7),
        ("hard_sigmoid", 2, 3e-7), ("pair", 2, 2e-7), ("logarithm", 1, 4e-7),
        ("exponential", 1, 8e-7), ("multiplier", 5, 4e-7), ("divider", 7, 3e-6), ("root", 7, 3e-6),
    ],
)  # fmt: skip
def test_a_block_computes_its_function_and_takes_its_op_amps_watts(
    ngspice, circuits, name, opamps, slowest_s
):
    point = measured(circuits, name)
    assert point.fits
    assert 1e-8 < point.settling_s < slowest_s
    # An op-amp idles at 34.58 uW; what flows through resistors and diodes adds some.
    assert opamps < 1e-4 + point.power_w / 34.58e-6 < opamps + 1.5


@pytest.mark.spice
def test_a_cell_with_a_wrong_part_does_not_fit(ngspice, circuits, monkeypatch):
    """A multiplier whose second pair of transistors reads the wrong gate."""
    right = circuits.text("multiplier")
    wrong = right.replace("m3 na g2 p", "m3 na g1 p")
    assert wrong != right
    monkeypatch.setattr(type(circuits), "text", lambda self, name: wrong)
    assert not measured(circuits, "multiplier").fits


@pytest.mark.spice
def test_a_function_that_rises_and_falls_has_no_overshoot(ngspice, circuits):
    assert measured(circuits, "full_wave").overshoot is None
    assert measured(circuits, "sum").overshoot is not None


@pytest.mark.spice
def test_a_diode_clamp_is_soft_and_takes_nothing_from_the_rails(ngspice, circuits):
    point = measured(circuits, "limiter")
    assert 0.02 < point.error_v < 0.1
    assert point.power_high_w == 0
