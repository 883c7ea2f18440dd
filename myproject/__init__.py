"""User records of an organisation, managed in a browser: one request is one transaction."""

from pyramid.config import Configurator
from pyramid.router import Router

from .settings import read_settings


def main(global_config: dict[str, str], **settings: str) -> Router:
    """Return the WSGI application for the settings of an ini file."""
    checked = {**read_settings(settings), "ini": global_config.get("__file__", "INI")}
    with Configurator(settings=checked) as config:
        config.include(".schema")
        config.include(".tweens")
        config.include(".web.request")
        config.include(".db")
        config.include(".security")
        config.include(".web.cookies")
        config.include(".web.origin")
        config.include(".web.limits")
        config.include(".web.paths")
        config.include(".web.days")
        config.include(".web.i18n")
        config.include(".web.rendering")
        config.include(".web.flash")
        config.include(".web.receipts")
        config.include(".web.busy")
        config.include(".web.errors")
        config.include(".web.csrf")
        config.include(".web.typed")
        config.include(".web.lost")
        config.include(".health")
        config.include(".signin")
        config.include(".users")
        config.include(".posts")
        config.include(".overview")
        # Before the ledger, whose URLs have an id where this has "events".
        config.include(".history")
        # It hears of what all of them publish.
        config.include(".metrics")
        return config.make_wsgi_app()
