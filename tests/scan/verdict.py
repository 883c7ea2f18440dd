"""What a scan found, against what docs/security.md explains."""

import re

from tests.browser import ROOT

DOCUMENT = ROOT / "docs" / "security.md"
SECTION = "## Findings of scanners"


def explained(document):
    """Return the findings in the first column of the table that the section of `document`, a text, holds."""
    section = document.partition(f"{SECTION}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([^`]+)` \| [^|]*\w[^|]* \|$", section, re.MULTILINE))


def complaints(findings, explanations):
    """Print `findings`; return a sentence for each above informational without one of `explanations`, and the reverse.

    An explanation of what is found no more is wrong too: it would let it come back unseen.
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
    """Return a finding in one line, as the table names it: `GET /users/2/edit, name: what is wrong with it`."""
    place = ", ".join(filter(None, [f"{finding['method']} {finding['path']}", finding["parameter"]]))
    return re.sub(r"http://localhost:\d+|\n", " ", f"{place}: {finding['info']}")
