"""Undoing an entry: what becomes of each record, and what is in the tables afterwards."""

import pytest
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from myproject.history.undo.rules import Action, Outcome, Viewer
from myproject.history.undo.steps import Undo
from myproject.models import Change, Entry, Post, SavedView, SignIn, User
from tests.people import add_person, browser_of
from tests.signed_in import PASSWORD_HASH

from .telling import told

ADMIN = Viewer(0, "admin")


@pytest.fixture
def last_entry(outside):
    """Call `last_entry()`: the id of the newest entry."""

    def read():
        with Session(outside) as session:
            return session.scalar(select(func.max(Entry.id)))

    return read


@pytest.fixture
def count(outside):
    """Call `count(entry_id)`: return (table, action, outcome): number of what would become of the records."""

    def run(entry_id, viewer=ADMIN, only=None):
        with Session(outside) as session:
            groups = Undo(entry_id, viewer, outside.dialect.name, only).count(session)
            return {(group.table, group.action, group.outcome): group.number for group in groups}

    return run


@pytest.fixture
def undo(outside, last_entry):
    """Call `undo(entry_id)`: undo it, commit, and return the id of the entry of the undo."""

    def run(entry_id, viewer=ADMIN, only=None, changed_too=False):
        with told(outside, undoes_id=entry_id) as connection, Session(connection) as session:
            it = Undo(entry_id, viewer, outside.dialect.name, only)
            it.apply(session, it.count(session), changed_too=changed_too)
            session.commit()
        return last_entry()

    return run


@pytest.fixture
def change(outside, last_entry):
    """Call `change(statement, …)`: execute in one transaction, and return the id of its entry."""

    def run(*statements):
        with told(outside) as connection:
            for statement in statements:
                connection.execute(statement)
        return last_entry()

    return run


def edit(user, **values):
    return update(User).where(User.id == user.id).values(**values)


def test_an_edit_is_undone_and_redone(make_user, change, undo, rows):
    user = make_user(name="Ada", age=36)
    entry = change(edit(user, name="Bob", age=None))
    second = undo(entry)
    assert [(row.name, row.age) for row in rows(User)] == [("Ada", 36)]
    third = undo(second)
    assert [(row.name, row.age) for row in rows(User)] == [("Bob", None)]
    undo(third)
    assert [(row.name, row.age) for row in rows(User)] == [("Ada", 36)]


def test_only_the_fields_that_the_entry_changed_are_put_back(make_user, change, undo, rows):
    user = make_user(name="Ada", age=36)
    entry = change(edit(user, name="Bob"))
    change(edit(user, age=37))
    undo(entry, changed_too=True)
    assert [(row.name, row.age) for row in rows(User)] == [("Ada", 37)]


def test_an_undo_says_which_entry_it_undoes(make_user, change, undo, entries):
    entry = change(edit(make_user(name="Ada"), name="Bob"))
    undo(entry)
    assert entries()[-1].undoes_id == entry


def test_a_deleted_user_comes_back_with_posts_and_views(make_user, make_post, make_view, change, undo, rows):
    user = make_user(name="Ada", email="ada@example.com", age=36, role="editor", time_zone="Asia/Seoul", active=False)
    post, view = make_post(title="Hello", author=user), make_view(user, name="Mine", for_all=True)
    before = [(model, {**vars(row)}) for model in (User, Post, SavedView) for row in rows(model)]
    entry = change(
        delete(Post).where(Post.id == post.id), delete(SavedView).where(SavedView.id == view.id),
        delete(User).where(User.id == user.id),
    )  # fmt: skip
    undo(entry)
    for (model, values), row in zip(before, [rows(model)[0] for model in (User, Post, SavedView)], strict=True):
        kept = {name: value for name, value in vars(row).items() if name not in ("_sa_instance_state", "updated_at")}
        assert kept == {
            **{name: values[name] for name in kept}, "version": values["version"] + 1
        }, model  # fmt: skip


def test_a_restored_record_has_a_version_above_every_earlier_one(make_user, change, undo, rows):
    user = make_user(name="Ada")
    change(edit(user, name="Bob"))
    for _ in range(2):
        [before] = rows(User)
        undo(change(delete(User).where(User.id == user.id)))
        assert rows(User)[0].version > before.version


def test_a_password_is_not_brought_back(make_user, change, undo, rows):
    user = make_user(name="Ada", email="ada@example.com", password_hash="secret")
    undo(change(delete(User).where(User.id == user.id)))
    assert rows(User)[0].password_hash is None


def test_an_added_user_is_deleted(change, undo, rows):
    entry = change(insert(User).values(name="Ada"), insert(User).values(name="Bob"))
    undo(entry)
    assert rows(User) == []


def test_a_user_who_has_posts_since_is_not_deleted(make_post, change, undo, rows, count):
    entry = change(insert(User).values(name="Ada"))
    make_post(author=rows(User)[0])
    assert count(entry) == {("users", Action.DELETE, Outcome.BELONGINGS): 1}
    undo(entry)
    assert [user.name for user in rows(User)] == ["Ada"]


def test_users_added_with_posts_and_views_are_deleted_with_them(change, undo, rows, count):
    entry = change(
        insert(User).values(id=7, name="Ada"), insert(Post).values(title="Hi", body="B", author_id=7),
        insert(SavedView).values(user_id=7, name="Mine", query=""),
    )  # fmt: skip
    assert set(count(entry)) == {(table, "delete", "ready") for table in ("users", "posts", "saved_views")}
    undo(entry)
    assert (rows(User), rows(Post), rows(SavedView)) == ([], [], [])


def test_a_record_that_was_changed_since_is_left_or_put_back_as_chosen(make_user, change, undo, rows, count):
    ada, bob = make_user(name="Ada"), make_user(name="Bob")
    entry = change(update(User).where(User.id > 0).values(age=7))
    change(edit(bob, age=8))
    assert count(entry) == {("users", "change", "ready"): 1, ("users", "change", "changed"): 1}
    undo(entry)
    assert {row.id: row.age for row in rows(User)} == {ada.id: None, bob.id: 8}
    undo(entry, changed_too=True)
    assert {row.id: row.age for row in rows(User)} == {ada.id: None, bob.id: None}


def test_a_record_that_was_changed_and_put_back_counts_as_unchanged(make_user, change, undo, count):
    user = make_user(name="Ada")
    entry = change(edit(user, name="Bob"))
    undo(change(edit(user, name="Cyd")))
    assert count(entry) == {("users", "change", "ready"): 1}


def test_what_is_as_it_was_stays_as_it_is(make_user, change, count):
    user = make_user(name="Ada")
    entry = change(edit(user, name="Bob"))
    change(edit(user, name="Ada"))
    assert count(entry) == {("users", "change", "same"): 1}


def test_a_deleted_record_is_not_edited(make_user, change, count):
    user = make_user(name="Ada")
    entry = change(edit(user, name="Bob"))
    change(delete(User).where(User.id == user.id))
    assert count(entry) == {("users", "change", "gone"): 1}


def test_a_record_that_was_restored_is_not_restored_again(make_user, change, undo, count):
    entry = change(delete(User).where(User.id == make_user(name="Ada").id))
    undo(entry)
    assert count(entry) == {("users", "restore", "same"): 1}


def test_a_restored_record_that_was_edited_is_not_overwritten(make_user, change, undo, count):
    user = make_user(name="Ada")
    entry = change(delete(User).where(User.id == user.id))
    undo(entry)
    change(edit(user, name="Bob"))
    assert count(entry) == {("users", "restore", "exists"): 1}


@pytest.mark.parametrize("email", ["ada@example.com", "ADA@Example.com"])
def test_an_email_that_is_taken_is_said(email, make_user, change, count, undo, rows):
    ada = make_user(name="Ada", email="ada@example.com")
    entry = change(edit(ada, email="new@example.com"))
    deleted = change(delete(User).where(User.id == ada.id))
    make_user(name="Eve", email=email)
    assert count(entry) == {("users", "change", "gone"): 1}
    assert count(deleted) == {("users", "restore", "ready"): 1}
    undo(deleted)
    assert count(entry) == {("users", "change", "email_taken"): 1}
    undo(entry)
    assert sorted(row.name for row in rows(User)) == ["Ada", "Eve"]


def test_swapped_emails_are_swapped_back(make_user, change, undo, rows):
    ada, bob = make_user(name="Ada", email="a@example.com"), make_user(name="Bob", email="b@example.com")
    entry = change(edit(ada, email=None), edit(bob, email="a@example.com"), edit(ada, email="b@example.com"))
    undo(entry)
    assert [row.email for row in rows(User)] == ["a@example.com", "b@example.com"]


def test_an_email_given_to_another_user_comes_back(make_user, change, undo, rows):
    ada = make_user(name="Ada", email="a@example.com")
    entry = change(delete(User).where(User.id == ada.id), insert(User).values(name="Bob", email="A@example.com"))
    undo(entry)
    assert [(row.name, row.email) for row in rows(User)] == [("Ada", "a@example.com")]


def test_an_email_of_a_record_that_is_left_alone_refuses_the_whole_undo(make_user, change, undo, rows):
    ada, bob = make_user(name="Ada", email="a@example.com"), make_user(name="Bob", email="b@example.com")
    entry = change(edit(ada, email=None), edit(bob, email="a@example.com"), edit(ada, email="b@example.com"))
    change(edit(bob, age=7))
    with pytest.raises(IntegrityError):
        undo(entry)
    assert [row.email for row in rows(User)] == ["b@example.com", "a@example.com"]
    undo(entry, changed_too=True)
    assert [row.email for row in rows(User)] == ["a@example.com", "b@example.com"]


def test_an_email_that_the_entry_did_not_change_is_not_lost_to_another_user(make_user, change, undo, rows, count):
    ada, bob = make_user(name="Ada", email="a@example.com"), make_user(name="Bob", email="b@example.com")
    entry = change(edit(ada, name="Cyd"), edit(bob, email="new@example.com"))
    change(edit(ada, email="b@example.com"))
    assert count(entry) == {("users", "change", "changed"): 1, ("users", "change", "email_taken"): 1}
    undo(entry, changed_too=True)
    assert [(row.name, row.email) for row in rows(User)] == [("Ada", "b@example.com"), ("Bob", "new@example.com")]


def test_a_post_of_a_missing_author_is_said(make_user, make_post, change, count):
    ada = make_user(name="Ada")
    post = make_post(author=ada)
    entry = change(delete(Post).where(Post.id == post.id))
    change(delete(User).where(User.id == ada.id))
    assert count(entry) == {("posts", "restore", "owner_missing"): 1}


def test_a_view_whose_name_is_taken_is_said(make_user, make_view, change, count):
    ada = make_user(name="Ada")
    view = make_view(ada, name="École")
    entry = change(delete(SavedView).where(SavedView.id == view.id))
    make_view(ada, name="ecole")
    assert count(entry, Viewer(ada.id, "member")) == {("saved_views", "restore", "name_taken"): 1}


def test_a_view_that_keeps_its_name_is_put_back_although_another_one_has_its_former_name(
    make_user, make_view, change, undo, rows, count
):
    ada = make_user(name="Ada")
    view = make_view(ada, name="Mine")
    of_view = update(SavedView).where(SavedView.id == view.id)
    entry = change(of_view.values(for_all=True))
    change(of_view.values(name="Ours"))
    make_view(ada, name="Mine")
    assert count(entry) == {("saved_views", "change", "changed"): 1}
    undo(entry, changed_too=True)
    assert [(row.name, row.for_all) for row in rows(SavedView)] == [("Ours", False), ("Mine", False)]


def test_what_is_put_back_is_decided_before_the_first_write(make_user, make_view, change, undo, rows, count):
    ada = make_user(name="Ada")
    view = make_view(ada, name="Mine")
    entry = change(
        update(SavedView).where(SavedView.id == view.id).values(name="Ours"),
        insert(SavedView).values(user_id=ada.id, name="Mine", query=""),
    )
    said = {("saved_views", "change", "name_taken"): 1, ("saved_views", "delete", "ready"): 1}
    assert count(entry, Viewer(ada.id, "member")) == said
    undo(entry, Viewer(ada.id, "member"))
    assert [row.name for row in rows(SavedView)] == ["Ours"]


@pytest.mark.passes_ledger_by
def test_what_was_erased_is_not_put_back(make_user, change, count, outside):
    entry = change(delete(User).where(User.id == make_user(name="Ada").id))
    with outside.begin() as connection:
        connection.execute(update(Change).where(Change.entry_id == entry).values(before={}))
    assert count(entry) == {("users", "restore", "erased"): 1}


def test_one_record_of_a_batch_is_put_back_alone(make_user, change, undo, rows):
    ada, bob = make_user(name="Ada"), make_user(name="Bob")
    entry = change(update(User).where(User.id > 0).values(age=7))
    undo(entry, only=("users", bob.id))
    assert {row.id: row.age for row in rows(User)} == {ada.id: 7, bob.id: None}


def test_one_user_of_a_batch_is_restored_with_their_posts_and_views(
    make_user, make_post, make_view, change, undo, rows
):
    ada, bob = make_user(name="Ada"), make_user(name="Bob")
    for user in (ada, bob):
        make_post(author=user, title=user.name)
        make_view(user, name=user.name)
    entry = change(delete(SavedView), delete(Post), delete(User).where(User.id > 0))
    undo(entry, only=("users", bob.id))
    assert [row.name for row in rows(User)] == ["Bob"]
    assert ([row.title for row in rows(Post)], [row.name for row in rows(SavedView)]) == (["Bob"], ["Bob"])


def test_the_last_administrator_stays(make_user, change, undo, rows):
    admin = make_user(name="Ada", role="admin", email="a@example.com", password_hash=PASSWORD_HASH)
    entry = change(edit(admin, name="Bob"))
    boss = change(insert(User).values(name="Cyd", role="admin", email="c@example.com", password_hash="x"))
    change(update(User).where(User.name != "Cyd").values(active=False))
    with pytest.raises(IntegrityError, match=r"last.administrator"):
        undo(boss)
    undo(entry, changed_too=True)
    assert [row.name for row in rows(User)] == ["Ada", "Cyd"]


@pytest.mark.parametrize(("values", "left"), [({"role": "editor"}, 0), ({"active": False}, 0), ({"age": 7}, 1)])
def test_sign_ins_end_as_by_an_edit(values, left, outside, wsgi, change, undo):
    person = add_person(outside)
    entry = change(edit(person, **values))
    browser_of(wsgi, outside, person)
    undo(entry)
    with outside.connect() as connection:
        query = select(func.count()).select_from(SignIn).where(SignIn.user_id == person.id)
        assert connection.scalar(query) == left


@pytest.mark.passes_ledger_by
def test_a_column_that_was_added_later_keeps_its_value(make_user, change, undo, rows, outside):
    ada, bob = make_user(name="Ada", time_zone="Asia/Seoul"), make_user(name="Bob", age=5)
    edited, deleted = change(edit(ada, name="Cyd")), change(delete(User).where(User.id == bob.id))
    unknown = ("time_zone", "role")
    with Session(outside) as session:
        for row in session.scalars(select(Change).where(Change.entry_id.in_([edited, deleted]))):
            for side in ("before", "after"):
                if getattr(row, side) is not None:
                    kept = {name: value for name, value in getattr(row, side).items() if name not in unknown}
                    setattr(row, side, {**kept, "removed_later": [1]})
        session.commit()
    undo(edited, changed_too=True)
    undo(deleted, changed_too=True)
    assert [(row.name, row.time_zone, row.role) for row in rows(User)] == [
        ("Ada", "Asia/Seoul", "member"), ("Bob", None, "member"),
    ]  # fmt: skip


# (role of the viewer, statement on their own or on another record, whether it may be undone)
def test_permissions_are_those_of_the_pages(make_user, make_post, change, count, outside):
    me, ada, guest = (add_person(outside, name) for name in ("Me", "Ada", "Guest"))
    boss, chief = (add_person(outside, name, role="admin") for name in ("Boss", "Chief"))
    own_post, given, post = make_post(author=me), make_post(author=me), make_post(author=ada)
    cases = [
        (edit(me, name="X"), "member editor admin"), (edit(me, role="editor"), "admin"),
        (edit(me, active=False), "editor admin"), (edit(ada, name="X"), "editor admin"),
        (edit(ada, active=False), "editor admin"), (edit(ada, role="editor"), "admin"),
        (edit(boss, name="X"), "admin"), (edit(boss, role="member"), "admin"),
        (update(Post).where(Post.id == own_post.id).values(title="X"), "member editor admin"),
        (update(Post).where(Post.id == post.id).values(title="X"), "editor admin"),
        (update(Post).where(Post.id == given.id).values(author_id=ada.id), "editor admin"),
        (delete(Post).where(Post.id == own_post.id), "member editor admin"),
        (delete(Post).where(Post.id == post.id), "editor admin"),
        (insert(User).values(name="New"), "editor admin"),
        (delete(User).where(User.id == chief.id), "admin"), (delete(User).where(User.id == guest.id), "editor admin"),
    ]  # fmt: skip
    for statement, allowed in cases:
        entry = change(statement)
        found = [role for role in ("member", "editor", "admin") if "ready" in str(count(entry, Viewer(me.id, role)))]
        assert " ".join(found) == allowed, statement


@pytest.mark.parametrize(
    ("for_all", "role", "owner", "expected"),
    [
        (False, "admin", "other", "forbidden"),
        (True, "admin", "other", "ready"),
        (True, "editor", "other", "forbidden"),
        (False, "member", "own", "ready"),
        (True, "member", "own", "forbidden"),
        (True, "editor", "own", "ready"),
    ],
)
def test_saved_views_are_put_back_by_those_who_may_change_them(
    for_all, role, owner, expected, outside, make_user, make_view, change, count
):
    me, other = add_person(outside, "Me"), make_user(name="Ada")
    view = make_view(me if owner == "own" else other, for_all=for_all)
    entry = change(update(SavedView).where(SavedView.id == view.id).values(name="New"))
    assert count(entry, Viewer(me.id, role)) == {("saved_views", "change", expected): 1}


@pytest.mark.parametrize("shared", [{"name": "Ours"}, {"for_all": False}])
def test_a_view_that_is_private_now_is_put_back_by_its_owner_only(shared, outside, make_view, change, count, rows):
    owner = add_person(outside, "Eve", role="editor")
    of_view = update(SavedView).where(SavedView.id == make_view(owner, name="Mine", for_all=True).id)
    entry = change(of_view.values(shared))
    change(of_view.values(for_all=False, name="Secret"))
    assert count(entry, ADMIN) == {("saved_views", "change", "forbidden"): 1}
    assert count(entry, Viewer(owner.id, "editor")) == {("saved_views", "change", "changed"): 1}
    assert count(entry, Viewer(owner.id, "member")) == {("saved_views", "change", "forbidden"): 1}


def test_a_member_does_not_undo_their_change_of_a_post_that_is_another_s_now(
    outside, make_user, make_post, change, count
):
    me, ada = add_person(outside, "Me"), make_user(name="Ada")
    added = change(insert(Post).values(id=7, title="Hi", body="B", author_id=me.id))
    edited = change(update(Post).where(Post.id == 7).values(title="X"))
    change(update(Post).where(Post.id == 7).values(author_id=ada.id))
    assert count(added, Viewer(me.id, "member")) == {("posts", "delete", "forbidden"): 1}
    assert count(edited, Viewer(me.id, "member")) == {("posts", "change", "forbidden"): 1}


@pytest.mark.parametrize("changed", [Post.title, SavedView.name])
def test_an_added_user_stays_with_what_was_changed_since(changed, change, count, undo, rows):
    entry = change(
        insert(User).values(id=7, name="Ada"), insert(Post).values(title="Hi", body="B", author_id=7),
        insert(SavedView).values(user_id=7, name="Mine", query=""),
    )  # fmt: skip
    change(update(changed.class_).values({changed.key: "New"}))
    assert count(entry)[("users", "delete", "changed")] == 1
    undo(entry)
    assert [getattr(row, changed.key) for row in rows(changed.class_)] == ["New"]
    assert len(rows(User)) == 1
    undo(entry, changed_too=True)
    assert (rows(User), rows(Post), rows(SavedView)) == ([], [], [])


def test_an_added_user_is_deleted_alone_with_what_was_added_with_them(change, undo, rows):
    entry = change(
        insert(User).values([{"id": 7, "name": "Ada"}, {"id": 8, "name": "Bob"}]),
        insert(Post).values([{"title": str(number), "body": "B", "author_id": number} for number in (7, 8)]),
    )
    undo(entry, only=("users", 7))
    assert [(post.title, post.author_id) for post in rows(Post)] == [("8", 8)]
    assert [user.id for user in rows(User)] == [8]


def test_a_post_is_not_restored_without_its_author(make_user, make_post, change, count):
    ada = make_user(name="Ada", email="ada@example.com")
    post = make_post(author=ada)
    entry = change(delete(Post).where(Post.id == post.id), delete(User).where(User.id == ada.id))
    assert count(entry, only=("posts", post.id)) == {("posts", "restore", "owner_missing"): 1}
    make_user(name="Eve", email="ada@example.com")
    assert count(entry) == {("users", "restore", "email_taken"): 1, ("posts", "restore", "owner_missing"): 1}


def test_posts_of_an_author_whom_a_person_may_not_restore_stay_deleted(outside, make_post, change, count):
    boss, me = add_person(outside, "Boss", role="admin"), add_person(outside, "Me", role="editor")
    post = make_post(author=boss)
    entry = change(delete(Post).where(Post.id == post.id), delete(User).where(User.id == boss.id))
    assert count(entry, Viewer(me.id, "editor")) == {
        ("users", "restore", "forbidden"): 1, ("posts", "restore", "owner_missing"): 1,
    }  # fmt: skip


@pytest.mark.parametrize("role", ["editor", "admin"])
def test_a_private_view_that_was_added_with_its_user_is_deleted_with_them_only(
    role, make_user, make_post, make_view, change, undo, rows, count
):
    ada, me = make_user(name="Ada"), Viewer(0, role)
    view = make_view(ada)
    deleted = change(delete(SavedView).where(SavedView.id == view.id), delete(User).where(User.id == ada.id))
    entry = undo(deleted)
    assert count(entry, me) == {("users", "delete", "ready"): 1, ("saved_views", "delete", "ready"): 1}
    assert count(entry, me, only=("saved_views", view.id)) == {("saved_views", "delete", "forbidden"): 1}
    make_post(author=ada)
    assert count(entry, me)[("saved_views", "delete", "forbidden")] == 1
