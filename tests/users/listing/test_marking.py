"""Marks are where a reader sees the words of a search; the text stays complete and is escaped."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from myproject.db.folding import fold
from myproject.users.listing.marking import mark

MARKED = {
    ("Kim Lee", "kim"): "[Kim] Lee",
    ("Kim Kimball", "kim"): "[Kim] [Kim]ball",
    ("Ada", "b"): "Ada",
    ("banana", "ana"): "b[anana]",
    ("John Doe", "doe john"): "[John] [Doe]",
    ("Johnson", "john son"): "[Johnson]",
    ("José", "jose"): "[José]",
    ("Jose\u0301 Ruiz", "jose"): "[Jose\u0301] Ruiz",
    ("Jose\u0301x", "jose x"): "[Jose\u0301x]",
    ("Jose\u0301 Ruiz", "ruiz"): "Jose\u0301 [Ruiz]",
    ("ＫＩＭ", "kim"): "[ＫＩＭ]",
    ("Strauß", "ss"): "Strau[ß]",
    ("ﬁnn", "in"): "[ﬁn]n",
    ("ΟΔΥΣΣΕΥΣ", "σευσ"): "ΟΔΥΣ[ΣΕΥΣ]",
    ("김철수", "철수"): "김[철수]",
    ("김철수", "ㄱㅊㅅ"): "[김철수]",
    ("김 철수", "ㅊㅅ"): "김 [철수]",
    ("김 철수", "ㄱㅊ"): "[김 철]수",
    ("각시", "ㄳ"): "[각시]",
    ("Łukasz", "lu"): "[Łu]kasz",
    ("O’Connor", "o'c"): "[O’C]onnor",
    ("Kim\u200bchi", "kimc"): "[Kim\u200bc]hi",
    ("김철수", "기"): "[김]철수",
    ("<b>&", "<b>"): "[&lt;b&gt;]&amp;",
    ("", "a"): "",
}


@pytest.mark.parametrize(("text", "words"), MARKED)
def test_each_place_of_a_word_is_marked(text, words):
    marked = mark(text, [fold(word) for word in words.split()])
    assert str(marked) == MARKED[text, words].replace("[", "<mark>").replace("]", "</mark>")


def test_a_text_without_words_is_only_escaped():
    assert mark("<b>", []) == "&lt;b&gt;"


@given(st.text(), st.lists(st.text(min_size=1, max_size=3)))
def test_only_marks_are_added_to_a_text(text, words):
    marked = mark(text, [word for word in map(fold, words) if word])
    assert re.sub("</?mark>", "", marked) == str(escape(text))


@given(st.text("abáß김기ﬁ\u0301 ", min_size=1), st.data())
def test_any_word_of_a_text_is_marked(text, data):
    folded = fold(text)
    start = data.draw(st.integers(0, len(folded)))
    word = folded[start : start + data.draw(st.integers(1, 3))]
    assert ("<mark>" in mark(text, [word] if word else [])) == bool(word)
