"""Undo: put back what an entry has changed, in one new transaction that is an entry itself.

    steps.py      what becomes of each record of the entry, counted and listed, and what undoing it does
    rules.py      the rules behind it: what was changed since, is taken, is missing, or is not permitted
    chosen.py     the records that are put back, decided before the first of them is changed
    writing.py    the statements that put the records back
    showing.py    what the page shows of each record
    reporting.py  what an undo tells the security events
    views.py      the page that shows all this before it is done

Everything is done by a few statements for all records of the entry, however many.
"""

from pyramid.config import Configurator


def includeme(config: Configurator) -> None:
    """Add `/history/{id}/undo`."""
    config.include(".views")
