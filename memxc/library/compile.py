"""memxc.compile: compile a trained network to a Build."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from memxc import render
from memxc import target as targets
from memxc.build_folder import write
from memxc.compiler.forms import tile_size
from memxc.compiler.options import Options
from memxc.compiler.run import compile_model
from memxc.errors import MemxcError, fail, why
from memxc.ir import store
from memxc.library import keywords
from memxc.library.build import Build
from memxc.library.data import Samples, arrays_of
from memxc.library.model import Model, written
from memxc.library.options import Keywords
from memxc.library.steady import Progress, compiling, one_thread, silent
from memxc.netlist_reader import Cells, read_cells
from memxc.target import Target


def compile(
    model: Model,
    *,
    target: str | Path | Target = "hfox-128",
    samples: Samples | None = None,
    example: Any = None,
    cells: str | Path | Cells | None = None,
    tile: int | tuple[int, int] | None = None,
    dialects: str | Sequence[str] = ("ngspice",),
    report_only: bool = False,
    large: bool = False,
    output: str | Path | None = None,
    force: bool = False,
    progress: Progress = silent,
    **options: Unpack[Keywords],
) -> Build:
    """Compile a trained network to a circuit, as `memxc compile` does.

    model: the path of an ONNX file, an onnx.ModelProto, the bytes of one, or a torch.nn.Module
    together with `example`, the input or the tuple of inputs that torch exports it with.
    target: a name (`memxc targets`), the path of a TOML file, or a Target. samples: a path, inputs
    (samples, *shape), inputs by name, or a pair of inputs and labels. Without samples, memxc uses
    MODEL.samples.npz beside the model's file, or else draws inputs from `input_range`.
    cells: a folder with cells of your own. tile: rows, or (rows, columns), of the unit crossbar in
    place of the target's. output: the folder to write; `force` replaces everything in it except
    simulate/. Without `output` the build is in a temporary folder that is removed with the Build
    (`Build.save` copies it). dialects: a name, or several, of the SPICE dialects to write.
    progress: called with a few words for each step.

    The other keywords are options of the command line (docs/cli.md). `Keywords` in
    memxc/library/options.py lists them with their types. A text or a number is a tuple of one.

    Compilations take turns: a second one, in another thread, waits. Raises MemxcError with all
    faults of the model, the samples, the target or the options; nothing is written then.
    """
    keywords.check(progress=progress)
    names = _dialects(dialects)
    unit = _target(target, tile)
    with compiling, one_thread, _holder(keep=output is None) as holder:
        given = holder / "given"
        with _in_the_users_words(given):
            file, data = _files(model, example, samples, given)
            own = None if cells is None else read_cells(cells)
            asked = Options(
                model=file,
                target=unit,
                cells=own,
                samples=data,
                **options,  # type: ignore[arg-type]  # it makes tuples itself
            )
            out = holder / "build" if output is None else keywords.path("output", output)
            inputs = [file, data, _file(target), None if own is None else own.folder]
            write.check(out, force, [path for path in inputs if path is not None])
            compiled = compile_model(asked, progress, report_only=report_only, large=large)
            progress("writing")
            write.write(compiled, out, force, names)
    return Build(out, holder if output is None else None)


def _dialects(given: str | Sequence[str]) -> tuple[str, ...]:
    """The dialects, each once.

    Raises MemxcError (usage) for an unknown dialect, or two that write the same files.
    """
    names = (given,) if isinstance(given, str) else given
    dialects = tuple(names) if isinstance(names, Iterable) else ()
    if not dialects or not all(isinstance(name, str) for name in dialects):
        what = f"{given!r} is not a name, or a tuple of names"
        raise fail("usage", "dialects", what, "for example dialects=('ngspice',)")
    known = render.dialects()
    for name in dialects:
        where = f"--dialect {name}"
        if name not in known:
            raise fail("usage", where, "no such dialect", f"dialects are {', '.join(known)}")
        same = [other for other in dialects if other != name and known.get(other) == known[name]]
        if same:
            what = f"writes .{known[name]} files, as {same[0]} does"
            raise fail("usage", where, what, "compile once for each of the two")
    return tuple(dict.fromkeys(dialects))


def _target(given: str | Path | Target, tile: int | tuple[int, int] | None) -> Target:
    found = given if isinstance(given, Target) else targets.load(str(given))
    if tile is None:
        return found
    text = "x".join(map(str, tile if isinstance(tile, tuple) else (tile,)))
    try:
        return found.with_tile(*tile_size(text))
    except ValueError as error:
        raise fail("usage", f"--tile {text}", str(error), "for example 128 or (256, 64)") from error


def _file(given: str | Path | Target) -> Path | None:
    """The file of a target, None if it has none."""
    return None if isinstance(given, Target) or given in targets.names() else Path(given)


def _files(
    model: Model, example: Any, samples: Samples | None, folder: Path
) -> tuple[Path, Path | None]:
    """The files of the model and of the samples. What is not a file yet is written to the folder.

    Raises MemxcError (cannot-write).
    """
    with _temporary():
        file = written(model, example, folder / "model.onnx")
        if samples is None or isinstance(samples, str | Path):
            return file, None if samples is None else Path(samples)
        data = folder / "samples.npz"
        store.write_npz(data, arrays_of(samples))
        return file, data


@contextmanager
def _temporary() -> Iterator[None]:
    """Raise MemxcError (cannot-write) if temporary files cannot be written in the block."""
    try:
        yield
    except OSError as error:
        hint = "set TMPDIR to a folder that can be written"
        raise fail("cannot-write", "temporary files", why(error), hint) from error


@contextmanager
def _holder(keep: bool) -> Iterator[Path]:
    """A temporary folder with a place for objects in memory. It stays if there is no error.

    Raises MemxcError (cannot-write).
    """
    with _temporary():
        holder = Path(tempfile.mkdtemp(prefix="memxc-build-"))
        (holder / "given").mkdir()
    done = False
    try:
        yield holder
        done = True
    finally:
        shutil.rmtree(holder / "given" if done and keep else holder, ignore_errors=True)


@contextmanager
def _in_the_users_words(given: Path) -> Iterator[None]:
    """In faults, replace the names of temporary files by the names of the arguments."""
    words = {os.fspath(given / "model.onnx"): "model", os.fspath(given / "samples.npz"): "samples"}
    try:
        yield
    except MemxcError as error:
        faults = []
        for fault in error.faults:
            where, what = fault.where, fault.what
            for path, word in words.items():
                where, what = where.replace(path, word), what.replace(path, word)
            faults.append(replace(fault, where=where, what=what))
        raise MemxcError(faults) from error
