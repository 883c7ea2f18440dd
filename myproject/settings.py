"""The settings: read from the ini file and the environment, checked, or a refusal to start that names the culprit."""

import os

import sqlalchemy

# The drivers whose transactions myproject.db knows how to keep.
DRIVERS = {"pysqlite", "psycopg"}


class SettingsError(SystemExit):
    """A setting is missing or malformed. Its one sentence is all that a person sees when the start is refused."""

    def __init__(self, sentence):
        super().__init__(f"myproject does not start: {sentence}.")


def read_settings(settings, environ=os.environ):
    """Return `settings`, a dictionary of strings as in an ini file, with what the environment overrides, checked.

    Raises `SettingsError`.
    """
    checks = {
        "sqlalchemy.url": database_url,
        "myproject.secret": _secret,
        "retry.attempts": _whole_number("retry.attempts", 10, 100),
        "retry.longest_wait": _whole_number("retry.longest_wait", 10, 600),
    }
    return {**settings, **{name: check(settings, environ) for name, check in checks.items()}}


def database_url(settings, environ=os.environ):
    """Return the URL of the database: all that a migration needs to know. Raises `SettingsError`."""
    url = environ.get("DATABASE_URL") or settings.get("sqlalchemy.url")
    if not url:
        raise SettingsError("sqlalchemy.url is missing; set DATABASE_URL, for instance to sqlite:////srv/users.sqlite")
    try:
        driver = sqlalchemy.make_url(url).get_dialect().driver
    except (sqlalchemy.exc.ArgumentError, ValueError):
        driver = None
    if driver not in DRIVERS:
        # Without the URL itself: it may hold a password, and this may go to a log.
        raise SettingsError("sqlalchemy.url (DATABASE_URL) is not a URL like sqlite:///… or postgresql+psycopg://…")
    return url


def _secret(settings, environ):
    secret = environ.get("MYPROJECT_SECRET") or settings.get("myproject.secret", "")
    if len(secret) < 32:
        raise SettingsError("myproject.secret is missing or short; set MYPROJECT_SECRET to 32 characters or more")
    return secret


def _whole_number(name, default, highest):
    def check(settings, environ):
        text = str(settings.get(name, default))
        if not (text.isascii() and text.isdecimal() and len(text) <= 3 and 1 <= int(text) <= highest):
            raise SettingsError(f"{name} is {text!r}, and should be a whole number from 1 to {highest}")
        return int(text)

    return check
