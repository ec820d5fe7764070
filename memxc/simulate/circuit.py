"""One draw of the circuit: as a design of effective matrices, and its answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import astuple
from typing import Any

from numpy.typing import NDArray

from memxc.backends import twin
from memxc.errors import fail
from memxc.evaluation import reference
from memxc.ir.design import Design
from memxc.physics.device import iv_laws, nonlinear_lanes, variation
from memxc.physics.network import effective
from memxc.physics.network.nodal import WireResistance
from memxc.simulate import walk
from memxc.target import Target

Named = dict[str, NDArray[Any]]


def circuit(
    design: Design, target: Target, seed: int = 0, draw_per: variation.DrawPer = "placement"
) -> Design:
    """Return one draw of the circuit as a Design of effective matrices.

    They include wires, amplifiers and devices. Raises MemxcError (usage) if the devices of every
    placement would not fit in memory, and for nonlinear cells with resistive wires, which have no
    matrix.
    """
    if _unstated(target):
        what = "of a wire beside nonlinear cells: such a circuit has no effective matrix"
        hint = "--set wire.r_... = 0 for all of them, or memxc simulate, which solves it"
        raise fail("usage", "wire: a resistance", what, hint)
    # Read noise is a variance beside the effective matrices, and needs cells that share one curve.
    if target.device.read_noise and target.device.iv == "table":
        what = "is simulated with linear cells, and with sinh cells without wires"
        hint = "--set device.read_noise=0, or device.programming_sigma for a spread of cells"
        raise fail("usage", "device.read_noise", what, hint)
    real = variation.disturbed(design, target, seed, draw_per)
    straight = nonlinear_lanes.straight(real, iv_laws.law(target.device))
    return effective.effective(straight, WireResistance.of(target.wire))


def answers(
    design: Design,
    target: Target,
    seed: int,
    draw_per: variation.DrawPer,
    inputs: Mapping[str, NDArray[Any]],
    progress: Callable[[float], None],
) -> Named:
    """Return the answers of one draw to inputs (samples, *shape), by output name."""
    if not _unstated(target):
        model = twin.model(circuit(design, target, seed, draw_per), seed)
        # The nodes of an island are the user's, and C++ reads these in the worker only.
        return reference.predict(model, inputs, trusted=not design.islands)
    if target.amplifier.offset_sigma_v or target.device.read_noise:
        what = "not known of nonlinear cells that have wires of some resistance"
        hint = "leave out the noise, the wires, or device.iv"
        raise fail("usage", "amplifier.offset_sigma_v, device.read_noise", what, hint)
    real = variation.disturbed(design, target, seed, draw_per)
    return walk.outputs(real, target, inputs, progress)


def _unstated(target: Target) -> bool:
    """Return whether the crossbars have no effective matrix."""
    return target.device.iv != "linear" and any(astuple(WireResistance.of(target.wire)))
