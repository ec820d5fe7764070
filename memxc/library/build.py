"""Build: a compiled circuit in its folder, and all that can be asked of it."""

from __future__ import annotations

import html
import os
import shutil
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from numpy.typing import ArrayLike, NDArray

from memxc.build_folder import read, write
from memxc.build_folder.report import read as reports
from memxc.build_folder.report.document import Report
from memxc.build_folder.report.text import summary
from memxc.build_folder.verdict import over
from memxc.errors import Fault, MemxcError, printable
from memxc.evaluation.metrics import Metric
from memxc.frontend import ModelProto
from memxc.library import asked, checks, circuits, data
from memxc.library.data import Samples
from memxc.library.steady import Progress, at_work, silent
from memxc.lvs import NetlistComparison, compare_folder
from memxc.physics.device.variation import DrawPer
from memxc.simulate import Data, SweepPlan, SweepScores
from memxc.simulate.circuit import answers
from memxc.target import Target
from memxc.verify import Plan, Verification

#: Values of the target by TABLE.KEY, as text or as numbers in the units of the target's file; or
#: texts TABLE.KEY=VALUE.
Settings: TypeAlias = Mapping[str, object] | Sequence[str]


class Build:
    """A compiled circuit. `memxc.compile` and `memxc.load` make one.

    Every method works on the files of `folder` and leaves them as they are, but for the scores that
    `simulate` adds. All methods may be called from several threads. A Build that was compiled
    without `output` has a temporary folder, which is removed with it. Every method raises
    MemxcError (bad-design) where the folder is not whole, or holds only a report.
    """

    def __init__(self, folder: Path, holder: Path | None = None) -> None:
        """`holder` is a folder of the Build's own, which is removed with it."""
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

    @property
    def name(self) -> str:
        """The name of the network: that of its file, without the suffix."""
        return self.report.model.name

    @property
    def target(self) -> Target:
        """The target that the circuit was compiled for."""
        return self._loaded.target

    @property
    def ok(self) -> bool:
        """False where the comparison with the original network failed: do not use the circuit.

        True also where nothing was compared, with `report_only`.
        """
        return self.report.fidelity.passed is not False

    def over(self, budget: Mapping[str, float]) -> list[str]:
        """A sentence for each limit that the report passes, an empty list where there is none.

        budget: limits of crossbars, memristors, power (watts), latency (seconds) and loss. Raises
        MemxcError (usage) for another key.
        """
        return over(budget, self.report)

    def data(self, samples: Samples | Data | None = None, count: int | None = None) -> Data:
        """The first `count` samples, checked against the inputs of the circuit, and warnings.

        samples: a path, inputs (samples, *shape), inputs by name, or a pair of inputs and labels;
        None is those that the folder keeps. All methods that take samples take the result, too.
        Raises MemxcError (bad-samples) with all that is wrong.
        """
        if isinstance(samples, Data):
            return samples
        asked.check(count=count)
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
        tolerance: float | None = None,
        jobs: int = 1,
        progress: Progress = silent,
    ) -> Verification:
        """Simulate the netlist in SPICE and compare each stage, and the whole with onnxruntime.

        samples, count: as in `data`. engine: auto, neospice or ngspice. stage: the name of the only
        stage to simulate. wire: with the wire segments of the target. power: ngspice sums the watts
        of the devices, too. tolerance: the largest relative error of a stage; None is 1e-6, and
        1e-5 for amplifiers of finite gain. jobs: processes that the engine runs in, 1 or more.
        Raises MemxcError: usage, bad-samples, missing-engine, engine-failed, cannot-write.
        """
        asked.check(count=count, tolerance=tolerance, jobs=jobs)
        given = self.data(samples, count)
        plan = Plan(engine, stage, wire, power, tolerance, jobs)
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
        settings: Settings | None = None,
        seed: int = 0,
        draw: int = 1,
        draw_per: DrawPer = "placement",
        progress: Progress = silent,
    ) -> dict[str, NDArray[Any]]:
        """The answers of one circuit, by the name of the output: arrays (samples, *shape).

        The circuit has wires, amplifiers and one draw of its devices; the keywords are as in
        `twin`, and the scores of `simulate` are of these answers. progress hears of each warning
        about the samples, too: what is beyond the range of an input is clipped, as in the circuit.
        Raises MemxcError: usage, bad-samples.
        """
        asked.check(seed=seed, draw=draw, draw_per=draw_per)
        given = self.data(samples)
        for warning in given.warnings:
            progress(f"warning: {warning}")
        draws = circuits.Draw(_texts(settings), seed, draw, draw_per)
        with at_work(self.folder):
            point, design = circuits.point_of(self._loaded, draws)
            return answers(
                design, point.target, draws.drawn, draw_per, given.inputs,
                lambda share: progress(f"{share:.0%} of the answers"),
            )  # fmt: skip

    def simulate(
        self,
        samples: Samples | Data,
        labels: ArrayLike | None = None,
        *,
        settings: Settings | None = None,
        sweep: Mapping[str, Iterable[object]] | None = None,
        draws: int = 1,
        draw_per: DrawPer = "placement",
        metric: Metric | None = None,
        count: int | None = None,
        seed: int = 0,
        progress: Progress = silent,
    ) -> SweepScores:
        """Score the circuit on a data set: wires, amplifiers and draws of its devices.

        samples, count: as in `data`; labels: a class a sample (samples,), or masks of the output's
        shape. settings: other values of the target. sweep: values to go through, all combinations
        of several keys. draws: of the devices at each point; one where the target has no variation.
        draw_per: placement or definition. metric: top1, dice, iou or error; None chooses by the
        labels. SweepScores are kept in folder/simulate as they come, and none is computed twice.
        Raises MemxcError: usage, bad-samples, cannot-write.
        """
        asked.check(draws=draws, draw_per=draw_per, metric=metric, count=count, seed=seed)
        if labels is not None:
            samples = (samples, labels)  # type: ignore[assignment]
        given = self.data(samples, count)
        plan = SweepPlan(_texts(settings), _swept(sweep or {}), draws, draw_per, metric, seed)
        with at_work(self.folder):
            return circuits.scores(
                self._loaded, given, plan,
                lambda text, share: progress(f"{text}, {share:.0%} done"), progress,
            )  # fmt: skip

    def twin(
        self,
        *,
        settings: Settings | None = None,
        seed: int = 0,
        draw: int = 1,
        draw_per: DrawPer = "placement",
        progress: Progress = silent,
    ) -> ModelProto:
        """An ONNX model of ordinary operators that behaves like the circuit.

        Wires, amplifiers and one draw of the devices are in it: `draw` is one of simulate's draws
        of that seed, 1 the first. settings: other values of the target. Where these decide how a
        network is programmed, it is programmed anew, as in `simulate`. Inputs and outputs have the
        names, types and shapes of the original model. Raises MemxcError (usage).
        """
        asked.check(seed=seed, draw=draw, draw_per=draw_per)
        draws = circuits.Draw(_texts(settings), seed, draw, draw_per)
        with at_work(self.folder):
            return circuits.twinned(self._loaded, draws, progress).model

    def save(self, folder: str | Path, *, force: bool = False) -> Path:
        """Copy the build to a folder, whole or not at all, and return its path.

        A folder as memxc wrote it is replaced, but for its scores; another one only with `force`.
        Raises MemxcError: usage, cannot-write.
        """
        write.save(self.folder, Path(folder), force)
        return Path(folder)

    def __repr__(self) -> str:
        try:
            total, target = self.report.resources.total, self.report.target.name
            counts = f"{total.crossbars:,} crossbars, {total.memristors:,} memristors"
            name = printable(self.name, 40)
        except MemxcError:
            return f"<memxc.Build of {str(self.folder)!r}, whose report cannot be read>"
        failed = "" if self.ok else ", FAILED the comparison with the original network"
        return f"<memxc.Build {name!r} for {printable(target, 40)}: {counts}{failed}>"

    def _repr_html_(self) -> str:
        """The head of the report, for notebooks."""
        lines = (f"<li>{html.escape(printable(line))}</li>" for line in summary(self.report))
        title = html.escape(f"{printable(self.name)} for {printable(self.report.target.name)}")
        return f"<p><b>{title}</b></p><ul>{''.join(lines)}</ul>"


def load(folder: str | Path) -> Build:
    """The Build of a folder that memxc wrote.

    Raises MemxcError (bad-design) where it is no such folder, or one of another version of memxc
    that this one cannot read; the hint says what to do.
    """
    read.manifest(Path(folder))
    return Build(Path(folder))


def _texts(settings: Settings | None) -> tuple[str, ...]:
    """Settings as --set takes them."""
    if isinstance(settings, str):
        return (settings,)
    if isinstance(settings, Mapping):
        return tuple(f"{key}={value}" for key, value in settings.items())
    return tuple(settings or ())


def _swept(sweep: Mapping[str, Iterable[object]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Keys and values as --sweep takes them. Raises MemxcError (usage) for what is no list."""
    found, faults = [], []
    for key, values in sweep.items():
        if isinstance(values, Iterable) and not isinstance(values, str) and (texts := [*values]):
            found.append((key, tuple(map(str, texts))))
        else:
            hint = f"a list is wanted, for example {{{key!r}: [1, 2]}}"
            faults.append(Fault("usage", f"sweep of {key}", f"goes through {values!r}", hint))
    if faults:
        raise MemxcError(faults)
    return tuple(found)


def _remove(folder: Path, process: int) -> None:
    """Remove a temporary folder in the process that made it, and not in a fork of that."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
