"""`/metrics` counts what has happened, exactly: read by prometheus_client, before and after."""

import threading

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pyramid.request import Request
from pyramid_retry import RetryableException
from sqlalchemy import text

from myproject import main
from myproject.probes import SERVER_KEY, ServerState
from myproject.web.events import report_act, report_refusal
from tests.people import add_person, token_of
from tests.signed_in import EMAIL, PASSWORD

from .monitoring import probe_of, samples_of
from .users.imports.importing import checked_import


@pytest.fixture
def scrape(wsgi):
    """Call `scrape()`: return all samples of this moment."""
    return lambda **environ: samples_of(probe_of(wsgi, **environ).get("/metrics").text)


@pytest.fixture
def increases(scrape):
    """Call `increases()`: return which samples of counters have grown since the last call, and by how much.

    Those of the process, of times, and of the scrape itself are left out.
    """
    last = scrape()

    def since():
        nonlocal last
        before, last = last, scrape()
        grown = {key: value - before.get(key, 0) for key, value in last.items() if value != before.get(key, 0)}
        return {
            key: value
            for key, value in grown.items()
            if key[0].startswith("myproject_")
            and key[0].endswith("_total")
            and ("route", "metrics") not in key
            and key != ("myproject_transactions_total", ("outcome", "unused"), ("reason", ""))
        }

    return since


def requests(route, method, status):
    return "myproject_requests_total", ("method", method), ("route", route), ("status", str(status))


def transactions(outcome, reason=""):
    return "myproject_transactions_total", ("outcome", outcome), ("reason", reason)


def events(kind):
    return "myproject_security_events_total", ("kind", kind)


ABOUT_SERVERS = ("myproject_database_info", "myproject_synchronous_standbys")


def test_the_answer_is_the_text_format(wsgi, database_url):
    answer = probe_of(wsgi).get("/metrics", headers={"Accept": "application/openmetrics-text; version=x"})
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    ours = {name for name in families if name.startswith("myproject_")}
    assert ours == {
        "myproject_check",
        "myproject_conflicts",
        "myproject_exported_rows",
        "myproject_imported_rows",
        "myproject_imports",
        "myproject_imports_running",
        "myproject_pool_connections",
        "myproject_pool_connections_limit",
        "myproject_ready",
        "myproject_request_seconds",
        "myproject_requests",
        "myproject_retries",
        "myproject_security_events",
        "myproject_spool_bytes",
        "myproject_spool_imports",
        "myproject_transactions",
        *(ABOUT_SERVERS if database_url.startswith("postgresql") else ()),
    }
    assert all(families[name].documentation.endswith(".") for name in ours)
    assert "process_resident_memory_bytes" in families
    assert "_created" not in answer.text


def test_pages_and_forms_are_counted_by_route_and_never_by_path(app, increases):
    app.get("/users")
    app.get("/users/77", status=404)
    app.get("/nowhere/77?q=secret", status=404)
    assert increases() == {
        requests("users.list", "GET", 200): 1,
        requests("users.show", "GET", 404): 1,
        requests("none", "GET", 404): 1,
        transactions("read-only"): 1,
        transactions("read-only", "status"): 1,
        transactions("unused", "status"): 1,
    }


def test_a_form_is_counted_with_its_transaction(app, increases):
    form = app.get("/users/new").forms["record"]
    form["name"] = ""
    form.submit(status=422)
    form["name"] = "Ada"
    form.submit(status=303)
    counted = increases()
    assert counted[requests("users.new", "POST", 422)] == counted[requests("users.new", "POST", 303)] == 1
    assert counted[transactions("rolled back", "status")] == counted[transactions("committed")] == 1


def test_latency_is_counted_in_buckets(app, scrape):
    route = ("method", "GET"), ("route", "users.list")
    before, _answer, after = scrape(), app.get("/users"), scrape()
    names = {"myproject_request_seconds_count": (), "myproject_request_seconds_bucket": (("le", "+Inf"),)}
    for name, bucket in names.items():
        key = (name, *bucket, *route)
        assert after[key] - before.get(key, 0) == 1


def test_attempts_that_are_tried_again_are_counted_by_reason(probe, increases):
    attempts = []

    def view(request):
        request.dbsession.execute(text("SELECT 1"))
        attempts.append(request)
        if len(attempts) < 3:
            raise RetryableException
        return "done"

    probe(view)
    assert increases() == {
        requests("probe", "POST", 200): 1,
        transactions("committed"): 1,
        ("myproject_retries_total", ("reason", "lost race")): 2,
    }


def test_a_defect_is_counted(probe, increases):
    probe(lambda request: 1 / 0, status=500)
    assert increases() == {requests("probe", "POST", 500): 1, transactions("unused", "exception"): 1}


def test_a_form_that_meets_the_change_of_somebody_else_is_a_conflict(app, make_user, outside, increases):
    user = make_user("Ada")
    form = app.get(f"/users/{user.id}/edit").forms["record"]
    with outside.begin() as connection:
        connection.execute(text("UPDATE users SET name = 'Grace'"))
    form["name"] = "Alan"
    form.submit(status=409)
    assert increases()["myproject_conflicts_total", ("route", "users.edit")] == 1


def sign_in(browser, password):
    form = browser.get("/signin").forms["record"]
    form["email"], form["password"] = EMAIL, password
    return form.submit(expect_errors=True)


def test_sign_ins_and_failures_are_counted(stranger, increases):
    for _ in range(6):
        sign_in(stranger, "wrong")
    counted = increases()
    assert counted[events("sign-in failed")] == 5
    assert counted[events("sign-in held up")] == 1
    assert counted[requests("signin", "POST", 429)] == 1
    assert events("signed in") not in counted


def test_a_sign_in_is_counted_when_it_is_committed(stranger, increases):
    assert sign_in(stranger, PASSWORD).status_int == 303
    assert increases()[events("signed in")] == 1


def test_an_act_that_is_rolled_back_is_not_counted(probe, make_user, increases):
    user = make_user()

    def view(request):
        report_act(request, "user deleted", user=user.id)
        return 1 / 0

    probe(view, status=500)
    assert events("user deleted") not in increases()


def test_a_refusal_is_counted_once_for_a_request_that_is_tried_again(probe, increases):
    attempts = []

    def view(request):
        report_refusal(request, "refused", page="probe")
        attempts.append(request)
        if len(attempts) < 3:
            raise RetryableException
        return "done"

    probe(view)
    assert increases()[events("refused")] == 1


def test_exports_are_counted_with_their_rows(app, make_user, increases):
    make_user("Ada")
    make_user("Grace")
    app.get("/users/export.csv")
    counted = increases()
    assert counted["myproject_exported_rows_total", ("what", "users")] == 3
    assert counted[events("exported")] == 1


def test_imports_are_counted(app, wsgi, increases, scrape):
    job = checked_import(wsgi, 0, "admin")
    spooled = scrape()
    assert spooled["myproject_spool_imports", ("state", "checked")] == 1
    assert spooled["myproject_spool_bytes",] > 0
    wsgi.registry["imports"].save(job.key, job.plan, 0)
    wsgi.registry["imports"].wait(60)
    counted = increases()
    assert counted["myproject_imports_total", ("state", "checked")] == 1
    assert counted["myproject_imports_total", ("state", "saved")] == 1
    assert counted["myproject_imported_rows_total", ("change", "new")] == job.numbers["new"] > 0


def test_the_pool_is_read_when_somebody_asks(wsgi, scrape):
    with wsgi.registry["dbsession_factory"].kw["bind"].connect():
        samples = scrape()
    assert samples["myproject_pool_connections", ("state", "in use")] == 1
    assert samples["myproject_pool_connections_limit",] == 15
    assert scrape()["myproject_pool_connections", ("state", "in use")] == 0


def test_it_says_what_readyz_says(wsgi, scrape, monkeypatch):
    assert scrape()["myproject_ready",] == 1
    assert scrape()["myproject_check", ("about", "database")] == 1
    end = threading.Event()
    monkeypatch.setattr("myproject.health.LONGEST_ANSWER_SECONDS", 0.1)
    monkeypatch.setattr("myproject.health.examine", lambda *_: end.wait(30))
    samples = scrape()
    end.set()
    assert samples["myproject_ready",] == samples["myproject_check", ("about", "database")] == 0


def test_the_server_tells_how_many_requests_wait(scrape):
    state = ServerState(is_stopping=False, threads=8, waiting_requests=3, is_address_of_proxy=False)
    samples = scrape(**{SERVER_KEY: state})
    assert samples["myproject_server_threads",] == 8
    assert samples["myproject_server_waiting_requests",] == 3


def test_nothing_that_was_submitted_is_a_label(app, wsgi, outside, increases):
    person = add_person(outside, "kanarienvogel", "editor")
    fields = {"csrf_token": token_of(app), "name": "kanarienvogel", "email": "kanarienvogel@example.com"}
    app.post("/users/new", fields, status="*")
    Request.blank("/kanarienvogel?q=kanarienvogel", method="KANARIENVOGEL").get_response(wsgi)
    app.get(f"/users/{person.id}?q=kanarienvogel")
    assert "kanarienvogel" not in probe_of(wsgi).get("/metrics").text.lower()
    assert increases()[requests("none", "other", 404)] == 1


def test_two_applications_in_a_process_count_apart(wsgi, settings, app, scrape):
    other = main({}, **settings)
    app.get("/users")
    samples = samples_of(probe_of(other).get("/metrics").text)
    other.registry["dbsession_factory"].kw["bind"].dispose()
    assert requests("users.list", "GET", 200) not in samples
