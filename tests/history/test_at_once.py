"""Two people who undo, or an edit and an undo, at the same moment: each answer is true, and nothing is done twice."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import update

from myproject.models import User
from tests.people import add_person, browser_of

ATTEMPTS = 5


@pytest.fixture
def at_once():
    """Call `at_once(*functions)`: run them in threads that start together; return what they return."""

    def run(*functions):
        start = Barrier(len(functions))

        def wait_and(function):
            start.wait(10)
            return function()

        with ThreadPoolExecutor(len(functions)) as threads:
            return list(threads.map(wait_and, functions))

    return run


def undo_form(app, entry):
    return app.get(f"/history/{entry.id}/undo").forms["record"]


def test_of_two_undos_at_once_one_is_done_and_the_other_asks_again(wsgi, outside, make_user, rows, entries, at_once):
    browsers = [browser_of(wsgi, outside, add_person(outside, name, role="admin")) for name in ("Eve", "Max")]
    user = make_user(name="Ada")
    for age in range(ATTEMPTS):
        with outside.begin() as connection:
            connection.execute(update(User).where(User.id == user.id).values(age=age))
        before = entries()
        forms = [undo_form(app, before[-1]) for app in browsers]
        answers = at_once(*(lambda form=form: form.submit(expect_errors=True).status_int for form in forms))
        assert sorted(answers) == [303, 422] or sorted(answers) == [303, 409]
        assert [entry.undoes_id for entry in entries()[len(before) :]] == [before[-1].id]
        assert next(row for row in rows(User) if row.id == user.id).age is None


def test_an_edit_and_an_undo_at_once_lose_nothing(wsgi, outside, make_user, rows, entries, at_once):
    browsers = [browser_of(wsgi, outside, add_person(outside, name, role="admin")) for name in ("Eve", "Max")]
    user = make_user(name="Ada")
    for number in range(ATTEMPTS):
        before = next(row for row in rows(User) if row.id == user.id)
        with outside.begin() as connection:
            connection.execute(update(User).where(User.id == user.id).values(age=number))
        undo = undo_form(browsers[0], entries()[-1])
        edit = browsers[1].get(f"/users/{user.id}/edit").forms["record"]
        edit["name"] = f"Ada {number}"
        undone, saved = at_once(
            *(lambda form=form: form.submit(expect_errors=True).status_int for form in (undo, edit))
        )
        assert (undone, saved) in ((303, 409), (409, 303))
        after = next(row for row in rows(User) if row.id == user.id)
        assert (after.name, after.age) == ((before.name, before.age) if undone == 303 else (f"Ada {number}", number))
