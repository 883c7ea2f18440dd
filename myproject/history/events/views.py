"""The page of security events, `/history/events`."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from pyramid.view import view_config
from sqlalchemy import select

from ...users.models import User
from ...web.pagination import page_of
from ...web.request import Request
from .filter import read_filter
from .kinds import KINDS, describe, describe_facts, name_person
from .models import SecurityEvent

BY_TIME = (SecurityEvent.happened_at, SecurityEvent.id)


@view_config(
    route_name="history.events.list",
    request_method="GET",
    renderer="history/events/list.jinja2",
    permission="administer",
)
def index(request: Request) -> dict[str, Any]:
    """List the security events that the address asks for, newest first."""
    asked = read_filter(request.GET)
    events = select(SecurityEvent).where(*asked.conditions(request.time_zone))
    page = page_of(request.dbsession, events, BY_TIME, request.GET.get("cursor"), descending=True)
    names = names_of(request, {asked.user_id, *people_in(page.rows)})
    return {
        "asked": asked,
        "page": page,
        "kinds": KINDS,
        "describe": partial(describe, request, names=names),
        "describe_facts": partial(describe_facts, request),
        "name_person": partial(name_person, request, names=names),
        "keep_days": request.registry.settings["events.keep_days"],
    }


def people_in(events: Iterable[SecurityEvent]) -> set[int | None]:
    """Return the ids of the people who are named in events."""
    return {user_id for event in events for user_id in (event.user_id, event.actor_id)}


def names_of(request: Request, user_ids: Iterable[int | None]) -> dict[int, str]:
    """Return the names to show of those of these users who still have a record, by id."""
    columns = select(User.id, User.name, User.email, User.active)
    people = request.dbsession.execute(columns.where(User.id.in_(set(user_ids) - {None})))
    return {person.id: request.name_of(person) for person in people}
