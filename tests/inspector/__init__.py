"""Tests of the inspector, and how they ask whether it listens."""

from sqlalchemy import event

from myproject.inspector.listeners import LISTENERS


def registered_listeners():
    """Return the names of the events that the inspector listens to now."""
    return [name for target, name, function in LISTENERS if event.contains(target, name, function)]
