"""House rules for every route that takes a POST: each is in `FORMS`, or in `EXCEPTIONS` with its reason."""

import dataclasses

import pytest
from sqlalchemy import func, select
from webtest import Form as FilledIn

from myproject.models import Entry
from myproject.web.lost import FORMS_KEY
from myproject.web.receipts import TOKEN_FIELD
from tests.people import add_person, browser_of, everything_stored, select_for, token_of
from tests.signed_in import PASSWORD

FIRST_PASSWORD, SECOND_PASSWORD = "seven quiet llamas sing", "eight loud camels whisper"
ALREADY = "This was already done."


@dataclasses.dataclass
class Form:
    """A form: its page, the values of its fields, and one field with what a person changes after going back."""

    path: str
    values: dict = dataclasses.field(default_factory=dict)
    change: tuple[str, str] | None = None


FORMS = {
    "users.new": Form("/users/new", {"name": "Anna"}, ("name", "Berta")),
    "users.edit": Form("/users/{ada}/edit", {"name": "Anna"}, ("name", "Berta")),
    "users.delete": Form("/users/{ada}/delete"),
    "users.erase": Form("/users/{ada}/erase"),
    "users.password": Form("/users/{me}/password", {"password": FIRST_PASSWORD}, ("password", SECOND_PASSWORD)),
    "users.time_zone": Form("/users/{me}/time-zone", {"time_zone": "Asia/Seoul"}, ("time_zone", "Asia/Tokyo")),
    "users.bulk.apply": Form("/users/bulk/{selection}/apply?action=delete"),
    "users.views.new": Form("/users/views/new?q=a", {"name": "Anna"}, ("name", "Berta")),
    "users.views.edit": Form("/users/views/{view}/edit", {"name": "Anna"}, ("name", "Berta")),
    "users.views.delete": Form("/users/views/{view}/delete"),
    "posts.new": Form("/posts/new", {"title": "Anna", "body": "Hello"}, ("title", "Berta")),
    "posts.edit": Form("/posts/{post}/edit", {"title": "Anna"}, ("title", "Berta")),
    "posts.delete": Form("/posts/{post}/delete"),
    "history.undo": Form("/history/{entry}/undo"),
}
EXCEPTIONS = {
    "signin": "does the same each time",
    "signout": "does the same each time",
    "language": "does the same each time",
    "users.display": "does the same each time",
    "users.bulk": "starts with nobody selected each time",
    "users.bulk.show": "saves the same ticks each time",
    "users.sign_ins": "does the same each time",
    "users.import.list": "the same upload is the same import: tests/users/imports/test_pages.py",
    "users.import.show": "a plan is saved once, by its state: tests/users/imports/test_pages.py",
    "users.import.check": "does the same each time",
    "users.import.cancel": "does the same each time",
    "setup": "exists once: tests/signin/test_setup.py",
    "set_password": "a link is used once: tests/signin/test_passwords_pages.py",
    "users.password_link": "shows a new link each time, which replaces the one before",
    "probe": "a page of the tests",
}
CHANGED = [route for route, form in FORMS.items() if form.change]
# An undo compares values, not versions: tests/history/test_undo_pages.py.
DELETING = [route for route in FORMS if route not in (*CHANGED, "history.undo")]


@pytest.fixture
def me(wsgi, outside):
    """A browser in which an administrator, `me.user`, is signed in."""
    user = add_person(outside, "Grace Hopper", "admin")
    app = browser_of(wsgi, outside, user)
    app.user = user
    return app


@pytest.fixture
def fill_in(me, outside, make_post, make_view):
    """Call `fill_in(route)`: return the form of a route, filled in."""
    ada = add_person(outside, "Ada Lovelace")
    ids = {"me": me.user.id, "ada": ada.id, "post": make_post(author=ada).id, "view": make_view(me.user).id}
    ids["selection"] = select_for(outside, me.user, ada).id
    with outside.connect() as connection:
        ids["entry"] = connection.scalar(select(func.max(Entry.id)))

    def fill(route):
        form = me.get(FORMS[route].path.format(**ids)).forms["record"]
        for name, value in FORMS[route].values.items():
            form[name] = value
        if "your_password" in form.fields:
            form["your_password"] = PASSWORD
        return form

    return fill


def change(form: FilledIn, route: str) -> str:
    """Change the form of `route` as a person does who has gone back to it; return what they typed."""
    name, value = FORMS[route].change
    form[name] = value
    if route == "users.password":
        form["your_password"] = FIRST_PASSWORD
    return value


def patterns(wsgi):
    """Return a path of each route."""
    routes = (entry["introspectable"]["pattern"] for entry in wsgi.registry.introspector.get_category("routes"))
    return [
        "/" + pattern.removeprefix("/").format(id=1, token="unknown", key="unknown")
        for pattern in routes
        if "*" not in pattern
    ]


def test_every_route_that_takes_a_post_is_listed(wsgi):
    views = (entry["introspectable"] for entry in wsgi.registry.introspector.get_category("views"))
    taking = {view["route_name"] for view in views if view["request_methods"] in ("POST", None)}
    assert taking - {None, "__static/", "static/"} == FORMS.keys() | EXCEPTIONS.keys()


def test_what_is_entered_into_every_form_of_a_record_is_kept_if_the_record_is_lost(fill_in, wsgi):
    """By the form that is registered for its route: tests/web/test_conflict.py."""
    assert {route for route in FORMS if "version" in fill_in(route).fields} == wsgi.registry[FORMS_KEY].keys()


@pytest.mark.parametrize("route", FORMS)
def test_the_same_content_again_leads_to_the_first_result(route, fill_in, outside):
    form = fill_in(route)
    first, stored = form.submit(status=303), everything_stored(outside)
    again = form.submit(status=303)
    # A receipt keeps no query.
    assert (again.location, everything_stored(outside)) == (first.location.partition("?")[0], stored)
    page = again.follow()
    (page if page.status_int == 200 else page.follow()).mustcontain(ALREADY)


@pytest.mark.parametrize("route", CHANGED)
def test_other_content_after_going_back_is_shown_and_not_saved(route, fill_in, outside):
    form = fill_in(route)
    form.submit(status=303)
    stored, typed = everything_stored(outside), change(form, route)
    page = form.submit(status=409)
    assert everything_stored(outside) == stored
    again = page.forms["record"]
    said = page.html.find(role="alert").text
    assert "was added already" in said or f"choose “{page.html.select_one('main .btn-primary').text}” again" in said
    assert again[TOKEN_FIELD].value != form[TOKEN_FIELD].value
    assert again[FORMS[route].change[0]].value == ("" if route == "users.password" else typed)


@pytest.mark.parametrize("route", CHANGED)
def test_other_content_is_saved_when_it_is_sent_again(route, fill_in, outside):
    form = fill_in(route)
    form.submit(status=303)
    stored, _typed = everything_stored(outside), change(form, route)
    again = form.submit(status=409).forms["record"]
    change(again, route)
    again.submit(status=303).follow()
    assert everything_stored(outside) != stored


@pytest.mark.parametrize("route", DELETING)
def test_a_page_that_asks_before_deleting_asks_again_after_a_change(route, fill_in, outside):
    form = fill_in(route)
    with outside.begin() as connection:
        for table in ("users", "posts", "saved_views"):
            connection.exec_driver_sql(f"UPDATE {table} SET version = version + 1")
    stored = everything_stored(outside)
    page = form.submit(status=409)
    assert everything_stored(outside) == stored
    page.forms["record"].submit(status=303)


@pytest.mark.parametrize("route", FORMS)
def test_a_message_waits_for_its_page(route, fill_in, me):
    answer = fill_in(route).submit(status=303)
    page = answer.location.partition("?")[0]
    me.head(page)
    me.get("/favicon.ico", status=404)
    me.get("/overview")
    me.get(page, headers={"Sec-Fetch-Dest": "empty"})
    me.get(page, headers={"Sec-Purpose": "prefetch"})
    shown = me.get(answer.location)
    shown = shown.follow() if shown.status_int == 303 else shown
    assert shown.html.find(role="status") is not None
    assert me.get(shown.request.path_qs).html.find(role="status") is None


@pytest.mark.parametrize("name", ["page", "next", "name", "title", "query", "email", "end"])
def test_a_stranger_stores_nothing_on_any_route(name, stranger, wsgi, outside):
    before = everything_stored(outside)
    for path in patterns(wsgi):
        sent = {"csrf_token": token_of(stranger), TOKEN_FIELD: "0" * 32, "language": "ko", "size": "25", "page": "/"}
        stranger.post(path, {**sent, name: "/" + "x" * 400_000}, expect_errors=True)
    assert everything_stored(outside) == before


@pytest.mark.parametrize("route", FORMS)
def test_receipts_keep_no_query_and_nothing_typed(route, fill_in, outside):
    form = fill_in(route)
    form.action = f"{form.action or ''}?q=canary"
    form.submit(status=303)
    assert not [row for row in everything_stored(outside)["receipts"] if "canary" in row or "q=" in row]
