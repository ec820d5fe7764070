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
    assert list(circuits.cells) == ["inverter", "limiter", "op_amp", "relu", "tia", "tia_single"]
    for name, cell in circuits.cells.items():
        words = circuits.text(name).partition(f".subckt {name} ")[2].partition("\n")[0].split()
        assert tuple(word for word in words if "=" not in word) == cell.ports
        given = {word.partition("=")[0] for word in words if "=" in word}
        assert {each.name for each in cell.parameters} <= given


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
def test_a_diode_clamp_is_soft_and_takes_nothing_from_the_rails(ngspice, circuits):
    point = measured(circuits, "limiter")
    assert 0.02 < point.error_v < 0.1
    assert point.power_high_w == 0
