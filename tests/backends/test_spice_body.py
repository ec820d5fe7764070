from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from memxc.backends.netlist import body
from memxc.ir.deck import Grids
from memxc.ir.windows import ints


@given(st.lists(st.floats(1e-30, 1e30, allow_nan=False), min_size=1, max_size=50))
def test_numbers_are_printed_as_printf_does(values):
    text = body.numbers(np.array(values)).tobytes().decode()
    assert [text[i : i + 15] for i in range(0, len(text), 15)] == [f"{v:.9e}" for v in values]


def test_ties_and_powers_of_ten():
    values = [1e-5, 1e5, 9.99999999949, 9.9999999995, 1.00000000005, 0.99999999995, 1234567890.5]
    test_numbers = body.numbers(np.array(values)).tobytes().decode()
    assert test_numbers == "".join(f"{v:.9e}" for v in values)


def test_a_definition_as_a_person_reads_it():
    cell = np.full((3, 11), -1)
    cell[0, 0], cell[2, 10], cell[1, 3] = 0, 1, 2
    g = np.array([[1e-4, 1 / 123456.78905, 2e-5], [1e-3, 1e-6, 5e-4]])
    first, second = body.definitions(Grids(("xb4", "xb7"), g, ints(cell)))
    assert first.decode() == (
        ".subckt xb4 w0 w1 w2 c00 c01 c02 c03 c04 c05 c06 c07 c08\n"
        "+ c09 c10\n"
        "R0_00 w0 c00 1.000000000e+04\n"
        "R1_03 w1 c03 5.000000000e+04\n"
        "R2_10 w2 c10 1.234567890e+05\n"
        ".ends xb4\n"
    )
    assert second.decode().splitlines()[3] == "R1_03 w1 c03 2.000000000e+03"
