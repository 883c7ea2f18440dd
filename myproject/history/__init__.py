"""The ledger: who changed which record, when and from where, what it was before, and undoing it.

models.py       an Entry for each transaction, and a Change for each record in it
recording.py    what is recorded, and the triggers by which the database does it, whichever program writes
context.py      tells the database who is about to write, and by which page or command
"""

from pyramid.config import Configurator


def includeme(config: Configurator) -> None:
    """Tell the database, before each view that may write, from whom the changes come."""
    config.include(".context")
    config.scan(".erasing")
