"""The pages below `/users`, as a person uses them."""

import unicodedata
from threading import Barrier, Thread

import pytest

from myproject.models import Post, User
from tests import signed_in

# What people are called, what they may try, and what a program on the way could mistake for something of its own.
TEXTS = {
    "apostrophe": "O'Neil",
    "quotes": '"quoted" ‘and’ “quoted”',
    "markup": "<script>alert(1)</script>",
    "entities": "&amp; &lt;b&gt; &#39;",
    "placeholders": "${name} %(name)s {{ name }} {0} 100% %s",
    "backslashes": r"\n \0 \x3c C:\new",
    "emoji": "👩‍👩‍👧 👍🏽 🇰🇷",
    "Arabic": "محمد \u202bبن\u202c علي",
    "Hebrew": "\u2067דוד\u2069 \u202eabc",
    "combining": "Zoë Zoe\u0308 e\u0323\u0302\u0301\u0316",
    "decomposed Korean": unicodedata.normalize("NFD", "김철수"),
    "inner spaces": "John \u3000 \u00a0Doe",
}


def test_the_front_door_leads_to_the_users(app):
    page = app.get("/", status=303).follow()
    assert page.request.path == "/users"
    assert page.html.h1.text == "Users"


def test_a_user_is_added(app, rows):
    form = app.get("/users/new").forms["record"]
    form["name"], form["age"] = "John Doe", "30"
    page = form.submit(status=303).follow()
    page.mustcontain("John Doe was added.")
    assert [(user.name, user.age) for user in rows(User)] == [("John Doe", 30)]


def test_a_user_is_added_with_everything_the_form_asks(app, rows):
    form = app.get("/users/new").forms["record"]
    form["name"], form["email"], form["age"] = "John Doe", "john@example.com", "30"
    form["role"], form["active"] = "editor", False
    form.submit(status=303)
    user = rows(User)[0]
    assert (user.email, user.age, user.role, user.active) == ("john@example.com", 30, "editor", False)


def test_a_name_is_all_that_a_user_needs(app, rows):
    form = app.get("/users/new").forms["record"]
    form["name"] = "John Doe"
    form.submit(status=303)
    user = rows(User)[0]
    assert (user.email, user.age, user.role, user.active) == (None, None, "member", True)


@pytest.mark.parametrize("field", ["name", "email"])
def test_as_many_characters_as_the_table_keeps_are_accepted(app, rows, field):
    longest = {"name": "김" * 200, "email": "a" * 308 + "@example.com"}
    form = app.get("/users/new").forms["record"]
    form["name"] = "John Doe"
    form[field] = longest[field]
    form.submit(status=303).follow().mustcontain(longest[field])
    assert getattr(rows(User)[0], field) == longest[field]


@pytest.mark.parametrize("age", [0, 150])
def test_the_youngest_and_the_oldest_are_accepted(app, rows, age):
    form = app.get("/users/new").forms["record"]
    form["name"], form["age"] = "John Doe", str(age)
    page = form.submit(status=303).follow()
    assert facts(page)["Age"] == str(age)
    assert rows(User)[0].age == age


def test_spaces_around_what_was_typed_are_not_kept(app, rows):
    form = app.get("/users/new").forms["record"]
    form["name"], form["email"], form["age"] = "  John Doe ", " john@example.com ", " 30 "
    form.submit(status=303)
    assert [(user.name, user.email, user.age) for user in rows(User)] == [("John Doe", "john@example.com", 30)]


def test_a_user_is_shown(app, make_user):
    user = make_user(name="John Doe", email="john@example.com", age=30, role="editor", active=False)
    shown = facts(app.get(f"/users/{user.id}"))
    assert shown["Email"] == "john@example.com"
    assert (shown["Age"], shown["Role"], shown["Active"]) == ("30", "Editor", "No")


def test_a_user_is_shown_with_their_posts_newest_first(app, make_user, make_post):
    user = make_user()
    make_post(title="First", author=user)
    make_post(title="Second", author=user)
    make_post(title="Somebody else's")
    page = app.get(f"/users/{user.id}")
    assert [link.text for link in page.html.select(".list-group a")] == ["Second", "First"]


def test_a_user_without_posts_is_shown(app, make_user):
    app.get(f"/users/{make_user().id}").mustcontain("No posts yet.")


def test_a_user_is_edited(app, make_user, rows):
    user = make_user(name="John Doe", age=30)
    form = app.get(f"/users/{user.id}/edit").forms["record"]
    form["age"] = "31"
    form.submit(status=303).follow().mustcontain("John Doe was saved.")
    assert rows(User)[0].age == 31


def test_the_form_comes_filled_in_with_the_record(app, make_user):
    user = make_user(name="John Doe", email="john@example.com", age=30, role="editor", active=False)
    form = app.get(f"/users/{user.id}/edit").forms["record"]
    assert (form["name"].value, form["email"].value, form["age"].value) == ("John Doe", "john@example.com", "30")
    assert (form["role"].value, form["active"].checked) == ("editor", False)


def test_a_form_saved_as_it_came_changes_nothing(app, make_user, rows):
    user = make_user(name="John Doe", email="john@example.com", age=30, role="admin", active=False)
    app.get(f"/users/{user.id}/edit").forms["record"].submit(status=303)
    saved = rows(User)[0]
    assert (saved.version, saved.updated_at) == (user.version, user.updated_at)


def test_what_is_optional_can_be_emptied(app, make_user, rows):
    user = make_user(email="john@example.com", age=30)
    form = app.get(f"/users/{user.id}/edit").forms["record"]
    form["email"] = form["age"] = ""
    form.submit(status=303)
    assert [(user.email, user.age) for user in rows(User)] == [(None, None)]


def test_somebody_who_has_left_is_kept_and_marked(app, make_user, rows):
    user = make_user()
    form = app.get(f"/users/{user.id}/edit").forms["record"]
    form["active"] = False
    form.submit(status=303)
    assert rows(User)[0].active is False
    assert app.get("/users").html.select_one("tbody .badge").text == "Inactive"


def test_what_the_address_says_is_not_taken_for_what_was_typed(app, rows):
    form = app.get("/users/new?name=Other&role=admin").forms["record"]
    form["name"] = "John Doe"
    form.submit(status=303)
    assert [(user.name, user.role) for user in rows(User)] == [("John Doe", "member")]


def test_several_users_may_have_no_email(app, make_user, rows):
    make_user()
    form = app.get("/users/new").forms["record"]
    form["name"] = "John Doe"
    form.submit(status=303)
    assert [user.email for user in rows(User)] == [None, None]


def test_a_user_may_write_their_own_email_in_another_case(app, make_user, rows):
    user = make_user(email="john@example.com")
    form = app.get(f"/users/{user.id}/edit").forms["record"]
    form["email"] = "John@Example.com"
    form.submit(status=303)
    assert rows(User)[0].email == "John@Example.com"


@pytest.mark.usefixtures("taken")
def test_an_email_taken_is_told_beside_the_field(app, rows):
    form = app.get("/users/new").forms["record"]
    form["name"], form["email"] = "John Doe", "ADA@Example.com"
    page = form.submit(status=422)
    assert page.html.find(id="email-error").text == "This address is taken by another user."
    assert (page.forms["record"]["name"].value, page.forms["record"]["email"].value) == ("John Doe", "ADA@Example.com")
    assert [user.name for user in rows(User)] == ["Ada Lovelace"]


@pytest.mark.usefixtures("taken")
def test_a_refused_edit_goes_on_under_the_stored_name(app, make_user, rows):
    user = make_user(name="John Doe")
    form = app.get(f"/users/{user.id}/edit").forms["record"]
    form["name"], form["email"] = "Johnny", "ada@example.com"
    page = form.submit(status=422)
    assert page.html.h1.text == "Edit John Doe"
    assert page.forms["record"]["name"].value == "Johnny"
    assert (rows(User)[1].name, rows(User)[1].email) == ("John Doe", None)


@pytest.mark.usefixtures("taken")
def test_a_refused_form_can_be_mended_and_sent_again(app, rows):
    form = app.get("/users/new").forms["record"]
    form["name"], form["email"], form["active"] = "John Doe", "ada@example.com", False
    again = form.submit(status=422).forms["record"]
    again["email"] = "john@example.com"
    again.submit(status=303).follow().mustcontain("John Doe was added.")
    assert (rows(User)[1].email, rows(User)[1].active) == ("john@example.com", False)


def test_of_two_who_take_an_email_at_the_same_time_one_gets_it(wsgi, rows):
    forms = [signed_in.browser(wsgi).get("/users/new").forms["record"] for _ in range(2)]
    answers = submit_together(forms, name="John Doe", email="john@example.com")
    assert sorted(answers) == [303, 422]
    assert [user.email for user in rows(User)] == ["john@example.com"]


def test_a_user_is_deleted_after_a_confirmation(app, make_user, rows):
    user = make_user(name="John Doe")
    page = app.get(f"/users/{user.id}").click("Delete")
    assert [row.id for row in rows(User)] == [user.id]
    page.forms["record"].submit(status=303).follow().mustcontain("John Doe was deleted.")
    assert rows(User) == []


def test_a_user_goes_with_their_posts_and_nobody_elses(app, make_user, make_post, rows):
    user = make_user()
    make_post(author=user)
    other = make_post(title="Somebody else's")
    app.get(f"/users/{user.id}/delete").forms["record"].submit(status=303)
    assert [post.id for post in rows(Post)] == [other.id]
    assert [row.id for row in rows(User)] == [other.author_id]


@pytest.mark.parametrize(
    ("posts", "named", "said"),
    [
        (0, 0, "there are no posts that would go with it"),
        (1, 1, "and with it this post:"),
        (10, 10, "and with it these 10 posts:"),
        (11, 10, "and 1 more"),
        (1010, 10, "and 1,000 more"),
    ],
)
def test_the_confirmation_names_the_posts_that_would_go(app, make_user, outside, posts, named, said):
    user = make_user()
    titles = [f"Post {number}" for number in range(posts)]
    with outside.begin() as connection:
        for title in titles:
            connection.execute(Post.__table__.insert().values(title=title, body="…", author_id=user.id))
    page = app.get(f"/users/{user.id}/delete")
    assert [item.text for item in page.html.select("main li bdi")] == titles[::-1][:named]
    page.mustcontain(said)


def test_a_user_who_has_gone_meanwhile_cannot_be_deleted_again(app, make_user):
    path = f"/users/{make_user().id}/delete"
    first, second = app.get(path), app.get(path)
    first.forms["record"].submit(status=303)
    second.forms["record"].submit(status=404)


def test_a_message_is_shown_once(app):
    form = app.get("/users/new").forms["record"]
    form["name"] = "John Doe"
    form.submit(status=303).follow().mustcontain("John Doe was added.")
    app.get("/users").mustcontain("John Doe", no="was added")


def test_the_list_tells_how_many_there_are(app, make_user):
    for _ in range(26):
        make_user()
    # And the administrator who looks.
    app.get("/users").mustcontain("27 users")


def test_a_name_is_stored_and_shown_exactly(app, rows, subtests):
    for what, name in TEXTS.items():
        with subtests.test(what):
            form = app.get("/users/new").forms["record"]
            form["name"] = name
            page = form.submit(status=303).follow()
            assert rows(User)[-1].name == name
            assert name in page.html.find(role="status").text
            assert (page.html.h1.text, page.html.title.text) == (name, f"{name} · myproject")


def test_every_page_about_a_user_has_the_name_exactly(app, make_user, subtests):
    for what, name in TEXTS.items():
        with subtests.test(what):
            path = f"/users/{make_user(name).id}"
            edited, asked = app.get(f"{path}/edit"), app.get(f"{path}/delete")
            headings = [edited.html.title, edited.html.h1, asked.html.title, asked.html.h1]
            assert [name in heading.text for heading in headings] == [True] * 4
            assert edited.forms["record"]["name"].value == name
            assert [link.text for link in app.get("/users").html.select(f'tbody a[href="{path}"]')] == [name]


def test_a_record_saved_as_it_came_keeps_its_name_exactly(app, make_user, rows, subtests):
    for what, name in TEXTS.items():
        with subtests.test(what):
            path = f"/users/{make_user(name).id}/edit"
            page = app.get(path).forms["record"].submit(status=303).follow()
            assert name in page.html.find(role="status").text
            assert (rows(User)[-1].name, rows(User)[-1].version) == (name, 1)


def test_the_longest_name_of_emoji_fits_the_message(app):
    form = app.get("/users/new").forms["record"]
    form["name"] = "😀" * 200
    page = form.submit(status=303).follow()
    assert "😀" * 200 in page.html.find(role="status").text


@pytest.fixture
def taken(make_user):
    """Somebody has the address ada@example.com."""
    return make_user("Ada Lovelace", email="ada@example.com")


def facts(page):
    """Return what the page of a user tells, by its names."""
    terms, values = page.html.select(".facts dt"), page.html.select(".facts dd")
    return {term.text: value.text for term, value in zip(terms, values, strict=True)}


def submit_together(forms, **values):
    """Fill in the forms alike, submit all at once from a thread each, and return the statuses of the answers."""
    start, answers = Barrier(len(forms)), []

    def submit(form):
        for field, value in values.items():
            form[field] = value
        start.wait()
        answers.append(form.submit(expect_errors=True).status_int)

    threads = [Thread(target=submit, args=[form]) for form in forms]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
