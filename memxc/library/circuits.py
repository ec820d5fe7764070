"""Circuits of a folder with other settings: their scores, their answers, their twin."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from memxc import __version__
from memxc.backends import twin
from memxc.build_folder import read as folders
from memxc.build_folder import recompile
from memxc.build_folder.read import RESULTS, SCORES, Loaded, sha256
from memxc.build_folder.write import write_file
from memxc.errors import Fault, MemxcError, fail
from memxc.frontend import Ends, ModelProto, ends
from memxc.ir.design import Design
from memxc.jobs import Shard
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
    merge,
    points,
    programmed,
    run,
    run_shard,
)
from memxc.simulate.journal import Journal
from memxc.simulate.merge import JoinedPlan
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
    with folders.locked(loaded.folder, tell):
        bench, spoilt = _bench(loaded, plan, progress, tell)
        found = run(bench, data, plan)
    return replace(found, warnings=(*data.warnings, *spoilt))


def shard(
    loaded: Loaded,
    data: Data,
    plan: SweepPlan,
    part: Shard,
    progress: Callable[[str, float], None],
    tell: Callable[[str], None],
) -> tuple[int, Path]:
    """Compute one shard of the scores of a plan; return the number of its scores, and its journal.

    Several shards can be computed in one folder at the same time. progress, tell: as in `scores`.
    Raises MemxcError.
    """
    results = loaded.folder / RESULTS
    places = list[Path]()

    def journal_of(digests: Sequence[str]) -> Journal:
        write_file(merge.plan_file(results, digests), merge.plan_text(digests).encode())
        places.append(merge.journal_of(results, digests, part))
        return Journal(places[0])

    bench, _ = _bench(loaded, plan, progress, tell)
    return run_shard(bench, data, plan, part, journal_of), places[0]


def merged(folder: Path, parts: Sequence[Path], tell: Callable[[str], None]) -> list[JoinedPlan]:
    """Join the shards of a folder and of copies of it, and return what came of each plan.

    Raises MemxcError (usage) if a part is of another design, without shards, and where results
    differ.
    """
    ours = sha256(folder / "design.npz")
    faults = []
    for part in parts:
        folders.manifest(part)
        if sha256(part / "design.npz") != ours:
            what = f"its design is not that of {folder}"
            faults.append(Fault("usage", str(part), what, "give copies of one folder"))
    if faults:
        raise MemxcError(faults)
    with folders.locked(folder, tell):
        kept = folder / RESULTS / SCORES
        found, lines = merge.merge(kept, [place / RESULTS for place in (folder, *parts)])
        write_file(kept, "".join(f"{line}\n" for line in lines).encode())
        return found


def _bench(
    loaded: Loaded,
    plan: SweepPlan,
    progress: Callable[[str, float], None],
    tell: Callable[[str], None],
) -> tuple[UnderTest, list[str]]:
    """The circuit under test with the results so far, and warnings about these."""
    if loaded.measured:
        conductances.check_points(points(plan, loaded.target))
    original = loaded.model.read_bytes() if loaded.model is not None else None
    digest = sha256(loaded.folder / "design.npz")
    if loaded.measured:
        digest = f"{digest}, measured {loaded.measured}"
    journal = Journal(loaded.folder / RESULTS / SCORES)
    spoilt = _spoilt(journal)
    for warning in spoilt:
        tell(f"warning: {warning}")
    program = _program(loaded)
    bench = UnderTest(loaded.design, loaded.target, original, digest, journal, program, progress)
    return bench, spoilt


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
