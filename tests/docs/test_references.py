"""Files, links, commands, options and settings that the documentation names exist, and no setting is missing."""

import importlib.util
import re
import shlex
import sysconfig
from pathlib import Path

import pytest

from benchmarks.__main__ import read_options
from myproject.settings import read_settings
from tests import signed_in

from . import DOCS, DOCUMENTS, ROOT

# Documents name paths from here; a name without a folder may be that of any file.
FOLDERS = [ROOT, ROOT / "myproject"]
SOURCES = [ROOT / name for name in ("myproject", "tests", "docs", "benchmarks", "requirements", "assets")]
# Folders and files that commands create.
CREATED = ("build/", ".venv", "node_modules", "OUT/", "..")
FILE = re.compile(r"[\w./-]*(\w/|\w\.(py|md|ini|txt|toml|css|js|jinja2|po|mo|png|scss))")


def test_every_file_named_in_the_documents_exists(subtests):
    for document in DOCUMENTS:
        for name in sorted(files_named(document.read_text(encoding="utf-8"))):
            with subtests.test(document=document.name, file=name):
                assert find(name)


def test_every_function_named_after_a_file_exists(subtests):
    for document in DOCUMENTS:
        for path, function in re.findall(r"`([\w/.]+\.py)::?(\w+)`", document.read_text(encoding="utf-8")):
            with subtests.test(document=document.name, file=path, function=function):
                definition = re.compile(rf"^(def|class) {function}\b|^{function} =", re.MULTILINE)
                assert any(definition.search(file.read_text()) for file in find(path))


def test_every_link_leads_to_a_file_and_a_heading(subtests):
    for document in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?:)([^)]+)\)", document.read_text(encoding="utf-8")):
            with subtests.test(document=document.name, link=target):
                path, _, anchor = target.partition("#")
                file = document.parent / path if path else document
                assert file.exists()
                assert not anchor or anchor in anchors(file)


def test_every_make_target_exists(subtests):
    targets = set(re.findall(r"^(\w+):.* ## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in DOCUMENTS:
        for target in re.findall(r"(?:`|^    )make ([a-z]+)", document.read_text(encoding="utf-8"), re.MULTILINE):
            with subtests.test(document=document.name, target=target):
                assert target in targets


def test_every_command_of_the_environment_exists(subtests):
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for command in re.findall(r"\bvenv/bin/(\w+)", text):
            with subtests.test(document=document.name, command=command):
                assert Path(sysconfig.get_path("scripts"), command).exists()
        for module in re.findall(r"python3? -m ([\w.]+)", text):
            with subtests.test(document=document.name, module=module):
                assert importlib.util.find_spec(module)


@pytest.mark.parametrize(
    "arguments", re.findall(r'^    make bench .*?ARGS="(.*?)"', (DOCS / "performance.md").read_text(), re.MULTILINE)
)
def test_the_options_of_the_benchmarks_exist(arguments):
    assert read_options(shlex.split(arguments))


def test_every_setting_is_documented_and_every_documented_setting_exists():
    settings = read_settings({"sqlalchemy.url": "sqlite://", "myproject.secret": signed_in.SECRET}, environ={})
    assert settings_in_the_table(0) == set(settings)


def test_the_environment_variables_are_those_that_are_read():
    source = (ROOT / "myproject" / "settings.py").read_text()
    assert settings_in_the_table(1) == set(re.findall(r'environ\.get\("(\w+)"', source))


def settings_in_the_table(column):
    """Return the names in backticks in a column, counted from 0, of the table in docs/settings.md."""
    rows = re.findall(r"^\| `.*\|$", (DOCS / "settings.md").read_text(encoding="utf-8"), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[column + 1])}


def find(name):
    """Return the files and folders that a document may mean by a path or a name."""
    found = [folder / name for folder in FOLDERS if (folder / name).exists()]
    return found or ("/" not in name and [path for folder in SOURCES for path in folder.rglob(name)])


def files_named(text):
    """Return the paths in backticks in a document; not those of URLs, of patterns and of what commands create."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    names = {re.sub(r"::?\w+$", "", name) for name in re.findall(r"`([^`\s]+)`", text)}
    return {name for name in names if FILE.fullmatch(name) and not name.startswith(("/", *CREATED))}


def anchors(file):
    """Return the anchors of the headings of a Markdown file, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
