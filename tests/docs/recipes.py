"""What docs/running.md tells an operator: its files, and the commands below each heading."""

import re

from . import DOCS, ROOT

TEXT = (DOCS / "running.md").read_text(encoding="utf-8")
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INDENTED = re.compile(r"(?<=\n\n)(?: {4}.*\n)+")


def files():
    """Return `{path: content}` of the whole files: their first or second line is a comment with the path."""
    blocks = [block for _language, block in FENCED.findall(TEXT)]
    named = {block: re.match(r"(?:#!.*\n)?# (/\S+)\n", block) for block in blocks}
    return {found[1]: block for block, found in named.items() if found}


def fragments():
    """Return the fenced blocks that are parts of files, in their order."""
    whole = files().values()
    return [block for _language, block in FENCED.findall(TEXT) if block not in whole]


def commands(heading):
    """Return the blocks of commands below a heading, in their order."""
    section = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    assert section, f"there is no section {heading}"
    blocks = INDENTED.findall(f"\n{FENCED.sub('', section)}")
    return [re.sub(r"^ {4}", "", block, flags=re.MULTILINE) for block in blocks]


def production_ini():
    """Return production.ini with the lines that the guide adds to its two sections."""
    text = (ROOT / "production.ini").read_text(encoding="utf-8")
    application, server = [block for block in fragments() if " = " in block]
    for section, lines in {"[app:main]": application, "[server:main]": server}.items():
        assert text.count(f"\n{section}\n") == 1
        text = text.replace(f"\n{section}\n", f"\n{section}\n{lines}")
    return text
