"""Shows what has become of each request's transaction, in a panel of pyramid_debugtoolbar and in tests.

    listeners.py     listens to engines, Sessions and transactions, while a request is recorded
    recording.py     records a request
    record.py        what was recorded; its parts in events.py, transactions.py, suspects.py, as text in timeline.py
    panel.py         the panel "Transaction" of the debug toolbar; its bars in chart.py, its statements in sql.py
    testing.py       the same record for the tests of an application

It works in any Pyramid application: `pyramid.includes = pyramid_debugtoolbar myproject.inspector`. Nobody imports it.
"""

from pyramid.config import Configurator

from .listeners import listen

# By name, so that tests can use the record where the toolbar is not installed.
PANEL = f"{__name__}.panel.TransactionPanel"


def includeme(config: Configurator) -> None:
    """Add the panel to the debug toolbar, which is included if it is not yet; nothing if that is switched off."""
    config.include("pyramid_debugtoolbar")
    settings = config.get_settings()
    if settings["debugtoolbar.enabled"]:
        listen()
        config.include(".recording")
        settings["debugtoolbar.extra_panels"] = [*settings["debugtoolbar.extra_panels"], PANEL]
