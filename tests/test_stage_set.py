"""--stage-set: one place where it is read."""

from __future__ import annotations

import pytest

from memxc.compiler.forms import tile_size
from memxc.compiler.stage_set import by_stage, parse
from memxc.errors import MemxcError


def test_a_stage_may_have_dots_and_equals_signs_come_first():
    assert parse("layer.1.conv.tile=64x32") == ("layer.1.conv", "tile", (64, 32))


def test_options_are_grouped_by_stage():
    texts = ["b.schedule=parallel", "a.partition=none", "a.tile=32x16"]
    assert by_stage(texts) == {
        "a": {"tile": (32, 16), "partition": "none"},
        "b": {"schedule": "parallel"},
    }


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(MemxcError) as caught:
        by_stage(["a.tile=64", "a.colour=red", "b.tile=1", "c", "a.tile=32"])
    faults = caught.value.faults
    assert [fault.where for fault in faults] == [
        "--stage-set a.colour=red", "--stage-set b.tile=1", "--stage-set c",
        "--stage-set a.tile=32",
    ]  # fmt: skip
    assert {fault.code for fault in faults} == {"usage"}
    assert "partition, schedule, tile" in faults[0].what
    assert "3 to 65536 rows" in faults[1].what
    assert faults[3].what == "a.tile is given twice"
    assert all(fault.hint for fault in faults)


@pytest.mark.parametrize(
    ("text", "size"), [("3x2", (3, 2)), ("128", (128, 128)), ("65536x2", (65536, 2))]
)
def test_tiles(text, size):
    assert tile_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "x", "2x2", "3x1", "65537", "3x65537", "4x4x4", "-4", "4.0", "1e3", "9" * 9999]
)
def test_tiles_that_are_none(text):
    with pytest.raises(ValueError, match=r"rows|whole number"):
        tile_size(text)
