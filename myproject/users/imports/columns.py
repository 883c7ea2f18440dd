"""Which column of a file is which field, and what its cells say in the words of people and of spreadsheets."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from pyramid.i18n import TranslationString

from ...db.folding import fold
from ...web.csv import restore
from ...web.i18n import _, in_every_language
from ...web.rules import Invalid, Rule
from ..fields import FIELDS, Field

# What other programs call the columns, beyond the names and the labels of FIELDS.
OTHER_NAMES = {
    "name": ["full name", "display name", "성명", "성함"],
    "email": ["mail", "email address", "이메일 주소", "메일", "전자우편"],
    "age": ["연령"],
    "role": ["권한"],
    "active": ["enabled", "is active", "활성화", "사용 여부"],
}
# What spreadsheets and people write for yes and no, beyond the words of the form's own rule.
YES_AND_NO = {"yes": ("참", "예", "네", "o"), "no": ("거짓", "아니요", "아니오", "x")}
# Of each field: most have few values, which are parsed once.
PARSED_TEXTS = 1000

CHOOSE_NAME = _(
    "No column has the name. The first line of the file has to name its columns: name, email, age, role, active."
)
CHOOSE_EMAIL = _("No column has the email, by which an update finds its users.")


class Unreadable(ValueError):
    """The file as a whole is refused; `message`, a translation string, says what to do."""

    def __init__(self, message: TranslationString) -> None:
        super().__init__(message)
        self.message = message


def guess_columns(header: Sequence[str]) -> tuple[str | None, ...]:
    """Return for each column of a file the name of its field, by its title in any language, or `None`."""
    return tuple(_fields_by_title().get(_key(restore(title))) for title in header)


def check_columns(columns: Sequence[str | None], mode: str) -> None:
    """Raise `Unreadable` if a field has two columns, or if `mode`, one of MODES, needs one that is missing."""
    for field in FIELDS:
        if columns.count(field.name) > 1:
            raise Unreadable(_("Two columns have the same field. Choose one of them, and ignore the other."))
    if "name" not in columns and mode != "update":
        raise Unreadable(CHOOSE_NAME)
    if "email" not in columns and mode != "add":
        raise Unreadable(CHOOSE_EMAIL)


def rule_of(field: Field) -> Rule:
    """Return the rule of the form's field, for cells of a file: those may also have the labels that pages show.

    An empty cell of a field with a default, a role or an activity, has no value: `None`.
    """
    if field.default is None:
        return _remembered(field.parse)
    words = _words_of(field)
    known = ", ".join(dict.fromkeys(words.values()))

    def parse(text: str) -> Any:
        word = _key(text)
        try:
            return field.parse(words.get(word, word)) if word else None
        except Invalid:
            raise Invalid(_("Enter one of these words: ${words}.", mapping={"words": known})) from None

    return _remembered(parse)


def _remembered(rule: Rule) -> Rule:
    """Return `rule` with a memory of its last answers, which are a value or a message."""

    @lru_cache(PARSED_TEXTS)
    def answer(text: str) -> tuple[Any, TranslationString | None]:
        try:
            return rule(text), None
        except Invalid as error:
            return None, error.message

    def parse(text: str) -> Any:
        value, message = answer(text)
        if message is not None:
            # A new error each time: one that is raised again grows by a traceback.
            raise Invalid(message)
        return value

    return parse


def _words_of(field: Field) -> Mapping[str, str]:
    """Return what the rule of `field` understands, by the words for it."""
    if field.choices is None:
        return {_key(word): answer for answer, words in YES_AND_NO.items() for word in words}
    return {_key(word): value for value, label in field.choices.items() for word in (value, *in_every_language(label))}


@lru_cache(1)
def _fields_by_title() -> Mapping[str, str]:
    return {
        _key(title): field.name
        for field in FIELDS
        for title in (field.name, *in_every_language(field.label), *OTHER_NAMES.get(field.name, ()))
    }


def _key(text: str) -> str:
    """Return `text` folded, without spaces, hyphens and underscores: E-mail is email, and `사용 여부` 사용여부."""
    return fold(text).translate(str.maketrans("", "", " -_"))
