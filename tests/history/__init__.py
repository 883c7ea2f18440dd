"""Tests of the ledger, and what they read of its pages."""

import sqlalchemy


def sentences(page):
    """Return the sentences of a list of entries, the newest first."""
    return [plain(link) for link in page.html.select("main .list-group-item > a")]


def plain(tag):
    """Return the text of a tag with single spaces."""
    return " ".join(tag.get_text().split())


def text_of(page):
    """Return the text of the main part of a page with single spaces."""
    return plain(page.html.select_one("main"))


def save(app, path, **fields):
    """Fill in and send the form of a page."""
    form = app.get(path).forms["record"]
    for name, value in fields.items():
        form[name] = value
    form.submit(status=303)


def count_queries(wsgi, act):
    """Return how many statements the application executes during `act()`."""
    engine, statements = wsgi.registry["dbsession_factory"].kw["bind"], []

    def note(*details):
        statements.append(details[2])

    sqlalchemy.event.listen(engine, "before_cursor_execute", note)
    act()
    sqlalchemy.event.remove(engine, "before_cursor_execute", note)
    return len(statements)
