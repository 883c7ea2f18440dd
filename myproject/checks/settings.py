"""Checks of the application's settings: what may be guessed, what only developers need, what is logged."""

import importlib
import logging
from collections.abc import Iterator
from typing import Any

from pyramid.settings import aslist

from ..logs import Formatter
from ..readiness import OK, WARNING, WRONG, Finding
from .site import Site

# The one of development.ini, which everybody can read.
PUBLIC_SECRET = "development-only-development-only"  # nosec B105
# A random secret of 32 hexadecimal digits has 14 different ones on average, and fewer than 10 once in 400.
FEWEST_CHARACTERS = 10
FOR_DEVELOPERS = ("pyramid_debugtoolbar", "myproject.inspector")


def secret(site: Site) -> Iterator[Finding]:
    """Check that nobody can guess the key of the cookies."""
    make = "set MYPROJECT_SECRET to what `python3 -c 'import secrets; print(secrets.token_hex(32))'` prints"
    text = site.settings["myproject.secret"]
    if text == PUBLIC_SECRET:
        yield Finding("secret", WRONG, f"it is the one of development.ini, so anybody can sign in as anybody; {make}")
    elif len(set(text)) < FEWEST_CHARACTERS:
        yield Finding("secret", WRONG, f"it has only {len(set(text))} different characters; {make}")
    else:
        yield Finding("secret", OK, "long and not the public one; all processes need the same")


def hosts(site: Site) -> Iterator[Finding]:
    """Check that the site answers to a name that others can ask for."""
    names = " ".join(sorted(site.settings["myproject.hosts"]))
    if site.is_public:
        yield Finding("hosts", OK, f"the site answers to {names}")
    else:
        yield Finding("hosts", WRONG, f"it answers only to {names}; set MYPROJECT_HOSTS to its name")


def development(site: Site) -> Iterator[Finding]:
    """Check that the site does not run as on the machine of a developer."""
    if site.settings["myproject.development"]:
        sentence = "myproject.development is true: cookies travel over http, and anybody may become administrator"
        yield Finding("development", WRONG, f"{sentence}; remove it")
    else:
        yield Finding("development", OK, "cookies travel over https alone")


def tools(site: Site) -> Iterator[Finding]:
    """Check that no tool of developers is included."""
    included = [name for name in aslist(site.written.get("pyramid.includes", "")) if name in FOR_DEVELOPERS]
    slow = [name for name in site.written if name.startswith(("pyramid.reload_", "pyramid.debug_"))]
    if included:
        yield Finding("tools", WRONG, f"remove {' and '.join(included)} from pyramid.includes")
    elif slow:
        yield Finding("tools", WARNING, f"remove {', '.join(slow)}: they are for developers")
    else:
        yield Finding("tools", OK, "nothing for developers is included")


def log_format(site: Site) -> Iterator[Finding]:
    """Check that the log contains no values that people have submitted."""
    if not site.ini.has_section("formatters"):
        yield Finding("log", WARNING, "the file has no [formatters]; take those of production.ini")
        return
    names = [name.strip() for name in site.ini["formatters"]["keys"].split(",")]
    plain = [name for name in names if not _is_ours(site.ini[f"formatter_{name}"].get("class", ""))]
    if plain:
        sentence = f"[formatter_{plain[0]}] logs the messages of exceptions, which may quote what people have submitted"
        yield Finding("log", WRONG, f"{sentence}; take the class of production.ini")
    elif _logs_statements(site):
        yield Finding(
            "log", WARNING, "statements are logged: remove sqlalchemy.echo and the level of sqlalchemy.engine"
        )
    else:
        yield Finding("log", OK, "without values that people have submitted")


def _is_ours(name: str) -> bool:
    module, _, attribute = name.rpartition(".")
    if not module.startswith("myproject."):
        return False
    found: Any = getattr(importlib.import_module(module), attribute, None)
    return isinstance(found, type) and issubclass(found, Formatter)


def _logs_statements(site: Site) -> bool:
    loggers = [site.ini[name] for name in site.ini.sections() if name.startswith("logger_")]
    levels = [logger.get("level", "") for logger in loggers if logger.get("qualname", "").startswith("sqlalchemy")]
    is_echoing = site.written.get("sqlalchemy.echo", "false").lower() not in ("false", "no", "off", "0")
    return is_echoing or any(logging.getLevelNamesMapping().get(level, 0) < logging.WARNING for level in levels)


CHECKS = (secret, hosts, development, tools, log_format)
