"""Emails are compared alike in a PostgreSQL database whose own locale is Turkish: there, lower('I') is 'ı'."""

import io

import alembic.command
import pytest
import sqlalchemy
from alembic.config import Config

from myproject.models import User
from myproject.scripts import create_admin
from tests.conftest import INI, migrate
from tests.signed_in import PASSWORD, PASSWORD_HASH
from tests.signin.conftest import sign_in

NEW = "CREATE DATABASE {} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR'"


@pytest.fixture
def database(postgresql):
    """The URL of an empty Turkish database."""
    postgresql.execute(NEW.format("turkish"))
    yield postgresql.url("turkish")
    postgresql.execute("DROP DATABASE turkish WITH (FORCE)")


@pytest.fixture
def database_url(database):
    """The URL of the migrated database, which replaces those of the other tests."""
    migrate(database)
    return database


@pytest.fixture
def info(make_user):
    """A user whose email has an I."""
    return make_user("Info", email="INFO@EXAMPLE.COM", password_hash=PASSWORD_HASH)


def test_the_database_is_turkish(outside):
    with outside.connect() as connection:
        assert connection.scalar(sqlalchemy.text("SELECT lower('I')")) == "ı"


@pytest.mark.usefixtures("info")
def test_a_person_signs_in_in_either_case(stranger):
    for email in "info@example.com", "INFO@EXAMPLE.COM":
        assert sign_in(stranger, email).status_int == 303
        stranger.reset()


@pytest.mark.usefixtures("info")
def test_the_same_email_in_another_case_is_taken(app, rows):
    form = app.get("/users/new").forms["record"]
    form["name"], form["email"] = "Another", "info@example.com"
    form.submit(status=422).mustcontain("Another user already has this address.")
    assert [user.name for user in rows(User)] == ["Info"]


def test_create_admin_finds_the_person(info, database_url, rows, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    create_admin.main([INI, "info@example.com", "--password-stdin"])
    assert [(user.id, user.role) for user in rows(User)] == [(info.id, "admin")]


@pytest.mark.usefixtures("info")
def test_the_list_finds_and_sorts_the_email(app, make_user):
    make_user("Jane", email="jane@example.com")
    make_user("Hans", email="hans@example.com")
    app.get("/users?q=email:info").mustcontain("INFO", no="jane")
    shown = app.get("/users?sort=email").html.select("#users tbody th a")
    assert [link.text for link in shown] == ["Test Administrator", "Hans", "Info", "Jane"]


def test_the_migration_names_users_with_the_same_email_and_then_compares_alike(database, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", database)
    engine, config = sqlalchemy.create_engine(database), Config(INI)
    alembic.command.upgrade(config, "0009")
    with engine.begin() as connection:
        for email in "INFO@EXAMPLE.COM", "jane@example.com", "info@example.com":
            connection.execute(sqlalchemy.text(f"INSERT INTO users (name, email) VALUES ('Jane', '{email}')"))
    with pytest.raises(SystemExit, match=r"Users with the same email: 1 and 3\."):
        alembic.command.upgrade(config, "head")
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("DELETE FROM users WHERE id = 3"))
    alembic.command.upgrade(config, "head")
    with engine.connect() as connection:
        found = connection.execute(sqlalchemy.text("SELECT search_text FROM users WHERE id = 1")).scalar()
    assert found == " jane\n \ninfo@example.com\n\n"
    engine.dispose()
