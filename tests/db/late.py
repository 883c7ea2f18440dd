"""Places outside the request's transaction; a test puts code there with the fixture: `places[name] = code`."""

from pyramid.response import Response
from pyramid.tweens import EXCVIEW, INGRESS
from sqlalchemy.exc import IntegrityError

BEFORE = ["first tween before", "last tween before"]
AFTER = ["last tween after", "first tween after", "response callback", "new response", "finished callback"]
EXCEPTION_VIEW = "exception view"


class Forgiven(Exception):
    """An error whose page says 200."""


def includeme(config):
    """Add the places, and an exception view for `Forgiven` and for violated constraints."""
    config.include(around_everything)
    config.add_tween("tests.db.late.last_tween", under=EXCVIEW, over="pyramid_tm.tm_tween_factory")


def around_everything(config):
    """Add the same without the last tween, which has no place in the starter template's order of tweens."""
    config.registry["late"] = {}
    outermost = "myproject.db.after_transaction.own_transactions_tween_factory"
    config.add_tween(
        "tests.db.late.first_tween", under=INGRESS, over=[outermost, EXCVIEW, "pyramid_tm.tm_tween_factory"]
    )
    config.add_subscriber(add_callbacks, "pyramid.events.NewRequest")
    config.add_subscriber(lambda event: arrive(event.request, "new response"), "pyramid.events.NewResponse")
    for error in Forgiven, IntegrityError:
        # For the route of the probe, so that it precedes the application's own view of the same error.
        config.add_exception_view(forgive, context=error, route_name="probe")


def arrive(request, place):
    request.registry["late"].get(place, lambda request: None)(request)


def first_tween(handler, registry):
    return around(handler, "first tween")


def last_tween(handler, registry):
    return around(handler, "last tween")


def around(handler, name):
    def tween(request):
        arrive(request, f"{name} before")
        response = handler(request)
        arrive(request, f"{name} after")
        return response

    return tween


def add_callbacks(event):
    event.request.add_response_callback(lambda request, response: arrive(request, "response callback"))
    event.request.add_finished_callback(lambda request: arrive(request, "finished callback"))


def forgive(error, request):
    arrive(request, EXCEPTION_VIEW)
    return Response("All is well.")
