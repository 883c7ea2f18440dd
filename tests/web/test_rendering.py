"""Templates: what is worked out once for all pages of a language, and the rows that Python fills in."""

import pytest
from markupsafe import Markup

from myproject.web.rendering import breakable, for_each

TEXTS = ["<b>", "&amp;", "100 %s", "a\0b", "{}"]


@pytest.mark.parametrize("root", ["", "/staff", "/직원"])
def test_every_address_on_a_page_begins_with_the_root_of_the_application(app, root):
    app.get("/users")
    page = app.get("/users", extra_environ={"SCRIPT_NAME": root.encode().decode("latin-1")})
    addresses = [tag.get(name) for name in ("href", "src", "action") for tag in page.html.select(f"[{name}^='/']")]
    assert {f"{root}/users", f"{root}/overview", f"{root}/language"} < set(addresses)
    assert [address for address in addresses if not address.startswith(f"{root}/")] == []


def test_a_page_is_in_the_language_of_its_request_whoever_asked_before(app):
    titles = [
        app.get("/users", headers={"Accept-Language": language}).html.title.text for language in ["en", "ko", "en"]
    ]
    assert titles == ["Users · myproject", "사용자 · myproject", "Users · myproject"]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_in_a_row_is_escaped(text):
    shown = text.replace("\0", "")
    assert for_each(Markup("<i>{}</i>"), [["a", text]]) == Markup("<i>a</i><i>{}</i>").format(shown)


@pytest.mark.parametrize("text", TEXTS)
def test_an_address_in_a_row_is_escaped(text):
    row = for_each(Markup("<i>{}{}</i>"), [[1, 2], breakable(["a@b", text])])
    assert row == Markup("<i>1a@<wbr>b</i><i>2{}</i>").format(text.replace("\0", ""))


def test_an_address_with_marks_breaks_after_the_at_too():
    assert breakable(Markup("<mark>a</mark>@b\0–")) == Markup("<mark>a</mark>@<wbr>b\0–")
