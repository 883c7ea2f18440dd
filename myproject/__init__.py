"""User records of an organisation, managed in a browser: one request is one transaction."""

from pyramid.config import Configurator

from .settings import read_settings


def main(global_config, **settings):
    """Return the WSGI application for the settings of an ini file; the includes stand as a request meets them."""
    with Configurator(settings=read_settings(settings)) as config:
        config.include(".web.request")
        config.include(".db")
        config.include(".security")
        config.include(".web.cookies")
        config.include(".web.headers")
        config.include(".web.limits")
        config.include(".web.paths")
        config.include(".web.i18n")
        config.include(".web.rendering")
        config.include(".web.flash")
        config.include(".web.receipts")
        config.include(".web.errors")
        config.include(".signin")
        config.include(".users")
        config.include(".posts")
        config.include(".overview")
        return config.make_wsgi_app()
