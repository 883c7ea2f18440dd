"""Merges two people's changes of one record, field by field: what a form showed, what it sent, and what is saved now.

All three are texts as a form sends them. So a field that a person left alone is recognised, whatever a rule would make
of its text.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Change:
    """What became of one field while its form was open; `shown` is `None` if the form does not say what it showed.

    It is undecided if a person chose the saved value, but has also edited their own one on the page with the choice.
    """

    shown: str | None
    submitted: str
    saved: str
    is_undecided: bool = False

    @property
    def is_left_alone(self) -> bool:
        """Whether the person of this form did not change the field: the saved value counts."""
        return self.submitted == self.shown

    @property
    def is_own(self) -> bool:
        """Whether only the person of this form changed the field: their value counts."""
        return self.saved == self.shown != self.submitted and not self.is_undecided

    @property
    def is_of_others(self) -> bool:
        """Whether only somebody else changed the field."""
        return self.is_left_alone and self.saved != self.shown

    @property
    def is_conflict(self) -> bool:
        """Whether both changed the field, to different values: the person has to choose."""
        differs = self.submitted != self.saved
        return differs and (self.is_undecided or self.shown not in (self.submitted, self.saved))

    @property
    def is_news(self) -> bool:
        """Whether the saved value is one that the person has neither seen nor entered."""
        return self.is_of_others or self.is_conflict


def compare(
    saved: Mapping[str, str], submitted: Mapping[str, str], sent: Mapping[str, str], *, is_older: bool
) -> dict[str, Change]:
    """Return the Change of each field, by the names of `saved`.

    `sent` has `shown_name` for each field of a page, and `choice_name=saved` where the person chose the saved value.
    The form of a program has neither; `is_older` says that it was made from another version of the record.
    """
    shown = shown_texts(sent)
    if not shown:
        return {name: Change(None if is_older else text, submitted[name], text) for name, text in saved.items()}
    return {name: change_on_page(name, text, shown.get(name), submitted[name], sent) for name, text in saved.items()}


def shown_texts(sent: Mapping[str, str]) -> dict[str, str]:
    """Return what the form of a record has shown, by the names of its fields; nothing of any other form."""
    return {key.removeprefix("shown_"): normalised(text) for key, text in sent.items() if key.startswith("shown_")}


def change_on_page(name: str, saved: str, shown: str | None, submitted: str, sent: Mapping[str, str]) -> Change:
    """Return the Change of one field of a page; `shown` is `None` if the person could not change it then."""
    if shown is None:
        return Change(saved, saved, saved)
    is_chosen = sent.get(f"choice_{name}") == "saved"
    if is_chosen and not is_edited(name, submitted, sent):
        return Change(shown, shown, saved)
    return Change(shown, submitted, saved, is_undecided=is_chosen)


def is_edited(name: str, text: str, sent: Mapping[str, str]) -> bool:
    """Return whether `text` is not what stood in the field beside the choice, by the digest `entered_name`."""
    return sent.get(f"entered_{name}", digest(text)) != digest(text)


def digest(text: str) -> str:
    """Return a short digest of `text`, by which an edit of it is noticed: a form could not hold it a third time."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def text_of(value: Any) -> str:
    """Return the text by which a form sends `value`; a checkbox that is not ticked sends none."""
    if isinstance(value, bool):
        return "y" if value else ""
    return "" if value is None else normalised(str(value))


def normalised(text: str) -> str:
    """Return `text` as it would come back from a browser, which sends any line ending as CR LF, and no NUL."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
