"""Cells of CSV: no spreadsheet runs them as formulas, and an import gets exactly what was exported."""

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from myproject.web.csv import DEFUSED, FORMULA, FORMULA_STARTS, defuse, restore, write_lines

CELLS = st.text(st.sampled_from(f"{FORMULA_STARTS}' a1")) | st.text()


@pytest.mark.parametrize("start", [*FORMULA_STARTS, " =", "  @"])
def test_a_cell_that_begins_a_formula_gets_an_apostrophe(start):
    assert defuse(f"{start}SUM(A1)") == f"'{start}SUM(A1)"


@pytest.mark.parametrize("text", ["", "'", "Ada", "'t Hooft", "O'Neil", "1+1", "Kim=", "''", " Ada", "'Ada'"])
def test_other_cells_are_left_as_they_are(text):
    assert (defuse(text), restore(text)) == (text, text)


@given(text=CELLS)
@example(text="'=1")
@example(text="''=1")
@example(text="' =1")
@example(text=" '=1")
@example(text="+82 2 123 4567")
@example(text="-5")
def test_a_defused_cell_is_safe_and_restored(text):
    assert restore(defuse(text)) == text
    assert defuse(text)[:1] not in FORMULA_STARTS or not text
    assert not FORMULA.match(defuse(text)) or DEFUSED.match(defuse(text))


@given(rows=st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=2, max_size=4)))
def test_python_reads_the_lines_that_were_written(rows):
    assert list(csv.reader(io.StringIO(write_lines(rows).decode(), newline=""))) == rows


def test_lines_follow_rfc_4180():
    assert write_lines([("name", "age"), ('Ada "the first"', 36), ("Kim, 철수\n", None)]) == (
        'name,age\r\n"Ada ""the first""",36\r\n"Kim, 철수\n",\r\n'.encode()
    )
