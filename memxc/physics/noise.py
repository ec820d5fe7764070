"""What is drawn beside the devices: offsets of op-amps, and the noise of single reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from memxc.ir.design import Design
from memxc.ir.kernel import Crossbar
from memxc.ir.stages import Array
from memxc.ir.windows import ints
from memxc.physics import draws
from memxc.physics.blocks import apart
from memxc.physics.draws import Stream

Floats = NDArray[np.float64]


def named(design: Design) -> Iterator[tuple[Array | None, str]]:
    """Every stage that is an Array (None for another), by a name that no other one has."""
    seen: dict[str, int] = {}
    for stage in design.stages:
        if not isinstance(stage, Array):
            yield None, ""
            continue
        # ONNX lets nodes share a name; their devices are not the same ones.
        turn = seen[stage.name] = seen.get(stage.name, -1) + 1
        yield stage, f"{stage.name}\0{turn}" if turn else stage.name


def with_offsets(design: Design, sigma_v: float, seed: int) -> Design:
    """The design with a normal input offset of standard deviation `sigma_v` for every op-amp.

    Those behind fixed resistors have one, too; inverters and lane cells have none. Places that
    take turns at one crossbar (sequential) have its amplifiers.
    """
    stages = [
        other if stage is None else replace(stage, offset=_offset(stage, name, sigma_v, seed))
        for (stage, name), other in zip(named(design), design.stages, strict=True)
    ]
    return design.with_stages(stages)


def _offset(stage: Array, name: str, sigma_v: float, seed: int) -> Floats:
    width = len(stage.r_f)
    uniform = Stream(seed, "offset", name, 0).uniform(0, slice(0, width), 2)
    volts = sigma_v * draws.normal(uniform).T
    if stage.schedule == "sequential":
        owner = np.arange(width)
        for crossbar in stage.crossbars:
            lanes = crossbar.sinks.nets()
            first = np.broadcast_to(lanes[:, :1], lanes.shape)
            both = (lanes >= 0) & (first >= 0)
            owner[lanes[both]] = first[both]
        volts = volts[:, owner]
    return volts


def one_read(design: Design, seed: int, number: int) -> Design:
    """The design as read `number` finds it: each cell times 1 + read_noise n, no noise left.

    Every place is read on its own, at one crossbar (sequential) or at many. What a Monte-Carlo
    over `number` finds is what the variances of memxc.physics.effective state.
    """
    first = 0
    stages = []
    for (stage, name), other in zip(named(design), design.stages, strict=True):
        if stage is None:
            stages.append(other)
            continue
        crossbars = []
        for k, crossbar in enumerate(stage.crossbars):
            stream = Stream(seed, f"read {number}", name, k)
            crossbars.append(_read(crossbar, stream, stage.read_noise, first))
            first += crossbars[-1].groups
        stages.append(replace(stage, crossbars=tuple(crossbars), read_noise=0.0))
    return design.with_stages(stages)


def _read(crossbar: Crossbar, stream: Stream, sigma: float, first: int) -> Crossbar:
    """The crossbar with every place a group of its own, definitions from `first` on."""
    places = crossbar.places
    rows, columns = np.nonzero(crossbar.cell >= 0)
    g = np.empty((crossbar.groups * places, len(rows)))
    for group in range(crossbar.groups):
        uniform = stream.uniform(group, slice(0, places), crossbar.cell.size)
        n = draws.normal(uniform[:, rows * crossbar.bit_lines + columns])
        wanted = crossbar.g[group, crossbar.cell[rows, columns]]
        g[group * places : (group + 1) * places] = np.maximum(wanted * (1 + sigma * n), 0.0)
    cell = np.full(crossbar.cell.shape, -1, dtype=np.int32)
    cell[rows, columns] = np.arange(len(rows))
    g.setflags(write=False)
    return replace(
        crossbar,
        g=g,
        cell=ints(cell),
        definition=ints(np.arange(first, first + len(g))),
        taps=apart(crossbar.taps),
        sinks=apart(crossbar.sinks),
        grid=(1,),
    )
