"""The pages below `/users`, used as in a browser."""

import unicodedata
from threading import Barrier, Thread

import pytest
from sqlalchemy import insert, update

from myproject.models import Post, User
from tests import signed_in
from tests.people import add_person

# Real names, attacks, and texts with a meaning in HTML, in templates or in formatting.
TEXTS = {
    "apostrophe": "O'Neil",
    "quotes": '"quoted" ‘and’ “quoted”',
    "markup": "<script>alert(1)</script>",
    "entities": "&amp; &lt;b&gt; &#39;",
    "placeholders": "${name} %(name)s {{ name }} {0} 100% %s",
    "backslashes": r"\n \0 \x3c C:\new",
    "emoji": "👩‍👩‍👧 👍🏽 🇰🇷",
    "Arabic": "محمد بن علي (محمد)",
    "Hebrew": "\u200fדוד\u200e abc 12",
    "combining": "Zoë Zoe\u0308 e\u0323\u0302\u0301\u0316",
    "decomposed Korean": unicodedata.normalize("NFD", "김철수"),
    "inner spaces": "John \u3000 \u00a0Doe",
}


def test_the_home_page_redirects_to_the_users(app):
    page = app.get("/", status=303).follow()
    assert page.request.path == "/users"
    assert page.html.h1.text == "Users"


def test_a_user_is_added(app, rows):
    form = app.get("/users/new").forms["record"]
    form["name"], form["age"] = "John Doe", "30"
    page = form.submit(status=303).follow()
    page.mustcontain("John Doe was added.")
    assert [(user.name, user.age) for user in rows(User)] == [("John Doe", 30)]


def test_a_user_is_added_with_all_fields(app, rows):
    form = app.get("/users/new").forms["record"]
    form["name"], form["email"], form["age"] = "John Doe", "john@example.com", "30"
    form["role"], form["active"] = "editor", False
    form.submit(status=303)
    user = rows(User)[0]
    assert (user.email, user.age, user.role, user.active) == ("john@example.com", 30, "editor", False)


def test_only_the_name_is_required(app, rows):
    form = app.get("/users/new").forms["record"]
    form["name"] = "John Doe"
    form.submit(status=303)
    user = rows(User)[0]
    assert (user.email, user.age, user.role, user.active) == (None, None, "member", True)


@pytest.mark.parametrize("field", ["name", "email"])
def test_the_longest_texts_are_accepted(app, rows, field):
    longest = {"name": "김" * 200, "email": "a" * 308 + "@example.com"}
    form = app.get("/users/new").forms["record"]
    form["name"] = "John Doe"
    form[field] = longest[field]
    form.submit(status=303).follow().mustcontain(longest[field])
    assert getattr(rows(User)[0], field) == longest[field]


@pytest.mark.parametrize("age", [0, 150])
def test_the_lowest_and_highest_ages_are_accepted(app, rows, age):
    form = app.get("/users/new").forms["record"]
    form["name"], form["age"] = "John Doe", str(age)
    page = form.submit(status=303).follow()
    assert facts(page)["Age"] == str(age)
    assert rows(User)[0].age == age


def test_spaces_around_values_are_removed(app, rows):
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
    form.submit(status=303).follow().mustcontain("The changes to John Doe were saved.")
    assert rows(User)[0].age == 31


def test_the_form_shows_the_record(app, make_user):
    user = make_user(name="John Doe", email="john@example.com", age=30, role="editor", active=False)
    form = app.get(f"/users/{user.id}/edit").forms["record"]
    assert (form["name"].value, form["email"].value, form["age"].value) == ("John Doe", "john@example.com", "30")
    assert (form["role"].value, form["active"].checked) == ("editor", False)


def test_an_unchanged_form_changes_nothing(app, make_user, rows):
    user = make_user(name="John Doe", email="john@example.com", age=30, role="admin", active=False)
    app.get(f"/users/{user.id}/edit").forms["record"].submit(status=303)
    saved = rows(User)[0]
    assert (saved.version, saved.updated_at) == (user.version, user.updated_at)


def test_optional_fields_can_be_emptied(app, make_user, rows):
    user = make_user(email="john@example.com", age=30)
    form = app.get(f"/users/{user.id}/edit").forms["record"]
    form["email"] = form["age"] = ""
    form.submit(status=303)
    assert [(user.email, user.age) for user in rows(User)] == [(None, None)]


def test_an_inactive_user_is_marked_in_the_list(app, make_user, rows):
    user = make_user()
    form = app.get(f"/users/{user.id}/edit").forms["record"]
    form["active"] = False
    form.submit(status=303)
    assert rows(User)[0].active is False
    assert app.get("/users").html.select_one("tbody .badge").text == "Inactive"


def test_the_query_string_does_not_fill_in_the_form(app, rows):
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


def test_the_case_of_an_email_can_be_changed(app, make_user, rows):
    user = make_user(email="john@example.com")
    form = app.get(f"/users/{user.id}/edit").forms["record"]
    form["email"] = "John@Example.com"
    form.submit(status=303)
    assert rows(User)[0].email == "John@Example.com"


@pytest.mark.usefixtures("taken")
def test_a_taken_email_gets_a_message_on_the_field(app, rows):
    form = app.get("/users/new").forms["record"]
    form["name"], form["email"] = "John Doe", "ADA@Example.com"
    page = form.submit(status=422)
    assert page.html.find(id="email-error").text == "Another user already has this address. Enter a different one."
    assert (page.forms["record"]["name"].value, page.forms["record"]["email"].value) == ("John Doe", "ADA@Example.com")
    assert [user.name for user in rows(User)] == ["Ada Lovelace"]


@pytest.mark.usefixtures("taken")
@pytest.mark.parametrize(("field", "wrong"), [("name", ""), ("age", "x"), ("age", "151"), ("name", "x" * 201)])
def test_a_taken_email_is_told_beside_another_mistake(app, make_user, rows, field, wrong):
    for path in "/users/new", f"/users/{make_user('John Doe').id}/edit":
        form = app.get(path).forms["record"]
        form["name"], form["email"] = "Johnny", "ADA@example.com"
        form[field] = wrong
        page = form.submit(status=422)
        assert [error["id"] for error in page.html.select(".invalid-feedback")] == sorted(
            [f"{field}-error", "email-error"], key=["name-error", "email-error", "age-error"].index
        )
        assert (page.forms["record"]["email"].value, page.forms["record"][field].value) == ("ADA@example.com", wrong)
    assert [(user.name, user.email) for user in rows(User)] == [("Ada Lovelace", "ada@example.com"), ("John Doe", None)]


def test_the_last_administrator_is_told_beside_another_mistake(app, outside, rows):
    admin = add_person(outside, "Grace Hopper", "admin")
    with outside.begin() as connection:
        connection.execute(update(User).where(User.id == 0).values(password_hash=None))
    form = app.get(f"/users/{admin.id}/edit").forms["record"]
    form["role"], form["age"] = "member", "x"
    page = form.submit(status=422)
    assert [error["id"] for error in page.html.select(".invalid-feedback")] == ["age-error", "role-error"]
    assert (rows(User)[0].role, rows(User)[0].age) == ("admin", None)


@pytest.mark.usefixtures("taken")
def test_a_refused_form_shows_the_stored_name_in_its_heading(app, make_user, rows):
    user = make_user(name="John Doe")
    form = app.get(f"/users/{user.id}/edit").forms["record"]
    form["name"], form["email"] = "Johnny", "ada@example.com"
    page = form.submit(status=422)
    assert page.html.h1.text == "Edit John Doe"
    assert page.forms["record"]["name"].value == "Johnny"
    assert (rows(User)[1].name, rows(User)[1].email) == ("John Doe", None)


@pytest.mark.usefixtures("taken")
def test_a_refused_form_can_be_corrected(app, rows):
    form = app.get("/users/new").forms["record"]
    form["name"], form["email"], form["active"] = "John Doe", "ada@example.com", False
    again = form.submit(status=422).forms["record"]
    again["email"] = "john@example.com"
    again.submit(status=303).follow().mustcontain("John Doe was added.")
    assert (rows(User)[1].email, rows(User)[1].active) == ("john@example.com", False)


def test_two_concurrent_requests_cannot_take_the_same_email(wsgi, rows):
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


def test_deleting_a_user_deletes_their_posts_only(app, make_user, make_post, rows):
    user = make_user()
    make_post(author=user)
    other = make_post(title="Somebody else's")
    app.get(f"/users/{user.id}/delete").forms["record"].submit(status=303)
    assert [post.id for post in rows(Post)] == [other.id]
    assert [row.id for row in rows(User)] == [other.author_id]


@pytest.mark.parametrize(
    ("posts", "named", "said"),
    [
        (0, 0, "They have no posts"),
        (1, 1, "This user and 1 post will be deleted:"),
        (10, 10, "This user and 10 posts will be deleted:"),
        (11, 10, "and 1 more"),
        (1010, 10, "and 1,000 more"),
    ],
)
def test_the_confirmation_lists_the_posts_to_be_deleted(app, make_user, outside, posts, named, said):
    user = make_user()
    titles = [f"Post {number}" for number in range(posts)]
    with outside.begin() as connection:
        for title in titles:
            connection.execute(Post.__table__.insert().values(title=title, body="…", author_id=user.id))
    page = app.get(f"/users/{user.id}/delete")
    assert [item.text for item in page.html.select("main li bdi")] == titles[::-1][:named]
    page.mustcontain(said)


def test_a_deleted_user_cannot_be_deleted_again(app, make_user):
    path = f"/users/{make_user().id}/delete"
    first, second = app.get(path), app.get(path)
    first.forms["record"].submit(status=303)
    second.forms["record"].submit(status=404)


def test_a_message_is_shown_once(app):
    form = app.get("/users/new").forms["record"]
    form["name"] = "John Doe"
    form.submit(status=303).follow().mustcontain("John Doe was added.")
    app.get("/users").mustcontain("John Doe", no="was added")


def test_the_list_shows_the_number_of_users(app, make_user):
    for _ in range(26):
        make_user()
    # With the administrator who is signed in.
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


def test_every_page_of_a_user_shows_the_name_exactly(app, make_user, subtests):
    for what, name in TEXTS.items():
        with subtests.test(what):
            path = f"/users/{make_user(name).id}"
            edited, asked = app.get(f"{path}/edit"), app.get(f"{path}/delete")
            headings = [edited.html.title, edited.html.h1, asked.html.title, asked.html.h1]
            assert [name in heading.text for heading in headings] == [True] * 4
            assert edited.forms["record"]["name"].value == name
            assert [link.text for link in app.get("/users").html.select(f'tbody a[href="{path}"]')] == [name]


def test_an_unchanged_record_keeps_its_name_exactly(app, make_user, rows, subtests):
    for what, name in TEXTS.items():
        with subtests.test(what):
            path = f"/users/{make_user(name).id}/edit"
            page = app.get(path).forms["record"].submit(status=303).follow()
            assert name in page.html.find(role="status").text
            assert (rows(User)[-1].name, rows(User)[-1].version) == (name, 1)


def test_the_longest_emoji_name_fits_the_message(app):
    form = app.get("/users/new").forms["record"]
    form["name"] = "😀" * 200
    page = form.submit(status=303).follow()
    assert "😀" * 200 in page.html.find(role="status").text


def test_a_constraint_without_an_explanation_is_a_server_error(probe, rows):
    probe(lambda request: request.dbsession.execute(insert(User.__table__).values(name="")), status=500)
    assert rows(User) == []


@pytest.fixture
def taken(make_user):
    """A user with the email ada@example.com."""
    return make_user("Ada Lovelace", email="ada@example.com")


def facts(page):
    """Return the values on the page of a user by their labels."""
    terms, values = page.html.select(".facts dt"), page.html.select(".facts dd")
    return {term.text: value.text for term, value in zip(terms, values, strict=True)}


def submit_together(forms, **values):
    """Fill in all forms with `values`, submit each in a thread at the same time, and return the statuses."""
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


def test_the_name_that_another_program_wrote_turns_no_text_around(app, make_user):
    user = make_user("Ada \u202eecalevoL\u2067")
    for page in f"/users/{user.id}", f"/users/{user.id}/edit", f"/users/{user.id}/delete":
        assert "Ada ecalevoL" in app.get(page).html.title.text
    option = app.get(f"/posts/new?author_id={user.id}").html.select_one("option[selected]")
    message = app.get(f"/users/{user.id}/delete").forms["record"].submit().follow().html.find(role="status")
    assert (option.text, message.text) == ("Ada ecalevoL", "Ada ecalevoL was deleted.")


def test_the_link_to_write_to_somebody_holds_their_address_as_it_is(app, make_user):
    user = make_user(email="john+news@example.com")
    assert "mailto:john%2Bnews@example.com" in app.get(f"/users/{user.id}")
