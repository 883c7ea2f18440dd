"""SQL in a line: what is read or written is of interest, and not the hundred columns before it."""

import re

# Characters of a list of columns that may stay.
LONGEST_COLUMNS = 60
# What decides where the columns of a SELECT end: brackets, texts, and FROM.
TOKEN = re.compile(r"""[()]|'(?:[^']|'')*'|"(?:[^"]|"")*"|\bFROM\b""", re.IGNORECASE)


def shorten_sql(sql: str) -> str:
    """Return the statement in one line, a long list of selected columns shortened: "SELECT users.id, … FROM users"."""
    line = " ".join(sql.split())
    start = _find_from(line) if line[:7].upper() == "SELECT " else 0
    if start <= LONGEST_COLUMNS:
        return line
    columns = line[:LONGEST_COLUMNS].rpartition(",")[0] or line[:LONGEST_COLUMNS]
    return f"{columns}, … {line[start:]}"


def _find_from(line: str) -> int:
    """Return where the FROM of the outermost SELECT begins, or 0."""
    depth = 0
    for token in TOKEN.finditer(line):
        depth += {"(": 1, ")": -1}.get(token[0], 0)
        if depth == 0 and token[0].upper() == "FROM":
            return token.start()
    return 0
