"""`myproject.db` works alone: another application, with its own tables, includes it and nothing else."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from pyramid.config import Configurator
from pyramid.response import Response
from pyramid_retry import RetryableException
from sqlalchemy import MetaData, insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from webtest import TestApp

import myproject.db
from myproject.db import get_engine, get_session_factory, stream_rows

FOLDER = Path(myproject.db.__file__).parent


class Base(DeclarativeBase):
    """The base of the other application's models."""

    metadata = MetaData()


class Note(Base):
    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


NOTES = Note.__table__
HELLO = insert(NOTES).values(text="Hello")


@pytest.fixture
def other(outside, database_url, monkeypatch):
    """Call `other(view, method="POST")`: run `view(request)` in the other application; return the response."""
    monkeypatch.setattr("myproject.db.retry.FIRST_PAUSE_SECONDS", 0)
    Base.metadata.create_all(outside)
    with Configurator(settings={"sqlalchemy.url": database_url}) as config:
        config.include("myproject.db")
        config.add_route("page", "/")
        config.add_view(lambda request: views[0](request), route_name="page", renderer="string")
        application = config.make_wsgi_app()
    views = []

    def run(view, method="POST", **options):
        views[:] = [view]
        return TestApp(application).request("/", method=method, **options)

    yield run
    engine = application.registry["dbsession_factory"].kw["bind"]
    assert engine.pool.checkedout() == 0
    engine.dispose()


def test_an_application_may_bring_its_own_engine(outside, database_url, notes):
    Base.metadata.create_all(outside)
    engine = get_engine(database_url, connect_args={}, echo_pool=False)
    with Configurator(settings={"sqlalchemy.url": database_url}) as config:
        config.include("myproject.db")
        config.registry["dbsession_factory"] = get_session_factory(engine)
        config.add_route("page", "/")
        config.add_view(lambda request: request.dbsession.execute(HELLO).rowcount, route_name="page", renderer="string")
        TestApp(config.make_wsgi_app()).post("/", status=200)
    assert notes() == ["Hello"]
    engine.dispose()


@pytest.fixture
def notes(outside):
    """Call `notes()`: return the committed notes, by id."""

    def read():
        with outside.connect() as connection:
            return connection.scalars(select(NOTES.c.text).order_by(NOTES.c.id)).all()

    return read


def test_a_core_insert_is_committed(other, notes):
    other(lambda request: request.dbsession.execute(HELLO), status=200)
    assert notes() == ["Hello"]


def test_an_object_is_committed(other, notes):
    other(lambda request: request.dbsession.add(Note(text="Hello")), status=200)
    assert notes() == ["Hello"]


def test_a_returned_422_aborts(other, notes):
    def view(request):
        request.dbsession.execute(HELLO)
        return Response(status=422)

    other(view, status=422)
    assert notes() == []


def test_a_raised_error_aborts(other, notes):
    def view(request):
        request.dbsession.execute(HELLO)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011, for there is no exception view
        other(view)
    assert notes() == []


def test_a_doomed_transaction_aborts(other, notes):
    def view(request):
        request.dbsession.execute(HELLO)
        request.tm.doom()

    other(view, status=200)
    assert notes() == []


def test_a_get_request_cannot_write(other, notes):
    with pytest.raises(Exception, match=r"read-?only"):
        other(lambda request: request.dbsession.execute(HELLO), method="GET")
    assert notes() == []


def test_a_retryable_error_is_retried(other, notes):
    attempts = []

    def view(request):
        attempts.append(request)
        request.dbsession.execute(HELLO)
        if len(attempts) < 3:
            raise RetryableException

    other(view, status=200)
    assert (len(attempts), notes()) == (3, ["Hello"])


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_serialization_failure_is_retried(other, notes, outside):
    attempts = []

    def view(request):
        attempts.append(request)
        note = request.dbsession.get(Note, 1)
        if len(attempts) == 1:
            with outside.begin() as connection:
                connection.execute(NOTES.update().values(text="Hello, you"))
        note.text += "!"

    with outside.begin() as connection:
        connection.execute(HELLO)
    other(view, status=200)
    assert (len(attempts), notes()) == (2, ["Hello, you!"])


def test_rows_are_streamed(other, outside):
    def view(request):
        rows = stream_rows(request.registry["dbsession_factory"], select(Note.text), [Note.id], size=2)
        return Response(app_iter=(text.encode() for (text,) in rows))

    with outside.begin() as connection:
        connection.execute(insert(NOTES), [{"text": letter} for letter in "ABCDE"])
    assert other(view, method="GET", status=200).body == b"ABCDE"


def test_after_commit_runs_after_the_commit(other, notes):
    seen = []

    def view(request):
        request.dbsession.execute(HELLO)
        request.after_commit(lambda: seen.append(notes()))

    other(view, status=200)
    assert seen == [["Hello"]]


def test_a_write_in_its_own_transaction_survives_the_abort(other, notes):
    def view(request):
        request.dbsession.execute(insert(NOTES).values(text="Doomed"))
        request.in_own_transaction(lambda session: session.execute(HELLO))
        return Response(status=403)

    other(view, status=403)
    assert notes() == ["Hello"]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_db_imports_nothing_else_of_the_project(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imports = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    absolute = imports + [node.module for node in froms if node.level == 0]
    assert [node.module for node in froms if node.level > 1] == []
    assert [name for name in absolute if name.split(".")[0] == "myproject"] == []


def test_importing_db_loads_nothing_else_of_the_project():
    # Every import of a module imports `myproject` first, which imports the settings.
    program = "import json, sys, myproject.db.postgresql; print(json.dumps([*sys.modules]))"
    result = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    modules = {name for name in json.loads(result.stdout) if name.split(".")[0] == "myproject"}
    ours = {f"myproject.db.{path.stem}" for path in FOLDER.glob("*.py") if path.stem != "__init__"}
    assert modules <= {"myproject", "myproject.settings", "myproject.db"} | ours
