"""Malformed input of every kind is answered by a clear 4xx page, never a 500, and writes nothing.

Variants are subtests, which share one application.
"""

from urllib.parse import quote, urlencode

import pytest
from sqlalchemy import delete, update
from webtest import TestRequest

from myproject.models import Post, SignIn, User
from tests import signed_in
from tests.web.test_errors import assert_error_page

URLENCODED = "application/x-www-form-urlencoded"

# Valid values for each form.
GOOD = {
    "/users/new": {"name": "John Doe", "email": "john@example.com", "age": "30", "role": "editor", "active": "y"},
    "/users/1/edit": {"name": "Ada", "email": "ada@example.com", "age": "30", "role": "editor", "active": "y"},
    "/posts/new": {"title": "Good morning", "body": "Moon", "author_id": "2"},
    "/posts/1/edit": {"title": "Good morning", "body": "Moon", "author_id": "2"},
}
FORMS = [*GOOD]
FIRST = {path: next(iter(fields)) for path, fields in GOOD.items()}
USER_FORMS, POST_FORMS = FORMS[:2], FORMS[2:]

each_form = pytest.mark.parametrize("path", FORMS)


@pytest.fixture(autouse=True)
def nothing_is_written(make_user, make_post, rows, outside):
    """Store two users, an administrator and a post, and check that the test leaves exactly these."""
    ada = make_user("Ada Lovelace", email="ada@example.com", age=36)
    make_user("Bob", email="bob@example.com")
    make_post("Hello", "World", author=ada)
    # The form of a post takes no author with the id 0, so a user with another id is signed in.
    administrator = make_user(
        "Grace Hopper", email="grace@example.com", role="admin", password_hash=signed_in.PASSWORD_HASH
    )
    with outside.begin() as connection:
        connection.execute(update(SignIn.__table__).values(user_id=administrator.id))
        connection.execute(delete(User.__table__).where(User.id == 0))
    before = everything(rows)
    yield
    assert everything(rows) == before


BAD_USERS = {
    "no name": ("name", ""),
    "a name of spaces": ("name", "   "),
    "a name of wide spaces": ("name", "\u3000\u00a0"),
    "a long name": ("name", "a" * 201),
    "a long name in Korean": ("name", "김" * 201),
    "NUL in the name": ("name", "John\0Doe"),
    "a bell in the name": ("name", "John\x07Doe"),
    "an escape in the name": ("name", "\x1b[31mJohn"),
    "a C1 control in the name": ("name", "John\x9bDoe"),
    "198 accents on a letter of the name": ("name", "e" + "\u0301" * 198),
    "an email without @": ("email", "nobody"),
    "an email with a space": ("email", "john doe@example.com"),
    "an email with a line feed": ("email", "john\n@example.com"),
    "an email that adds a header": ("email", "john@example.com\r\nBcc: all@example.com"),
    "two emails": ("email", "john@example.com,ada@example.com"),
    "a long email": ("email", "a" * 309 + "@example.com"),
    "NUL in the email": ("email", "john\0@example.com"),
    "an email that is taken": ("email", "bob@example.com"),
    "an email that is taken in another case": ("email", "BOB@Example.Com"),
    "below the ages": ("age", "-1"),
    "beyond the ages": ("age", "151"),
    "an age in letters": ("age", "abc"),
    "an age with a fraction": ("age", "1.5"),
    "an age with an exponent": ("age", "1e3"),
    "a full-width age": ("age", "３０"),
    "an age with an underscore": ("age", "1_0"),
    "an age of 5000 digits": ("age", "1" * 5000),
    "a hexadecimal age": ("age", "0x1e"),
    "NUL in the age": ("age", "3\0"),
    "no role": ("role", ""),
    "an unknown role": ("role", "root"),
    "a role in another case": ("role", "Admin"),
}

BAD_POSTS = {
    "no title": ("title", ""),
    "a title of spaces": ("title", "   "),
    "a long title": ("title", "a" * 201),
    "NUL in the title": ("title", "Hello\0World"),
    "a bell in the title": ("title", "Hello\x07World"),
    "198 accents on a letter of the title": ("title", "e" + "\u0301" * 198),
    "198 accents on a letter of the body": ("body", "e" + "\u0301" * 198),
    "no body": ("body", ""),
    "a body of spaces": ("body", " \r\n\t "),
    "a long body": ("body", "a" * 20_001),
    "NUL in the body": ("body", "Hello\0World"),
    "an escape in the body": ("body", "\x1b[31mHello"),
    "no author": ("author_id", ""),
    "an unknown author": ("author_id", "99"),
    "an author of 30 digits": ("author_id", "9" * 30),
    "an author of 5000 digits": ("author_id", "9" * 5000),
    "an author below none": ("author_id", "-1"),
    "author 0": ("author_id", "0"),
    "an author in full-width digits": ("author_id", "１"),
    "an author by name": ("author_id", "Bob"),
    "NUL in the author": ("author_id", "1\0"),
}


@pytest.mark.parametrize("path", USER_FORMS)
def test_an_invalid_user_has_a_message_beside_the_field(app, subtests, path):
    for what, (field, typed) in BAD_USERS.items():
        with subtests.test(what):
            assert_refused(send(app, path, {field: typed}), path, field, typed)


@pytest.mark.parametrize("path", POST_FORMS)
def test_an_invalid_post_has_a_message_beside_the_field(app, subtests, path):
    for what, (field, typed) in BAD_POSTS.items():
        with subtests.test(what):
            assert_refused(send(app, path, {field: typed}), path, field, typed)


# Fields that keep the record's value, or are empty, if the form does not send them.
MAY_BE_MISSING = ("email", "age", "active", "role", "author_id")


@each_form
def test_a_missing_text_field_is_refused(app, subtests, path):
    for field in [field for field in GOOD[path] if field not in MAY_BE_MISSING]:
        with subtests.test(field):
            assert_message(send(app, path, {field: None}), field)


@each_form
def test_all_errors_are_shown_at_once(app, path):
    bad = dict.fromkeys(GOOD[path], "") | ({"email": "x", "age": "x"} if path in USER_FORMS else {})
    page = send(app, path, bad)
    for field in bad.keys() - {"active"}:
        assert_message(page, field)


@each_form
def test_text_that_is_not_utf8_is_refused(app, wsgi, subtests, path):
    body = urlencode(filled_in(app, path))
    for wrong in ("%FF", "%ED%A0%80", "%C0%AF", "%80", "\xff", "\xed\xa0\x80"):
        with subtests.test(wrong):
            sent = body.replace(f"{FIRST[path]}=", f"{FIRST[path]}={wrong}").encode("latin-1")
            assert_4xx(post_bytes(app, wsgi, path, sent, URLENCODED))


@each_form
def test_a_key_that_is_not_utf8_is_refused(app, wsgi, subtests, path):
    body = urlencode(filled_in(app, path))
    for wrong in ("%FF", "%ED%A0%80", "\xff"):
        with subtests.test(wrong):
            assert_error_page(post_bytes(app, wsgi, path, f"{body}&{wrong}=1".encode("latin-1"), URLENCODED), 400)


@each_form
def test_a_field_of_ten_megabytes_is_refused(app, path):
    assert_error_page(send(app, path, {FIRST[path]: "x" * 10_000_000}), 413)


@each_form
def test_a_form_with_a_wrong_csrf_token_is_refused(app, subtests, path):
    for token in (None, "", "wrong", "é", "0" * 40, "x" * 10_000, "\0"):
        with subtests.test(token):
            assert_error_page(send(app, path, {"csrf_token": token}), 400)


@pytest.mark.parametrize("path", ["/users/1/delete", "/posts/1/delete", "/language"])
def test_a_button_with_a_wrong_csrf_token_is_refused(app, subtests, path):
    app.get("/users")
    for fields in ({}, {"csrf_token": ""}, {"csrf_token": "wrong"}):
        with subtests.test(fields):
            assert_error_page(app.post(path, fields, expect_errors=True), 400)


@each_form
def test_a_csrf_token_of_another_browser_or_in_the_query_is_refused(app, wsgi, path):
    fields = filled_in(app, path)
    token = fields.pop("csrf_token")
    assert_error_page(app.post(f"{path}?csrf_token={token}", fields, expect_errors=True), 400)
    # The same person is signed in here as well, with a token of its own: the form is shown again, and not applied.
    page = signed_in.browser(wsgi).post(path, {"csrf_token": token, **fields}, status=422)
    page.mustcontain("Nothing was saved, because you have signed in again")


@each_form
def test_a_repeated_field_is_refused(app, subtests, path):
    fields = filled_in(app, path)
    for field, value in fields.items():
        with subtests.test(field):
            assert_error_page(app.post(path, [*fields.items(), (field, value)], expect_errors=True), 400)
            assert_error_page(app.post(f"{path}?{field}=&{field}=", fields, expect_errors=True), 400)


def test_a_repeated_key_in_the_query_is_refused(app, subtests):
    for path in ("/users", "/users/1", "/users/new", "/posts/new", "/overview"):
        with subtests.test(path):
            assert_error_page(app.get(f"{path}?author_id=1&author_id=2", expect_errors=True), 400)


METHODS = {
    "/": {"GET", "HEAD"},
    "/users": {"GET", "HEAD"},
    "/users/help": {"GET", "HEAD"},
    "/users/display": {"POST"},
    "/users/1": {"GET", "HEAD"},
    "/users/new": {"GET", "HEAD", "POST"},
    "/users/1/edit": {"GET", "HEAD", "POST"},
    "/users/1/delete": {"GET", "HEAD", "POST"},
    "/posts": {"GET", "HEAD"},
    "/posts/1": {"GET", "HEAD"},
    "/posts/new": {"GET", "HEAD", "POST"},
    "/posts/1/edit": {"GET", "HEAD", "POST"},
    "/posts/1/delete": {"GET", "HEAD", "POST"},
    "/overview": {"GET", "HEAD"},
    "/language": {"POST"},
}


def test_a_wrong_method_is_405_with_the_allowed_ones(app, subtests):
    for path, allowed in METHODS.items():
        for method in sorted({"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - allowed):
            with subtests.test(path, method=method):
                page = app.request(path, method=method, expect_errors=True)
                assert_error_page(page, 405)
                assert set(page.allow) == allowed


def test_head_equals_get_without_a_body(app, subtests):
    for path in (path for path, allowed in METHODS.items() if "HEAD" in allowed):
        with subtests.test(path):
            head, get = app.head(path), app.get(path)
            assert (head.status, head.content_type, head.body) == (get.status, get.content_type, b"")


def test_method_overrides_are_ignored(app):
    page = app.get("/users/1", {"_method": "DELETE"}, headers={"X-HTTP-Method-Override": "DELETE"})
    page.mustcontain("Ada Lovelace")


@pytest.mark.parametrize("noun", ["users", "posts"])
def test_a_malformed_or_unknown_id_is_404(app, subtests, noun):
    numbers = [
        "99",
        "9" * 30,
        "9" * 5000,
        2**63 - 1,
        2**63,
        "0",
        "007",
        "001",
        "-1",
        "+1",
        quote("１"),
        quote("３"),
        "1.0",
    ]
    for number in [*numbers, "1e0", "0x1", "1_0", "1%20", "1%0A", "1%00", "1;2", "1,2", "new1", "%3Cscript%3E", "None"]:
        for rest in ("", "/edit", "/delete"):
            with subtests.test(number, rest=rest):
                assert_error_page(app.get(f"/{noun}/{number}{rest}", expect_errors=True), 404)


def test_an_unknown_path_is_404(app, subtests):
    users = [
        "/users/1/nothing",
        "/users/1/",
        "/users/",
        "/users/new/",
        "/Users",
        "/users/1/Edit",
        "//users",
        "/users//edit",
    ]
    static = [
        "/static/",
        "/static/no.css",
        "/static/../users",
        "/static/%2e%2e/__init__.py",
        "/static/%00",
        "/static//etc",
    ]
    for path in [*users, *static, "/nothing", "/" + "a" * 10_000, quote("/김철수"), "/.env", "/.git/config", "/probe/"]:
        with subtests.test(path):
            assert_error_page(app.get(path, expect_errors=True), 404)


def test_a_form_for_a_missing_row_is_404(app, subtests):
    token = app.get("/users/new").forms["record"]["csrf_token"].value
    for path in ("/users/99/edit", "/users/99/delete", "/posts/99/edit", "/posts/99/delete"):
        with subtests.test(path):
            assert_error_page(app.post(path, {"csrf_token": token}, expect_errors=True), 404)


def test_a_query_with_too_many_fields_is_not_called_a_repeated_one(app):
    page = app.get("/users?" + "&".join(f"field{number}=" for number in range(101)), status=400)
    assert "twice" not in page


def test_a_query_that_is_not_utf8_is_refused(app, subtests):
    for path in ("/users", "/users/1", "/users/new", "/posts", "/posts/new", "/overview"):
        for query in ("cursor=%ff", "%ff=1", "author_id=%ED%A0%80", "x=%80"):
            with subtests.test(path, query=query):
                assert_error_page(app.get(f"{path}?{query}", expect_errors=True), 400)


def test_an_unknown_or_odd_query_is_ignored(app, subtests):
    for path in ("/users", "/posts/new", "/overview"):
        for query in (
            "%",
            "%zz",
            "&&&",
            "=",
            ";",
            "a" * 10_000,
            "q=%00",
            "sort=;DROP",
            "panel=%00",
            "panel=<script>",
            "count=%00",
            "cursor",
            "author_id",
            "author_id=%00",
        ):
            with subtests.test(path, query=query):
                assert app.get(f"{path}?{query}").html.nav


# Searches that are probably mistakes or attacks, and the note that the list shows.
SEARCHES = {
    "10,000 characters": ("a" * 10_000, "This search is too long. Only the first 400 characters were used."),
    "10,000 characters of Korean": ("김" * 10_000, "This search is too long. Only the first 400 characters were used."),
    "200 words": (
        " ".join(f"{number}" for number in range(200)),
        "This search has too many words. Only the first 20 were used.",
    ),
    "an age backwards": (
        "age:90-10",
        "The age range 90 to 10 is reversed and was ignored. Did you mean 10 to 90?",
    ),
    "a month that is none": ("joined:2026-13", "“2026-13” is not a date and was ignored. Use a date like 2026-01-31."),
    "a day that is none": (
        "joined:2026-02-30",
        "“2026-02-30” is not a date and was ignored. Use a date like 2026-01-31.",
    ),
    "days backwards": (
        "joined:2026..2025",
        "The date range 2026 to 2025 is reversed and was ignored. Did you mean 2025 to 2026?",
    ),
    "an unknown role": ("role:root", "Unknown role “root”"),
    "an age of 5000 digits": ("age:" + "9" * 5000, "is not an age"),
}
STRANGE = [
    *[
        "   ",
        "\u3000",
        "-",
        "--",
        "-" * 300,
        "%",
        "_",
        '"',
        '""',
        "'",
        "*",
        "\\",
        "/",
        "a%",
        "%%%%",
        "_" * 400,
        "\0",
        "a\0b",
    ],
    *[
        '"unbalanced',
        'un"balanced',
        "“unbalanced",
        '-"',
        "email:",
        "email:%",
        "role:",
        "-role:",
        "age:",
        ":",
        "::",
        ":a",
    ],
    *["a AND b", "OR", "NOT a", "NEAR(a b, 2)", "a*", "^a", "{a b}: c", "search_text: a", "users_trigrams: a", "a + b"],
    *[
        "a & b",
        "a | !b",
        "a <-> b",
        "a:*",
        "'a' || 'b'",
        "1; DROP TABLE users",
        "' OR 1=1 --",
        "<script>",
        "${x} %(x)s",
    ],
    *["\u0301", "\u200b", "\ufeff", "\U0010ffff", "\uffff", "ﷺ", "İı", "ẞß", "👩‍👩‍👧", "\u202e", "ㄱ", "\u1100", "ـ"],
    *["joined:0001", "joined:9999", "joined:0000", "-joined:0001..9998", "joined:..0001", "age:0", "-age:0-150"],
    *["role:admin role:member", "-role:admin -role:member -role:editor", "-a " * 20, "a " * 20 + "b"],
]


def test_an_unlikely_search_is_answered_with_a_note(app, subtests):
    for what, (typed, note) in SEARCHES.items():
        with subtests.test(what):
            page = app.get("/users", {"q": typed})
            assert note in " ".join(said.text for said in page.html.select(".note"))
            assert page.html.select_one("input[name=q]")["value"] == typed


def test_any_search_is_answered_with_the_list(app, subtests):
    for typed in STRANGE:
        for query in ({}, {"sort": "name"}, {"role": "admin", "panel": "filters", "count": "exact"}):
            with subtests.test(typed, query=query):
                page = app.get("/users", {"q": typed, **query})
                page.mustcontain("Search users", no="Traceback")
                assert page.html.select("#users, .empty")


def test_wildcards_and_operators_are_searched_literally(app, subtests):
    for typed in ("%", "_", "*", "\\", "'", "%%", "ada%", "a_a", "ada*", "NOT bob", "ada OR bob", "'a'", "a\\"):
        with subtests.test(typed):
            app.get("/users", {"q": typed}).mustcontain("No users found.")


BAD_LISTS = {
    "sort=password_hash": "Choose one of the columns",
    "sort=name+desc": "Choose one of the columns",
    "sort=--name": "Choose one of the columns",
    "sort=%00": "Choose one of the columns",
    "sort=-": "Choose one of the columns",
    "sort=" + "9" * 10_000: "Choose one of the columns",
    "role=root": "Choose one of the filters",
    "role=Member": "Choose one of the filters",
    "active=1": "Choose one of the filters",
    "posts=%00": "Choose one of the filters",
    "sort=age&cursor=x": "Start again from the first page",
    "q=a&cursor=WzAsImFmdGVyIl0": "Start again from the first page",
}


def test_a_list_url_that_no_page_links_to_is_refused(app, subtests):
    for query, said in BAD_LISTS.items():
        with subtests.test(query[:40]):
            page = app.get(f"/users?{query}", status=400)
            assert_error_page(page, 400)
            page.mustcontain(said, "Back to users")


NOTED_LISTS = {
    "age_from=90&age_to=10": "The age range 90 to 10 is reversed and was ignored.",
    "age_from=%00": "is not an age and was ignored. Use a whole number",
    "age_to=1e1": "is not an age and was ignored. Use a whole number",
    "age_to=" + "9" * 5000: "is not an age and was ignored. Use a whole number",
    "joined_from=2026-13": "is not a date and was ignored. Use a date like",
    "joined_to=%EF%BC%92%EF%BC%90%EF%BC%92%EF%BC%96": "is not a date and was ignored. Use a date like",
    "joined_from=2026&joined_to=2025": "is reversed",
    "sort=age&from=old": "is not an age and was ignored. Use a whole number",
    "sort=joined&from=2026-13": "is not a date and was ignored. Use a date like",
    "sort=role&from=a": "To jump to a place in the list",
}


def test_an_impossible_filter_or_start_is_answered_with_a_note(app, subtests):
    for query, note in NOTED_LISTS.items():
        with subtests.test(query[:40]):
            page = app.get(f"/users?{query}&panel=filters")
            assert note in page.html.select_one(".note").text
            assert page.html.select("#users tbody tr")


def test_a_list_can_start_at_any_text(app, subtests):
    for sort in ("name", "-name", "email", "-email"):
        for place in ("%00", "a%00b", "%F4%8F%BF%BF", "%EF%BF%BF", "%CC%81", "a" * 5000, "%25", "'", "\\"):
            with subtests.test(sort, place=place[:20]):
                assert app.get(f"/users?sort={sort}&from={place}").html.select("#users, .empty")


COOKIES = [
    "session=\xff",
    "session=\xed\xa0\x80",
    "session=abc",
    "session=" + "A" * 8000,
    'session="\\377\\376"',
    'session="\\000"',
    "language=\xff",
    'language="\\377"',
    "language=xx",
    'stranger="\\377"',
    "\xff=1",
    "=;;=",
]


def test_a_foreign_cookie_locks_nobody_out(wsgi, subtests):
    for cookie in COOKIES:
        for path, answers in {"/signin": {200, 400}, "/nothing": {404, 400}}.items():
            with subtests.test(cookie, path=path):
                page = TestRequest.blank(path, environ={"HTTP_COOKIE": cookie}).get_response(wsgi)
                assert page.status_int in answers
                assert page.html.nav


def test_a_foreign_cookie_signs_nobody_in(wsgi, subtests):
    for cookie in COOKIES:
        for path in ("/users", "/users/1", "/users/1/edit", "/posts/new", "/overview"):
            with subtests.test(cookie, path=path):
                page = TestRequest.blank(path, environ={"HTTP_COOKIE": cookie}).get_response(wsgi)
                assert (page.status_int, page.location) == (303, f"http://localhost/signin?next={quote(path, '')}")


def test_a_form_with_a_foreign_cookie_is_refused(app, wsgi, subtests):
    body = urlencode(filled_in(app, "/users/new")).encode()
    language = urlencode({**dict(app.get("/users").forms[0].submit_fields()), "language": "ko"}).encode()
    for cookie in COOKIES:
        with subtests.test(cookie):
            page = post_bytes(app, wsgi, "/users/new", body, URLENCODED, HTTP_COOKIE=cookie)
            assert (page.status_int, page.html.h1.text) == (403, "Sign in")
            # The language form needs no sign-in, but the token of the session.
            page = post_bytes(app, wsgi, "/language", language, URLENCODED, HTTP_COOKIE=cookie)
            assert (page.status_int, page.headers.get("Set-Cookie", "").startswith("language=")) == (303, False)


HEADERS = {
    "ACCEPT_LANGUAGE": ["\xff", ",;,", "*;q=0", "ko;q=x", "x" * 10_000],
    "ACCEPT": ["\xff", "image/png", ";;"],
    "HOST": ["\xff", "", "a b", "[::1", "localhost:abc"],
    "AUTHORIZATION": ["\xff"],
    "REFERER": ["\xff"],
    "ORIGIN": ["\xff", "null"],
    "USER_AGENT": ["\xff"],
    "RANGE": ["bytes=a-b", "bytes=0-0"],
    "X_FORWARDED_FOR": ["\xff"],
}


def test_a_malformed_header_is_ignored(app, wsgi, subtests):
    for header, values in HEADERS.items():
        for value in values:
            with subtests.test(header, value=value):
                environ = {"HTTP_COOKIE": cookie_of(app), f"HTTP_{header}": value}
                page = TestRequest.blank("/users", environ=environ).get_response(wsgi)
                assert page.status_int in (200, 400)
                assert page.html.nav


MULTIPART = "multipart/form-data; boundary=BOUNDARY"


def multipart(fields):
    """Return `fields` as a multipart body."""
    part = '--BOUNDARY\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    return ("".join(part.format(*item) for item in fields.items()) + "--BOUNDARY--\r\n").encode()


KINDS = [
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "multipart/form-data; boundary=OTHER",
    "multipart/form-data; boundary=" + "x" * 300,
    'multipart/form-data; boundary="a b "',
    "multipart/form-data; boundary=\xff",
    "multipart/form-data; charset=latin-1; boundary=BOUNDARY",
    "multipart/mixed; boundary=BOUNDARY",
    "multipart/mixed",
]


@each_form
def test_a_multipart_body_without_its_boundary_is_refused(app, wsgi, subtests, path):
    body = multipart(filled_in(app, path))
    for kind in KINDS:
        with subtests.test(kind):
            assert_4xx(post_bytes(app, wsgi, path, body, kind))


@each_form
def test_a_truncated_multipart_body_is_refused(app, wsgi, subtests, path):
    body = multipart(filled_in(app, path))
    for length in range(0, len(body) - 2, 10):
        with subtests.test(length):
            assert_4xx(post_bytes(app, wsgi, path, body[:length], MULTIPART))


PARTS = {
    "a file": '; filename="a.txt"\r\nContent-Type: text/plain',
    "a file of parts": '; filename="a.txt"\r\nContent-Type: multipart/mixed',
    "parts without a boundary": "\r\nContent-Type: multipart/mixed",
    "an unknown charset": "\r\nContent-Type: text/plain; charset=nonsense",
    "another charset": "\r\nContent-Type: text/plain; charset=utf-16",
    "base64 that is none": "\r\nContent-Transfer-Encoding: base64",
}


@each_form
def test_a_file_or_odd_part_in_a_text_field_is_refused(app, wsgi, subtests, path):
    body = multipart(filled_in(app, path, {FIRST[path]: "x"}))
    for field in (FIRST[path], "csrf_token"):
        for what, header in PARTS.items():
            with subtests.test(what, field=field):
                changed = body.replace(f'name="{field}"'.encode(), f'name="{field}"{header}'.encode())
                assert_4xx(post_bytes(app, wsgi, path, changed, MULTIPART))


@each_form
def test_bytes_that_are_not_utf8_in_a_multipart_body_are_refused(app, wsgi, path):
    body = multipart(filled_in(app, path, {FIRST[path]: "HERE"})).replace(b"HERE", b"\xff\xfe")
    assert_4xx(post_bytes(app, wsgi, path, body, MULTIPART))


@each_form
def test_a_body_that_is_not_a_form_is_refused(app, wsgi, subtests, path):
    token = filled_in(app, path)["csrf_token"]
    for kind in ("application/json", "text/plain", "application/xml", "nonsense", "\xff"):
        for headers in ({}, {"HTTP_X_CSRF_TOKEN": token}):
            with subtests.test(kind, headers=headers):
                assert_4xx(post_bytes(app, wsgi, path, b'{"name": "John", "title": "Hello"}', kind, **headers))


@each_form
def test_an_empty_body_is_refused(app, wsgi, path):
    token = filled_in(app, path)["csrf_token"]
    assert_4xx(post_bytes(app, wsgi, path, b"", URLENCODED, HTTP_X_CSRF_TOKEN=token))


@each_form
def test_a_form_in_another_charset_is_refused(app, wsgi, subtests, path):
    body = urlencode(filled_in(app, path)).encode()
    for charset in ("latin-1", "utf-16", "nonsense"):
        with subtests.test(charset):
            assert_4xx(post_bytes(app, wsgi, path, body, f"{URLENCODED}; charset={charset}"))


def test_the_body_of_a_get_is_ignored(app, wsgi, subtests):
    for path in ("/users", "/users/1/edit", "/posts/new", "/nothing"):
        for kind in (f"{URLENCODED}; charset=latin-1", "multipart/form-data", MULTIPART, "\xff"):
            with subtests.test(path, kind=kind):
                environ = {"HTTP_COOKIE": cookie_of(app), "CONTENT_TYPE": kind}
                request = TestRequest.blank(path, environ=environ, method="GET", body=b"\xff=1")
                page = request.get_response(wsgi)
                assert page.status_int < 500
                assert page.html.nav


LANGUAGES = [
    {"language": "xx", "page": "/users"},
    {"language": "", "page": "/users"},
    {"language": "ko\0", "page": "/users"},
    {"page": "/users"},
    {"language": "ko"},
    {"language": "ko", "page": ""},
    {"language": "ko", "page": "users"},
    {"language": "ko", "page": "//evil.example"},
    {"language": "ko", "page": "/\\evil.example"},
    {"language": "ko", "page": "/\t/evil.example"},
    {"language": "ko", "page": "https://evil.example/"},
    {"language": "ko", "page": "javascript:alert(1)"},
    {"language": "ko", "page": "/users\r\nX-Evil: 1"},
    {"language": "ko", "page": "/\0"},
    {"language": "ko", "page": "/김"},
]


def test_an_unknown_language_or_foreign_page_is_refused(app, subtests):
    token = app.get("/users").forms[0]["csrf_token"].value
    for fields in LANGUAGES:
        with subtests.test(fields):
            assert_error_page(app.post("/language", {"csrf_token": token, **fields}, expect_errors=True), 400)
            assert "language" not in app.cookies


def filled_in(app, path, changes=()):
    """Return the fields of the form at `path` with valid values and `changes`; `None` leaves a field out."""
    form = app.get(path).forms["record"]
    for field, value in GOOD[path].items():
        form[field].force_value(value)
    sent = dict(form.submit_fields()) | dict(changes)
    return {field: value for field, value in sent.items() if value is not None}


def send(app, path, changes):
    """Send the form at `path` with valid values and `changes`; return the response."""
    return app.post(path, filled_in(app, path, changes), expect_errors=True)


def cookie_of(app):
    """Return the `Cookie` header of `app`."""
    return "; ".join(f"{name}={value}" for name, value in app.cookies.items())


def post_bytes(app, wsgi, path, body, content_type, **environ):
    """Post the bytes of `body` with the cookies of `app`; return the response."""
    environ = {"HTTP_COOKIE": cookie_of(app), "CONTENT_TYPE": content_type, **environ}
    return TestRequest.blank(path, environ=environ, method="POST", body=body).get_response(wsgi)


def assert_4xx(page):
    """Check that `page` is a 4xx in the layout of the site: an error page, or the form again."""
    assert 400 <= page.status_int < 500
    assert page.html.nav
    assert page.html.select_one("main h1").text


def assert_refused(page, path, field, typed):
    """Check that the form is shown again with all submitted values, and a message beside `field` only."""
    assert_message(page, field)
    assert len(page.html.select(".invalid-feedback")) == 1
    assert page.html.select_one("[role=alert]").text
    controls = page.forms["record"]
    kept = {name: controls[name].value for name in [*GOOD[path], field]}
    if controls[field].tag == "select":
        assert kept[field] == ""
    elif all(character.isprintable() or character in "\t\r\n" for character in typed):
        assert kept[field].split() == typed.split()
    assert kept | {field: typed} == GOOD[path] | {field: typed}


def assert_message(page, field):
    """Check that the form is shown again with 422, and a message that describes `field`."""
    assert page.status_int == 422
    assert_4xx(page)
    control = page.html.select_one(f"main [name={field}]")
    assert control["aria-invalid"] == "true"
    assert f"{field}-error" in control["aria-describedby"].split()
    assert page.html.find(id=f"{field}-error").text.strip()


def everything(rows):
    """Return every value of every row."""
    return [
        {column.name: getattr(row, column.name) for column in row.__table__.columns}
        for model in (User, Post)
        for row in rows(model)
    ]
