"""What is logged about signing in, and what is never logged."""

import json
import logging

import pytest
from sqlalchemy import insert

from myproject.models import SignIn, User
from tests.signed_in import PASSWORD

from .conftest import sign_in

NEW_PASSWORD = "nine green bottles hanging"


@pytest.fixture
def events(caplog):
    """Call `events()`: return the security events logged so far, parsed from JSON, oldest first."""
    caplog.set_level(logging.DEBUG, "myproject")
    # Without the events of the fixtures.
    caplog.clear()

    def read():
        lines = [record.getMessage() for record in caplog.records if record.name == "myproject.security"]
        assert [line for line in lines if "\n" in line] == []
        return [json.loads(line) for line in lines]

    return read


@pytest.fixture
def logged(caplog):
    """Call `logged()`: return everything logged so far, by all loggers, as one text."""
    caplog.set_level(logging.DEBUG)
    return lambda: caplog.text + "".join(str(record.__dict__) for record in caplog.records)


def names(events):
    """Return the names of the events logged so far."""
    return [event["event"] for event in events()]


def facts(event):
    """Return an event without the id of its request."""
    return {name: value for name, value in event.items() if name != "request"}


def test_signing_in_and_out_is_logged(enter, ada, events):
    browser = enter(ada)
    browser.get("/signout").forms["record"].submit(status=303)
    signed_in, signed_out = events()
    assert facts(signed_in) == {"event": "signed in", "by": None, "address": "192.0.2.1", "user": ada.id}
    assert facts(signed_out) == {"event": "signed out", "by": ada.id, "address": "192.0.2.1"}
    assert len(signed_in["request"]) == 32
    assert signed_in["request"] != signed_out["request"]


@pytest.mark.usefixtures("ada")
def test_failed_sign_ins_name_the_account_by_a_stable_digest(visitor, events):
    for email in "ada@example.com", "ADA@example.com", "nobody@example.com":
        sign_in(visitor(), email, "a wrong password")
    assert names(events) == ["sign-in failed"] * 3
    first, second, third = (event["account"] for event in events())
    assert first == second != third
    assert (len(first), events()[0]["by"]) == (16, None)


@pytest.mark.usefixtures("ada")
def test_a_failed_sign_in_is_logged_with_the_id_of_its_request(visitor, events):
    sign_in(visitor("2001:db8::1"), password="a wrong password")
    assert events()[0]["address"] == "2001:db8::1"
    assert len(events()[0]["request"]) == 32


def test_a_change_of_the_own_password_is_logged(enter, ada, events):
    form = enter(ada).get(f"/users/{ada.id}/password").forms["record"]
    form["your_password"], form["password"] = "a wrong password", NEW_PASSWORD
    form.submit(status=422)
    form["your_password"] = PASSWORD
    form.submit(status=303)
    assert names(events) == ["signed in", "sign-in failed", "password confirmed", "password set"]
    assert [event["by"] for event in events()] == [None, ada.id, ada.id, ada.id]
    assert events()[3]["user"] == ada.id


@pytest.mark.usefixtures("nobody")
def test_the_first_administrator_is_logged(visitor, events, rows):
    form = visitor().get("/setup").forms["record"]
    form["name"], form["email"], form["password"] = "Ada Lovelace", "ada@example.com", PASSWORD
    form.submit(status=303)
    assert names(events) == ["administrator made", "signed in"]
    made = {"event": "administrator made", "by": None, "address": "192.0.2.1", "user": rows(User)[0].id}
    assert facts(events()[0]) == made


def test_making_and_using_a_link_is_logged(admin, ada, visitor, events, rows):
    page = admin.get(f"/users/{ada.id}/password-link").forms["record"].submit(status=200)
    form = visitor("192.0.2.9").get(page.html.select_one(".secret code").text).forms["record"]
    form["password"] = NEW_PASSWORD
    form.submit(status=303)
    made, used, changed = events()
    assert (made["event"], made["by"], made["user"]) == ("password link made", rows(User)[0].id, ada.id)
    by_nobody = {"by": None, "address": "192.0.2.9", "user": ada.id}
    assert facts(used) == {"event": "password link used", **by_nobody}
    assert facts(changed) == {"event": "password set", **by_nobody}


def test_ending_sign_ins_is_logged(enter, ada, events, rows):
    enter(ada)
    page = enter(ada).get(f"/users/{ada.id}/sign-ins")
    first = str(rows(SignIn)[0].id)
    page.forms["record"].submit("end", value=first, status=303)
    page.forms["record"].submit("end", value="others", status=303)
    assert names(events)[2:] == ["sign-ins ended"] * 2
    assert [(event["by"], event["user"], event["which"]) for event in events()[2:]] == [
        (ada.id, ada.id, first),
        (ada.id, ada.id, "others"),
    ]


def test_a_refusal_is_logged(enter, ada, events):
    enter(ada).get(f"/users/{ada.id}/erase", status=403)
    refused = {"event": "refused", "by": ada.id, "address": "192.0.2.1", "page": f"GET /users/{ada.id}/erase"}
    assert facts(events()[1]) == refused


def test_a_redirect_to_the_sign_in_is_not_logged(stranger, events):
    stranger.get("/users", status=303)
    assert events() == []


def test_erasing_logs_the_id_and_not_the_name(admin, ada, events, logged):
    admin.get(f"/users/{ada.id}/erase").forms["record"].submit(status=303)
    assert [(event["event"], event["user"]) for event in events()] == [("erased", ada.id)]
    assert "Ada Lovelace" not in logged()


def test_refused_acts_are_not_logged_as_done(admin, enter, ada, age, events):
    form = enter(ada).get(f"/users/{ada.id}/password").forms["record"]
    form["your_password"], form["password"] = PASSWORD, "short"
    form.submit(status=422)
    age(SignIn.confirmed_at, minutes=16)
    for page in "erase", "password-link":
        form = admin.get(f"/users/{ada.id}/{page}").forms["record"]
        form["your_password"] = "a wrong password"
        form.submit(status=422)
    assert names(events) == ["signed in", "sign-in failed", "sign-in failed"]


def test_line_breaks_in_a_request_add_no_log_lines(visitor, events, ada):
    browser = visitor("192.0.2.1\n{}", HTTP_USER_AGENT='a"b\\c é')
    sign_in(browser)
    browser.get(f"/users/{ada.id}/erase?a=%0A%22,%22event%22:%22signed%20in", status=403)
    assert names(events) == ["signed in", "refused"]


def test_no_password_email_or_token_is_logged(admin, enter, ada, visitor, events, logged, subtests):
    secrets = {"wrong": "a wrong password", "right": PASSWORD, "new": NEW_PASSWORD, "email": "ada@example.com"}
    secrets["typed email"] = "nobody@example.org"
    sign_in(visitor(), "nobody@example.org", "a wrong password")
    browser = enter(ada)
    secrets["cookie"] = browser.cookies["session"]
    form = browser.get(f"/users/{ada.id}/password").forms["record"]
    secrets["CSRF"] = form["csrf_token"].value
    form["your_password"], form["password"] = "a wrong password", NEW_PASSWORD
    form.submit(status=422)
    link = admin.get(f"/users/{ada.id}/password-link").forms["record"].submit().html.select_one(".secret code").text
    secrets["link"] = link.rpartition("/")[2]
    form = visitor().get(link).forms["record"]
    form["password"] = NEW_PASSWORD
    form.submit(status=303)
    visitor().get(link, status=404)
    browser.get("/signout", status=303)
    assert names(events).count("sign-in failed") == 2
    assert "password set" in names(events)
    for what, secret in secrets.items():
        with subtests.test(what):
            assert secret not in logged()


def test_a_change_of_role_or_activity_is_logged(admin, ada, events):
    form = admin.get(f"/users/{ada.id}/edit").forms["record"]
    form["role"], form["active"] = "editor", False
    form.submit(status=303)
    [changed] = events()
    assert (
        facts(changed).items()
        >= {"event": "account changed", "user": ada.id, "role": "editor", "active": False}.items()
    )


def test_an_attempt_that_has_to_wait_is_logged(visitor, ada, events):
    for _ in range(6):
        sign_in(visitor(), ada.email, "a wrong password")
    assert names(events) == ["sign-in failed"] * 5 + ["sign-in held up"]
    assert len({event["account"] for event in events()}) == 1


@pytest.mark.parametrize(
    ("headers", "why"), [({}, "without its token"), ({"Origin": "https://evil.example"}, "of another site")]
)
def test_a_forged_form_is_logged(admin, headers, why, events):
    admin.post("/users/new", {"name": "Eve"}, headers=headers, status=400)
    [refused] = events()
    assert (refused["event"], refused["why"], refused["page"]) == ("form refused", why, "POST /users/new")


def test_parameters_of_failed_statements_are_not_logged(probe, logged):
    name = "-".join(["not", "for", "logs"])
    probe(lambda request: request.dbsession.execute(insert(User).values(name=name, role=name)), status=500)
    # The DETAIL of PostgreSQL's own message contains the row that a constraint refuses.
    told = "".join(line for line in logged().splitlines() if "Failing row" not in line)
    assert "INSERT INTO users" in told
    assert name not in told


def test_no_page_contains_a_password_hash(admin, ada):
    for path in "/users", f"/users/{ada.id}", f"/users/{ada.id}/edit", f"/users/{ada.id}/sign-ins":
        admin.get(path).mustcontain(no=["argon2", ada.password_hash])
