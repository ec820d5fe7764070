"""The combinations of options, and what is wrong with them."""

from __future__ import annotations

import pytest

from memxc.errors import MemxcError
from memxc.exploration.points import ways


def test_all_combinations_the_last_key_fastest():
    found = ways({"tile": ["32", "64x16"], "prune": ["", "ckf:0.5 word-line:0.2"]})
    assert [way.tile for way in found] == [(32, 32), (32, 32), (64, 16), (64, 16)]
    assert [way.options.get("prune") for way in found] == [
        None, ("ckf:0.5", "word-line:0.2"), None, ("ckf:0.5", "word-line:0.2"),
    ]  # fmt: skip
    assert found[3].words == (
        "--tile", "64x16", "--prune", "ckf:0.5", "--prune", "word-line:0.2",
    )  # fmt: skip


def test_an_option_without_a_value_is_on_or_off():
    off, on = ways({"refit": ["off", "on"]})
    assert (off.options, off.words) == ({}, ())
    assert (on.options, on.words) == ({"refit": True}, ("--refit",))


def test_every_wrong_key_and_value_is_a_fault():
    with pytest.raises(MemxcError) as caught:
        ways({"shedule": ["parallel"], "tile": ["2", "64"], "refit": ["yes"],
              "schedule": ["sideways"], "seed": ["1", "1"]})  # fmt: skip
    wheres = [fault.where for fault in caught.value.faults]
    assert wheres == [
        "--vary shedule", "--vary tile=2", "--vary refit=yes", "--vary schedule=sideways",
        "--vary seed",
    ]  # fmt: skip
    assert "schedule" in caught.value.faults[0].hint


def test_too_many_points_are_refused_before_anything_is_compiled():
    with pytest.raises(MemxcError, match="27,000 points"):
        ways({"tile": [f"{n}" for n in range(3, 33)], "seed": [f"{n}" for n in range(30)],
              "clip-weights": [f"0.{n:03}" for n in range(1, 31)]})  # fmt: skip
