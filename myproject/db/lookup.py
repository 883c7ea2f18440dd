"""The row behind a URL, or 404: decided once, before any view."""

import re

from pyramid.httpexceptions import HTTPNotFound

# Of an INTEGER column, on both databases: PostgreSQL refuses to compare it with more.
LARGEST_ID = 2**31 - 1


def get_or_404(request, model, **options):
    """Return the `model` whose primary key is the URL's `id`, a decimal number; `options` go to `Session.get`.

    Raises `HTTPNotFound` where there is none, or where `id` is no such number.
    """
    number = to_id(request.matchdict["id"])
    row = number and request.dbsession.get(model, number, **options)
    if row is None:
        raise HTTPNotFound()
    return row


def to_id(text):
    """Return the id that `text`, a decimal number, means, or `None` where no row can have it."""
    text = str(text)
    return int(text) if re.fullmatch("[1-9][0-9]{0,9}", text) and int(text) <= LARGEST_ID else None
