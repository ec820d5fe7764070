"""Drawn input offsets of op-amps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from memxc.ir.design import Design
from memxc.ir.stages import Array
from memxc.physics.device import streams
from memxc.physics.device.streams import Stream

Floats = NDArray[np.float64]


def named(design: Design) -> Iterator[tuple[Array | None, str]]:
    """Yield every Array stage with a unique name, and (None, "") for any other stage."""
    seen: dict[str, int] = {}
    for stage in design.stages:
        if not isinstance(stage, Array):
            yield None, ""
            continue
        # ONNX lets nodes share a name, but each stage has its own devices and so its own draws.
        turn = seen[stage.name] = seen.get(stage.name, -1) + 1
        yield stage, f"{stage.name}\0{turn}" if turn else stage.name


def with_offsets(design: Design, sigma_v: float, seed: int) -> Design:
    """Return the design with a normal input offset for every op-amp.

    Its standard deviation is `sigma_v` volts. Amplifiers behind fixed resistors have one, too;
    inverters and lane cells have none. Places that take turns at one crossbar (sequential) share
    its amplifiers.
    """
    stages = [
        other if stage is None else replace(stage, offset=_offset(stage, name, sigma_v, seed))
        for (stage, name), other in zip(named(design), design.stages, strict=True)
    ]
    return design.with_stages(stages)


def _offset(stage: Array, name: str, sigma_v: float, seed: int) -> Floats:
    width = len(stage.r_f)
    uniform = Stream(seed, "offset", name, 0).uniform(0, slice(0, width), 2)
    volts = sigma_v * streams.normal(uniform).T
    if stage.sequential:
        owner = np.arange(width)
        for crossbar in stage.crossbars:
            lanes = crossbar.sinks.nets()
            first = np.broadcast_to(lanes[:, :1], lanes.shape)
            both = (lanes >= 0) & (first >= 0)
            owner[lanes[both]] = first[both]
        volts = volts[:, owner]
    return volts
