"""An act is stored exactly when the transaction of its request commits, and erasing a person empties their events."""

import json
import re
from pathlib import Path

import pytest
from pyramid.httpexceptions import HTTPForbidden
from pyramid_retry import RetryableException
from sqlalchemy import text

import myproject
from myproject.history.events.kinds import KINDS
from myproject.models import FailedSignIn, User
from myproject.web.events import report_act, report_refusal
from tests.people import add_person, browser_of, everything_stored
from tests.signed_in import PASSWORD
from tests.signin.conftest import sign_in

from .conftest import kinds

NEW_PASSWORD = "nine green bottles hanging"
ADDRESS = "203.0.113.77"


@pytest.fixture
def logged(caplog):
    """Call `logged()`: return the security events in the log, parsed."""
    caplog.set_level("INFO", "myproject.security")
    return lambda: [json.loads(record.getMessage()) for record in caplog.records if record.name.endswith("security")]


def test_signing_in_and_out_is_stored_as_it_is_logged(enter, ada, stored, logged):
    enter(ada).get("/signout").forms["record"].submit(status=303)
    assert kinds(stored()) == ["signed in", "signed out"]
    for event, line in zip(stored(), logged(), strict=True):
        assert (event["kind"], event["request_id"]) == (line["event"], line["request"])
        assert (event["user_id"], event["actor_id"], event["address"]) == (ada.id, line["by"], "192.0.2.1")


def test_a_change_of_an_account_is_stored_with_what_it_was(admin, ada, stored):
    form = admin.get(f"/users/{ada.id}/edit").forms["record"]
    form["role"], form["email"] = "editor", "ada@example.org"
    form.submit(status=303)
    event = stored()[-1]
    facts = {"role": "editor", "role_before": "member", "active": True, "active_before": True, "email_changed": True}
    assert (event["kind"], event["user_id"], event["facts"]) == ("account changed", ada.id, facts)
    assert event["actor_id"] not in (None, ada.id)


def test_a_change_of_the_name_is_no_event(admin, ada, stored):
    form = admin.get(f"/users/{ada.id}/edit").forms["record"]
    form["name"] = "Ada King"
    form.submit(status=303)
    assert kinds(stored()) == ["signed in"]


def test_making_and_using_a_password_link_is_stored(admin, ada, visitor, stored):
    page = admin.get(f"/users/{ada.id}/password-link").forms["record"].submit(status=200)
    form = visitor("192.0.2.9").get(page.html.select_one(".secret code").text).forms["record"]
    form["password"] = NEW_PASSWORD
    form.submit(status=303)
    made, used, changed = stored()[1:]
    assert kinds([made, used, changed]) == ["password link made", "password link used", "password set"]
    assert {event["user_id"] for event in (made, used, changed)} == {ada.id}
    assert [event["actor_id"] is None for event in (made, used, changed)] == [False, True, True]


def test_ending_sessions_and_links_is_stored(admin, enter, ada, stored):
    enter(ada)
    admin.get(f"/users/{ada.id}/password-link").forms["record"].submit(status=200)
    page = admin.get(f"/users/{ada.id}/sign-ins")
    page.forms["record"].submit("end", value="link", status=303)
    page.forms["record"].submit("end", value="others", status=303)
    assert kinds(stored())[3:] == ["password link ended", "sign-ins ended"]


def test_deleting_a_user_is_stored_and_outlives_them(admin, ada, stored):
    admin.get(f"/users/{ada.id}/delete").forms["record"].submit(status=303)
    assert (stored()[-1]["kind"], stored()[-1]["user_id"]) == ("user deleted", ada.id)


@pytest.mark.usefixtures("nobody")
def test_the_setup_is_stored(visitor, rows, stored):
    form = visitor().get("/setup").forms["record"]
    form["name"], form["email"], form["password"] = "Ada Lovelace", "ada@example.com", PASSWORD
    form.submit(status=303)
    assert kinds(stored()) == ["administrator made", "signed in"]
    assert {event["user_id"] for event in stored()} == {rows(User)[0].id}


@pytest.mark.parametrize("answer", [HTTPForbidden, RuntimeError])
def test_an_act_of_a_request_that_aborts_is_neither_stored_nor_logged(answer, probe, stored, logged):
    def view(request):
        report_act(request, "password set", user=7)
        request.dbsession.flush()
        raise answer

    probe(view, status="*")
    assert "password set" not in kinds(stored())
    assert "password set" not in [line["event"] for line in logged()]


def test_an_act_of_a_request_that_is_tried_again_is_stored_once(probe, stored, logged):
    attempts = []

    def view(request):
        attempts.append(request)
        report_act(request, "password set", user=7)
        request.dbsession.flush()
        if len(attempts) < 3:
            raise RetryableException
        return "Hello"

    probe(view, status=200)
    assert kinds(stored()) == ["password set"]
    assert len(logged()) == 1


def test_a_commit_that_fails_stores_no_act(probe, outside, stored, rows):
    with outside.begin() as connection:
        connection.execute(text("ALTER TABLE security_events RENAME TO events_of_others"))

    def view(request):
        request.dbsession.add(User(name="Half done"))
        report_act(request, "password set", user=7)
        return "Hello"

    probe(view, status=500)
    with outside.begin() as connection:
        connection.execute(text("ALTER TABLE events_of_others RENAME TO security_events"))
    assert stored() == rows(User) == []


def test_no_name_email_password_or_digest_is_stored(admin, ada, visitor, outside, rows, make_person):
    sign_in(visitor(), "nobody@example.org", "hunter2hunter2")
    sign_in(visitor(), ada.email, "hunter2hunter2")
    form = admin.get(f"/users/{ada.id}/edit").forms["record"]
    form["role"], form["email"] = "editor", "ada@example.org"
    form.submit(status=303)
    events = "".join(everything_stored(outside)["security_events"]).lower()
    digests = [failure.account[:16] for failure in rows(FailedSignIn)]
    assert digests
    # Not "ada": the random id of a request may contain it.
    secrets = ["example", "lovelace", "hunter2", PASSWORD, *digests]
    assert [secret for secret in secrets if secret in events] == []


def test_an_odd_address_is_cut_and_made_printable(visitor, ada, stored):
    sign_in(visitor("192.0.2.1\n\0" + "x" * 60), ada.email, "a wrong password")
    assert stored()[0]["address"] == "192.0.2.1" + "x" * 36


def test_code_reports_known_kinds_only():
    code = "".join(path.read_text(encoding="utf-8") for path in Path(myproject.__file__).parent.rglob("*.py"))
    reported = set(re.findall(r'report_(?:act|refusal|late_act)\(\s*request,\s*"([^"]+)"', code))
    assert len(re.findall(r"(?<!def )report_(?:act|refusal|late_act)\(", code)) >= len(reported) > 10
    assert set(KINDS) == reported | {"administrator made"}


# Erasing


@pytest.fixture
def person(outside, wsgi):
    """A user who has caused events of every sort at an address of their own."""
    user = add_person(outside, "Zaphod Beeblebrox")
    app = browser_of(wsgi, outside, user)
    app.extra_environ["REMOTE_ADDR"] = ADDRESS
    app.get("/users/new", status=403)
    form = app.get(f"/users/{user.id}/password").forms["record"]
    form["your_password"], form["password"] = PASSWORD, NEW_PASSWORD
    form.submit(status=303)
    return user


def erase(app, user):
    """Erase the user through the page."""
    return app.get(f"/users/{user.id}/erase").forms["record"].submit(status=303)


def test_the_events_of_an_erased_person_are_emptied(app, person, stored, make_event):
    make_event("account changed", user_id=person.id, actor_id=0, address=ADDRESS, facts='{"role": "admin"}')
    make_event("signed in", user_id=0, address="192.0.2.1", request_id="abc", facts='{"role": "admin"}')
    assert ADDRESS in str(stored())
    before = len(stored())
    erase(app, person)
    assert len(stored()) == before + 1
    assert kinds(stored())[-1] == "erased"
    of_person = [event for event in stored() if person.id in (event["user_id"], event["actor_id"])]
    assert len(of_person) == before
    assert {(event["address"], event["request_id"], str(event["facts"])) for event in of_person} == {("", "", "{}")}
    [other] = [event for event in stored() if event not in of_person]
    assert (other["address"], other["request_id"], other["facts"]) == ("192.0.2.1", "abc", {"role": "admin"})


def test_an_erasure_that_fails_leaves_the_events(app, person, stored, outside):
    form = app.get(f"/users/{person.id}/erase").forms["record"]
    before = stored()
    with outside.begin() as connection:
        connection.execute(text("ALTER TABLE receipts RENAME TO no_receipts"))
    form.submit(status=500)
    assert stored() == before


def test_a_refusal_that_is_stored_after_the_erasure_is_empty(app, person, probe, stored, outside):
    def view(request):
        report_refusal(request, "refused", user=person.id, page="GET /probe")
        with outside.begin() as connection:
            connection.execute(text("DELETE FROM sign_ins WHERE user_id > 0"))
            connection.execute(text("DELETE FROM users WHERE id > 0"))
        return "Hello"

    # A request that only reads, so that the other program need not wait for it.
    probe(view, method="GET", status=200)
    event = stored()[-1]
    assert (event["kind"], event["user_id"], event["address"], event["facts"]) == ("refused", person.id, "", {})
    assert event["request_id"] == ""
