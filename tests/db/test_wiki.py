"""An application with the layout of Pyramid's starter runs on `myproject.db`: its script, shell, pages and tests."""

import re

import pytest
import transaction
from pyramid.exceptions import ConfigurationError
from pyramid.paster import bootstrap, get_app
from pyramid.scripts.pshell import PShellCommand
from sqlalchemy import Engine, event, select
from sqlalchemy.exc import InvalidRequestError
from transaction.interfaces import DoomedTransaction
from webtest import TestApp

from myproject.db.engine import OPTIONS
from tests.docs import DOCS

from .wiki import initialize_db, main, models
from .wiki.models import Page, User
from .wiki.models.meta import Base

INI = """
[app:main]
use = call:tests.db.wiki:main
sqlalchemy.url = {url}
sqlalchemy.echo = false
sqlalchemy.pool_pre_ping = true
retry.attempts = 20

[pshell]
setup = tests.db.wiki.pshell.setup
"""
WIRING = (DOCS.parent / "tests/db/wiki/models/__init__.py").read_text(encoding="utf-8")


@pytest.fixture
def engines():
    """The engines that a test used; each script and each shell has its own."""
    used = set()

    def note(connection):
        used.add(connection.engine)

    event.listen(Engine, "engine_connect", note)
    yield used
    event.remove(Engine, "engine_connect", note)
    assert [engine.pool.checkedout() for engine in used] == [0] * len(used)
    for engine in used:
        engine.dispose()


@pytest.fixture
def ini(database_url, engines, outside, tmp_path):
    """The ini file of the wiki, whose database has its tables."""
    Base.metadata.create_all(outside)
    path = tmp_path / "wiki.ini"
    path.write_text(INI.format(url=database_url.replace("%", "%%")))
    return str(path)


@pytest.fixture
def wiki(ini):
    """The WSGI application of the wiki, with its first user and page."""
    initialize_db.main(ini)
    return get_app(ini)


@pytest.fixture
def texts(outside):
    """Call `texts()`: return the committed texts of the pages, by id."""

    def read():
        with outside.connect() as connection:
            return connection.scalars(select(Page.text).order_by(Page.id)).all()

    return read


@pytest.fixture
def shell(ini):
    """Call `shell(lines)`: run them in `pshell INI`, with its names."""

    def run(lines):
        return PShellCommand(["pshell", ini], quiet=True).run(shell=lambda env, _help: exec(lines, env))

    return run


def test_the_script_commits(ini, texts):
    initialize_db.main(ini)
    assert texts() == ["Welcome"]


def test_a_script_that_raises_stores_nothing(ini, texts):
    def script():
        with bootstrap(ini) as env, env["request"].tm:
            env["request"].dbsession.add(User(name="Nobody"))
            env["request"].dbsession.flush()
            raise LookupError

    with pytest.raises(LookupError):
        script()
    with bootstrap(ini) as env, env["request"].tm:
        assert env["request"].dbsession.scalars(select(User)).all() == []


def test_a_script_has_one_session_for_several_transactions(ini, texts):
    with bootstrap(ini) as env:
        tm, dbsession = env["request"].tm, env["request"].dbsession
        with tm:
            dbsession.add(User(name="Editor"))
        with pytest.raises(InvalidRequestError):
            dbsession.add(User(name="Between"))
        with tm:
            dbsession.add(Page(name="Home", text="Hello", creator=dbsession.scalars(select(User)).one()))
    assert texts() == ["Hello"]


def test_a_refused_commit_ends_each_transaction_of_a_script(ini, texts):
    initialize_db.main(ini)
    with bootstrap(ini) as env:
        tm, dbsession = env["request"].tm, env["request"].dbsession
        for _ in range(3):
            tm.begin().doom()
            dbsession.get(Page, 1).text = "Tried"
            dbsession.flush()
            with pytest.raises(DoomedTransaction):
                tm.commit()
        with tm:
            dbsession.get(Page, 1).text += " home"
    assert texts() == ["Welcome home"]


def test_the_shell_commits_and_goes_on(shell, ini, texts):
    initialize_db.main(ini)
    shell(
        "dbsession.get(models.Page, 1).text = 'One'; tm.commit()\n"
        "tm.begin(); dbsession.get(models.Page, 1).text += ' and two'; tm.commit()\n"
        "tm.begin(); dbsession.get(models.Page, 1).text += ' and three'; tm.abort()"
    )
    assert texts() == ["One and two"]


def test_a_form_is_stored(wiki, texts):
    TestApp(wiki).post("/Home", {"text": "Hello"}, status=303).follow().mustcontain("Hello (Editor)")
    TestApp(wiki).post("/New", {"text": "A page"}, status=303)
    assert texts() == ["Hello", "A page"]


def test_a_view_still_cannot_commit(wiki, texts):
    with pytest.raises(InvalidRequestError, match="Leave the commit to the request"):
        TestApp(wiki).post("/Home", {"text": "Hello", "commit": "yes"})
    assert texts() == ["Welcome"]


def test_the_settings_of_the_engine_are_honoured(ini, outside):
    with open(ini, "a") as file:
        file.write("[app:small]\nuse = main\nsqlalchemy.pool_size = 2\nsqlalchemy.hide_parameters = false\n")
    engine = get_app(ini, "small").registry["dbsession_factory"].kw["bind"]
    assert (engine.pool.size(), engine.hide_parameters) == (2, False)


@pytest.mark.parametrize("option", ["isolation_level", "pool_reset_on_return", "connect_args", "pool_sise"])
def test_a_setting_of_the_engine_that_cannot_be_honoured_stops_the_start(option):
    with pytest.raises(ConfigurationError, match=f"^sqlalchemy.{option} cannot be set"):
        main({}, **{"sqlalchemy.url": "sqlite://", f"sqlalchemy.{option}": "SERIALIZABLE"})


@pytest.mark.parametrize("option", ["pool_size", "pool_pre_ping"])
def test_a_malformed_setting_of_the_engine_stops_the_start(option):
    with pytest.raises(ConfigurationError, match=f"^sqlalchemy.{option} is 'many', and should be"):
        main({}, **{"sqlalchemy.url": "sqlite://", f"sqlalchemy.{option}": "many"})


@pytest.mark.parametrize(
    "name", ["reading.longest_seconds", "database.longest_silence", "retry.attempts", "retry.longest_wait"]
)
@pytest.mark.parametrize("text", ["many", "0", "-1", "1.5", ""])
def test_a_malformed_number_stops_the_start(name, text):
    with pytest.raises(ConfigurationError, match=f"^{name} is '{text}', and should be a whole number, at least 1"):
        main({}, **{"sqlalchemy.url": "sqlite://", name: text})


def test_a_missing_url_stops_the_start():
    with pytest.raises(ConfigurationError, match=r"^sqlalchemy\.url is missing"):
        main({})


@pytest.mark.parametrize(("attempts", "warnings"), [("3", 1), ("20", 0)])
def test_few_attempts_are_warned_of_at_the_start(attempts, warnings, caplog):
    main({}, **{"sqlalchemy.url": "sqlite://", "retry.attempts": attempts})
    assert [record.name for record in caplog.records] == ["myproject.db.retry"] * warnings


def test_the_tests_of_the_starter_share_a_doomed_transaction(wiki, texts):
    tm = transaction.TransactionManager(explicit=True)
    tm.begin().doom()
    dbsession = models.get_tm_session(wiki.registry["dbsession_factory"], tm)
    app = TestApp(wiki, extra_environ={"tm.active": True, "tm.manager": tm, "app.dbsession": dbsession})
    app.post("/Home", {"text": "Hello"}, status=303).follow().mustcontain("Hello")
    assert dbsession.get(Page, 1).text == "Hello"
    tm.abort()
    assert texts() == ["Welcome"]


def test_the_wiring_is_shown_in_the_documentation_in_at_most_20_lines():
    block = (DOCS / "other-applications.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    assert block == WIRING
    assert len([line for line in block.splitlines() if line]) <= 20


def test_the_page_for_a_database_that_is_away_is_shown_in_the_documentation():
    block = (DOCS / "other-applications.md").read_text(encoding="utf-8").split("```python\n")[2].split("```")[0]
    assert block == (DOCS.parent / "tests/db/wiki/errors.py").read_text(encoding="utf-8")
    # Nobody listens on port 1.
    settings = {"sqlalchemy.url": "postgresql+psycopg://nobody@127.0.0.1:1/wiki", "retry.attempts": "1"}
    TestApp(main({}, **settings)).get("/Home", status=503).mustcontain("Try again in a moment.")


def test_every_setting_of_the_engine_is_documented():
    section = (DOCS / "other-applications.md").read_text(encoding="utf-8").partition("each as `sqlalchemy.NAME`:")[2]
    assert re.findall("`([a-z_]+)`", section.partition(".")[0]) == sorted(OPTIONS)
