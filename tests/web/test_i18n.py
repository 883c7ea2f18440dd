"""Languages: which one a request gets, how numbers and dates follow it, and that every page is translated."""

import datetime
import re
import shutil

import pytest
import sqlalchemy
from pyramid.httpexceptions import HTTPForbidden
from webtest import TestRequest

from myproject.models import Post, User
from myproject.scripts import messages

# Latin words that Korean pages keep: names of the product, of the other language and of UTC, and examples of input.
NAMES = re.compile(r"\b(myproject|English|IP|UTC|name@example\.com)\b")
READ_ALOUD = ["title", "aria-label", "placeholder", "alt"]

MOMENT = datetime.datetime(2026, 2, 3, 16, 5, 6, tzinfo=datetime.UTC)


@pytest.fixture
def korean(app, outside):
    """The browser, set to Korean, of an administrator with a Korean name."""
    with outside.begin() as connection:
        connection.execute(sqlalchemy.update(User.__table__).values(name="관리자", email="4@5.6"))
    app.extra_environ["HTTP_ACCEPT_LANGUAGE"] = "ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7"
    return app


@pytest.fixture
def people(make_user, make_post, make_view):
    """Korean data for every part of the pages: user 1 has many values and posts, user 2 few; user 1 wrote post 1."""
    chulsoo = make_user("김철수", password_hash="?", age=95, email="1@2.3", role="admin", active=False)
    make_user("박영희", role="editor")
    make_user("이민준", age=30)
    make_view(chulsoo, "젊은 관리자", "q=-%EA%B9%80&role=admin&sort=-age", for_all=True)
    make_view(chulsoo, "옛 보기", "?", for_all=True)
    for number in range(12):
        make_post(title=f"{number}번째 소식", body="모두 안녕하세요.", author=chulsoo)


def latin_words(page):
    """Return the words in Latin letters in the text and the labels of `page`, without the id of its request."""
    labels = [tag[name] for name in READ_ALOUD for tag in page.html(attrs={name: True})]
    text = " ".join([*page.html.stripped_strings, *labels]).replace(page.headers["X-Request-Id"], "")
    return re.findall(r"[A-Za-z]+", NAMES.sub("", text))


# How a language is chosen


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("en-GB,en;q=0.9", "en"),
        ("ko", "ko"),
        ("ko-KR,ko;q=0.9,en-US;q=0.8", "ko"),
        ("en;q=0.3,ko;q=0.4", "ko"),
        ("fr,ko;q=0.5", "ko"),
        ("ko;q=0,en;q=0.1", "en"),
        ("fr", "en"),
        ("*", "en"),
        ("", "en"),
        ("ko;q=much;;", "en"),
    ],
)
def test_accept_language_chooses_the_language(app, accepted, language):
    page = app.get("/users", headers={"Accept-Language": accepted})
    assert page.html.html["lang"] == language


def test_english_is_the_default(app):
    del app.extra_environ["HTTP_ACCEPT_LANGUAGE"]
    assert app.get("/users").html.html["lang"] == "en"


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("ko," + "fr;q=0.8," * 4000, "ko"),
        ("ko," + "x" * 30_000, "ko"),
        ("fr," * 10_000 + "ko", "en"),
        ("," * 9000, "en"),
    ],
)
def test_only_the_start_of_a_long_accept_language_counts(app, accepted, language):
    assert app.get("/users", headers={"Accept-Language": accepted}).html.html["lang"] == language


def test_the_language_cookie_wins_over_accept_language(app):
    app.set_cookie("language", "ko")
    assert app.get("/users").html.html["lang"] == "ko"


def test_a_cookie_with_an_unknown_language_is_ignored(korean):
    korean.set_cookie("language", "tlh")
    assert korean.get("/users").html.html["lang"] == "ko"


def test_the_switch_returns_to_its_page_in_the_other_language(app):
    answer = app.get("/posts/new?author_id=7").forms[0].submit("language", status=303)
    assert answer.location == "http://localhost/posts/new?author_id=7"
    assert answer.follow().html.html["lang"] == "ko"
    assert app.get("/users").html.html["lang"] == "ko"


def test_the_switch_works_in_both_directions(app):
    page = app.get("/users").forms[0].submit("language").follow()
    assert page.forms[0].submit("language").follow().html.html["lang"] == "en"


def test_the_language_cookie_lasts_a_year_and_is_hidden_from_scripts(app):
    cookie = app.get("/users").forms[0].submit("language").headers["Set-Cookie"]
    assert cookie.startswith("language=ko;")
    assert {"Max-Age=31536000", "HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))


@pytest.mark.parametrize(
    "page",
    [
        *["//evil.example", "/\\evil.example", "https://evil.example", "https:evil.example", "javascript:alert(1)"],
        *["/users\r\nSet-Cookie: a=b", "/users\n", "/\t/evil.example", "/\0/evil.example", "/사용자", "users", ""],
    ],
)
def test_the_switch_redirects_only_to_a_path_of_this_site(app, page):
    fields = dict(app.get("/users").forms[0].submit_fields("language"))
    answer = app.post("/language", {**fields, "page": page}, status=400)
    assert "Location" not in answer.headers
    assert "language=" not in answer.headers.get("Set-Cookie", "")


@pytest.mark.parametrize("language", [{}, {"language": "fr"}, {"language": ""}, {"language": "ko\r\nA: b"}])
def test_an_unknown_language_is_refused(app, language):
    fields = dict(app.get("/users").forms[0].submit_fields())
    answer = app.post("/language", {**fields, **language}, status=400)
    answer.mustcontain("This language is not supported.")
    assert app.get("/users").html.html["lang"] == "en"


# Numbers and dates


def test_numbers_follow_the_language(app, outside):
    with outside.begin() as connection:
        connection.execute(sqlalchemy.insert(User), [{"name": f"User {number}"} for number in range(1233)])
    app.get("/users").mustcontain("1,234 users")
    app.get("/users", headers={"Accept-Language": "ko"}).mustcontain("사용자 1,234명")


def test_english_has_a_singular(app):
    app.get("/users").mustcontain("1 user<")


@pytest.mark.parametrize(
    ("language", "day", "moment", "month"),
    [
        ("en", "Feb 3, 2026", "Feb 3, 2026 16:05 UTC", "Feb 2026"),
        ("ko", "2026년 2월 3일", "2026년 2월 3일 16:05 UTC", "2026년 2월"),
    ],
)
def test_dates_follow_the_language(app, make_user, language, day, moment, month):
    user = make_user(created_at=MOMENT)
    app.extra_environ["HTTP_ACCEPT_LANGUAGE"] = language
    assert app.get("/users").html.find("td", string=day)
    assert app.get(f"/users/{user.id}").html.find("dd", string=moment)
    assert app.get("/overview").html.find("th", string=month)


# Every page is translated


@pytest.mark.parametrize("path", ["/users", "/users/views", "/posts", "/overview", "/users/new", "/posts/new"])
def test_a_page_without_data_is_all_korean(korean, path):
    assert latin_words(korean.get(path)) == []


@pytest.mark.parametrize(
    "path",
    [
        *["/users", "/users/new", "/users/1", "/users/1/edit", "/users/1/delete", "/users/2", "/users/2/delete"],
        *["/users/views", "/users/views/new", "/users/views/1/edit", "/users/views/1/delete", "/users/views/2/edit"],
        *["/posts", "/posts/new", "/posts/1", "/posts/1/edit", "/posts/1/delete", "/overview"],
        *["/users/1/password-link", "/users/1/sign-ins", "/users/1/erase", "/users/2/erase", "/signout"],
    ],
)
def test_a_page_is_all_korean(korean, people, path):
    assert latin_words(korean.get(path)) == []


def test_the_sign_in_page_is_all_korean(korean):
    korean.reset()
    page = korean.get("/signin")
    assert latin_words(page) == []
    assert latin_words(page.forms["record"].submit(status=422)) == []


def test_the_setup_page_is_all_korean(korean, nobody):
    page = korean.get("/setup")
    assert latin_words(page) == []
    assert latin_words(page.forms["record"].submit(status=422)) == []


@pytest.mark.parametrize(("path", "table"), [("/users", User), ("/posts", Post)])
def test_the_pages_of_a_long_list_are_all_korean(korean, people, outside, path, table):
    with outside.begin() as connection:
        connection.execute(sqlalchemy.insert(User), [{"name": f"{number}호"} for number in range(30)])
        connection.execute(
            sqlalchemy.insert(Post), [{"title": "글", "body": "글", "author_id": 1} for number in range(30)]
        )
    first = korean.get(path)
    second = first.click("다음")
    assert latin_words(first) + latin_words(second) == []
    with outside.begin() as connection:
        connection.execute(sqlalchemy.delete(Post))
        connection.execute(sqlalchemy.delete(User).where(User.id > 1))
    assert latin_words(korean.get(second.request.url)) == []


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        *[("/users/new", "name", name) for name in ["", "가" * 201, "가\x01나"]],
        *[("/users/new", "age", age) for age in ["151", "-1", "열", "３０"]],
        *[("/users/new", "email", email) for email in ["가", "1@2.3", "1@" + "2" * 400]],
        *[("/users/new", "role", role) for role in ["", "?"]],
        *[("/users/views/new", "name", name) for name in ["", "가" * 101]],
        *[("/users/2/edit", "name", ""), ("/posts/1/edit", "title", "")],
        *[("/posts/new", "title", title) for title in ["", "가" * 201, "가\x01나"]],
        *[("/posts/new", "body", body) for body in ["", "가" * 20_001]],
        *[("/posts/new", "author_id", author) for author in ["", "9", "?"]],
    ],
)
def test_a_form_with_an_error_is_all_korean(korean, people, path, field, value):
    form = next(form for form in korean.get(path).forms.values() if field in form.fields)
    for name, valid in [("name", "최수아"), ("title", "제목"), ("body", "내용"), ("author_id", "1")]:
        if name in form.fields:
            form[name] = valid
    form[field].force_value(value)
    page = form.submit(status=422)
    assert page.html.find(id=f"{field}-error")
    assert latin_words(page) == []


def test_messages_about_users_are_all_korean(korean, people):
    form = korean.get("/users/new").forms["record"]
    form["name"] = "최수아"
    page = form.submit().follow()
    page.mustcontain("최수아\xa0님을 추가했습니다.")
    assert latin_words(page) == []
    page = korean.get("/users/2/edit").forms["record"].submit().follow()
    assert latin_words(page) == []
    assert latin_words(korean.get("/users/2/delete").forms["record"].submit().follow()) == []


def test_messages_about_posts_are_all_korean(korean, people):
    form = korean.get("/posts/new?author_id=1").forms["record"]
    form["title"], form["body"] = "제목", "내용"
    page = form.submit().follow()
    page.mustcontain("“제목” 게시글을 추가했습니다.")
    assert latin_words(page) == []
    assert latin_words(korean.get("/posts/1/edit").forms["record"].submit().follow()) == []
    assert latin_words(korean.get("/posts/1/delete").forms["record"].submit().follow()) == []


@pytest.mark.parametrize(
    ("status", "method", "path", "body"),
    [
        (400, "GET", "/users?cursor=?", b""),
        (400, "GET", "/users?cursor=%ff", b""),
        (400, "GET", "/users?cursor=1&cursor=2", b""),
        (400, "POST", "/users/new", b""),
        (415, "POST", "/users/new", b"name=1"),
        (404, "GET", "/users/9", b""),
        (404, "GET", "/9", b""),
        (405, "PUT", "/users", b""),
        (413, "POST", "/users/new", b"name=" + b"1" * 600_000),
    ],
)
def test_an_error_page_is_all_korean(korean, status, method, path, body):
    page = korean.request(path, method=method, body=body, status=status)
    assert page.html.find(class_="error-code").text == str(status)
    assert latin_words(page) == []


def test_the_error_page_of_a_path_that_is_not_utf8_is_all_korean(wsgi):
    page = TestRequest.blank("/%ff", headers={"Accept-Language": "ko"}).get_response(wsgi)
    assert page.status_int == 400
    assert latin_words(page) == []


def test_the_pages_of_403_and_500_are_all_korean(korean, probe):
    def refuse(request):
        # Load the identity: other users are redirected to sign in.
        assert request.identity
        raise HTTPForbidden()

    def fail(request):
        raise ZeroDivisionError

    assert latin_words(probe(refuse, status=403)) == []
    assert latin_words(probe(fail, status=500)) == []


def test_data_is_not_translated(korean, make_user, make_post):
    user = make_user("Administrator")
    make_post(title="Edit", body="Delete", author=user)
    assert latin_words(korean.get("/posts")) == ["Edit", "Administrator"]
    assert "Administrator" in latin_words(korean.get("/posts/new"))


# The catalogues


@pytest.fixture
def folder(tmp_path):
    """A copy of the catalogues, up to date."""
    copy = shutil.copytree(messages.LOCALE, tmp_path / "locale")
    with pytest.raises(SystemExit):
        messages.main([], copy)
    return copy


def complaints(folder):
    """Return the defects that `--check` reports of the catalogues in `folder`, or an empty text."""
    with pytest.raises(SystemExit) as end:
        messages.main(["--check"], folder)
    return end.value.code or ""


def test_the_catalogues_are_complete_and_up_to_date():
    assert complaints(messages.LOCALE) == ""


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ('msgid "Add a user"\nmsgstr "사용자 추가"\n', "", "ko: not translated: 'Add a user'"),
        ('msgstr "사용자 추가"', 'msgstr ""', "ko: not translated: 'Add a user'"),
        ('msgid "Add a user"', '#, fuzzy\nmsgid "Add a user"', "ko: marked as fuzzy: 'Add a user'"),
        ('msgstr[0] "사용자 %(count)s명"', 'msgstr[0] ""', "ko: not translated: '%(count)s user'"),
        ('msgstr[0] "사용자 %(count)s명"', 'msgstr[0] "사용자"', "ko: other placeholders: '%(count)s user'"),
        ('msgstr "${name}\xa0님을', 'msgstr "${nam}\xa0님을', "ko: other placeholders: '${name} was"),
        (
            'msgid "Add a user"',
            'msgid "Gone"\nmsgstr "감"\n\nmsgid "Add a user"',
            "ko/LC_MESSAGES/myproject.po is out of",
        ),
        ('msgid "Add a user"', '#~ msgid "Gone"\n#~ msgstr "감"\n\nmsgid "Add a user"', "myproject.po is out of date"),
    ],
)
def test_a_defect_in_a_catalogue_is_reported(folder, before, after, complaint):
    po = folder / "ko" / "LC_MESSAGES" / "myproject.po"
    text = po.read_text(encoding="utf-8")
    assert before in text
    po.write_text(text.replace(before, after), encoding="utf-8")
    assert complaint in complaints(folder)


@pytest.mark.parametrize("path", ["myproject.pot", "en/LC_MESSAGES/myproject.po", "ko/LC_MESSAGES/myproject.mo"])
def test_an_outdated_or_missing_catalogue_is_reported(folder, path):
    (folder / path).write_bytes(b"")
    assert f"{path} is out of date: run `make messages`" in complaints(folder)
    (folder / path).unlink()
    assert f"{path} is out of date: run `make messages`" in complaints(folder)


def test_an_update_writes_missing_files_and_changes_no_other(folder):
    files = {path: path.read_bytes() for path in folder.rglob("*.*")}
    for path in [folder / "myproject.pot", *folder.rglob("*.mo"), *folder.rglob("en/*/*.po")]:
        path.unlink()
    with pytest.raises(SystemExit):
        messages.main([], folder)
    assert {path: path.read_bytes() for path in folder.rglob("*.*")} == files
