"""The search text and the indexes over it are right after every way to write."""

import random
import re
import sqlite3
import unicodedata

import pytest
import sqlalchemy
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, text, update

from myproject.db.folding import fold, initials
from myproject.models import User
from myproject.users.listing.indexes import FOLDED_LENGTH, POSTGRESQL, SQLITE
from myproject.users.models import EMAIL_LENGTH
from tests import postgresql_only, sqlite_only
from tests.db.writes import WRITES

users = User.__table__


@pytest.fixture(autouse=True)
def john(nobody, make_user):
    """The one user that there is before the test."""
    return make_user("John Doe")


@pytest.fixture
def search_texts(outside):
    """Call `search_texts()`: return the stored search texts by id, after comparing them with the rows."""

    def read():
        with outside.begin() as connection:
            rows = connection.execute(sqlalchemy.select(users.c.name, users.c.email, users.c.search_text)).all()
            if outside.dialect.name == "sqlite":
                check(connection)
        assert [row.search_text for row in rows] == [searched_by(row.name, row.email) for row in rows]
        return [row.search_text for row in rows]

    return read


@pytest.fixture
def found(outside):
    """Call `found(three)`: return the ids of the users whose text has these three letters, by the index."""

    def find(three):
        with outside.begin() as connection:
            if outside.dialect.name == "postgresql":
                connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
                query = text("SELECT id FROM users WHERE search_text LIKE '%' || :three || '%' ORDER BY id")
            else:
                query = text("SELECT rowid FROM users_trigrams WHERE users_trigrams MATCH '\"' || :three || '\"'")
            return connection.scalars(query, {"three": three}).all()

    return find


def searched_by(name, email):
    """Return the search text of a user."""
    folded = fold(name)[:FOLDED_LENGTH]
    return f" {folded}\n {initials(folded)}\n{fold(email or '')[:EMAIL_LENGTH]}\n\n"


def check(connection):
    """Raise an error unless SQLite has exactly the trigrams of the table."""
    # Only with the rank 1 it compares them with the table: https://www.sqlite.org/fts5.html#the_integrity_check_command
    connection.exec_driver_sql("INSERT INTO users_trigrams (users_trigrams, rank) VALUES ('integrity-check', 1)")


@pytest.mark.parametrize(("write", "left"), WRITES)
def test_every_way_to_write_updates_the_search(write, left, probe, search_texts, found):
    probe(lambda request: write(request.dbsession), status=200)
    assert sorted(search_texts()) == sorted(searched_by(name, None) for name in left)
    for name in ("John Doe", "Jane Doe", "Jim Doe"):
        assert len(found(fold(name)[:3])) == left.count(name)


TRIGGERS = [
    (database, name)
    for database, statements in {"sqlite": SQLITE, "postgresql": POSTGRESQL}.items()
    for statement in statements
    for name in re.findall(r"CREATE TRIGGER (\w+)", statement)
]


@pytest.mark.parametrize(("database_url", "trigger"), TRIGGERS, indirect=["database_url"])
def test_the_search_breaks_without_any_one_of_the_triggers(outside, search_texts, trigger):
    of_table = " ON users" if outside.dialect.name == "postgresql" else ""
    with outside.begin() as connection:
        connection.exec_driver_sql(f"DROP TRIGGER {trigger}{of_table}")
    rename_and_delete(outside)
    with pytest.raises((AssertionError, sqlalchemy.exc.DatabaseError)):
        search_texts()


def rename_and_delete(engine):
    """Add users, rename one and delete another."""
    with engine.begin() as connection:
        connection.execute(insert(users).values([{"name": "Jane Doe"}, {"name": "Jim Doe"}]))
        connection.execute(update(users).where(users.c.name == "John Doe").values(name="Janet Doe"))
        connection.execute(delete(users).where(users.c.name == "Jim Doe"))


def test_the_search_is_right_after_renaming_and_deleting(outside, search_texts):
    rename_and_delete(outside)
    assert sorted(search_texts()) == [" jane doe\n \n\n\n", " janet doe\n \n\n\n"]


def test_an_aborted_request_leaves_nothing_in_the_search(probe, search_texts, found):
    def view(request):
        request.dbsession.add(User(name="Jane Doe"))
        request.dbsession.flush()
        raise ValueError

    probe(view, status=500)
    assert (search_texts(), found("jan")) == ([" john doe\n \n\n\n"], [])


def test_a_rolled_back_savepoint_leaves_nothing_in_the_search(probe, search_texts, found):
    def view(request):
        savepoint = request.dbsession.begin_nested()
        request.dbsession.execute(update(users).values(name="Jane Doe"))
        savepoint.rollback()

    probe(view, status=200)
    assert (search_texts(), found("jan"), found("joh")) == ([" john doe\n \n\n\n"], [], [1])


@pytest.mark.passes_ledger_by
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"email": "John@Example.com"}, " john doe\n \njohn@example.com\n\n"),
        ({"name": "José", "email": "j@example.com"}, " jose\n \nj@example.com\n\n"),
        ({"email": "o`brien@example.com"}, " john doe\n \no'brien@example.com\n\n"),
        ({"email": "JÓSE@example.com"}, " john doe\n \njose@example.com\n\n"),
        ({"id": 7, "name": "Jane"}, " jane\n \n\n\n"),
        ({"id": 1, "name": "Jane"}, " jane\n \n\n\n"),
        ({"age": 30}, " john doe\n \n\n\n"),
    ],
)
def test_a_changed_row_is_found(outside, search_texts, values, expected):
    with outside.begin() as connection:
        # The ledger refuses a new id.
        of_table = " ON users" if outside.dialect.name == "postgresql" else ""
        connection.exec_driver_sql(f"DROP TRIGGER users_history_id{of_table}")
        connection.execute(update(users).values(**values))
    assert search_texts() == [expected]


def test_a_row_deleted_and_added_again_is_found_by_its_new_name_only(outside, search_texts, found):
    with outside.begin() as connection:
        connection.execute(delete(users))
        connection.execute(insert(users).values(id=1, name="Jane Doe"))
    assert (search_texts(), found("joh"), found("jan")) == ([" jane doe\n \n\n\n"], [], [1])


@sqlite_only
def test_a_replaced_row_is_found_by_its_new_name_only(outside, search_texts, found):
    with outside.begin() as connection:
        connection.exec_driver_sql("REPLACE INTO users (id, name) VALUES (1, 'Jane Doe')")
    assert (search_texts(), found("joh"), found("jan")) == ([" jane doe\n \n\n\n"], [], [1])


def test_a_search_text_written_by_hand_does_no_harm(outside, search_texts, found):
    with outside.begin() as connection:
        connection.execute(update(users).values(search_text="abc"))
        connection.execute(insert(users).values(name="Jane Doe", search_text="abc"))
        if outside.dialect.name == "sqlite":
            check(connection)
        connection.execute(update(users).values(name="Jim Doe", search_text="abc"))
        connection.execute(update(users).values(name="Jane Doe"))
    assert search_texts() == [" jane doe\n \n\n\n"] * 2
    assert found("abc") == []


MUSICAL = [chr(number) for number in range(0x1D15E, 0x1D165)]  # three letters of four bytes each
WORST = {
    "Arabic ligature": "\ufdfa" * 200,
    "Hangul": "".join(random.Random(1).sample([chr(number) for number in range(0xAC00, 0xD7A4)], 200)),
    "emoji": "😀" * 200,
    "music": "".join(random.Random(1).choices(MUSICAL, k=200)),
    "all of Unicode": "".join(chr(number) for number in random.Random(1).sample(range(0x20000, 0x2A6DF), 200)),
}


@pytest.mark.parametrize("name", WORST.values(), ids=WORST)
def test_the_longest_names_and_addresses_fit_into_the_indexes(outside, search_texts, name):
    letters = random.Random(2).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=308)
    with outside.begin() as connection:
        connection.execute(update(users).values(name=name, email="".join(letters) + "@example.com"))
    assert len(search_texts()) == 1


@sqlite_only
@pytest.mark.parametrize(
    "statement", ["INSERT INTO users (name) VALUES ('Jane Doe')", "UPDATE users SET name = 'Jane Doe'"]
)
def test_a_program_without_our_functions_is_refused_where_it_changes_a_name(outside, search_texts, rows, statement):
    connection = sqlite3.connect(outside.url.database)
    with pytest.raises(sqlite3.OperationalError, match=r"no such function: (folded_2|initials)"):
        connection.execute(statement)
    connection.commit()
    connection.close()
    assert ([user.name for user in rows(User)], search_texts()) == (["John Doe"], [" john doe\n \n\n\n"])


@sqlite_only
def test_a_program_without_our_functions_may_do_anything_else(outside, search_texts, rows):
    connection = sqlite3.connect(outside.url.database)
    connection.execute("UPDATE users SET age = 30")
    connection.commit()
    assert ([user.age for user in rows(User)], search_texts()) == ([30], [" john doe\n \n\n\n"])
    connection.execute("DELETE FROM users")
    connection.commit()
    connection.close()
    assert search_texts() == []


# Cyrillic Extended-D, of Unicode 15: Python knows it from 3.12 on, PostgreSQL from 16 on.
YOUNG = [chr(number) for number in range(0x1E030, 0x1E090)]


@postgresql_only
def test_both_databases_fold_every_character_alike(outside):
    characters = [chr(number) for number in range(1, 0x110000) if unicodedata.category(chr(number)) not in ("Cn", "Cs")]
    assert differences(outside, sorted({*characters} - {*YOUNG})) == []


@postgresql_only
def test_both_databases_fold_any_text_alike(outside):
    # Neither what is no character nor what one of them does not know yet.
    characters = st.characters(exclude_categories=["Cs", "Cn"], exclude_characters=["\0", *YOUNG])
    known = st.text(characters, min_size=1, max_size=30)
    with outside.connect():

        @settings(max_examples=10, database=None)
        @given(st.lists(known, min_size=50, max_size=50))
        def compare(texts):
            assert differences(outside, texts) == []

        compare()


def differences(engine, texts):
    """Return the texts that Python folds otherwise than PostgreSQL, with both."""
    with engine.connect() as connection:
        folded = connection.scalars(
            text(
                "SELECT folded_2(value) FROM unnest(CAST(:texts AS text[])) WITH ORDINALITY AS t (value, n) ORDER BY n"
            ),
            {"texts": texts},
        ).all()
    return [(text, fold(text), other) for text, other in zip(texts, folded, strict=True) if fold(text) != other]
