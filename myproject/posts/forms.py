"""What a person may type in a post."""

from ..db import to_id
from ..web.forms import ChoiceField, ProseField, RecordForm, TextField
from ..web.i18n import _
from .models import BODY_LENGTH, TITLE_LENGTH


class PostForm(RecordForm):
    """A post. `authors`, a dictionary from id to name, are the ones to choose from; `None` for those who may not."""

    title = TextField(_("Title"), length=TITLE_LENGTH, required=True)
    body = ProseField(_("Text"), length=BODY_LENGTH, required=True)
    author_id = ChoiceField(
        _("Author"),
        coerce=to_id,
        description=_("Somebody is missing? Open their page and choose “Write a post” there."),
    )

    def __init__(self, request, record=None, *, authors, **values):
        super().__init__(request, record, **values)
        if authors is None:
            del self.author_id
        else:
            self.author_id.offer(authors)
