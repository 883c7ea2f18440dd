"""The wiki of tests/db/wiki with the wiring of Pyramid's tutorial, and a page that writes without the ORM."""

import zope.sqlalchemy
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPSeeOther
from pyramid.response import Response
from pyramid.view import view_config
from sqlalchemy import create_engine, update
from sqlalchemy.orm import sessionmaker

from tests.db.wiki.models import Page

PAGE = "<!DOCTYPE html><title>{0}</title><body>{0}</body>"


def main(global_config, **settings):
    """Return the WSGI application of the wiki."""
    with Configurator(settings=settings) as config:
        config.include(wire)
        config.add_route("shout", "/{name}/shout")
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


@view_config(route_name="shout", request_method="POST")
def shout(request):
    """Write a page in capitals by a Core statement, and show the page."""
    write_in_capitals(request)
    return HTTPSeeOther(request.route_path("page", **request.matchdict))


@view_config(route_name="shout_and_show", request_method="POST")
def shout_and_show(request):
    """Write a page in capitals by a Core statement, and say so."""
    write_in_capitals(request)
    return Response(PAGE.format("It is in capitals now."))


def write_in_capitals(request):
    """Change the text of the page in the URL; the Session's listeners see no object that changes."""
    table = Page.__table__
    capitals = update(table).where(table.c.name == request.matchdict["name"]).values(text="HELLO")
    request.dbsession.execute(capitals)
