"""Build: a compiled circuit in its folder, with a method for each command."""

from __future__ import annotations

import os
import shutil
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike, NDArray

from memxc.backends.programming.rows import Programmed
from memxc.build_folder import read, write
from memxc.build_folder.report import read as reports
from memxc.build_folder.report.document import Report
from memxc.build_folder.verdict import over
from memxc.errors import fail
from memxc.evaluation.metrics import Metric
from memxc.frontend import ModelProto
from memxc.library import checks, circuits, data, display, keywords, programming
from memxc.library.conductances import Conductances, template, with_measured
from memxc.library.data import Samples
from memxc.library.keywords import TargetSettings
from memxc.library.steady import Progress, at_work, silent
from memxc.lvs import NetlistComparison, compare_folder
from memxc.physics.device.variation import DrawPer
from memxc.simulate import Data, SweepPlan, SweepScores
from memxc.simulate.circuit import answers
from memxc.target import Target
from memxc.verify import Plan, Verification


class Build:
    """A compiled circuit. `memxc.compile` and `memxc.load` make one.

    Every method reads the files of `folder`. None changes them, except that `simulate` adds scores.
    All methods may be called from several threads. A Build that was compiled without `output` has a
    temporary folder `memxc-build-*`, which is removed with it. The folder stays if a signal such as
    SIGTERM ends the process. MemxcError (bad-design) is raised if a file that is read is missing or
    wrong: `report`, `name`, `ok` and `over` read report.json, and the others but `save` read the
    circuit, which a folder of `report_only` does not have.
    """

    def __init__(self, folder: Path, holder: Path | None = None) -> None:
        """`holder` is a temporary folder, which is removed with the Build."""
        self.folder = folder
        if holder is not None:
            weakref.finalize(self, _remove, holder, os.getpid())

    @cached_property
    def report(self) -> Report:
        """The report, with the keys of report.json as attributes, in SI units."""
        return reports.read(self.folder)

    @cached_property
    def _loaded(self) -> read.Loaded:
        with at_work(self.folder):
            return read.load(self.folder)

    def conductances(self) -> dict[str, NDArray[Any]]:
        """The programmed siemens by definition, (word lines, bit lines).

        nan is a crossing without a device. With measured values, the arrays are `conductances` of
        `simulate`, and `numpy.savez(FILE, **arrays)` writes them to a file for the command line.
        """
        return dict(template(self._loaded.design))

    @property
    def name(self) -> str:
        """The name of the network: the name of its file, without the suffix."""
        return self.report.model.name

    @property
    def target(self) -> Target:
        """The target that the circuit was compiled for."""
        return self._loaded.target

    @property
    def ok(self) -> bool:
        """False if the circuit differs from the original network. True if nothing was compared."""
        return self.report.fidelity.passed is not False

    def over(self, budget: Mapping[str, float]) -> list[str]:
        """A sentence for each limit that the report exceeds; an empty list if there is none.

        budget: limits of crossbars, memristors, power (watts), latency (seconds), erc (broken
        electrical rules) and loss. Raises MemxcError (usage) for another key.
        """
        return over(budget, self.report)

    def data(self, samples: Samples | Data | None = None, count: int | None = None) -> Data:
        """The first `count` samples, checked for the inputs of the circuit, and warnings.

        samples: a path, inputs (samples, *shape), inputs by name, or a pair of inputs and labels;
        None means the samples in the folder. Every method that takes samples also takes the
        result. Raises MemxcError (bad-samples) with all faults.
        """
        if isinstance(samples, Data):
            if count is not None:
                hint = "give count to the call of data that makes them"
                raise fail("usage", "count", "these samples are checked and counted", hint)
            return samples
        keywords.check(count=count)
        with at_work(self.folder):
            if samples is None:
                return data.own(self._loaded, count)
            return data.read(self._loaded, samples, count)

    def verify(
        self,
        samples: Samples | Data | None = None,
        *,
        count: int | None = None,
        engine: str = "auto",
        stage: str | None = None,
        wire: bool = False,
        power: bool = False,
        transient: bool = False,
        tolerance: float | None = None,
        jobs: int = 1,
        progress: Progress = silent,
    ) -> Verification:
        """Simulate the netlist in SPICE, and compare each stage and the outputs.

        Stages are compared with the design, and outputs also with onnxruntime.
        samples, count: as in `data`. engine: auto, neospice, ngspice or vacask. stage: the name of
        the only stage to simulate. wire: simulate the resistance of the target's wires. power: let
        ngspice sum the watts of the devices. transient: let ngspice compute how the slowest lane of
        each crossbar stage settles, too. tolerance: the largest relative error of a stage; None
        means 1e-6, or 1e-5 for amplifiers of finite gain. jobs: the number of processes, 1 or more.
        Raises MemxcError: usage, bad-samples, missing-engine, engine-failed, cannot-write.
        """
        keywords.check(count=count, tolerance=tolerance, jobs=jobs, progress=progress)
        given = self.data(samples, count)
        plan = Plan(engine, stage, wire, power, transient, tolerance, jobs)
        with at_work(self.folder):
            return checks.verified(self._loaded, given, plan, progress)

    def lvs(self) -> NetlistComparison:
        """Read the netlist and its tables back and compare every number and every connection."""
        loaded = self._loaded
        with at_work(self.folder):
            found = compare_folder(loaded.design, self.folder, loaded.target.device)
            return replace(found, changed=tuple(read.changed(self.folder)))

    def predict(
        self,
        samples: Samples | Data,
        *,
        settings: TargetSettings | None = None,
        conductances: Conductances | None = None,
        seed: int = 0,
        draw: int = 1,
        draw_per: DrawPer = "placement",
        progress: Progress = silent,
    ) -> dict[str, NDArray[Any]]:
        """The answers of one circuit, by the name of the output: arrays (samples, *shape).

        The circuit has wires, amplifiers and one draw of its devices. `simulate` scores these
        answers. The keywords are as in `twin` and `simulate`. Values beyond the range of an input
        are clipped, as in the circuit; `progress` is also called with each warning about the
        samples.
        Raises MemxcError: usage, bad-samples, missing-engine.
        """
        keywords.check(seed=seed, draw=draw, draw_per=draw_per, progress=progress)
        given = self.data(samples)
        for warning in given.warnings:
            progress(f"warning: {warning}")
        draws = circuits.Draw(keywords.texts(settings), seed, draw, draw_per)
        with at_work(self.folder):
            point, design = circuits.point_of(with_measured(self._loaded, conductances), draws)
            return answers(
                design, point.target, draws.drawn, draw_per, given.inputs,
                lambda share: progress(f"{share:.0%} of the answers"),
            )  # fmt: skip

    def simulate(
        self,
        samples: Samples | Data,
        labels: ArrayLike | None = None,
        *,
        settings: TargetSettings | None = None,
        conductances: Conductances | None = None,
        sweep: Mapping[str, Iterable[object]] | None = None,
        draws: int = 1,
        draw_per: DrawPer = "placement",
        metric: Metric | None = None,
        count: int | None = None,
        seed: int = 0,
        progress: Progress = silent,
    ) -> SweepScores:
        """Score the circuit on a data set, with wires, amplifiers and draws of its devices.

        samples, count: as in `data`. labels: a class for each sample (samples,), or masks of the
        output's shape. settings: other values of keys of the target. sweep: a list of values for
        each key; all combinations are simulated. conductances: those that were read back from a
        chip, in place of the programmed ones (docs/programming.md). draws: the number of draws of
        the devices at each point; one if the target has no variation. draw_per: placement or
        definition. metric: top1, dice, iou or error; None chooses by the labels. Each score is
        stored in folder/simulate as soon as it is known, and none is computed twice.
        Raises MemxcError: usage, bad-samples, missing-engine, cannot-write.
        """
        keywords.check(
            draws=draws, draw_per=draw_per, metric=metric, count=count, seed=seed, progress=progress
        )
        if isinstance(samples, Data | str | Path) and labels is not None:
            what = "a file, or the result of data, has its labels already"
            raise fail("usage", "labels", what, "give the arrays of the inputs with labels")
        if labels is not None:
            samples = (samples, labels)  # type: ignore[assignment]
        given = self.data(samples, count)
        plan = SweepPlan(
            keywords.texts(settings), keywords.swept(sweep or {}), draws, draw_per, metric, seed
        )
        with at_work(self.folder):
            return circuits.scores(
                with_measured(self._loaded, conductances), given, plan,
                lambda text, share: progress(f"{text}, {share:.0%} done"), progress,
            )  # fmt: skip

    def twin(
        self,
        *,
        settings: TargetSettings | None = None,
        conductances: Conductances | None = None,
        seed: int = 0,
        draw: int = 1,
        draw_per: DrawPer = "placement",
        progress: Progress = silent,
    ) -> ModelProto:
        """An ONNX model of ordinary operators that behaves like the circuit.

        It contains wires, amplifiers and one draw of the devices. draw: the number of the draw,
        counted from 1 as `simulate` does with the same seed. settings: other values of keys of the
        target. If they change how a network is programmed, it is programmed again, as in
        `simulate`. conductances: as in `simulate`. Inputs and outputs have the names, types and
        shapes of the original model.
        Raises MemxcError: usage, bad-samples, missing-engine.
        """
        keywords.check(seed=seed, draw=draw, draw_per=draw_per, progress=progress)
        draws = circuits.Draw(keywords.texts(settings), seed, draw, draw_per)
        with at_work(self.folder):
            chip = with_measured(self._loaded, conductances)
            return circuits.twinned(chip, draws, progress).model

    def program(
        self,
        output: str | Path,
        *,
        crossbar: str | None = None,
        settings: TargetSettings | None = None,
    ) -> Programmed:
        """Plan the pulses that program the memristors, and write them to the folder `output`.

        The target needs [dynamics] and [programming] (docs/programming.md). crossbar: a definition,
        for example xb0, of which a deck for ngspice is written, too. settings: as in `twin`.
        Raises MemxcError: usage, bad-target, cannot-write.
        """
        draw, place = circuits.Draw(keywords.texts(settings)), keywords.path("output", output)
        with at_work(self.folder):
            return programming.programmed(self._loaded, place, crossbar, draw)

    def save(self, folder: str | Path, *, force: bool = False) -> Path:
        """Copy the build to a folder, whole or not at all, and return the path of the folder.

        A folder that memxc wrote and nobody changed is replaced, except for its scores, and any
        other folder only with `force`. Raises MemxcError: usage, cannot-write.
        """
        write.save(self.folder, path := keywords.path("folder", folder), force)
        return path

    def __repr__(self) -> str:
        return display.line(self)

    def _repr_html_(self) -> str:
        """The head of the report, for notebooks."""
        return display.head(self)


def load(folder: str | Path) -> Build:
    """The Build of a folder that memxc wrote.

    Raises MemxcError: bad-design if it is not such a folder, or if another version of memxc wrote
    it and this one cannot read it (the hint says what to do); usage if `folder` is not a path.
    """
    found = keywords.path("folder", folder)
    read.manifest(found)
    return Build(found)


def _remove(folder: Path, process: int) -> None:
    """Remove a temporary folder, but only in the process that made it, not in its forks."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
