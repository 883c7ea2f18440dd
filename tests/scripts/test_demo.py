"""`python -m myproject.scripts.demo INI`, and the people that it adds."""

import datetime
import re

import pytest
import sqlalchemy

from myproject.demo import DAYS_SINCE_FIRST
from myproject.models import Post, User
from myproject.scripts import demo
from tests.conftest import INI


@pytest.fixture
def run(database_url, monkeypatch, capsys):
    """Call `run()`: add the demo people to the database of the test; return what was printed."""
    monkeypatch.setenv("DATABASE_URL", database_url)

    def main():
        demo.main([INI])
        return capsys.readouterr().out

    return main


def test_200_people_are_added_with_their_posts(run, rows):
    assert run() == "200 people were added.\n"
    assert len(rows(User)) == 200
    assert len(rows(Post)) > 200


def test_the_second_run_adds_nothing(run, rows):
    run()
    before = {post.id for post in rows(Post)}
    assert run() == "0 people were added.\n"
    assert len(rows(User)) == 200
    assert {post.id for post in rows(Post)} == before


def test_deleted_people_are_added_again(run, rows, outside):
    run()
    deleted = [next(user for user in rows(User) if user.email is None), *rows(User)[:5]]
    ids = {user.id for user in deleted}
    with outside.begin() as connection:
        connection.execute(sqlalchemy.delete(Post).where(Post.author_id.in_(ids)))
        connection.execute(sqlalchemy.delete(User).where(User.id.in_(ids)))
    assert run() == f"{len(ids)} people were added.\n"
    assert len({user.name for user in rows(User)}) == len(rows(User)) == 200


def test_a_person_with_a_known_email_is_not_added_again(run, rows, make_user):
    make_user(name="Somebody else", email="Chulsoo.Kim@example.com")
    make_user(name="Somebody else", email="Chulsoo.Kim@example.net")
    make_user(name="Somebody else", email="Chulsoo.Kim@example.org")
    assert run() == "199 people were added.\n"
    assert "김철수" not in {user.name for user in rows(User)}


def test_the_people_are_believable(run, rows):
    run()
    people = rows(User)
    korean = [user for user in people if re.fullmatch("[가-힣]+", user.name)]
    assert len(korean) == 100
    assert {"José García", "Fiona O'Neil", "김철수"} <= {user.name for user in people}
    assert {user.age for user in people} - {None} <= set(range(19, 79))
    assert 0 < sum(user.age is None for user in people) < 40
    assert 0 < sum(user.email is None for user in people) < 20
    assert 0 < sum(not user.active for user in people) < 40
    assert 150 < sum(user.role == "member" for user in people) < 200


def test_they_joined_in_the_last_24_months(run, rows, app):
    run()
    joined = sorted(user.created_at for user in rows(User))
    now = datetime.datetime.now(datetime.UTC)
    assert now - datetime.timedelta(days=DAYS_SINCE_FIRST) <= joined[0] < now - datetime.timedelta(days=600)
    assert now - datetime.timedelta(days=2) < joined[-1] <= now
    months = app.get("/overview").html.find(id="month-title").parent.table.tbody
    # The 200 and the administrator who opens the page.
    assert sum(int(row.td.text) for row in months("tr")) == 200 + 1


def test_posts_are_in_the_authors_language_and_later_than_the_author(run, rows):
    run()
    authors = {user.id: user for user in rows(User)}
    for post in rows(Post):
        author = authors[post.author_id]
        assert author.created_at <= post.created_at == post.updated_at
        assert bool(re.search("[가-힣]", author.name)) == bool(re.search("[가-힣]", post.body)), post.title
        assert "{" not in post.title + post.body


def test_the_newest_posts_are_listed_first(run, rows, app):
    run()
    newest = max(rows(Post), key=lambda post: post.created_at)
    assert app.get("/posts").html.tbody.th.text.strip() == newest.title


def test_a_file_that_does_not_exist_is_refused_and_not_created(tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'new.sqlite'}")
    with pytest.raises(SystemExit, match=r"there is no file .*new.sqlite; run `initialize_db .*` first"):
        demo.main([INI])
    assert not (tmp_path / "new.sqlite").exists()


def test_a_database_without_tables_is_refused_with_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "new.sqlite").touch()
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'new.sqlite'}")
    with pytest.raises(SystemExit, match=r"is not up to date; run `initialize_db .*` first\.$"):
        demo.main([INI])
