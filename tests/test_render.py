import numpy as np
import pytest
from jinja2 import StrictUndefined, UndefinedError

from memxc import render


@pytest.fixture
def templates(tmp_path, monkeypatch):
    for folder in ("cells", "spice", "report"):
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(render, "folder", lambda: tmp_path)
    for environment in (render._spice, render._pages):
        environment.cache_clear()
    yield tmp_path
    for environment in (render._spice, render._pages):
        environment.cache_clear()


def test_a_number_reaches_a_netlist_only_by_its_filter(templates):
    (templates / "cells" / "bare.cir.j2").write_text("R1 a b {{ ohm }}")
    (templates / "cells" / "good.cir.j2").write_text("R1 a b {{ ohm | num }}")
    assert render.cell("good", ohm=np.float64(0.17)) == "R1 a b 1.700000000e-01"
    for ohm in (0.17, np.float64(0.17), np.int64(3), None):
        with pytest.raises(TypeError, match="filter `num`"):
            render.cell("bare", ohm=ohm)


def test_a_missing_value_is_an_error(templates):
    (templates / "cells" / "tia.cir.j2").write_text(".subckt {{ name }}")
    with pytest.raises(UndefinedError):
        render.cell("tia")
    assert render._spice().undefined is StrictUndefined


def test_dialects_are_files(templates):
    for name in ("base.cir.j2", "ngspice.cir.j2", "other.sp.j2", "notes.txt"):
        (templates / "spice" / name).write_text("{{ title }}")
    assert render.dialects() == {"ngspice": "cir", "other": "sp"}
    assert render.netlist("other", title="hello") == "hello"


def test_html_escapes_and_markdown_is_escaped_by_filter(templates):
    (templates / "report" / "a.html.j2").write_text("<td>{{ name }}</td>")
    (templates / "report" / "a.md.j2").write_text("| {{ name | md }} |")
    name = '<script>alert("x")</script> | `a` [b](c)\n# head'
    assert "<script>" not in render.report("a.html", name=name)
    line = render.report("a.md", name=name)
    assert "\n" not in line
    assert "<" not in line
    bare = line[2:-2].replace("\\\\", "").replace("\\|", "").replace("\\`", "").replace("\\[", "")
    assert not set(bare) & set("|`[")


def test_long_names_are_cut():
    assert len(render.markdown("x" * 10_000)) < 300


def test_the_shipped_templates_are_found():
    assert (render.folder() / "report" / "report.md.j2").is_file()
    assert "ngspice" in render.dialects()
