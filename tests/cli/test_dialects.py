"""memxc compile --dialect: several languages side by side, and what only one of them can hold."""

from __future__ import annotations

import json

DIALECTS = ["ngspice", "vacask", "xyce", "ltspice", "hspice", "spectre"]
EVERY = [word for name in DIALECTS for word in ("--dialect", name)]


def test_every_dialect_is_listed_and_written(memxc, compiled):
    known = {row["name"]: row["suffix"] for row in memxc("dialects", "--json").json}
    assert set(DIALECTS) <= set(known)
    out = compiled(*EVERY)
    files = set(json.loads((out / "manifest.json").read_text())["files"])
    for name in DIALECTS:
        assert {f"netlist/net.{known[name]}", f"netlist/cells/periphery.{known[name]}"} <= files
    assert "netlist/cells/periphery.va" in files
    assert memxc("lvs", out).code == 0


def test_only_the_files_of_ngspice_are_read(memxc, compiled):
    out = compiled("--dialect", "vacask")
    for command in ("lvs", "verify"):
        found = memxc(command, out)
        assert found.code == 3
        assert "--dialect ngspice" in found.err


def test_a_cell_that_another_language_cannot_hold(memxc, model, tmp_path):
    cells, out = tmp_path / "mine", tmp_path / "out"
    cells.mkdir()
    text = ".subckt limiter in out clip=1\nb1 out 0 v=v(in)>{clip} ? {clip} : v(in)\n.ends\n"
    (cells / "mine.cir").write_text(text)
    given = ["compile", model, "-o", out, "--cells", cells]
    found = memxc(*given, *EVERY)
    assert found.code == 3
    assert "error[bad-cells] --dialect vacask: b1 has an expression" in found.err
    assert not out.exists()
    assert memxc(*given).code == 0
