"""CSV as RFC 4180 describes it, and cells that no spreadsheet runs as formulas; an import takes that back.

Spreadsheets run a cell that begins with = + - or @, also with their full-width forms, and with a tab or a line end
before them: https://owasp.org/www-community/attacks/CSV_Injection
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence

FORMULA_STARTS = "=+-@\t\r\n＝＋－＠"
# What `defuse` looks at more closely: a space before a formula does not stop every spreadsheet.
SUSPECTS = frozenset(FORMULA_STARTS + "' ")
# Apostrophes before a formula belong to it: otherwise a text that begins with one would lose it in an import.
FORMULA = re.compile(rf"'* *[{re.escape(FORMULA_STARTS)}]")
DEFUSED = re.compile(rf"'+ *[{re.escape(FORMULA_STARTS)}]")
# Excel takes a file without it for one in the encoding of the computer.
BYTE_ORDER_MARK = "\ufeff"


def defuse(text: str) -> str:
    """Return `text` with an apostrophe before it if a spreadsheet would run it as a formula."""
    return "'" + text if text[:1] in SUSPECTS and FORMULA.match(text) else text


def restore(text: str) -> str:
    """Return the text from which `defuse` has made `text`."""
    return text[1:] if text[:1] == "'" and DEFUSED.match(text) else text


def write_lines(rows: Iterable[Sequence[object]]) -> bytes:
    """Return `rows` as lines of CSV in UTF-8, each ending in CR LF; `None` is an empty cell."""
    lines = io.StringIO()
    csv.writer(lines).writerows(rows)
    return lines.getvalue().encode()
