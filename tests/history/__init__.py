"""Tests of the ledger, and what they read of its pages."""


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
