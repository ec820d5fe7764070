"""Test benches: units with their stimuli, as decks that an engine sweeps.

A point is one place of one picture. Points are split into runs of at most _SWEEP. Runs of small
units share a deck, so that an engine starts seldom and its matrices stay small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SWEEP = 256
#: Devices and source points of one deck: more would only cost memory, fewer would cost starts.
_DEVICES = 3_000
_STIMULI = 400_000


@dataclass(frozen=True, eq=False)
class Run:
    """Some points of a unit.

    cards(prefix): its instances, with inputs `<prefix>i0`, `i1`, ... and outputs `<prefix>o0`, ...
    . inputs: (points, unit inputs) volts. watched: devices for which the engine reports the power,
    too, by their names behind the prefix.
    """

    unit: int
    first: int
    devices: int
    outputs: int
    inputs: Floats
    cards: Callable[[str], str]
    watched: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class BenchDeck:
    """The body of a deck, and the runs that its answers belong to."""

    deck: str
    outputs: tuple[str, ...]
    points: int
    runs: tuple[Run, ...]


def split_run(whole: Run) -> Iterator[Run]:
    """Yield the points of a unit as runs."""
    for first in range(0, len(whole.inputs), _SWEEP):
        yield replace(whole, first=first, inputs=whole.inputs[first : first + _SWEEP])


def benches(
    todo: Sequence[Run], title: str, library: Callable[[Sequence[Run]], str]
) -> Iterator[BenchDeck]:
    """Yield decks that hold all runs; `library` returns the definitions that some runs need."""
    batch: list[Run] = []
    devices = stimuli = 0
    for run in todo:
        if batch and (devices + run.devices > _DEVICES or stimuli + run.inputs.size > _STIMULI):
            yield _bench(batch, title, library(batch))
            batch, devices, stimuli = [], 0, 0
        batch.append(run)
        devices += run.devices
        stimuli += run.inputs.size
    if batch:
        yield _bench(batch, title, library(batch))


def _bench(batch: Sequence[Run], title: str, definitions: str) -> BenchDeck:
    points = max(len(run.inputs) for run in batch)
    cards = [f"* {title}\n", definitions, "vk k 0 0\n"]
    outputs = []
    for number, run in enumerate(batch):
        prefix = f"u{number}"
        cards += [
            _stimulus(f"{prefix}i{i}", column, points) for i, column in enumerate(run.inputs.T)
        ]
        cards.append(run.cards(prefix))
        outputs += [f"{prefix}o{i}" for i in range(run.outputs)]
        outputs += [f"@r.x{prefix}{device}[p]" for device in run.watched]
    return BenchDeck("".join(cards), tuple(outputs), points, tuple(batch))


def _stimulus(net: str, volts: Floats, points: int) -> str:
    """Return a source that puts volts[k] on a net at v(k) = k, constant beyond the last point."""
    if (volts == volts[0]).all():
        return f"v{net} {net} 0 {volts[0]:.12e}\n"
    values = volts.tolist() + [float(volts[-1])] * (points - len(volts))
    pairs = [f"{k},{value:.12e}" for k, value in enumerate(values)]
    lines = (",".join(pairs[i : i + 6]) for i in range(0, len(pairs), 6))
    return f"b{net} {net} 0 v=pwl(v(k),\n+ " + ",\n+ ".join(lines) + ")\n"
