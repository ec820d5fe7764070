"""verify: compare the netlist in SPICE, its text, and the original network with the design."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from memxc import netlist_reader
from memxc.backends.cost.resources import Tile
from memxc.build_folder.read import Loaded, changed
from memxc.compiler import stage_set
from memxc.errors import MemxcError
from memxc.evaluation import reference
from memxc.library.steady import Progress
from memxc.lvs import compare_folder
from memxc.simulate import Data
from memxc.verify import Plan, Verification, transient, verify
from memxc.verify.document import TransientResult
from memxc.verify.library import Library


def verified(loaded: Loaded, data: Data, plan: Plan, progress: Progress) -> Verification:
    """Simulate the netlist of a folder on the data, and compare. Raises MemxcError as `verify`.

    Each stage is simulated in a test bench of its own. The connections between the stages are
    compared as text, unless the plan is for one stage only.
    """
    progress("the original network")
    answers, missing = _original(loaded, data.inputs)
    progress("reading the netlist back")
    netlist, device = netlist_reader.read_folder(loaded.folder / "netlist"), loaded.target.device
    differences = None
    if plan.stage is None:
        found = compare_folder(loaded.design, loaded.folder, device, netlist)
        differences = len(found.differences)
    transients: tuple[TransientResult, ...] = ()
    if plan.transient:
        transients = transient.check(
            loaded.design,
            loaded.target,
            Library.of(netlist),
            _tile(loaded),
            data.inputs,
            plan,
            progress,
        )
    done = verify(
        loaded.design, loaded.target, netlist, data.inputs, answers, plan, progress, data.labels
    )
    return replace(
        done,
        transients=transients,
        differences=differences,
        changed=tuple(changed(loaded.folder)),
        warnings=data.warnings,
        missing=missing,
    )


def _tile(loaded: Loaded) -> Tile:
    """The size of the unit crossbar of each stage, by its name."""
    unit = loaded.target.crossbar
    sizes = {
        stage: size
        for stage, key, size in map(stage_set.parse, loaded.options["stage_set"])
        if key == "tile"
    }
    return lambda stage: sizes.get(stage, (unit.rows, unit.columns))


def _original(
    loaded: Loaded, inputs: Mapping[str, NDArray[Any]]
) -> tuple[dict[str, NDArray[Any]] | None, str]:
    """The outputs of onnxruntime, or None and the reason."""
    if loaded.model is None:
        return None, "DIR has no copy of the model"
    try:
        return reference.run(loaded.model, inputs), ""
    except MemxcError as error:
        return None, error.faults[0].what
