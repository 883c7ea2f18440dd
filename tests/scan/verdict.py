"""Compares the findings of a scan with the explanations in docs/security.md."""

import re

from tests.browser import ROOT

DOCUMENT = ROOT / "docs" / "security.md"
SECTION = "## Findings of scanners"


def explained(document):
    """Return the findings in the first column of the table in `document`, the text of docs/security.md."""
    section = document.partition(f"{SECTION}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([^`]+)` \| [^|]*\w[^|]* \|$", section, re.MULTILINE))


def complaints(findings, explanations):
    """Print `findings`; return a sentence for each one above level 0 without an explanation, and the reverse.

    An explanation without a finding is wrong too: it would hide the finding if it came back.
    """
    wrong, found = [], set()
    for finding in findings:
        name = name_of(finding)
        found.add(name)
        print(f"level {finding['level']}, {finding['category']}, {name}")
        if finding["level"] > 0 and name not in explanations:
            wrong.append(f"docs/security.md does not explain: {name}\n{finding['http_request']}")
    return wrong + [f"docs/security.md explains what was not found: {name}" for name in sorted(explanations - found)]


def name_of(finding):
    """Return a finding in one line, as the table names it: `GET /users/2/edit, name: the problem`."""
    place = ", ".join(filter(None, [f"{finding['method']} {finding['path']}", finding["parameter"]]))
    return re.sub(r"http://localhost:\d+|\n", " ", f"{place}: {finding['info']}")
