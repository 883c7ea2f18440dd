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
        "myproject.development": _yes_or_no("myproject.development"),
        "myproject.hosts": _hosts,
        "signin.idle_hours": _whole_number("signin.idle_hours", 12, 720),
        "signin.absolute_hours": _whole_number("signin.absolute_hours", 168, 9999),
        "argon2.time_cost": _whole_number("argon2.time_cost", 2, 100),
        # At least 8 KiB for each lane, by RFC 9106, 3.1.
        "argon2.memory_cost": _whole_number("argon2.memory_cost", 19456, 4_194_304, 128),
        "argon2.parallelism": _whole_number("argon2.parallelism", 1, 16),
        "reading.longest_seconds": _whole_number("reading.longest_seconds", 5, 600),
        "retry.attempts": _whole_number("retry.attempts", 20, 100),
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


def _hosts(settings, environ):
    text = environ.get("MYPROJECT_HOSTS") or settings.get("myproject.hosts", "localhost 127.0.0.1 [::1]")
    hosts = frozenset(text.lower().split())
    if not hosts:
        raise SettingsError("myproject.hosts (MYPROJECT_HOSTS) is empty; name the hosts that people ask for")
    return hosts


def _yes_or_no(name):
    def check(settings, environ):
        text = str(settings.get(name, "false")).lower()
        if text not in ("true", "false"):
            raise SettingsError(f"{name} is {text!r}, and should be true or false")
        return text == "true"

    return check


def _whole_number(name, default, highest, lowest=1):
    def check(settings, environ):
        text = str(settings.get(name, default))
        if not (text.isascii() and text.isdecimal() and len(text) <= 7 and lowest <= int(text) <= highest):
            raise SettingsError(f"{name} is {text!r}, and should be a whole number from {lowest} to {highest}")
        return int(text)

    return check
