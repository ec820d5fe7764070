"""program: limits of the amplifiers, on lanes whose weights are small."""

import math

import numpy as np
import pytest

from memxc import target as targets
from memxc.evaluation import evaluate
from memxc.interfaces import Context
from memxc.ir.design import Bus, Design
from memxc.ir.kernel import Kernel
from memxc.ir.stages import Linear
from memxc.ir.windows import Windows, ints
from memxc.passes.program import Program


def dense(values, cell="memristor"):
    """A calibrated design of one dense stage: values (rows, columns), 0.2 V a unit everywhere."""
    rows, columns = values.shape
    taps, sinks = (
        Windows(ints(np.arange(n)), ints([0]), ints([0]), ints(np.arange(n)))
        for n in (rows, columns)
    )
    kernel = Kernel(values.reshape(1, -1), None, None, taps, sinks, (1,))
    buses = {
        "x": Bus("x", (1, rows), scale=0.2),
        "y": Bus("y", (1, columns), scale=0.2),
    }
    return Design("one", ("x",), ("y",), buses, (Linear("d", "x", "y", (kernel,), cell),))


def programmed(design, **amplifier):
    target = targets.load("ideal").with_set(*(f"amplifier.{k}={v}" for k, v in amplifier.items()))
    return Program().run(design, Context(target, samples={})).ir


VALUES = np.array([[1.0, 0.004, 0.0], [-0.5, -0.001, 0.0], [0.25, 0.002, 0.0], [0.0, 0.003, 0.0]])


def test_a_lane_of_small_weights_is_programmed_below_g_max():
    free = programmed(dense(VALUES)).arrays[0]
    held = programmed(dense(VALUES), r_f_min_ohm=5e3)
    stage = held.arrays[0]
    assert (free.r_f < 5e3).sum() == 1
    assert stage.r_f[0] == free.r_f[0]
    assert math.isclose(stage.r_f[1], 5e3)
    bits = stage.crossbars[0]
    siemens = np.where(bits.cell >= 0, bits.g[0][np.maximum(bits.cell, 0)], 0.0)
    second = siemens[:, bits.column == 1]
    assert 1.02e-6 < second.max() < free.crossbars[0].g.max() / 10
    x = np.array([[0.3, -1.0, 0.7, 0.2]])
    np.testing.assert_allclose(evaluate.outputs(held, {"x": x})["y"], x @ VALUES, rtol=1e-12)


@pytest.mark.parametrize("least", [2e4, 1e6])
def test_fixed_resistors_have_a_least_of_their_own(least):
    mean = np.full((4, 1), 0.25)
    held = programmed(dense(mean, "resistor"), r_average_min_ohm=least)
    g = held.arrays[0].crossbars[0].g
    assert math.isclose(1 / g.max(), least)
    assert math.isclose(held.arrays[0].r_f[0], least / 4)
    x = np.array([[0.3, -1.0, 0.7, 0.2]])
    np.testing.assert_allclose(evaluate.outputs(held, {"x": x})["y"], x @ mean, rtol=1e-12)
