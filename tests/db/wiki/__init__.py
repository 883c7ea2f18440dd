"""A small wiki as Pyramid's starter lays one out, with our wiring: docs/other-applications.md."""

from pyramid.config import Configurator


def main(global_config, **settings):
    """Return the WSGI application of the wiki."""
    with Configurator(settings=settings) as config:
        config.include(".models")
        config.add_route("page", "/{name}")
        config.scan(".views")
        config.scan(".errors")
        return config.make_wsgi_app()
