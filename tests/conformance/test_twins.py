"""ONNX's own cases as twins, lowered and as programmed crossbars."""

from __future__ import annotations

import warnings
import zlib

import numpy as np
import onnx
import pytest

from memxc import passes, target
from memxc.backends import twin
from memxc.errors import MemxcError
from memxc.evaluation import evaluate, reference
from memxc.interfaces import Context

PIPELINE = ("calibrate", "schedule", "partition", "tile", "program")
CLOSE = 1e-5
#: The ordinary run programs one case in this many, chosen by its name.
EVERY = 4
#: The largest number of float32.
LARGEST = 3e38
#: Cases that rounding decides, in single precision here and in double there: one code may be off.
STEPS = {
    "test_equal": "a step as high as the signal, exactly where two signals meet",
    "test_qlinearconv": "a value in the middle between two codes",
}


def programmed(circuit):
    samples = {name: value[None] for name, value in circuit.signals.items()}
    design, ctx = circuit.design, Context(target.load("paper-128"), samples)
    for name in PIPELINE:
        design = passes.available()[name]().run(design, ctx).ir
    return design


def distance(design, signals):
    """Return the largest relative error over three samples, where float32 has the number, too."""
    inputs = {}
    for name in design.inputs:
        one = np.asarray(signals[name], dtype=np.float32)
        one = one.reshape(1, *design.buses[name].sample)
        inputs[name] = np.concatenate([one, 0.5 * one, one])
    made = twin.model(design)
    onnx.checker.check_model(onnx.load_from_string(made), full_check=True)
    session = reference.session(made)
    assert [value.name for value in session.get_inputs()] == list(design.inputs)
    wanted, errors = evaluate.outputs(design, inputs), [0.0]
    for found, right in zip(session.run(None, inputs), wanted.values(), strict=True):
        assert found.shape == right.shape
        known = np.abs(right) < LARGEST
        off = np.abs(found[known] - right[known])
        errors.append(off.max(initial=0.0) / np.abs(right[known]).max(initial=1e-30))
    return max(errors)


def compared(cases, kind):
    """Return how many cases have a twin of this kind, after comparing each with evaluate."""
    wrong, refused, count = [], [], 0
    for case in cases:
        if case.outcome != "passed" or case.name in STEPS:
            continue
        with warnings.catch_warnings():
            # The suite's own cases divide by zero and overflow on purpose.
            warnings.simplefilter("ignore")
            try:
                design = case.circuit.design if kind == "lowered" else programmed(case.circuit)
            except MemxcError as refusal:  # no volts represent a number that is not finite
                refused.append((case.name, refusal.faults[0].what))
                continue
            error = distance(design, case.circuit.signals)
        count += 1
        wrong += [(case.name, error)] if not error < CLOSE else []
    assert wrong == []
    print(f"{count} cases have a twin, {len(refused)} have none")
    return count


@pytest.mark.slow
def test_every_case_as_lowered(cases):
    assert compared(cases, "lowered") > 850


def test_a_sample_of_the_cases_as_programmed(cases):
    chosen = [case for case in cases if zlib.crc32(case.name.encode()) % EVERY == 0]
    assert compared(chosen, "programmed") > 200


@pytest.mark.slow
def test_every_case_as_programmed(cases):
    assert compared(cases, "programmed") > 850
