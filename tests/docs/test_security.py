"""docs/security.md lists every requirement, and the tests that it names exist."""

import re
from collections import Counter

import pytest

from . import DOCS

TEXT = (DOCS / "security.md").read_text(encoding="utf-8")
# The number of requirements of levels 1 and 2 in each section of OWASP ASVS 5.0.0; they are the first ones of it.
SECTIONS = {
    "V1": {1: 2, 2: 9, 3: 11, 4: 3, 5: 2},
    "V2": {1: 3, 2: 3, 3: 4, 4: 1},
    "V3": {2: 2, 3: 4, 4: 6, 5: 5, 7: 2},
    "V4": {1: 3, 2: 1, 3: 2, 4: 4},
    "V5": {1: 1, 2: 3, 3: 2, 4: 3},
    "V6": {1: 3, 2: 12, 3: 4, 4: 4, 5: 5, 6: 3, 8: 4},
    "V7": {1: 3, 2: 4, 3: 2, 4: 5, 5: 2, 6: 2},
    "V8": {1: 2, 2: 3, 3: 1, 4: 1},
    "V9": {1: 3, 2: 4},
    "V10": {1: 2, 2: 2, 3: 4, 4: 11, 5: 5, 6: 2, 7: 3},
    "V11": {1: 2, 2: 3, 3: 3, 4: 4, 5: 1, 6: 1},
    "V12": {1: 3, 2: 2, 3: 4},
    "V13": {1: 1, 2: 5, 3: 2, 4: 5},
    "V14": {1: 2, 2: 4, 3: 3},
    "V15": {1: 3, 2: 3, 3: 7},
    "V16": {1: 1, 2: 5, 3: 4, 4: 3, 5: 3},
    "V17": {1: 1, 2: 4, 3: 2},
}
REQUIREMENTS = [
    f"{chapter}.{section}.{number + 1}"
    for chapter, counts in SECTIONS.items()
    for section, count in counts.items()
    for number in range(count)
]
STANDARD = TEXT.partition("\n## OWASP ASVS")[2].partition("\n## ")[0]
ROWS = re.findall(r"^\| (V[0-9.]+), .*$", STANDARD, re.MULTILINE)
LISTED = re.search(r"### Not applicable\n(.*)### Not met\n", STANDARD, re.DOTALL)[1]


def expand(name):
    """Return the requirements that an id or a range stands for; the id of a chapter (V5) or a section (V4.3) too."""
    first, _to, last = name.partition(" to ")
    if last:
        return REQUIREMENTS[REQUIREMENTS.index(first) : REQUIREMENTS.index(last) + 1]
    return [each for each in REQUIREMENTS if f"{each}.".startswith(f"{name}.")]


def test_every_requirement_is_listed_once():
    listed = re.findall(r"V[0-9]+(?:\.[0-9]+)*(?: to V[0-9]+(?:\.[0-9]+)+)?", LISTED)
    assert [name for name in listed if not expand(name)] == []
    assert Counter([*ROWS, *(each for name in listed for each in expand(name))]) == Counter(REQUIREMENTS)


@pytest.mark.parametrize("row", re.findall(r"^\| V.*\|.*\|.*\|$", STANDARD.partition("### ")[0], re.MULTILINE))
def test_every_met_requirement_names_its_evidence(row):
    shown = row.strip("|").split("|")[2]
    sections = re.findall("“([^”]+)” above", shown)
    assert [name for name in sections if f"\n## {name}\n" not in TEXT] == []
    assert sections or "::" in shown or "](permissions.md)" in shown


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(tests/[^`]+)`", STANDARD))))
def test_every_named_test_exists(name):
    path, _colons, function = name.partition("::")
    assert f"\ndef {function}(" in (DOCS.parent / path).read_text(encoding="utf-8")
