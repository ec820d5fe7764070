"""Shards of simulate and explore: parts in any order are the bytes of a single run."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from memxc.jobs import Shard
from memxc.simulate.journal import Journal

SWEEP = ("--sweep", "device.sigma=0,0.4", "--sweep", "wire.r_bit_line=1,30", "--draws", "20")


@pytest.fixture
def folders(compiled, tmp_path):
    """folders(n) -> n copies of a compiled folder, and a data set of 12 samples."""
    out, rng = compiled(), np.random.default_rng(3)
    x = rng.uniform(-1, 1, (12, 2, 6, 5)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(12) % 4)

    def copies(count):
        return [shutil.copytree(out, tmp_path / f"copy{k}") for k in range(count)]

    return out, copies, ("--data", tmp_path / "data.npz", *SWEEP)


def results(folder):
    return (folder / "simulate" / "results.jsonl").read_bytes()


def test_forty_shards_are_one_run(memxc, folders):
    _, copies, data = folders
    whole, joined, *parts = copies(5)
    assert memxc("simulate", whole, *data).code == 0
    # 43 results: the original network, two points of one draw, and two of 20.
    assert len(results(whole).splitlines()) == 43
    order = np.random.default_rng(0).permutation(40) + 1
    for k in order.tolist():
        done = memxc("simulate", parts[k % 3], *data, "--shard", f"{k}/40")
        assert (done.code, done.err) == (0, "")
        assert f"Shard {k}/40: {2 if k <= 3 else 1} score" in done.out
    done = memxc("merge", joined, *parts[::-1])
    assert (done.code, done.err) == (0, "")
    assert "43 of 43 results added, 43 known" in done.out
    assert results(joined) == results(whole)
    again = memxc("simulate", joined, *data, "--json")
    assert again.json == memxc("simulate", whole, *data, "--json").json
    assert results(joined) == results(whole)


def test_shards_of_different_counts_fill_up_in_one_folder(memxc, folders):
    one, copies, data = folders
    (whole,) = copies(1)
    memxc("simulate", whole, *data)
    memxc("simulate", one, *data, "--shard", "1/2")
    done = memxc("merge", one)
    assert done.code == 1
    assert "21 results missing: numbers 2, 4, 6" in done.err
    assert "result n is of shard (n - 1) mod N + 1" in done.err
    memxc("simulate", one, *data, "--shard", "2/2")
    done = memxc("merge", one)
    assert (done.code, done.err) == (0, "")
    assert "21 of 43 results added" in done.out
    assert results(one) == results(whole)


def test_what_differs_or_is_cut_is_found(memxc, folders):
    one, copies, data = folders
    data = (*data[:2], "--sweep", "device.sigma=0,0.4", "--draws", "2")
    a, b = copies(2)
    for folder in (a, b):
        memxc("simulate", folder, *data, "--shard", "1/1")
    (path,) = (b / "simulate" / "shards").glob("*.jsonl")
    lines = path.read_text().splitlines(keepends=True)
    entry = json.loads(lines[-1])
    path.write_text("".join(lines[:-1]) + lines[-1].replace('"value": ', '"value": 1'))
    done = memxc("merge", one, b)
    assert done.code == 1
    assert "line 4 was changed or cut, and is not used" in done.err
    assert "1 result missing" in done.err
    changed = Journal(b / "simulate" / "shards" / path.name)
    key = {k: v for k, v in entry.items() if k not in ("key", "value", "check")}
    path.write_text("".join(lines[:-1]))
    changed.add(key, entry["value"] + 0.25)
    before = results(one)
    done = memxc("merge", one, a, b)
    assert done.code == 2
    assert "differs from that in" in done.err
    assert results(one) == before


def test_an_endless_part_is_refused(memxc, folders):
    one, copies, data = folders
    (part,) = copies(1)
    memxc("simulate", part, *data[:2], "--shard", "1/1")
    (path,) = (part / "simulate" / "shards").glob("*.jsonl")
    path.unlink()
    path.symlink_to("/dev/zero")
    done = memxc("merge", one, part)
    assert done.code == 2
    assert "is no file of at most" in done.err


def test_copies_of_another_design_are_refused(memxc, folders, model, tmp_path):
    one, _, data = folders
    other = tmp_path / "other"
    memxc("compile", model, "-o", other, "--tile", "32x16", "--quiet")
    memxc("simulate", other, *data, "--shard", "1/40")
    done = memxc("merge", one, other)
    assert done.code == 2
    assert f"its design is not that of {one}" in done.err
    assert "has no results of shards" in memxc("merge", one).err


def test_points_of_an_exploration(memxc, model, tmp_path):
    args = ("--vary", "schedule=parallel,sequential", "--vary", "tile=32,64", "--report-only")
    for k, folder in ((1, "a"), (2, "b"), (3, "a")):
        out = tmp_path / folder
        done = memxc("explore", model, "-o", out, *args, "--shard", f"{k}/3")
        assert (done.code, done.err) == (0, "")
        assert not (out / "explore.json").exists()
    assert len(list((tmp_path / "a" / "points").iterdir())) == 3
    done = memxc("merge", tmp_path / "a", tmp_path / "b")
    assert (done.code, done.err) == (0, "")
    assert "1 point joined" in done.out
    ready = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "a" / "points").iterdir()}
    found = memxc("explore", model, "-o", tmp_path / "a", *args, "--json")
    assert len(found.json["points"]) == 4
    assert ready == {p.name: p.stat().st_mtime_ns for p in (tmp_path / "a" / "points").iterdir()}


def test_a_shard_is_named_or_a_task_of_slurm():
    array = {f"SLURM_ARRAY_TASK_{k}": v for k, v in
             {"ID": "9", "MIN": "5", "MAX": "13", "STEP": "2", "COUNT": "5"}.items()}  # fmt: skip
    assert Shard.read("3/40", {}) == Shard(3, 40)
    assert Shard.read("slurm", array) == Shard(3, 5)
    assert Shard(2, 3).part("abcdefgh") == "beh"
    for text in ("0/3", "4/3", "3", "a/b", "1/1000000", "slurm", "-1/2"):
        with pytest.raises(ValueError, match=r"."):
            Shard.read(text, {})
    with pytest.raises(ValueError, match="no task"):
        Shard.read("slurm", array | {"SLURM_ARRAY_TASK_ID": "6"})
    with pytest.raises(ValueError, match="without gaps"):
        Shard.read("slurm", array | {"SLURM_ARRAY_TASK_COUNT": "3"})
