"""Options are declared once: the command line, the manifest and docs/cli.md say the same."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import click
import pytest

from memxc import passes, target
from memxc.cli import _generated, compile
from memxc.compiler import manifest
from memxc.compiler.declaration import fields_of
from memxc.compiler.options import MITIGATIONS, Options, Settings
from memxc.errors import MemxcError
from memxc.interfaces import declared_options


def test_what_is_made_from_declarations_is_up_to_date():
    made = dict(_generated.files())
    for path, text in made.items():
        found = (_generated.ROOT / path).read_text("utf-8")
        assert found == text, f"{path}: run python -m memxc.cli._generated"
    assert len(made) == 11
    page = made[Path("docs/cli.md")]
    assert page.count("| `--schedule parallel\\|sequential` | `parallel` |") == 1


def test_every_option_of_a_pass_is_one_of_a_compilation():
    """A field that a pass declares has a line in Options with the same type."""
    known = {field.option.flag: field for field in fields_of(Options).values()}
    seen = set()
    for change in passes.available().values():
        for name, option in declared_options(change).items():
            field = known[option.flag]
            seen.add(option.flag)
            assert (field.option.help, field.option.page) == (option.help, option.page)
            assert field.choices == getattr(get_type_hints(change)[name], "__args__", ())
    assert {"--schedule", "--partition", "--separate"} <= seen


def test_all_options_are_declared_and_on_the_command_line():
    names = {part.name for part in fields(Options)} - {"model", "target"}
    assert names == set(fields_of(Options))
    flags = {p.name for p in compile.command.get_params(click.Context(compile.command))}
    assert names <= flags


def test_mitigations_are_passes():
    assert set(MITIGATIONS) <= set(passes.available())


def test_the_library_names_every_wrong_value_by_its_flag():
    with pytest.raises(MemxcError) as caught:
        Options(
            "net.onnx", target.load("ideal"), schedule="often", seed=-1, separate=2, stage_sets=()
        )
    assert [(f.code, f.where) for f in caught.value.faults] == [
        ("usage", "--schedule"), ("usage", "--separate"), ("usage", "--seed"),
        ("usage", "stage_sets"),
    ]  # fmt: skip


def test_a_manifest_gives_typed_options():
    tree = {"shapes": {"x": [1, 3]}, "input_range": [-1, 2], "mitigate": ["reorder"], "old": 5}
    wanted = Settings(shapes={"x": (1, 3)}, input_range=(-1.0, 2.0), mitigate=("reorder",))
    assert manifest.read(tree) == wanted
