"""memxc lvs checks schedule.csv, mapping.csv and the bias supplies."""

from __future__ import annotations

import re

import pytest


@pytest.fixture
def out(compiled):
    return compiled("--stage-set", "conv.schedule=sequential")


def test_the_tables_agree_before_any_edit(memxc, out):
    assert memxc("lvs", out).code == 0


def edit(path, pattern, replacement):
    text, count = re.subn(pattern, replacement, path.read_text(), count=1, flags=re.M)
    assert count == 1
    path.write_text(text)


def differences(memxc, out):
    done = memxc("lvs", out, "--json")
    assert (done.code, done.json["ok"]) == (1, False)
    return [tuple(d[key] for key in ("file", "line", "where", "expected", "found"))
            for d in done.json["differences"]]  # fmt: skip


def test_a_net_of_the_schedule(memxc, out):
    first = (out / "schedule.csv").read_text().split("\n")[1]
    assert first == "s00_conv,0,q0_0_0_0,n0_0,4,1"
    edit(out / "schedule.csv", r"^s00_conv,0,q0_0_0_0,n0_0,", "s00_conv,0,q0_0_0_0,n0_1,")
    where = "s00_conv period 0 q0_0_0_0 net"
    assert differences(memxc, out) == [("schedule.csv", 2, where, "n0_0", "n0_1")]
    said = memxc("lvs", out).out.splitlines()[0]
    assert said == f"schedule.csv:2: {where}: n0_1, should be n0_0"


@pytest.mark.parametrize("net", ["vbias0", "vbiasn0"])
def test_the_volts_of_a_bias_supply(memxc, out, net):
    edit(out / "netlist" / "net.cir", rf"^(\* supply.*: {net} at -?)\S+ V$", r"\g<1>3.0e-01 V")
    ((file, line, where, expected, found),) = differences(memxc, out)
    assert (file, where) == ("net.cir", f"supply {net}")
    assert float(expected.removesuffix(" V")) == (0.2 if net == "vbias0" else -0.2)
    assert abs(float(found.removesuffix(" V"))) == 0.3
    assert net in (out / "netlist" / "net.cir").read_text().split("\n")[line - 1]


COLUMNS = [
    "stage", "tile", "made_of", "rows", "columns", "first_row_net", "first_column_net", "file",
    "subckt", "driven",
]  # fmt: skip


def test_a_cell_of_the_mapping(memxc, out):
    path = out / "mapping.csv"
    head, first, *more = path.read_text().split("\n")
    assert head == ",".join(COLUMNS)
    right = dict(zip(COLUMNS, first.split(","), strict=True))
    changes = [(column, f"{right[column]}9") for column in COLUMNS if column != "tile"]
    changes += [("rows", ""), ("file", right["file"].replace("s00", "s01")), ("driven", "both")]
    for column, wrong in changes:
        path.write_text("\n".join([head, ",".join({**right, column: wrong}.values()), *more]))
        ((file, line, where, expected, found),) = differences(memxc, out)
        assert (file, line, where) == ("mapping.csv", 2, f"{right['tile']} {column}")
        assert expected == right[column].removesuffix(".cir")
        assert found == wrong.removesuffix(".cir")


@pytest.mark.parametrize("name", ["schedule.csv", "mapping.csv"])
def test_rows_that_are_gone_new_or_there_twice(memxc, out, name):
    lines = (out / name).read_text().splitlines(keepends=True)
    (out / name).write_text("".join(lines[:2] + lines[3:]))
    ((file, line, _, expected, found),) = differences(memxc, out)
    assert (file, line, found) == (name, 0, "missing")
    assert expected == lines[2].strip().replace(".cir", "")
    (out / name).write_text("".join(lines + lines[1:2]))
    ((file, line, _, expected, _),) = differences(memxc, out)
    assert (file, line, expected) == (name, len(lines) + 1, "no (second) row")
    more = lines[1].replace("s00_conv", "s09_more").replace("xs0", "xs9")
    (out / name).write_text("".join([*lines[:3], more, *lines[3:]]))
    ((file, line, _, expected, found),) = differences(memxc, out)
    assert (file, line, expected) == (name, 4, "no (second) row")
    assert found.startswith("s09_more,")


@pytest.mark.parametrize("name", ["schedule.csv", "mapping.csv"])
def test_neither_the_order_of_rows_nor_quotes_matter(memxc, out, name):
    """A spreadsheet may change these when it saves the file."""
    head, *lines = (out / name).read_text().splitlines()
    quoted = [",".join(f'"{cell}"' for cell in line.split(",")) for line in reversed(lines)]
    (out / name).write_text("\r\n".join([head, *quoted, ""]), newline="")
    assert memxc("lvs", out).code == 0


DAMAGE = [
    (lambda text: None, "cannot be read"),
    (lambda text: "", "first line"),
    (lambda text: text.split("\n", 1)[1], "first line"),
    (lambda text: text.replace("\n", ",more\n").replace(",more", "", 1), "row"),
    (lambda text: text + "\xe4\n", "cannot be read"),
    (lambda text: text + '"\n', "cannot be read"),
    (lambda text: text + "x\0\n", "cells, and this one has 1\n"),
    (lambda text: text + "x" * 200_000, "cannot be read"),
]


@pytest.mark.parametrize("name", ["schedule.csv", "mapping.csv"])
def test_what_is_no_such_table_is_a_fault(memxc, out, name):
    whole = (out / name).read_text()
    for damage, what in DAMAGE:
        (out / name).unlink()
        text = damage(whole)
        if text is not None:
            (out / name).write_text(text, "utf-8")
        done = memxc("lvs", out)
        assert done.code == 3
        assert re.search(rf"error\[bad-design\] ({out}/)?{name}", done.err)
        assert what in done.err
        assert text is not None or f"{out / name}: cannot be read: no such file\n" in done.err
        (out / name).write_text(whole)
