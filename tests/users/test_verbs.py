"""The verbs of a User: what they change, and which sign-ins and password links they end."""

import pytest
import sqlalchemy
from sqlalchemy import insert
from sqlalchemy.orm import Session

from myproject.models import PasswordLink, Post, SignIn, User
from myproject.users.models import end_sign_ins
from tests.people import add_person

ENDS_SIGN_INS = {
    "change role": lambda user, **keep: user.change({"role": "editor"}, **keep),
    "change activity": lambda user, **keep: user.change({"active": False}, **keep),
    "change_role": lambda user, **keep: user.change_role("editor", **keep),
    "deactivate": lambda user, **keep: user.deactivate(**keep),
    "set_password": lambda user, **keep: user.set_password("hash", **keep),
}
KEEPS_SIGN_INS = {
    "change age": lambda user: user.change({"age": 37}),
    "change to the same role": lambda user: user.change_role("member"),
    "activate an active user": lambda user: user.activate(),
}


@pytest.fixture
def people(outside):
    """Two users, each with a password link and signed in with two browsers: sign-ins 11, 12 and 21, 22."""
    users = [add_person(outside, name) for name in ("Ada", "Bob")]
    with outside.begin() as connection:
        for number, user in enumerate(users, 1):
            connection.execute(insert(PasswordLink).values(user_id=user.id, maker_id=user.id, token=f"link {number}"))
            for browser in (1, 2):
                values = {"id": 10 * number + browser, "token": f"{number}{browser}", "address": "", "browser": ""}
                connection.execute(insert(SignIn).values(user_id=user.id, **values))
    return users


@pytest.fixture
def act(outside, people):
    """Call `act(verb)`: do it to the first of `people` in a transaction; return the sign-ins and links that remain."""

    def run(verb):
        with Session(outside) as session:
            verb(session.get(User, people[0].id))
            session.commit()
            sign_ins = session.scalars(sqlalchemy.select(SignIn.id).where(SignIn.id > 0).order_by(SignIn.id)).all()
            links = session.scalars(sqlalchemy.select(PasswordLink.token).order_by(PasswordLink.token)).all()
        return sign_ins, links

    return run


@pytest.mark.parametrize("verb", ENDS_SIGN_INS)
def test_a_verb_ends_the_sign_ins_and_the_link_of_this_user_only(act, verb):
    assert act(ENDS_SIGN_INS[verb]) == ([21, 22], ["link 2"])


@pytest.mark.parametrize("verb", ENDS_SIGN_INS)
def test_a_verb_keeps_the_sign_in_that_it_is_told_to_keep(act, verb):
    assert act(lambda user: ENDS_SIGN_INS[verb](user, keep_sign_in=12)) == ([12, 21, 22], ["link 2"])


@pytest.mark.parametrize("verb", KEEPS_SIGN_INS)
def test_other_changes_end_no_sign_in(act, verb):
    assert act(KEEPS_SIGN_INS[verb]) == ([11, 12, 21, 22], ["link 1", "link 2"])


@pytest.mark.parametrize("values", [{"name": "Jane"}, {"email": "jane@example.com"}], ids=str)
def test_a_change_of_name_or_email_ends_only_the_link(act, values):
    assert act(lambda user: user.change(values)) == ([11, 12, 21, 22], ["link 2"])


def test_sign_ins_of_several_users_end_in_one_call(act, people):
    def end_all(user):
        end_sign_ins(sqlalchemy.inspect(user).session, [user.id, people[1].id], keep=22)

    assert act(end_all)[0] == [22]


def test_a_rollback_brings_the_sign_ins_back(outside, people, rows):
    with Session(outside) as session:
        session.get(User, people[0].id).deactivate()
        session.flush()
        session.rollback()
    assert [sign_in.id for sign_in in rows(SignIn)] == [11, 12, 21, 22]


def test_the_verbs_work_on_a_user_who_is_not_stored_yet(outside, rows):
    user = User(name="John Doe")
    user.change_role("editor")
    with Session(outside) as session:
        session.add(user)
        user.set_password("hash")
        user.deactivate()
        session.commit()
    [stored] = rows(User)
    assert (stored.role, stored.active, stored.password_hash) == ("editor", False, "hash")


@pytest.mark.parametrize("keep_posts", [True, False])
def test_erase_deletes_the_user_and_keeps_or_deletes_their_posts(outside, make_post, rows, keep_posts):
    author_id = make_post("Hello").author_id
    with Session(outside) as session:
        session.get(User, author_id).erase(keep_posts=keep_posts)
        session.commit()
    assert author_id not in [user.id for user in rows(User)]
    assert [post.title for post in rows(Post)] == (["Hello"] if keep_posts else [])


def test_the_repr_of_a_record_shows_its_key_and_none_of_its_values(outside, people):
    with Session(outside) as session:
        assert repr(session.get(User, people[0].id)) == f"<User {people[0].id}>"
        assert repr(session.get(PasswordLink, people[0].id)) == f"<PasswordLink {people[0].id}>"
    assert repr(User(name="John Doe")) == "<User new>"


def test_delete_takes_loaded_and_new_posts_along(outside, make_post, rows):
    author_id = make_post("Hello").author_id
    with Session(outside) as session:
        user = session.get(User, author_id)
        user.posts.append(Post(title="New", body="World"))
        user.delete()
        session.commit()
    assert (rows(User), rows(Post)) == ([], [])


def test_a_user_who_is_not_stored_cannot_be_deleted():
    with pytest.raises(sqlalchemy.exc.InvalidRequestError, match="not stored"):
        User(name="John Doe").delete()
