"""Text as a search compares it: without regard to case, accents and width; the SQL function `folded` does the same.

A letter with an accent is that letter (José, jose), a wide one a narrow one (ＫＩＭ, kim), and a Korean syllable its
sounds, so that 기, typed on the way to 김, begins it. In Unicode's words: NFKD without combining marks, in lower case;
ß is ss, and ς is σ, as case folding has them. https://www.unicode.org/reports/tr15/
"""

import re
import unicodedata

# Accents, Hebrew points, Arabic vowel signs, and the marks of Japanese syllables. The signs of Indian scripts stay:
# there they are letters. Python and PostgreSQL read the pattern alike.
MARKS = (
    r"[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u064b-\u065f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff"
    r"\u3099\u309a\ufe20-\ufe2f]"
)


def fold(text):
    """Return `text` as a search compares it, or `None` for `None`."""
    if text is None:
        return None
    if text.isascii():
        return text.lower()
    text = re.sub(MARKS, "", unicodedata.normalize("NFKD", text)).lower()
    return text.replace("ß", "ss").replace("ς", "σ")


# To PostgreSQL; a connection to SQLite gets `fold` itself.
POSTGRESQL_FOLDED = rf"""
CREATE FUNCTION folded(value text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN
replace(replace(
    lower(regexp_replace(normalize(value, NFKD), '{MARKS}', '', 'g') COLLATE "und-x-icu"), 'ß', 'ss'
), 'ς', 'σ')
"""
