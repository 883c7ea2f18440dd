"""The pages below `/users`, as a person uses them."""

from myproject.models import User


def test_a_user_is_added(app, rows):
    form = app.get("/users/new").forms[1]
    form["name"], form["age"] = "John Doe", "30"
    page = form.submit(status=303).follow()
    page.mustcontain("John Doe was added.")
    assert [(user.name, user.age) for user in rows(User)] == [("John Doe", 30)]


def test_a_user_is_edited(app, make_user, rows):
    user = make_user(name="John Doe", age=30)
    form = app.get(f"/users/{user.id}/edit").forms[1]
    form["age"] = "31"
    form.submit(status=303).follow().mustcontain("John Doe was saved.")
    assert rows(User)[0].age == 31
