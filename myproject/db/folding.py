"""Folded text, which a search compares: without case, accents, width and what cannot be seen.

José folds to jose, Łukasz to lukasz, the wide ＫＩＭ to kim, O’Connor to o'connor, and a Korean syllable to
its letters, so that 기, typed on the way to 김, is a prefix of it. Formally: NFKD without combining marks, in lower
case, with the letters, quotation marks and dashes of LETTERS as others, runs of spaces as one space, and nothing
invisible. https://www.unicode.org/reports/tr15/

The SQL functions `folded_2` and `initials` do the same as `fold` and `initials`. A change of what they return needs new
names, and a migration that folds all rows again: during a rolling upgrade, processes of both versions write.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import overload

# Accents, Hebrew points, Arabic vowel and reading signs, and the marks of Japanese syllables. The marks of Indian
# scripts stay, because they are letters there. Python and PostgreSQL read this pattern and the next ones in the same
# way.
COMBINING_MARKS = (
    r"\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc"
    r"\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\u3099\u309a\ufe20-\ufe2f"
)
# Format characters, such as joiners, soft hyphens and direction marks, variation selectors, fillers and tatweel.
INVISIBLE = (
    r"\u00ad\u0640\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    r"\ufff9-\ufffb\U000e0001\U000e0020-\U000e007f\U000e0100-\U000e01ef"
)
REMOVED = f"[{COMBINING_MARKS}{INVISIBLE}]"
SPACES = r"[\t-\r\u001c-\u001f \u0085\u1680\u2028\u2029\u2800]+"
# What NFKD would make something else of: accents that people type for an apostrophe, a Korean point between words and
# fillers that look like a space, and the pairs of Korean initial consonants that a keyboard composes.
BEFORE_NFKD = {
    **dict.fromkeys("\u00b4\u0384\u1fbd\u1fbf\u1ffd", "'"),
    "ㆍ": "·",
    **dict.fromkeys("\u3164\uffa0", " "),
    "ㄳ": "ㄱㅅ",
    "ㄵ": "ㄴㅈ",
    "ㄶ": "ㄴㅎ",
    "ㄺ": "ㄹㄱ",
    "ㄻ": "ㄹㅁ",
    "ㄼ": "ㄹㅂ",
    "ㄽ": "ㄹㅅ",
    "ㄾ": "ㄹㅌ",
    "ㄿ": "ㄹㅍ",
    "ㅀ": "ㄹㅎ",
    "ㅄ": "ㅂㅅ",
}
# Letters that NFKD leaves whole, in lower case, each with the one that people type for it: Latin letters with a stroke,
# a hook and the like, the dotless i and the final sigma; Cyrillic ones of Kazakh, Tatar and others; Arabic and Persian
# forms of one letter; Hebrew final forms. Then quotation marks, dashes and points between words, also those of Hebrew,
# Armenian, Japanese and of transliterations.
LETTERS = {
    pair[0]: pair[2]
    for pair in """
        ⱥ=a ƀ=b ɓ=b ƃ=b ȼ=c ƈ=c đ=d ɖ=d ɗ=d ƌ=d ð=d ɇ=e ə=e ǝ=e ɛ=e ƒ=f ǥ=g ɠ=g ɣ=g ħ=h ⱨ=h ɨ=i ı=i ɩ=i ɉ=j ȷ=j ƙ=k ⱪ=k
        ł=l ƚ=l ɫ=l ⱡ=l ɲ=n ƞ=n ŋ=n ø=o ɔ=o ɵ=o ƥ=p ɋ=q ɍ=r ɽ=r ȿ=s ʂ=s ŧ=t ƭ=t ʈ=t ⱦ=t ʉ=u ʊ=u ʋ=v ⱳ=w ƴ=y ɏ=y
        ƶ=z ȥ=z ɀ=z ⱬ=z ς=σ
        ґ=г ғ=г ҕ=г җ=ж ҙ=з қ=к ҝ=к ҟ=к ҡ=к ӄ=к ң=н ӈ=н ӊ=н ҥ=н ө=о ҧ=п ҫ=с ҭ=т ү=у ұ=у ҳ=х һ=х ҷ=ч ҹ=ч ҿ=ч ә=а
        ى=ي ی=ي ک=ك ة=ه ہ=ه ھ=ه ە=ه ٱ=ا
        ך=כ ם=מ ן=נ ף=פ ץ=צ
        ‘=' ’=' ‚=' ‛=' ′=' ‵=' ʹ=' ʻ=' ʼ=' ʽ=' ˈ=' `=' ‹=' ›='
        ʾ=' ʿ=' ˋ=' ꞌ=' ՚=' ׳=' ❛=' ❜='
        “=" ”=" „=" ‟=" «=" »=" 〝=" 〞=" 〟=" ʺ=" ˮ=" ״=" ❝=" ❞="
        ‐=- ‒=- –=- —=- ―=- −=- ⁃=- ˗=- ⸺=- ⸻=- ־=- ֊=- ゠=-
        ・=· •=· ‧=· ∙=· ⋅=·
    """.split()  # noqa: SIM905, for a list of so many would fill the screen
}
LETTERS_OF_TWO = {"ß": "ss", "æ": "ae", "œ": "oe", "þ": "th", "װ": "וו", "ױ": "וי", "ײ": "יי"}
FOLDING = {ord(letter): other for letter, other in (LETTERS | LETTERS_OF_TWO).items()}
PREPARING = {ord(letter): other for letter, other in BEFORE_NFKD.items()}
# The consonants with which Korean syllables begin, once NFKD has taken the syllables apart.
INITIALS = r"\u1100-\u1112"


@overload
def fold(text: str) -> str: ...
@overload
def fold(text: None) -> None: ...
def fold(text: str | None) -> str | None:
    """Return `text` folded; `None` for `None`, as SQL has it."""
    return None if text is None else re.sub(SPACES, " ", fold_characters(text)).strip(" ")


def fold_characters(text: str) -> str:
    """Return `text` folded, but with all its spaces: the result for a text is that for its characters, put together."""
    if text.isascii() and "`" not in text:
        return text.lower()
    text = unicodedata.normalize("NFKD", text.translate(PREPARING))
    return re.sub(REMOVED, "", text).lower().translate(FOLDING)


@overload
def initials(folded: str) -> str: ...
@overload
def initials(folded: None) -> None: ...
def initials(folded: str | None) -> str | None:
    """Return the initial consonants of the Korean syllables in a folded text: of 김철수 what people type as ㄱㅊㅅ."""
    return None if folded is None else re.sub(f"[^{INITIALS}]", "", folded)


def fold_1(text: str | None) -> str | None:
    """Return `text` as `folded` did before migration 0014: the triggers of a database without it call that function."""
    if text is None:
        return None
    text = re.sub(f"[{COMBINING_MARKS}]", "", unicodedata.normalize("NFKD", text)).lower()
    return text.replace("ß", "ss").replace("ς", "σ")


def _postgresql_folded() -> str:
    text = _replacing("value", BEFORE_NFKD)
    text = f"regexp_replace(normalize({text}, NFKD), '{REMOVED}', '', 'g')"
    originals, others = (_quoted("".join(letters)) for letters in zip(*LETTERS.items(), strict=True))
    text = f"""translate(lower({text} COLLATE "und-x-icu"), {originals}, {others})"""
    return f"btrim(regexp_replace({_replacing(text, LETTERS_OF_TWO)}, '{SPACES}', ' ', 'g'), ' ')"


def _replacing(text: str, letters: Mapping[str, str]) -> str:
    for original, other in letters.items():
        text = f"replace({text}, {_quoted(original)}, {_quoted(other)})"
    return text


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


# For PostgreSQL. A connection to SQLite gets `fold` and `initials` themselves.
POSTGRESQL_FOLDED = f"""
CREATE FUNCTION folded_2(value text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN
{_postgresql_folded()}
"""
POSTGRESQL_INITIALS = f"""
CREATE FUNCTION initials(folded text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN
regexp_replace(folded, '[^{INITIALS}]', '', 'g')
"""
