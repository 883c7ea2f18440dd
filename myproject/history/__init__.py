"""The ledger: who changed which record, when and from where, what it was before, and undoing it.

models.py       an Entry for each transaction, and a Change for each record in it
recording.py    what is recorded, and the triggers by which the database does it, whichever program writes
context.py      tells the database who is about to write, and by which page or command
views.py        the pages that show the history: what they read (reading.py), and to whom (access.py)
words.py        an entry in words
values.py       recorded values in SQL
undo/           puts back what an entry has changed
events/         security events: who signed in, what was refused, and the like
erasing.py      removes the values of an erased person
pruning.py      removes old entries
"""

from pyramid.config import Configurator

from ..posts.models import Post
from ..users.models import User
from .access import entry_in_url, record_in_url
from .last_save import last_saved_by


def includeme(config: Configurator) -> None:
    """Tell the database, before each view that may write, from whom the changes come; add the pages of the history."""
    config.include(".context")
    config.add_request_method(last_saved_by)
    config.include(".entry_of_request")
    config.add_route("history.list", "/history")
    config.add_route("history.deleted", "/history/deleted")
    config.include(".events")
    config.add_route("history.show", "/history/{id}", factory=entry_in_url)
    config.add_route("users.history", "/users/{id}/history", factory=record_in_url(User))
    config.add_route("posts.history", "/posts/{id}/history", factory=record_in_url(Post))
    config.include(".undo")
    config.scan(".views")
    config.scan(".erasing")
