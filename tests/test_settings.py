"""A setting that is missing or malformed stops the start with one sentence that names it."""

import os
from pathlib import Path

import pytest
from pyramid.paster import get_app

from myproject import main
from myproject.settings import read_settings

ROOT = os.path.join(os.path.dirname(__file__), os.pardir)
SECRET = "correct-horse-battery-staple-0123"
SETTINGS_PAGE = (Path(__file__).parents[1] / "docs/settings.md").read_text(encoding="utf-8")
GOOD = {"sqlalchemy.url": "sqlite://", "myproject.secret": SECRET, "retry.attempts": "5"}


def refusal(**changes):
    """Start with `GOOD` settings and `changes`, where `None` removes a setting; return the sentence of the refusal."""
    settings = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    with pytest.raises(SystemExit) as stop:
        main({}, **settings)
    sentence = str(stop.value)
    assert sentence.startswith("myproject does not start: ")
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "users.sqlite",
        "nosuch://localhost/users",
        "postgresql+nosuch://localhost/users",
        "://",
        "postgresql+psycopg://user:password@localhost:port/users",
        "mysql://localhost/users",
    ],
)
def test_a_database_url_is_required(url):
    sentence = refusal(**{"sqlalchemy.url": url})
    assert "sqlalchemy.url" in sentence
    assert "DATABASE_URL" in sentence


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("isolation_level", "SERIALIZABLE"),
        ("pool_size", "many"),
        ("pool_size", "-1"),
        ("max_overflow", "-1"),
        ("pool_timeout", "-0.5"),
        ("pool_timeout", "nan"),
        ("pool_recycle", "-2"),
        ("echo", "maybe"),
    ],
)
def test_a_setting_of_the_engine_that_cannot_be_honoured_is_named(name, value):
    assert f"sqlalchemy.{name}" in refusal(**{f"sqlalchemy.{name}": value})


def test_an_unescaped_at_sign_in_a_password_is_explained():
    assert "write %40" in refusal(**{"sqlalchemy.url": "postgresql+psycopg://user:Geheim@99@127.0.0.1/users"})


@pytest.mark.parametrize(
    "url", ["postgresql+psycopg://user:p%4099@127.0.0.1/users", "postgresql+psycopg:///users?host=/run"]
)
def test_an_escaped_at_sign_is_accepted(url):
    assert read_settings({**GOOD, "sqlalchemy.url": url})["sqlalchemy.url"] == url


def test_two_slashes_before_a_file_are_explained():
    assert "needs three slashes" in refusal(**{"sqlalchemy.url": "sqlite://users.sqlite"})


TWO_HOSTS = "postgresql+psycopg://user:hunter2@/users?host=db1:5432&host=db2:5432"


@pytest.mark.parametrize("wanted", ["read-write", "primary"])
def test_several_hosts_are_accepted_if_one_that_takes_writes_is_asked_for(wanted):
    url = f"{TWO_HOSTS}&target_session_attrs={wanted}"
    assert read_settings({**GOOD, "sqlalchemy.url": url}, {})["sqlalchemy.url"] == url


@pytest.mark.parametrize(
    "url", [TWO_HOSTS, f"{TWO_HOSTS}&target_session_attrs=any", f"{TWO_HOSTS}&target_session_attrs=standby"]
)
def test_several_hosts_are_refused_if_the_first_one_that_answers_would_be_taken(url):
    sentence = refusal(**{"sqlalchemy.url": url})
    assert "needs target_session_attrs=read-write" in sentence
    assert "hunter2" not in sentence


READING = "postgresql+psycopg://user:hunter2@db2/users"


def test_a_standby_can_be_read_from(monkeypatch):
    both = {"sqlalchemy.url": READING.replace("db2", "db1"), "reading.url": READING}
    assert read_settings({**GOOD, **both}, {})["reading.url"] == READING
    assert read_settings({**GOOD, **both}, {"DATABASE_URL_READING": READING + "2"})["reading.url"] == READING + "2"
    assert read_settings(GOOD, {})["reading.url"] is None


def test_a_standby_of_sqlite_is_refused():
    assert "needs sqlalchemy.url (DATABASE_URL) on PostgreSQL, too" in refusal(**{"reading.url": READING})


@pytest.mark.parametrize("url", ["sqlite://", "nosuch://db2/users", "db2", READING.replace("hunter2", "hunter2@9")])
def test_a_malformed_url_of_a_standby_is_refused(url):
    sentence = refusal(**{"reading.url": url})
    assert "reading.url (DATABASE_URL_READING)" in sentence
    assert "hunter2" not in sentence


@pytest.mark.parametrize("query", ["host=db1:x&host=db2:5432", "host=db1,db2&port=1,2,3"])
def test_malformed_hosts_are_refused(query):
    sentence = refusal(**{"sqlalchemy.url": f"postgresql+psycopg://user:hunter2@/users?{query}"})
    assert "needs hosts like ?host=db1:5432&host=db2:5432" in sentence


@pytest.mark.parametrize(
    "hosts",
    [
        "https://a.example",
        "a.example:443",
        "*",
        "*.a.example",
        "a.example,b.example",
        "a.example, b.example",
        "a_b",
        " ",
    ],
)
def test_hosts_must_be_host_names(hosts):
    assert "myproject.hosts" in refusal(**{"myproject.hosts": hosts})


@pytest.mark.parametrize("hosts", ["users.example.com", "Users.Example.com 192.0.2.1 [::1]"])
def test_host_names_are_accepted_in_any_case(hosts):
    assert read_settings({**GOOD, "myproject.hosts": hosts})["myproject.hosts"] == set(hosts.lower().split())


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("reading.longest_secnds", "reading.longest_seconds"),
        ("retry.attemps", "retry.attempts"),
        ("event.keep_days", "events.keep_days"),
        ("requests.slow_second", "requests.slow_seconds"),
        ("myproject.host", "myproject.hosts"),
        ("myprojekt.secret", "myproject.secret"),
        ("Retry.Attempts", "retry.attempts"),
        ("sqlalchmy.pool_size", "sqlalchemy.pool_size"),
    ],
)
def test_a_misspelt_setting_is_refused_with_the_nearest_one(name, nearest):
    assert f"there is no setting {name}; the nearest one is {nearest}." in refusal(**{name: "5"})


def test_an_unknown_setting_of_the_application_is_refused():
    assert "there is no setting signin.colour; see docs/settings.md" in refusal(**{"signin.colour": "blue"})


@pytest.mark.parametrize("name", ["retry.activate_hook", "tm.attempts", "debugtoolbar.hosts", "jinja2.directories"])
def test_settings_of_others_are_none_of_its_business(name):
    assert read_settings({**GOOD, name: "x"})[name] == "x"


def test_a_missing_folder_of_the_database_is_named(tmp_path):
    sentence = refusal(**{"sqlalchemy.url": f"sqlite:///{tmp_path}/missing/users.sqlite"})
    assert f"{tmp_path}/missing, which is not a folder" in sentence


@pytest.mark.parametrize("secret", [None, "", "short", "x" * 31])
def test_a_secret_of_32_characters_is_required(secret):
    sentence = refusal(**{"myproject.secret": secret})
    assert "myproject.secret" in sentence
    assert "MYPROJECT_SECRET" in sentence


@pytest.mark.parametrize("attempts", ["", "0", "101", "-1", "2.5", "many", "５", " 5", "1e1"])
def test_attempts_must_be_a_whole_number_from_1_to_100(attempts):
    assert "retry.attempts" in refusal(**{"retry.attempts": attempts})


@pytest.mark.parametrize("attempts", ["1", "5", "100"])
def test_attempts_are_read_as_a_number(attempts):
    assert read_settings({**GOOD, "retry.attempts": attempts})["retry.attempts"] == int(attempts)


def test_attempts_have_a_default():
    without = {name: value for name, value in GOOD.items() if name != "retry.attempts"}
    assert read_settings(without)["retry.attempts"] == 20


@pytest.mark.parametrize("name", ["reading.longest_seconds", "requests.slow_seconds"])
@pytest.mark.parametrize("seconds", ["", "0", "601", "-1", "2.5", "long"])
def test_a_limit_in_seconds_must_be_a_whole_number_from_1_to_600(name, seconds):
    assert name in refusal(**{name: seconds})


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("reading.longest_seconds", 5),
        ("requests.slow_seconds", 1),
        ("events.keep_days", 400),
        ("history.keep_days", 3650),
        ("database.longest_silence", 30),
        ("retry.longest_wait", 10),
    ],
)
def test_a_limit_has_the_documented_default(name, default):
    assert read_settings(GOOD)[name] == default
    [row] = [line for line in SETTINGS_PAGE.splitlines() if line.startswith(f"| `{name}` |")]
    assert row.split("|")[-2].strip().split()[0].strip(",;") == str(default)


@pytest.mark.parametrize(
    "zone", ["", "Asia/Soul", "asia/seoul", "Asia", "+09:00", "KST", "localtime", "Factory", "../etc/passwd", "a\0b"]
)
def test_an_unknown_time_zone_is_refused(zone):
    assert "myproject.timezone" in refusal(**{"myproject.timezone": zone})


def test_the_time_zone_is_utc_unless_it_is_set():
    assert read_settings(GOOD, {})["myproject.timezone"].key == "UTC"
    assert read_settings({**GOOD, "myproject.timezone": "Asia/Seoul"}, {})["myproject.timezone"].key == "Asia/Seoul"


def test_the_environment_overrides_the_ini_file(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "sqlite:///:memory:")
    monkeypatch.setenv("MYPROJECT_SECRET", "from-the-environment-from-the-env")
    settings = main({}, **GOOD).registry.settings
    assert settings["sqlalchemy.url"] == "sqlite:///:memory:"
    assert settings["myproject.secret"] == "from-the-environment-from-the-env"


def test_the_environment_is_enough(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "sqlite://")
    monkeypatch.setenv("MYPROJECT_SECRET", SECRET)
    assert main({})


def test_an_empty_variable_is_ignored(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("MYPROJECT_SECRET", "")
    assert read_settings(GOOD)["sqlalchemy.url"] == "sqlite://"
    assert read_settings(GOOD)["myproject.secret"] == SECRET


def test_a_malformed_variable_is_refused_even_if_the_ini_file_is_valid(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "users.sqlite")
    assert "DATABASE_URL" in refusal()


def test_a_short_secret_in_the_environment_is_refused_even_if_the_ini_file_is_valid(monkeypatch):
    monkeypatch.setenv("MYPROJECT_SECRET", "short")
    assert "MYPROJECT_SECRET" in refusal()


def test_other_settings_are_not_changed():
    assert read_settings({**GOOD, "pyramid.includes": "tests.probe"})["pyramid.includes"] == "tests.probe"


def test_a_refusal_never_shows_the_secret():
    assert "hunter2" not in refusal(**{"myproject.secret": "hunter2"})


@pytest.mark.parametrize(
    "url",
    [
        "nosuch://user:hunter2@localhost/users",
        "postgresql+nosuch://user:hunter2@localhost/users",
        "user:hunter2@localhost/users",
        # The password contains an @: its rest is read as the host, and what follows the colon as the port.
        "postgresql+psycopg://user:p@ss:hunter2@localhost/users",
        "postgresql+psycopg://user:p@hunter2@localhost/users",
        "postgresql+psycopg://user:p@hunter2/3@localhost/users",
        "postgresql+psycopg://user:p@/hunter2@localhost/users",
        "sqlite://user:hunter2@users.sqlite",
    ],
)
def test_a_refusal_never_shows_the_password_of_the_database(url):
    assert "hunter2" not in refusal(**{"sqlalchemy.url": url})


@pytest.mark.parametrize("name", ["MYPROJECT_SECRET", "DATABASE_URL"])
def test_production_ini_requires_the_environment(name, monkeypatch):
    monkeypatch.setenv("MYPROJECT_SECRET", SECRET)
    monkeypatch.setenv("DATABASE_URL", "sqlite://")
    monkeypatch.delenv(name)
    with pytest.raises(SystemExit, match=name):
        get_app(os.path.join(ROOT, "production.ini"))


def test_the_spool_is_a_folder_of_this_user_alone(tmp_path):
    (tmp_path / "open").mkdir(mode=0o755)
    assert "mode 0700" in refusal(**{"spool.folder": str(tmp_path / "open")})
    assert "which is not a folder" in refusal(**{"spool.folder": str(tmp_path / "missing" / "spool")})
    settings = {**GOOD, "sqlalchemy.url": f"sqlite:///{tmp_path}/users.sqlite"}
    assert read_settings(settings)["spool.folder"] == tmp_path / "users.sqlite-imports"
