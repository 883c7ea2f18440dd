"""Follows a guide of CONTRIBUTING.md: reads its steps, and applies them to a copy of the repository.

A guide is a section of numbered steps with these instructions, each before an indented or fenced block:

- "In `FILE`, below `LINE`": insert the block after the one line that contains LINE, with its indentation. Likewise
  "above" and "in place of". "In `FILE`, at the end of `NAME`": insert it before the closing bracket of NAME's value.
- "In `FILE`, fill in": the block is a message of a .po file and its translation.
- "In the file that it names, replace `upgrade` and `downgrade`": the functions in the newest migration; "In the file
  that it names, below `LINE`": insert the block there.
- A block indented by four spaces: commands to run.
"""

import os
import re
import shutil
import subprocess
import sysconfig
import textwrap
from dataclasses import dataclass
from pathlib import Path

from . import ROOT

SCRIPTS = Path(sysconfig.get_path("scripts"))
SECONDS_FOR_A_COMMAND = 300
PLACES = {"below": "{line}\n{block}", "above": "{block}\n{line}", "in place of": "{block}"}

BLOCK = re.compile(r"^```\w+\n(?P<fenced>.*?)^```$|^(?P<commands>(?: {4}\S[^\n]*\n)+)", re.DOTALL | re.MULTILINE)
EDIT = re.compile(
    r"In (?:`(?P<file>[^`]+)`|the file that it names), "
    r"(?P<place>below|above|in place of|at the end of|fill in)(?: `(?P<line>[^`]+)`)?"
)


@dataclass(frozen=True)
class Step:
    """One instruction: the block to insert into a file, or the commands to run."""

    text: str
    block: str
    is_command: bool


def read_steps(heading):
    """Return the steps below a heading of CONTRIBUTING.md, in their order."""
    guide = (
        (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    )
    steps = []
    for numbered in re.split(r"^\d+\. ", guide, flags=re.MULTILINE)[1:]:
        item, start = textwrap.dedent("   " + numbered), 0
        for found in BLOCK.finditer(item):
            text = " ".join(item[start : found.start()].split())
            steps.append(Step(text, found["fenced"] or textwrap.dedent(found["commands"]), not found["fenced"]))
            start = found.end()
    return steps


def follow(step, folder):
    """Do what a step says in the copy of the repository in `folder`."""
    if step.is_command:
        for command in step.block.splitlines():
            run(command, folder)
        return
    migration = max((folder / "myproject/migrations/versions").glob("[0-9]*.py"))
    if "replace `upgrade` and `downgrade`" in step.text:
        head = migration.read_text(encoding="utf-8").partition("def upgrade")[0]
        migration.write_text(head + step.block, encoding="utf-8")
    else:
        [edit] = EDIT.finditer(step.text)
        path = folder / edit["file"] if edit["file"] else migration
        change = {"at the end of": append, "fill in": translate}.get(edit["place"], insert)
        path.write_text(change(path.read_text(encoding="utf-8"), edit, step.block), encoding="utf-8")


def insert(text, edit, block):
    """Return `text` with the block below, above or in place of the one line that contains what the step names."""
    [line] = [line for line in text.splitlines() if edit["line"] in line]
    block = textwrap.indent(block.rstrip("\n"), re.match(r"\s*", line)[0])
    return text.replace(f"{line}\n", PLACES[edit["place"]].format(line=line, block=block) + "\n", 1)


def append(text, edit, block):
    """Return `text` with the block at the end of the tuple, list or dictionary of the name in the step."""
    before, name, value = text.partition(f"\n{edit['line']} = ")
    assert name
    inside, bracket, after = re.split(r"^([)}\]])", value, maxsplit=1, flags=re.MULTILINE)
    return before + name + inside + textwrap.indent(block, "    ") + bracket + after


def translate(text, _edit, block):
    """Return the .po file `text` with the translation of the block, a message with `msgid` and `msgstr`."""
    message, translation = block.splitlines()
    assert text.count(f'{message}\nmsgstr ""\n') == 1
    return text.replace(f'{message}\nmsgstr ""\n', f"{message}\n{translation}\n")


def run(command, folder, expected=(0,)):
    """Run a command of the guide with the environment of this test; return what it printed.

    make takes its environment as complete, so that it installs nothing.
    """
    command = re.sub(r"^\.venv/bin/", f"{SCRIPTS}/", command)
    complete = " ".join(f"--assume-old=.venv{stamp}" for stamp in ("", "/development.stamp", "/testing.stamp"))
    command = re.sub("^make ", f"make --silent {complete} BIN={SCRIPTS} MAKE='make {complete}' ", command)
    inherited = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "MAKEFLAGS")}
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env={**inherited, "PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS_FOR_A_COMMAND,
        check=False,
    )
    assert done.returncode in expected, f"{command}\n{done.stdout}"
    return done.stdout


def copy_repository(folder):
    """Copy what Git keeps, or would keep, to `folder`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    for path in listed.stdout.split("\0"):
        if path and (ROOT / path).is_file():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, folder / path)
    return folder
