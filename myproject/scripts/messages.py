"""python -m myproject.scripts.messages: update the translation catalogues in `myproject/locale` from the source."""

import argparse
import copy
import io
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from babel.messages import mofile, pofile
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir

from ..web.i18n import LANGUAGES

SOURCE = Path(__file__).parents[2]
LOCALE = SOURCE / "myproject" / "locale"

PO_OPTIONS: dict[str, Any] = {"sort_by_file": True, "include_lineno": False, "ignore_obsolete": True}

# `${name}` in Python, `%(name)s` in templates.
PLACEHOLDER = re.compile(r"\$\{\w+\}|%\(\w+\)s")


def main(argv: list[str] | None = None, folder: Path = LOCALE) -> None:
    """Update the catalogues; with --check, write nothing. Exit with a list of missing or wrong translations."""
    parser = argparse.ArgumentParser(prog="messages", description=main.__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args(argv).check
    template, defects = extract(), []
    files = {folder / "myproject.pot": as_file(pofile.write_po, template, **PO_OPTIONS)}
    for language in LANGUAGES:
        po = folder / language / "LC_MESSAGES" / "myproject.po"
        catalog = translate(template, language, po.read_bytes() if po.exists() else b"")
        files[po] = as_file(pofile.write_po, catalog, **PO_OPTIONS)
        files[po.with_suffix(".mo")] = as_file(mofile.write_mo, catalog)
        defects += [f"{language}: {defect}" for defect in find_defects(catalog)]
    for path, content in files.items():
        if check and not (path.exists() and path.read_bytes() == content):
            defects.append(f"{path.relative_to(folder)} is out of date: run `make messages`")
        elif not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    sys.exit("\n".join(defects) or None)


class Texts(Catalog):
    """A catalogue whose header has no dates and versions, so that its file changes only when a text does."""

    def __init__(self, language: str | None = None) -> None:
        super().__init__(language, header_comment="# Refreshed from the source by `make messages`.", fuzzy=False)

    def __iter__(self) -> Iterator[Message]:
        header = f"Language: {self.locale_identifier or ''}\nPlural-Forms: {self.plural_forms}\n"
        return iter([Message("", f"Content-Type: text/plain; charset=utf-8\n{header}"), *self._messages.values()])


def extract() -> Texts:
    """Return the messages of the source files that `[tool.babel]` in pyproject.toml names."""
    mappings = tomllib.loads((SOURCE / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["babel"]["mappings"]
    template, methods = Texts(), [(mapping["pattern"], mapping["method"]) for mapping in mappings]
    for file, line, text, _, context in extract_from_dir(SOURCE, methods, {m["pattern"]: m for m in mappings}):
        template.add(text, locations=[(file, line)], context=context)
    return template


def translate(template: Texts, language: str, known: bytes) -> Texts:
    """Return the messages of `template` with the translations of `known`, the content of a .po file."""
    catalog = Texts(language)
    for message in list(pofile.read_po(known.splitlines(), language))[1:]:
        catalog[message.id] = message
    catalog.update(copy.deepcopy(template), no_fuzzy_matching=True)
    for message in list(catalog)[1:] if language == "en" else []:
        message.string = message.id
    return catalog


def find_defects(catalog: Texts) -> Iterator[str]:
    """Yield a line for each message that is not translated, marked as fuzzy, or whose placeholders differ."""
    for message in list(catalog)[1:]:
        texts, strings = ([text] if isinstance(text, str) else text for text in (message.id, message.string or ""))
        if not all(strings):
            yield f"not translated: {texts[0]!r}"
        elif message.fuzzy:
            yield f"marked as fuzzy: {texts[0]!r}"
        # The last one is the plural, the only form that Korean has.
        elif set(PLACEHOLDER.findall(texts[-1])) != set(PLACEHOLDER.findall(strings[-1])):
            yield f"other placeholders: {texts[0]!r}"


def as_file(write: Callable[..., object], catalog: Texts, **options: Any) -> bytes:
    """Return the bytes that `write(file, catalog, **options)` writes."""
    file = io.BytesIO()
    write(file, catalog, **options)
    return file.getvalue()


if __name__ == "__main__":
    main()
