import csv
import io

import numpy as np
import pytest

from memxc import units


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("500ns", "s", 500e-9), ("2W", "W", 2.0), ("2 mW", "W", 2e-3), ("1e6", "", 1e6),
        ("100k", "", 1e5), (".5u", "", 5e-7), ("-3µW", "W", -3e-6), ("1.5", "s", 1.5),
        ("7m", "s", 7e-3), ("1G", "W", 1e9), ("5e-9k", "s", 5e-6), ("1e306", "", 1e306),
    ],
)  # fmt: skip
def test_parse(text, unit, value):
    assert units.parse(text, unit) == value


def test_a_count_has_its_noun_in_singular_or_plural():
    found = [units.some(number, "row") for number in (0, 1, 2, 2000)]
    assert found == ["0 rows", "1 row", "2 rows", "2,000 rows"]


@pytest.mark.parametrize("text", ["", "W", "1 2", "5 parsec", "0x10", "nan", "1e", "12s"])
def test_parse_refuses_in_a_sentence(text):
    with pytest.raises(ValueError, match="is not a number"):
        units.parse(text, "W")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0123, "12.3 mW"), (999.6, "1 kW"), (1e5, "100 kW"), (2.8e-6, "2.8 uW"), (0.0, "0 W"),
        (float("inf"), "inf W"), (-3.2e-9, "-3.2 nW"), (1e-20, "1.00e-20 W"), (0.9996, "1 W"),
    ],
)  # fmt: skip
def test_text(value, shown):
    assert units.text(value, "W") == shown


@pytest.mark.parametrize("text", ["1e400", "1e999999T", "-2e306k", "1e9999999999999999999"])
def test_parse_refuses_what_is_not_finite(text):
    with pytest.raises(ValueError, match="beyond what a number holds"):
        units.parse(text)


def test_area_has_no_squared_prefix():
    assert units.area(3.2e-6) == "3.2 mm2"
    assert units.area(3.2e-11) == "32 um2"
    assert units.area(0.0) == "0 um2"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (9.994e-10, "999 um2"), (9.996e-10, "0.001 mm2"), (9.999e-10, "0.001 mm2"),
        (1e-9, "0.001 mm2"), (9.994e-4, "999 mm2"), (9.999e-4, "1,000 mm2"), (1e-3, "1,000 mm2"),
        (0.012345, "12,345 mm2"),
    ],
)  # fmt: skip
def test_area_at_the_border_of_its_units(value, shown):
    assert units.area(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (9.9951e-4, "1 mW"), (9.9949e-4, "999 uW"), (999.5, "1 kW"), (-9.9951e-4, "-1 mW"),
        (9.999e-16, "1 fW"), (9.994e14, "999 TW"), (9.999e14, "1.00e+15 W"),
    ],
)  # fmt: skip
def test_no_number_is_a_thousand_of_its_prefix(value, shown):
    assert units.text(value, "W") == shown


@pytest.mark.parametrize("power", range(-15, 15))
def test_no_exponent_beside_a_prefix(power):
    """Numbers near 9.995: they round to the next power of ten, or just do not."""
    for digits in ("9.99", "9.9949999999999", "9.995", "9.9950000000001", "9.9999"):
        value = float(f"{digits}e{power}")
        for number in (np.nextafter(value, 0), value, np.nextafter(value, np.inf)):
            shown = units.text(float(number), "W")
            assert "e" not in shown or shown == "1.00e+15 W"
            assert units.parse(shown, "W") == pytest.approx(value, rel=6e-4)


def test_table_aligns_numbers_to_the_right():
    shown = units.table([("a", "1 W"), ("long", "22 W")], ("name", "power"))
    assert shown.splitlines() == ["name  power", "a       1 W", "long   22 W"]
    assert units.table([], ("name", "power")) == "name  power"
    assert units.table([]) == ""


HOSTILE = {
    "=cmd|' /C calc'!A0": "'=cmd|' /C calc'!A0",
    "@SUM(1)": "'@SUM(1)",
    "+1": "'+1",
    "-1": "'-1",
    "  =1": "'  =1",
    "\t=1": "\\t=1",
    "\r=1": "\\r=1",
    "＝1": "'＝1",
    "'quoted": "''quoted",
    "a;=1": "a;=1",
    "two\nlines": "two\\nlines",
    "\x1b[31mred": "\\x1b[31mred",
    "\x9b31mred": "\\x9b31mred",
    "\u202egnp.exe": "\\u202egnp.exe",
    "\u2066a\u2069\u200e\u200f\u061c": "\\u2066a\\u2069\\u200e\\u200f\\u061c",
    "/conv/Conv": "/conv/Conv",
}


@pytest.mark.parametrize(("name", "cell"), HOSTILE.items(), ids=map(repr, HOSTILE))
def test_a_name_is_no_formula_and_no_order_to_a_terminal(name, cell):
    text = units.spreadsheet([(name, -1.5, 3, None)], ("stage", "=w", "n", "share"))
    assert [*csv.reader(io.StringIO(text))] == [
        ["stage", "'=w", "n", "share"], [cell, "-1.5", "3", ""],
    ]  # fmt: skip
    # A number has no quotes, so that a program reads it as a number; text has them.
    assert text.splitlines()[1].endswith('",-1.5,3,""')
    shown = units.table([(name, "1")])
    assert shown.isprintable()


def test_long_names_differ_in_a_table():
    block = "/backbone/features/features.0/conv/conv.0/"
    names = [f"{block}{k}/Conv" for k in (1, 2, 11)] + [f"{block}1/Relu", "/head/Gemm"]
    shown = units.names(names)
    assert shown[0].endswith("conv.0/1/Conv")
    assert shown[-1] == "/head/Gemm"
    assert len(set(shown)) == 5
    assert max(map(len, shown)) == 40


def test_names_that_differ_only_in_the_middle_still_differ():
    same = "a" * 300
    names = [f"{same}{k}{same}" for k in range(3)] + ["ab\x1b", "ab\\x1b", f"{same}0{same}"]
    shown = units.names(names)
    assert shown[0] == shown[5]
    assert len(set(shown)) == 5
    assert all(map(str.isprintable, shown))
