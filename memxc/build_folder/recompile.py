"""Program the network of a folder for another target, from the files of the folder."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from memxc import plugins
from memxc.build_folder.read import MANIFEST, SAMPLES, Loaded
from memxc.compiler import manifest
from memxc.compiler.declaration import fields_of
from memxc.compiler.options import Options, Settings
from memxc.compiler.run import compile_model
from memxc.errors import MemxcError, fail, printable
from memxc.ir import store
from memxc.ir.design import Design
from memxc.target import Target


def programmer(loaded: Loaded) -> Callable[[Target], Design] | None:
    """A function that compiles DIR/model.onnx as DIR was compiled, for another target.

    None if DIR has no copy of the model. The function raises MemxcError (usage) if the model,
    options and samples in DIR do not give DIR's own design again. `programmer` itself raises
    MemxcError (bad-design) if the manifest of DIR has wrong options.
    """
    model = loaded.model
    if model is None:
        return None
    try:
        kept = manifest.read(loaded.options)
    except ValueError as error:
        where = str(loaded.folder / MANIFEST)
        raise fail("bad-design", where, str(error), "compile the model again") from error
    found: list[Options] = []

    def program(target: Target) -> Design:
        if not found:
            try:
                found.append(_as_compiled(loaded, model, kept))
            except MemxcError as error:
                lost = _without_plugins(loaded)
                if lost is None:
                    raise
                raise lost from error
        return compile_model(replace(found[0], target=target), check=False).design

    return program


def _as_compiled(loaded: Loaded, model: Path, kept: Settings) -> Options:
    """The options that give the folder's own design."""
    # The model in the folder is already the part that was compiled, and its shapes are known.
    known = fields_of(Settings)
    asked = {name: v for name, v in vars(kept).items() if not known[name].option.of_network}
    asked["shapes"] = {name: loaded.design.buses[name].shape for name in loaded.design.inputs}
    # The samples in the folder are the user's, or random inputs if the user gave none.
    for samples in (loaded.folder / SAMPLES, None):
        options = Options(model=model, target=loaded.target, samples=samples, **asked)
        if _same(compile_model(options, check=False).design, loaded.design):
            return options
    raise fail(
        "usage",
        str(loaded.folder),
        "its model, compiled again, gives another design, so it cannot be programmed again",
        "compile the model for each target, and simulate these folders",
    )


def _without_plugins(loaded: Loaded) -> MemxcError | None:
    """The fault if plug-ins that the folder was compiled with are not installed, else None."""
    used = loaded.manifest.get("plugins")
    versions = used if isinstance(used, dict) else {}
    lost = [printable(f"{name} {versions[name]}", 80) for name in plugins.not_installed(versions)]
    if not lost:
        return None
    packages = f"package{'s' * (len(lost) > 1)} {', '.join(lost)}"
    what = f"was compiled with plug-ins of the {packages}, not installed here"
    return fail(
        "missing-engine", str(loaded.folder), what, f"install the {packages} to program it again"
    )


def _same(one: Design, other: Design) -> bool:
    """Whether two designs are stored as the same bytes, except for the name of the network."""
    stored = []
    for design in (one, replace(other, name=one.name)):
        with tempfile.TemporaryDirectory() as place:
            stored.append([path.read_bytes() for path in store.save(design, Path(place))])
    return stored[0] == stored[1]
