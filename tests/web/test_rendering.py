"""Templates: addresses below the root of the application, and the language of each request."""

import pytest
from markupsafe import escape
from pyramid_jinja2 import IJinja2Environment


@pytest.mark.parametrize("root", ["", "/staff", "/직원"])
def test_every_path_on_a_page_begins_with_script_name(app, root):
    app.get("/users")
    page = app.get("/users", extra_environ={"SCRIPT_NAME": root.encode().decode("latin-1")})
    addresses = [tag.get(name) for name in ("href", "src", "action") for tag in page.html.select(f"[{name}^='/']")]
    assert {f"{root}/users", f"{root}/overview", f"{root}/language"} < set(addresses)
    assert [address for address in addresses if not address.startswith(f"{root}/")] == []


def test_every_request_gets_its_own_language(app):
    titles = [
        app.get("/users", headers={"Accept-Language": language}).html.title.text for language in ["en", "ko", "en"]
    ]
    assert titles == ["Users · myproject", "사용자 · myproject", "Users · myproject"]


@pytest.mark.parametrize("language", ["en", "ko"])
def test_values_in_translated_texts_are_escaped(app, make_user, language):
    name = "<b>%(name)s</b> 100 % ${name} {{ name }} &amp;"
    user = make_user(name)
    page = app.get(f"/users/{user.id}/delete", headers={"Accept-Language": language})
    assert name in page.html.h1.text
    assert not page.html.select("h1 b")


@pytest.mark.parametrize(("number", "text"), [(1, "1 post by <b>Ann & {{ 100 %"), (2, "2 posts by <b>Ann & {{ 100 %")])
def test_values_in_texts_with_a_plural_are_escaped(probe, number, text):
    def view(request):
        environment = request.registry.getUtility(IJinja2Environment, ".jinja2")
        source = (
            "{{ ngettext('%(count)s post by %(name)s', '%(count)s posts by %(name)s', count, count=count, name=name) }}"
        )
        return environment.from_string(source).render(count=number, name="<b>Ann & {{ 100 %")

    assert probe(view).text == escape(text)


@pytest.mark.parametrize("query", ["", "?x=0123456789ab"])
def test_a_file_is_cached_for_a_year_only_under_its_own_fingerprint(query, app):
    own = app.get("/").follow().html.find("link", rel="stylesheet")["href"]
    assert app.get(own).headers["Cache-Control"] == "max-age=31536000"
    other = app.get(own.partition("?")[0] + query)
    assert (other.headers["Cache-Control"], "Expires" in other.headers) == ("no-cache", False)
    # The browser still learns that its own copy is the newest.
    app.get(own.partition("?")[0], headers={"If-Modified-Since": other.headers["Last-Modified"]}, status=304)
