"""docs/databases.md: a role of PostgreSQL with the rights of its statements serves the site."""

import re

import pytest
import sqlalchemy

from myproject.models import User
from tests import postgresql_only

from . import DOCS

pytestmark = postgresql_only
ROLE = "myproject_server"


@pytest.fixture
def settings(settings, postgresql, outside):
    """The settings of the application, with the documented role for the servers."""
    text = (DOCS / "databases.md").read_text(encoding="utf-8")
    [statements] = re.findall(r"^```sql\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    url = sqlalchemy.make_url(settings["sqlalchemy.url"])
    postgresql.execute(f"CREATE ROLE {ROLE} LOGIN")
    postgresql.execute(f"REVOKE ALL ON DATABASE {url.database} FROM PUBLIC")
    with outside.begin() as connection:
        connection.exec_driver_sql(statements.replace("DATABASE users", f"DATABASE {url.database}"))
        # As a later version does.
        connection.exec_driver_sql("CREATE TABLE later (id INTEGER GENERATED ALWAYS AS IDENTITY, name TEXT)")
    yield {**settings, "sqlalchemy.url": url.set(username=ROLE).render_as_string(hide_password=False)}
    with outside.begin() as connection:
        connection.exec_driver_sql(f"DROP TABLE later; DROP OWNED BY {ROLE}; DROP ROLE {ROLE}")


def test_the_role_of_the_servers_saves_undoes_and_imports(app, wsgi, rows):
    form = app.get("/users/new").forms["record"]
    form["name"] = "Kim"
    form.submit(status=303)
    [user] = rows(User)
    app.get(f"/users/{user.id}/delete").forms["record"].submit(status=303)
    assert rows(User) == []
    entry = re.search(r"/history/\d+(?=[\"?])", str(app.get("/history").html))[0]
    app.get(f"{entry}/undo").forms["record"].submit(status=303)
    form = app.get("/users/import").forms["record"]
    form["text"] = "name,email\nLee,lee@example.com\n"
    page = form.submit(status=303).follow()
    wsgi.registry["imports"].wait(60)
    app.get(page.request.path).forms["record"].submit(status=303)
    wsgi.registry["imports"].wait(60)
    assert {user.name for user in rows(User)} == {"Kim", "Lee"}


def test_the_role_of_the_servers_changes_no_table(probe):
    def view(request):
        for statement in (
            "DROP TABLE users",
            "ALTER TABLE users DISABLE TRIGGER ALL",
            "CREATE TABLE mine (id INTEGER)",
        ):
            refused = pytest.raises(sqlalchemy.exc.ProgrammingError, match="InsufficientPrivilege")
            with refused, request.dbsession.begin_nested():
                request.dbsession.execute(sqlalchemy.text(statement))
        request.dbsession.execute(sqlalchemy.text("INSERT INTO later (name) VALUES ('new')"))
        return request.response

    probe(view, status=200)
