"""House rules for every page, route, form and view, present and future."""

import re
from pathlib import Path

import pytest
from pyramid.interfaces import IExceptionResponse
from sqlalchemy import insert, update
from webtest import TestRequest

import myproject
from myproject.models import PasswordLink, Post, SavedView, SelectedUser, Selection, SignIn, User
from myproject.signin.models import digest
from myproject.users.listing.search import LONGEST_SEARCH
from tests import signed_in
from tests.users.imports.importing import checked_import

PACKAGE = Path(myproject.__file__).parent
TESTS = Path(__file__).parents[1]
TEMPLATES = {path.relative_to(PACKAGE / "templates").as_posix(): path for path in PACKAGE.glob("templates/**/*.jinja2")}

KEY = "1" * 32
# Every page that answers GET with 200: for an administrator,
PAGES = [
    *["/users", "/users/help", "/users/new", "/users/1", "/users/1/edit", "/users/1/delete", "/users/1/erase"],
    *["/users/1/sign-ins", "/users/1/password-link"],
    *["/users/bulk/1", "/users/bulk/1/apply"],
    *["/users/import", f"/users/import/{KEY}"],
    *["/users/views", "/users/views/new", "/users/views/1/edit", "/users/views/1/delete"],
    *["/posts", "/posts/new", "/posts/1", "/posts/1/edit", "/posts/1/delete"],
    *[
        "/history",
        "/history/1",
        "/history/1/undo",
        "/history/deleted",
        "/history/events",
        "/users/1/history",
        "/posts/1/history",
    ],
    *["/overview", "/signout"],
]
# for the user whose page it is, for visitors, and on a site where nobody can sign in yet.
OWN_PAGES = ["/users/1/password", "/users/1/time-zone"]
TOKEN = "of-a-link"
OPEN_PAGES = ["/signin", f"/set-password/{TOKEN}"]
FIRST_PAGES = ["/setup"]
# SQL statements for a page.
MAX_STATEMENTS = 6
# The history also asks for the names of people, for what exists, for what was undone, and when it begins.
MAX_STATEMENTS_OF_HISTORY = 10


@pytest.fixture
def routes(wsgi):
    """The patterns of the application's routes by name, without static files and the tests' own page."""
    found = (item["introspectable"] for item in wsgi.registry.introspector.get_category("routes"))
    return {route["name"]: route["pattern"] for route in found if route["name"] not in ("__static/", "probe")}


@pytest.fixture
def views(wsgi, routes):
    """Pairs of a view of these routes and the name of its template, or `None`."""
    found = wsgi.registry.introspector.get_category("views")
    return [
        (
            item["introspectable"],
            next((near["name"] for near in item["related"] if near.category_name == "templates"), None),
        )
        for item in found
        if item["introspectable"]["route_name"] in routes
    ]


@pytest.fixture
def author(wsgi, make_user, make_post, make_view, outside):
    """A user with a post, a saved view for all, and a link to set a password. The administrator has an import."""
    checked_import(wsgi, 0, key=KEY)
    user = make_user("Ada Lovelace", email="ada@example.com")
    make_post(author=user)
    make_view(user, for_all=True)
    with outside.begin() as connection:
        connection.execute(insert(PasswordLink).values(user_id=user.id, maker_id=user.id, token=digest(TOKEN)))
        connection.execute(insert(Selection).values(user_id=0, query=""))
        connection.execute(insert(SelectedUser).values(selection_id=1, user_id=user.id, version=1))
    return user


@pytest.fixture
def own(wsgi, author, outside):
    """A browser in which `author` is signed in."""
    token = "of the author"
    with outside.begin() as connection:
        sign_in = {"token": digest(token), "user_id": author.id, "address": "", "browser": ""}
        connection.execute(insert(SignIn).values(sign_in))
    browser = signed_in.browser(wsgi)
    browser.set_cookie("session", signed_in.cookie(token=token))
    return browser


@pytest.fixture
def answers(app, own, stranger, probe, wsgi, outside):
    """Call `answers()`: a response of every kind, by name."""

    def fail(request):
        raise RuntimeError

    def get():
        pages = {path: app.get(path) for path in PAGES}
        pages |= {path: own.get(path) for path in OWN_PAGES}
        pages |= {path: stranger.get(path) for path in OPEN_PAGES}
        with outside.begin() as connection, signed_in.without_administrator_check(connection):
            connection.execute(update(User).values(password_hash=None))
        pages |= {path: stranger.get(path) for path in FIRST_PAGES}
        bad_path = TestRequest.blank("/", environ={"PATH_INFO": "/\xff"})
        return pages | {
            "303 sign in": stranger.get("/users", status=303),
            "403": own.get("/users/new", status=403),
            "303": app.get("/", status=303),
            "400": app.get("/users?cursor=x", status=400),
            "400 path": bad_path.get_response(wsgi),
            "400 token": app.post("/users/new", status=400),
            "404": app.get("/nothing", status=404),
            "405": app.put("/users", status=405),
            "413": app.post("/users/new", "x" * 600_000, status=413),
            "422": app.get("/users/new").forms["record"].submit(status=422),
            "500": probe(fail, expect_errors=True),
            "static": app.get("/static/site.css"),
            "static 404": app.get("/static/nothing.css", status=404),
        }

    return get


# Only a list with a next page is counted, by up to three statements, and more than ten posts of a person. The history
# loads changes that are alone in their entries by one, if there are any: SQLite puts what is written within a
# millisecond into one entry.
OPTIONAL_STATEMENTS = {"/users": 3, "/users/1": 1, "/history": 1}


def test_the_number_of_statements_does_not_depend_on_the_number_of_rows(app, wsgi, outside, recorded, subtests):
    cost = {}
    checked_import(wsgi, 0, key=KEY)
    for count in (3, 25):
        store(outside, count)
        for path in PAGES:
            with recorded() as record:
                app.get(path)
            cost.setdefault(path, []).append(record.statement_count)
    for path, (few, many) in cost.items():
        with subtests.test(path):
            assert few == many or few < many <= few + OPTIONAL_STATEMENTS.get(path, 0)
            assert many <= (MAX_STATEMENTS_OF_HISTORY if "history" in path else MAX_STATEMENTS)


def test_the_pages_with_counted_statements_show_all_rows(app, outside):
    store(outside, 25)
    assert len(app.get("/users").html.select("tbody tr")) == 25
    assert len({link.text for link in app.get("/posts").html.select("tbody td a")}) == 25
    # Ten posts, and the link to all.
    assert len(app.get("/users/1").html.select(".list-group-item")) == 11
    assert len(app.get("/users/1/sign-ins").html.select("tbody tr")) == 25
    assert len(app.get("/users/views").html.select("tbody tr")) == 25


def test_every_response_carries_the_security_headers(answers, subtests):
    for kind, response in answers().items():
        with subtests.test(kind):
            policy = response.headers.getall("Content-Security-Policy")
            assert len(policy) == 1
            assert "default-src 'none'" in policy[0]
            assert "unsafe" not in policy[0]
            assert "*" not in policy[0]
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["X-Frame-Options"] == "DENY"
            assert response.headers["Referrer-Policy"] == "same-origin"


def test_cookies_are_http_only_and_same_site(answers, subtests):
    for kind, response in answers().items():
        for cookie in response.headers.getall("Set-Cookie"):
            with subtests.test(kind, cookie=cookie):
                assert "; HttpOnly" in cookie
                assert "; SameSite=Lax" in cookie


def test_no_page_has_inline_styles_or_scripts(answers, subtests):
    for kind, page in pages_among(answers()):
        with subtests.test(kind):
            assert page.html.select("style, script:not([src]), [style]") == []
            assert [script.text for script in page.html.select("script") if script.text] == []
            names = {name for tag in page.html.find_all(True) for name in tag.attrs}
            assert [name for name in names if name.startswith("on")] == []
            assert "javascript:" not in page.text


def test_no_page_refers_to_another_host(answers, subtests):
    for kind, page in pages_among(answers()):
        with subtests.test(kind):
            assert hosts_in(page.text) == set()


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("static/**/*.*")), ids=lambda path: path.name)
def test_no_static_file_refers_to_another_host(path):
    text = re.sub(r"\A/\*!.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert hosts_in(text) == set()
    assert "@import" not in text


def test_every_page_has_a_language_a_title_a_heading_and_landmarks(answers, subtests):
    for kind, page in pages_among(answers()):
        with subtests.test(kind):
            assert page.html.html["lang"] == "en"
            assert page.html.title.text.endswith(" · myproject")
            assert [len(page.html.select(part)) for part in ("header", "main", "h1", "main h1")] == [1, 1, 1, 1]
            assert page.html.select_one("a.skip-link")["href"] == "#" + page.html.main["id"]


def test_ids_are_unique_and_every_reference_has_its_target(answers, subtests):
    for kind, page in pages_among(answers()):
        with subtests.test(kind):
            ids = [tag["id"] for tag in page.html.select("[id]")]
            assert len(ids) == len(set(ids))
            for name in ("for", "aria-describedby", "aria-labelledby"):
                assert {part for tag in page.html.select(f"[{name}]") for part in tag[name].split()} <= set(ids)


def test_every_control_has_a_label_and_every_label_a_control(answers, subtests):
    for kind, page in pages_among(answers()):
        with subtests.test(kind):
            labelled = [page.html.find(id=label["for"]) for label in page.html.select("label")]
            controls = page.html.select("input:not([type=hidden], [aria-label]), select, textarea")
            assert labelled == controls
            assert all(label.text.strip() for label in page.html.select("label"))


def test_no_field_cuts_a_pasted_text_without_a_word(answers, subtests):
    """A search may: its page says that only the first characters were used."""
    for kind, page in pages_among(answers()):
        with subtests.test(kind):
            cut = {(field["name"], int(field["maxlength"])) for field in page.html.select("[maxlength]")}
            assert cut <= {("q", LONGEST_SEARCH + 1), ("find", LONGEST_SEARCH + 1)}


def test_every_link_form_and_script_has_a_target_on_this_site(app, answers, subtests):
    pages, links = dict(pages_among(answers())), "a:not([href^='mailto:']), link"
    targets = {link["href"].split("#")[0] for page in pages.values() for link in page.html.select(links)}
    targets |= {script["src"] for page in pages.values() for script in page.html.select("script")}
    actions = {form.get("action", "") for page in pages.values() for form in page.html.select("form")}
    # The administrator of the tests has the id 0, which no URL takes.
    for target in sorted(targets - {"", "/users/0"}):
        with subtests.test(target):
            app.get(target, status=[200, 303])
    histories = {"/history", "/history/events", "/users/1/history", "/posts/1/history"}
    imports = {f"/users/import/{KEY}{form}" for form in ("", "/check", "/cancel")}
    assert actions == {"", "/language", "/signout", "/users", "/users/bulk", *histories, *imports}


def test_every_post_form_has_a_csrf_token(answers, subtests):
    for kind, page in pages_among(answers()):
        for form in page.html.select("form[method=post]"):
            with subtests.test(kind, action=form.get("action")):
                assert form.select_one("input[type=hidden][name=csrf_token]")["value"]


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_with_a_post_form_has_a_csrf_token(name):
    forms = re.findall(r"<form\b.*?</form>", TEMPLATES[name].read_text(encoding="utf-8"), flags=re.DOTALL)
    posting = [form for form in forms if re.search(r"""method=["']?post""", form.split(">")[0], flags=re.IGNORECASE)]
    assert [form for form in posting if 'name="csrf_token" value="{{ get_csrf_token() }}"' not in form] == []


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_template_marks_text_as_safe_or_turns_escaping_off(name):
    text = TEMPLATES[name].read_text(encoding="utf-8")
    script = r"""<script type="module" src="\{\{ '[^']+' \| static \}\}"></script>"""
    text = re.sub(script, "", text)
    assert re.findall(r"\|\s*safe\b|autoescape|Markup|<style|<script|\sstyle=", text) == []


def test_every_route_name_matches_its_url(routes):
    short = {"home": "/", "set_password": "/set-password/{token}"}
    words = {name: "/" + name.replace(".list", "").replace(".", "/").replace("_", "-") for name in routes}
    patterns = {name: re.sub(r"/{(id|key)}|\.csv$", "", pattern) for name, pattern in routes.items()}
    shown = {name: path.removesuffix("/show") for name, path in words.items()}
    assert {name: path for name, path in patterns.items() if path != short.get(name, shown[name])} == {}


def test_every_template_name_matches_its_route(views):
    wrong = [(view["route_name"], name) for view, name in views if name not in (None, template_of(view))]
    assert wrong == []


def test_every_template_belongs_to_a_route_or_is_shared(views):
    used = {name for _view, name in views if name}
    shared = {"layout.jinja2", "forms.jinja2", "pager.jinja2", "charts.jinja2", "exports.jinja2"}
    shared |= {"errors/error.jinja2", "signin/unknown_link.jinja2"}
    shared |= {
        "history/parts.jinja2",
        "posts/parts.jinja2",
        "users/parts.jinja2",
        "users/belongings.jinja2",
        "users/table.jinja2",
        "users/bulk/parts.jinja2",
        "users/import/parts.jinja2",
        "users/views/parts.jinja2",
    }
    assert TEMPLATES.keys() == used | shared


def test_every_view_declares_its_methods(views):
    assert [view["route_name"] for view, _name in views if not view["request_methods"]] == []


def test_every_feature_has_templates_and_tests(views):
    features = {feature_of(view) for view, _name in views} - {None}
    assert features >= {"posts", "signin", "users"}
    for feature in features:
        assert (PACKAGE / feature / "views.py").exists()
        assert (PACKAGE / "templates" / feature).is_dir()
        assert (TESTS / feature / "test_views.py").exists()


def test_the_tests_mirror_the_application():
    features = {path.parent.name for path in PACKAGE.glob("*/views.py")}
    assert features
    for module in (path for feature in features for path in (PACKAGE / feature).glob("[!_]*.py")):
        beside = TESTS / module.parent.name
        assert (beside / f"test_{module.name}").exists() or (beside / "test_views.py").exists()


def test_no_view_turns_the_csrf_check_off(views, wsgi):
    default = wsgi.registry.introspector.get_category("default csrf view options")[0]["introspectable"]
    assert default["require_csrf"] is True
    assert set(default["safe_methods"]) <= {"GET", "HEAD", "OPTIONS", "TRACE"}
    assert [view["route_name"] for view, _name in views if view["require_csrf"] is False] == []


def test_every_post_without_a_csrf_token_is_refused(app, own, routes, views, subtests):
    posting = {view["route_name"] for view, _name in views if "POST" in view["request_methods"]}
    # On a site that is set up, `/setup` is 404 before its form is read. The next test sends it.
    for name in sorted(posting - {"setup"}):
        with subtests.test(name):
            path = path_of(routes[name])
            page = (own if path in OWN_PAGES else app).post(path, status=400)
            page.mustcontain("This page was open for too long")


def test_the_setup_form_without_a_csrf_token_is_refused(stranger, nobody):
    stranger.post("/setup", status=400).mustcontain("This page was open for too long")


def test_every_route_with_an_id_loads_its_row_before_the_view(wsgi, routes):
    with_id = [name for name, pattern in routes.items() if "{id}" in pattern]
    found = {
        item["introspectable"]["name"]: item["introspectable"]
        for item in wsgi.registry.introspector.get_category("routes")
    }
    assert [name for name in with_id if found[name]["factory"] is None] == []


def test_these_tests_check_every_page(routes, views):
    shown = {view["route_name"] for view, name in views if name and "GET" in view["request_methods"]}
    assert {path_of(routes[name]) for name in shown} == {*PAGES, *OWN_PAGES, *OPEN_PAGES, *FIRST_PAGES}


def test_exception_views_handle_errors_only(wsgi):
    found = (item["introspectable"] for item in wsgi.registry.introspector.get_category("views"))
    answered = [view["context"] for view in found if view["exception_only"]]
    assert IExceptionResponse not in answered
    assert Exception in answered


def store(engine, count):
    """Store `count` users beside the administrator, each the author of one post.

    The first also has `count` older posts and `count` sign-ins. Each user has saved a view for all, and is selected.
    """
    with engine.begin() as connection:
        connection.execute(SavedView.__table__.delete())
        connection.execute(Post.__table__.delete())
        connection.execute(SignIn.__table__.delete().where(SignIn.id > 0))
        connection.execute(User.__table__.delete().where(User.id > 0))
        numbers = range(1, count + 1)
        connection.execute(User.__table__.insert(), [{"id": n, "name": f"John {n}", "age": n * 3} for n in numbers])
        authors = [1] * count + [*numbers]
        posts = [{"id": n, "title": f"Post {n}", "body": "…", "author_id": a} for n, a in enumerate(authors, 1)]
        connection.execute(Post.__table__.insert(), posts)
        sign_ins = [{"token": str(n), "user_id": 1, "address": "127.0.0.1", "browser": f"Browser {n}"} for n in numbers]
        connection.execute(SignIn.__table__.insert(), sign_ins)
        saved = [{"id": n, "user_id": n, "name": f"View {n}", "query": f"q={n}", "for_all": True} for n in numbers]
        connection.execute(SavedView.__table__.insert(), saved)
        connection.execute(SelectedUser.__table__.delete())
        connection.execute(Selection.__table__.delete())
        connection.execute(insert(Selection).values(id=1, user_id=0, query=""))
        selected = [{"selection_id": 1, "user_id": n, "version": 1} for n in numbers]
        connection.execute(SelectedUser.__table__.insert(), selected)


def pages_among(answers):
    """Return the HTML pages among `answers` that are in the layout of the site, with their names."""
    return [(kind, page) for kind, page in answers.items() if page.content_type == "text/html" and page.html.nav]


def hosts_in(text):
    """Return the hosts in the URLs of `text`, except XML namespaces, which nobody requests."""
    text = re.sub(r"http://www\.w3\.org/[0-9]+/[a-z]+", "", text)
    return set(re.findall(r"(?:[a-z]+:)?//[^\s/'\"<>)]+", text, flags=re.IGNORECASE))


def path_of(pattern):
    """Return the path of a route for row 1, or for the password link of `author`."""
    return pattern.replace("{id}", "1").replace("{token}", TOKEN).replace("{key}", KEY)


def feature_of(view):
    """Return the feature, a folder of `myproject`, that a view belongs to, or `None`: `users` for all below `users`."""
    _package, *folders, _module = view["callable"].__module__.split(".")
    return folders[0] if folders and folders[0] != "web" else None


def template_of(view):
    """Return the template name of a view: its feature and the words of its route after the first."""
    first, *others = view["route_name"].split(".")
    return "/".join(filter(None, [feature_of(view), *(others or [first])])) + ".jinja2"
