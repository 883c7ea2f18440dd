"""The row that a URL names, or 404, before any view runs."""

import re
from typing import Any, TypeVar

from pyramid.httpexceptions import HTTPNotFound
from pyramid.request import Request

Model = TypeVar("Model")

# The largest value of an INTEGER column. PostgreSQL raises an error when it is compared with a larger one.
LARGEST_ID = 2**31 - 1


def get_or_404(request: Request, model: type[Model], **options: Any) -> Model:
    """Return the `model` whose primary key is the URL's `id`, a decimal number; `options` go to `Session.get`.

    Raises `HTTPNotFound` if there is no such row, or if `id` is not such a number.
    """
    number = to_id(request.matchdict["id"])
    row = None if number is None else request.dbsession.get(model, number, **options)
    if row is None:
        raise HTTPNotFound()
    return row


def to_id(text: object) -> int | None:
    """Return the id that `text` says in decimal, from 1 to `LARGEST_ID`, or `None` if it says none."""
    text = str(text)
    return int(text) if re.fullmatch("[1-9][0-9]{0,9}", text) and int(text) <= LARGEST_ID else None
