"""The verdict of `make scan`, without a scanner."""

from .verdict import DOCUMENT, complaints, explained, name_of

FINDING = {
    "category": "SQL Injection",
    "level": 4,
    "method": "GET",
    "path": "/users",
    "parameter": "cursor",
    "info": "SQL Injection via injection in the parameter cursor",
    "http_request": "GET /users?cursor=%27 HTTP/1.1",
}
NAME = "GET /users, cursor: SQL Injection via injection in the parameter cursor"


def document(*rows):
    return "\n".join(["## Findings of scanners", "| finding | why it is none |", "|---|---|", *rows, "", "## More"])


def test_a_finding_that_nobody_has_explained_is_wrong():
    [sentence] = complaints([FINDING], set())
    assert NAME in sentence


def test_a_finding_that_is_explained_is_none():
    assert complaints([FINDING], explained(document(f"| `{NAME}` | A reason. |"))) == []


def test_an_informational_finding_is_none():
    assert complaints([{**FINDING, "level": 0}], set()) == []


def test_an_explanation_does_not_cover_another_page():
    assert len(complaints([FINDING, {**FINDING, "path": "/posts"}], {name_of(FINDING)})) == 1


def test_an_explanation_of_what_is_found_no_more_is_wrong():
    assert complaints([], {NAME}) == [f"docs/security.md explains what was not found: {NAME}"]


def test_an_explanation_needs_a_reason_and_its_section():
    assert explained(document(f"| `{NAME}` |  |")) == set()
    assert explained(f"| `{NAME}` | A reason. |") == set()


def test_the_document_explains_something_or_has_an_empty_table():
    assert "| finding | why it is none |" in DOCUMENT.read_text()
