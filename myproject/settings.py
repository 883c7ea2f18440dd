"""Checked settings, from the ini file and the environment. A wrong setting stops the start with one sentence."""

import difflib
import ipaddress
import os
import re
import stat
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import sqlalchemy
from pyramid.exceptions import ConfigurationError

from .db.engine import OPTIONS, read_options
from .db.retry import DEFAULT_ATTEMPTS, DEFAULT_LONGEST_WAIT_SECONDS
from .db.session import DEFAULT_READING_SECONDS, DEFAULT_SILENCE_SECONDS
from .db.standby import DEFAULT_LONGEST_LAG_SECONDS

# The drivers that myproject.db supports.
DRIVERS = {"pysqlite", "psycopg"}
# What `target_session_attrs` of a URL may ask of a server, https://www.postgresql.org/docs/current/libpq-connect.html
WRITABLE_SERVERS = {"read-write", "primary"}
SHORTEST_SECRET = 32
HOST_NAME = re.compile(r"[a-z0-9.-]+|\[[0-9a-f:.]+\]")
# Every setting that begins so is the application's. One that begins otherwise may belong to an add-on of Pyramid: it is
# refused only if it is nearly the same as a known one.
PREFIXES = (
    "history.",
    "myproject.",
    "signin.",
    "argon2.",
    "database.",
    "reading.",
    "requests.",
    "retry.",
    "events.",
    "spool.",
    "imports.",
    "monitoring.",
)
SIMILARITY = 0.85
# Those that are not read here: pyramid_retry's, and the engine's.
OTHER_NAMES = ("retry.activate_hook", *(f"sqlalchemy.{option}" for option in OPTIONS))

Settings = Mapping[str, Any]
Environ = Mapping[str, str]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class SettingsError(SystemExit):
    """A setting is missing or malformed. Its one sentence is all that is printed when the start is refused."""

    def __init__(self, sentence: str) -> None:
        """Take the sentence, without its full stop."""
        self.sentence = sentence
        super().__init__(f"myproject does not start: {sentence}.")


def read_settings(settings: Settings, environ: Environ = os.environ) -> dict[str, Any]:
    """Return `settings`, strings as in an ini file, with the checked settings of the application replaced by values.

    Some variables of the environment override the ini file. Raises `SettingsError`.
    """
    checks = _checks()
    _refuse_misspelt(settings, {*checks, *OTHER_NAMES})
    _refuse_wrong_options(settings)
    return {**settings, **{name: check(settings, environ) for name, check in checks.items()}}


def find_wrong_settings(settings: Settings, environ: Environ = os.environ) -> list[str]:
    """Return for each setting that `read_settings` refuses one sentence, without its full stop."""
    checks, sentences = _checks(), []
    others = [
        lambda *_: _refuse_misspelt(settings, {*checks, *OTHER_NAMES}),
        lambda *_: _refuse_wrong_options(settings),
    ]
    for check in (*others, *checks.values()):
        try:
            check(settings, environ)
        except SettingsError as error:
            sentences.append(error.sentence)
    # What several settings need is missing once.
    return list(dict.fromkeys(sentences))


def _checks() -> dict[str, Callable[[Settings, Environ], Any]]:
    """Return for each setting the function that returns its value, or raises `SettingsError`."""
    return {
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
        "reading.url": _reading_url,
        "reading.longest_lag": _whole_number("reading.longest_lag", DEFAULT_LONGEST_LAG_SECONDS, 60),
        "reading.longest_seconds": _whole_number("reading.longest_seconds", DEFAULT_READING_SECONDS, 600),
        "history.keep_days": _whole_number("history.keep_days", 3650, 36500),
        "events.keep_days": _whole_number("events.keep_days", 400, 9999),
        "spool.folder": _spool_folder,
        "spool.max_megabytes": _whole_number("spool.max_megabytes", 2000, 1_000_000),
        "imports.max_megabytes": _whole_number("imports.max_megabytes", 100, 1000),
        "requests.slow_seconds": _whole_number("requests.slow_seconds", 1, 600),
        "monitoring.addresses": _networks,
        "retry.attempts": _whole_number("retry.attempts", DEFAULT_ATTEMPTS, 100),
        "retry.longest_wait": _whole_number("retry.longest_wait", DEFAULT_LONGEST_WAIT_SECONDS, 600),
    }


def _refuse_wrong_options(settings: Settings) -> None:
    try:
        read_options(settings)
    except ConfigurationError as error:
        raise SettingsError(str(error)) from None


def database_url(settings: Settings, environ: Environ = os.environ) -> str:
    """Return the URL of the database, the only setting that migrations need. Raises `SettingsError`."""
    url = environ.get("DATABASE_URL") or settings.get("sqlalchemy.url")
    if not url:
        raise SettingsError("sqlalchemy.url is missing; set DATABASE_URL, for instance to sqlite:////srv/users.sqlite")
    _refuse_ambiguous(url, "sqlalchemy.url (DATABASE_URL)")
    try:
        driver = sqlalchemy.make_url(url).get_dialect().driver
    except (sqlalchemy.exc.ArgumentError, ValueError):
        driver = None
    if driver not in DRIVERS:
        # Without the URL: it may contain a password, and this sentence may get into a log.
        raise SettingsError("sqlalchemy.url (DATABASE_URL) is not a URL like sqlite:///… or postgresql+psycopg://…")
    _refuse_wrong_hosts(sqlalchemy.make_url(url))
    path = file_of(url)
    if path and not os.path.isdir(path.parent):
        raise SettingsError(f"sqlalchemy.url (DATABASE_URL) names a file in {path.parent}, which is not a folder")
    return url


def _reading_url(settings: Settings, environ: Environ) -> str | None:
    """Return the URL of the standby from which safe requests read, or `None`."""
    url = environ.get("DATABASE_URL_READING") or settings.get("reading.url")
    if not url:
        return None
    _refuse_ambiguous(url, "reading.url (DATABASE_URL_READING)")
    if not _is_of_postgresql(url):
        raise SettingsError("reading.url (DATABASE_URL_READING) is not a URL like postgresql+psycopg://…")
    if not _is_of_postgresql(database_url(settings, environ)):
        raise SettingsError("reading.url (DATABASE_URL_READING) needs sqlalchemy.url (DATABASE_URL) on PostgreSQL, too")
    return url


def _is_of_postgresql(url: str) -> bool:
    try:
        dialect = sqlalchemy.make_url(url).get_dialect()()
        dialect.create_connect_args(sqlalchemy.make_url(url))
    except (sqlalchemy.exc.ArgumentError, ValueError):
        return False
    return dialect.driver == "psycopg"


def _refuse_ambiguous(url: str, name: str) -> None:
    """Raise `SettingsError` for a URL that would be read otherwise than it is meant."""
    kind, _, rest = url.partition("://")
    if kind.startswith("sqlite"):
        if rest and rest[0] not in "/?":
            raise SettingsError(f"{name} needs three slashes before a file, and four before an absolute path")
    elif rest.count("@") > 1:
        # The rest of the password would be taken for the host, and told to name servers and the log.
        raise SettingsError(f"{name} contains more than one @; write %40 for one in a password")


def _refuse_wrong_hosts(url: sqlalchemy.URL) -> None:
    """Raise `SettingsError` for a URL of several servers that does not say which one of them is meant."""
    if "host" not in url.query:
        return
    try:
        arguments = url.get_dialect()().create_connect_args(url)[1]
    except sqlalchemy.exc.ArgumentError:
        raise SettingsError("sqlalchemy.url (DATABASE_URL) needs hosts like ?host=db1:5432&host=db2:5432") from None
    if "," in arguments.get("host", "") and arguments.get("target_session_attrs") not in WRITABLE_SERVERS:
        # The first server that answers could be a standby, and nobody could save.
        raise SettingsError(
            "sqlalchemy.url (DATABASE_URL) names several hosts, and needs target_session_attrs=read-write as well"
        )


def file_of(url: str | sqlalchemy.URL) -> Path | None:
    """Return the file of a database of SQLite; `None` for one in memory, one with a `file:` URI and a server."""
    parts = sqlalchemy.make_url(url)
    if parts.get_backend_name() != "sqlite" or "uri" in parts.query or parts.database in (None, "", ":memory:"):
        return None
    return Path(str(parts.database)).absolute()


def read_whole_number(name: str, text: str, lowest: int, highest: int) -> int:
    """Return the number that the setting `name` gives in decimal. Raises `SettingsError`."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 7 and lowest <= int(text) <= highest):
        raise SettingsError(f"{name} is {text!r}, and should be a whole number from {lowest} to {highest}")
    return int(text)


def _secret(settings: Settings, environ: Environ) -> str:
    secret = environ.get("MYPROJECT_SECRET") or settings.get("myproject.secret", "")
    if len(secret) < SHORTEST_SECRET:
        raise SettingsError(
            f"myproject.secret is missing or short; set MYPROJECT_SECRET to {SHORTEST_SECRET} characters or more"
        )
    return secret


def _spool_folder(settings: Settings, environ: Environ) -> Path:
    """Return the folder of imports that are not finished: private, and made when it is first needed."""
    if settings.get("spool.folder"):
        folder = Path(settings["spool.folder"]).absolute()
    elif database := file_of(database_url(settings, environ)):
        folder = database.with_name(f"{database.name}-imports")
    else:
        folder = Path(tempfile.gettempdir()) / f"myproject-imports-{os.getuid()}"
    if not folder.parent.is_dir():
        raise SettingsError(f"spool.folder is below {folder.parent}, which is not a folder")
    return folder


def refuse_open_spool(folder: Path) -> None:
    """Raise `SettingsError` if this folder is not private. Commands, which another user may run, do without it."""
    if not os.access(folder.parent, os.X_OK) or (folder.exists() and not is_private_folder(folder)):
        raise SettingsError(f"spool.folder is {folder}, and should be a folder of this user alone (mode 0700)")


def is_private_folder(path: Path) -> bool:
    """Return whether `path` is a folder of this user that nobody else can read."""
    status = path.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077


def _hosts(settings: Settings, environ: Environ) -> frozenset[str]:
    text = environ.get("MYPROJECT_HOSTS") or settings.get("myproject.hosts", "localhost 127.0.0.1 [::1]")
    hosts = frozenset(text.lower().split())
    if not hosts or not all(HOST_NAME.fullmatch(host) for host in hosts):
        raise SettingsError(
            f"myproject.hosts (MYPROJECT_HOSTS) is {text!r}, and should be host names like users.example.com,"
            " separated by spaces, without https://, port, comma or *"
        )
    return hosts


def _networks(settings: Settings, _environ: Environ) -> tuple[Network, ...]:
    text = settings.get("monitoring.addresses", "127.0.0.1 ::1")
    try:
        return tuple(ipaddress.ip_network(word) for word in text.split())
    except ValueError:
        raise SettingsError(
            f"monitoring.addresses is {text!r}, and should be addresses like 127.0.0.1 and networks like 10.0.0.0/8,"
            " separated by spaces"
        ) from None


def _refuse_misspelt(settings: Settings, known: set[str]) -> None:
    """Raise `SettingsError` for a setting that looks like one of the application's: it would be ignored."""
    for name in settings:
        nearest = next(iter(difflib.get_close_matches(name, known, 1, SIMILARITY)), None)
        if name not in known and (nearest or name.startswith(PREFIXES)):
            hint = f"; the nearest one is {nearest}" if nearest else "; see docs/settings.md"
            raise SettingsError(f"there is no setting {name}{hint}")


def _time_zone(settings: Settings, _environ: Environ) -> ZoneInfo:
    name = settings.get("myproject.timezone", "UTC")
    # `localtime` is what some systems call their own time zone, whichever that is, and `Factory` is none.
    if name not in available_timezones() - {"localtime", "Factory"}:
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
