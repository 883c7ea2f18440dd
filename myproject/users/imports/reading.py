"""Reads a file, CSV or .xlsx, as rows of texts, after it has recognised in which format the file is written."""

import codecs
import contextlib
import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any
from xml.parsers import expat  # nosec B407

import charset_normalizer
import openpyxl
from pyramid.i18n import TranslationString

from ...web.i18n import _
from .columns import Unreadable, guess_columns

CSV, XLSX = "csv", "xlsx"
# Python's name of each encoding, and its own, which is the same in all languages.
ENCODINGS = {
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16LE",
    "utf-16-be": "UTF-16BE",
    "cp949": "CP949 (EUC-KR)",
    # Browsers and Excel read Latin-1 as Windows-1252, which has curly quotation marks too.
    "cp1252": "Latin-1 (Windows-1252)",
}
DELIMITERS = {",": _("Comma"), ";": _("Semicolon"), "\t": _("Tab"), "|": _("Vertical bar")}

SAMPLE_BYTES = 64 * 1024
CHUNK_BYTES = 1024 * 1024
# The patterns of csv.Sniffer take quadratic time.
SNIFFED_CHARACTERS = 4000
# More than any user has, and few enough that no line needs much memory. csv.field_size_limit() is 131,072 characters.
MAX_COLUMNS = 200
MAX_LINE_CHARACTERS = 1_000_000
# Excel's own limit.
MAX_WORKBOOK_ROWS = 1_048_576
# openpyxl keeps the texts of a workbook in memory. Real ones are packed to a tenth or so.
MAX_WORKBOOK_BYTES = 400_000_000
MAX_WORKBOOK_TEXT_BYTES = 100_000_000
MAX_WORKBOOK_FILES = 1000
MAX_PACKING = 100
# A part of a workbook is parsed row by row, and shared texts one by one. What is between them stays in memory.
MAX_UNRELEASED_BYTES = 16 * CHUNK_BYTES
RELEASED = {f"http://schemas.openxmlformats.org/spreadsheetml/2006/main {name}" for name in ("row", "si")}

ZIP = b"PK\x03\x04"
OLD_EXCEL = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
OTHER_FILES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"%PDF", b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf")
# The first line by which a file tells Excel its delimiter.
SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)

EMPTY = _("The file is empty.")
NOT_A_TABLE = _(
    "This is neither a CSV file nor an Excel workbook. Save the table as CSV or .xlsx and choose that file."
)
OLD_WORKBOOK = _("This is a workbook of an old version of Excel. Save it as .xlsx or CSV and choose that file.")
BAD_WORKBOOK = _("The workbook cannot be read. Save it again as .xlsx, or as CSV, and choose that file.")
LARGE_WORKBOOK = _("The workbook is too large when unpacked. Save the table as CSV and choose that file.")

WRONG_ENCODING = _(
    "Line ${line} is not written in ${encoding}. Choose another encoding, or save the file as UTF-8 again."
)


@dataclass(frozen=True)
class Format:
    """How a file is read. Those of a CSV file are the arguments of Python's csv module."""

    kind: str = CSV
    encoding: str = "utf-8-sig"
    delimiter: str = ","
    # Empty: no cell is quoted.
    quotechar: str = '"'
    # Whether a quotation mark within a cell is doubled; otherwise `escapechar` is before it.
    doublequote: bool = True
    escapechar: str | None = None
    # Whether the first line only names the delimiter for Excel.
    has_separator_line: bool = False
    # The name of the sheet of a workbook; empty: the first one.
    sheet: str = ""
    # All that the workbook has.
    sheets: Sequence[str] = ()


def recognise(path: Path) -> Format:
    """Return the format of the file. Raises `Unreadable` if it is no table."""
    with path.open("rb") as file:
        beginning = file.read(SAMPLE_BYTES)
    if beginning.startswith(ZIP):
        with _opened_workbook(path) as workbook:
            sheets = [sheet.title for sheet in workbook.worksheets]
            shown = [sheet.title for sheet in workbook.worksheets if sheet.sheet_state == "visible"]
            return Format(XLSX, sheet=(shown or sheets)[0], sheets=sheets)
    if beginning.startswith(OLD_EXCEL):
        raise Unreadable(OLD_WORKBOOK)
    if beginning.startswith(OTHER_FILES):
        raise Unreadable(NOT_A_TABLE)
    encoding = _recognise_encoding(path, beginning)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(beginning)
    if not text.strip():
        raise Unreadable(EMPTY)
    separator = SEPARATOR_LINE.match(text)
    delimiter = separator[1] if separator else _recognise_delimiter(text)
    return Format(CSV, encoding, delimiter, has_separator_line=bool(separator))


def read_rows(path: Path, format: Format) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield each row of the file, empty ones too, as the number of its first line and its cells.

    Raises `Unreadable` where the file does not keep to `format`, or a line is too long.
    """
    for number, cells in (_read_workbook if format.kind == XLSX else _read_text)(path, format):
        if len(cells) > MAX_COLUMNS:
            raise Unreadable(
                _(
                    "Line ${line} has ${count} columns; at most ${max} can be read. Is the delimiter the right one?",
                    mapping={"line": number, "count": len(cells), "max": MAX_COLUMNS},
                )
            )
        yield number, cells


def read_header(path: Path, format: Format) -> Sequence[str]:
    """Return the titles of the columns: the first row that is not empty. Raises as `read_rows` does."""
    return next_header(read_rows(path, format))


def next_header(rows: Iterator[tuple[int, Sequence[str]]]) -> Sequence[str]:
    """Take the header from `rows`, those of `read_rows`, and return it; without one, it is empty."""
    return next((cells for _line, cells in rows if any(map(str.strip, cells))), ())


def estimate_rows(path: Path, format: Format) -> int | None:
    """Return about how many rows the file has, for a progress bar; `None` if only reading it tells."""
    if format.kind == XLSX:
        return None
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(partial(file.read, CHUNK_BYTES), b"")) or None


def _recognise_encoding(path: Path, beginning: bytes) -> str:
    if beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in beginning:
        encoding = _guess(beginning, {"utf_16_le": "utf-16-le", "utf_16_be": "utf-16-be"})
        if encoding is None:
            raise Unreadable(NOT_A_TABLE)
        return encoding
    if _is_utf_8(path):
        return "utf-8-sig"
    sample = _non_ascii_lines(path)
    text = sample.decode(errors="replace")
    damaged = text.count("\N{REPLACEMENT CHARACTER}")
    # Other encodings hardly ever look like UTF-8, so this is UTF-8 with a damaged place. Reading it names the line.
    if sum(not character.isascii() for character in text) > 2 * damaged:
        return "utf-8-sig"
    return _guess(sample, {"cp949": "cp949", "cp1252": "cp1252"}) or "cp1252"


def _guess(sample: bytes, encodings: dict[str, str]) -> str | None:
    """Return which of `encodings`, from the names that charset-normalizer uses to ours, suits `sample` best."""
    best = charset_normalizer.from_bytes(sample, cp_isolation=list(encodings)).best()
    return encodings.get(best.encoding) if best else None


def _is_utf_8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file, contextlib.suppress(UnicodeDecodeError):
        while chunk := file.read(CHUNK_BYTES):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
        return True
    return False


def _non_ascii_lines(path: Path) -> bytes:
    """Return the first lines that are not ASCII; with many others around them, an encoding is guessed badly."""
    sample = bytearray()
    with path.open("rb") as file:
        while len(sample) < SAMPLE_BYTES and (chunk := file.read(CHUNK_BYTES)):
            sample += b"".join(line for line in chunk.splitlines(keepends=True) if not line.isascii())
    return bytes(sample[:SAMPLE_BYTES])


def _recognise_delimiter(text: str) -> str:
    known = {delimiter: _known_columns(text, delimiter) for delimiter in DELIMITERS}
    delimiter = max(known, key=lambda delimiter: known[delimiter])
    if known[delimiter]:
        return delimiter
    try:
        return csv.Sniffer().sniff(text[:SNIFFED_CHARACTERS], delimiters="".join(DELIMITERS)).delimiter
    except csv.Error:
        return ","


def _known_columns(text: str, delimiter: str) -> int:
    """Return how many columns of the header are known if `delimiter` is the right one."""
    try:
        header = next((row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(row)), [])
    except csv.Error:
        return 0
    return sum(field is not None for field in guess_columns(header))


def _read_text(path: Path, format: Format) -> Iterator[tuple[int, Sequence[str]]]:
    with path.open(encoding=format.encoding, newline="") as file:
        reader = csv.reader(
            _bounded_lines(file),
            delimiter=format.delimiter,
            quotechar=format.quotechar or None,
            quoting=csv.QUOTE_MINIMAL if format.quotechar else csv.QUOTE_NONE,
            doublequote=format.doublequote,
            escapechar=format.escapechar or None,
            strict=True,
        )
        number = 1
        try:
            if format.has_separator_line:
                next(reader)
            while True:
                number = reader.line_num + 1
                yield number, next(reader)
        except StopIteration:
            return
        except UnicodeError as error:
            if isinstance(error, UnicodeDecodeError):
                # What was decoded before ends in the middle of a line.
                number = reader.line_num + 1 + error.object[: error.start].count(b"\n")
            facts = {"line": number, "encoding": ENCODINGS.get(format.encoding, format.encoding)}
            raise Unreadable(_(WRONG_ENCODING, mapping=facts)) from None
        except csv.Error as error:
            raise Unreadable(_explain(str(error), number)) from None


def _bounded_lines(file: IO[str]) -> Iterator[str]:
    read = partial(file.readline, MAX_LINE_CHARACTERS)
    for number, line in enumerate(iter(read, ""), 1):
        if len(line) == MAX_LINE_CHARACTERS:
            facts = {"line": number, "max": f"{MAX_LINE_CHARACTERS:,}"}
            raise Unreadable(_("Line ${line} is longer than ${max} characters. Is this a CSV file?", mapping=facts))
        yield line


def _explain(error: str, line: int) -> TranslationString:
    """Return what to do about an error of Python's csv module in the row that begins on `line`."""
    if "field larger" in error or "end of data" in error:
        return _(
            "Line ${line} has a quotation mark that is never closed. Correct the file and choose it again.",
            mapping={"line": line},
        )
    return _(
        "Line ${line} has a quotation mark within a cell. Double it, or save the file again from the spreadsheet.",
        mapping={"line": line},
    )


def _read_workbook(path: Path, format: Format) -> Iterator[tuple[int, Sequence[str]]]:
    with _opened_workbook(path) as workbook:
        # The others are charts.
        sheets = workbook.worksheets
        sheet = next((sheet for sheet in sheets if sheet.title == format.sheet), sheets[0])
        # Programs store wrong ones.
        sheet.reset_dimensions()
        rows = enumerate(sheet.iter_rows(values_only=True, max_col=MAX_COLUMNS + 1), 1)
        width = 0
        while row := _guarded(lambda: next(rows, None)):
            number, values = row
            if number > MAX_WORKBOOK_ROWS:
                raise Unreadable(LARGE_WORKBOOK)
            cells = [_text_of(value) for value in _without_empty_end(values)]
            # A workbook has no cells where a line is empty, but its columns are those of the header.
            width = width or len(cells)
            yield number, [*cells, *[""] * (width - len(cells))]


@contextlib.contextmanager
def _opened_workbook(path: Path) -> Iterator[Any]:
    """Yield the workbook. Raises `Unreadable` if it is none, or larger than it should be when unpacked."""
    # An open file, since openpyxl looks at the ending of a name.
    with path.open("rb") as file:
        _guarded(lambda: _check_sizes(file))
        workbook = _guarded(lambda: openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False))
        with contextlib.closing(workbook):
            if not workbook.worksheets:
                raise Unreadable(EMPTY)
            yield workbook


def _check_sizes(file: IO[bytes]) -> None:
    with zipfile.ZipFile(file) as archive:
        parts = archive.infolist()
        _check_sums(parts)
        for part in parts:
            if part.filename.endswith(".xml"):
                _check_rows(archive, part)


def _check_sums(parts: Sequence[zipfile.ZipInfo]) -> None:
    if "xl/workbook.xml" not in {part.filename for part in parts}:
        raise Unreadable(NOT_A_TABLE)
    sheets = sum(part.file_size for part in parts if part.filename.startswith("xl/worksheets/"))
    size, packed = (sum(getattr(part, name) for part in parts) for name in ("file_size", "compress_size"))
    limits = (
        (size, min(MAX_WORKBOOK_BYTES, max(MAX_PACKING * packed, CHUNK_BYTES))),
        (size - sheets, MAX_WORKBOOK_TEXT_BYTES),
        (len(parts), MAX_WORKBOOK_FILES),
    )
    if any(value > limit for value, limit in limits):
        raise Unreadable(LARGE_WORKBOOK)


def _check_rows(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    """Refuse a part whose rows are too long: openpyxl would make objects of all of it, which take far more memory."""
    released = 0

    def note_end(name: str) -> None:
        nonlocal released
        if name in RELEASED:
            released = parser.CurrentByteIndex

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.EndElementHandler = note_end
    with archive.open(part) as file:
        while chunk := file.read(CHUNK_BYTES):
            parser.Parse(chunk)
            if parser.CurrentByteIndex - released > MAX_UNRELEASED_BYTES:
                raise Unreadable(LARGE_WORKBOOK)


def _guarded(read: Callable[[], Any]) -> Any:
    """Return `read()`. Raises `Unreadable` for whatever openpyxl and its parser raise of a damaged file."""
    try:
        return read()
    except Unreadable:
        raise
    except Exception as error:
        raise Unreadable(BAD_WORKBOOK) from error


def _without_empty_end(values: Sequence[Any]) -> Sequence[Any]:
    length = len(values)
    while length and values[length - 1] is None:
        length -= 1
    return values[:length]


def _text_of(value: Any) -> str:
    """Return the value of a cell as people would type it: a workbook has 30.0 for 30."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
