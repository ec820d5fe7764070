"""ONNX's own cases as netlists: through SPICE, and read back.

Every case with a crossbar, fixed resistors or a lane that is small enough; a sample of them in the
ordinary run, all in `make test-full`.
"""

from __future__ import annotations

import zlib

import pytest

from memxc import lvs, passes, target, verify
from memxc.backends import netlist
from memxc.errors import MemxcError
from memxc.interfaces import Context
from memxc.ir.stages import Array, Lanes

#: Devices and inputs of lanes; SPICE's time is for many small cases.
LARGEST = 20_000
#: One case in so many is in the ordinary run, chosen by its name.
EVERY = 5
#: Cases that no amplifier could follow, and why.
WITHOUT = {
    "test_operator_add_size1_broadcast": "signals below 1e-308",
    "test_reduce_log_sum_exp": "the logarithm of signals 26 decades below the largest on their bus",
}

PIPELINE = ("calibrate", "schedule", "partition", "tile", "program", "share")


def programmed(circuit, chosen):
    samples = {name: value[None] for name, value in circuit.signals.items()}
    design = circuit.design
    for name in PIPELINE:
        design = passes.available()[name]().run(design, Context(chosen, samples)).ir
    return design, samples


def size(design):
    found = 0
    for stage in design.stages:
        if isinstance(stage, Array):
            found += sum(crossbar.g.size * crossbar.places for crossbar in stage.crossbars)
        elif isinstance(stage, Lanes):
            found += design.buses[stage.dst].width * sum(taps.lines for taps in stage.taps)
    return found


def run(case, folder):
    """Whether the case went through SPICE; AssertionError where it came out otherwise."""
    chosen = target.load("ideal")
    try:
        design, samples = programmed(case.circuit, chosen)
    except MemxcError as error:
        if {fault.code for fault in error.faults} != {"bad-samples"}:
            raise
        return False  # no volts stand for infinity or NaN
    if not 0 < size(design) <= LARGEST:
        return False
    top = netlist.write(design, folder, "net")[0]
    assert lvs.compare(design, top).differences == (), case.name
    found = verify.verify(design, chosen, folder, samples, None, verify.Plan())
    assert found.ok, (case.name, [stage for stage in found.stages if not stage.ok])
    return True


def simulated(cases, tmp_path):
    done, wrong = [], []
    for case in cases:
        if case.outcome != "passed" or case.name.startswith(tuple(WITHOUT)):
            continue
        folder = tmp_path / case.name
        folder.mkdir()
        try:
            done += [case.name] if run(case, folder) else []
        except AssertionError as error:
            wrong.append((case.name, str(error)))
    print(f"{len(done)} of ONNX's cases went through SPICE")
    assert wrong == []
    return done


@pytest.mark.spice
def test_a_sample_of_the_cases(cases, tmp_path):
    chosen = [case for case in cases if zlib.crc32(case.name.encode()) % EVERY == 0]
    assert len(simulated(chosen, tmp_path)) >= 80


@pytest.mark.spice
@pytest.mark.slow
def test_all_cases(cases, tmp_path):
    assert len(simulated(cases, tmp_path)) >= 500
