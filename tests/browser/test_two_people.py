"""Two people change one record in two windows, one of them without scripts."""

import re

import pytest
from playwright.sync_api import expect

from myproject.models import User

from .test_journey import tab_to
from .test_pages import NARROWEST, PICTURES, width_needed


@pytest.fixture
def two(browse, make_user):
    """The pages of two windows on the edit form of John Doe, whose age is 30."""
    user = make_user("John Doe", age=30)
    pages = browse(), browse(java_script_enabled=False, width=320)
    for page in pages:
        page.goto(f"/users/{user.id}/edit")
    return pages


def test_what_was_entered_for_a_deleted_record_can_be_copied(two, rows):
    ada, bob = two
    ada.get_by_role("link", name="Cancel").click()
    ada.get_by_role("link", name="Delete").click()
    ada.get_by_role("button", name="Delete").click()
    expect(ada.get_by_role("status")).to_have_text("John Doe was deleted.")
    bob.get_by_label("Name").fill("Johnny Doe")
    save(bob)
    expect(bob.get_by_role("definition")).to_have_text("Johnny Doe")
    bob.screenshot(path=PICTURES / "deleted-meanwhile-320.png", full_page=True)
    assert width_needed(bob) <= NARROWEST


def save(page):
    page.get_by_role("button", name="Save").click()


def test_two_people_merge_their_changes(two, rows):
    ada, bob = two
    bob.get_by_label("Active").uncheck()
    save(bob)
    expect(bob.get_by_role("status")).to_have_text("The changes to John Doe were saved.")
    ada.get_by_label("Age").fill("31")
    save(ada)
    expect(ada.get_by_role("alert")).to_contain_text("Somebody else changed this while you were editing.")
    expect(ada.get_by_label("Active")).not_to_be_checked()
    expect(ada.get_by_label("Age")).to_have_value("31")
    save(ada)
    expect(ada.get_by_role("status")).to_have_text("The changes to John Doe were saved.")
    assert [(user.age, user.active) for user in rows(User)] == [(31, False)]


def test_each_chooses_between_two_values(two, rows):
    ada, bob = two
    ada.get_by_label("Name").fill("Jack Doe")
    save(ada)
    bob.get_by_label("Name").fill("Johnny Doe")
    bob.get_by_label("Age").fill("32")
    save(bob)
    expect(bob.get_by_label("Keep the entry above")).to_be_checked()
    bob.get_by_label("Use what was saved meanwhile: Jack Doe").check()
    save(bob)
    expect(bob).to_have_url(re.compile(r"/users/\d+$"))
    assert [(user.name, user.age) for user in rows(User)] == [("Jack Doe", 32)]


def test_the_choice_works_by_keyboard(two, rows):
    ada, bob = two
    bob.get_by_label("Name").fill("Johnny Doe")
    save(bob)
    ada.get_by_label("Name").fill("Jack Doe")
    ada.keyboard.press("Enter")
    tab_to(ada, ada.get_by_label("Keep the entry above"))
    ada.keyboard.press("ArrowDown")
    tab_to(ada, ada.get_by_role("button", name="Save"))
    ada.keyboard.press("Enter")
    expect(ada.get_by_role("status")).to_have_text("The changes to Johnny Doe were saved.")
    assert [user.name for user in rows(User)] == ["Johnny Doe"]
