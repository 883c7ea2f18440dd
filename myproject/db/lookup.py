"""The row behind a URL, or 404: decided once, before any view."""

import re

from pyramid.httpexceptions import HTTPNotFound

# Of an INTEGER column, on both databases: PostgreSQL refuses to compare it with more.
LARGEST_ID = 2**31 - 1


def get_or_404(request, model, **options):
    """Return the `model` whose primary key is the URL's `id`, a decimal number; `options` go to `Session.get`.

    Raises `HTTPNotFound` where there is none, or where `id` is no such number.
    """
    number = request.matchdict["id"]
    if re.fullmatch(r"[1-9][0-9]{0,9}", number) and int(number) <= LARGEST_ID:
        row = request.dbsession.get(model, int(number), **options)
        if row is not None:
            return row
    raise HTTPNotFound()
