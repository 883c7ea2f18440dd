"""What a person does to their own account, and to the sign-ins of others: the pages say it before and afterwards."""

import pytest

from tests.people import add_person, browser_of


@pytest.fixture
def editor(outside):
    """An editor, who may delete and deactivate themself."""
    return add_person(outside, "Edith", role="editor")


@pytest.fixture
def own(wsgi, outside, editor):
    """The browser in which the editor is signed in."""
    return browser_of(wsgi, outside, editor)


def notes(page):
    """Return the notes of `page`."""
    return [" ".join(note.text.split()) for note in page.html(role="note")]


def hint(page, field):
    """Return the text below a field."""
    return page.html.find(id=f"{field}-hint").text


def after_signing_out(answer):
    """Follow `answer` to the sign-in page, where a person is led who is not signed in any more; return its message."""
    page = answer.follow().follow()
    assert page.html.h1.text == "Sign in"
    assert page.test_app.get("/signin").html.find(role="status") is None
    return page.html.find(role="status").text


def test_a_person_who_deletes_themself_is_told_before_and_afterwards(own, editor):
    page = own.get(f"/users/{editor.id}/delete")
    assert "This is your own account. You will be signed out." in notes(page)
    assert after_signing_out(page.forms["record"].submit(status=303)) == "Edith was deleted."


def test_an_administrator_who_erases_themself_is_told_before_and_afterwards(wsgi, outside):
    administrator = add_person(outside, "Ada", role="admin")
    page = browser_of(wsgi, outside, administrator).get(f"/users/{administrator.id}/erase")
    assert "This is your own account. You will be signed out." in notes(page)
    assert after_signing_out(page.forms["record"].submit(status=303)) == "The user was erased permanently."


def test_a_person_who_deactivates_themself_is_told_before_and_afterwards(own, editor):
    page = own.get(f"/users/{editor.id}/edit")
    assert hint(page, "active").startswith("This is your own account. If it becomes inactive, you are signed out")
    form = page.forms["record"]
    form["active"] = False
    said = after_signing_out(form.submit(status=303))
    assert said == "Your account is inactive now, so you were signed out."


def test_the_message_is_not_shown_to_the_next_person_in_the_browser(app, own, editor, wsgi, outside):
    own.get(f"/users/{editor.id}/delete").forms["record"].submit(status=303)
    other = add_person(outside, "Bob")
    form = own.get("/signin").forms["record"]
    form["email"], form["password"] = other.email, "correct horse battery staple"
    form.submit(status=303)
    assert own.get("/users").html.find(role="status") is None


@pytest.mark.parametrize("page", ["delete", "erase"])
def test_the_page_of_somebody_else_says_nothing_of_the_own_account(app, editor, page):
    app.get(f"/users/{editor.id}/{page}").mustcontain(no="your own account")


def test_the_form_says_what_signs_a_user_out(app, editor):
    page = app.get(f"/users/{editor.id}/edit")
    assert hint(page, "role") == "A new role signs the user out everywhere."
    assert hint(page, "active") == "Inactive users cannot sign in, and are signed out everywhere."


def test_the_form_of_the_own_account_says_what_signs_oneself_out(wsgi, outside):
    administrator = add_person(outside, role="admin")
    page = browser_of(wsgi, outside, administrator).get(f"/users/{administrator.id}/edit")
    assert hint(page, "role") == "A new role signs you out of all other browsers."
