"""SQL in a line: what is read or written is of interest, and not the hundred columns before it."""

import re

# Characters of a list of columns that may stay.
LONGEST_COLUMNS = 60
# What decides where the columns of a SELECT end: commas, brackets, texts, and FROM.
TOKEN = re.compile(r"""[(),]|'(?:[^']|'')*'|"(?:[^"]|"")*"|\bFROM\b""", re.IGNORECASE)


def shorten_sql(sql: str) -> str:
    """Return the statement in one line, a long list of selected columns shortened: "SELECT users.id, … FROM users"."""
    line = " ".join(sql.split())
    if line[:7].upper() != "SELECT ":
        return line
    end_of_kept, start = _find_columns(line)
    if not end_of_kept or start <= LONGEST_COLUMNS:
        return line
    return f"{line[:end_of_kept]}, … {line[start:]}"


def _find_columns(line: str) -> tuple[int, int]:
    """Return where the columns that may stay end, and where the FROM of the outermost SELECT begins; 0 for none."""
    depth = end_of_kept = 0
    for token in TOKEN.finditer(line):
        depth += {"(": 1, ")": -1}.get(token[0], 0)
        if depth == 0 and token[0] == "," and token.start() < LONGEST_COLUMNS:
            end_of_kept = token.start()
        if depth == 0 and token[0].upper() == "FROM":
            return end_of_kept, token.start()
    return end_of_kept, 0
