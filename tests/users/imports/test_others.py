"""What others notice while an import is being saved: they read, and no edit of theirs is lost."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from myproject.models import Entry, User
from myproject.users.imports import jobs
from tests.signed_in import browser

from .importing import Importing, wait_until

LINES = "name,email\n" + "".join(f"New {number},new{number}@example.com\n" for number in range(500))
EDITS = 100


@pytest.fixture
def settings(settings, short_waits):
    """The settings of an application whose requests wait for a lock for a moment only."""
    return settings


def edit(wsgi, user, answers):
    """Edit a user, and send the form again as long as the page says that an import is being saved."""
    app = browser(wsgi)
    form = app.get(f"/users/{user.id}/edit").forms["record"]
    form["name"] = f"{user.name}, edited"
    answer = form.submit(status="*")
    while answer.status_int == 503:
        answer.mustcontain("kept on this page")
        # Or it has just ended.
        answers.append("An import is being saved" in answer and "Users are being imported: 500." in answer)
        answer = answer.forms["record"].submit(status="*")
    return answer.status_int


def test_of_a_hundred_edits_during_an_import_none_is_lost(importing, wsgi, app, held, make_user, rows):
    users = [make_user(f"User {number}") for number in range(EDITS)]
    importing.upload(LINES.encode())
    go_on = held("applying")
    importing.page.forms["record"].submit(status=303)
    wait_until(importing.is_being_saved)
    answers = []
    with ThreadPoolExecutor(6) as pool:
        edits = [pool.submit(edit, wsgi, user, answers) for user in users]
        # Reading goes on.
        wait_until(lambda: app.get("/users?q=User").status_int == 200 and answers.count(True) >= 6)
        go_on.append(True)
        assert [each.result() for each in edits] == [303] * EDITS
    importing.ended().mustcontain("The users were imported")
    assert sorted(user.name for user in rows(User) if user.name.startswith("User")) == sorted(
        f"{user.name}, edited" for user in users
    )
    assert len(rows(User)) == EDITS + 500
    of_routes = Counter(entry.route for entry in rows(Entry))
    assert (of_routes["users.edit"], of_routes[jobs.ROUTE]) == (EDITS, 1)


def test_two_imports_at_once_are_saved_one_after_the_other(importing, app, held, rows, outside):
    importing.upload(b"name,email\nAda,ada@example.com\n")
    second = Importing(app)
    second.upload(text="name\nLinus", mode="add")
    go_on = held("applying")
    importing.page.forms["record"].submit(status=303)
    wait_until(importing.is_being_saved)
    if outside.dialect.name == "postgresql":
        second.page.forms["record"].submit(status=303).follow().mustcontain("Waiting for other imports")
        go_on.append(True)
    else:
        page = second.page.forms["record"].submit(status=503)
        page.mustcontain("Users are being imported: 1.")
        go_on.append(True)
        importing.ended()
        page.forms["record"].submit(status=303)
    importing.ended().mustcontain("The users were imported")
    second.ended().mustcontain("The users were imported")
    assert Counter(entry.route for entry in rows(Entry))[jobs.ROUTE] == 2
