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


def test_an_unexplained_finding_is_a_complaint():
    [sentence] = complaints([FINDING], set())
    assert NAME in sentence


def test_an_explained_finding_is_no_complaint():
    assert complaints([FINDING], explained(document(f"| `{NAME}` | A reason. |"))) == []


def test_an_informational_finding_is_no_complaint():
    assert complaints([{**FINDING, "level": 0}], set()) == []


def test_an_explanation_does_not_cover_another_page():
    assert len(complaints([FINDING, {**FINDING, "path": "/posts"}], {name_of(FINDING)})) == 1


def test_an_explanation_without_a_finding_is_a_complaint():
    assert complaints([], {NAME}) == [f"docs/security.md explains what was not found: {NAME}"]


def test_an_explanation_needs_a_reason_and_its_section():
    assert explained(document(f"| `{NAME}` |  |")) == set()
    assert explained(f"| `{NAME}` | A reason. |") == set()


def test_the_document_has_the_table():
    assert "| finding | why it is none |" in DOCUMENT.read_text()
