"""The view's answer decides whether its request commits."""

import contextlib
from pathlib import Path

import pytest
from pyramid.httpexceptions import HTTPBadRequest, HTTPFound, HTTPNoContent, HTTPSeeOther
from pyramid.response import Response
from sqlalchemy import insert, inspect
from sqlalchemy.exc import DBAPIError, IntegrityError
from translationstring import TranslationString

import myproject
from myproject.models import Post, User
from myproject.web.flash import flash
from tests import postgresql_only

from . import late
from .writes import writing

pytestmark = pytest.mark.usefixtures("with_places")

JANE = insert(User).values(name="Jane Doe")
SAVED = TranslationString("Saved!")


@pytest.fixture
def stored(names, outside):
    """Call `stored()`: return the users' names, and whether the table that the view creates exists."""
    return lambda: (names(), inspect(outside).has_table("notes"))


EVERYTHING, NOTHING = (["Jane Doe", "Jim Doe"], True), ([], False)


@pytest.mark.parametrize("status", [200, 201, 204, 302, 303])
def test_a_returned_success_commits(status, probe, stored):
    probe(writing(lambda request: Response(status=status)), status=status)
    assert stored() == EVERYTHING


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422, 500, 503])
def test_a_returned_error_aborts(status, probe, stored):
    probe(writing(lambda request: Response(status=status)), status=status)
    assert stored() == NOTHING


@pytest.mark.parametrize("status", [200, 303, 404, 422, 500])
def test_x_tm_commit_commits_whatever_the_status(status, probe, stored):
    probe(writing(lambda request: Response(status=status, headers={"X-Tm": "commit"})), status=status)
    assert stored() == EVERYTHING


@pytest.mark.parametrize("word", ["abort", "Abort", "no", ""])
def test_any_other_x_tm_aborts(word, probe, stored):
    probe(writing(lambda request: Response("Hello", headers={"X-Tm": word})), status=200)
    assert stored() == NOTHING


def test_a_returned_redirect_commits(probe, stored):
    probe(writing(lambda request: HTTPSeeOther("/users")), status=303)
    assert stored() == EVERYTHING


@pytest.mark.parametrize("error", [HTTPSeeOther("/users"), HTTPFound("/users"), HTTPNoContent()])
def test_a_raised_response_aborts_even_if_it_is_no_error(error, probe, stored):
    def answer(request):
        raise error

    probe(writing(answer), status=error.status_int)
    assert stored() == NOTHING


@pytest.mark.parametrize(("error", "status"), [(HTTPBadRequest(), 400), (ValueError(), 500)])
def test_a_raised_error_aborts(error, status, probe, stored):
    def answer(request):
        raise error

    probe(writing(answer), status=status)
    assert stored() == NOTHING


def test_an_error_shown_as_a_page_with_200_aborts(probe, stored):
    def answer(request):
        raise late.Forgiven

    probe(writing(answer), status=200).mustcontain("All is well.")
    assert stored() == NOTHING


@pytest.mark.parametrize("headers", [{}, {"X-Tm": "commit"}])
def test_an_error_whose_page_the_view_makes_itself_aborts(headers, probe, stored):
    def answer(request):
        try:
            raise late.Forgiven
        except late.Forgiven:
            request.invoke_exception_view()
        return Response("All is well.", headers=headers)

    probe(writing(answer), status=200).mustcontain("All is well.")
    assert stored() == NOTHING


def test_a_doomed_transaction_aborts(probe, stored):
    probe(writing(lambda request: request.tm.doom()), status=200)
    assert stored() == NOTHING


def test_a_failed_savepoint_does_not_affect_other_writes(probe, names):
    def view(request):
        request.dbsession.execute(JANE)
        with contextlib.suppress(IntegrityError), request.dbsession.begin_nested():
            request.dbsession.add(User(name="Jim Doe"))
            request.dbsession.add(User(name=""))

    probe(view, status=200)
    assert names() == ["Jane Doe"]


@postgresql_only
def test_a_commit_after_a_swallowed_error_is_refused(probe, names, caplog):
    def view(request):
        request.dbsession.execute(JANE)
        with contextlib.suppress(DBAPIError):
            request.dbsession.connection().exec_driver_sql("SELEKT 1")

    probe(view, status=500)
    assert names() == []
    assert "A statement of this transaction has failed" in caplog.text


def test_an_error_in_a_savepoint_can_be_swallowed(probe, names):
    def view(request):
        request.dbsession.execute(JANE)
        with contextlib.suppress(DBAPIError), request.dbsession.begin_nested():
            request.dbsession.connection().exec_driver_sql("SELEKT 1")

    probe(view, status=200)
    assert names() == ["Jane Doe"]


def test_a_failed_commit_is_answered_by_an_error_and_stores_nothing(probe, names, rows):
    def view(request):
        request.dbsession.execute(JANE)
        request.dbsession.add(Post(title="Hello", body="World", author_id=99))
        return HTTPSeeOther("/users")

    probe(view, status=200).mustcontain("All is well.")
    assert (names(), rows(Post)) == ([], [])


def test_a_flash_message_is_shown_once_after_the_commit(probe, app):
    def view(request):
        flash(request, SAVED)
        return HTTPSeeOther("/users")

    probe(view, status=303)
    app.get("/users").mustcontain("Saved!")
    app.get("/users").mustcontain(no="Saved!")


@pytest.mark.parametrize("status", [422, 500])
def test_a_flash_message_is_dropped_when_the_view_answers_an_error(status, probe, app):
    def view(request):
        flash(request, SAVED)
        return Response(status=status, location="/users")

    probe(view, status=status)
    app.get("/users").mustcontain(no="Saved!")


def test_a_flash_message_is_dropped_when_the_view_raises(probe, app):
    def view(request):
        flash(request, SAVED)
        raise late.Forgiven

    probe(view, status=200)
    app.get("/users").mustcontain(no="Saved!")


def test_a_flash_message_is_dropped_when_the_commit_fails(probe, app, rows):
    def view(request):
        flash(request, SAVED)
        request.dbsession.add(Post(title="Hello", body="World", author_id=99))
        return HTTPSeeOther("/users")

    probe(view, status=200).mustcontain("All is well.")
    app.get("/users").mustcontain(no="Saved!")
    assert rows(Post) == []


def test_the_project_makes_no_subrequest():
    # A subrequest through the tweens commits by itself, even if the outer request aborts.
    sources = Path(myproject.__file__).parent.rglob("*.py")
    assert [path for path in sources if "invoke_subrequest" in path.read_text(encoding="utf-8")] == []
