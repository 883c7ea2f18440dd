"""The form of a post."""

from collections.abc import Mapping
from typing import Any

from ..db import to_id
from ..web.form_fields import ChoiceField, ProseField, TextField
from ..web.forms import RecordForm
from ..web.i18n import _
from ..web.request import Request
from .models import BODY_LENGTH, TITLE_LENGTH, Post


class PostForm(RecordForm):
    """A post. `authors` maps the ids of the possible authors to their names; `None` removes the choice."""

    title = TextField(_("Title"), length=TITLE_LENGTH, required=True)
    body = ProseField(_("Text"), length=BODY_LENGTH, required=True)
    author_id = ChoiceField(
        _("Author"),
        coerce=to_id,
        description=_("If the author is not listed, open their page and choose “Write a post”."),
    )

    def __init__(
        self, request: Request, record: Post | None = None, *, authors: Mapping[int, str] | None, **values: Any
    ) -> None:
        super().__init__(request, record, **values)
        if authors is None:
            del self.author_id
        else:
            self.author_id.set_choices(authors)
