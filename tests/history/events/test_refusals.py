"""Refusals are stored after the answer, a bounded number a minute; the others are counted."""

import datetime
import threading

import pytest
from pyramid_retry import RetryableException
from sqlalchemy import text

from myproject.db.base import utcnow
from myproject.history.events import refusals
from myproject.history.events.refusals import STORED_REFUSALS_PER_MINUTE, StoredRefusals
from myproject.models import SecurityEvent
from myproject.web.events import report_refusal
from tests import sqlite_only
from tests.people import token_of
from tests.signin.conftest import sign_in

from .conftest import kinds

NOON = datetime.datetime(2026, 12, 1, 12, 0, 30, 5, datetime.UTC)


@pytest.fixture
def clock(monkeypatch, wsgi):
    """The time that refusals are counted by, in a list; a test may put another one in."""
    now = [NOON]
    monkeypatch.setattr(refusals, "utcnow", lambda: now[0])
    wsgi.registry["stored_refusals"].forget()
    return now


@pytest.fixture
def refuse(probe):
    """Call `refuse(number, kind)`: let `number` requests report a refusal."""

    def run(number, kind="form refused", **options):
        for _ in range(number):
            probe(lambda request: report_refusal(request, kind, **options) or "Hello", method="GET", status=200)

    return run


def of_others(stored):
    """Return (kind, minute, number) of the rows that count others."""
    return [(event["kind"], event["happened_at"], event["number"]) for event in stored() if event["number"] is not None]


def test_a_failed_sign_in_names_the_account_and_the_address(visitor, ada, stored):
    sign_in(visitor("192.0.2.7"), "ADA@example.com", "a wrong password")
    [event] = stored()
    assert (event["kind"], event["user_id"], event["actor_id"]) == ("sign-in failed", ada.id, None)
    assert (event["address"], event["facts"]) == ("192.0.2.7", {})


def test_an_unknown_email_names_nobody(visitor, stored):
    sign_in(visitor(), "nobody@example.com", "a wrong password")
    assert [(event["kind"], event["user_id"]) for event in stored()] == [("sign-in failed", None)]


def test_a_wrong_current_password_names_the_person(enter, ada, stored):
    form = enter(ada).get(f"/users/{ada.id}/password").forms["record"]
    form["your_password"], form["password"] = "a wrong password", "seven quiet llamas sing"
    form.submit(status=422)
    assert [(event["user_id"], event["actor_id"]) for event in stored()[1:]] == [(ada.id, ada.id)]


def test_slowed_attempts_are_stored(visitor, ada, stored):
    for _ in range(6):
        sign_in(visitor(), ada.email, "a wrong password")
    assert kinds(stored()) == ["sign-in failed"] * 5 + ["sign-in held up"]
    assert stored()[-1]["user_id"] == ada.id
    assert stored()[-1]["facts"]["seconds"] > 0


def test_a_missing_permission_is_stored_with_the_page(enter, ada, stored):
    enter(ada).get(f"/users/{ada.id}/erase?secret=1", status=403)
    event = stored()[-1]
    assert (event["kind"], event["user_id"], event["facts"]) == (
        "refused",
        ada.id,
        {"page": f"GET /users/{ada.id}/erase"},
    )


def test_a_forged_form_is_stored(app, stored):
    app.post("/users/new", {"name": "Eve"}, status=400)
    app.post("/users/new", {"name": "Eve"}, headers={"Origin": "https://evil.example"}, status=400)
    assert [event["facts"]["why"] for event in stored()] == ["without its token", "of another site"]


@pytest.mark.usefixtures("nobody")
def test_a_refused_setup_is_stored(visitor, stored):
    visitor().get("/setup").forms["record"].submit(status=422)
    assert kinds(stored()) == ["setup refused"]


def test_a_request_that_is_tried_again_is_stored_once(probe, stored):
    attempts = []

    def view(request):
        attempts.append(request)
        report_refusal(request, "form refused")
        if len(attempts) < 3:
            raise RetryableException
        return "Hello"

    probe(view, status=200)
    assert kinds(stored()) == ["form refused"]


@pytest.mark.usefixtures("clock")
def test_the_rows_of_a_minute_are_bounded_and_the_others_counted(refuse, stored):
    refuse(STORED_REFUSALS_PER_MINUTE)
    assert kinds(stored()) == ["form refused"] * STORED_REFUSALS_PER_MINUTE
    refuse(4)
    assert len(stored()) == STORED_REFUSALS_PER_MINUTE + 1
    assert of_others(stored) == [("form refused", NOON.replace(second=0, microsecond=0), 4)]


@pytest.mark.usefixtures("clock")
def test_a_flood_of_one_kind_hides_no_other_kind(refuse, stored):
    refuse(STORED_REFUSALS_PER_MINUTE + 1)
    refuse(1, "sign-in failed")
    assert kinds(stored()).count("sign-in failed") == 1


@pytest.mark.usefixtures("clock")
def test_a_flood_causes_few_writes(wsgi, refuse, stored, monkeypatch):
    refuse(STORED_REFUSALS_PER_MINUTE)
    writes = []
    write = refusals._write_others
    monkeypatch.setattr(refusals, "_write_others", lambda *given: writes.append(given[1].number) or write(*given))
    refuse(33)
    assert writes == [1, 1, 2, 4, 8, 16]
    assert of_others(stored)[0][2] == 32


def test_the_next_minute_stores_again_and_completes_the_number(clock, refuse, stored):
    refuse(STORED_REFUSALS_PER_MINUTE + 7)
    clock[0] += datetime.timedelta(minutes=2)
    refuse(1, "refused")
    refuse(1)
    assert of_others(stored) == [("form refused", NOON.replace(second=0, microsecond=0), 7)]
    assert kinds(stored()).count("form refused") == STORED_REFUSALS_PER_MINUTE + 1


def test_the_memory_does_not_grow_with_the_refusals(clock, refuse, wsgi):
    for _ in range(3):
        refuse(STORED_REFUSALS_PER_MINUTE + 2)
        clock[0] += datetime.timedelta(minutes=1)
    minute = wsgi.registry["stored_refusals"].minute
    assert len(minute.stored) == len(minute.written) == 1


@pytest.mark.usefixtures("clock")
def test_processes_count_in_one_row(wsgi, refuse, stored):
    refuse(STORED_REFUSALS_PER_MINUTE + 2)
    wsgi.registry["stored_refusals"] = StoredRefusals()
    refuse(STORED_REFUSALS_PER_MINUTE + 2)
    assert [number for _kind, _minute, number in of_others(stored)] == [4]


@pytest.mark.usefixtures("clock")
def test_what_the_database_refuses_is_counted_instead(refuse, outside, stored):
    with outside.begin() as connection:
        connection.execute(text("ALTER TABLE security_events RENAME TO events_of_others"))
    refuse(2)
    with outside.begin() as connection:
        connection.execute(text("ALTER TABLE events_of_others RENAME TO security_events"))
    refuse(1)
    assert set(kinds(stored())) == {("form refused", 2), "form refused"}


@sqlite_only
@pytest.mark.usefixtures("clock")
def test_nobody_waits_while_another_program_holds_the_lock(visitor, outside, stored):
    browser = visitor()
    browser.get("/signin")
    with outside.connect() as writer:
        writer.exec_driver_sql("BEGIN IMMEDIATE")
        started = utcnow()
        browser.post("/signin", {"email": "a@example.com", "csrf_token": "x"}, status=400)
        waited = utcnow() - started
        writer.rollback()
    assert waited < datetime.timedelta(seconds=2)
    browser.post("/signin", {"email": "a@example.com", "csrf_token": "x"}, status=400)
    assert set(kinds(stored())) == {("form refused", 1), "form refused"}


def test_the_answer_is_complete_before_the_event_is_stored(wsgi, visitor, stored):
    browser = visitor()
    token = token_of(browser)
    seen = []

    def application(environ, start_response):
        body = wsgi(environ, start_response)
        yield from body
        seen.append(kinds(stored()))
        body.close()

    browser.app = application
    browser.post("/signin", {"email": "a@example.com", "password": "wrong", "csrf_token": token}, status=422)
    assert (seen, kinds(stored())) == ([[]], ["sign-in failed"])


@pytest.mark.usefixtures("clock")
def test_threads_count_every_refusal_once(wsgi, stored):
    counted, total = StoredRefusals(), 200
    written = []

    def count():
        for _ in range(total // 4):
            is_stored, due = counted._count("form refused")
            written.append((is_stored, sum(others.number for others in due)))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(is_stored for is_stored, _number in written) == STORED_REFUSALS_PER_MINUTE
    others = sum(number for _is_stored, number in written)
    assert others + counted.minute.unwritten["form refused"] == total - STORED_REFUSALS_PER_MINUTE


def test_the_table_takes_no_number_below_one(make_event):
    with pytest.raises(Exception, match="number_positive"):
        make_event("form refused", number=0)
    assert SecurityEvent.__table__.c.number.nullable
