"""Folded text, which a search compares: without case, accents and width. The SQL function `folded` does the same.

José folds to jose, the wide ＫＩＭ to kim, and a Korean syllable to its letters, so that 기, which is typed on the way
to 김, is a prefix of it. Formally: NFKD without combining marks, in lower case, with ß as ss and ς as σ, as Unicode's
case folding has them. https://www.unicode.org/reports/tr15/
"""

import re
import unicodedata
from typing import overload

# Accents, Hebrew points, Arabic vowel signs, and the marks of Japanese syllables. The marks of Indian scripts stay,
# because they are letters there. Python and PostgreSQL read this pattern in the same way.
COMBINING_MARKS = (
    r"[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u064b-\u065f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff"
    r"\u3099\u309a\ufe20-\ufe2f]"
)


@overload
def fold(text: str) -> str: ...
@overload
def fold(text: None) -> None: ...
def fold(text: str | None) -> str | None:
    """Return `text` folded; `None` for `None`, as SQL has it."""
    if text is None:
        return None
    if text.isascii():
        return text.lower()
    text = re.sub(COMBINING_MARKS, "", unicodedata.normalize("NFKD", text)).lower()
    return text.replace("ß", "ss").replace("ς", "σ")


# For PostgreSQL. A connection to SQLite gets `fold` itself.
POSTGRESQL_FOLDED = rf"""
CREATE FUNCTION folded(value text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN
replace(replace(
    lower(regexp_replace(normalize(value, NFKD), '{COMBINING_MARKS}', '', 'g') COLLATE "und-x-icu"), 'ß', 'ss'
), 'ς', 'σ')
"""
