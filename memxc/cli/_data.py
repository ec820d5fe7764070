"""The data that a compiled circuit is given, and what the user has to know of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from memxc.cli import _terminal
from memxc.errors import printable

if TYPE_CHECKING:
    from memxc.build_folder.read import Loaded
    from memxc.evaluation.samples import Samples

#: More clipped values than this share are told: limiters stand above all that the calibration saw,
#: so a few values of a whole data set in a thousand are their everyday work, and move no score.
_SHARE = 1e-3
#: As is any value this many times beyond the limit, however rare: no picture that is a little
#: brighter than the others, but one in other units, or a number that stands for "missing".
_FAR = 2.0


def read(loaded: Loaded, path: Path, count: int | None) -> tuple[Samples, list[str]]:
    """The first samples of a file, and the warnings about them, which are printed here.

    MemxcError (bad-samples): as memxc.evaluation.samples.read.
    """
    from memxc.evaluation import samples

    shapes = {name: loaded.design.buses[name].shape for name in loaded.design.inputs}
    found = samples.read(path, shapes, count, loaded.kinds)
    warnings = [*found.warnings, *_clipped(loaded, found)]
    for warning in warnings:
        _terminal.warn(f"warning: {printable(warning, 400)}")
    return found, warnings


def _clipped(loaded: Loaded, found: Samples) -> list[str]:
    from memxc.evaluation import evaluate

    warnings = []
    for name, values in found.inputs.items():
        reach = evaluate.reach(loaded.design.buses[name])
        largest = max(float(values.max(initial=0)), -float(values.min(initial=0)))
        beyond = int((values > reach).sum()) + int((values < -reach).sum())
        if beyond > _SHARE * values.size or largest > _FAR * reach:
            warnings.append(
                f"{100 * beyond / values.size:.3g} % of the values of '{printable(name, 40)}' are "
                f"beyond +-{reach:.3g} (up to {largest:.3g}), and this circuit clips them there: "
                "scale the data, or compile with --samples of such data"
            )
    return warnings
