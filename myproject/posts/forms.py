"""What a person may type in a post."""

from ..db.lookup import LARGEST_ID
from ..forms import ChoiceField, Form, ProseField, TextField
from ..i18n import _
from .models import BODY_LENGTH, TITLE_LENGTH


def author_id(text):
    """Return the id that an option of the list sends, or `None` where it is no such number."""
    text = str(text)
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) <= LARGEST_ID else None


class PostForm(Form):
    """A post. `authors`, a dictionary from id to name, are the ones to choose from."""

    title = TextField(_("Title"), length=TITLE_LENGTH, required=True)
    body = ProseField(_("Text"), length=BODY_LENGTH, required=True)
    author_id = ChoiceField(
        _("Author"),
        coerce=author_id,
        description=_("Somebody is missing? Open their page and choose “Write a post” there."),
    )

    def __init__(self, request, record=None, *, authors, **values):
        super().__init__(request, record, **values)
        self.author_id.offer(authors)
