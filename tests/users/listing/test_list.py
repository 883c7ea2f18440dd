"""The list of users as people use it: search, filters, orders, pages and panels."""

from urllib.parse import parse_qs, urlsplit

import pytest

from myproject.users.listing import page as listing_page
from tests import sqlite_only
from tests.people import add_person, browser_of


@pytest.fixture
def people(make_user):
    """Five people, as different as they can be; and the administrator."""
    make_user("José Kim", email="jose@example.com", age=30, role="admin")
    make_user("Kim Lee", email="lee@other.example", age=36, role="editor", active=False)
    make_user("김철수", email="kim@example.com", age=41)
    make_user("Ada Lovelace", age=36, has_posts=True)
    make_user("<b>Bob</b>")


def names(page):
    """Return the names that the list shows."""
    return [link.text for link in page.html.select("#users tbody th a")]


def search(page, text):
    """Return the answer to `text`, typed into the search of `page`."""
    form = searches(page)
    form["q"] = text
    return form.submit()


def searches(page):
    """Return the form of the search."""
    return next(form for form in page.forms.values() if "q" in form.fields and form["q"].attrs.get("type") == "search")


def chips(page):
    """Return what was understood: each term, without the mark to leave it out."""
    return [" ".join(chip.text.replace("×", "").split()) for chip in page.html.select(".found-bar .chip-on")]


def told(page):
    """Return what an empty list says, and offers."""
    return [part.text for part in page.html.select(".empty > *")]


def query(link):
    """Return the query of a link, from parameter to value."""
    return {name: values[0] for name, values in parse_qs(urlsplit(link["href"]).query).items()}


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("kim", {"José Kim", "Kim Lee", "김철수"}),
        ("jose kim", {"José Kim"}),
        ("ＫＩＭ JOSÉ", {"José Kim"}),
        ("기", {"김철수"}),
        ("철수", {"김철수"}),
        ("a v", {"Ada Lovelace"}),
        ('"kim lee"', {"Kim Lee"}),
        ("email:kim", {"김철수"}),
        ("kim -lee", {"José Kim", "김철수"}),
        ("role:editor", {"Kim Lee"}),
        ("age:30-40 active:yes", {"José Kim", "Ada Lovelace"}),
        ("posts:yes", {"Ada Lovelace"}),
        ("-joined:2000.. ", set()),
        ("<b>", {"<b>Bob</b>"}),
    ],
)
def test_a_search_finds_people(app, typed, found):
    assert set(names(search(app.get("/users"), typed))) - {"Test Administrator"} == found


@pytest.mark.usefixtures("people")
def test_each_term_of_a_search_is_shown(app):
    page = search(app.get("/users"), 'Kim -"van  der" email:@Example role:ADMIN age:30-40 joined:2026-01 active:yes')
    assert chips(page) == [
        *["“Kim”", "not “van der”", "Email: “@Example”", "Role: Administrator"],
        *["Age: 30 – 40", "Joined: Jan 1, 2026 – Jan 31, 2026", "Active"],
    ]
    assert searches(page)["q"].value.startswith('Kim -"van  der"')


@pytest.mark.usefixtures("people")
def test_a_chip_removes_its_term(app):
    page = search(app.get("/users?role=admin"), "jose lee")
    assert names(page) == []
    page = page.goto(page.html.select(".found-bar .chip-on")[1]["href"])
    assert (chips(page), names(page)) == (["“jose”", "Role: Administrator"], ["José Kim"])
    assert chips(page.click("Clear all")) == []


@pytest.mark.usefixtures("people")
def test_hits_are_marked(app):
    page = search(app.get("/users"), "kim jose")
    assert [mark.text for mark in page.html.select("#users mark")] == ["José", "Kim", "jose"]
    assert search(page, "<b>").html.select_one("#users mark").text == "<b>"
    assert app.get("/users").html.select("mark") == []


@pytest.mark.usefixtures("people")
def test_a_term_without_meaning_is_noted_and_the_others_are_searched_for(app):
    page = search(app.get("/users"), "jose age:90-10")
    assert (
        page.html.select_one(".note").text
        == "The age range 90 to 10 is reversed and was ignored. Did you mean 10 to 90?"
    )
    assert (names(page), searches(page)["q"].value) == (["José Kim"], "jose age:90-10")


@pytest.mark.usefixtures("people")
def test_an_empty_result_of_several_terms_offers_to_remove_one(app):
    page = search(app.get("/users"), "jose lee")
    assert page.html.select_one("#count").text.strip() == "0 users"
    assert told(page) == ["No users found.", "To find more, choose × on a filter above to remove it.", "Clear search"]
    assert names(page.click("“<bdi>lee</bdi>”")) == ["José Kim"]
    assert page.click("Clear search").request.path_qs == "/users"


@pytest.mark.usefixtures("people")
def test_an_empty_result_of_one_term_offers_everybody(app):
    assert told(search(app.get("/users"), "nobody")) == ["No users found.", "Clear search"]


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("column", ["Name", "Email", "Age", "Role", "Joined"])
def test_a_heading_sorts_in_both_directions(app, column):
    page = app.get("/users?q=a&sort=active").click(f"^{column}$")
    forth = names(page)
    heading = page.html.select_one("th[aria-sort]")
    assert (heading.a.contents[0].strip(), heading["aria-sort"]) == (column, "ascending")
    page = page.goto(heading.a["href"])
    assert page.html.select_one("th[aria-sort]")["aria-sort"] == "descending"
    assert (names(page), searches(page)["q"].value) == (forth[::-1], "a")


@pytest.mark.usefixtures("people")
def test_a_search_says_in_which_order_it_lists_users(app):
    page = app.get("/users?q=example")
    page.mustcontain("Names that begin with the search first, then the newest first")
    app.get("/users?q=example&sort=-added").mustcontain("Newest first")
    assert names(page) == names(app.get("/users?q=example&sort=added"))[::-1]
    app.get("/users?q=example&sort=added").mustcontain("Oldest first")
    assert "first</p>" not in app.get("/users?q=example&sort=name")


@pytest.mark.usefixtures("people")
def test_users_without_age_or_email_come_first(app):
    assert names(app.get("/users?sort=age"))[:2] == ["Test Administrator", "<b>Bob</b>"]
    assert names(app.get("/users?sort=age"))[2:] == ["José Kim", "Kim Lee", "Ada Lovelace", "김철수"]
    assert names(app.get("/users?sort=email"))[:2] == ["Ada Lovelace", "<b>Bob</b>"]


def test_a_large_count_is_exact_on_demand(app, make_user, monkeypatch):
    monkeypatch.setattr(listing_page, "LARGEST_EXACT_COUNT", 20)
    for _ in range(30):
        make_user(age=30)
    page = app.get("/users?age_from=30")
    assert " ".join(page.html.select_one("p#count").text.split()) == "More than 20 users Show exact count"
    page = page.click("Show exact count")
    assert (page.html.select_one("p#count").text.strip(), page.html.select("#count a")) == ("30 users", [])


PANELS = {"Filters": ".filters", "Go to": "#from", "Columns": "#size"}


@pytest.mark.parametrize("label", PANELS)
def test_a_panel_opens_alone_and_closes_again(app, label):
    page = app.get("/users?q=test&sort=name").click(f"^{label}$")
    assert [name for name, part in PANELS.items() if page.html.select(part)] == [label]
    assert [link.text for link in page.html.select(".panels [aria-expanded=true]")] == [label]
    page = page.click(f"^{label}$")
    assert (page.request.path_qs, page.html.select(".panel")) == ("/users?q=test&sort=name", [])


@pytest.mark.parametrize("panel", ["", "x", "filters,places", "Filters"])
def test_an_unknown_panel_opens_nothing(app, panel):
    assert app.get("/users", {"panel": panel}).html.select(".panel, .panels [aria-expanded=true]") == []


def test_one_panel_leads_to_another(app):
    page = app.get("/users?panel=filters").click("^Go to$").click("^Columns$")
    assert [link.text for link in page.html.select(".panels [aria-expanded=true]")] == ["Columns"]
    assert len(page.html.select(".panel")) == 1


@pytest.mark.usefixtures("people")
def test_each_filter_shows_its_number_of_users(app):
    page = app.get("/users").click("^Filters$")
    told = [" ".join(chip.text.split()) for chip in page.html.select(".filters .chip")]
    assert told == [
        "Member 3",
        "Editor 1",
        "Administrator 2",
        "Active 5",
        "Inactive 1",
        "With posts 1",
        "Without posts 5",
    ]


@pytest.mark.usefixtures("people")
def test_a_filter_narrows_the_list_and_can_be_removed(app):
    page = app.get("/users?panel=filters").click("^Member")
    assert set(names(page)) == {"김철수", "Ada Lovelace", "<b>Bob</b>"}
    page = page.click("^With posts")
    assert (names(page), chips(page)) == (["Ada Lovelace"], ["Role: Member", "With posts"])
    page = page.click("^Member")
    assert (names(page), page.html.select_one(".filters [aria-current]").contents[0].strip()) == (
        ["Ada Lovelace"],
        "With posts",
    )


@pytest.mark.usefixtures("people")
def test_ranges_of_ages_and_days_narrow_the_list(app):
    page = app.get("/users?q=kim&panel=filters")
    form = next(form for form in page.forms.values() if "age_from" in form.fields)
    form["age_from"], form["age_to"] = "31", "41"
    page = form.submit()
    assert (set(names(page)), chips(page)) == ({"Kim Lee", "김철수"}, ["“kim”", "Age: 31 – 41"])
    form = next(form for form in page.forms.values() if "joined_to" in form.fields)
    form["joined_to"] = "2001-01-01"
    assert chips(form.submit()) == ["“kim”", "Age: 31 – 41", "Joined: up to Jan 1, 2001"]


@pytest.mark.usefixtures("people")
def test_ages_and_days_are_applied_by_one_button(app):
    form = next(form for form in app.get("/users?panel=filters").forms.values() if "age_from" in form.fields)
    form["age_from"], form["joined_to"] = "31", "2001-01-01"
    assert chips(form.submit()) == ["Age: from 31", "Joined: up to Jan 1, 2001"]


@pytest.mark.usefixtures("people")
def test_a_search_keeps_the_filters_and_the_order(app):
    page = search(app.get("/users?role=member&age_from=30&sort=-age&cursor=&panel=filters&count=exact"), "a")
    kept = {"role": "member", "age_from": "30", "sort": "-age"}
    assert query({"href": page.request.path_qs}) == {**kept, "panel": "filters", "q": "a"}
    assert names(page) == ["김철수", "Ada Lovelace"]


def test_links_lead_to_the_first_next_previous_and_last_page(app, make_user):
    for number in range(80):
        make_user(f"John {number:02}")
    page = app.get("/users?q=john&sort=name").click("Next").click("Next")
    assert names(page)[0] == "John 50"
    assert names(page.click("Previous"))[0] == "John 25"
    assert names(page.click("Last page"))[-1] == "John 79"
    assert names(page.click("Last page").click("First page"))[0] == "John 00"
    assert searches(page)["q"].value == "john"


@pytest.mark.parametrize("sort", ["joined", "-joined"])
def test_pages_show_each_user_once_whom_another_program_has_added(app, outside, sort):
    number = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)"
    with outside.begin() as connection:
        connection.exec_driver_sql(f"INSERT INTO users (name) {number} SELECT 'John ' || i FROM n")
    pages = [app.get(f"/users?q=john&sort={sort}")]
    while pages[-1].html.find(rel="next"):
        pages.append(pages[-1].click("Next"))
    shown = [name for page in pages for name in names(page)]
    assert sorted(shown) == sorted(f"John {number}" for number in range(1, 61))


@sqlite_only
@pytest.mark.parametrize(
    "moment", ["2026-02-01 00:00:00", "2026-02-01T00:00:00.000Z", "2026-02-01 09:00:00+09:00", "2026-02-01"]
)
@pytest.mark.parametrize("statement", ["INSERT INTO users (name, created_at) VALUES ('Ada', '{}')", "UPDATE"])
def test_a_moment_is_found_on_its_day_whichever_notation_another_program_uses(
    app, make_user, outside, statement, moment
):
    if statement == "UPDATE":
        make_user("Ada")
        statement = "UPDATE users SET created_at = '{}' WHERE name = 'Ada'"
    with outside.begin() as connection:
        connection.exec_driver_sql(statement.format(moment))
    assert names(app.get("/users?q=Ada+joined:2026-02-01")) == ["Ada"]
    assert names(app.get("/users?q=Ada+joined:2026-01-31")) == []


@pytest.mark.usefixtures("people")
def test_a_letter_opens_the_list_there(app):
    page = app.get("/users?panel=places").click("^K$")
    assert names(page)[0] == "Kim Lee"
    page = page.click("^가$")
    assert names(page) == ["김철수"]
    form = next(form for form in page.forms.values() if "from" in form.fields)
    form["from"] = "josé"
    assert names(form.submit())[0] == "José Kim"


@pytest.mark.usefixtures("people")
def test_an_order_without_places_says_so(app):
    page = app.get("/users?sort=role&panel=places")
    assert page.html.select("#from, .letters") == []
    page.mustcontain("To jump to a place in the list, sort it by name, email, age or date joined.")


@pytest.mark.parametrize(
    ("sort", "kind"), [("-name", "text"), ("email", "text"), ("age", "number"), ("-joined", "date")]
)
def test_the_field_for_a_place_fits_the_order(app, sort, kind):
    page = app.get(f"/users?sort={sort}&panel=places")
    assert page.html.find(id="from")["type"] == kind
    assert bool(page.html.select(".letters a")) == (kind == "text")


def test_the_title_of_a_search_is_its_text(app):
    assert app.get("/users", {"q": "josé"}).html.title.text == "josé · myproject"


@pytest.mark.usefixtures("people")
def test_head_answers_as_get_does(app):
    queries = ("q=kim&sort=-age", "panel=filters", "panel=places", "panel=display", "cursor=last")
    for path in (f"/users?{query}" for query in queries):
        head, get = app.head(path), app.get(path)
        assert (head.status, head.content_type, head.body) == (get.status, get.content_type, b"")


@pytest.mark.usefixtures("people")
def test_a_member_can_use_the_whole_list(wsgi, outside):
    own = browser_of(wsgi, outside, add_person(outside, "Member", active=True))
    page = search(own.get("/users").click("^Filters$"), "kim").click("^Age")
    assert names(page) == ["José Kim", "Kim Lee", "김철수"]
    assert "Add a user" not in page
    page = page.click("^Columns$")
    form = next(form for form in page.forms.values() if form.action == "/users/display")
    form["size"] = "50"
    page = form.submit(status=303).follow().click("^Columns$")
    assert page.html.select_one("#size option[selected]").text == "50"
    own.get("/users/help").mustcontain("How to search")


def test_a_visitor_is_sent_to_sign_in(stranger):
    assert "/signin?next=%2Fusers%3Fq%3Dkim" in stranger.get("/users?q=kim", status=303).location


def test_a_row_is_escaped_and_its_email_may_break_after_the_at(app, make_user):
    name = "<b>Ann</b> &amp; 100 %s {{ 7 * 7 }}"
    make_user(name, email="ann@example.com")
    row = app.get("/users?q=ann").html.select_one("#users tbody tr")
    assert row.select_one("th bdi").text == name
    assert "<mark>ann</mark>@<wbr/>example.com" in str(row)


@pytest.mark.parametrize("query", ["", "q=ann", "q=email:ann", "sort=email"])
def test_every_column_of_a_row_is_escaped(app, make_user, query):
    make_user("<u>Ann</u>", email="<i>&ann</i>@<i>example</i>.com")
    row = next(row for row in app.get(f"/users?{query}").html.select("#users tbody tr") if "Ann" in row.text)
    assert row.select("u, i") == []
    assert row.select_one("th bdi").text == "<u>Ann</u>"
    assert row.select_one("td").text == "<i>&ann</i>@<i>example</i>.com"


@pytest.mark.parametrize(("typed", "found"), [("and/or", "and/or"), ("d/o", "and/or"), ("a/_%", "a/_%"), ("/", None)])
def test_a_slash_is_searched_for_as_typed(app, make_user, typed, found):
    for name in ("and/or", "andor", "and//or", "a/_%", "a_%", "a/bc"):
        make_user(name)
    expected = [found] if found else ["a/bc", "a/_%", "and//or", "and/or"]
    assert names(search(app.get("/users"), typed)) == expected


FOUND = {
    "lukasz": "Łukasz Żółć",
    "Łukasz": "Łukasz Żółć",
    "soren": "Søren Kjærgaard",
    "kjaer": "Søren Kjærgaard",
    "o'connor": "Sinéad O’Connor",
    "O‘Connor": "Sinéad O’Connor",
    '"min su"': "Min  \u200dSu",
    "jean-luc": "Jean‑Luc",
    "ㄱㅊㅅ": "김철수",
    "ㄱㅊ": "김철수",
    "ㅊㅅ": "김철수",
    "ㄳ": "각시",
    "Minsu Kim <minsu.kim@example.com>": "Minsu",
    '"Kim, Minsu" <minsu.kim@example.com>;': "Minsu",
    "minsu.kim@example.com,": "Minsu",
    "email: minsu.kim": "Minsu",
}


@pytest.mark.parametrize("text", FOUND)
def test_whoever_is_there_is_found(app, make_user, text):
    for name in {*FOUND.values()} - {"Minsu"}:
        make_user(name)
    make_user("Minsu", email="minsu.kim@example.com")
    assert names(app.get("/users", {"q": text})) == [FOUND[text]]


def test_a_chip_shows_the_initial_consonants_as_typed(app):
    assert chips(app.get("/users", {"q": "ㄳ"})) == ["“ㄳ”"]


def test_names_that_begin_with_the_search_come_first(app, make_user):
    for name in ["Ana", "Joana", "Li Andersen", "Joan Banks"]:
        make_user(name)
    make_user("황보라미", email="ann@example.com")
    page = app.get("/users?q=an")
    assert names(page) == ["Li Andersen", "Ana", "황보라미", "Joan Banks", "Joana"]
    assert names(app.get("/users?q=an&role=member&age_to=150&active=yes")) == []
    assert names(app.get("/users?q=an&role=member")) == names(page)
    assert names(app.get("/users?q=an&sort=name"))[:2] == ["Ana", "Joan Banks"]


def test_a_name_that_begins_with_every_word_comes_first(app, make_user):
    for name in ["Kim Minsu", "Minsu Kim", "Minsu Joakim", "Kimminsu"]:
        make_user(name)
    assert names(app.get("/users?q=min+ki")) == ["Minsu Kim", "Kim Minsu", "Kimminsu", "Minsu Joakim"]
    assert names(app.get("/users", {"q": "ki -email:x"}))[:2] == ["Kimminsu", "Minsu Kim"]


def test_a_part_of_an_address_ranks_nobody(app, make_user):
    make_user("m@x", email="first@example.com")
    make_user("Second", email="second.m@x.example")
    page = app.get("/users", {"q": "m@x"})
    assert names(page) == ["Second", "m@x"]
    page.mustcontain("Newest first")
    assert names(app.get("/users", {"q": "m@ se"})) == ["Second"]
