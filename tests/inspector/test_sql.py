"""SQL in a line, as the time line of the panel shows it."""

import pytest

from myproject.inspector.sql import shorten_sql

COLUMNS = ", ".join(f"users.column_{number}" for number in range(9))
KEPT = "SELECT users.column_0, users.column_1, users.column_2, …"


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("SELECT users.id\nFROM users", "SELECT users.id FROM users"),
        (f"SELECT {COLUMNS} \nFROM users \nWHERE users.id = ?", f"{KEPT} FROM users WHERE users.id = ?"),
        (f"select {COLUMNS} from users", f"{KEPT.replace('SELECT', 'select')} from users"),
        # Neither of a part in brackets nor in a text.
        (f"SELECT {COLUMNS}, (SELECT 1 FROM posts), ' FROM ' FROM users", f"{KEPT} FROM users"),
        (f"SELECT {'x' * 100} FROM users", f"SELECT {'x' * 100} FROM users"),
        (f"SELECT EXISTS (SELECT {COLUMNS} FROM users) AS x", f"SELECT EXISTS (SELECT {COLUMNS} FROM users) AS x"),
        (f"SELECT users.id, max(1, {COLUMNS}) FROM users", "SELECT users.id, … FROM users"),
        (f"SELECT {COLUMNS}", f"SELECT {COLUMNS}"),
        (f"INSERT INTO users ({COLUMNS}) SELECT 1 FROM users", f"INSERT INTO users ({COLUMNS}) SELECT 1 FROM users"),
        ("", ""),
    ],
)
def test_the_columns_of_a_select_are_shortened(sql, shown):
    assert shorten_sql(sql) == shown
