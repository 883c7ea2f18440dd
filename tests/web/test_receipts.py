"""A form that is sent twice is applied once and redirects to the same page both times."""

import datetime
import time
from threading import Barrier, BrokenBarrierError, Thread

import pytest
from pyramid.httpexceptions import HTTPNotFound, HTTPSeeOther
from sqlalchemy import delete, insert, inspect, select, text, update
from sqlalchemy.orm import Session

from myproject.db.base import utcnow
from myproject.models import Post, User
from myproject.users import views
from myproject.web.receipts import TOKEN_FIELD, Receipt, digest_of
from myproject.web.request import Request
from tests import postgresql_only
from tests.people import add_person, browser_of

ALREADY = "This was already done."
TOKEN = "0123456789abcdef" * 2
SENT, FORM = f"{TOKEN_FIELD}={TOKEN}".encode(), "application/x-www-form-urlencoded"
RECEIPTS = Receipt.__table__


@pytest.fixture
def names(rows):
    """Call `names()`: the names of the stored users, by id."""
    return lambda: [user.name for user in rows(User)]


@pytest.fixture
def tokens(outside):
    """Call `tokens()`: the tokens of all receipts, read over the second connection."""

    def read():
        with outside.connect() as connection:
            return sorted(connection.scalars(select(RECEIPTS.c.token)))

    return read


@pytest.fixture
def keep(outside):
    """Call `keep(token, created_at)`: store a receipt."""

    def store(token, created_at):
        with outside.begin() as connection:
            connection.execute(insert(RECEIPTS).values(token=token, location="/users", created_at=created_at))

    return store


def form_of(app, name="John Doe"):
    """Return the form of a new user, filled in."""
    form = app.get("/users/new").forms["record"]
    form["name"] = name
    return form


def test_a_form_sent_twice_is_applied_once_with_the_same_redirect(app, names):
    form = form_of(app)
    first, second = form.submit(status=303), form.submit(status=303)
    assert (second.location, names()) == (first.location, ["John Doe"])
    second.follow().mustcontain("John Doe", ALREADY)


@postgresql_only
def test_a_long_form_is_applied_at_the_first_attempt_among_short_ones(app, probe, make_user, keep, outside):
    """The long one writes nothing else: only its receipt could conflict with those of the others."""
    keep("0" * 32, utcnow())
    with outside.begin() as connection:
        # PostgreSQL reads the whole of a table that it knows to be small.
        connection.execute(text("ANALYZE receipts"))
    users, attempts = [make_user(name) for name in ("Ada", "Bob", "Cid")], []
    forms = [app.get(f"/users/{user.id}/edit").forms["record"] for user in users]
    token = forms[0]["csrf_token"].value

    def long(request):
        attempts.append(1)
        for form in forms:
            form["age"] = "30"
            form.submit(status=303)
        return HTTPSeeOther("/users")

    probe(long, POST={TOKEN_FIELD: TOKEN, "csrf_token": token}, status=303)
    assert attempts == [1]


def test_the_message_of_a_repeated_form_is_translated(app, names):
    form = form_of(app, "김철수")
    form.submit(status=303)
    again = form.submit(extra_environ={"HTTP_ACCEPT_LANGUAGE": "ko"}, status=303)
    again.follow(extra_environ={"HTTP_ACCEPT_LANGUAGE": "ko"}).mustcontain("이미 처리된 요청입니다.")
    assert names() == ["김철수"]


def test_a_form_changed_after_going_back_can_add_another_user(app, names):
    form = form_of(app)
    form.submit(status=303)
    form["name"] = "Jane Doe"
    page = form.submit(status=409)
    page.mustcontain("<bdi>John Doe</bdi> was added already.")
    page.forms["record"].submit(status=303)
    assert names() == ["John Doe", "Jane Doe"]


def test_a_form_changed_after_going_back_can_change_the_user_that_it_added(app, names):
    form = form_of(app)
    form.submit(status=303)
    form["name"] = "Jane Doe"
    again = form.submit(status=409).forms["record"]
    again.action = button(again, "Change").attrs["formaction"]
    again.submit(status=303).follow().mustcontain("The changes to Jane Doe were saved.")
    assert names() == ["Jane Doe"]


def test_a_change_of_the_added_user_notices_that_somebody_else_changed_it_since(app, names, outside):
    form = form_of(app)
    form.submit(status=303)
    form["name"] = "Jane Doe"
    again = form.submit(status=409).forms["record"]
    again.action = button(again, "Change").attrs["formaction"]
    with Session(outside) as session:
        session.scalars(select(User).where(User.id > 0)).one().name = "Jack Doe"
        session.commit()
    again.submit(status=409).mustcontain("Jane Doe", "Jack Doe")
    assert names() == ["Jack Doe"]


def test_a_change_of_the_added_user_keeps_what_somebody_else_changed_before_the_page(app, rows, outside):
    form = form_of(app)
    form.submit(status=303)
    with outside.begin() as connection:
        connection.execute(update(User).where(User.id > 0).values(active=False))
    form["name"] = "Jane Doe"
    again = form.submit(status=409).forms["record"]
    again.action = button(again, "Change").attrs["formaction"]
    again.submit(status=409).mustcontain("The saved value is different.")
    assert [(user.name, user.active) for user in rows(User)] == [("John Doe", False)]


def test_a_change_undone_after_going_back_is_shown_and_then_saved(app, make_user, names):
    form = app.get(f"/users/{make_user('Anna').id}/edit").forms["record"]
    form["name"] = "Berta"
    form.submit(status=303)
    form["name"] = "Anna"
    again = form.submit(status=409).forms["record"]
    assert again["name"].value == "Anna"
    again.submit(status=303)
    assert names() == ["Anna"]


def test_a_change_of_somebody_else_after_the_first_one_is_told_after_going_back(app, make_user, rows, outside):
    form = app.get(f"/users/{make_user('Anna').id}/edit").forms["record"]
    form["name"] = "Berta"
    form.submit(status=303)
    with outside.begin() as connection:
        connection.execute(update(User).where(User.id > 0).values(active=False))
    form["name"] = "Cora"
    page = form.submit(status=409)
    assert "changed since you opened the page" in page.html.find(id="active-change").text
    page.forms["record"].submit(status=303)
    assert [(user.name, user.active) for user in rows(User)] == [("Cora", False)]


def test_nobody_is_offered_to_change_the_added_user_who_may_not(wsgi, outside, rows):
    form = form_of(browser_of(wsgi, outside, add_person(outside, "Ed", "editor")))
    form.submit(status=303)
    with outside.begin() as connection:
        connection.execute(update(User).where(User.name == "John Doe").values(role="admin"))
    form["name"] = "Jane Doe"
    again = form.submit(status=409).forms["record"]
    assert "formaction" not in again.text
    again.submit(status=303)
    assert [user.name for user in rows(User)] == ["Ed", "John Doe", "Jane Doe"]


def test_a_changed_form_whose_user_was_deleted_since_is_shown_again(app, names, outside):
    form = form_of(app)
    form.submit(status=303)
    with outside.begin() as connection:
        connection.execute(delete(User).where(User.id > 0))
    form["name"] = "Jane Doe"
    form.submit(status=409).forms["record"].submit(status=303)
    assert names() == ["Jane Doe"]


def test_the_token_of_one_form_says_nothing_about_another_page(app, make_post, rows):
    form, post = form_of(app), make_post()
    form.submit(status=303)
    other = app.get(f"/posts/{post.id}/edit").forms["record"]
    other[TOKEN_FIELD].force_value(form[TOKEN_FIELD].value)
    other["title"] = "Changed"
    other.submit(status=409).forms["record"].submit(status=303)
    assert [post.title for post in rows(Post)] == ["Changed"]


def test_a_view_that_writes_other_content_all_the_same_is_refused(probe, app, names):
    def view(request):
        request.dbsession.add(User(name=request.POST["name"]))
        return HTTPSeeOther("/users")

    probe(view, body=SENT + b"&name=Anna", content_type=FORM, status=303)
    probe(view, body=SENT + b"&name=Berta", content_type=FORM, status=409).mustcontain("This form was already sent")
    assert names() == ["Anna"]


def test_the_digest_of_a_form_depends_on_the_secret(wsgi, monkeypatch):
    request = Request.blank("/users/new", POST={"name": "John Doe", "csrf_token": "1"})
    request.registry, request.path_here, digests = wsgi.registry, "/users/new", set()
    for secret in ("one secret", "another secret"):
        monkeypatch.setitem(wsgi.registry.settings, "myproject.secret", secret)
        digests.add(digest_of(request))
    assert [len(digest) for digest in digests] == [64, 64]


def test_strangers_leave_no_receipts(stranger, probe, tokens, wsgi):
    wsgi.registry["probe"] = lambda request: HTTPSeeOther("/users")
    stranger.post("/probe", SENT, content_type=FORM, status=303)
    assert tokens() == []


def button(form, text):
    """Return the button of `form` that begins with `text`."""
    return next(button for button in form.html.find_all("button") if button.text.startswith(text))


@pytest.mark.parametrize("times", [2, 5])
def test_a_form_sent_several_times_at_once_is_applied_once(times, app, names, monkeypatch):
    form, validate, together, locations = form_of(app), views.UserForm.validate, Barrier(times), []

    def validate_together(form):
        together_or_alone(together)
        return validate(form)

    monkeypatch.setattr(views.UserForm, "validate", validate_together)
    threads = [Thread(target=lambda: locations.append(form.submit(status=303).location)) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(locations), len(set(locations)), names()) == (times, 1, ["John Doe"])


def test_a_form_that_waits_while_its_receipt_is_committed_is_not_applied(app, names, outside):
    form, answers = form_of(app), []
    location = form.submit(status=303).location
    with outside.begin() as connection:
        receipt = connection.execute(select(RECEIPTS)).mappings().one()
        connection.execute(delete(RECEIPTS))
        connection.execute(delete(User).where(User.id > 0))
    waiting = Thread(target=lambda: answers.append(form.submit(expect_errors=True)))
    with outside.begin() as connection:
        connection.execute(insert(RECEIPTS).values(**receipt))
        waiting.start()
        wait_until_blocked(outside)
    waiting.join()
    assert [(answer.status_int, answer.location) for answer in answers] == [(303, location)]
    assert names() == []


def test_a_repeated_edit_is_no_conflict_with_itself(app, make_user, rows):
    form = app.get(f"/users/{make_user().id}/edit").forms["record"]
    form["name"] = "Jack Doe"
    form.submit(status=303)
    form.submit(status=303).follow().mustcontain("Jack Doe", ALREADY)
    assert [(user.name, user.version) for user in rows(User)] == [("Jack Doe", 2)]


@pytest.mark.parametrize("path", ["/users", "/posts"])
def test_a_repeated_delete_redirects_to_the_list(path, app, make_post):
    post = make_post()
    number = post.id if path == "/posts" else post.author_id
    form = app.get(f"{path}/{number}/delete").forms["record"]
    assert form.submit(status=303).location == form.submit(status=303).location
    app.get(path).mustcontain(ALREADY)


def test_another_delete_form_for_a_deleted_row_is_404(app, make_user):
    user = make_user()
    first, second = (app.get(f"/users/{user.id}/delete").forms["record"] for _ in range(2))
    first.submit(status=303)
    second.submit(status=404)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(SENT + b"&body=" + b"x" * 600_000, FORM), (SENT, f"{FORM}; charset=utf-16"), (SENT, "text/plain"), (b"", FORM)],
)
def test_an_unreadable_body_is_not_parsed_if_the_row_is_missing(body, content_type, app, keep):
    keep(TOKEN, utcnow())
    app.post("/users/99/delete", body, content_type=content_type, status=404)


def test_a_form_of_exactly_the_largest_size_is_answered_again_if_its_row_is_gone(app, make_user):
    form = app.get(f"/users/{make_user().id}/delete").forms["record"]
    body = "&".join(f"{name}={value}" for name, value in form.submit_fields())
    body += "&more=" + "x" * (512 * 1024 - len(body) - len("&more="))
    locations = [app.post(form.response.request.path, body, status=303).location for _ in range(2)]
    assert locations[0] == locations[1]


def test_a_post_sent_twice_is_one_post(app, make_user, rows):
    form = app.get(f"/posts/new?author_id={make_user().id}").forms["record"]
    form["title"], form["body"] = "Hello", "World"
    assert form.submit(status=303).location == form.submit(status=303).location
    assert len(rows(Post)) == 1


def test_the_url_of_a_form_may_be_long(app, names):
    form = form_of(app)
    form.action = "/users/new?x=" + "a" * 3000
    form.submit(status=303)
    assert names() == ["John Doe"]


def test_two_equal_forms_are_both_applied(app, names):
    form_of(app).submit(status=303)
    form_of(app).submit(status=303).follow().mustcontain(no=ALREADY)
    assert names() == ["John Doe", "John Doe"]


@pytest.mark.parametrize("token", ["", "x", TOKEN + "0", TOKEN.upper(), TOKEN[:-1] + "\n", "０" * 32, "' OR 1=1 --"])
def test_a_form_with_a_malformed_token_is_applied_each_time(token, app, names, tokens):
    form = form_of(app)
    form[TOKEN_FIELD].force_value(token)
    for _ in range(2):
        form.submit(status=303).follow().mustcontain(no=ALREADY)
    assert (names(), tokens()) == (["John Doe", "John Doe"], [])


def test_a_form_without_a_token_is_applied_each_time(app, names, tokens):
    fields = {"name": "John Doe", "role": "member", "csrf_token": form_of(app)["csrf_token"].value}
    for _ in range(2):
        app.post("/users/new", fields, status=303)
    assert (names(), tokens()) == (["John Doe", "John Doe"], [])


def test_an_invalid_form_can_be_sent_again_with_its_token(app, names, tokens):
    form = form_of(app, name="")
    form.submit(status=422)
    assert tokens() == []
    form["name"] = "John Doe"
    form.submit(status=303).follow().mustcontain("John Doe was added.", no=ALREADY)
    assert (names(), tokens()) == (["John Doe"], [form[TOKEN_FIELD].value])


def failing(request):
    request.dbsession.add(Post(title="Hello", body="World", author_id=99))


def dooming(request):
    request.tm.doom()


@pytest.mark.parametrize("fail", [failing, dooming])
def test_an_aborted_request_leaves_no_receipt(fail, probe, app, names, tokens):
    def view(request):
        request.dbsession.add(User(name="John Doe"))
        if failures:
            failures.pop()(request)
        return HTTPSeeOther("/users")

    failures = [fail]
    probe(view, body=SENT, content_type=FORM, status="*")
    assert (names(), tokens()) == ([], [])
    probe(view, body=SENT, content_type=FORM, status=303)
    assert (names(), tokens()) == (["John Doe"], [TOKEN])


def test_a_view_that_raises_404_leaves_no_receipt(probe, tokens):
    def view(request):
        raise HTTPNotFound

    probe(view, body=SENT, content_type=FORM, status=404)
    assert tokens() == []


def test_a_redirect_with_x_tm_abort_leaves_no_receipt(probe, tokens):
    probe(lambda request: HTTPSeeOther("/users", headers={"X-Tm": "abort"}), body=SENT, content_type=FORM, status=303)
    assert tokens() == []


def test_a_token_in_a_get_request_is_ignored(probe, tokens):
    probe(lambda request: HTTPSeeOther("/users"), method="GET", status=303)
    probe(lambda request: "Hello", method="POST", body=SENT, content_type=FORM, status=200)
    assert tokens() == []


def test_only_expired_receipts_are_deleted(app, keep, tokens, monkeypatch):
    monkeypatch.setattr("random.random", lambda: 0)
    keep("a" * 32, utcnow() - datetime.timedelta(days=1, minutes=1))
    keep("b" * 32, utcnow() - datetime.timedelta(hours=23))
    form = form_of(app)
    form.submit(status=303)
    assert tokens() == sorted(["b" * 32, form[TOKEN_FIELD].value])


def test_most_forms_delete_no_receipts(app, keep, tokens, monkeypatch):
    monkeypatch.setattr("random.random", lambda: 0.02)
    keep("a" * 32, utcnow() - datetime.timedelta(days=2))
    form_of(app).submit(status=303)
    assert "a" * 32 in tokens()


def test_every_record_form_has_its_own_token(app, make_post):
    post = make_post()
    paths = ["/users/new", f"/users/{post.author_id}/edit", "/posts/new", f"/posts/{post.id}/edit"]
    tokens = [app.get(path).forms["record"][TOKEN_FIELD].value for path in [*paths, *paths]]
    assert len(set(tokens)) == 8


def test_the_migrated_table_matches_the_model(outside):
    columns = {column["name"]: column for column in inspect(outside).get_columns("receipts")}
    assert {name: column["nullable"] for name, column in columns.items()} == dict.fromkeys(columns, False)
    assert {name: column["type"].compile(outside.dialect) for name, column in columns.items()} == {
        column.name: column.type.compile(outside.dialect) for column in RECEIPTS.columns
    }
    assert inspect(outside).get_pk_constraint("receipts")["constrained_columns"] == ["token"]
    assert [index["name"] for index in inspect(outside).get_indexes("receipts")] == ["ix_receipts_created_at"]


def test_control_without_receipts_a_form_sent_twice_is_applied_twice(app, names, outside, monkeypatch):
    """The control."""
    form = form_of(app)
    form.submit(status=303)
    with outside.begin() as connection:
        connection.execute(delete(RECEIPTS))
    form.submit(status=303)
    assert names() == ["John Doe", "John Doe"]


def wait_until_blocked(engine):
    """Return when a transaction waits for a lock. On SQLite that cannot be seen: return after 0.3 seconds."""
    if engine.dialect.name == "sqlite":
        time.sleep(0.3)
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for _ in range(500):
            if connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                return
            time.sleep(0.01)
    raise AssertionError("nobody waits")


def together_or_alone(barrier):
    """Wait at most 0.1 s at `barrier`: on SQLite, the lock keeps the other threads from it."""
    try:
        barrier.wait(0.1)
    except BrokenBarrierError:
        return
