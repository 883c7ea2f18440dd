"""The message that the page behind a redirect shows once."""

import time

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.i18n import TranslationString

from myproject.web.flash import MAX_AGE_SECONDS, MAX_LENGTH, flash


def message(page):
    """Return the message of `page`, or `None`."""
    found = page.html.find(role="status")
    return found and found.text


def leave(probe, text):
    """Leave `text` for the list of users."""

    def view(request):
        flash(request, TranslationString(text))
        return HTTPSeeOther("/users")

    probe(view, status=303)


def test_a_message_is_shown_once(app, probe):
    leave(probe, "Saved.")
    assert [message(app.get("/users")), message(app.get("/users"))] == ["Saved.", None]


def test_head_leaves_the_message_for_the_next_page(app, probe):
    leave(probe, "Saved.")
    head = app.head("/users")
    assert "Set-Cookie" not in head.headers
    page = app.get("/users")
    assert message(page) == "Saved."
    assert head.content_length == page.content_length


def test_the_last_of_several_messages_is_shown(app, probe):
    leave(probe, "Saved.")
    leave(probe, "Deleted.")
    assert message(app.get("/users")) == "Deleted."


def test_a_long_message_is_cut_to_fit_into_the_cookie(app, probe):
    leave(probe, "가" * 5000)
    assert message(app.get("/users")) == "가" * (MAX_LENGTH - 1) + "…"


def test_a_message_whose_page_was_not_opened_in_time_is_not_shown(app, probe, monkeypatch):
    leave(probe, "Saved.")
    later = time.time() + MAX_AGE_SECONDS + 1
    monkeypatch.setattr("time.time", lambda: later)
    assert message(app.get("/users")) is None
