"""ONNX's own cases as netlists: simulated in SPICE, and read back.

These are all cases with a crossbar, fixed resistors or a lane that are small enough; the ordinary
run has a sample of them, `make test-full` has all.
"""

from __future__ import annotations

import zlib

import pytest

from memxc import lvs, passes, target, verify
from memxc.backends import netlist
from memxc.errors import MemxcError
from memxc.interfaces import Context
from memxc.ir.stages import Array, Lanes

#: Most devices and inputs of lanes, because many small cases tell more than a few large ones.
LARGEST = 20_000
#: The ordinary run has one case in this many, chosen by its name.
EVERY = 7
#: Cases whose signals no amplifier can carry, and why.
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
    """Return whether the case was simulated; AssertionError if its answers are wrong."""
    chosen = target.load("ideal")
    try:
        design, samples = programmed(case.circuit, chosen)
    except MemxcError as error:
        if {fault.code for fault in error.faults} != {"bad-samples"}:
            raise
        return False  # no volts represent infinity or NaN
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
    assert len(simulated(chosen, tmp_path)) >= 55


@pytest.mark.spice
@pytest.mark.slow
def test_all_cases(cases, tmp_path):
    assert len(simulated(cases, tmp_path)) >= 500
