"""Checked settings, from the ini file and the environment. A wrong setting stops the start with one sentence."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import sqlalchemy
from pyramid.exceptions import ConfigurationError

from .db.engine import read_options
from .db.retry import DEFAULT_ATTEMPTS, DEFAULT_LONGEST_WAIT_SECONDS
from .db.session import DEFAULT_READING_SECONDS, DEFAULT_SILENCE_SECONDS

# The drivers that myproject.db supports.
DRIVERS = {"pysqlite", "psycopg"}
SHORTEST_SECRET = 32

Settings = Mapping[str, Any]
Environ = Mapping[str, str]


class SettingsError(SystemExit):
    """A setting is missing or malformed. Its one sentence is all that is printed when the start is refused."""

    def __init__(self, sentence: str) -> None:
        """Take the sentence, without its full stop."""
        super().__init__(f"myproject does not start: {sentence}.")


def read_settings(settings: Settings, environ: Environ = os.environ) -> dict[str, Any]:
    """Return `settings`, strings as in an ini file, with the checked settings of the application replaced by values.

    Some variables of the environment override the ini file. Raises `SettingsError`.
    """
    checks = {
        "sqlalchemy.url": database_url,
        "myproject.secret": _secret,
        "myproject.development": _boolean("myproject.development"),
        "myproject.hosts": _hosts,
        "myproject.timezone": _time_zone,
        "signin.idle_hours": _whole_number("signin.idle_hours", 12, 720),
        "signin.absolute_hours": _whole_number("signin.absolute_hours", 168, 9999),
        "argon2.time_cost": _whole_number("argon2.time_cost", 2, 100),
        # KiB: at least 8 for each lane, by RFC 9106, section 3.1.
        "argon2.memory_cost": _whole_number("argon2.memory_cost", 19456, 4_194_304, 128),
        "argon2.parallelism": _whole_number("argon2.parallelism", 1, 16),
        "database.longest_silence": _whole_number("database.longest_silence", DEFAULT_SILENCE_SECONDS, 600),
        "reading.longest_seconds": _whole_number("reading.longest_seconds", DEFAULT_READING_SECONDS, 600),
        "retry.attempts": _whole_number("retry.attempts", DEFAULT_ATTEMPTS, 100),
        "retry.longest_wait": _whole_number("retry.longest_wait", DEFAULT_LONGEST_WAIT_SECONDS, 600),
    }
    try:
        read_options(settings)
    except ConfigurationError as error:
        raise SettingsError(str(error)) from None
    return {**settings, **{name: check(settings, environ) for name, check in checks.items()}}


def database_url(settings: Settings, environ: Environ = os.environ) -> str:
    """Return the URL of the database, the only setting that migrations need. Raises `SettingsError`."""
    url = environ.get("DATABASE_URL") or settings.get("sqlalchemy.url")
    if not url:
        raise SettingsError("sqlalchemy.url is missing; set DATABASE_URL, for instance to sqlite:////srv/users.sqlite")
    try:
        driver = sqlalchemy.make_url(url).get_dialect().driver
    except (sqlalchemy.exc.ArgumentError, ValueError):
        driver = None
    if driver not in DRIVERS:
        # Without the URL: it may contain a password, and this sentence may get into a log.
        raise SettingsError("sqlalchemy.url (DATABASE_URL) is not a URL like sqlite:///… or postgresql+psycopg://…")
    _require_folder(sqlalchemy.make_url(url))
    return url


def read_whole_number(name: str, text: str, lowest: int, highest: int) -> int:
    """Return the number that the setting `name` gives in decimal. Raises `SettingsError`."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 7 and lowest <= int(text) <= highest):
        raise SettingsError(f"{name} is {text!r}, and should be a whole number from {lowest} to {highest}")
    return int(text)


def _require_folder(url: sqlalchemy.URL) -> None:
    if url.get_backend_name() == "sqlite" and url.database and "uri" not in url.query:
        folder = Path(url.database).absolute().parent
        if not folder.is_dir():
            raise SettingsError(f"sqlalchemy.url (DATABASE_URL) names a file in {folder}, which is not a folder")


def _secret(settings: Settings, environ: Environ) -> str:
    secret = environ.get("MYPROJECT_SECRET") or settings.get("myproject.secret", "")
    if len(secret) < SHORTEST_SECRET:
        raise SettingsError(
            f"myproject.secret is missing or short; set MYPROJECT_SECRET to {SHORTEST_SECRET} characters or more"
        )
    return secret


def _hosts(settings: Settings, environ: Environ) -> frozenset[str]:
    text = environ.get("MYPROJECT_HOSTS") or settings.get("myproject.hosts", "localhost 127.0.0.1 [::1]")
    hosts = frozenset(text.lower().split())
    if not hosts:
        raise SettingsError("myproject.hosts (MYPROJECT_HOSTS) is empty; list the host names of this site")
    return hosts


def _time_zone(settings: Settings, _environ: Environ) -> ZoneInfo:
    name = settings.get("myproject.timezone", "UTC")
    # `localtime` is what some systems call their own time zone, whichever that is.
    if name not in available_timezones() - {"localtime"}:
        raise SettingsError(f"myproject.timezone is {name!r}, and should be the IANA name of a time zone: Asia/Seoul")
    return ZoneInfo(name)


def _boolean(name: str) -> Callable[[Settings, Environ], bool]:
    def check(settings: Settings, _environ: Environ) -> bool:
        text = str(settings.get(name, "false")).lower()
        if text not in ("true", "false"):
            raise SettingsError(f"{name} is {text!r}, and should be true or false")
        return text == "true"

    return check


def _whole_number(name: str, default: int, highest: int, lowest: int = 1) -> Callable[[Settings, Environ], int]:
    def check(settings: Settings, _environ: Environ) -> int:
        return read_whole_number(name, str(settings.get(name, default)), lowest, highest)

    return check
