"""The inspector works in any Pyramid application: here without `myproject.db` and a transaction manager."""

import contextlib

import pytest
from pyramid.config import Configurator
from pyramid.response import Response
from sqlalchemy import create_engine, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from webtest import TestApp

from myproject.models import User

JANE = insert(User.__table__).values(name="Jane Doe")


@pytest.fixture
def run(database_url):
    """Call `run(view)`: run `view(request)` as a page of the application, and return the Record of the request."""
    with Configurator(settings={}) as config:
        config.include("tests.inspector.around")
        config.add_request_method(lambda request: Session(engine), "dbsession", reify=True)
        config.add_route("page", "/")
        config.add_view(lambda request: views[0](request), route_name="page", renderer="string")
        application = config.make_wsgi_app()
    engine, views = create_engine(database_url), []

    def call(view):
        views[:] = [view]
        with contextlib.suppress(DBAPIError):
            TestApp(application).post("/", status="*")
        return application.registry["records"][-1]

    yield call
    engine.dispose()


def test_a_page_without_the_database(run):
    found = run(lambda request: "Hello")
    assert (found.sentence, found.diagnoses) == ("no transaction: the database was not used", [])


def test_a_view_that_commits_by_itself(run):
    def view(request):
        with request.dbsession as dbsession:
            dbsession.add(User(name="Jane Doe"))
            dbsession.commit()

    found = run(view)
    assert (found.kind, found.sentence, found.summary) == (
        "committed",
        "committed: 1 user added",
        "1 statement, committed",
    )
    [diagnosis] = found.diagnoses
    assert diagnosis.sentence.startswith(
        "committed on its own, and not by the transaction manager, in tests/inspector/"
    )


def test_a_view_that_forgets_to_commit(run):
    def view(request):
        with request.dbsession as dbsession:
            dbsession.execute(JANE)

    found = run(view)
    assert (found.kind, found.sentence) == (
        "rolled back",
        "rolled back although the view answered 200: nobody committed",
    )
    assert [diagnosis.sentence for diagnosis in found.diagnoses] == [found.sentence]


def test_a_body_that_reads_rows_and_returns_its_connection_is_right(run):
    def view(request):
        def body():
            with request.dbsession as dbsession:
                yield str(dbsession.get(User, 0)).encode()

        assert request.dbsession.get(User, 0)
        return Response(app_iter=body())

    found = run(view)
    assert (found.leaked, found.diagnoses) == ([], [])
    assert found.sql[0].startswith("SELECT users.id")


def test_a_body_keeps_its_length(run):
    answer = Response(app_iter=iter([b"Hello"]), content_length=5)
    assert run(lambda request: answer).status == 200
    assert answer.content_length == 5


def test_a_lost_race_is_not_tried_again_without_pyramid_retry(run):
    class Lost(Exception):
        sqlstate = "40001"

    def view(request):
        raise DBAPIError("COMMIT", None, Lost())

    assert [diagnosis.sentence for diagnosis in run(view).diagnoses] == [
        "not tried again after a serialization failure"
    ]


def test_a_view_that_forgets_to_close_its_session(run):
    left = []

    def view(request):
        left.append(request.dbsession)
        request.dbsession.get(User, 1)

    found = run(view)
    assert found.diagnoses[0].sentence.startswith("a connection was not returned to its pool, in tests/inspector/")
    # The debug toolbar keeps the record: nothing of SQLAlchemy.
    assert found.pending == {}
    left[0].close()
