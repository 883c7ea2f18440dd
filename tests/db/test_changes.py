"""What a Session has written is told in plain English."""

import pytest

from myproject.db.changes import noun_of, plural
from myproject.models import SavedView, User


@pytest.mark.parametrize(("model", "noun"), [(User, "user"), (SavedView, "saved view")])
def test_a_model_is_named_in_words(model, noun):
    assert noun_of(model) == noun


@pytest.mark.parametrize(
    ("noun", "several"),
    [("user", "users"), ("entry", "entries"), ("day", "days"), ("box", "boxes"), ("batch", "batches")],
)
def test_nouns_have_their_usual_plural(noun, several):
    assert plural(noun) == several
