"""Values as short texts: clipped, and without passwords, tokens and hashes."""

import datetime
import re
from collections.abc import Mapping
from reprlib import Repr
from typing import Any

MASKED = "***"
# Names of columns and parameters whose values nobody should see, not even on a developer's screen.
SECRET_NAME = re.compile("passw|secret|token|hash|digest|api_?key|otp", re.IGNORECASE)
LONGEST_BYTES = 80
LONGEST_TEXT_CHARACTERS = 500

MOST_CHARACTERS, MOST_ITEMS = 120, 6

_short = Repr()
# Arguments of `Repr`, from Python 3.12 on.
for _limit in "maxstring", "maxother", "maxlong":
    setattr(_short, _limit, MOST_CHARACTERS)
for _limit in "maxdict", "maxlist", "maxtuple":
    setattr(_short, _limit, MOST_ITEMS)


def show_value(name: str, value: Any) -> str:
    """Return the value of the column or parameter `name` as a short text."""
    if value is not None and SECRET_NAME.search(name):
        return MASKED
    if isinstance(value, bytes) and len(value) > LONGEST_BYTES:
        # `Repr` would make the whole text, and clip it then.
        return f"{value[:LONGEST_BYTES]!r}…"
    return str(value) if isinstance(value, datetime.date) else _short.repr(value)


def show_key(name: str, value: Any) -> str:
    """Return the value of a column of a primary key, as the name of the record."""
    return MASKED if SECRET_NAME.search(name) else str(value)


def show_parameters(sql: str, parameters: Any) -> str:
    """Return one row of parameters of a statement as a short text: "name='Jane Doe', password_hash=***"."""
    if not parameters:
        return ""
    if isinstance(parameters, Mapping):
        shown = ", ".join(f"{name}={show_value(str(name), value)}" for name, value in parameters.items())
    elif SECRET_NAME.search(sql):
        # They have no names, so any of them may be the secret.
        shown = MASKED
    else:
        shown = show_value("", tuple(parameters))
    return shown if len(shown) <= LONGEST_TEXT_CHARACTERS else f"{shown[:LONGEST_TEXT_CHARACTERS]}…"


def show_error(error: BaseException | None) -> str:
    """Return the class of an error and the first line of its message, which may quote a value."""
    message = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
