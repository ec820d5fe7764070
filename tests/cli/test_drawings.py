"""memxc show --svg: the network and a floor plan as files, the same bytes twice."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from memxc.backends.pictures import floor
from memxc.build_folder import read

pytest.importorskip("matplotlib", reason="matplotlib is not installed (memxc[plot])")


def test_the_network_and_a_stage(memxc, compiled, tmp_path):
    out = compiled()
    for name, more in (("net", ()), ("floor", ("--stage", "conv"))):
        files = [tmp_path / f"{name}{k}.svg" for k in (1, 2)]
        for file in files:
            done = memxc("show", out, "--svg", file, *more)
            assert (done.code, done.err) == (0, "")
        assert files[0].read_bytes() == files[1].read_bytes()
        root = ElementTree.fromstring(files[0].read_text())
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert not re.search(r"<script|\bon\w+=|https?://(?!www\.w3\.org)", files[0].read_text())


@pytest.mark.parametrize("count", [1, 2, 4])
def test_there_are_as_many_floor_plans_as_stages(compiled, count):
    array = next(a for a in read.load(compiled()).design.arrays if a.tiled)
    plans = floor.plans([array] * count, {}, (128, 128))
    shown = [axes for axes in floor._draw(plans).axes if axes.axison]
    assert len(shown) == count


def test_what_cannot_be_drawn(memxc, compiled, model, tmp_path):
    out, file = compiled(), tmp_path / "x.svg"
    for args, words in (
        ((out, "--svg", file, "--stage", "cnv"), "did you mean 'conv'"),
        ((out, "--svg", file, "--at", "deck"), "without --at and --after"),
        ((model, "--svg", file), "draws a folder, and this is a model"),
        ((out, "--stage", "conv"), "goes with --svg"),
    ):
        done = memxc("show", *args)
        assert done.code == 2
        assert words in done.err
    assert not file.exists()
