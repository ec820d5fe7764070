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


def test_table_aligns_numbers_to_the_right():
    shown = units.table([("a", "1 W"), ("long", "22 W")], ("name", "power"))
    assert shown.splitlines() == ["name  power", "a       1 W", "long   22 W"]
    assert units.table([], ("name", "power")) == "name  power"
    assert units.table([]) == ""
