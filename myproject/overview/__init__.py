"""The overview: how many users there are by age, by role and by month of joining.

Among few users the database counts them for each page. Among many that takes seconds: a thread counts them now and
then, and the page shows what was stored last.
"""

from pyramid.config import Configurator


def includeme(config: Configurator) -> None:
    """Add `/overview`."""
    config.add_route("overview", "/overview")
    config.scan(".views")
