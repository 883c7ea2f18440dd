"""A form that was refused, as text for a hidden input: it passes through other pages, and is not stored anywhere."""

import json
from dataclasses import asdict, dataclass
from urllib.parse import quote_plus

from .keyed import is_keyed_digest, keyed_digest
from .limits import MAX_BODY_BYTES
from .receipts import TOKEN_FIELD
from .request import Request

# The field in which such a page sends a form back.
RESTORED_FIELD = "restored"
# As a form sends it. The other fields of the sign-in page, with an address of 8 kB as its greatest, take the rest.
MAX_CARRIED_BYTES = MAX_BODY_BYTES - 32 * 1024


@dataclass(frozen=True)
class Typed:
    """The id of the person to whom a form was shown, and the fields that they sent, without CSRF token and passwords.

    The form's own token stays: the form may have been applied before, and only its answer lost (receipts.py).
    """

    person: int
    fields: dict[str, str]

    @property
    def has_entries(self) -> bool:
        """Whether the form has any field but its token, and those in which a button says on which page it is."""
        return not self.fields.keys() <= {TOKEN_FIELD, "page", "query"}

    @property
    def deletes(self) -> bool:
        """Whether the form only asks before something is deleted: a `DeleteForm`, by its own field."""
        return "named" in self.fields


def is_kept(name: str) -> bool:
    """Return whether a field may pass through another page: no CSRF token, and no password, by the names of fields."""
    return name != "csrf_token" and "password" not in name


def carry(request: Request, typed: Typed) -> str | None:
    """Return `typed` as text for a hidden input, which only this site can have made; `None` if it is too long."""
    content = json.dumps(asdict(typed), ensure_ascii=False)
    text = f"{keyed_digest(request, RESTORED_FIELD, content)}.{content}"
    return text if len(quote_plus(text)) <= MAX_CARRIED_BYTES else None


def read_carried(request: Request, text: str | None) -> Typed | None:
    """Return what `carry` has made `text` of, or `None` for any other text."""
    digest, _dot, content = (text or "").partition(".")
    return Typed(**json.loads(content)) if is_keyed_digest(request, digest, RESTORED_FIELD, content) else None
