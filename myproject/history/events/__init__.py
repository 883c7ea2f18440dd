"""Security events, kept for administrators: who signed in, whose role changed, which passwords were wrong.

`web/events.py` publishes them; nothing that reports one knows this package. An act is stored in the transaction of its
request (storing.py), so both are committed or neither; one that ends later, such as a download, is stored when it has
ended. What was refused, perhaps to strangers who try all day, is stored after the answer and at most so often a minute
(refusals.py). `kinds.py` lists the kinds with their texts, `views.py` shows the events, `pruning.py` deletes old ones.
When a person is erased, their events are emptied.
"""

from pyramid.config import Configurator

from ...users.erasing import UserErased
from ...web.events import ActReported, LateActReported, RefusalReported, ThreadActReported
from .last_sign_ins import last_sign_ins
from .refusals import StoredRefusals, store_refusal
from .storing import empty_events, store_act, store_act_of_thread, store_late_act


def includeme(config: Configurator) -> None:
    """Store what is reported, add `/history/events`, and tell the pages of users who signed in when."""
    config.registry["stored_refusals"] = StoredRefusals()
    config.add_subscriber(store_act, ActReported)
    config.add_subscriber(store_act_of_thread, ThreadActReported)
    config.add_subscriber(store_late_act, LateActReported)
    config.add_subscriber(store_refusal, RefusalReported)
    config.add_subscriber(empty_events, UserErased)
    config.add_request_method(last_sign_ins)
    config.add_route("history.events.list", "/history/events")
    config.scan(".views")
