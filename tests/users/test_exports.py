"""The export of the list of users: what the list shows, streamed as CSV, and reported when it ends or breaks."""

import csv
import io
import json
import re
from datetime import UTC, datetime

import pytest
from sqlalchemy import delete, insert, update

from myproject.models import SecurityEvent, SignIn, User
from myproject.users.listing import stream
from myproject.web.csv import restore
from tests.people import add_person, browser_of

EXPORT = "/users/export.csv"
USERS = User.__table__
HEADER = ["name", "email", "age", "role", "active"]


@pytest.fixture
def small_chunks(monkeypatch):
    """Let a few people take several chunks, of each kind of chunk."""
    monkeypatch.setattr(stream, "CHUNK_SIZE", 3)
    monkeypatch.setattr(stream, "LOOKED_AT", 4)
    monkeypatch.setattr(stream, "FEW_HITS", 2)


@pytest.fixture
def people(outside):
    """Store twelve people, some without an email or an age."""
    roles = ["member", "editor", "admin"]
    with outside.begin() as connection:
        connection.execute(
            insert(USERS),
            [
                {
                    "name": f"Kim {number:02}" if number % 2 else f"{number:02} Lee",
                    "email": f"p{number}@example.com" if number % 3 else None,
                    "age": number * 7 % 20 if number % 4 else None,
                    "role": roles[number % 3],
                    "active": number % 5 > 0,
                }
                for number in range(12)
            ],
        )


def exported(app, query="", **options):
    """Return the rows of the export."""
    return rows_of(app.get(f"{EXPORT}?{query}", **options).body)


def rows_of(body):
    return list(csv.reader(io.StringIO(body.decode(), newline="")))


def names_listed(app, query):
    """Return the names of all pages of the list."""
    page, names = app.get(f"/users?{query}"), []
    while True:
        names += [cell.text for cell in page.html.select("#users tbody th bdi")]
        following = page.html.select_one("a[rel=next]")
        if following is None:
            return names
        page = app.get(following["href"])


VIEWS = [
    "",
    "sort=-name",
    "sort=email",
    "sort=-email",
    "sort=age",
    "sort=-age",
    "sort=role",
    "sort=-active",
    "sort=joined",
    "sort=-added",
    "role=member&sort=-name",
    "role=editor&sort=age",
    "active=no&sort=-email",
    "q=kim",
    "q=kim&sort=name",
    "q=kim&sort=-age",
    "q=example+role:member",
    "q=p1&age_from=3&sort=-joined",
    "age_to=12&sort=age",
    "age_to=12",
    "q=nobody",
]


@pytest.mark.usefixtures("people", "small_chunks")
def test_an_export_has_what_the_list_shows_in_its_order(app, subtests):
    for query in VIEWS:
        with subtests.test(query):
            header, *rows = exported(app, query)
            assert header == HEADER
            assert [row[0] for row in rows] == names_listed(app, query)


@pytest.mark.usefixtures("people")
def test_a_search_that_finds_few_is_read_at_once(recorded, app):
    with recorded() as record:
        exported(app, "q=kim&sort=age")
    assert record.statement_count < 10


def test_a_row_has_the_values_of_the_record(app, make_user):
    make_user("Kim, 철수", email="kim@example.com", age=30, role="editor")
    make_user('Jo "the" Doe', active=False)
    assert exported(app, "sort=added")[2:] == [
        ["Kim, 철수", "kim@example.com", "30", "editor", "true"],
        ['Jo "the" Doe', "", "", "member", "false"],
    ]


def test_the_columns_of_the_list_or_all_can_be_chosen(app, make_user, outside):
    moment = datetime(2026, 1, 31, 15, 30, tzinfo=UTC)
    make_user("Ada", age=36, created_at=moment)
    with outside.begin() as connection:
        connection.execute(insert(SecurityEvent), {"kind": "signed in", "happened_at": moment, "user_id": 0})
    form = app.get("/users?panel=display").forms["panel"]
    for name in ("email", "age", "role", "active", "joined", "last_sign_in"):
        form[name] = name in ("age", "joined")
    form.submit(status=303)
    assert exported(app, "columns=shown&q=ada") == [["name", "age", "joined"], ["Ada", "36", "2026-01-31 15:30:00"]]
    header, ada, admin = exported(app, "columns=all")
    assert header == [*HEADER, "joined", "last_sign_in"]
    assert (ada[-1], admin[-1]) == ("", "2026-01-31 15:30:00")
    app.get(f"{EXPORT}?columns=password_hash", status=400)


def test_only_administrators_export_last_sign_ins(wsgi, outside):
    editor = browser_of(wsgi, outside, add_person(outside, role="editor"))
    assert exported(editor, "columns=all")[0] == [*HEADER, "joined"]


def test_the_panel_downloads_the_list_as_it_is(app, make_user):
    make_user("Ada", role="editor")
    make_user("Grace")
    [link] = app.get("/users?role=editor&sort=-name").html.select("ul.panels a[href*=export]")
    form = next(form for form in app.get(link["href"]).forms.values() if form.action == EXPORT)
    form["bom"] = True
    answer = form.submit()
    assert answer.body == "\ufeffname,email,age,role,active\r\nAda,,,editor,true\r\n".encode()
    assert answer.headers["Content-Type"] == "text/csv; charset=UTF-8"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert re.fullmatch(r'attachment; filename="users-\d{4}-\d\d-\d\d\.csv"', answer.headers["Content-Disposition"])


def test_formulas_are_defused_and_restored(app, make_user):
    names = ["=HYPERLINK(1)", "+82 2 123", "-5", "@sum", "'=1", "'t Hooft", "＝1"]
    for name in names:
        make_user(name)
    make_user("Ada", email="+ada@example.com")
    cells = [row[:2] for row in exported(app, "sort=added")[2:]]
    assert not [cell for row in cells for cell in row if cell[:1] in "=+-@＝" and cell]
    assert [restore(name) for name, _email in cells] == [*names, "Ada"]
    assert restore(cells[-1][1]) == "+ada@example.com"


@pytest.mark.parametrize("query", ["q=role:boss", "sort=phone", "role=boss", "joined_from=yesterday"])
def test_a_mistyped_view_exports_nothing(app, query, rows):
    app.get(f"{EXPORT}?{query}", status=400)
    assert "exported" not in [event.kind for event in rows(SecurityEvent)]


@pytest.mark.usefixtures("people", "small_chunks")
@pytest.mark.parametrize("query", ["sort=added", "sort=-added", "q=e&sort=-added", "active=yes&sort=-email"])
def test_users_who_are_there_throughout_are_exported_once(wsgi, app, outside, query):
    before = names_listed(app, query)
    body, gone = iter(stream_of(app, query)), [name for name in before[4::3] if name != "Test Administrator"]
    seen = [next(body)]
    for number, chunk in enumerate(body):
        seen.append(chunk)
        with outside.begin() as connection:
            connection.execute(insert(USERS), {"name": f"Newcomer {number}", "email": f"new{number}@example.com"})
            connection.execute(delete(USERS).where(USERS.c.name == gone[number % len(gone)]))
            connection.execute(update(USERS).values(age=number))
        assert wsgi.registry["dbsession_factory"].kw["bind"].pool.checkedout() == 0
    names = [row[0] for row in rows_of(b"".join(seen))[1:]]
    assert len(set(names)) == len(names)
    assert [name for name in names if name in before and name not in gone] == [n for n in before if n not in gone]


def stream_of(app, query=""):
    """Return the body of the export, which reads as it is iterated."""
    cookie = "; ".join(f"{name}={value}" for name, value in app.cookies.items())
    request = app.RequestClass.blank(f"{EXPORT}?{query}", app.extra_environ, headers={"Cookie": cookie})
    status, _headers, body = request.call_application(app.app)
    assert status == "200 OK"
    return body


@pytest.fixture
def told(rows):
    """Call `told()`: the facts of each export."""
    return lambda: [
        (event.actor_id is not None, json.loads(event.facts))
        for event in rows(SecurityEvent)
        if event.kind == "exported"
    ]


@pytest.mark.usefixtures("people")
def test_an_export_is_an_event_with_the_number_of_rows(app, told, make_user):
    exported(app, "q=kim")
    assert told() == [(True, {"what": "users", "rows": 6, "complete": True})]
    page = app.get("/history/events?kind=exported")
    page.mustcontain("exported records", "Users: 6", no="cancelled")


@pytest.mark.usefixtures("people", "small_chunks")
def test_a_cancelled_export_holds_nothing_and_says_how_far_it_came(wsgi, app, told):
    body = stream_of(app)
    parts = iter(body)
    next(parts), next(parts)
    body.close()
    assert wsgi.registry["dbsession_factory"].kw["bind"].pool.checkedout() == 0
    assert told() == [(True, {"what": "users", "rows": 3, "complete": False})]
    app.get("/history/events?kind=exported").mustcontain("Users: 3", "It was cancelled or failed before the end.")


def test_the_event_of_a_person_who_was_deleted_meanwhile_says_nothing_else(wsgi, outside, told):
    editor = add_person(outside, role="editor")
    body = stream_of(browser_of(wsgi, outside, editor))
    next(iter(body))
    with outside.begin() as connection:
        connection.execute(delete(SignIn))
        connection.execute(delete(USERS).where(USERS.c.id == editor.id))
    body.close()
    assert told() == [(True, {})]


def test_head_reads_no_rows_and_is_no_event(app, told):
    answer = app.head(EXPORT)
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert (answer.body, told()) == (b"", [])
