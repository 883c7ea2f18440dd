"""Safe requests read from a standby, and nobody misses what they have saved themselves."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy
from sqlalchemy import event, text
from sqlalchemy.pool import NullPool

from myproject.db import replication
from myproject.db.standby import PAUSE_SECONDS
from myproject.health import examine_standby
from myproject.readiness import examine, probing_engine
from tests import signed_in
from tests.monitoring import probe_of, samples_of

from ..conftest import DATABASE_NUMBERS, checked_by_ledger, configured, finish_imports, migrate
from ..standby import attached, running_pair, set_synchronous, wait_until
from ..users.imports.importing import Importing

DELAY_SECONDS = 2


@pytest.fixture(scope="module")
def servers(postgresql):
    """A primary and its standby for this module, with the migrated database `migrated`; no commit waits for it."""
    with running_pair() as pair:
        set_synchronous(pair.primary, "")
        pair.primary.execute("CREATE DATABASE migrated")
        migrate(pair.primary.url("migrated"))
        yield pair


@pytest.fixture
def pair(servers):
    """The two servers; the standby is running again, and delays nothing, whatever an earlier test has done."""
    servers.standby.stop()
    servers.standby.start()
    wait_until(lambda: attached(servers.primary))
    return servers


@pytest.fixture
def database_url(request, pair):
    """The URL of a migrated database on the primary."""
    name = f"read_{next(DATABASE_NUMBERS)}"
    pair.primary.execute(f"CREATE DATABASE {name} TEMPLATE migrated")
    catch_up(pair)
    yield from checked_by_ledger(pair.primary.url(name), request.node)


@pytest.fixture
def outside(database_url):
    """An engine of plain SQLAlchemy."""
    return sqlalchemy.create_engine(database_url, poolclass=NullPool)


@pytest.fixture
def settings(settings, pair):
    """The settings of an application that reads from the standby."""
    url = settings["sqlalchemy.url"].replace(str(pair.primary.port), str(pair.standby.port))
    return {**settings, "reading.url": url, "retry.attempts": "20"}


@pytest.fixture
def standby(wsgi):
    """The Standby of the application; its connections are closed after the test."""
    yield wsgi.registry["standby"]
    wsgi.registry["standby"].engine.dispose()


@pytest.fixture
def read_at(probe, standby):
    """Call `read_at()`: return the port of the server from which a page reads."""
    return lambda **options: int(probe(port_of_page, method="GET", status=200, **options).text)


def port_of_page(request):
    request.dbsession.execute(text("SELECT 1"))
    return replication.name_server(request.dbsession.connection()).partition(":")[2]


def catch_up(pair):
    """Return when the standby shows everything that is committed."""
    [now] = pair.primary.execute("SELECT pg_current_wal_flush_lsn()")
    wait_until(lambda: pair.standby.execute(f"SELECT pg_last_wal_replay_lsn() >= '{now}'") == (True,))


def delay(pair, seconds):
    """Let the standby show each commit only after `seconds`."""
    pair.standby.execute(f"ALTER SYSTEM SET recovery_min_apply_delay = '{seconds}s'", "SELECT pg_reload_conf()")


@pytest.fixture
def delayed(settings, pair):
    """The standby shows each commit 2 seconds late, which is allowed; request it before `wsgi`, `app` or `probe`."""
    settings["reading.longest_lag"] = "4"
    delay(pair, DELAY_SECONDS)
    yield
    delay(pair, 0)


def test_a_page_reads_from_the_standby_and_a_form_from_the_primary(probe, read_at, pair):
    assert read_at() == pair.standby.port
    assert int(probe(port_of_page, method="POST").text) == pair.primary.port


def test_who_has_sent_a_form_reads_from_the_primary_and_others_from_the_standby(app, wsgi, probe, read_at, pair):
    other = signed_in.browser(wsgi)
    probe(lambda request: None, method="POST")
    assert read_at() == pair.primary.port
    assert int(other.get("/probe").text) == pair.standby.port


def test_the_cookie_of_a_form_lasts_as_long_as_the_standby_may_be_behind(settings, probe):
    response = probe(lambda request: None, method="POST")
    assert response.headers["Set-Cookie"].startswith("read_after=1; Max-Age=5; Path=/; expires=")
    assert response.headers["Set-Cookie"].endswith("; HttpOnly; SameSite=Lax")


def test_in_production_the_cookie_is_secure(settings, request):
    settings["myproject.development"] = "false"
    request.getfixturevalue("wsgi").registry["probe"] = lambda request: None
    [cookie] = request.getfixturevalue("stranger").post("/probe").headers.getall("Set-Cookie")
    assert cookie.startswith("__Host-read_after=1; ")
    assert {"secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))


def test_without_a_standby_there_is_no_such_cookie(settings, request):
    del settings["reading.url"]
    assert "Set-Cookie" not in request.getfixturevalue("probe")(lambda request: None, method="POST").headers


def forget_form(app):
    """Let the browser forget that it has sent a form, as it does after the longest lag."""
    for cookie in list(app.cookiejar):
        if cookie.name == "read_after":
            app.cookiejar.clear(cookie.domain, cookie.path, cookie.name)


def test_who_watches_an_import_sees_what_a_thread_has_saved(delayed, app, read_at):
    read_at()
    importing = Importing(app)
    importing.upload(b"name,email\nJane Doe,jane@example.com\n")
    importing.page.forms["record"].submit(status=303)
    finish_imports(app.app)
    forget_form(app)
    page = app.get(importing.path)
    page.mustcontain("The users were imported", "/undo")
    app.get("/users").mustcontain("Jane Doe")


def test_who_opens_a_new_password_link_is_known(delayed, app, stranger, read_at, make_user):
    ada = make_user("Ada", email="ada@example.com")
    read_at()
    page = app.get(f"/users/{ada.id}/password-link").forms["record"].submit(status=200)
    stranger.get(page.html.select_one(".secret code").text, status=200).mustcontain("Ada")


def misses(wsgi, number):
    """Let 4 people add a user and open its page at once, `number` times each; return how many pages were not found."""

    def work(person):
        app, missed = signed_in.browser(wsgi), 0
        for each in range(number):
            form = app.get("/users/new").forms["record"]
            form["name"] = f"Jane Doe {person} {each}"
            location = form.submit(status=303).location
            missed += app.get(location, status="*").status_int == 404
        return missed

    with ThreadPoolExecutor(4) as threads:
        return sum(threads.map(work, range(4)))


def test_nobody_misses_what_they_have_just_saved(delayed, wsgi, standby, pair, read_at):
    assert read_at() == pair.standby.port
    assert misses(wsgi, 5) == 0
    assert not standby.reason
    assert int(signed_in.browser(wsgi).get("/probe").text) == pair.standby.port


def test_without_the_cookie_people_would_miss_what_they_have_just_saved(delayed, wsgi, standby, monkeypatch):
    monkeypatch.setattr("myproject.db.standby._has_written", lambda request: False)
    assert misses(wsgi, 1) == 4


def test_who_has_just_signed_in_is_known(delayed, stranger, standby, make_user):
    form = stranger.get("/signin").forms["record"]
    form["email"], form["password"] = signed_in.EMAIL, signed_in.PASSWORD
    form.submit(status=303).follow(status=303).follow(status=200)
    assert not standby.reason


def test_what_somebody_else_has_saved_is_seen_after_the_longest_lag_at_most(delayed, app, read_at, standby, make_user):
    read_at()
    user = make_user("Jane Doe")
    assert app.get(f"/users/{user.id}", status="*").status_int == 404
    wait_until(lambda: app.get(f"/users/{user.id}", status="*").status_int == 200, seconds=4)
    assert not standby.reason


def test_a_standby_that_is_too_far_behind_is_not_read_from(settings, pair, request, make_user, caplog):
    settings["reading.longest_lag"] = "1"
    delay(pair, 60)
    read_at, standby = request.getfixturevalue("read_at"), request.getfixturevalue("standby")
    try:
        make_user("Jane Doe")
        wait_until(lambda: read_at() == pair.primary.port, seconds=5)
        assert standby.measure_lag() is None or standby.measure_lag() > 0
    finally:
        delay(pair, 0)
    assert standby.reason == "it is behind by more than 1 seconds"
    wait_until(lambda: read_at() == pair.standby.port)
    lines = [record.getMessage() for record in caplog.records if record.name == "myproject.db.standby"]
    assert lines == [
        "the standby is not read from: it is behind by more than 1 seconds",
        "the standby is read from again",
    ]


def test_what_was_committed_before_the_start_is_seen_from_the_first_page_on(settings, pair, request, make_user):
    # So no page meets a database without a migration that the primary has had before.
    delay(pair, 60)
    try:
        user = make_user("Jane Doe")
        request.getfixturevalue("app").get(f"/users/{user.id}", status=200)
    finally:
        delay(pair, 0)


def test_without_the_standby_pages_read_from_the_primary(pair, read_at, standby, app):
    assert read_at() == pair.standby.port
    pair.standby.stop()
    assert [read_at() for _ in range(3)] == [pair.primary.port] * 3
    assert "the standby" not in app.get("/users", status=200)
    assert standby.measure_lag() is None
    pair.standby.start()
    wait_until(lambda: read_at() == pair.standby.port, PAUSE_SECONDS + 5)


def test_a_standby_that_falls_silent_while_a_page_reads_delays_it_only(settings, pair, request):
    settings["reading.longest_seconds"] = "1"
    read_at = request.getfixturevalue("read_at")
    assert read_at() == pair.standby.port
    with pair.standby.stopped():
        assert read_at() == pair.primary.port
        assert read_at() == pair.primary.port


def test_a_primary_that_hangs_delays_no_page_of_the_standby(settings, request, pair):
    settings["reading.longest_lag"] = "2"
    read_at = request.getfixturevalue("read_at")
    assert read_at() == pair.standby.port
    # The process asks for the next position half a second later.
    time.sleep(0.7)
    started = time.monotonic()
    with pair.primary.stopped():
        assert read_at() == pair.standby.port
        assert time.monotonic() - started < 1


def test_a_page_whose_read_conflicts_with_the_replay_is_read_from_the_primary(probe, pair, standby, outside):
    ports = []

    def view(request):
        ports.append(int(port_of_page(request)))
        request.dbsession.scalar(text("SELECT count(*) FROM users"))
        if len(ports) == 1:
            with outside.begin() as connection:
                connection.execute(text("LOCK TABLE users IN ACCESS EXCLUSIVE MODE"))
            request.dbsession.scalar(text("SELECT pg_sleep(3)"))

    pair.standby.execute("ALTER SYSTEM SET max_standby_streaming_delay = 0", "SELECT pg_reload_conf()")
    try:
        probe(view, method="GET", status=200)
    finally:
        pair.standby.execute("ALTER SYSTEM RESET max_standby_streaming_delay", "SELECT pg_reload_conf()")
    assert ports == [pair.standby.port, pair.primary.port]


def test_a_primary_is_not_taken_for_a_standby(settings, request, pair):
    settings["reading.url"] = settings["sqlalchemy.url"]
    request.getfixturevalue("read_at")()
    assert request.getfixturevalue("standby").reason == "it is no standby"


def test_another_database_is_not_read_from(settings, request, pair):
    settings["reading.url"] = pair.standby.url("migrated")
    assert request.getfixturevalue("read_at")() == pair.primary.port
    assert request.getfixturevalue("standby").reason == "it is a standby of another database"


def test_the_standby_is_asked_how_far_it_is_before_the_snapshot_is_taken(read_at, standby):
    asked = []

    def note(connection, _cursor, statement, *_):
        if statement == replication.REPLAYED:
            driver = connection.connection.dbapi_connection
            asked.append((driver.autocommit, driver.info.transaction_status.name))

    event.listen(standby.engine, "after_cursor_execute", note)
    read_at()
    assert asked == [(True, "IDLE")]


def test_the_standby_and_the_primary_are_not_asked_at_each_page(settings, request):
    settings["reading.longest_lag"] = "60"
    read_at, standby = request.getfixturevalue("read_at"), request.getfixturevalue("standby")
    asked = []
    for engine in (standby.engine, standby.registry["dbsession_factory"].kw["bind"]):
        event.listen(engine, "after_cursor_execute", lambda *arguments: asked.append(arguments[2]))
    for _ in range(3):
        read_at()
    assert asked.count(replication.COMMITTED) == 1
    assert asked.count(replication.REPLAYED) == 1


def test_an_open_connection_is_asked_again_because_its_server_may_have_been_promoted(settings, request):
    settings["reading.longest_lag"] = "1"
    read_at, standby = request.getfixturevalue("read_at"), request.getfixturevalue("standby")
    asked = []
    event.listen(standby.engine, "after_cursor_execute", lambda *arguments: asked.append(arguments[2]))
    for _ in range(2):
        read_at()
        time.sleep(1.1)
    assert asked.count(replication.REPLAYED) == 2


def test_no_connection_to_the_standby_is_left(read_at, standby, app):
    for _ in range(3):
        read_at()
        app.get("/users")
    assert standby.engine.pool.checkedout() == 0


def test_the_lag_of_a_standby_that_has_everything_is_zero(read_at, standby, pair):
    read_at()
    catch_up(pair)
    assert standby.measure_lag() == 0


def test_after_a_takeover_pages_are_read_from_the_new_primary(settings, pair, request, caplog):
    name = settings["sqlalchemy.url"].rpartition("/")[2]
    settings["sqlalchemy.url"] = pair.url(name)
    read_at, standby = request.getfixturevalue("read_at"), request.getfixturevalue("standby")
    assert read_at() == pair.standby.port
    pair.take_over()
    assert [read_at() for _ in range(3)] == [pair.primary.port] * 3
    assert standby.measure_lag() is None
    # The killed server becomes the standby of the other one. The setting still names that.
    pair.restore()
    set_synchronous(pair.primary, "")
    wait_until(lambda: standby.reason == "it is no standby" if read_at() else False)
    # It was away before: an operator has to learn that the setting is wrong now.
    assert "the standby is not read from: it is no standby" in caplog.messages
    [finding] = examine_standby(standby).findings
    assert finding.sentence == "pages read from the primary: it is no standby"
    # As after the setting was changed, and a restart.
    url = settings["reading.url"].replace(str(pair.primary.port), str(pair.standby.port))
    application = configured({**settings, "reading.url": url})
    catch_up(pair)
    application.registry["probe"] = port_of_page
    assert int(signed_in.browser(application).get("/probe").text) == pair.standby.port
    for engine in (application.registry["standby"].engine, application.registry["dbsession_factory"].kw["bind"]):
        engine.dispose()


# What monitoring is told


def samples_and_checks(wsgi):
    """Return the samples of `/metrics`, and the answer of `/readyz` with its checks by name."""
    client = probe_of(wsgi)
    answer = client.get("/readyz", status=200).json
    checks = {check["about"]: (check["level"], check["sentence"]) for check in answer["checks"]}
    return samples_of(client.get("/metrics").text), answer["database"], checks


def test_monitoring_is_told_of_both_servers(wsgi, standby, pair):
    samples, database, checks = samples_and_checks(wsgi)
    server = f"127.0.0.1:{pair.primary.port}"
    assert database["server"] == server
    assert database["role"] == "primary"
    assert database["synchronous_standbys"] == 0
    assert database["reading_standby_lag_seconds"] < 5
    assert checks["standby"][0] == "ok"
    assert samples["myproject_database_info", ("role", "primary"), ("server", server)] == 1
    assert samples["myproject_synchronous_standbys",] == 0
    assert samples["myproject_standby_lag_seconds",] < 5


def test_a_standby_that_is_away_leaves_a_process_ready(wsgi, standby, pair):
    pair.standby.stop()
    samples, database, checks = samples_and_checks(wsgi)
    assert database["reading_standby_lag_seconds"] is None
    assert checks["standby"][0] == "warning"
    assert "pages read from the primary" in checks["standby"][1]
    assert samples["myproject_ready",] == samples["myproject_check", ("about", "standby")] == 1
    assert ("myproject_standby_lag_seconds",) not in samples


def test_a_standby_is_not_ready_for_pages_that_write(pair, wsgi, database_url):
    url = database_url.replace(str(pair.primary.port), str(pair.standby.port))
    report = examine(probing_engine(url), {**wsgi.registry.settings, "ini": "INI"})
    [finding] = [finding for finding in report.findings if finding.about == "writable"]
    assert (finding.level, finding.sentence) == ("wrong", "the server is a standby")
    assert report.database["role"] == "standby"
