"""Security events: they are logged, one line of JSON each, and published for those who keep them.

The module also says how the log names a page.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPMethod
from typing import Any

from pyramid.registry import Registry
from sqlalchemy.orm import Session
from transaction import TransactionManager

from ..db import to_id
from .request import Request

# How many accounts of a change of many users are reported one by one. The history has all of them.
MOST_REPORTED = 1000

log = logging.getLogger("myproject.security")


@dataclass(frozen=True)
class ActReported:
    """An act of the request, such as a sign-in. Published within its transaction, which may still abort."""

    request: Request
    kind: str
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class RefusalReported:
    """Something that was refused, such as a wrong password, perhaps to a stranger, and perhaps very often.

    `email` is what was entered to name the account, if anything. It may be a password in the wrong field: it is for
    finding the account, and nobody stores or logs it.
    """

    request: Request
    kind: str
    facts: Mapping[str, Any]
    email: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class LateActReported:
    """An act that ends after its request, such as a download. Published while the request knows the person.

    Each of `at_end`, which subscribers fill, is called with the facts when the act has ended.
    """

    request: Request
    kind: str
    at_end: list[Callable[[Mapping[str, Any]], None]] = field(default_factory=list)


@dataclass(frozen=True)
class ThreadActReported:
    """An act of a thread of the application, begun by a request. Published within the transaction of `dbsession`."""

    dbsession: Session
    kind: str
    facts: Mapping[str, Any]
    actor_id: int
    request_id: str


def report_act(request: Request, kind: str, **facts: Any) -> None:
    """Publish an act of the request's transaction, and log it after the commit; `facts` are never a secret."""
    request.registry.notify(ActReported(request, kind, facts))
    request.after_commit(_log, request, kind, facts)


def report_late_act(request: Request, kind: str) -> Callable[..., None]:
    """Publish an act that ends after the request; return a function to call with the facts when it has ended."""
    act, log_facts = LateActReported(request, kind), _logger(request, kind)
    request.registry.notify(act)

    def end(**facts: Any) -> None:
        log_facts(facts)
        for write in act.at_end:
            write(facts)

    return end


def report_act_of_thread(registry: Registry, tm: TransactionManager, act: ThreadActReported) -> None:
    """Publish an act of a thread in the current transaction of `tm`, and log it after the commit."""
    line = {"event": act.kind, "by": act.actor_id, "request": act.request_id, **act.facts}
    registry.notify(act)
    tm.get().addAfterCommitHook(lambda committed: _write(line) if committed else None)


def report_refusal(request: Request, kind: str, *, email: str | None = None, **facts: Any) -> None:
    """Log at once that something was refused, and publish it; see `RefusalReported`. `facts` are never a secret."""
    _log(request, kind, facts)
    request.registry.notify(RefusalReported(request, kind, facts, email))


def log_act_of_command(command: str, kind: str, **facts: Any) -> None:
    """Log an act of a command in a shell, where nobody is signed in, as `report_act` does."""
    _write({"event": kind, "by": None, "command": command, **facts})


def actor_of(request: Request) -> int | None:
    """Return the id of the user who is signed in, if the request has asked for it."""
    return request.known_identity.id if request.known_identity else None


def _log(request: Request, kind: str, facts: Mapping[str, Any]) -> None:
    _logger(request, kind)(facts)


def _logger(request: Request, kind: str) -> Callable[[Mapping[str, Any]], None]:
    """Return a function that logs the event with its facts, also when the request has forgotten the person."""
    line = {"event": kind, "by": actor_of(request), "address": request.remote_addr, "request": request.id}
    return lambda facts: _write({**line, **facts})


def _write(line: Mapping[str, Any]) -> None:
    log.info("%s", json.dumps(line, ensure_ascii=True), extra={"fields": line})


def name_page(request: Request) -> str:
    """Return the method, and the pattern of the route with the id of its record, for the log: `POST /users/7/edit`.

    Never the path or the query: a link's token or an email that somebody searched for would be in the log.
    """
    method, pattern = name_method(request), pattern_of(request)
    if pattern is None:
        return f"{method}, no page"
    record_id = to_id(request.matchdict.get("id"))
    return f"{method} {pattern if record_id is None else pattern.replace('{id}', str(record_id))}"


def name_method(request: Request) -> str:
    """Return the method of `request`, for the log: a client may send any text as one."""
    return request.method if request.method in HTTPMethod.__members__ else "unknown method"


def pattern_of(request: Request) -> str | None:
    """Return the pattern of the route that the request has matched, `/users/{id}/edit`, or `None`."""
    route = request.matched_route
    return None if route is None else "/" + route.pattern.removeprefix("/")
