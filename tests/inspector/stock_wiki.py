"""The wiki of tests/db/wiki with the wiring of Pyramid's tutorial, and a page that writes without the ORM."""

import zope.sqlalchemy
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPSeeOther
from pyramid.response import Response
from pyramid.view import view_config
from pyramid_retry import RetryableException
from sqlalchemy import create_engine, select, update
from sqlalchemy.orm import sessionmaker

from tests.db.wiki.models import Page, User

PAGE = "<!DOCTYPE html><title>{0}</title><body>{0}</body>"


def main(global_config, **settings):
    """Return the WSGI application of the wiki."""
    with Configurator(settings=settings) as config:
        config.include(wire)
        config.add_route("old", "/Old")
        config.add_route("moved", "/Old/moved")
        config.add_route("tried_twice", "/{name}/tried-twice")
        config.add_route("refused_and_noted", "/{name}/refused-and-noted")
        config.add_route("shout_and_show", "/{name}/shout-and-show")
        config.add_route("page", "/{name}")
        config.scan("tests.db.wiki.views")
        config.scan(__name__)
        return config.make_wsgi_app()


def wire(config):
    """Do what the `models` of the tutorial do: one Session for each request, which pyramid_tm commits."""
    settings = config.get_settings()
    settings["tm.manager_hook"] = "pyramid_tm.explicit_manager"
    config.include("pyramid_tm")
    config.include("pyramid_retry")
    factory = sessionmaker(create_engine(settings["sqlalchemy.url"]))
    config.registry["dbsession_factory"] = factory

    def dbsession(request):
        session = factory()
        zope.sqlalchemy.register(session, transaction_manager=request.tm)
        return session

    config.add_request_method(dbsession, reify=True)


@view_config(route_name="moved", request_method="POST")
def move(request):
    """Lead to the old address of the first page."""
    return HTTPSeeOther(request.route_path("old"))


@view_config(route_name="old", request_method="GET")
def show_old(request):
    """Lead to the first page."""
    return HTTPSeeOther(request.route_path("page", name="Home"))


@view_config(route_name="shout_and_show", request_method="POST")
def shout_and_show(request):
    """Write a page in capitals by a Core statement, of which the Session's listeners notice nothing, and say so."""
    table = Page.__table__
    request.dbsession.execute(update(table).where(table.c.name == request.matchdict["name"]).values(text="WELCOME"))
    # No redirect, although it names a page.
    return Response(PAGE.format("It is in capitals now."), location=request.route_path("page", **request.matchdict))


@view_config(route_name="tried_twice", request_method="POST")
def write_twice(request):
    """Write a page, fail in the first attempt, and let the second one be doomed if the form says so."""
    request.dbsession.scalars(select(Page).filter_by(**request.matchdict)).one().text = "Tried"
    request.dbsession.flush()
    if request.environ["retry.attempt"] == 0:
        raise RetryableException
    if "doom" in request.POST:
        request.tm.doom()
    return Response(PAGE.format("Tried."))


@view_config(route_name="refused_and_noted", request_method="POST")
def refuse_and_note(request):
    """Write a page and roll it back, after a user was added in a transaction of its own."""
    with request.registry["dbsession_factory"].begin() as session:
        session.add(User(name="Refused"))
    request.dbsession.scalars(select(Page).filter_by(**request.matchdict)).one().text = "Tried"
    request.dbsession.flush()
    request.tm.doom()
    return Response(PAGE.format("Refused."), status=400)
