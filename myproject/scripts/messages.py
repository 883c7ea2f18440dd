"""python -m myproject.scripts.messages: refresh the translation catalogues, in `myproject/locale`, from the source.

A translation stays as long as its English text stays word for word the same; English is its own translation.
"""

import argparse
import io
import re
import sys
import tomllib
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from ..i18n import LANGUAGES

SOURCE = Path(__file__).parents[2]
LOCALE = SOURCE / "myproject" / "locale"

# `${name}` in Python, `%(name)s` in templates.
PLACEHOLDER = re.compile(r"\$\{\w+\}|%\(\w+\)s")


def main(argv=None, folder=LOCALE):
    """Write the catalogues afresh; with --check, write nothing, and fail with a list of what they lack."""
    parser = argparse.ArgumentParser(prog="messages", description=main.__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args(argv).check
    template = extract()
    files, defects = {folder / "myproject.pot": as_file(write_po, template)}, []
    for language in LANGUAGES:
        po = folder / language / "LC_MESSAGES" / "myproject.po"
        catalog = translate(template, language, read_po(po.open("rb")) if po.exists() else {})
        files |= {po: as_file(write_po, catalog), po.with_suffix(".mo"): as_file(write_mo, catalog)}
        defects += [f"{language}: {defect}" for defect in find_defects(catalog)]
    for path, content in files.items():
        if not (path.exists() and path.read_bytes() == content):
            if check:
                defects.append(f"{path.relative_to(folder)} is out of date: run make messages")
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
    sys.exit("\n".join(defects) or None)


class Texts(Catalog):
    """A catalogue that differs only when a text does: dates and versions are left out of its header."""

    mime_headers = property(
        lambda self: [
            ("Language", self.locale_identifier or ""),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Plural-Forms", self.plural_forms),
        ]
    )


def extract():
    """Return the messages of the source, found as `[tool.babel]` of pyproject.toml says."""
    mappings = tomllib.loads((SOURCE / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["babel"]["mappings"]
    methods = [(mapping["pattern"], mapping["method"]) for mapping in mappings]
    options = {mapping["pattern"]: mapping for mapping in mappings}
    template = Texts(header_comment="", fuzzy=False)
    for file, line, text, _, context in extract_from_dir(SOURCE, methods, options):
        template.add(text, locations=[(file, line)], context=context)
    return template


def translate(template, language, known):
    """Return the messages of `template` in `language`, translated as the catalogue `known` has them."""
    catalog = Texts(language, header_comment="", fuzzy=False)
    for message in filter(lambda message: message.id, template):
        old = known.get(message.id)
        # A text that has got a plural, or lost it, is another text.
        kept = old and isinstance(old.string, type(message.id))
        catalog.add(
            message.id,
            message.id if language == "en" else old.string if kept else None,
            message.locations,
            flags=old.flags if kept else (),
            user_comments=old.user_comments if kept else (),
        )
    return catalog


def find_defects(catalog):
    """Yield a line for each message without a translation, with an unsure one, or with other placeholders in it."""
    for message in filter(lambda message: message.id, catalog):
        texts, translations = ([text] if isinstance(text, str) else text for text in (message.id, message.string))
        # Paired from the last, the plural: Korean has no other form.
        pairs = zip(texts[::-1], translations[::-1], strict=False)
        if not all(translations):
            yield f"not translated: {texts[0]!r}"
        elif message.fuzzy:
            yield f"marked as fuzzy: {texts[0]!r}"
        elif any(set(PLACEHOLDER.findall(text)) != set(PLACEHOLDER.findall(other)) for text, other in pairs):
            yield f"other placeholders: {texts[0]!r}"


def as_file(write, catalog):
    """Return what `write` (write_po or write_mo) makes of `catalog`."""
    file = io.BytesIO()
    options = {"sort_by_file": True, "include_lineno": False} if write is write_po else {}
    write(file, catalog, **options)
    return file.getvalue()


if __name__ == "__main__":
    main()
