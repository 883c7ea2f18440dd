"""The forms of saved views."""

from collections.abc import Mapping
from typing import Any

from pyramid.i18n import TranslationString
from wtforms import HiddenField, validators

from ...web.form_fields import CheckField, TextField
from ...web.forms import RecordForm
from ...web.i18n import _
from ...web.identity import identity_of
from ...web.request import Request
from ..listing.view import read_query
from .models import NAME_LENGTH, QUERY_LENGTH, SavedView, select_by_name

NAME_TAKEN = _("You already have a saved view with this name. Choose another name.")
NAME_TAKEN_REPLACEABLE = _(
    "You already have a saved view with this name. Choose another name. Or select “Replace the existing view”."
)


def explain(constraint: str | None, values: Mapping[str, Any]) -> tuple[str, TranslationString] | None:
    """Return the name of a field and the message on it when a constraint of the table refuses a view."""
    return ("name", NAME_TAKEN) if constraint == "uq_saved_views_name" else None


class SavedViewForm(RecordForm):
    """The name of a view, and for editors and administrators whether it is for everybody."""

    name = TextField(_("Name"), length=NAME_LENGTH, required=True)
    for_all = CheckField(
        _("Share with everyone"), description=_("Everyone who signs in will see it in their saved views.")
    )

    def __init__(self, request: Request, record: SavedView | None = None, **values: Any) -> None:
        super().__init__(request, record, **values)
        if not request.has_permission("share"):
            del self.for_all


class NewSavedViewForm(SavedViewForm):
    """A view to save, by its query string, which is normalised as the list writes it."""

    query = HiddenField(
        filters=[lambda query: read_query(query or "").query],
        validators=[validators.Length(max=QUERY_LENGTH)],
    )
    replace = CheckField(_("Replace the existing view"))
    # Which view, in which version, the person was offered to replace: see `replacement_token`.
    offered = HiddenField()

    def invalid(self, request: Request, **names: Any) -> dict[str, Any]:
        """Return what the template needs; if the name is taken, the form offers to replace the view of that name.

        Not to a former editor, for a view that they once shared.
        """
        same_name = None
        if NAME_TAKEN in self.name.errors:
            same_name = request.dbsession.scalar(select_by_name(identity_of(request).id, self.name.data))
        if same_name is None or not request.has_permission("edit", same_name):
            del self.replace
        else:
            self.name.errors = [NAME_TAKEN_REPLACEABLE]
            self.offered.data = replacement_token(same_name)
            self.replace.data = False
            self.replace.description = _("The existing view is shared with everyone.") if same_name.for_all else ""
        return super().invalid(request, **names)

    def replaces(self, saved_view: SavedView) -> bool:
        """Return whether the person may replace this view, and has agreed to replace it as it is now."""
        is_agreed = self.replace.data and self.offered.data == replacement_token(saved_view)
        return is_agreed and bool(self.request.has_permission("edit", saved_view))


def replacement_token(saved_view: SavedView) -> str:
    """Return the text that identifies a view in its present version."""
    return f"{saved_view.id}.{saved_view.version}"
