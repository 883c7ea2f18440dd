"""What a view opens by its options is open there, and nowhere else."""

import pytest
from pyramid.config import Configurator
from pyramid.exceptions import ConfigurationError
from pyramid_retry import RetryableException
from webtest import TestApp
from webtest.forms import Upload

from myproject.web.request import Request
from tests.people import token_of
from tests.test_bad_input import MULTIPART, URLENCODED, multipart, post_bytes
from tests.web.opened_views import OPENED
from tests.web.test_errors import assert_error_page

HALF_MEGABYTE, MEGABYTE = 2**19, 2**20


@pytest.fixture
def settings(settings):
    """The settings of an application with the pages of `opened_views`."""
    return {**settings, "pyramid.includes": "tests.probe tests.web.opened_views"}


@pytest.fixture
def send(app, wsgi):
    """Call `send(name, body, …)`: post to `/opened/name`, with a good CSRF token in a header; return the answer.

    The answer's text is the `repr` of what `read(request)` returns.
    """
    token = token_of(app)

    def post(name, body, content_type=URLENCODED, read=lambda request: sorted(request.POST.items())):
        wsgi.registry["probe"] = lambda request: repr(read(request))
        sent = body.encode() if isinstance(body, str) else body
        return post_bytes(app, wsgi, f"/opened/{name}", sent, content_type, HTTP_X_CSRF_TOKEN=token)

    return post


def others(*opened):
    """Return the names of the pages but `opened`."""
    assert OPENED.keys() > set(opened)
    return sorted(OPENED.keys() - set(opened))


def part(name, content=b"x", filename=None, headers=""):
    """Return one part of a multipart body."""
    file = "" if filename is None else f'; filename="{filename}"'
    return (
        f'--BOUNDARY\r\nContent-Disposition: form-data; name="{name}"{file}{headers}\r\n\r\n'.encode()
        + content
        + b"\r\n"
    )


def parts(*contents):
    """Return a multipart body of such parts."""
    return b"".join(contents) + b"--BOUNDARY--\r\n"


# Repeated keys


def test_a_key_may_be_repeated_where_the_view_says_so(send):
    answer = send("repeated", "ids=1&ids=2&ids=3&name=a", read=lambda request: request.POST.getall("ids"))
    assert answer.text == "['1', '2', '3']"


def test_in_the_query_too(app, wsgi):
    wsgi.registry["probe"] = lambda request: repr(request.GET.getall("ids"))
    assert app.get("/opened/repeated?ids=1&ids=2").text == "['1', '2']"


def test_another_key_may_not_be_repeated(send, app):
    assert_error_page(send("repeated", "ids=1&ids=2&name=a&name=b"), 400)
    assert_error_page(app.get("/opened/repeated?ids=1&name=a&name=b", expect_errors=True), 400)


@pytest.mark.parametrize("name", others("repeated"))
def test_no_other_view_takes_a_repeated_key(send, app, name):
    assert_error_page(send(name, "ids=1&ids=2"), 400)
    assert_error_page(app.get(f"/opened/{name}?ids=1&ids=2", expect_errors=True), 400)


# More fields


def form_of(count):
    """Return a body with this number of fields."""
    return "&".join(f"field{number}=" for number in range(count))


def test_more_fields_are_taken_where_the_view_says_so(send):
    assert send("fields", form_of(300), read=lambda request: len(request.POST)).text == "300"
    assert_error_page(send("fields", form_of(301)), 400)


@pytest.mark.parametrize("name", others("fields"))
def test_no_other_view_takes_more_fields(send, name):
    assert send(name, form_of(100)).status_int == 200
    assert_error_page(send(name, form_of(101)), 400)


# A larger body


def test_a_larger_body_is_taken_where_the_view_says_so(send):
    body = "text=" + "%EA%B0%80" * (MEGABYTE // 9)
    answer = send("large", body, read=lambda request: set(request.POST["text"]))
    assert answer.text == "{'가'}"
    assert_error_page(send("large", "text=" + "a" * 4 * MEGABYTE), 413)


@pytest.mark.parametrize("name", others("large", "large-files"))
def test_no_other_view_takes_a_larger_body(send, name):
    assert send(name, "text=" + "a" * (HALF_MEGABYTE - 5)).status_int == 200
    assert_error_page(send(name, "text=" + "a" * (HALF_MEGABYTE - 4)), 413)


@pytest.mark.parametrize("offset", range(-4, 4))
@pytest.mark.parametrize("wrong", ["%ED%A0%80", "%FF", "%EA%B0", "%EA%B0x"])
def test_a_bad_byte_anywhere_in_a_larger_body_is_found(send, offset, wrong):
    body = "text=" + "a" * (64 * 1024 - 5 + offset) + wrong
    assert_error_page(send("large", body), 400)
    assert_error_page(send("large", body + "&more=%EA%B0%80"), 400)
    assert send("large", body.replace(wrong, "%EA%B0%80")).status_int == 200


def test_a_larger_body_is_not_read_whole_by_the_checks(send, monkeypatch):
    body = property(lambda request: pytest.fail("it was read whole"), Request.body.fset)
    monkeypatch.setattr(Request, "body", body, raising=False)
    sent = parts(part("upload", b"\xff\0" * MEGABYTE, "a.png"))
    answer = send("large-files", sent, MULTIPART, read=lambda request: request.POST["upload"].file.read(4))
    assert answer.text == repr(b"\xff\0\xff\0")


# Files


def test_a_file_is_taken_where_the_view_says_so(app, wsgi):
    def read(request):
        upload = request.POST["upload"]
        return repr((upload.filename, upload.file.read(), request.POST["name"]))

    token = token_of(app)
    wsgi.registry["probe"] = read
    fields = {"csrf_token": token, "name": "김", "upload": Upload("사람.csv", b"name\n\xff\0")}
    assert app.post("/opened/files", fields).text == repr(("사람.csv", b"name\n\xff\0", "김"))


def test_a_person_may_choose_no_file(send):
    body = parts(part("upload", b"", ""), part("name", b"a"))
    assert send("files", body, MULTIPART).text == "[('name', 'a'), ('upload', b'')]"


@pytest.mark.parametrize("name", others("files", "large-files"))
def test_no_other_view_takes_multipart(send, name):
    assert_error_page(send(name, multipart({"name": "a"}), MULTIPART), 415)
    assert_error_page(send(name, parts(part("upload", b"a", "a.csv")), MULTIPART), 415)


def test_a_view_with_files_takes_no_larger_body_unless_it_says_so(send):
    body = parts(part("upload", b"a" * HALF_MEGABYTE, "a.csv"))
    assert_error_page(send("files", body, MULTIPART), 413)
    assert send("large-files", body, MULTIPART, read=len_of_upload).text == str(HALF_MEGABYTE)


def len_of_upload(request):
    """Return the size of the file that was sent, in bytes."""
    return len(request.POST["upload"].file.read())


MALFORMED = {
    "a file in a field of text": part("name", b"a", "a.csv"),
    "a file as a token": part("csrf_token", b"a", "a.csv"),
    "an empty file in a field of text": part("name", b"", ""),
    "a file as the token of a form": part("form_token", b"", ""),
    "text in a field of files": part("upload", b"a"),
    "text that is not UTF-8": part("name", b"\xff"),
    "a surrogate": part("name", b"\xed\xa0\x80"),
    "a name that is not UTF-8": part("name", b"a").replace(b'"name"', b'"\xff"'),
    "no name": part("name", b"a").replace(b'; name="name"', b""),
    "a field twice": part("name") * 2,
    "a file twice": part("upload", b"a", "a.csv") * 2,
    "parts in a part": part("upload", b"a", "a.csv", "\r\nContent-Type: multipart/mixed; boundary=B"),
    "parts without a boundary": part("upload", b"a", "a.csv", "\r\nContent-Type: multipart/mixed"),
    "parts in a field of text": part("name", b"a", None, "\r\nContent-Type: multipart/mixed; boundary=B"),
    "an unknown charset": part("name", b"a", None, "\r\nContent-Type: text/plain; charset=nonsense"),
    "base64 that is none": part("name", b"a", None, "\r\nContent-Transfer-Encoding: base64"),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_multipart_form_is_refused(send, what):
    assert_error_page(send("files", parts(MALFORMED[what]), MULTIPART), 400)


@pytest.mark.parametrize(
    "kind",
    [
        *["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=OTHER"],
        *["multipart/form-data; boundary=" + "x" * 300, "multipart/form-data; boundary=\xff"],
    ],
)
def test_a_multipart_form_without_its_boundary_is_refused(send, kind):
    assert_error_page(send("files", parts(part("name")), kind), 400)


def test_a_multipart_form_that_breaks_off_is_refused(send):
    body = parts(part("name", b"John Doe"), part("upload", b"name,age\nJohn,30\n", "a.csv"))
    for length in range(1, len(body) - len("\r\n")):
        assert send("files", body[:length], MULTIPART).status_int == 400, body[:length]
    assert send("files", body, MULTIPART).status_int == 200
    assert send("files", body.removesuffix(b"\r\n"), MULTIPART).status_int == 200


def test_a_quoted_boundary_is_understood(send):
    assert send("files", parts(part("name")), 'multipart/form-data; boundary="BOUNDARY"').status_int == 200


@pytest.mark.parametrize("size", [10, 3 * MEGABYTE])
def test_a_second_attempt_reads_the_whole_file_again(send, size):
    seen = []

    def read(request):
        seen.append((len_of_upload(request), request.POST["name"]))
        if len(seen) < 3:
            raise RetryableException
        return seen

    body = parts(part("upload", b"a" * size, "a.csv"), part("name", b"John"))
    assert send("large-files", body, MULTIPART, read=read).text == repr([(size, "John")] * 3)


# What no option opens


@pytest.mark.parametrize("name", OPENED)
def test_every_view_still_asks_for_the_token_and_who_is_there(app, wsgi, name):
    wsgi.registry["probe"] = lambda request: pytest.fail("the view ran")
    kind, body = (MULTIPART, parts(part("upload", b"a", "a.csv"))) if "files" in name else (URLENCODED, b"a=b")
    assert_error_page(post_bytes(app, wsgi, f"/opened/{name}", body, kind), 400)
    answer = post_bytes(TestApp(wsgi), wsgi, f"/opened/{name}", body, kind)
    assert answer.location.startswith("http://localhost/signin")


@pytest.mark.parametrize("name", OPENED)
def test_every_view_still_refuses_a_form_of_another_site(app, wsgi, name):
    wsgi.registry["probe"] = lambda request: pytest.fail("the view ran")
    headers = {"X-CSRF-Token": token_of(app), "Origin": "http://evil.example"}
    assert_error_page(app.post(f"/opened/{name}", "a=b", headers, expect_errors=True), 400)


def test_an_option_that_there_is_not_is_refused_at_the_start():
    config = Configurator()
    config.include("myproject.web.limits")
    config.add_view(lambda request: None, repeated_key={"ids"})
    with pytest.raises(ConfigurationError):
        config.commit()
