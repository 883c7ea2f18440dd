"""The list of all changes: in words, with filters, page by page."""

import datetime

import pytest
import sqlalchemy

from myproject.models import Change, Entry
from tests.people import add_person, browser_of

from . import save, sentences, text_of

UTC = datetime.UTC


def test_an_entry_says_who_did_what(app, wsgi, outside):
    bob, editor = add_person(outside, "Bob"), add_person(outside, "Ada Lovelace", "editor")
    save(browser_of(wsgi, outside, editor), f"/users/{bob.id}/edit", age="40")
    save(app, f"/users/{bob.id}/edit", role="editor")
    assert sentences(app.get("/history"))[:4] == [
        "Test Administrator changed the role of Bob from member to editor",
        "Ada Lovelace entered the age of Bob: 40",
        "Another program added Ada Lovelace",
        "Another program added Bob",
    ]


def test_a_request_is_one_entry_however_many_records_it_touches(app, make_user, make_post):
    author = make_user("Bob")
    for title in ("Hello", "Goodbye"):
        make_post(title, author=author)
    app.get(f"/users/{author.id}/delete").forms["record"].submit(status=303)
    assert sentences(app.get("/history"))[0] == "Test Administrator deleted Bob and deleted 2 posts"


def test_an_entry_names_its_page_and_says_if_it_took_several_attempts(app, make_user, execute_as):
    user = make_user("Bob")
    execute_as(f"UPDATE users SET age = 7 WHERE id = {user.id}", route="users.edit", attempts=3, actor_id=0)
    execute_as(f"UPDATE users SET age = 8 WHERE id = {user.id}", route="users.edit", attempts=1, actor_id=0)
    newest, older, outside = [item.get_text() for item in app.get("/history").html.select(".list-group-item")[:3]]
    assert "Edit a user" in newest
    assert "attempt" not in newest
    assert "3 attempts" in older
    assert "outside the application" in outside


def test_a_command_and_a_deleted_person_are_named(app, outside, make_user, execute_as):
    user, actor = make_user("Bob"), make_user("Ada Lovelace")
    execute_as(f"UPDATE users SET age = 7 WHERE id = {user.id}", route="create_admin")
    execute_as(f"UPDATE users SET age = 8 WHERE id = {user.id}", route="users.edit", actor_id=actor.id)
    execute_as(f"UPDATE users SET age = 9 WHERE id = {user.id}", route="users.edit", actor_id=999_999)
    execute_as(f"UPDATE users SET age = 10 WHERE id = {user.id}", route="setup")
    with outside.begin() as connection:
        connection.exec_driver_sql(f"DELETE FROM users WHERE id = {actor.id}")
    assert sentences(app.get("/history"))[:5] == [
        "Another program deleted Ada Lovelace",
        "Somebody who was not signed in changed the age of Bob from 9 to 10",
        "A deleted user changed the age of Bob from 8 to 9",
        "Ada Lovelace changed the age of Bob from 7 to 8",
        "The command create_admin entered the age of Bob: 7",
    ]


def test_undone_entries_lead_to_each_other(app, make_user, execute_as, entries):
    user = make_user("Bob")
    execute_as(f"UPDATE users SET age = 7 WHERE id = {user.id}", route="users.edit", actor_id=0)
    first = entries()[-1]
    execute_as(f"UPDATE users SET age = NULL WHERE id = {user.id}", route="history.undo", undoes_id=first.id)
    page = app.get("/history")
    assert page.click("Undone").request.path == f"/history/{entries()[-1].id}"
    assert page.click("Undoes an earlier change").request.path == f"/history/{first.id}"


@pytest.fixture
def several(outside, make_user, make_post, execute_as, backdate, entries):
    """Entries of Ada, of a command and of another program, on three days; return Ada and Bob."""
    ada, bob = make_user("Ada Lovelace"), make_user("Bob")
    execute_as(f"UPDATE users SET age = 7 WHERE id = {bob.id}", route="users.edit", actor_id=ada.id)
    execute_as(f"UPDATE users SET active = false WHERE id = {bob.id}", route="users.edit", actor_id=0)
    execute_as(f"INSERT INTO posts (title, body, author_id) VALUES ('Hello', 'World', {ada.id})", route="demo")
    execute_as("DELETE FROM posts", route="posts.delete", actor_id=ada.id)
    for day, entry in enumerate(entries(), start=1):
        backdate(entry.id, datetime.datetime(2026, 3, day, 12, tzinfo=UTC))
    return ada, bob


DELETED = "Ada Lovelace deleted the post “Hello”"
WROTE = "The command demo added the post “Hello”"
DEACTIVATED = "Test Administrator deactivated Bob"
AGED = "Ada Lovelace entered the age of Bob: 7"
ADDED_BOB, ADDED_ADA = "Another program added Bob", "Another program added Ada Lovelace"
FILTERS = {
    "who={ada}": [DELETED, AGED],
    "who=me": [DEACTIVATED],
    "what=users-changed": [DEACTIVATED, AGED],
    "what=posts-deleted": [DELETED],
    "what=saved_views-added": [],
    "route=demo": [WROTE],
    "route=users.edit": [DEACTIVATED, AGED],
    "record=users-{bob}": [DEACTIVATED, AGED, ADDED_BOB],
    "from=2026-03-04&to=2026-03-05": [WROTE, DEACTIVATED],
    "to=2026-03-02": [ADDED_BOB, ADDED_ADA],
    "who={ada}&what=users-changed": [AGED],
    "who={ada}&record=users-{bob}": [AGED],
    "record=users-{bob}&what=users-added": [ADDED_BOB],
    "what=users-changed&from=2026-03-04": [DEACTIVATED],
    "route=users.edit&to=2026-03-03": [AGED],
    "who={ada}&what=posts-deleted&route=posts.delete&from=2026-03-06&to=2026-03-06": [DELETED],
}


@pytest.mark.parametrize("query", FILTERS)
def test_filters_combine(app, several, outside, query):
    with outside.begin() as connection:
        # The migration of the tests has added the administrator.
        connection.execute(sqlalchemy.delete(Entry).where(Entry.created_at > datetime.datetime(2026, 4, 1, tzinfo=UTC)))
    ada, bob = several
    assert sentences(app.get("/history?" + query.format(ada=ada.id, bob=bob.id))) == FILTERS[query]


def test_another_program_is_a_filter(app, several):
    assert sentences(app.get("/history?who=program"))[:2] == [ADDED_BOB, ADDED_ADA]


def test_days_are_those_of_the_persons_time_zone(settings, request, execute_as, make_user, backdate, entries):
    settings["myproject.timezone"] = "Asia/Seoul"
    app = request.getfixturevalue("app")
    make_user("Bob")
    backdate(entries()[-1].id, datetime.datetime(2026, 3, 1, 15, tzinfo=UTC))
    assert sentences(app.get("/history?from=2026-03-02&to=2026-03-02")) == [ADDED_BOB]
    assert sentences(app.get("/history?from=2026-03-01&to=2026-03-01")) == []


def test_a_filter_is_removed_by_its_chip(app, several):
    ada, _bob = several
    page = app.get(f"/history?who={ada.id}&what=posts-deleted&from=2026-03-01")
    page = page.click("Posts deleted")
    assert sentences(page) == [DELETED, AGED]
    assert [chip.get_text().split()[0] for chip in page.html.select(".chip")] == ["Who:", "from"]


def test_the_form_keeps_the_filters(app, several):
    ada, bob = several
    query = {"who": str(ada.id), "what": "users-changed", "route": "users.edit", "record": f"users-{bob.id}"}
    form = app.get("/history", {**query, "from": "2026-03-01", "to": "2026-03-31"}).forms[2]
    assert dict(form.submit_fields()) == {**query, "from": "2026-03-01", "to": "2026-03-31"}
    assert sentences(form.submit()) == [AGED]


NONSENSE = [
    *[
        "who=abc",
        "who=-1",
        "who=" + "9" * 30,
        "who=1%00",
        "what=nothing",
        "what=users",
        "route=%00",
        "route=" + "x" * 200,
    ],
    *[
        "record=users",
        "record=users-0",
        "record=users-" + "9" * 30,
        "record=%EA%B0%80-1",
        "from=yesterday",
        "to=2026-02-30",
    ],
    *["from=0000-00-00", "from=" + "1" * 2000],
]


@pytest.mark.parametrize("query", NONSENSE)
def test_a_filter_that_is_not_understood_is_said_and_not_applied(app, make_user, query):
    make_user("Bob")
    page = app.get(f"/history?{query}")
    assert sentences(page)[0] == ADDED_BOB
    page.mustcontain("so this filter is not applied")


NOTHING = [
    *["record=users-999999", "record=nothing-7", "who=999999", "route=nothing"],
    *["from=9999-12-31", "to=0001-01-01", "from=2026-03-05&to=2026-03-01"],
]


@pytest.mark.parametrize("query", NOTHING)
def test_a_filter_may_find_nothing(app, query):
    assert "No changes found." in text_of(app.get(f"/history?{query}"))


@pytest.mark.parametrize("query", ["", "who={user}", "what=users-changed", "route=demo", "record=users-{user}",
                                   "from=2020-01-01", "who={user}&what=users-changed"])  # fmt: skip
def test_pages_lead_through_all_entries_and_back(app, make_user, execute_as, query):
    user = make_user("Bob")
    for age in range(60):
        execute_as(f"UPDATE users SET age = {age} WHERE id = {user.id}", actor_id=user.id)
    page = app.get("/history?" + query.format(user=user.id))
    pages = [sentences(page)]
    while page.html.select("a[rel=next]"):
        page = page.click("Next")
        pages.append(sentences(page))
    assert [text for page in pages for text in page if "changed" in text] == [
        f"Bob changed the age of Bob from {age - 1} to {age}" for age in range(59, 0, -1)
    ]
    back = [pages[-1]]
    while page.html.select("a[rel=prev]"):
        page = page.click("Previous")
        back.insert(0, sentences(page))
    assert back[0] == pages[0]
    assert sentences(page.click("Last page"))[-1] == pages[-1][-1]


def test_a_cursor_of_another_list_is_refused(app, make_user, execute_as):
    user = make_user("Bob")
    for age in range(30):
        execute_as(f"UPDATE users SET age = {age} WHERE id = {user.id}")
    cursor = app.get("/history?route=demo").click("Next").request.GET["cursor"]
    app.get(f"/history?who=program&cursor={cursor}", status=400)
    app.get("/history?cursor=broken", status=400)


def test_a_change_of_many_records_is_counted_up_to_a_limit(app, make_user, execute_as, outside):
    user = make_user("Bob")
    values = ", ".join(f"('Post {number}', '–', {user.id})" for number in range(1001))
    execute_as(f"INSERT INTO posts (title, body, author_id) VALUES {values}")
    execute_as("DELETE FROM posts WHERE title = 'Post 7'")
    execute_as("UPDATE posts SET body = 'x'")
    assert sentences(app.get("/history"))[:3] == [
        "The command demo changed 1,000 posts",
        "The command demo deleted the post “Post 7”",
        "The command demo added 1,000+ posts",
    ]


def test_a_page_takes_the_same_number_of_queries_however_many_entries_it_has(app, recorded, make_user, execute_as):
    people = [make_user(f"Person {number}") for number in range(20)]
    execute_as(f"UPDATE users SET age = 1 WHERE id = {people[0].id}", actor_id=people[0].id)
    with recorded() as few:
        app.get(f"/history?record=users-{people[0].id}")
    for person in people:
        execute_as(f"UPDATE users SET age = 2 WHERE id = {person.id}", actor_id=person.id)
    with recorded() as many:
        app.get(f"/history?record=users-{people[0].id}")
    assert many.statement_count == few.statement_count
    # Two queries find the name and the record of the filter.
    with recorded() as all_records:
        app.get("/history")
    assert all_records.statement_count == many.statement_count - 1


def test_the_list_says_when_the_history_begins(app, backdate, outside):
    with outside.connect() as connection:
        first = connection.scalar(sqlalchemy.select(sqlalchemy.func.min(Entry.id)))
    backdate(first, datetime.datetime(2026, 3, 1, 9, 30, tzinfo=UTC))
    assert "Changes before Mar 1, 2026 09:30 UTC are not recorded." in text_of(app.get("/history"))


@pytest.mark.passes_ledger_by
def test_a_history_without_changes_says_so(app, outside):
    with outside.begin() as connection:
        connection.execute(sqlalchemy.delete(Change))
        connection.execute(sqlalchemy.delete(Entry))
    assert "No changes yet." in text_of(app.get("/history"))
    assert "No changes have been recorded yet." in text_of(app.get("/history/deleted"))


def test_names_are_escaped(app, make_user, execute_as):
    user = make_user("<b>Bob</b> ${name}")
    execute_as(f"UPDATE users SET name = '<i>' WHERE id = {user.id}", actor_id=user.id)
    page = app.get("/history")
    assert sentences(page)[0] == "<i> renamed <b>Bob</b> ${name} to <i>"


def test_the_list_is_in_korean(app, make_user, execute_as):
    user = make_user("서연")
    execute_as(f"UPDATE users SET role = 'editor' WHERE id = {user.id}", route="users.edit", actor_id=0)
    page = app.get("/history", headers={"Accept-Language": "ko"})
    assert sentences(page)[0] == "Test Administrator 님: 서연 님의 역할 변경 (구성원 → 편집자)"
