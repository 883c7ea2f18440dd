"""Stores acts in the transaction of their request, and empties the events of people who are erased."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from ...signin.identity import keep_printable
from ...signin.models import ADDRESS_LENGTH
from ...users.erasing import UserErased
from ...users.models import User
from ...web.events import ActReported, LateActReported, ThreadActReported, actor_of
from ...web.request import Request
from .models import SecurityEvent

# Facts of the log that are not stored among the others: the person has a column of their own, and the digest of an
# email that somebody entered says too much about people who have no account.
NOT_STORED = ("user", "account")


def store_act(act: ActReported) -> None:
    """Add the act to the transaction of its request."""
    act.request.dbsession.add(make_event(act.request, act.kind, act.facts))


def store_late_act(act: LateActReported) -> None:
    """Let the act be stored when it has ended, in a transaction of its own."""
    # Made now, because the request forgets the person when it ends.
    event = make_event(act.request, act.kind, {})

    def store(facts: Mapping[str, Any]) -> None:
        event.keep_facts(facts)
        act.request.in_own_transaction(lambda dbsession: add_late_event(dbsession, event))

    act.at_end.append(store)


def add_late_event(dbsession: Session, event: SecurityEvent) -> None:
    """Add the event, emptied if one of its people was deleted or erased in the meantime."""
    people = {event.user_id, event.actor_id} - {None}
    if people and len(dbsession.scalars(select(User.id).where(User.id.in_(people))).all()) < len(people):
        event.empty()
    dbsession.add(event)


def store_act_of_thread(act: ThreadActReported) -> None:
    """Add the act to the transaction of its thread."""
    act.dbsession.add(event_with(act.kind, act.facts, act.actor_id, request_id=act.request_id))


def store_act_of_command(
    dbsession: Session, command: str, kind: str, *, user_id: int | None = None, **facts: Any
) -> None:
    """Add an act of a command in a shell, where nobody is signed in, to the transaction of `dbsession`."""
    event = SecurityEvent(kind=kind, user_id=user_id)
    event.keep_facts({"command": command, **facts})
    dbsession.add(event)


def make_event(request: Request, kind: str, facts: Mapping[str, Any]) -> SecurityEvent:
    """Return the event of the request, not yet stored."""
    address = keep_printable(request.remote_addr or "")[:ADDRESS_LENGTH]
    return event_with(kind, facts, actor_of(request), request_id=request.id, address=address)


def event_with(kind: str, facts: Mapping[str, Any], actor_id: int | None, **values: str) -> SecurityEvent:
    """Return an event, not yet stored. It is about the user that `facts` name, or else about the one who acts."""
    event = SecurityEvent(kind=kind, user_id=facts.get("user", actor_id), actor_id=actor_id, **values)
    event.keep_facts({name: value for name, value in facts.items() if name not in NOT_STORED})
    return event


def empty_events(erased: UserErased) -> None:
    """Empty the events about and by the erased user: that something happened stays, with the number of nobody."""
    # The addresses of others at events about the user, too: the user may have sat beside them.
    of_user = or_(SecurityEvent.user_id == erased.user_id, SecurityEvent.actor_id == erased.user_id)
    emptied = update(SecurityEvent).where(of_user).values(address="", request_id="", facts="{}")
    erased.dbsession.execute(emptied, execution_options={"synchronize_session": False})
