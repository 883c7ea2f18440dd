"""Users are selected in the list, and changed or deleted at once: counted first, frozen, in one entry, undone."""

import datetime
import re

import pytest
from sqlalchemy import delete, event, func, insert, select, update
from sqlalchemy.exc import OperationalError

from myproject.db.base import utcnow
from myproject.models import Entry, Post, SavedView, SecurityEvent, SelectedUser, Selection, SignIn, User
from myproject.users.bulk import views
from myproject.users.listing import stream
from myproject.users.models import FORMER_MEMBER_NAME
from myproject.web import busy
from tests import postgresql_only
from tests.people import add_person, browser_of, token_of
from tests.signed_in import PASSWORD

DAY = datetime.timedelta(days=1)


@pytest.fixture
def people(outside):
    """Thirty members, `Member 01` to `Member 30`, and an editor, `Edith`; returns the ids by name."""
    names = [f"Member {number:02}" for number in range(1, 31)]
    with outside.begin() as connection:
        connection.execute(insert(User), [{"name": name, "role": "member"} for name in names])
        connection.execute(insert(User).values(name="Edith", role="editor"))
        return dict(connection.execute(select(User.name, User.id)).all())


def start(app, query="q=Member&sort=-name"):
    """Start to select users in a view of the list; return the page."""
    form = next(form for form in app.get(f"/users?{query}").forms.values() if form.action.endswith("/users/bulk"))
    return form.submit(status=303).follow()


def press(page, name, value, **ticks):
    """Press a button of the page on which users are selected; return the page behind the redirect."""
    form = page.forms["selecting"]
    if "action" in ticks:
        form["action"] = ticks["action"]
    return form.submit(name, value=value, status=303).follow()


def tick(page, number, ticked=True):
    """Tick the box of a user by the place on the page, or remove the tick."""
    page.forms["selecting"].fields["ticked"][number].checked = ticked


def ticked(page):
    """Return the names of the users with a tick, in the order of the page."""
    return [box.find_parent("tr").label.text.strip() for box in page.html.select("[name=ticked][checked]")]


def go_on(page, action):
    """Choose an action, and return the page that asks before it is done."""
    form = page.forms["selecting"]
    form["action"] = action
    return form.submit(status=303).follow()


def select_all(app, action, query="q=Member&sort=-name"):
    """Select all users of a view, and return the page that asks before `action` is done."""
    return go_on(press(start(app, query), "select", "all"), action)


def said(page):
    """Return the headings of the page with their numbers, and the notes."""
    parts = page.html.select("main h1, main h2, main .note, main .alert")
    return [re.sub(r"\s+", " ", part.text).strip() for part in parts]


def roles(rows):
    return {user.name: user.role for user in rows(User)}


@pytest.mark.usefixtures("people")
def test_all_that_match_but_one_get_a_role_across_pages_and_it_is_undone(app, rows, outside):
    page = press(start(app), "select", "all")
    assert page.html.find(id="selected").text == "30 selected"
    # The order of the list stays, on the next page too.
    page = press(page, "cursor", page.html.find("button", string=re.compile("Next"))["value"])
    assert ticked(page) == [f"Member {number:02}" for number in (5, 4, 3, 2, 1)]
    tick(page, 4, False)
    page = press(page, "cursor", "")
    assert ticked(page)[0] == "Member 30"
    assert page.html.find(id="selected").text == "29 selected"
    page = go_on(page, "editor")
    assert said(page)[:2] == ["Set the role of 29 users to “Editor”?", "Will be changed (29)"]
    answer = page.forms["record"].submit(status=303)
    assert answer.location == "http://localhost/users?q=Member&sort=-name"
    page = answer.follow()
    page.mustcontain("29 users were changed.")
    assert [name for name, role in roles(rows).items() if role == "member"] == ["Member 01"]
    with outside.connect() as connection:
        entries = connection.execute(select(Entry.route).where(Entry.actor_id == 0)).scalars().all()
    assert entries == ["users.bulk.apply"]
    page.click("Undo", href="/undo").forms["record"].submit(status=303)
    assert set(roles(rows).values()) == {"member", "editor"}
    assert [name for name, role in roles(rows).items() if role == "editor"] == ["Edith"]


@pytest.mark.usefixtures("people")
def test_an_exception_is_found_by_a_search_among_the_selected(app, rows):
    page = press(start(app), "select", "all")
    tick(page, 0, False)
    page.forms["selecting"]["find"] = "07"
    page = press(page, "search", "find")
    assert ticked(page) == ["Member 07"]
    tick(page, 0, False)
    page = press(page, "search", "all")
    assert page.html.find(id="selected").text == "28 selected"
    # What is typed and not searched for changes no page.
    page.forms["selecting"]["find"] = "07"
    page = press(page, "cursor", page.html.find("button", string=re.compile("Next"))["value"])
    assert len(ticked(page)) == 5
    go_on(page, "editor").forms["record"].submit(status=303)
    assert sorted(name for name, role in roles(rows).items() if role == "member") == ["Member 07", "Member 30"]


@pytest.mark.usefixtures("people")
def test_a_deletion_of_many_is_counted_with_all_that_goes_with_it_and_undone(app, rows, outside, people):
    with outside.begin() as connection:
        authors = [people["Member 01"], people["Member 01"], people["Member 02"], people["Edith"]]
        connection.execute(
            insert(Post), [{"author_id": author, "title": "Hello", "body": "World"} for author in authors]
        )
        view = {"name": "Mine", "query": "q=a", "user_id": people["Member 03"]}
        connection.execute(insert(SavedView).values(view))
    # The filter by posts must not lose users whose posts are deleted first.
    page = select_all(app, "delete", "q=Member&posts=yes")
    assert said(page) == ["Delete 2 users?", "Will be deleted (2)"]
    page.mustcontain("3 posts")
    page = select_all(app, "delete")
    page.mustcontain("3 posts", "1 saved view")
    page = page.forms["record"].submit(status=303).follow()
    assert ([user.name for user in rows(User)], len(rows(Post)), rows(SavedView)) == (["Edith"], 1, [])
    page.click("Undo", href="/undo").forms["record"].submit(status=303)
    assert (len(rows(User)), len(rows(Post)), len(rows(SavedView))) == (31, 4, 1)


def test_users_with_posts_are_deleted_by_a_filter_of_posts(app, rows, make_post, make_user):
    make_post(author=make_user("Ada"))
    make_user("Bob")
    select_all(app, "delete", "posts=yes").forms["record"].submit(status=303)
    assert [user.name for user in rows(User)] == ["Bob"]


def test_it_says_who_is_left_out_and_why(wsgi, outside, rows, make_user):
    editor, admin = add_person(outside, "Edith", "editor"), add_person(outside, "Ada", "admin")
    make_user("Bob"), make_user("Carl", active=False), make_user("Dora")
    gone = make_user("Zoe")
    app = browser_of(wsgi, outside, editor)
    page = press(start(app, "sort=name"), "select", "all")
    with outside.begin() as connection:
        connection.execute(delete(User).where(User.id == gone.id))
    page = go_on(page, "deactivate")
    assert said(page) == [
        *("Deactivate 2 users?", "Will be changed (2)"),
        "Left out (5)",
    ]
    reasons = [part.text for part in page.html.select("section p")]
    numbers = {"same": 1, "own": 1, "forbidden": 2, "gone": 1}
    assert reasons == [f"{views.REASONS[outcome]} ({number})" for outcome, number in numbers.items()]
    page.mustcontain(f"User {gone.id}")
    page.forms["record"].submit(status=303)
    active = {user.name: user.active for user in rows(User)}
    assert active == {"Edith": True, "Ada": True, "Bob": False, "Carl": False, "Dora": False}
    assert admin.active


def test_who_joined_a_view_of_everybody_is_said(app, make_user, people):
    page = press(start(app, "sort=name"), "select", "all")
    make_user("Newcomer")
    assert said(go_on(page, "delete"))[-1].startswith("1 more user matches now")


def test_what_changed_left_and_joined_since_is_said_and_only_the_counted_are_touched(app, rows, outside, people):
    page = press(start(app, "q=Member&role=member"), "select", "all")
    with outside.begin() as connection:
        connection.execute(update(User).where(User.id == people["Member 01"]).values(age=50))
        connection.execute(update(User).where(User.id == people["Member 02"]).values(role="editor"))
        connection.execute(update(User).where(User.id == people["Edith"]).values(name="Member Edith", role="member"))
    page = go_on(page, "deactivate")
    assert said(page) == [
        *("Deactivate 29 users?", "Will be changed (29)", "Changed since you selected them (1)", "Left out (1)"),
        "1 more user matches now who did not when you selected all. They are not included.",
    ]
    page.mustcontain(views.REASONS["left"])
    page.forms["record"].submit(status=303)
    assert sorted(user.name for user in rows(User) if user.active) == ["Member 02", "Member Edith"]


@pytest.mark.parametrize("statement", ["UPDATE users SET age = 9", "DELETE FROM users", "INSERT INTO posts"])
def test_nothing_is_done_if_something_moved_since_the_page_was_opened(app, rows, outside, people, statement):
    one = people["Member 07"]
    values = f" (author_id, title, body) VALUES ({one}, 'a', 'b')" if "INSERT" in statement else f" WHERE id = {one}"
    page = select_all(app, "delete")
    with outside.begin() as connection:
        connection.exec_driver_sql(statement + values)
    before = [user.name for user in rows(User)]
    page = page.forms["record"].submit(status=409)
    page.mustcontain("Something has changed since you opened the page. Nothing was done.")
    assert [user.name for user in rows(User)] == before
    page.forms["record"].submit(status=303)
    assert [user.name for user in rows(User)] == ["Edith"]


def test_posts_of_erased_people_are_not_deleted_with_many_users(app, rows, make_user, make_post):
    make_post(author=make_user(FORMER_MEMBER_NAME, active=False))
    make_user("Ada", active=False)
    page = select_all(app, "delete", "active=no")
    page.mustcontain(views.REASONS["former_member"])
    page.forms["record"].submit(status=303)
    assert ([user.name for user in rows(User)], len(rows(Post))) == ([FORMER_MEMBER_NAME], 1)


@pytest.fixture
def just_before(wsgi):
    """Call `just_before("LOCK TABLE", work)`: do it once, before the first statement that begins so."""

    def listen(beginning, work):
        waiting, engine = [work], wsgi.registry["dbsession_factory"].kw["bind"]

        def run(_connection, _cursor, statement, *_rest):
            if waiting and statement.startswith(beginning):
                waiting.pop()()

        event.listen(engine, "before_cursor_execute", run)

    return listen


@postgresql_only
def test_an_edit_after_the_transaction_began_is_noticed_and_kept(app, rows, outside, people, just_before):
    def edit():
        with outside.begin() as connection:
            connection.execute(update(User).where(User.id == people["Member 07"]).values(age=7))

    page = select_all(app, "editor")
    just_before("LOCK TABLE", edit)
    page = page.forms["record"].submit(status=409)
    assert "Changed since you selected them (1)" in said(page)
    page.forms["record"].submit(status=303)
    assert [(user.role, user.age) for user in rows(User) if user.name == "Member 07"] == [("editor", 7)]


@postgresql_only
def test_others_wait_with_their_edits_until_many_are_changed(app, rows, outside, people, just_before):
    refused = []

    def edit():
        with outside.connect() as connection:
            connection.exec_driver_sql("SET lock_timeout = 50")
            try:
                connection.execute(update(User).where(User.name == "Edith").values(age=7))
            except OperationalError:
                refused.append("Edith")
            connection.invalidate()

    page = select_all(app, "editor")
    just_before("UPDATE users", edit)
    page.forms["record"].submit(status=303)
    assert (refused, set(roles(rows).values())) == (["Edith"], {"editor"})


@pytest.mark.usefixtures("people")
def test_others_are_told_for_how_long_many_are_changed_and_put_back(app, wsgi, just_before, monkeypatch):
    told = []

    def ask():
        told.append(busy.find_long_work(wsgi.registry))

    monkeypatch.setattr(busy, "RECORDS_PER_SECOND", 10)
    page = select_all(app, "editor")
    just_before("UPDATE users", ask)
    page = page.forms["record"].submit(status=303).follow()
    ask()
    page = page.click("Undo", href="/undo")
    just_before("UPDATE users", ask)
    page.forms["record"].submit(status=303)
    ask()
    assert told[1::2] == [None, None]
    sentences = [work.sentence.interpolate().partition(".")[0] for work in told[::2]]
    assert sentences == ["Users are being changed: 30", "Records are being put back: 30"]
    assert all(0 < work.seconds_left <= 3 for work in told[::2])


def test_one_administrator_stays_if_the_person_cannot_administer_again(app, rows, outside):
    for name in ("Ada", "Bea"):
        add_person(outside, name, "admin")
    with outside.begin() as connection:
        connection.execute(update(User).where(User.id == 0).values(email=None))
    page = select_all(app, "member", "role=admin")
    page.mustcontain(views.REASONS["own"], views.REASONS["last_administrator"])
    page.forms["record"].submit(status=303)
    assert roles(rows) == {"Ada": "admin", "Bea": "member"}


def test_the_password_is_asked_for_before_roles_and_sign_ins_end(wsgi, outside, rows):
    admin, bob, carl = (
        add_person(outside, name, role) for name, role in (("Ada", "admin"), ("Bob", "member"), ("Carl", "editor"))
    )
    long_ago = utcnow() - datetime.timedelta(hours=1)
    app = browser_of(wsgi, outside, admin, confirmed_at=long_ago)
    for person in (bob, carl):
        browser_of(wsgi, outside, person)
    page = select_all(app, "editor", "sort=name")
    form = page.forms["record"]
    form.submit(status=422)
    form["your_password"] = PASSWORD
    form.submit(status=303)
    assert {user.name: user.role for user in rows(User)} == {"Ada": "admin", "Bob": "editor", "Carl": "editor"}
    # Carl had the role already.
    assert {sign_in.user_id for sign_in in rows(SignIn)} == {admin.id, carl.id}


def test_acts_are_reported_up_to_a_number(app, rows, people, monkeypatch):
    monkeypatch.setattr(views, "MOST_REPORTED", 3)
    select_all(app, "deactivate").forms["record"].submit(status=303)
    kinds = [(event.kind, event.load_facts()) for event in rows(SecurityEvent)]
    assert kinds[0] == ("many changed", {"action": "deactivate", "users": 30})
    assert [kind for kind, _facts in kinds[1:]] == ["account changed"] * 3
    shown = " ".join(app.get("/history/events").html.main.get_text(" ").split())
    assert "Test Administrator changed or deleted many users Deactivate: 30" in shown


def test_ticks_of_unknown_and_forged_ids_select_nobody_else(app, outside, people):
    page = start(app)
    path, token = page.request.path, token_of(app)
    known = str(people["Member 03"])
    forged = [("ticked", known), ("ticked", "9" * 30), ("ticked", "x"), ("ticked", "999999"), ("ticked", "-1")]
    app.post(path, [("csrf_token", token), *forged, ("shown", f"{known},{'9' * 30}"), ("action", "delete")], status=303)
    with outside.connect() as connection:
        selected = connection.execute(select(SelectedUser.user_id, SelectedUser.is_excluded)).all()
    assert selected == [(people["Member 03"], False)]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([("ticked", str(number)) for number in range(1, 300)], 400),
        ([("shown", ",".join(map(str, range(1, 200))))], 400),
        ([("ticked", "1")] * 60_000, 413),
    ],
)
def test_more_ids_than_a_page_has_are_refused(app, people, fields, status):
    path = start(app).request.path
    app.post(path, [("csrf_token", token_of(app)), *fields], status=status)


def test_a_selection_is_of_one_person_for_a_day(app, wsgi, outside, people):
    path = press(start(app), "select", "all").request.path
    other = browser_of(wsgi, outside, add_person(outside, "Ada", "admin"))
    for page in (path, f"{path}/apply?action=delete"):
        other.get(page, status=404)
    with outside.begin() as connection:
        connection.execute(update(Selection).values(created_at=utcnow() - DAY))
    app.get(path, status=404).mustcontain("This selection has expired. Select the users in the list again.")


def test_an_expired_selection_is_deleted_when_the_next_one_begins(app, wsgi, outside, rows, people):
    press(start(app), "select", "all")
    with outside.begin() as connection:
        connection.execute(update(Selection).values(created_at=utcnow() - DAY))
    start(app)
    wsgi.registry["own_transactions"].thread.submit(int).result(60)
    with outside.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Selection)) == 1
        assert connection.scalar(select(func.count()).select_from(SelectedUser)) == 0


def test_the_selections_of_an_erased_person_are_deleted(app, wsgi, outside):
    editor = add_person(outside, "Edith", "editor")
    start(browser_of(wsgi, outside, editor), "q=Ada")
    start(app, "q=Bob")
    app.get(f"/users/{editor.id}/erase").forms["record"].submit(status=303)
    with outside.connect() as connection:
        assert connection.scalars(select(Selection.query)).all() == ["q=Bob"]


def test_unknown_actions_and_roles_of_editors_are_refused(app, wsgi, outside, people):
    path = press(start(app), "select", "all").request.path
    app.get(f"{path}/apply?action=erase", status=400).mustcontain("There is no such action.")
    editor = browser_of(wsgi, outside, add_person(outside, "Ed", "editor"))
    page = start(editor)
    assert [option["value"] for option in page.html.select("#action option")] == [
        "",
        "activate",
        "deactivate",
        "delete",
        "export",
    ]
    editor.get(f"{page.request.path}/apply?action=admin", status=403)
    editor.post(f"{page.request.path}/apply", {"csrf_token": token_of(editor), "action": "admin"}, status=403)


def test_members_select_nobody(wsgi, outside):
    app = browser_of(wsgi, outside, add_person(outside))
    assert "Select users" not in app.get("/users")
    app.post("/users/bulk", {"csrf_token": token_of(app)}, status=403)


@pytest.mark.parametrize("query", ["sort=name", "q=Member&role=member"])
def test_a_selection_is_exported_in_the_order_of_its_view(app, wsgi, outside, people, monkeypatch, query):
    monkeypatch.setattr(stream, "CHUNK_SIZE", 3)
    monkeypatch.setattr(stream, "LOOKED_AT", 4)
    monkeypatch.setattr(stream, "FEW_HITS", 2)
    page = press(start(app, query), "select", "page")
    for place in (0, 3, 20):
        tick(page, place, False)
    names = [name for place, name in enumerate(ticked(page)) if place not in (0, 3, 20)]
    page = go_on(page, "export")
    assert said(page)[:2] == ["Export 22 users", "Will be exported (22)"]
    lines = page.forms["panel"].submit().text.splitlines()
    assert [line.partition(",")[0] for line in lines] == ["name", *names]
    other = browser_of(wsgi, outside, add_person(outside, "Ada", "admin"))
    for selection in (page.request.path.split("/")[-2], "x", "9" * 30):
        other.get(f"/users/export.csv?selection={selection}", status=404)


def test_without_a_user_nothing_is_done(app, people):
    page = press(start(app), "select", "none")
    form = page.forms["selecting"]
    form.submit(status=303).follow().mustcontain("No users are selected. Select at least one.")
    page = app.get(f"{page.request.path}/apply?action=delete")
    page.mustcontain("No users are selected.")
    assert "record" not in page.forms


def test_what_the_search_does_not_understand_is_said_before(app, people):
    page = start(app, "q=age:old")
    page.mustcontain("is not an age")
    page = go_on(press(page, "select", "page"), "export")
    page.mustcontain("is not an age")
    assert len(page.forms["panel"].submit().text.splitlines()) == 26


@pytest.mark.parametrize("query", ["q=" + "가" * 3000, "q=" + "a" * 9000])
def test_a_view_that_is_too_long_for_an_address_is_refused(app, query):
    answer = app.post("/users/bulk", {"csrf_token": token_of(app), "query": query}, status=400)
    answer.mustcontain("The search is too long. Shorten it, then try again.")
