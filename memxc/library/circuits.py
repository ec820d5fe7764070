"""Circuits of a folder with other settings: their scores, their answers, their twin."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from memxc import __version__
from memxc.backends import twin
from memxc.build_folder import read as folders
from memxc.build_folder import recompile
from memxc.build_folder.read import RESULTS, SCORES, Loaded, sha256
from memxc.errors import fail
from memxc.frontend import Ends, ModelProto, ends
from memxc.ir.design import Design
from memxc.library import conductances
from memxc.library.steady import Progress, compiling
from memxc.physics.device.variation import DrawPer
from memxc.simulate import (
    Data,
    Point,
    SweepPlan,
    SweepScores,
    UnderTest,
    circuit,
    draw_seed,
    points,
    programmed,
    run,
)
from memxc.simulate.journal import Journal
from memxc.target import Target


@dataclass(frozen=True)
class Draw:
    """One circuit of a folder: other values of its target (KEY=VALUE), and a draw of its devices.

    draw: the number of the draw, counted from 1 as simulate does with the same seed.
    """

    settings: tuple[str, ...] = ()
    seed: int = 0
    draw: int = 1
    draw_per: DrawPer = "placement"

    @property
    def drawn(self) -> int:
        """The seed from which the devices are drawn."""
        return draw_seed(self.seed, self.draw - 1)


@dataclass(frozen=True, eq=False)
class Twin:
    """The twin of a circuit.

    like_model: whether its inputs and outputs are as in the model; otherwise they are float32 with
    batches of any size.
    """

    model: ModelProto
    point: Point
    like_model: bool


def scores(
    loaded: Loaded,
    data: Data,
    plan: SweepPlan,
    progress: Callable[[str, float], None],
    tell: Callable[[str], None],
) -> SweepScores:
    """The scores of a plan. Each is stored in the folder as soon as it is known.

    progress: called with the current step, and the share of the work that is done. tell: called
    with a message if another memxc uses the folder, or if a stored result is not valid. Raises
    MemxcError.
    """
    if loaded.measured:
        conductances.check_points(points(plan, loaded.target))
    with folders.locked(loaded.folder, tell):
        original = loaded.model.read_bytes() if loaded.model is not None else None
        digest = sha256(loaded.folder / "design.npz")
        if loaded.measured:
            digest = f"{digest}, measured {loaded.measured}"
        journal = Journal(loaded.folder / RESULTS / SCORES)
        spoilt = _spoilt(journal)
        for warning in spoilt:
            tell(f"warning: {warning}")
        bench = UnderTest(
            loaded.design, loaded.target, original, digest, journal, _program(loaded), progress
        )
        found = run(bench, data, plan)
    return replace(found, warnings=(*data.warnings, *spoilt))


def _spoilt(journal: Journal) -> list[str]:
    """A warning if results are not as simulate wrote them."""
    if not journal.spoilt:
        return []
    lines = ", ".join(map(str, journal.spoilt[:5])) + " ..." * (len(journal.spoilt) > 5)
    what = "do not fit their checksums, so they are not used; delete them to end this warning"
    return [f"{journal.path}: lines changed or cut since simulate wrote them ({lines}) {what}"]


def _program(loaded: Loaded) -> Callable[[Target], Design] | None:
    """The function of memxc.build_folder.recompile, limited to one compilation at a time.

    None for measured conductances: a chip that was measured is not programmed again.
    """
    program = None if loaded.measured else recompile.programmer(loaded)
    if program is None:
        return None

    def alone(target: Target) -> Design:
        with compiling:
            return program(target)

    return alone


def point_of(loaded: Loaded, draw: Draw) -> tuple[Point, Design]:
    """The target of a circuit, and the network programmed for it. Raises MemxcError (usage)."""
    (point,) = points(SweepPlan(draw.settings), loaded.target)
    if loaded.measured:
        conductances.check_points([point])
    return point, programmed(point, loaded.design, _program(loaded))


def twinned(loaded: Loaded, draw: Draw, progress: Progress) -> Twin:
    """The twin of a circuit; its metadata describe the circuit. Raises MemxcError."""
    progress("the programmed network")
    point, design = point_of(loaded, draw)
    progress("the effective matrices")
    drawn = circuit(design, point.target, draw.drawn, draw.draw_per)
    about = {
        "memxc": __version__,
        "target": point.target.name,
        "target.json": json.dumps(point.target.model_dump(), sort_keys=True),
        "seed": str(draw.seed),
        "draw": str(draw.draw),
        "draw_per": draw.draw_per,
        **({"conductances": loaded.measured} if loaded.measured else {}),
    }
    original = _ends(loaded)
    made = twin.proto(drawn, draw.drawn, original, about)
    return Twin(made, point, original is not None)


def _ends(loaded: Loaded) -> Ends | None:
    """The inputs and outputs of the model; None if the folder has no copy of it."""
    if loaded.model is None:
        return None
    found, design = ends(loaded.model), loaded.design
    if [*found.inputs] != [*design.inputs] or [*found.outputs] != [*design.outputs]:
        what = "has other inputs and outputs than the design"
        raise fail("bad-design", str(loaded.model), what, "compile the model again")
    return found
