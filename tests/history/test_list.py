"""The list of all changes: in words, with filters, page by page."""

import pytest

from myproject.history.context import Origin, tell
from tests.people import add_person, browser_of


def sentences(page):
    """Return the sentences of a page of the list, the newest first."""
    return [" ".join(link.get_text().split()) for link in page.html.select("main .list-group-item > a")]


def save(app, path, **fields):
    form = app.get(path).forms["record"]
    for name, value in fields.items():
        form[name] = value
    form.submit(status=303)


@pytest.fixture
def told(outside):
    """Call `told(statement, …, route="demo", **origin)`: execute SQL in a transaction whose origin the ledger knows."""

    def run(*statements, route="demo", **origin):
        with outside.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            tell(connection, Origin(route=route, **origin))
            for statement in statements:
                connection.exec_driver_sql(statement)
            connection.commit()

    return run


def test_an_entry_says_who_did_what(app, wsgi, outside):
    bob = add_person(outside, "Bob")
    editor = add_person(outside, "Ada Lovelace", "editor")
    save(browser_of(wsgi, outside, editor), f"/users/{bob.id}/edit", age="40")
    save(app, f"/users/{bob.id}/edit", role="editor")
    assert sentences(app.get("/history"))[:4] == [
        "Test Administrator changed the role of Bob from member to editor",
        "Ada Lovelace entered the age of Bob: 40",
        "Another program added Ada Lovelace",
        "Another program added Bob",
    ]


def test_a_request_is_one_entry_however_many_records_it_touches(app, make_user, make_post):
    author = make_user("Bob")
    for title in ("Hello", "Goodbye"):
        make_post(title, author=author)
    app.get(f"/users/{author.id}/delete").forms["record"].submit(status=303)
    assert sentences(app.get("/history"))[0] == "Test Administrator deleted Bob and deleted 2 posts"
