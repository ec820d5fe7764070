"""Device effects: turn a programmed Design into one set of real devices (docs/targets.md).

The result is an ordinary Design with other conductances, so that evaluate, the netlist, LVS and the
twin all use the same draw. Fixed resistors stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from memxc.errors import Fault, MemxcError, fail
from memxc.ir.design import Design
from memxc.ir.kernel import Crossbar
from memxc.ir.stages import Array, Stage
from memxc.ir.windows import Ints, ints
from memxc.physics import converters
from memxc.physics.device.draw import Crossings, active
from memxc.physics.device.streams import Stream
from memxc.physics.network import drive, offsets
from memxc.target import Device, Target

Floats = NDArray[np.float64]
DrawPer = Literal["placement", "definition"]

#: Most bytes that the conductances of a disturbed design may take.
MOST_BYTES = 4 << 30
#: Cells disturbed at once; it bounds the memory in addition to the conductances themselves.
_CHUNK = 1 << 20


def random(target: Target) -> bool:
    """Return whether two draws of a target can differ."""
    noisy = target.amplifier.offset_sigma_v or target.device.read_noise
    return bool(noisy) or active(target.device, target.wire)


def disturbed(design: Design, target: Target, seed: int, draw_per: DrawPer) -> Design:
    """Return the programmed design with the devices, amplifiers and converters of draw `seed`.

    Every memristor gets a drawn conductance, every op-amp a drawn offset, and Array.read_noise the
    noise of a read. draw_per "placement": each placed crossbar has its own devices, so a crossbar
    of G groups and P places becomes one of G * P groups and one place; places that take turns on
    one crossbar (sequential) share its draw. draw_per "definition": one draw for all places of a
    group. A target without any effect gives the design itself.

    Raises MemxcError: usage if the conductances would take more than MOST_BYTES, bad-target if the
    design was not programmed for the target's device.
    """
    design = converters.converted(design, target)
    if target.amplifier.offset_sigma_v:
        design = offsets.with_offsets(design, target.amplifier.offset_sigma_v, seed)
    if target.device.read_noise:
        sigma = target.device.read_noise
        design = design.with_stages(
            replace(stage, read_noise=sigma)
            if isinstance(stage, Array) and stage.programmable
            else stage
            for stage in design.stages
        )
    if not active(target.device, target.wire):
        return design
    arrays = [stage for stage in design.stages if isinstance(stage, Array)]
    check_memory([stage for stage in arrays if stage.programmable], draw_per)
    _check_device([stage for stage in arrays if stage.programmable], target.device)
    numbers = Numbers()
    stages: list[Stage] = []
    for (stage, name), other in zip(offsets.named(design), design.stages, strict=True):
        if stage is None:
            stages.append(other)
        elif stage.programmable:
            stages.append(_array(stage, target, seed, name, draw_per, numbers))
        else:
            crossbars = tuple(map(numbers.kept, stage.crossbars))
            stages.append(replace(stage, crossbars=crossbars))
    return design.with_stages(stages)


def _places(stage: Array, crossbar: Crossbar, draw_per: DrawPer) -> int:
    """Return how many placed crossbars of one group have devices of their own."""
    return stage.placed(crossbar.places) if draw_per == "placement" else 1


class Numbers:
    """New numbers of netlist definitions, in order of use.

    Undisturbed definitions stay shared.
    """

    def __init__(self) -> None:
        self.count = 0
        self.old: dict[int, int] = {}

    def fresh(self, count: int) -> Ints:
        """Return `count` numbers that no definition has yet."""
        self.count += count
        return ints(np.arange(self.count - count, self.count))

    def kept(self, crossbar: Crossbar) -> Crossbar:
        """Return an undisturbed crossbar; the same old number always gets the same new one."""
        numbers = []
        for number in crossbar.definition.tolist():
            if number not in self.old:
                self.old[number] = int(self.fresh(1)[0])
            numbers.append(self.old[number])
        return replace(crossbar, definition=ints(numbers))


def _array(
    stage: Array, target: Target, seed: int, name: str, draw_per: DrawPer, numbers: Numbers
) -> Array:
    crossbars = []
    for k, crossbar in enumerate(stage.crossbars):
        places = _places(stage, crossbar, draw_per)
        stream = partial(Stream, seed, stage=name, crossbar=k)
        cells = Crossings(target.device, target.wire, stream, crossbar.cell)
        g = np.empty((crossbar.groups * places, len(cells.rows)))
        for group, part in _chunks(crossbar.groups, places, crossbar.cell.size):
            wanted = crossbar.g[group, crossbar.cell[cells.rows, cells.columns]]
            at = slice(group * places + part.start, group * places + part.stop)
            g[at] = cells.conductance(wanted, group, part)
        g.setflags(write=False)
        crossbars.append(rewired(crossbar, g, places, numbers))
    return replace(stage, crossbars=tuple(crossbars))


def _chunks(groups: int, places: int, cells: int) -> Iterator[tuple[int, slice]]:
    step = max(1, _CHUNK // max(1, cells))
    for group in range(groups):
        for first in range(0, places, step):
            yield group, slice(first, min(first + step, places))


def rewired(crossbar: Crossbar, g: Floats, places: int, numbers: Numbers) -> Crossbar:
    """Return the crossbar with its own conductance at every cell, and its places as groups."""
    cell = np.full(crossbar.cell.shape, -1, dtype=np.int32)
    cell[crossbar.cell >= 0] = np.arange(g.shape[1])
    rewired = replace(crossbar, g=g, cell=ints(cell), definition=numbers.fresh(len(g)))
    if places == 1:
        return rewired
    return replace(
        rewired,
        taps=drive.one_block_a_place(rewired.taps),
        sinks=drive.one_block_a_place(rewired.sinks),
        grid=(1,),
    )


def check_memory(stages: Sequence[Array], draw_per: DrawPer) -> None:
    """Refuse conductances of more than MOST_BYTES. Raises MemxcError (usage)."""
    sizes = {stage.name: 0 for stage in stages}
    for stage in stages:
        for crossbar in stage.crossbars:
            blocks = crossbar.groups * _places(stage, crossbar, draw_per)
            sizes[stage.name] += blocks * crossbar.devices * 8
    total = sum(sizes.values())
    if total > MOST_BYTES:
        what = f"the devices of every {draw_per} would take {total / 2**30:.1f} GiB, "
        what += (
            f"the bound is {MOST_BYTES / 2**30:g}; most of it {max(sizes, key=sizes.__getitem__)}"
        )
        hint = "the sequential schedule has fewer devices"
        if draw_per == "placement":
            hint = f"--draw-per definition is an approximation that takes less; {hint}"
        raise fail("usage", f"--draw-per {draw_per}", what, hint)


def _check_device(stages: Sequence[Array], device: Device) -> None:
    """Refuse stages that were programmed for another device than the target's."""
    faults = []
    for stage in stages:
        g = np.concatenate(
            [c.g[:, np.unique(c.cell[c.cell >= 0])].reshape(-1) for c in stage.crossbars]
        )
        near = (
            device.means[device.nearest(g)]
            if device.states
            else np.clip(g, device.g_min, device.g_max)
        )
        # 0 S is no device.
        if not np.allclose(np.where(g > 0, near, 0.0), g, rtol=1e-6, atol=0.0):
            what = f"{stage.name} is programmed to conductances that the device does not have"
            hint = "compile the model for this target"
            faults.append(Fault("bad-target", "device", what, hint))
    if faults:
        raise MemxcError(faults)
